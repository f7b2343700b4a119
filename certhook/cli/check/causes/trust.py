"""Causes in who is trusted here: settings, sources, distrust, and roots that nobody knows."""

from __future__ import annotations

import difflib
import ipaddress
from typing import Iterator

from certhook._config import VARIABLES
from certhook.cli._words import printable, several
from certhook.cli.check.causes.case import Case, Cause, Facts, setting
from certhook.cli.check.certificate import (
    address_of_issuer,
    is_ca,
    is_from_public_ca,
    is_self_issued,
    organizations,
    quoted,
)
from certhook.cli.check.chain import DISTRUSTED, OFF, TRUSTED
from certhook.exceptions import ConfigurationError

# OpenSSL's numbers, X509_V_ERR_ in x509_vfy.h, where nobody who is trusted vouches for the server.
_NO_ISSUER = (2, 18, 19, 20, 21, 27)
_SELF_SIGNED = 18
_REJECTED = 28


# Roots that are known here, and yet not trusted.


def _distrusted(case: Case) -> Facts | None:
    root = case.root
    if root is None or root.standing != DISTRUSTED:
        return None
    return {"who": quoted(root.certificate.subject), "by": ", ".join(root.anchor.rejected_by)}


# Settings that name roots.
_NAMING = ("SSL_CERT_FILE", "SSL_CERT_DIR", "CERTHOOK_BUNDLE", "CERTHOOK_EXTRA_CA_CERTS")


def _points_nowhere(case: Case) -> Facts | None:
    """Only where the roots that are missing may be what it is about: nobody is trusted, or nothing else shows."""
    others = (_made_anew, _missing_intermediate, _inspection)
    if case.roots.trusts_anyone() and (case.failure.code == _SELF_SIGNED or any(other(case) for other in others)):
        return None
    for problem in _wrong(case, _NAMING):
        if not _is_empty(problem):
            return {"setting": problem.setting, "problem": problem.message}
    return None


def _wrong(case: Case, settings: tuple[str, ...]) -> Iterator[ConfigurationError]:
    """What is wrong with any of *settings*."""
    for problem in case.problems:
        if isinstance(problem, ConfigurationError) and problem.setting in settings:
            yield problem


def _is_empty(problem: ConfigurationError) -> bool:
    """Whether it is only that nothing is named, which whoever set it may mean."""
    return problem.message.startswith("is empty")


# How to undo a setting that leaves out a source.
_UNDO = {
    "CERTHOOK_SOURCES": "set CERTHOOK_SOURCES=system,bundled, or unset it",
    "CERTHOOK_MODE": "set CERTHOOK_MODE=chain, or unset it",
    "CERTHOOK_BUNDLE": "unset CERTHOOK_BUNDLE",
}


def _switched_off(case: Case) -> Facts | None:
    root = case.root
    if root is None or root.standing != OFF:
        return None
    source, path = root.anchor.listed[0]
    settings = " and ".join(root.settings)
    undo = "; ".join(_UNDO[name] for name in root.settings if name in _UNDO)
    if not undo and source == "bundled":
        undo = f"set CERTHOOK_SOURCES=system,bundled, or unset {settings}: while it is set, the bundle is not used"
    elif not undo:
        undo = f"unset {settings}, or add the root: CERTHOOK_EXTRA_CA_CERTS={path}"
    return {"who": quoted(root.certificate.subject), "where": f"{source}: {path}", "settings": settings, "undo": undo}


def _nobody_is_trusted(case: Case) -> Facts | None:
    empty = [problem.setting for problem in _wrong(case, _NAMING) if _is_empty(problem)]
    return None if case.roots.trusts_anyone() else {"empty": " and ".join(empty)}


def _not_understood(case: Case) -> Facts | None:
    problem = next(_wrong(case, ("CERTHOOK_SOURCES",)), None)
    if problem is None or case.roots.trusts_anyone():
        return None
    return {"setting": problem.setting, "problem": problem.message}


def _made_anew(case: Case) -> Facts | None:
    """A root that is trusted here has the name of the one that vouches for the server, and another key."""
    if not case.chain:
        return None
    top = case.path[-1]
    anchor = case.roots.trusted_with_name(top.issuer)
    if anchor is None:
        return None
    return {"who": quoted(top.issuer), "where": ", ".join([path for _, path in anchor.listed])}


