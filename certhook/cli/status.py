"""``python -m certhook status``: is certhook active here, and what is trusted because of whom?"""

from __future__ import annotations

import argparse
import json
import os
import site
import sys

import certhook
from certhook import _config
from certhook._config import SERVER_AUTH, Config
from certhook.cli import _output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from certhook._anchors import Anchor

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


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    add_arguments(verbs.add_parser("status", help="is certhook active, and what is trusted (the default)"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this verb."""
    # Before the verb or behind it: the one that is not given must not undo the other.
    text = "print one JSON object, for programs"
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=text)
    text = "list every root: whose, how long it is valid, and who listed it"
    parser.add_argument("--roots", action="store_true", default=argparse.SUPPRESS, help=text)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the status.

    :returns: 0 if the hook is active and nothing is wrong, else 1
    """
    found = gather()
    as_json, roots = getattr(options, "json", False), getattr(options, "roots", False)
    _output.show(json.dumps(found, indent=2) if as_json else render(found, roots))
    return 0 if found["active"] and not found["problems"] else 1


def gather() -> dict[str, Any]:
    """Everything this verb knows, ready for JSON."""
    import ssl

    from certhook import _context, _trust

    config = _config.current()
    given = _trust.current(config, SERVER_AUTH)
    trust = _trust.trust_set()
    # OpenSSL has the last word on each certificate.
    eager = _trust.Trust(config, trust.inputs, trust.problems, anchors=tuple(anchor.der for anchor in trust.anchors))
    _context.load(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), eager)
    return {
        "certhook": certhook.__version__,
        "python": sys.version.split()[0],
        "executable": sys.executable,
        "openssl": ssl.OPENSSL_VERSION,
        "active": certhook.is_installed() and hasattr(ssl.create_default_context, "__certhook__"),
        "disabled": _config.disabled(),
        "enabled_by": _enabled_by(),
        "sources": list(config.sources),
        "mode": config.mode,
        "adopted": list(config.adopt),
        "variables": [_variable(name, config) for name in sorted(os.environ) if _is_of_interest(name)],
        "anchors": len(eager.anchors),
        "anchors_by_source": _by_source([anchor for anchor in trust.anchors if anchor.der in eager.anchors]),
        "roots": [_provenance(anchor) for anchor in trust.anchors if anchor.der in eager.anchors],
        "distrusted": [{**_provenance(anchor), "by": anchor.rejected_by} for anchor in trust.removed],
        "places": [
            {"source": place.source, "path": place.path, "anchors": place.count, "note": place.note}
            for place in trust.places
        ],
        "store": given.store,
        "eager_because": given.eager_because,
        "problems": list(dict.fromkeys(map(str, [*trust.problems, *given.problems]))),
    }


def _enabled_by() -> str | None:
    """What installed the hook, with the file where there is one."""
    if not certhook.is_installed():
        return None
    if certhook.enabled_by != "site-packages":
        return certhook.enabled_by
    # From Python 3.15 on, a .start file switches the .pth file of the same name off (PEP 829).
    names = ("certhook.start", "certhook.pth") if sys.version_info >= (3, 15) else ("certhook.pth",)
    for name in names:
        for folder in [*site.getsitepackages(), site.getusersitepackages()]:
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                return path
    return certhook.enabled_by


def _is_of_interest(name: str) -> bool:
    return name in _OTHERS or name.startswith(_PREFIX)


def _variable(name: str, config: Config) -> dict[str, str]:
    refused = [problem.message for problem in config.problems if problem.setting == name]
    if name not in _KNOWN:
        effect = "has no effect: certhook knows no such variable"
    elif _config.privileged():
        effect = "has no effect: the process runs set-uid or set-gid"
    elif refused:
        effect = refused[0]
    elif name.startswith(_PREFIX) and not os.environ[name]:
        effect = "has no effect: it is empty"
    elif name == "CERTHOOK_DISABLED" and not _config.disabled():
        effect = "has no effect: its value means no"
    elif name == "NIX_SSL_CERT_FILE" and config.explicit:
        effect = "has no effect: SSL_CERT_FILE or SSL_CERT_DIR is set"
    else:
        effect = _EFFECTS[name]
    return {"name": name, "value": os.environ[name], "effect": effect}


def _provenance(anchor: Anchor) -> dict[str, Any]:
    first, last = anchor.validity or (None, None)
    return {
        "subject": anchor.subject,
        "sha256": anchor.sha256,
        "not_before": first and first.isoformat(),
        "not_after": last and last.isoformat(),
        "listed_by": [{"source": source, "path": path} for source, path in anchor.listed],
    }


def _by_source(anchors: list[Anchor]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for anchor in anchors:
        for source in anchor.sources:
            counts[source] = counts.get(source, 0) + 1
    return dict(sorted(counts.items()))


def render(found: dict[str, Any], roots: bool = False) -> str:
    """The same for a person.

    :param roots: whether to list every root
    """
    lines = [
        f"certhook {found['certhook']}, Python {found['python']}, {found['openssl']}",
        f"  {found['executable']}",
        "",
    ]
    if found["active"]:
        lines.append(f"Active, enabled by {found['enabled_by']}")
    elif found["disabled"]:
        lines.append("Not active: CERTHOOK_DISABLED is set")
    else:
        lines.append("Not active: nothing installed the hook in this interpreter")
        lines.append("  'pip install certhook' here does, or certhook.install() in the program")
    lines += ["", f"Trusted roots: {found['anchors']} ({found['mode']} of {', '.join(found['sources'])})"]
    lines += [f"  {count:4} listed by {source}" for source, count in found["anchors_by_source"].items()]
    alone = [root for root in found["roots"] if {listing["source"] for listing in root["listed_by"]} == {"bundled"}]
    if alone and len(found["sources"]) > 1:
        lines.append(f"  {len(alone):4} listed by bundled alone")
    if roots:
        lines += ["", "Roots:"]
        lines += [line for root in found["roots"] for line in _render_root(root)]
    if found["distrusted"]:
        lines += ["", "Distrusted, and left out:"]
    for root in found["distrusted"]:
        lines += _render_root(root)
        lines += [f"       distrusted by {path}" for path in root["by"]]
    lines += ["", "Looked at:"]
    for place in found["places"]:
        lines.append(f"  {place['anchors']:4} {place['source']}: {place['path']}")
        if place["note"]:
            lines.append(f"       {place['note']}")
    if found["store"]:
        lines += ["", f"Contexts are pointed at the compiled store {found['store']}"]
    else:
        lines += ["", f"Roots are loaded into each context: {found['eager_because']}"]
    if found["variables"]:
        lines += ["", "Variables:"]
        for variable in found["variables"]:
            lines += [f"  {variable['name']}={variable['value']}", f"       {variable['effect']}"]
    lines += ["", "Problems:" if found["problems"] else "No problems."]
    lines += [f"  {problem}" for problem in found["problems"]]
    return "\n".join(lines)


def _render_root(root: dict[str, Any]) -> list[str]:
    return [
        f"  {root['subject']}",
        f"       SHA-256 {root['sha256']}",
        f"       valid from {root['not_before'] or 'no date'} to {root['not_after'] or 'no date'}",
        *(f"       listed by {listing['source']}: {listing['path']}" for listing in root["listed_by"]),
    ]
