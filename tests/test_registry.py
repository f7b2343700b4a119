"""Change detection for Windows' certificate stores, with a simulated registry.

tests/embedded/windows tests real stores.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from certhook import _registry
from certhook._sources import windows

MACHINE = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\SystemCertificates"
A, B = "A" * 40, "B" * 40


class Key:
    """An open registry key, as returned by ``winreg.OpenKey()``."""

    def __init__(self, changed: int, subkeys: list[str]) -> None:
        self.changed = changed
        self.subkeys = subkeys

    def __enter__(self) -> Key:
        return self

    def __exit__(self, *exception: object) -> None:
        pass


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> dict[str, Key]:
    """The keys of the simulated registry, by path."""
    keys: dict[str, Key] = {}

    def open_key(hive: str, path: str) -> Key:
        try:
            return keys[f"{hive}\\{path}"]
        except KeyError:
            raise FileNotFoundError(2, "The system cannot find the file specified") from None

    winreg = SimpleNamespace(
        HKEY_LOCAL_MACHINE="HKEY_LOCAL_MACHINE",
        HKEY_CURRENT_USER="HKEY_CURRENT_USER",
        OpenKey=open_key,
        QueryInfoKey=lambda key: (len(key.subkeys), 0, key.changed),
        EnumKey=lambda key, number: key.subkeys[number],
    )
    monkeypatch.setitem(sys.modules, "winreg", winreg)
    return keys


def test_the_watched_keys_cover_machine_user_policies_and_authroot() -> None:
    assert len(_registry.keys("ROOT")) == 6
    assert len(_registry.keys("Disallowed")) == 5
    assert rf"{MACHINE}\AuthRoot\Certificates" in _registry.keys("ROOT")
    assert all(map(_registry.is_key, _registry.keys("CA")))
    assert not any(map(_registry.is_key, (r"C:\HKEY_LOCAL_MACHINE\x", "store:ROOT")))


def test_added_removed_and_replaced_certificates_change_the_signature(registry) -> None:
    signatures = [_registry.key_signature(rf"{MACHINE}\ROOT\Certificates")]
    for key in (Key(1, []), Key(2, [A]), Key(3, [B])):
        registry[rf"{MACHINE}\ROOT\Certificates"] = key
        signatures.append(_registry.key_signature(rf"{MACHINE}\ROOT\Certificates"))
    assert len(set(signatures)) == 4 and None not in signatures


def test_a_portable_signature_ignores_times_and_order(registry) -> None:
    def signature(key: Key) -> object:
        registry[MACHINE] = key
        return _registry.portable_key_signature(MACHINE)

    assert len(set(map(signature, (Key(1, [A, B]), Key(2, [B, A]), Key(3, [A.lower(), B]))))) == 1
    assert len(set(map(signature, (Key(1, []), Key(1, [A]), Key(1, [B]))))) == 3
    assert _registry.portable_key_signature(r"HKEY_CURRENT_USER\none") is not None


def test_a_store_with_a_part_from_another_provider_is_not_covered_by_the_keys(registry) -> None:
    assert _registry.is_all_of("ROOT")
    registry[rf"{MACHINE}\AuthRoot\PhysicalStores"] = Key(1, ["another provider"])
    assert not _registry.is_all_of("ROOT")
    assert _registry.is_all_of("CA")


ENTRIES = [
    (b"a", "x509_asn", True),
    (b"b", "x509_asn", frozenset({"1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"})),
    (b"b", "x509_asn", False),
]


def test_the_content_signature_ignores_only_the_order_of_certificates() -> None:
    assert _registry.signature_of(ENTRIES) == _registry.signature_of(ENTRIES[::-1])
    others = [ENTRIES[:2], [*ENTRIES, ENTRIES[0]], [(b"a", "x509_asn", False), *ENTRIES[1:]]]
    others.append([ENTRIES[0], (b"b", "x509_asn", frozenset({"1.3.6.1.5.5.7.3.1"})), ENTRIES[2]])
    assert len({_registry.signature_of(entries) for entries in (ENTRIES, *others)}) == 5


def test_an_unreadable_store_counts_as_changed(monkeypatch) -> None:
    def enumerate_store(store: str):
        assert store == "ROOT"
        raise PermissionError(13, "Access is denied")

    path = _registry.path_of("ROOT")
    monkeypatch.setattr(_registry, "enumerate_store", enumerate_store)
    assert _registry.is_store(path) and _registry.store_signature(path) is None


def test_the_windows_source_watches_the_keys_and_content_of_each_store(registry, monkeypatch) -> None:
    from certhook._config import SERVER_AUTH, Config
    from certhook._sources.reader import Reader

    monkeypatch.setattr(_registry, "enumerate_store", lambda store: [])
    reader = Reader(Config({}), SERVER_AUTH)
    windows.read_disallowed(reader)
    windows.read(reader)
    inputs = reader.inputs
    assert set(inputs.near) == {key for store in ("ROOT", "CA", "Disallowed") for key in _registry.keys(store)}
    assert set(inputs.deep) == {"store:ROOT", "store:CA", "store:Disallowed"}
    assert not reader.volatile
    registry[rf"{MACHINE}\CA\PhysicalStores"] = Key(1, [])
    windows.read(reader)
    assert reader.volatile
