"""Verifying the compiled stores that programs use with the current settings, for the verbs that report on them."""

from __future__ import annotations

from certhook import _public_bundles, _trust
from certhook._config import SERVER_AUTH
from certhook._store import index_path, store_directory
from certhook._watch import exists, index_settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from certhook._config import Config
    from certhook._trust import Trust


def verify(config: Config, verb: str) -> Trust:
    """Verify every file of the stores for default trust and for public bundles, and rebuild what is damaged.

    :param verb: the verb that requests it, as ``status`` reports it
    :returns: default trust
    """
    occasion = f"noticed by 'certhook {verb}'"
    own, _ = store_directory(config.store_dir)
    directories = [directory for directory in (_trust.directory_beside_package(), own) if directory is not None]
    for bundle in _public_bundles.installed(config.adopt):
        request = config.adopting(bundle)
        # The first request for a bundle builds a store; a report does not.
        if any(exists(index_path(directory, index_settings(request, SERVER_AUTH))) for directory in directories):
            _trust.current(request, SERVER_AUTH, occasion)
    return _trust.current(config, SERVER_AUTH, occasion)