def _mistyped(case: Case) -> str:
    """The variables that certhook does not know, each with the one that is probably meant."""
    found = []
    for name in case.unknown:
        meant = difflib.get_close_matches(name, VARIABLES, 1)
        found.append(printable(name) + (f" (is {meant[0]} meant?)" if meant else ""))
    return several(found)


def _not_a_root(case: Case) -> Facts | None:
    root = case.root
    if root is None or root.standing != TRUSTED or is_self_issued(root.certificate):
        return None
    return {"who": quoted(root.certificate.subject), "issuer": quoted(root.certificate.issuer)}


# Certificates that were not sent.


def _missing_intermediate(case: Case) -> Facts | None:
    """Only where it shows: the server sent something above the gap, or the issuer is one that is never a root."""
    if not case.chain or not case.whole or is_self_issued(case.path[-1]):
        return None
    path, top = case.path, case.path[-1]
    beyond = any(is_ca(one) for one in case.chain if one not in path)
    sure = len(path) == 1 and is_from_public_ca(top)
    known = len(path) == 1 and any(map(case.roots.has_organization, organizations(top.issuer)))
    if not (sure or beyond or known):
        return None
    return {"who": quoted(top.issuer), "probably": "" if sure else "probably ", "url": address_of_issuer(top)}


# Somebody in between.

# What the certificates of programs that look into TLS are named after.
_INSPECTORS = (
    "avast", "barracuda", "bitdefender", "blue coat", "bluecoat", "cato networks", "charles proxy", "check point",
    "cisco umbrella", "do_not_trust", "eset ssl", "fiddler", "forcepoint", "fortigate", "fortinet",
    "gateway ca - cloudflare", "iboss", "kaspersky", "mcafee web", "menlo security", "mitmproxy", "netskope",
    "palo alto", "portswigger", "skyhigh", "sonicwall", "sophos", "squid", "watchguard", "websense", "zscaler",
)  # fmt: skip
# Whose certificates surely come from a public CA.
_PUBLIC_HOSTS = ("pypi.org", "pythonhosted.org", "python.org", "github.com", "google.com", "microsoft.com", "npmjs.org")
_PRIVATE_ENDS = ("local", "localhost", "localdomain", "internal", "intranet", "lan", "corp", "home", "private", "test",
                 "example", "invalid", "arpa")  # fmt: skip


def _inspection(case: Case) -> Facts | None:
    if not case.chain or not _is_public(case.host) or any(map(is_from_public_ca, case.chain)):
        return None
    top = case.path[-1]
    names = f"{top.subject.rfc4514_string()} {top.issuer.rfc4514_string()}".lower()
    product = any(word in names for word in _INSPECTORS)
    known = any(case.host == host or case.host.endswith(f".{host}") for host in _PUBLIC_HOSTS)
    if not (product or known or case.proxy):
        return None
    via = f" The connection goes through the proxy {case.facts['proxy']}." if case.proxy else ""
    return {"who": quoted(top.issuer), "via": via, "mistyped": _mistyped(case)}


