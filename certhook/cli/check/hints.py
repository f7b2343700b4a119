"""Hints about a server that is verified, but perhaps not by other programs, on other machines, or for long."""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from typing import Iterator

from certhook._sources import removed
from certhook._text import printable
from certhook.cli.check.causes import Case
from certhook.cli.check.causes.form import find_defect
from certhook.cli.check.causes.unknown import is_public_domain
from certhook.cli.check.certificate import is_from_public_ca, is_self_issued, quoted_name
from certhook.cli.check.chain import TRUSTED
from certhook.cli.check.failure import Deadline, Failure
from certhook.cli.check.names import is_public
from certhook.cli.check.tcp import resolve
from certhook.cli.check.wording import date, duration, set_command

# A certificate that is renewed in time never has less than a tenth of its lifetime left: Let's Encrypt renews after
# two thirds of it. Its lifetime may be as short as six days.
_SOON = timedelta(days=14)
_FRACTION = 10
# The time to resolve the name of a server to which a connection was possible, in seconds.
_RESOLUTION_TIMEOUT = 2.0


def find_hints(case: Case) -> list[str]:
    """Return the hints about *case*, whose server is verified."""
    return [*expiring(case), *_private_ca(case), *_strict(case), *_removed(case)]


def expiring(case: Case) -> Iterator[str]:
    """Yield the hints about certificates that expire soon."""
    for certificate in case.path:
        lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
        left = certificate.not_valid_after_utc - case.now
        if timedelta(0) < left < min(_SOON, lifetime / _FRACTION):
            is_own = certificate is case.path[0]
            owner = case.host if is_own else f"{quoted_name(certificate.subject)}, a CA in the chain,"
            when = f"{date(certificate.not_valid_after_utc)}, in {duration(left)}"
            if is_own or not is_self_issued(certificate):
                remedy = "Ask the server's administrator to renew it."
            else:
                remedy = "Get the new root certificate from the administrator of this CA before that date."
            yield f"The certificate of {owner} expires on {when}. {remedy}"


def _private_ca(case: Case) -> Iterator[str]:
    """A public name with a certificate from a private CA: a proxy that inspects TLS has probably signed it again."""
    root, path = case.root, case.path
    if root is None or root.status != TRUSTED or not is_public(case.host) or not case.roots.knows_bundle():
        return
    if case.roots.has_bundled(root.anchor) or any(map(is_from_public_ca, path)):
        return
    if removed.release(root.anchor) or len(path) < 2:
        return
    if not (case.proxy or is_public_domain(case.host) or has_public_address(case.host, case.port)):
        return  # An internal server with the company's own certificate.
    where = ", ".join(dict.fromkeys(printable(path) for _, path in root.anchor.listed_by))
    name = quoted_name(root.certificate.subject)
    yield (
        f"The certificate of {case.host}, a public name, is from {name}, a private CA ({where}): a proxy or "
        "virus scanner has probably re-signed it to inspect this connection, and can read the data. "
        "Programs and containers without this root certificate refuse the connection. If you do not expect this, ask "
        "your IT department."
    )


def has_public_address(host: str, port: int) -> bool:
    """Return whether *host* resolves to public addresses only."""
    try:
        found = resolve(host, port, Deadline(_RESOLUTION_TIMEOUT))
        addresses = [ipaddress.ip_address(str(item[4][0]).partition("%")[0]) for item in found]
    except (Failure, ValueError):
        return False
    return bool(addresses) and all(address.is_global for address in addresses)


def _strict(case: Case) -> Iterator[str]:
    """Python 3.13 and later refuse this server, unless CERTHOOK_X509_STRICT=0 is set."""
    if not _is_lenient():
        return
    found = find_defect(case.path)
    if found is not None:
        certificate, defect = found
        yield (
            f"Python 3.13 and later refuse this server, because the certificate of {quoted_name(certificate.subject)} "
            f"does not conform to RFC 5280: {defect}. Ask its administrator for a new certificate, or set this "
            f"variable there: {set_command('CERTHOOK_X509_STRICT=0')}"
        )


def _is_lenient() -> bool:
    from certhook.cli.check import contexts

    return not contexts.is_strict(contexts.default_context())


def _removed(case: Case) -> Iterator[str]:
    root = case.root
    if root is None or root.status != TRUSTED:
        return
    release = removed.release(root.anchor)
    if release and not {"bundled", "extra"} & {*root.anchor.sources}:
        yield (
            f"Browsers no longer trust {quoted_name(root.certificate.subject)}, and neither do requests, httpx and pip "
            f"(removed from certifi in release {release}). Ask the server's administrator to get a certificate from "
            "another certificate authority (CA)."
        )
