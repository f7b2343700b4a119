"""``python -m certhook status``: is certhook active here, and what is trusted because of whom?"""

from __future__ import annotations

import argparse
import os
import site
import sys

import certhook
from certhook import _config
from certhook._config import SERVER_AUTH, Config
from certhook._state import is_privileged
from certhook._text import presentable
from certhook.cli import _libraries, _roots_table, _terminal
from certhook.cli._roots_table import detail, details
from certhook.cli._terminal import wrapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from certhook._certificates.anchor import Anchor

# What a person may set that certhook or the libraries beside it look at.
_PREFIX = "CERTHOOK_"
_OTHERS = ("SSL_CERT_FILE", "SSL_CERT_DIR", "NIX_SSL_CERT_FILE")
_KNOWN = (*_config.VARIABLES, "CERTHOOK_DISABLED")

_EFFECTS = {
    "SSL_CERT_FILE": "is the system's file of roots",
    "SSL_CERT_DIR": "is the system's directory of roots",
    "NIX_SSL_CERT_FILE": "is one of the system's well-known files",
    "CERTHOOK_SOURCES": "names the sources",
    "CERTHOOK_MODE": "chains the sources, or uses the first that has roots",
    "CERTHOOK_EXTRA_CA_CERTS": "adds roots",
    "CERTHOOK_BUNDLE": "replaces certifi's bundle",
    "CERTHOOK_ADOPT": "says whose public bundles mean default trust",
    "CERTHOOK_LOAD": "says whether contexts are loaded or pointed at a compiled store",
    "CERTHOOK_CACHE_DIR": "says where compiled stores live",
    "CERTHOOK_X509_STRICT": "says whether Python 3.13+ checks certificates strictly",
    "CERTHOOK_ON_ERROR": "says whether a bad setting or source raises",
    "CERTHOOK_DEBUG": "shows each step on standard error",
    "CERTHOOK_DISABLED": "switches certhook off",
}


#: What it says of itself.
EXIT_STATUS = "Exit status: 0 if certhook is active and nothing is wrong, else 1."


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "status",
        help="is certhook active, and what is trusted (the default)",
        description=(
            "Say whether certhook is active in this Python and what enabled it, which roots are trusted because of "
            "whom, where it looked, what else has a say, and what is wrong."
        ),
        epilog=EXIT_STATUS,
    )
    add_arguments(parser)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this verb."""
    _terminal.add_json(parser)
    text = "list every root: whose, how long it is valid, and who listed it"
    parser.add_argument("--roots", action="store_true", default=argparse.SUPPRESS, help=text)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the status.

    :returns: 0 if the hook is active and nothing is wrong, else 1
    """
    found = gather()
    if _terminal.wants_json(options):
        _terminal.show_json(found)
    else:
        _terminal.show(render(found, getattr(options, "roots", False), _terminal.has_colours()))
    return 0 if found["active"] and not found["problems"] else 1


def gather() -> dict[str, Any]:
    """Everything this verb knows, ready for JSON."""
    import ssl

    from certhook import _api, _trust

    config = _config.current()
    given = _trust.current(config, SERVER_AUTH)
    trust = _api.trust_set()
    # OpenSSL has the last word on each certificate.
    anchors, problems = _roots_table.accepted(trust)
    return {
        "certhook": certhook.__version__,
        "python": sys.version.split()[0],
        "executable": sys.executable,
        "openssl": ssl.OPENSSL_VERSION,
        "active": certhook.is_installed() and hasattr(ssl.create_default_context, "__certhook__"),
        "disabled": _config.is_disabled(),
        "enabled_by": _enabled_by(),
        "sources": list(config.sources),
        "mode": config.mode,
        "adopted": list(config.adopt),
        "variables": [_variable(name, config) for name in sorted(os.environ) if _is_of_interest(name)],
        "anchors": len(anchors),
        "anchors_by_source": _by_source(anchors),
        "roots": [_roots_table.described(anchor) for anchor in anchors],
        "distrusted": [{**_roots_table.described(anchor), "by": anchor.rejected_by} for anchor in trust.removed],
        "places": [
            {"source": place.source, "path": presentable(place.path), "anchors": place.count, "note": place.note}
            for place in trust.locations
        ],
        "store": given.store,
        "eager_because": given.eager_reason,
        "neighbours": _libraries.neighbours(ssl),
        "libraries": _libraries.libraries(),
        "problems": list(dict.fromkeys(map(str, [*problems, *given.problems]))),
    }


def _enabled_by() -> str | None:
    """What installed the hook, with the file where there is one."""
    if not certhook.is_installed():
        return None
    if certhook.enabled_by != "site-packages":
        return certhook.enabled_by
    for folder in [*site.getsitepackages(), site.getusersitepackages()]:
        path = os.path.join(folder, "certhook.pth")
        if os.path.isfile(path):
            return path
    return certhook.enabled_by


def _is_of_interest(name: str) -> bool:
    return name in _OTHERS or name.startswith(_PREFIX)


def unknown_variables() -> list[str]:
    """The variables that look like certhook's, and have no effect: a mistyped one trusts nobody."""
    return [name for name in sorted(os.environ) if name.startswith(_PREFIX) and name not in _KNOWN]


