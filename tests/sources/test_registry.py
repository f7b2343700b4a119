"""Change detection for Windows' certificate stores, with a simulated registry.

tests/embedded/windows tests real stores.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from certhook._config import SERVER_AUTH, Config
from certhook._sources import windows
from certhook._sources.collector import Collector
from certhook._watch import windows as watch_windows
from certhook._watch.windows import CertificateStore, RegistryKey, content_signature

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
    names = [key.name for key in watch_windows.registry_keys("ROOT")]
    assert len(names) == 6
    assert len(watch_windows.registry_keys("Disallowed")) == 5
    assert rf"{MACHINE}\AuthRoot\Certificates" in names


def test_added_removed_and_replaced_certificates_change_the_signature(registry) -> None:
    key = RegistryKey(rf"{MACHINE}\ROOT\Certificates")
    signatures = [key.signature()]
    for registry[key.name] in (Key(1, []), Key(2, [A]), Key(3, [B])):
        signatures.append(key.signature())
    assert len(set(signatures)) == 4 and None not in signatures


def test_a_portable_signature_ignores_times_and_order(registry) -> None:
    def signature(key: Key) -> object:
        registry[MACHINE] = key
        return RegistryKey(MACHINE).signature(portable=True)

    assert len(set(map(signature, (Key(1, [A, B]), Key(2, [B, A]), Key(3, [A.lower(), B]))))) == 1
    assert len(set(map(signature, (Key(1, []), Key(1, [A]), Key(1, [B]))))) == 3
    assert RegistryKey(r"HKEY_CURRENT_USER\none").signature(portable=True) is not None


def test_a_store_with_a_part_from_another_provider_is_not_covered_by_the_keys(registry) -> None:
    assert watch_windows.is_in_registry("ROOT")
    registry[rf"{MACHINE}\AuthRoot\PhysicalStores"] = Key(1, ["another provider"])
    assert not watch_windows.is_in_registry("ROOT")
    assert watch_windows.is_in_registry("CA")


def test_inputs_are_restored_from_their_attributes() -> None:
    for thing in (RegistryKey(MACHINE), CertificateStore("ROOT")):
        restored = watch_windows.restore(thing.kind, thing.name)
        assert (type(restored), restored.name) == (type(thing), thing.name)
    with pytest.raises(ValueError, match="unknown kind of input: 'trust settings'"):
        watch_windows.restore("trust settings", "user's")


ENTRIES = [
    (b"a", "x509_asn", True),
    (b"b", "x509_asn", frozenset({"1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"})),
    (b"b", "x509_asn", False),
]


def test_the_content_signature_ignores_only_the_order_of_certificates() -> None:
    assert content_signature(ENTRIES) == content_signature(ENTRIES[::-1])
    others = [ENTRIES[:2], [*ENTRIES, ENTRIES[0]], [(b"a", "x509_asn", False), *ENTRIES[1:]]]
    others.append([ENTRIES[0], (b"b", "x509_asn", frozenset({"1.3.6.1.5.5.7.3.1"})), ENTRIES[2]])
    assert len({content_signature(entries) for entries in (ENTRIES, *others)}) == 5


def test_an_unreadable_store_counts_as_changed(monkeypatch) -> None:
    def enumerate_store(store: str):
        assert store == "ROOT"
        raise PermissionError(13, "Access is denied")

    monkeypatch.setattr(watch_windows, "enumerate_store", enumerate_store)
    assert CertificateStore("ROOT").signature() is None


def test_the_windows_source_watches_the_keys_and_content_of_each_store(registry, monkeypatch) -> None:
    monkeypatch.setattr(watch_windows, "enumerate_store", lambda store: [])
    collector = Collector(Config({}), SERVER_AUTH)
    windows.read_distrusted(collector)
    windows.read(collector)
    snapshot = collector.recorder.snapshot()
    stores = ("ROOT", "CA", "Disallowed")
    keys = {("registry key", key.name) for store in stores for key in watch_windows.registry_keys(store)}
    assert {(kind, name) for kind, name, _, _ in snapshot.frequent} == keys
    assert {(kind, name) for kind, name, _, _ in snapshot.rare} == {("certificate store", name) for name in stores}
    assert not collector.recorder.volatile
    registry[rf"{MACHINE}\CA\PhysicalStores"] = Key(1, [])
    windows.read(collector)
    assert collector.recorder.volatile
