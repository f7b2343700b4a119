"""The facts about a certificate that a user needs, as a JSON object and as three lines of text."""

from __future__ import annotations

from datetime import datetime, timezone

from certhook._certificates import extension, names, x509
from certhook._certificates.anchor import Anchor
from certhook.cli._roots_table import display_name
from certhook.cli._terminal import wrapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable, Sequence

    from certhook._sources.trust_set import TrustSet

#: The statuses of a certificate in the trust of this interpreter. That of a certificate that no source lists is None.
TRUSTED, DISTRUSTED, EXCLUDED = "trusted", "distrusted", "excluded"

ROOT, CA, SELF_SIGNED, SERVER, CLIENT, OTHER = "root CA", "CA", "self-signed", "server", "client", "other"
_KINDS = {
    ROOT: "root CA",
    CA: "intermediate CA",
    SELF_SIGNED: "self-signed certificate that is not a CA",
    SERVER: "server certificate",
    CLIENT: "client certificate",
    OTHER: "certificate of neither a CA nor a server",
}
_MAX_HOSTS = 3


class Trust:
    """The certificates in the trust of this interpreter, indexed by their DER.

    :param trust_set: the trust for servers
    """

    def __init__(self, trust_set: TrustSet) -> None:
        self._statuses: dict[bytes, tuple[Anchor, str]] = {}
        for anchors, status in (
            ((*trust_set.distrusted, *trust_set.blocklisted), DISTRUSTED),
            (trust_set.excluded, EXCLUDED),
            (trust_set.anchors, TRUSTED),
        ):
            self._statuses.update((anchor.der, (anchor, status)) for anchor in anchors)
        self._subjects = {names.folded_subject(anchor.certificate) for anchor in trust_set.anchors}

    def describe(self, certificate: x509.Certificate) -> dict[str, Any]:
        """Return the trust status of *certificate*, the locations that list it, and those that distrust it."""
        anchor, status = self._statuses.get(certificate.der, (None, None))
        return {
            "trust_status": status,
            "listed_by": [{"source": source, "path": path} for source, path in (anchor.listed_by if anchor else ())],
            "distrusted_by": list(anchor.distrusted_by) if anchor else [],
            "issuer_trusted": names.folded(certificate.issuer) in self._subjects,
        }


def describe(der: bytes, trust: Trust, now: datetime | None = None) -> dict[str, Any]:
    """Return the JSON object of the certificate *der*, which is valid DER."""
    certificate = x509.Certificate(der)
    anchor = Anchor(certificate)
    found = extension.Extensions(der)
    is_self_issued = names.is_self_issued(certificate)
    first, last = anchor.validity or (None, None)
    now = now or datetime.now(timezone.utc)
    return {
        "subject": anchor.subject,
        "issuer": _issuer(certificate),
        "kind": _kind(found, is_self_issued),
        "hosts": found.hosts,
        "not_before": first and first.isoformat(),
        "not_after": last and last.isoformat(),
        "days_left": last and (last - now).days,
        "expired": bool(last and last < now),
        "not_yet_valid": bool(first and first > now),
        "sha256": anchor.sha256,
        **trust.describe(certificate),
    }


def _issuer(certificate: x509.Certificate) -> str:
    try:
        return names.text(certificate.issuer)
    except ValueError:
        return f"#{certificate.issuer.hex()}"


def _kind(found: extension.Extensions, is_self_issued: bool) -> str:
    if found.is_ca:
        return ROOT if is_self_issued else CA
    if is_self_issued and not found.hosts:
        return SELF_SIGNED
    if found.hosts and extension.is_for_servers(found.purposes):
        return SERVER
    return CLIENT if found.purposes and x509.CLIENT_AUTH in found.purposes else OTHER


def is_installable(certificate: dict[str, Any]) -> bool:
    """Return whether ``certhook trust`` may install *certificate*: a valid root without a trust status."""
    is_valid = not certificate["expired"] and not certificate["not_yet_valid"] and certificate["not_after"]
    return bool(is_valid and certificate["kind"] == ROOT and certificate["trust_status"] is None)


def lines(certificates: Sequence[dict[str, Any]]) -> Iterable[str]:
    """Return three paragraphs for each of *certificates*: name and issuer, validity and trust, fingerprint."""
    width = len(str(len(certificates)))
    margin = " " * (width + 2)
    for number, certificate in enumerate(certificates, 1):
        yield from wrapped(_identity(certificate), f"{number:{width}}. ", margin)
        yield from wrapped(f"{_validity(certificate)}; {_trust(certificate)}", margin, margin)
        yield f"{margin}SHA-256 {certificate['sha256']}"


def _identity(certificate: dict[str, Any]) -> str:
    kind = _KINDS[certificate["kind"]]
    if certificate["hosts"]:
        kind = f"{kind} for {_first(certificate['hosts'])}"
    is_self_issued = certificate["subject"] == certificate["issuer"]
    issuer = "self-signed" if is_self_issued else f"issued by {display_name(certificate['issuer'])}"
    if certificate["kind"] == SELF_SIGNED:
        return f"{display_name(certificate['subject'])}: {kind}"
    return f"{display_name(certificate['subject'])}: {kind}, {issuer}"


def _first(hosts: list[str]) -> str:
    shown = hosts[:_MAX_HOSTS]
    more = len(hosts) - len(shown)
    return ", ".join(shown) + (f" and {more} more name{'' if more == 1 else 's'}" if more else "")


def _validity(certificate: dict[str, Any]) -> str:
    if not certificate["not_before"] or not certificate["not_after"]:
        return "its dates are malformed"
    first, last = certificate["not_before"][:10], certificate["not_after"][:10]
    days = certificate["days_left"]
    if certificate["expired"]:
        state = f"EXPIRED {-days - 1 or 'less than one'} day{'' if days == -2 or days == -1 else 's'} ago"
    elif certificate["not_yet_valid"]:
        state = "NOT YET VALID"
    else:
        state = f"ends in {days} day{'' if days == 1 else 's'}"
    return f"valid {first} to {last} ({state})"


def _trust(certificate: dict[str, Any]) -> str:
    status, kind = certificate["trust_status"], certificate["kind"]
    if status == TRUSTED:
        sources = dict.fromkeys(listing["source"] for listing in certificate["listed_by"])
        return f"trusted ({', '.join(sources)})"
    if status == DISTRUSTED:
        return f"DISTRUSTED by {', '.join(certificate['distrusted_by'])}"
    if status == EXCLUDED:
        return "not trusted: excluded by CERTHOOK_REMOVED"
    if kind in (ROOT, SELF_SIGNED) or certificate["subject"] == certificate["issuer"]:
        return "not trusted"
    return f"not a root; {'a' if certificate['issuer_trusted'] else 'no'} trusted root has the name of its issuer"