def _variable(name: str, config: Config) -> dict[str, str]:
    refused = [problem.message for problem in config.problems if problem.setting == name]
    if name not in _KNOWN:
        effect = "has no effect: certhook knows no such variable"
    elif is_privileged():
        effect = "has no effect: the process runs set-uid or set-gid"
    elif refused:
        effect = refused[0]
    elif name.startswith(_PREFIX) and not os.environ[name]:
        effect = "has no effect: it is empty"
    elif name == "CERTHOOK_DISABLED" and not _config.is_disabled():
        effect = "has no effect: its value means no"
    elif name == "NIX_SSL_CERT_FILE" and config.overrides_system:
        effect = "has no effect: SSL_CERT_FILE or SSL_CERT_DIR is set"
    else:
        effect = _EFFECTS[name]
    return {"name": name, "value": presentable(os.environ[name]), "effect": effect}


def _by_source(anchors: list[Anchor]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for anchor in anchors:
        for source in anchor.sources:
            counts[source] = counts.get(source, 0) + 1
    return dict(sorted(counts.items()))


# For a person.

_NOT_ACTIVE = (
    "Here, 'pip install certhook' does, or certhook.install() in the program; "
    "'python -m certhook enable' where pip cannot."
)
_OUT_OF_REACH = (
    "'python -m certhook env' writes certhook's roots to a file and prints the variables that name it, for a shell."
)

# What a line begins with, and how that is shown in colours.
_MARKS = {
    "Active": _terminal.GOOD,
    "Not active": _terminal.BAD,
    "No problems.": _terminal.GOOD,
    "Problems:": _terminal.BAD,
    **dict.fromkeys(
        ("Trusted roots:", "Roots:", "Distrusted, and left out:", "Looked at:", "Variables:", "Beside certhook:"),
        _terminal.BOLD,
    ),
    "Installed here, and not reached by certhook:": _terminal.BOLD,
}


def render(found: dict[str, Any], roots: bool = False, colours: bool = False) -> str:
    """The same for a person, in 80 columns.

    :param roots: whether to list every root
    """
    parts = (_about(found), _trusted(found, roots), _looked_at(found), _beside(found), _problems(found))
    lines = [line for part in parts for line in part]
    return "\n".join(map(_coloured, lines) if colours else lines)


def _about(found: dict[str, Any]) -> list[str]:
    lines = wrapped(f"certhook {found['certhook']}, Python {found['python']}, {found['openssl']}")
    lines += [*wrapped(found["executable"] or "(an interpreter that does not know its own path)", "  ", "    "), ""]
    if found["active"]:
        return [*lines, *wrapped(f"Active, enabled by {found['enabled_by']}", then="  ")]
    if found["disabled"]:
        return [*lines, "Not active: CERTHOOK_DISABLED is set"]
    return [*lines, "Not active: nothing installed the hook in this interpreter", *wrapped(_NOT_ACTIVE, "  ", "  ")]


def _trusted(found: dict[str, Any], roots: bool) -> list[str]:
    lines = ["", *wrapped(f"Trusted roots: {found['anchors']} ({found['mode']} of {', '.join(found['sources'])})")]
    lines += [f"  {count:4} listed by {source}" for source, count in found["anchors_by_source"].items()]
    alone = [root for root in found["roots"] if {listing["source"] for listing in root["listed_by"]} == {"bundled"}]
    if alone and len(found["sources"]) > 1:
        lines.append(f"  {len(alone):4} listed by bundled alone")
    if roots:
        lines += ["", "Roots:", *(line for root in found["roots"] for line in details(root))]
    if found["distrusted"]:
        lines += ["", "Distrusted, and left out:"]
    for root in found["distrusted"]:
        lines += [*details(root), *(line for path in root["by"] for line in detail(f"distrusted by {path}"))]
    return lines


def _looked_at(found: dict[str, Any]) -> list[str]:
    lines = ["", "Looked at:"]
    for place in found["places"]:
        lines += wrapped(f"{place['anchors']:4} {place['source']}: {place['path']}", "  ", "       ")
        lines += detail(place["note"])
    if found["store"]:
        lines += ["", *wrapped(f"Contexts are pointed at the compiled store {found['store']}", then="  ")]
    else:
        lines += ["", *wrapped(f"Roots are loaded into each context: {found['eager_because']}", then="  ")]
    return lines


def _beside(found: dict[str, Any]) -> list[str]:
    lines = ["", "Variables:"] if found["variables"] else []
    for variable in found["variables"]:
        lines += [*wrapped(f"{variable['name']}={variable['value']}", "  ", "    "), *detail(variable["effect"])]
    lines += ["", "Beside certhook:"] if found["neighbours"] else []
    for neighbour in found["neighbours"]:
        lines += [f"  {_called(neighbour)}", *detail(neighbour["effect"])]
    if found["libraries"]:
        lines += ["", "Installed here, and not reached by certhook:"]
        for library in found["libraries"]:
            lines += [f"  {_called(library)}", *(line for text in _served(library) for line in detail(text))]
        lines += wrapped(_OUT_OF_REACH, "  ", "  ")
    return lines


def _problems(found: dict[str, Any]) -> list[str]:
    lines = ["", "Problems:" if found["problems"] else "No problems."]
    return [*lines, *(line for problem in found["problems"] for line in wrapped(problem, "  ", "    "))]


def _called(entry: dict[str, Any]) -> str:
    return f"{entry['name']} {entry['version'] or ''}".rstrip()


def _served(library: dict[str, Any]) -> list[str]:
    given = [f"{name}={value}" for name, value in library["variables"].items() if value is not None]
    return [library["served_by"], *(given or ["(not set)"] * bool(library["variables"]))]


def _coloured(line: str) -> str:
    mark = next(filter(line.startswith, _MARKS), "")
    return f"{_MARKS[mark]}{mark}{_terminal.PLAIN}{line[len(mark) :]}" if mark else line
