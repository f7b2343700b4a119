"""Causes for a certificate from an issuer that is unknown here: self-signed, default, intercepting and private ones."""

from __future__ import annotations

from cryptography import x509
from cryptography.x509.oid import NameOID

from certhook._sources import removed_roots
from certhook._text import printable
from certhook.cli.check.causes import products
from certhook.cli.check.causes.case import Case, Facts
from certhook.cli.check.causes.cause import Cause
from certhook.cli.check.causes.dates import also_expired
from certhook.cli.check.causes.issuers import NO_ISSUER, SELF_SIGNED, issuer_of
from certhook.cli.check.certificate import extension, host_names, is_from_public_ca, quoted_name
from certhook.cli.check.names import closest, is_address, is_host_name, is_public, matches, to_ascii
from certhook.cli.check.wording import MAX_LENGTH, join_first, trust_remedies
from certhook.exceptions import ConfigurationError

# Words in the certificates of products that intercept TLS.
INTERCEPTORS = (
    "avast", "avg ", "barracuda", "bitdefender", "blue coat", "bluecoat", "cato networks", "charles proxy",
    "check point", "cisco umbrella", "do_not_trust", "eset ssl", "fiddler", "forcepoint", "fortigate", "fortinet",
    "gateway ca - cloudflare", "iboss", "kaspersky", "mcafee web", "menlo security", "mitmproxy", "netskope",
    "palo alto", "portswigger", "skyhigh", "sonicwall", "sophos", "squid", "watchguard", "websense", "zscaler",
)  # fmt: skip
# Domains whose certificates are from public CAs.
PUBLIC_DOMAINS = ("pypi.org", "pythonhosted.org", "python.org", "github.com", "githubusercontent.com", "google.com",
                  "googleapis.com", "microsoft.com", "npmjs.org", "openai.com", "anthropic.com", "huggingface.co",
                  "amazonaws.com", "docker.io", "conda.io", "anaconda.org")  # fmt: skip


def _default_certificate(case: Case) -> Facts | None:
    """The server's certificate is for another name, and not from a trusted CA: it has none for this name."""
    if not case.chain:
        return None
    own = case.chain[0]
    names = host_names(own)
    if any(matches(case.host, name) or case.host == name for name in names):
        return None
    product = products.find(products.DEFAULTS, own.subject, own.issuer)
    if product is None and case.failure.code != SELF_SIGNED:
        return None
    subject = quoted_name(own.subject)
    return {
        "finding": f"{product.description}, {subject}" if product else f"a self-signed certificate for {subject}",
        "advice": product.advice.format(host=case.host) if product else "",
        "usable": join_first([name for name in closest(case.host, names) if is_host_name(name)]),
        "public": case.host if is_public(case.host) else "",
    }


def _self_signed(case: Case) -> Facts:
    flaw = also_expired(case) or _name_flaw(case)
    kind = "IP" if is_address(case.host) else "DNS"
    name = to_ascii(case.host)
    recreate = (
        f"openssl req -x509 -newkey rsa:2048 -nodes -days 365 -subj /CN={name} -addext subjectAltName={kind}:{name} "
        "-keyout key.pem -out certificate.pem"
    )
    return {
        **_settings(case),
        "flaw": flaw,
        "recreate": recreate if flaw and (is_host_name(name) or is_address(name)) else "",
    }


def _name_flaw(case: Case) -> str:
    """Return a sentence if the certificate contains the host in a way that many programs do not accept."""
    if not case.chain:
        return ""
    names = extension(case.chain[0], x509.SubjectAlternativeName)
    if is_address(case.host):
        addresses = [str(one) for one in names.get_values_for_type(x509.IPAddress)] if names is not None else []
        return "" if case.host in addresses else f" It does not contain {case.host} as an IP address, only as a name."
    return (
        "" if names is not None else " It contains its name only as a common name, which many programs do not accept."
    )


def _product(case: Case) -> Facts | None:
    if not case.chain:
        return None
    names = [name for one in case.path for name in (one.subject, one.issuer)]
    product = products.find(products.AUTHORITIES, *names)
    if product is None or ("mitmproxy" in product.words and interception(case) is not None):
        return None
    return {
        "issuer": issuer_of(case),
        "description": product.description.format(host=case.host),
        "product": product.advice.format(host=case.host),
        **_settings(case),
    }


def interception(case: Case) -> Facts | None:
    """The certificate of a public name is from an unknown CA, and a product, the domain or a proxy gives a reason."""
    if not case.chain or not is_public(case.host) or any(map(is_from_public_ca, case.chain)):
        return None
    top = case.path[-1]
    names = f"{top.subject.rfc4514_string()} {top.issuer.rfc4514_string()}".lower()
    is_product = any(word in names for word in INTERCEPTORS)
    if not (is_product or is_public_domain(case.host) or case.proxy):
        return None
    via = f" The connection uses the proxy {case.facts['proxy']}." if case.proxy else ""
    return {"issuer": quoted_name(top.issuer), "via": via, **_settings(case)}


def is_public_domain(host: str) -> bool:
    """Return whether *host* belongs to a well-known domain, whose certificates are from public CAs."""
    return any(host == domain or host.endswith(f".{domain}") for domain in PUBLIC_DOMAINS)


