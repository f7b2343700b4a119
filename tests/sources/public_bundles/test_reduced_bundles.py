"""A bundle that a user reduced, and roots that certifi removed, restrict the requests that name a public bundle."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path

import pytest
import support
from bundle_machine import BUNDLE, BUNDLES, DEFAULT, OWN, BundleMachine, loaded

from certhook._sources import removed_roots


def install(machine: BundleMachine, owner: str, content: set[str]) -> Path:
    """Create the package *owner* as pip installs it, with *content* as its bundle."""
    bundle = machine.package(owner)
    bundle.write_bytes(machine.cas.pem(*sorted(content)))
    record = machine.packages / f"{owner}-1.0.dist-info" / "RECORD"
    record.parent.mkdir(exist_ok=True)
    record.write_text(f"{owner}/{BUNDLES[owner]},{support.record_hash(bundle.read_bytes())},{bundle.stat().st_size}\n")
    return bundle


@pytest.mark.parametrize(
    ("variable", "value", "adopted"),
    [
        ("CERTHOOK_BUNDLE", "", {"system", "both"} | BUNDLE | OWN),
        ("CERTHOOK_LOAD", "eager", DEFAULT),  # CERTHOOK_BUNDLE replaces every public bundle.
        ("CERTHOOK_SOURCES", "system", {"system", "both"}),
    ],
)
@pytest.mark.parametrize("owner", ["certifi", "pip", "razorpay"])
def test_a_bundle_that_is_reduced_after_its_installation_is_loaded_unchanged(
    machine, monkeypatch, owner, variable, value, adopted
) -> None:
    monkeypatch.setenv(variable, value)
    bundle = install(machine, owner, BUNDLE | OWN)
    for make in loaded, lambda path: ssl.create_default_context(cafile=path):
        assert machine.trusted(make(str(bundle))) == adopted
    bundle.write_bytes(machine.cas.pem(*OWN))
    for make in loaded, lambda path: ssl.create_default_context(cafile=path):
        assert machine.trusted(make(str(bundle))) == OWN


def test_a_bundle_to_which_a_user_added_a_root_is_adopted(machine, monkeypatch) -> None:
    monkeypatch.setenv("CERTHOOK_BUNDLE", "")
    bundle = install(machine, "certifi", BUNDLE)
    bundle.write_bytes(bundle.read_bytes() + machine.cas.pem(*OWN))
    assert machine.trusted(loaded(str(bundle))) == {"system", "both"} | BUNDLE | OWN


# Removed roots.


@pytest.fixture
def removed(machine, monkeypatch):
    """Let the newest release of certifi lack these roots."""

    def remove(*names: str) -> None:
        entries = {hashlib.sha256(machine.cas.der(name)).hexdigest(): ("2022.12.7", name) for name in names}
        monkeypatch.setattr(removed_roots, "REMOVED_ROOTS", entries)

    return remove


@pytest.mark.parametrize(
    ("policy", "default", "adopted"),
    [
        ("", DEFAULT, {"both", "bundled"}),
        ("adopted", DEFAULT, {"both", "bundled"}),
        ("drop", {"both", "bundled"}, {"both", "bundled"}),
        ("keep", DEFAULT, DEFAULT),
    ],
)
def test_a_removed_root_in_the_systems_store_is_excluded_from_adopted_requests(
    machine, monkeypatch, removed, policy, default, adopted
) -> None:
    removed("system")
    monkeypatch.setenv("CERTHOOK_REMOVED", policy)
    assert machine.trusted(ssl.create_default_context()) == default
    assert machine.trusted(loaded(str(machine.package("certifi")))) == adopted


def test_a_removed_root_that_the_bundle_or_the_user_lists_stays_trusted(machine, monkeypatch, removed) -> None:
    removed("both", "extra")
    monkeypatch.setenv("CERTHOOK_EXTRA_CA_CERTS", str(machine.own))
    assert machine.trusted(loaded(str(machine.package("certifi")))) == DEFAULT | OWN
