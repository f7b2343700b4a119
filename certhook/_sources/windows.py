"""The stores of Windows, read as CPython does (``SSLContext._load_windows_store_certs``)."""

from __future__ import annotations

from certhook._certificates import x509
from certhook._certificates.anchor import PURPOSE_OIDS, Entry
from certhook._config import ANY_PURPOSE
from certhook._sources.blocklist import BlocklistEntry
from certhook._watch import windows as watch_windows
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Iterable, Iterator

    from certhook._sources.collector import Collector
    from certhook._watch.windows import StoreItem

STORES = ("CA", "ROOT")
DISALLOWED = "Disallowed"


def read(collector: Collector, enumerate_store: Callable[[str], Iterable[StoreItem]] | None = None) -> None:
    """Read the ROOT and CA stores into *collector*.

    :param enumerate_store: a replacement for ``ssl.enum_certificates``
    """
    for store in STORES:
        is_stock = collector.config.requested is None
        location = collector.add_location("system", _name(store), is_stock)
        try:
            for certificate, trust in _certificates(collector, store, enumerate_store):
                collector.add(location, [Entry(certificate, _purposes(trust))])
        except OSError as error:
            location.note = f"cannot be read: {error.strerror or error}"
            collector.recorder.must_be_retried()
            collector.problems.append(SourceError(location.path, location.note))


def read_distrusted(collector: Collector, enumerate_store: Callable[[str], Iterable[StoreItem]] | None = None) -> None:
    """Distrust the certificates in the Disallowed store."""
    try:
        for certificate, _ in _certificates(collector, DISALLOWED, enumerate_store):
            collector.blocklist.add(BlocklistEntry(ANY_PURPOSE, certificate), _name(DISALLOWED))
    except OSError as error:
        collector.report_unknown_distrust(_name(DISALLOWED), f"cannot be read: {error.strerror or error}")
        collector.recorder.must_be_retried()


def _name(store: str) -> str:
    return f"Windows {store} store"


def _certificates(
    collector: Collector, store: str, enumerate_store: Callable[[str], Iterable[StoreItem]] | None
) -> Iterator[tuple[x509.Certificate, bool | frozenset[str]]]:
    items = _recorded_items(collector, store) if enumerate_store is None else enumerate_store(store)
    for data, encoding, trust in items:
        if encoding != "x509_asn":  # CA certificates are never PKCS#7.
            continue
        try:
            yield x509.Certificate(data), trust
        except ValueError as error:
            collector.problems.append(SourceError(_name(store), f"a certificate was skipped: {error}"))


def _recorded_items(collector: Collector, store: str) -> list[StoreItem]:
    """Return the items of *store*, and record the store as an input."""
    for key in watch_windows.registry_keys(store):
        collector.recorder.watch_input(key, key.signature(), frequently=True)
    items = watch_windows.enumerate_store(store)
    content = watch_windows.CertificateStore(store)
    collector.recorder.watch_input(content, watch_windows.content_signature(items), frequently=False)
    if not watch_windows.is_in_registry(store):
        collector.recorder.volatile = True
    return items


def _purposes(trust: bool | frozenset[str]) -> int:
    if isinstance(trust, bool):
        return ANY_PURPOSE if trust else 0
    return sum(bit for bit, oid in PURPOSE_OIDS.items() if oid in trust)