def _unknown_root(case: Case) -> Facts:
    unseen = (
        " This Python cannot show the other certificates that the server sent." if not case.chain_is_complete else ""
    )
    issuer = issuer_of(case)
    is_public_ca = any(map(is_from_public_ca, case.chain)) or _was_public(case)
    old = next((one for one in case.path[1:] if one.not_valid_after_utc < case.now), None)
    return {
        "issuer": issuer,
        "unseen": unseen,
        "old": quoted_name(old.subject) if old is not None else "",
        "private": "" if is_public_ca else issuer,
        "public": issuer if is_public(case.host) or is_public_ca else "",
        **_settings(case),
    }


def _other_names(case: Case) -> str:
    """Return a sentence if the certificate is not valid for the host either, which the error does not show."""
    names = closest(case.host, host_names(case.chain[0])) if case.chain and not is_address(case.host) else []
    if not names or any(matches(case.host, name) for name in names):
        return ""
    return f" The server's certificate is also not valid for {case.facts['host']}, only for {join_first(names)}."


def _was_public(case: Case) -> bool:
    """Return whether the issuer was a root in an earlier release of certifi, such as AddTrust or DST Root CA X3."""
    if not case.chain:
        return False
    labels = {label for _, label in removed_roots.REMOVED_ROOTS.values()}
    names = case.path[-1].issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
    return any(str(name.value) in labels for name in names)


def _settings(case: Case) -> Facts:
    """Return what the user tried: mistyped variables, an unusable path, and the roots that a variable adds."""
    mistyped = [
        printable(name, MAX_LENGTH) + (f" (did you mean {similar}?)" if similar else "")
        for name, similar in case.unknown_variables.items()
    ]
    broken = [
        str(problem)
        for problem in case.problems
        if isinstance(problem, ConfigurationError) and problem.setting == "CERTHOOK_EXTRA_CA_CERTS"
    ]
    names = case.facts["extra_names"]
    return {
        "mistyped": join_first(mistyped),
        "broken": broken[0] if broken else "",
        "added": f" CERTHOOK_EXTRA_CA_CERTS adds another certificate: {names}." if names else "",
        "expired": also_expired(case),
        "other": _other_names(case),
    }


_CORRECT_NAME = "Correct the name of this environment variable, which has no effect: {mistyped}"
_CORRECT_PATH = "If you want to trust this certificate, correct this setting: {broken}"

CAUSES = (
    Cause(
        "default-certificate",
        "The server has no certificate for {host}. It shows {finding}, which no program accepts for this name.",
        (
            "{advice}",
            "Check the spelling of the name, and the port.",
            "If this is the intended server, it may have one of these names: {usable}.",
            "Ask the server's administrator to configure a certificate for {host} in the web server or reverse proxy.",
            "If this network requires a login (hotel, train), log in with a browser first: it may have redirected "
            "{public}.",
        ),
        codes=NO_ISSUER,
        facts=_default_certificate,
    ),
    Cause(
        "self-signed",
        "{host} uses a self-signed certificate. Anyone can create such a certificate, so it proves no identity.{added}"
        "{flaw}",
        (
            _CORRECT_NAME,
            _CORRECT_PATH,
            "Ask the server's administrator to get a certificate from a certificate authority (CA).",
            "If it is your own server, create the certificate again before you trust it:\n{recreate}",
            *trust_remedies(
                "If it is your own server, copy its certificate from its disk (not from this connection)",
                "this file, from the server's disk",
            ),
        ),
        codes=(SELF_SIGNED,),  # The code is sufficient, even if this Python cannot show the certificate.
        facts=_self_signed,
    ),
    Cause(
        "product-ca",
        "{host} has a certificate from {issuer}. This is {description}, and it is not trusted here.{added}{expired}"
        "{other}",
        (
            _CORRECT_NAME,
            _CORRECT_PATH,
            "{product}",
            *trust_remedies("To trust it on this machine, get its root certificate"),
        ),
        codes=NO_ISSUER,
        facts=_product,
    ),
    Cause(
        "inspection",
        "The connection to {host} is probably intercepted: this is a public name, but the certificate is from "
        "{issuer}, which is not a known public certificate authority (CA). Company proxies and virus scanners "
        "intercept connections intentionally.{via}{added}{expired}{other}",
        (
            _CORRECT_NAME,
            _CORRECT_PATH,
            *trust_remedies(
                "If this is your company's network, ask its IT department for the root certificate of {issuer}",
                "this file, from the IT department",
            ),
            "Otherwise do not continue: a third party may read the data. Try another network.",
        ),
        codes=NO_ISSUER,
        facts=interception,
    ),
    Cause(
        "root-unknown",
        "The certificate chain of {host} leads to {issuer}, which is not trusted here.{unseen}{added}{expired}{other}",
        (
            _CORRECT_NAME,
            _CORRECT_PATH,
            "If {public} is a public certificate authority (CA), update the public roots of this machine:\n{update}",
            *trust_remedies(
                "If {private} is the CA of your company, or of a proxy that inspects TLS, ask your IT department for "
                "its root certificate",
                "this file, from the IT department",
            ),
            "Ask the server's administrator to install a current certificate chain (fullchain.pem): the server sends "
            "an expired certificate of {old}.",
            "If the error remains, ask the server's administrator whether the server sends all intermediate "
            "certificates (often fullchain.pem).",
            "Otherwise do not continue: another server may have answered, to read your data.",
        ),
        codes=NO_ISSUER,
        facts=_unknown_root,
    ),
)
