"""How Windows' stores look, by a registry that is recorded; tests/embedded/windows has real ones."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from certhook._watch import windows as watch_windows
from certhook._sources import windows

MACHINE = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\SystemCertificates"
A, B = "A" * 40, "B" * 40


class Key:
    """A key of the registry, as winreg opens one."""

    def __init__(self, changed: int, subkeys: list[str]) -> None:
        self.changed = changed
        self.subkeys = subkeys

    def __enter__(self) -> Key:
        return self

    def __exit__(self, *exception: object) -> None:
        pass


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> dict[str, Key]:
    """The keys that there are."""
    keys: dict[str, Key] = {}

    def open_key(hive: str, path: str) -> Key:
        try:
            return keys[f"{hive}\\{path}"]
        except KeyError:
            raise FileNotFoundError(2, "The system cannot find the file specified") from None

    recorded = SimpleNamespace(
        HKEY_LOCAL_MACHINE="HKEY_LOCAL_MACHINE",
        HKEY_CURRENT_USER="HKEY_CURRENT_USER",
        OpenKey=open_key,
        QueryInfoKey=lambda key: (len(key.subkeys), 0, key.changed),
        EnumKey=lambda key, number: key.subkeys[number],
    )
    monkeypatch.setitem(sys.modules, "winreg", recorded)
    return keys


def test_the_roots_are_the_machines_the_users_those_of_policies_and_microsofts_own() -> None:
    assert len(watch_windows.keys("ROOT")) == 6
    assert len(watch_windows.keys("Disallowed")) == 5
    assert rf"{MACHINE}\AuthRoot\Certificates" in watch_windows.keys("ROOT")
    assert all(map(watch_windows.is_key, watch_windows.keys("CA")))
    assert not any(map(watch_windows.is_key, (r"C:\HKEY_LOCAL_MACHINE\x", "store:ROOT")))


def test_what_comes_goes_or_is_there_for_the_first_time_shows(registry) -> None:
    seen = [watch_windows.key_signature(rf"{MACHINE}\ROOT\Certificates")]
    for key in (Key(1, []), Key(2, [A]), Key(3, [B])):
        registry[rf"{MACHINE}\ROOT\Certificates"] = key
        seen.append(watch_windows.key_signature(rf"{MACHINE}\ROOT\Certificates"))
    assert len(set(seen)) == 4 and None not in seen


def test_no_time_shows_in_what_is_to_survive_an_image(registry) -> None:
    def look(*keys: Key) -> int:
        return len({_looks(registry, key) for key in keys})

    assert look(Key(1, [A, B]), Key(2, [B, A]), Key(3, [A.lower(), B])) == 1
    assert look(Key(1, []), Key(1, [A]), Key(1, [B])) == 3
    assert watch_windows.portable_key_signature(r"HKEY_CURRENT_USER\none") is not None


def _looks(registry: dict[str, Key], key: Key) -> object:
    registry[MACHINE] = key
    return watch_windows.portable_key_signature(MACHINE)


def test_a_store_of_which_another_provider_has_a_part_is_read_for_each_context(registry) -> None:
    assert watch_windows.is_all_of("ROOT")
    registry[rf"{MACHINE}\AuthRoot\PhysicalStores"] = Key(1, ["somebody's"])
    assert not watch_windows.is_all_of("ROOT")
    assert watch_windows.is_all_of("CA")


ENTRIES = [
    (b"a", "x509_asn", True),
    (b"b", "x509_asn", frozenset({"1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"})),
    (b"b", "x509_asn", False),
]


def test_the_order_in_which_certificates_come_does_not_show_but_everything_else() -> None:
    assert watch_windows.signature_of(ENTRIES) == watch_windows.signature_of(ENTRIES[::-1])
    others = [ENTRIES[:2], [*ENTRIES, ENTRIES[0]], [(b"a", "x509_asn", False), *ENTRIES[1:]]]
    others.append([ENTRIES[0], (b"b", "x509_asn", frozenset({"1.3.6.1.5.5.7.3.1"})), ENTRIES[2]])
    assert len({watch_windows.signature_of(entries) for entries in (ENTRIES, *others)}) == 5


def test_a_store_that_cannot_be_read_is_seen_to_have_changed(monkeypatch) -> None:
    def enumerate_store(store: str):
        assert store == "ROOT"
        raise PermissionError(13, "Access is denied")

    path = watch_windows.path_of("ROOT")
    monkeypatch.setattr(_registry, "enumerate_store", enumerate_store)
    assert watch_windows.is_store(path) and watch_windows.store_signature(path) is None


def test_the_source_has_the_keys_and_the_content_of_each_store_watched(registry, monkeypatch) -> None:
    from certhook._config import SERVER_AUTH, Config
    from certhook._sources.collector import Reader

    monkeypatch.setattr(_registry, "enumerate_store", lambda store: [])
    reader = Reader(Config({}), SERVER_AUTH)
    windows.read_disallowed(reader)
    windows.read(reader)
    inputs = reader.inputs
    assert set(inputs.near) == {key for store in ("ROOT", "CA", "Disallowed") for key in watch_windows.keys(store)}
    assert set(inputs.deep) == {"store:ROOT", "store:CA", "store:Disallowed"}
    assert not reader.volatile
    registry[rf"{MACHINE}\CA\PhysicalStores"] = Key(1, [])
    windows.read(reader)
    assert reader.volatile
