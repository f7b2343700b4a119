"""Causes for an issuer that is not trusted: self-signed, missing, replaced, intercepting and unknown ones."""

from __future__ import annotations

import ipaddress

from certhook._text import printable
from certhook.cli.check.causes.case import Case, Facts
from certhook.cli.check.causes.cause import Cause
from certhook.cli.check.certificate import (
    is_ca,
    is_from_public_ca,
    is_self_issued,
    issuer_url,
    organizations,
    quoted_name,
)
from certhook.cli.check.chain import TRUSTED
from certhook.cli.check.wording import MAX_LENGTH, join_first, set_command

# X509_V_ERR_* in OpenSSL's x509_vfy.h: no trusted root issued the last certificate of the chain.
NO_ISSUER = (2, 18, 19, 20, 21, 27)
SELF_SIGNED = 18

# Words in the certificates of products that intercept TLS.
_INTERCEPTORS = (
    "avast", "barracuda", "bitdefender", "blue coat", "bluecoat", "cato networks", "charles proxy", "check point",
    "cisco umbrella", "do_not_trust", "eset ssl", "fiddler", "forcepoint", "fortigate", "fortinet",
    "gateway ca - cloudflare", "iboss", "kaspersky", "mcafee web", "menlo security", "mitmproxy", "netskope",
    "palo alto", "portswigger", "skyhigh", "sonicwall", "sophos", "squid", "watchguard", "websense", "zscaler",
)  # fmt: skip
# Domains whose certificates are from public CAs.
_PUBLIC_DOMAINS = ("pypi.org", "pythonhosted.org", "python.org", "github.com", "google.com", "microsoft.com",
                   "npmjs.org")  # fmt: skip
_PRIVATE_SUFFIXES = ("local", "localhost", "localdomain", "internal", "intranet", "lan", "corp", "home", "private",
                     "test", "example", "invalid", "arpa")  # fmt: skip


def replaced_root(case: Case) -> Facts | None:
    """A trusted root has the same name as the issuer, but another key."""
    if not case.chain:
        return None
    top = case.path[-1]
    anchor = case.roots.find_trusted(top.issuer)
    if anchor is None:
        return None
    return {"issuer": quoted_name(top.issuer), "where": ", ".join([path for _, path in anchor.listed])}


def _self_signed(case: Case) -> Facts:
    return {"mistyped": _mistyped(case)}


def _not_a_root(case: Case) -> Facts | None:
    root = case.root
    if root is None or root.standing != TRUSTED or is_self_issued(root.certificate):
        return None
    return {"ca": quoted_name(root.certificate.subject), "issuer": quoted_name(root.certificate.issuer)}


def missing_intermediate(case: Case) -> Facts | None:
    """The server sent a certificate from above the gap, or the issuer is one that does not operate as a root."""
    if not case.chain or not case.chain_is_complete or is_self_issued(case.path[-1]):
        return None
    path, top = case.path, case.path[-1]
    has_other_ca = any(is_ca(one) for one in case.chain if one not in path)
    is_certain = len(path) == 1 and is_from_public_ca(top)
    is_known = len(path) == 1 and any(map(case.roots.has_organization, organizations(top.issuer)))
    if not (is_certain or has_other_ca or is_known):
        return None
    return {
        "issuer": quoted_name(top.issuer),
        "probably": "" if is_certain else "probably ",
        "url": issuer_url(top),
    }


def interception(case: Case) -> Facts | None:
    """The certificate of a public name is from an unknown CA, and a product, the domain or a proxy gives a reason."""
    if not case.chain or not _is_public(case.host) or any(map(is_from_public_ca, case.chain)):
        return None
    top = case.path[-1]
    names = f"{top.subject.rfc4514_string()} {top.issuer.rfc4514_string()}".lower()
    is_product = any(word in names for word in _INTERCEPTORS)
    is_public_domain = any(case.host == domain or case.host.endswith(f".{domain}") for domain in _PUBLIC_DOMAINS)
    if not (is_product or is_public_domain or case.proxy):
        return None
    via = f" The connection uses the proxy {case.facts['proxy']}." if case.proxy else ""
    return {"issuer": quoted_name(top.issuer), "via": via, "mistyped": _mistyped(case)}


