r"""Change detection for the certificate stores of Windows.

A store is a set of registry keys, and each of its certificates is a subkey. Adding or
removing a certificate changes the key's timestamp, which :class:`RegistryKey` covers. A
certificate that is modified in place, or that a provider other than the registry adds,
changes only the store's content as CPython reads it. :class:`CertificateStore` covers that
content; it is checked rarely, because that is expensive.

Sources: "System Store Locations" in Microsoft's documentation of CryptoAPI, and
``ssl_collect_certificates`` in CPython's Modules/_ssl.c.
"""

from __future__ import annotations

from binascii import crc32

from certhook._watch.base import Input

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable, Tuple, Union

    from certhook._types import Signature

    #: An item of ``ssl.enum_certificates``: the certificate, its encoding, and True or the trusted purposes.
    StoreItem = Tuple[bytes, str, Union[bool, "frozenset[str]"]]

_LOCATIONS = (
    r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\SystemCertificates",
    r"HKEY_LOCAL_MACHINE\SOFTWARE\Policies\Microsoft\SystemCertificates",  # group policy
    r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\EnterpriseCertificates",  # Active Directory
    r"HKEY_CURRENT_USER\SOFTWARE\Microsoft\SystemCertificates",
    r"HKEY_CURRENT_USER\SOFTWARE\Policies\Microsoft\SystemCertificates",
)
# The roots of Microsoft's own programme, which Windows shows as part of the ROOT store.
_ADDITIONAL = {"ROOT": (rf"{_LOCATIONS[0]}\AuthRoot",)}

# Not None, which means that a path does not exist.
_MISSING = (0, 0, 0, 0)


class RegistryKey(Input):
    """A registry key.

    :ivar name: its path, which begins with the hive
    """

    kind = "registry key"

    def signature(self, portable: bool = False) -> Signature:
        """Return the key's timestamp and number of subkeys, or a checksum of their names if *portable*."""
        import winreg

        try:
            with _open(self.name) as key:
                subkeys, _, changed = winreg.QueryInfoKey(key)  # type: ignore[attr-defined]
                if not portable:
                    return changed, subkeys, 1, 0
                names = [winreg.EnumKey(key, number).upper() for number in range(subkeys)]  # type: ignore[attr-defined]
        except OSError:
            return _MISSING
        return crc32(repr(sorted(names)).encode()), subkeys, 1, 0


class CertificateStore(Input):
    """The content of a certificate store.

    :ivar name: the name of the store
    """

    kind = "certificate store"

    def signature(self, portable: bool = False) -> Signature:
        """Return the signature of the certificates, None if the store cannot be read."""
        try:
            return content_signature(enumerate_store(self.name))
        except OSError:
            return None


def restore(kind: str, name: str) -> Input:
    """Create an input from the attributes that an index contains.

    :raises ValueError: if there is no such kind
    """
    for input_class in (RegistryKey, CertificateStore):
        if kind == input_class.kind:
            return input_class(name)
    raise ValueError(f"unknown kind of input: {kind!r}")


def registry_keys(store: str) -> list[RegistryKey]:
    """Return the registry keys that contain the certificates of *store*."""
    return [RegistryKey(rf"{path}\Certificates") for path in _paths(store)]


def is_in_registry(store: str) -> bool:
    """Return whether the registry contains all certificates of *store*: no other provider is registered for it."""
    return all(RegistryKey(rf"{path}\PhysicalStores").signature() == _MISSING for path in _paths(store))


def content_signature(items: Iterable[StoreItem]) -> Signature:
    """Return the signature of *items*, which is independent of their order."""
    seen = sorted(crc32(data, crc32(repr(_comparable(trust)).encode())) for data, _, trust in items)
    return crc32(repr(seen).encode()), len(seen), 0, 0


def enumerate_store(store: str) -> list[StoreItem]:
    """Return the certificates of *store* as CPython reads them, in no particular order.

    :raises OSError: if the store cannot be read
    """
    import _ssl

    return _ssl.enum_certificates(store)  # type: ignore[attr-defined, no-any-return]


def _paths(store: str) -> list[str]:
    return [*(rf"{location}\{store}" for location in _LOCATIONS), *_ADDITIONAL.get(store, ())]


def _comparable(trust: bool | frozenset[str]) -> bool | list[str]:
    return trust if isinstance(trust, bool) else sorted(trust)


def _open(path: str) -> Any:
    import winreg

    hive, _, key = path.partition("\\")
    return winreg.OpenKey(getattr(winreg, hive), key)  # type: ignore[attr-defined]