def _is_public(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return "." in host and host.rpartition(".")[2] not in _PRIVATE_ENDS
    return False


def _self_signed(case: Case) -> Facts:
    return {"mistyped": _mistyped(case)}


def _unknown(case: Case) -> Facts:
    who = quoted(case.path[-1].issuer) if case.chain else "Some certificate authority (CA)"
    unseen = " What else the server sent cannot be seen in this Python." if not case.whole else ""
    return {"who": who, "unseen": unseen, "mistyped": _mistyped(case)}


_EXTRA = f"have it trusted:\n{setting('CERTHOOK_EXTRA_CA_CERTS=/path/to/that/file.pem')}"

_CORRECT = "A variable that certhook does not know has no effect; correct its name: {mistyped}"

CAUSES = (
    Cause(
        "root-distrusted",
        "{who} vouches for the server, but the administrator of this machine distrusts it: {by}",
        (
            "Do not go on before you asked the administrator why: a distrusted CA may have been broken into.",
            "Only if the administrator says that it is a mistake: take it out of {by}",
        ),
        codes=(*_NO_ISSUER, _REJECTED),
        facts=_distrusted,
    ),
    Cause(
        "root-switched-off",
        "{who}, which vouches for the server, is known here ({where}), but left out because of {settings}.",
        ("If whoever set that did not mean it: {undo}.",),
        codes=_NO_ISSUER,
        facts=_switched_off,
    ),
    Cause(
        "setting-points-nowhere",
        "{setting} names the roots to trust, and not all of them can be had: {problem}.",
        ("Correct {setting}, or unset it.", "'python -m certhook' shows every place that was looked at."),
        codes=_NO_ISSUER,
        facts=_points_nowhere,
    ),
    Cause(
        "setting-not-understood",
        "Nobody is trusted here, since {setting} was not understood: {problem}.",
        ("Correct {setting}, or unset it.",),
        codes=_NO_ISSUER,
        facts=_not_understood,
    ),
    Cause(
        "no-roots",
        "Nobody is trusted here: no source has a root, so no server can be verified.",
        (
            "If whoever set {empty} to nothing did not mean that: unset it.",
            "Install some: the system's package (often called ca-certificates), or 'pip install certifi'.",
            "'python -m certhook' shows every place that was looked at.",
        ),
        codes=_NO_ISSUER,
        facts=_nobody_is_trusted,
    ),
    Cause(
        "root-made-anew",
        "{who} vouches for the server. A root of that name is trusted here ({where}), but with another key: either "
        "that CA was made anew, or somebody imitates it.",
        (
            "If the CA is your own or your company's: get its present root certificate from whoever runs it (not from "
            f"this connection), put it in the place of the old one, or {_EXTRA}",
            "If you expected no new one, do not go on.",
        ),
        codes=_NO_ISSUER,
        facts=_made_anew,
    ),
    Cause(
        "self-signed",
        "{host} vouches for itself: its certificate is signed by nobody else, so anybody could have made it.",
        (
            _CORRECT,
            "Whoever runs the server should get a certificate from a certificate authority (CA).",
            f"If it is your own server, copy its certificate from its disk (not from this connection), and {_EXTRA}",
        ),
        codes=(_SELF_SIGNED,),  # which says it all, also where the certificate could not be seen
        facts=_self_signed,
    ),
    Cause(
        "not-a-root",
        "{who} is trusted here, but it is no root, and before Python 3.13 its own issuer, {issuer}, has to be "
        "trusted as well.",
        (
            "Get the root certificate of {issuer} from whoever gave you the other one (not from this connection), and "
            + _EXTRA,
        ),
        codes=(2, 20),
        facts=_not_a_root,
    ),
    Cause(
        "missing-intermediate",
        "The server does not send the certificate of {who}, {probably}the link between its own and a trusted root. "
        "Browsers often hide that, since they remember or fetch it.",
        (
            "Whoever runs the server has to install the whole chain (fullchain.pem, 'CA bundle').",
            "To whoever runs it: by the server's certificate, the missing one is to be had at {url}",
            "Until then, ask that CA or whoever runs the server for the missing certificate (do not take one from this "
            f"connection), and {_EXTRA}",
        ),
        codes=_NO_ISSUER,
        facts=_missing_intermediate,
    ),
    Cause(
        "inspection",
        "Somebody on the way probably looks into the connection: {host} is a public name, but its certificate comes "
        "from {who}, which is no public certificate authority (CA). Companies and virus scanners do so on purpose."
        "{via}",
        (
            _CORRECT,
            f"If this is your company's network, ask its IT for the root certificate of {{who}}, and {_EXTRA}",
            "If it is not, do not go on: somebody may be reading along. Try another network.",
        ),
        codes=_NO_ISSUER,
        facts=_inspection,
    ),
    Cause(
        "root-unknown",
        "{who} vouches for the server, and it is not among the authorities that are trusted here.{unseen}",
        (
            _CORRECT,
            "If it is your company's certificate authority (CA), or that of its proxy which looks into TLS, ask its IT "
            f"to install it on this machine; or ask for that root certificate, and {_EXTRA}",
            "If it is a public CA: update the system's certificates, and 'pip install --upgrade certifi'. If it is not "
            "a root, whoever runs the server has to send its certificate too.",
            "If you expected neither, somebody else may be answering: do not go on.",
        ),
        codes=_NO_ISSUER,
        facts=_unknown,
    ),
)
