"""The stores of Windows, as CPython reads them (``SSLContext._load_windows_store_certs``)."""

from __future__ import annotations

from certhook import _anchors, _x509
from certhook._config import ANY_PURPOSE
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Iterable, Tuple, Union

    from certhook._sources.reader import Reader

    #: What ``ssl.enum_certificates`` yields: bytes, encoding, and True or the trusted purposes.
    Entry = Tuple[bytes, str, Union[bool, "frozenset[str]"]]

STORES = ("CA", "ROOT")


def read(reader: Reader, enumerate_store: Callable[[str], Iterable[Entry]] | None = None) -> None:
    """Read the ROOT and CA stores into *reader*.

    :param enumerate_store: ``ssl.enum_certificates``, or what stands for it
    """
    if enumerate_store is None:
        import _ssl

        enumerate_store = _ssl.enum_certificates  # type: ignore[attr-defined]
        assert enumerate_store is not None
    reader.volatile = True
    for store in STORES:
        place = reader.place("system", f"Windows {store} store")
        try:
            entries = list(enumerate_store(store))
        except OSError as error:
            place.note = f"cannot be read: {error.strerror or error}"
            reader.problems.append(SourceError(place.path, place.note))
            continue
        for data, encoding, trust in entries:
            if encoding != "x509_asn":  # CA certificates are never PKCS#7
                continue
            try:
                der = _x509.Certificate(data).der
            except ValueError as error:
                reader.problems.append(SourceError(place.path, f"a certificate was skipped: {error}"))
                continue
            reader.add(place, [_anchors.Anchor(der, _purposes(trust))])


def _purposes(trust: bool | frozenset[str]) -> int:
    if isinstance(trust, bool):
        return ANY_PURPOSE if trust else 0
    return sum(bit for bit, oid in _anchors.OID_OF.items() if oid in trust)
