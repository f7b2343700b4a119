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
from certhook._text import presentable
from certhook.cli import _client_hooks, _libraries, _roots_table, _terminal, _variables
from certhook.cli._roots_table import detail_lines, indented
from certhook.cli._terminal import wrapped

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
            "Show whether certhook is active in this Python and what enabled it, how many root certificates are "
            "trusted and from which locations they were read, distrusted root certificates, environment variables and "
            "their effects, installed libraries with a client hook, other software that changes trust, installed "
            "libraries that certhook does not reach, and all problems.",
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
        _terminal.show_report(_report(found, getattr(options, "roots", False)), _MARKS)
    return 0 if found["active"] and not found["problems"] else 1


def _read_status() -> dict[str, Any]:
    """Return the status as a JSON object."""
    import ssl

    from certhook.cli import _stores

    config = _config.current()
    trust = _stores.verify(config, "status")
    trust_set = certhook.trust_set()
    anchors, rejected = _roots_table.accepted_by_openssl(trust_set)
    clients = _client_hooks.client_hooks()
    problems = [*rejected, *trust.problems, *_client_hooks.problems(clients), *_variables.native_problem(config)]
    return {
        "certhook": certhook.__version__,
        "python": sys.version.split()[0],
        "executable": sys.executable,
        "openssl": ssl.OPENSSL_VERSION,
        "active": certhook.is_installed() and hasattr(ssl.create_default_context, "__certhook__"),
        "disabled": _config.is_disabled(),
        "enabled_by": _enabled_by(),
        "unprocessed_pth": _unprocessed_pth(),
        "sources": list(config.sources),
        "mode": config.mode,
        "adopted": list(BUNDLES if config.adopt is None else config.adopt),
        "variables": _variables.describe(os.environ, config),
        "anchors": len(anchors),
        "anchors_by_source": _count_by_source(anchors),
        "roots": [_roots_table.as_json(anchor) for anchor in anchors],
        "removed": config.removed,
        "excluded": [_roots_table.as_json(anchor) for anchor in trust_set.excluded],
        "distrusted": [{**_roots_table.as_json(anchor), "by": anchor.rejected_by} for anchor in trust_set.removed],
        "places": [
            {"source": one.source, "path": presentable(one.path), "anchors": one.count, "note": one.note}
            for one in trust_set.locations
        ],
        **_describe_store(trust),
        "clients": clients,
        "neighbours": _libraries.other_software(ssl),
        "libraries": _libraries.unreached_libraries(),
        "problems": list(dict.fromkeys(map(str, problems))),
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


# The report for users.

_HOW_TO_ENABLE = (
    "To enable it, run 'pip install certhook', or call certhook.install() in the program. Where pip is not available, "
    "run 'python -m certhook enable'."
)
_HOW_TO_REACH = "'python -m certhook export FILE' writes the trusted root certificates to a file."

# The starts of lines, and their colours.
_MARKS = {
    "Active": _terminal.GOOD,
    "Not active": _terminal.BAD,
    "No problems.": _terminal.GOOD,
    "Problems:": _terminal.BAD,
    "Trusted root certificates:": _terminal.BOLD,
    "Root certificates:": _terminal.BOLD,
    "Distrusted root certificates:": _terminal.BOLD,
    "Locations:": _terminal.BOLD,
    "Variables:": _terminal.BOLD,
    "Client hooks:": _terminal.BOLD,
    "Other software:": _terminal.BOLD,
    "Libraries that certhook does not reach:": _terminal.BOLD,
}


def _report(found: dict[str, Any], shows_roots: bool) -> list[str]:
    parts = [_activation(found), _trusted(found)]
    if shows_roots:
        parts.append(["Root certificates:", *(line for root in found["roots"] for line in detail_lines(root))])
    parts += [_distrusted(found), _locations(found), _store(found), _environment(found)]
    parts += [_clients(found), _software(found), _unreached(found), _problems(found)]
    lines = wrapped(f"certhook {found['certhook']}, Python {found['python']}, {found['openssl']}")
    lines += wrapped(found["executable"] or "(an interpreter with an unknown path)", "  ", "    ")
    for part in filter(None, parts):
        lines += ["", *part]
    return lines


def _activation(found: dict[str, Any]) -> list[str]:
    if found["active"]:
        return wrapped(f"Active, enabled by {found['enabled_by']}", then="  ")
    if found["disabled"]:
        return ["Not active: CERTHOOK_DISABLED is set"]
    if found["unprocessed_pth"]:
        directory = found["unprocessed_pth"]
        bootstrap = os.path.join(directory, "certhook", "bootstrap")
        text = (
            f"Python processes {os.path.join(directory, 'certhook.pth')} only in a site-packages directory, not in one "
            f"on PYTHONPATH. To enable certhook, add its drop-in: PYTHONPATH={bootstrap}{os.pathsep}{directory}"
        )
        return ["Not active: certhook.pth is not processed", *wrapped(presentable(text), "  ", "  ")]
    return ["Not active: nothing has enabled certhook in this interpreter", *wrapped(_HOW_TO_ENABLE, "  ", "  ")]


def _trusted(found: dict[str, Any]) -> list[str]:
    sources, mode = ", ".join(found["sources"]) or "none", found["mode"]
    lines = wrapped(f"Trusted root certificates: {found['anchors']} (sources: {sources}; mode: {mode})")
    lines += [f"  {count:4} listed by {source}" for source, count in found["anchors_by_source"].items()]
    alone = [root for root in found["roots"] if {listing["source"] for listing in root["listed_by"]} == {"bundled"}]
    if alone and len(found["sources"]) > 1:
        lines.append(f"  {len(alone):4} listed by bundled only")
    return lines + _removed(found)


def _removed(found: dict[str, Any]) -> list[str]:
    """Return a line about removed roots, if a source lists any."""
    trusted = [root for root in found["roots"] if root["removed_in"]]
    effects = {
        "adopted": (trusted, "requests for a public bundle (requests, httpx, pip) exclude those of the system"),
        "keep": (trusted, "CERTHOOK_REMOVED=keep includes them everywhere"),
        "drop": (found["excluded"], "CERTHOOK_REMOVED=drop excludes them"),
    }
    roots, effect = effects[found["removed"]]
    text = f"{len(roots):4} removed from certifi's bundle: {effect}; 'list --removed' shows them"
    return wrapped(text, "  ", "       ") if roots else []


def _distrusted(found: dict[str, Any]) -> list[str]:
    lines = []
    for root in found["distrusted"]:
        lines += [*detail_lines(root), *(line for path in root["by"] for line in indented(f"distrusted by {path}"))]
    return ["Distrusted root certificates:", *lines] if lines else []


def _locations(found: dict[str, Any]) -> list[str]:
    lines = ["Locations:"]
    for location in found["places"]:
        path = location["path"] or "(an empty path)"
        lines += wrapped(f"{location['anchors']:4} {location['source']}: {path}", "  ", "       ")
        lines += indented(location["note"])
    return lines


def _store(found: dict[str, Any]) -> list[str]:
    if found["store"]:
        lines = wrapped(f"Contexts use the compiled store {found['store']}", then="  ")
        since = found["built"].replace("T", " ").replace("Z", " UTC")
        return lines + wrapped(f"It was built on {since}: {found['built_because']}", "  ", "  ")
    return wrapped(f"Root certificates are loaded into each context: {found['eager_because']}", then="  ")


def _environment(found: dict[str, Any]) -> list[str]:
    lines = []
    for variable in found["variables"]:
        lines += [*wrapped(f"{variable['name']}={variable['value']}", "  ", "    "), *indented(variable["effect"])]
    return ["Variables:", *lines] if lines else []


def _clients(found: dict[str, Any]) -> list[str]:
    lines = []
    for client in found["clients"]:
        state = client["inactive_because"]
        effect = f"does not use default trust: {state}" if state else "uses default trust"
        lines += [f"  {_name_and_version(client)}", *indented(effect)]
    return ["Client hooks:", *lines] if lines else []


def _software(found: dict[str, Any]) -> list[str]:
    lines = []
    for software in found["neighbours"]:
        lines += [f"  {_name_and_version(software)}", *indented(software["effect"])]
    return ["Other software:", *lines] if lines else []


def _unreached(found: dict[str, Any]) -> list[str]:
    lines = []
    for library in found["libraries"]:
        variables = [f"{name}={value or '(not set)'}" for name, value in library["variables"].items()]
        texts = [library["served_by"], *variables]
        lines += [f"  {_name_and_version(library)}", *(line for text in texts for line in indented(text))]
    if not lines:
        return []
    return ["Libraries that certhook does not reach:", *lines, *wrapped(_HOW_TO_REACH, "  ", "  ")]


def _problems(found: dict[str, Any]) -> list[str]:
    if not found["problems"]:
        return ["No problems."]
    return ["Problems:", *(line for problem in found["problems"] for line in wrapped(problem, "  ", "    "))]


def _name_and_version(entry: dict[str, Any]) -> str:
    return f"{entry['name']} {entry['version'] or ''}".rstrip()
