"""``python -m certhook status``: report whether certhook is active, and which roots are trusted and why."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import datetime, timezone

import certhook
from certhook import _config
from certhook._public_bundles import BUNDLES
from certhook._store.build import OMITTED
from certhook._text import printable, shown_path, shown_value
from certhook.cli import (
    _activation,
    _client_hooks,
    _libraries,
    _mozilla,
    _roots_table,
    _settings_file,
    _status_report,
    _terminal,
    _variables,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from certhook._sources.trust_set import Location
    from certhook._trust import Trust


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    parser = _terminal.add_verb(
        verbs,
        "status",
        "show whether certhook is active, and which root certificates are trusted (default)",
        (
            "Show whether certhook is active in this Python and what enabled it, how many root certificates of each "
            "source are trusted, which of them are private (not part of Mozilla's list), and all problems. The details "
            "follow: the locations of root certificates, distrusted ones, environment variables and their effects, "
            "installed libraries with a client hook, other software that changes trust, and installed libraries that "
            "certhook does not reach.",
        ),
        (_roots_table.SOURCES, "Exit status: 0 if certhook is active and there are no problems, otherwise 1."),
    )
    add_arguments(parser)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this verb, which is also the default verb."""
    _terminal.add_json(parser)
    text = "also list every trusted root certificate, with its fingerprint, validity and locations"
    parser.add_argument("--roots", action="store_true", default=argparse.SUPPRESS, help=text)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the status.

    :returns: 0 if certhook is active and there are no problems, otherwise 1
    """
    found = _read_status()
    if _terminal.wants_json(options):
        _terminal.show_json(found)
    else:
        _terminal.show_report(_status_report.render(found, getattr(options, "roots", False)), _status_report.MARKS)
    return 0 if found["active"] and not found["problems"] else 1


def _read_status() -> dict[str, Any]:
    """Return the status as a JSON object."""
    import ssl

    from certhook.cli import _stores

    config = _config.current()
    trust = _stores.verify(config, "status")
    trust_set = certhook.trust_set()
    effective = trust_set.config
    anchors, rejected = _roots_table.accepted_by_openssl(trust_set)
    hooks = _client_hooks.client_hooks()
    problems = [
        *rejected,
        # The list in an index is limited, unlike the one of the trust set.
        *(problem for problem in trust.problems if getattr(problem, "path", "") != OMITTED),
        *_client_hooks.problems(hooks),
        *_variables.native_problem(config),
        *_variables.misspelled(os.environ),
    ]
    roots = [_roots_table.as_json(anchor) for anchor in anchors]
    return {
        "certhook": certhook.__version__,
        "python": sys.version.split()[0],
        "executable": sys.executable,
        "openssl": ssl.OPENSSL_VERSION,
        "active": _activation.is_active(),
        "disabled": _config.is_disabled(),
        "enabled_by": _activation.enabled_by(),
        "unprocessed_pth": _activation.unprocessed_pth(),
        "sources": list(effective.sources),
        "mode": effective.mode,
        "adopted_bundles": [*(BUNDLES if effective.adopt is None else map(shown_value, effective.adopt))],
        "variables": _variables.describe(os.environ, config),
        "trusted_count": len(anchors),
        "trusted_count_by_source": _roots_table.count_by_source(anchors),
        "private_count": sum(bool(root["private"]) for root in roots) if _mozilla.is_available() else None,
        "expired_count": sum(root["expired"] for root in roots),
        "roots": roots,
        "removed_mode": effective.removed,
        "excluded": [_roots_table.as_json(anchor) for anchor in trust_set.excluded],
        "distrusted": [_roots_table.as_json(anchor) for anchor in trust_set.distrusted],
        "locations": [_describe_location(location) for location in trust_set.locations],
        **_describe_store(trust),
        "client_hooks": hooks,
        "other_software": _libraries.other_software(ssl),
        "unreached_libraries": _libraries.unreached_libraries(),
        "problems": list(dict.fromkeys(map(str, problems))),
        "settings_file": _settings_file.describe(config),
    }


def _describe_location(location: Location) -> dict[str, Any]:
    return {
        "source": location.source,
        "path": printable(shown_path(location.path)),
        "root_count": location.count,
        "note": location.note or None,
    }


def _describe_store(trust: Trust) -> dict[str, Any]:
    """Return the compiled store, when and why it was built, and why there is none."""
    since, reason = trust.built
    has_store = trust.store is not None
    return {
        "store": trust.store,
        "store_built_at": datetime.fromtimestamp(int(since), timezone.utc).isoformat() if has_store else None,
        "store_build_reason": reason if has_store else None,
        "eager_reason": trust.eager_reason or None,
    }
