"""PyInstaller hook for ``ssl``: includes certhook and certifi's bundle in programs that import ``ssl``.

PyInstaller cannot see certhook's lazy imports, so this hook lists its modules. It omits the
modules for the command line, for building programs and for starting through :mod:`site`. It
copies no trust settings of the build machine.
"""

from __future__ import annotations

from PyInstaller.utils.hooks import collect_data_files, collect_submodules  # type: ignore[import-untyped]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_EXCLUDED = ("certhook.__main__", "certhook.bootstrap", "certhook.cli", "certhook.freezers", "certhook.run")


def _is_needed(name: str) -> bool:
    return not name.startswith(_EXCLUDED)


def hook(hook_api: Any) -> None:
    """Add the modules and the bundle, unless the build uses ``--exclude-module certhook``."""
    if "certhook" not in hook_api.analysis.excludes:
        hook_api.add_imports("certifi", *collect_submodules("certhook", filter=_is_needed))
        hook_api.add_datas(collect_data_files("certifi"))
