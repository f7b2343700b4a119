"""``python -m certhook status``: report whether certhook is active, and which roots are trusted and why."""

from __future__ import annotations

import argparse
import os
import site
import sys
from time import gmtime, strftime

import certhook
from certhook import _config
from certhook._public_bundles import BUNDLES
from certhook._store.build import OMITTED
from certhook._text import printable, shown_path, shown_value
from certhook.cli import (
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

    from certhook._certificates.anchor import Anchor
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
    clients = _client_hooks.client_hooks()
    problems = [
        *rejected,
        # The list in an index is limited, unlike the one of the trust set.
        *(problem for problem in trust.problems if getattr(problem, "path", "") != OMITTED),
        *_client_hooks.problems(clients),
        *_variables.native_problem(config),
        *_variables.misspelled(os.environ),
    ]
    roots = [_roots_table.as_json(anchor) for anchor in anchors]
    # New keys are added at the end: programs may depend on the order.
    return {
        "certhook": certhook.__version__,
        "python": sys.version.split()[0],
        "executable": sys.executable,
        "openssl": ssl.OPENSSL_VERSION,
        "active": certhook.is_installed() and hasattr(ssl.create_default_context, "__certhook__"),
        "disabled": _config.is_disabled(),
        "enabled_by": _enabled_by(),
        "unprocessed_pth": _unprocessed_pth(),
        "sources": list(effective.sources),
        "mode": effective.mode,
        "adopted": [*(BUNDLES if effective.adopt is None else map(shown_value, effective.adopt))],
        "variables": _variables.describe(os.environ, config),
        "anchors": len(anchors),
        "anchors_by_source": _count_by_source(anchors),
        "roots": roots,
        "removed": effective.removed,
        "excluded": [_roots_table.as_json(anchor) for anchor in trust_set.excluded],
        "distrusted": [{**_roots_table.as_json(anchor), "by": anchor.rejected_by} for anchor in trust_set.removed],
        "places": [
            {"source": one.source, "path": printable(shown_path(one.path)), "anchors": one.count, "note": one.note}
            for one in trust_set.locations
        ],
        **_describe_store(trust),
        "clients": clients,
        "neighbours": _libraries.other_software(ssl),
        "libraries": _libraries.unreached_libraries(),
        "problems": list(dict.fromkeys(map(str, problems))),
        "private_roots": sum(bool(root["private"]) for root in roots) if _mozilla.is_available() else None,
        "expired_roots": sum(root["expired"] for root in roots),
        "settings_file": _settings_file.describe(config),
    }


def _describe_store(trust: Trust) -> dict[str, Any]:
    """Return the compiled store, when and why it was built, and why there is none."""
    since, reason = trust.built
    has_store = trust.store is not None
    return {
        "store": trust.store,
        "built": strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(since)) if has_store else None,
        "built_because": reason if has_store else "",
        "eager_because": trust.eager_reason,
    }


def _enabled_by() -> str | None:
    """Return the mechanism that installed the import hook, if possible as the path of a file."""
    if not certhook.is_installed():
        return None
    if certhook.enabled_by != "site-packages":
        return certhook.enabled_by
    for directory in [*site.getsitepackages(), site.getusersitepackages()]:
        path = os.path.join(directory, "certhook.pth")
        if os.path.isfile(path):
            return path
    return certhook.enabled_by


def _unprocessed_pth() -> str | None:
    """Return the directory of certhook if it contains ``certhook.pth`` and is not a site-packages directory.

    Python processes no ``.pth`` file there. ``pip install --target`` creates such a directory, for example for a
    Lambda layer.

    :returns: None for any other directory, and under ``-S``, where Python processes no ``.pth`` file at all
    """
    directory = os.path.dirname(os.path.dirname(os.path.abspath(certhook.__file__ or "")))
    known = [*site.getsitepackages(), site.getusersitepackages()]
    if sys.flags.no_site or os.path.realpath(directory) in map(os.path.realpath, known):
        return None
    return directory if os.path.isfile(os.path.join(directory, "certhook.pth")) else None


def _count_by_source(anchors: list[Anchor]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for anchor in anchors:
        for source in anchor.sources:
            counts[source] = counts.get(source, 0) + 1
    return dict(sorted(counts.items()))
