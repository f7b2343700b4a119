"""Installing and removing the hook from code, for hosts that run without ``site``."""

from __future__ import annotations

import sys

import certhook
from certhook import _config, _finder


def install(*, use_environment: bool = True) -> None:
    """Install the import hook in this interpreter; patch ``ssl`` if it is imported already.

    Harmless where it is installed. Does nothing where ``CERTHOOK_DISABLED`` is set.

    :param use_environment: False: neither ``CERTHOOK_*`` nor ``SSL_CERT_FILE``
        and ``SSL_CERT_DIR`` have a say, for a host that locks its environment out;
        who installs the hook once more, while it is, does not let it in again
    """
    if use_environment and _config.disabled():
        return
    _config.use_environment = use_environment and (_config.use_environment or not is_installed())
    certhook._hook("certhook.install()")


def uninstall() -> None:
    """Remove the import hook and put back the functions of ``ssl``.

    Contexts keep the trust they were given.
    """
    for finder in list(sys.meta_path):
        if _finder.is_ours(finder):
            sys.meta_path.remove(finder)
    certhook.enabled_by = None
    patch = sys.modules.get("certhook._patch")
    if patch is not None:
        patch.remove()


def is_installed() -> bool:
    """Whether the import hook is installed in this interpreter."""
    return any(_finder.is_ours(finder) for finder in sys.meta_path)
