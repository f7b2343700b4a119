"""The effect of CERTHOOK_VERIFY that ``status`` reports."""

from __future__ import annotations

import sys

import pytest

from certhook import _native
from certhook._config import Config
from certhook.cli import _variables


def effect(**variables: str) -> str:
    """Return the reported effect of CERTHOOK_VERIFY=native, and assert that the problem is the same."""
    environ = {"CERTHOOK_VERIFY": "native", **variables}
    config = Config(environ)
    (found,) = [one["effect"] for one in _variables.describe(environ, config) if one["name"] == "CERTHOOK_VERIFY"]
    problems = _variables.native_problem(config)
    assert problems in ([], [f"CERTHOOK_VERIFY: {found}"])
    return f"problem: {found}" if problems else found


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="The setting has an effect.")
def test_on_other_systems_it_has_no_effect_which_is_no_problem() -> None:
    assert effect().startswith("has no effect on this system: only Windows and macOS")


@pytest.fixture
def native(monkeypatch):
    """Return a function that sets the problem of truststore, on a system on which the setting has an effect."""
    monkeypatch.setattr(_variables, "NATIVE_PLATFORMS", (sys.platform,))

    def set_problem(problem: str) -> None:
        monkeypatch.setattr(_native, "problem", lambda: problem)

    return set_problem


def test_with_truststore_the_effect_is_described(native) -> None:
    native("")
    assert effect().startswith("makes Windows and macOS verify servers")


def test_without_truststore_the_remedy_is_a_problem(native) -> None:
    native("has no effect: truststore is missing; run 'pip install certhook[native]'")
    assert effect() == "problem: has no effect: truststore is missing; run 'pip install certhook[native]'"


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "CERTHOOK_SOURCES", "CERTHOOK_REMOVED"])
def test_a_setting_that_excludes_roots_of_the_system_is_named(native, variable) -> None:
    native("")
    values = {"SSL_CERT_FILE": "/x.pem", "CERTHOOK_SOURCES": "bundled", "CERTHOOK_REMOVED": "drop"}
    found = effect(**{variable: values[variable]})
    assert found.startswith(f"has no effect: {variable}")


def test_an_invalid_value_is_reported_as_such() -> None:
    assert "expected native" in effect(CERTHOOK_VERIFY="yes")
