"""The stores of Windows, as CPython reads them (``SSLContext._load_windows_store_certs``)."""

from __future__ import annotations

from certhook import _anchors, _registry, _x509
from certhook._config import ANY_PURPOSE
from certhook._sources.distrust import Block
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Iterable, Iterator

    from certhook._registry import Entry
    from certhook._sources.reader import Reader

STORES = ("CA", "ROOT")
DISALLOWED = "Disallowed"


def read(reader: Reader, enumerate_store: Callable[[str], Iterable[Entry]] | None = None) -> None:
    """Read the ROOT and CA stores into *reader*.

    :param enumerate_store: ``ssl.enum_certificates``, or what stands for it
    """
    for store in STORES:
        place = reader.place("system", _name(store))
        try:
            for certificate, trust in _certificates(reader, store, enumerate_store):
                reader.add(place, [_anchors.Anchor(certificate.der, _purposes(trust))])
        except OSError as error:
            place.note = f"cannot be read: {error.strerror or error}"
            reader.volatile = True
            reader.problems.append(SourceError(place.path, place.note))


def read_disallowed(reader: Reader, enumerate_store: Callable[[str], Iterable[Entry]] | None = None) -> None:
    """Distrust what is in the Disallowed store."""
    try:
        for certificate, _ in _certificates(reader, DISALLOWED, enumerate_store):
            reader.distrust.add(Block(ANY_PURPOSE, certificate.der), _name(DISALLOWED))
    except OSError as error:
        reader.distrust_unknown(_name(DISALLOWED), f"cannot be read: {error.strerror or error}")
        reader.volatile = True


def _name(store: str) -> str:
    return f"Windows {store} store"


def _certificates(
    reader: Reader, store: str, enumerate_store: Callable[[str], Iterable[Entry]] | None
) -> Iterator[tuple[_x509.Certificate, bool | frozenset[str]]]:
    entries = _entries(reader, store) if enumerate_store is None else enumerate_store(store)
    for data, encoding, trust in entries:
        if encoding != "x509_asn":  # CA certificates are never PKCS#7
            continue
        try:
            yield _x509.Certificate(data), trust
        except ValueError as error:
            reader.problems.append(SourceError(_name(store), f"a certificate was skipped: {error}"))


def _entries(reader: Reader, store: str) -> list[Entry]:
    """What CPython finds in *store*, with a change of it seen from now on."""
    reader.watch_keys(_registry.keys(store))
    entries = _registry.enumerate_store(store)
    reader.watch_content(_registry.path_of(store), _registry.signature_of(entries))
    if not _registry.is_all_of(store):
        reader.volatile = True
    return entries


def _purposes(trust: bool | frozenset[str]) -> int:
    if isinstance(trust, bool):
        return ANY_PURPOSE if trust else 0
    return sum(bit for bit, oid in _anchors.OID_OF.items() if oid in trust)