def _is_public(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return "." in host and host.rpartition(".")[2] not in _PRIVATE_SUFFIXES
    return False


def _unknown_root(case: Case) -> Facts:
    issuer = quoted_name(case.path[-1].issuer) if case.chain else "an unknown certificate authority (CA)"
    unseen = (
        " This Python cannot show the other certificates that the server sent." if not case.chain_is_complete else ""
    )
    return {"issuer": issuer, "unseen": unseen, "mistyped": _mistyped(case)}


def _mistyped(case: Case) -> str:
    """Return the variables that certhook does not support, each with the one that the user probably meant."""
    return join_first(
        [
            printable(name, MAX_LENGTH) + (f" (did you mean {similar}?)" if similar else "")
            for name, similar in case.unknown_variables.items()
        ]
    )


_TRUST_IT = f"add it to the trusted root certificates:\n{set_command('CERTHOOK_EXTRA_CA_CERTS=/path/to/that/file.pem')}"
_CORRECT_NAME = "Correct the name of this environment variable, which has no effect: {mistyped}"

CAUSES = (
    Cause(
        "root-made-anew",
        "The certificate chain of {host} leads to {issuer}. A root certificate with this name is trusted here "
        "({where}), but its key differs: the certificate authority (CA) has a new root certificate, or the certificate "
        "is forged.",
        (
            "If it is your own or your company's CA, get its current root certificate from its administrator (not from "
            f"this connection). Replace the old certificate with it, or {_TRUST_IT}",
            "If you do not expect a new root certificate, do not continue, and inform the server's administrator.",
        ),
        codes=NO_ISSUER,
        facts=replaced_root,
    ),
    Cause(
        "self-signed",
        "{host} uses a self-signed certificate. Anyone can create such a certificate, so it proves no identity.",
        (
            _CORRECT_NAME,
            "Ask the server's administrator to get a certificate from a certificate authority (CA).",
            f"If it is your own server, copy its certificate from its disk (not from this connection), and {_TRUST_IT}",
        ),
        codes=(SELF_SIGNED,),  # The code is sufficient, even if this Python cannot show the certificate.
        facts=_self_signed,
    ),
    Cause(
        "not-a-root",
        "{ca} is trusted here, but it is an intermediate certificate, not a root certificate. Before Python 3.13, its "
        "issuer {issuer} must be trusted as well.",
        (
            "Get the root certificate of {issuer} from the source of the intermediate (not from this connection), and "
            + _TRUST_IT,
        ),
        codes=(2, 20),
        facts=_not_a_root,
    ),
    Cause(
        "missing-intermediate",
        "The server does not send the certificate of {issuer}, which {probably}connects its own certificate to a "
        "trusted root certificate. Browsers often hide this error, because they cache or download such certificates.",
        (
            "Ask the server's administrator to install the complete certificate chain (often fullchain.pem, or a 'CA "
            "bundle').",
            "The server's administrator can download the missing certificate: {url}",
            "Until then, get the missing certificate from the certificate authority (CA) or the server's administrator "
            f"(not from this connection), and {_TRUST_IT}",
        ),
        codes=NO_ISSUER,
        facts=missing_intermediate,
    ),
    Cause(
        "inspection",
        "The connection to {host} is probably intercepted: this is a public name, but the certificate is from "
        "{issuer}, which is not a known public certificate authority (CA). Company proxies and virus scanners "
        "intercept connections intentionally.{via}",
        (
            _CORRECT_NAME,
            f"If this is your company's network, ask its IT department for the root certificate of {{issuer}}, and "
            f"{_TRUST_IT}",
            "Otherwise do not continue: a third party may read the data. Try another network.",
        ),
        codes=NO_ISSUER,
        facts=interception,
    ),
    Cause(
        "root-unknown",
        "The certificate chain of {host} leads to {issuer}, which is not trusted here.{unseen}",
        (
            _CORRECT_NAME,
            "If it is the certificate authority (CA) of your company, or of a proxy that inspects TLS, ask your IT "
            f"department to install its root certificate on this machine. Or ask for the certificate, and {_TRUST_IT}",
            "If it is a public CA, update the system's certificates, and run 'pip install --upgrade certifi'. If that "
            "does not help, ask the server's administrator whether the server sends all intermediate certificates.",
            "Otherwise do not continue: another server may have answered, to read your data.",
        ),
        codes=NO_ISSUER,
        facts=_unknown_root,
    ),
)
