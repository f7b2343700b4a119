r"""How the stores of Windows look: enough to see that they changed.

A store is a collection of keys in the registry, and each of its certificates a subkey. What
comes and goes shows in the time of such a key, in microseconds. What is changed in place, or
comes from elsewhere than the registry, shows only in the certificates as CPython reads
them: these are many, and looked at as seldom as the files in a directory.

Sources: "System Store Locations" in Microsoft's documentation of CryptoAPI, and
``ssl_collect_certificates`` in CPython's Modules/_ssl.c.
"""

from binascii import crc32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable, Tuple, Union

    from certhook._store import Signature

    #: What ``ssl.enum_certificates`` yields: bytes, encoding, and True or the trusted purposes.
    Entry = Tuple[bytes, str, Union[bool, "frozenset[str]"]]

# Where stores are.
_LOCATIONS = (
    r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\SystemCertificates",
    r"HKEY_LOCAL_MACHINE\SOFTWARE\Policies\Microsoft\SystemCertificates",  # group policy
    r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\EnterpriseCertificates",  # Active Directory
    r"HKEY_CURRENT_USER\SOFTWARE\Microsoft\SystemCertificates",
    r"HKEY_CURRENT_USER\SOFTWARE\Policies\Microsoft\SystemCertificates",
)
# The roots of Microsoft's own programme, which are seen as a part of the store ROOT.
_PARTS = {"ROOT": (rf"{_LOCATIONS[0]}\AuthRoot",)}
_STORE = "store:"


def keys(store: str) -> "list[str]":
    """The keys of the registry that the certificates of *store* are in."""
    return [rf"{place}\Certificates" for place in _places(store)]


def is_all_of(store: str) -> bool:
    """Whether the registry shows every certificate of *store*: nobody registered another provider for it."""
    return not any(key_signature(rf"{place}\PhysicalStores") != _NOTHING for place in _places(store))


def _places(store: str) -> "list[str]":
    return [*(rf"{location}\{store}" for location in _LOCATIONS), *_PARTS.get(store, ())]


def is_key(path: str) -> bool:
    """Whether *path* is a key of the registry, and no file: these have absolute paths."""
    return path.startswith("HKEY_")


# Not None, which stands for a path where no file is.
_NOTHING = (0, 0, 0, 0)


def key_signature(path: str) -> "Signature":
    """What *path*, a key, looks like now: when it was changed, and how many subkeys it has."""
    import winreg

    try:
        with _open(path) as key:
            subkeys, _, changed = winreg.QueryInfoKey(key)  # type: ignore[attr-defined]
    except OSError:
        return _NOTHING
    return changed, subkeys, 1, 0


def portable_key_signature(path: str) -> "Signature":
    """The same without a time: a checksum of the names of the subkeys, which are those of the certificates."""
    import winreg

    try:
        with _open(path) as key:
            count = winreg.QueryInfoKey(key)[0]  # type: ignore[attr-defined]
            names = sorted(winreg.EnumKey(key, number).upper() for number in range(count))  # type: ignore[attr-defined]
    except OSError:
        return _NOTHING
    return crc32(repr(names).encode()), count, 1, 0


def _open(path: str) -> "Any":
    import winreg

    hive, _, key = path.partition("\\")
    return winreg.OpenKey(getattr(winreg, hive), key)  # type: ignore[attr-defined]


def path_of(store: str) -> str:
    """What stands for the content of *store* where the path of a directory does otherwise."""
    return _STORE + store


def is_store(path: str) -> bool:
    """Whether *path* is what :func:`path_of` returned."""
    return path.startswith(_STORE)


def signature_of(entries: "Iterable[Entry]") -> "Signature":
    """What *entries*, the certificates of a store, look like, in whatever order they are."""
    seen = sorted(crc32(data, crc32(repr(_comparable(trust)).encode())) for data, _, trust in entries)
    return crc32(repr(seen).encode()), len(seen), 0, 0


def _comparable(trust: "bool | frozenset[str]") -> "bool | list[str]":
    return trust if isinstance(trust, bool) else sorted(trust)


def enumerate_store(store: str) -> "list[Entry]":
    """The certificates of *store* as CPython finds them, in no order.

    :raises OSError: if it cannot be read
    """
    import _ssl

    return _ssl.enum_certificates(store)  # type: ignore[attr-defined, no-any-return]


def store_signature(path: str) -> "Signature":
    """What the certificates look like in the store that *path* stands for, None where it cannot be read."""
    try:
        return signature_of(enumerate_store(path[len(_STORE) :]))
    except OSError:
        return None
