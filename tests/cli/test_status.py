"""``python -m certhook status``: the state of an environment, as a report and as JSON."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import der
import pytest
import roots
import support
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from certhook._config import SETTINGS

KEYS = {
    "certhook": str,
    "python": str,
    "executable": str,
    "openssl": str,
    "active": bool,
    "disabled": bool,
    "enabled_by": (str, type(None)),
    "unprocessed_pth": (str, type(None)),
    "sources": list,
    "mode": str,
    "adopted_bundles": list,
    "variables": list,
    "trusted_count": int,
    "trusted_count_by_source": dict,
    "private_count": int,
    "expired_count": int,
    "roots": list,
    "removed_mode": str,
    "excluded": list,
    "distrusted": list,
    "locations": list,
    "store": (str, type(None)),
    "store_built_at": (str, type(None)),
    "store_build_reason": (str, type(None)),
    "eager_reason": (str, type(None)),
    "client_hooks": list,
    "other_software": list,
    "unreached_libraries": list,
    "problems": list,
    "settings_file": dict,
}
ROOT_KEYS = (
    "subject",
    "sha256",
    "not_before",
    "not_after",
    "listed_by",
    "removed_in",
    "private",
    "distrusted_by",
    "expired",
)


def effect(found: dict, name: str) -> str:
    """Return the effect of one variable."""
    (variable,) = (variable for variable in found["variables"] if variable["name"] == name)
    return variable["effect"]


# JSON.


def test_the_json_object_has_stable_keys_and_types(status) -> None:
    found = status()
    assert list(found) == list(KEYS)
    for key, kind in KEYS.items():
        assert isinstance(found[key], kind), key
    assert {tuple(place) for place in found["locations"]} == {("source", "path", "root_count", "note")}
    assert {tuple(variable) for variable in found["variables"]} == {("name", "value", "effect")}
    assert {tuple(root) for root in found["roots"]} == {ROOT_KEYS}


def test_an_active_hook_without_problems_is_success(status) -> None:
    found = status()
    assert found["active"]
    assert found["problems"] == []


def test_each_root_has_its_name_fingerprint_validity_and_locations(status, tmp_path, cas) -> None:
    by_sha256 = {root["sha256"]: root for root in status()["roots"]}
    for name, source, file in (("bundled", "bundled", "bundle"), ("extra", "extra", "extra")):
        expected = x509.load_pem_x509_certificate(cas.pem(name))
        root = by_sha256[expected.fingerprint(hashes.SHA256()).hex()]
        assert root["subject"] == expected.subject.rfc4514_string()
        assert root["not_before"].partition("+")[0] == expected.not_valid_before_utc.isoformat().partition("+")[0]
        assert root["not_after"] == expected.not_valid_after_utc.isoformat()
        assert root["listed_by"] == [{"source": source, "path": str(tmp_path / f"{file}.pem")}]


def test_distrusted_roots_are_listed_with_the_files_that_distrust_them(certhook, status, tmp_path, cas) -> None:
    rejecting = cas.der("bundled") + der.auxiliary(rejected=[der.SERVERS])
    (tmp_path / "extra.pem").write_bytes(der.pem(rejecting, "TRUSTED CERTIFICATE"))
    (distrusted,) = status()["distrusted"]
    assert distrusted["distrusted_by"] == [str(tmp_path / "extra.pem")]
    assert {"source": "bundled", "path": str(tmp_path / "bundle.pem")} in distrusted["listed_by"]
    shown = certhook().stdout
    assert "Distrusted root certificates:\n" in shown
    assert support.shows(shown, f"listed by bundled: {tmp_path}/bundle.pem", f"distrusted by {tmp_path}/extra.pem")


def test_the_interpreter_is_identified(status, installed: Path) -> None:
    found = status()
    assert found["executable"] == str(installed)
    assert found["python"] == sys.version.split()[0]
    assert "SSL" in found["openssl"]


def test_the_file_that_enabled_the_hook_is_identified(status, installed: Path, tmp_path: Path) -> None:
    (tmp_path / "certhook.pth").touch()  # A file in the working directory enables nothing.
    assert status()["enabled_by"] == str(support.purelib(installed) / "certhook.pth")


def test_every_source_has_a_count_and_every_location_a_path(status, variables, tmp_path: Path) -> None:
    (tmp_path / "hashed" / "00000000.0").touch()
    found = status()
    assert found["trusted_count"] == 4
    assert found["trusted_count_by_source"] == {"bundled": 2, "extra": 1, "system": 2}
    assert [(place["source"], place["path"], place["root_count"]) for place in found["locations"]] == [
        ("system", variables["SSL_CERT_FILE"], 2),
        ("system", variables["SSL_CERT_DIR"], 1),
        ("bundled", variables["CERTHOOK_BUNDLE"], 2),
        ("extra", variables["CERTHOOK_EXTRA_CA_CERTS"], 1),
    ]


def test_a_location_without_roots_has_a_note_and_is_a_problem(certhook, status, tmp_path, cas) -> None:
    (tmp_path / "hashed" / support.hashed_name(cas.der("both"))).rename(tmp_path / "hashed" / "00000000.0")
    found = status()
    assert "openssl rehash" in found["locations"][1]["note"]
    (problem,) = found["problems"]
    assert problem.startswith(f"SSL_CERT_DIR: {tmp_path / 'hashed'} ")
    assert support.shows(certhook().stdout, found["locations"][1]["note"])


def test_without_variables_the_system_and_certifi_are_trusted(status, variables) -> None:
    found = status(**{**dict.fromkeys(variables), "CERTHOOK_STORE_DIR": variables["CERTHOOK_STORE_DIR"]})
    assert found["sources"] == ["system", "bundled"]
    assert found["mode"] == "chain"
    assert found["trusted_count_by_source"]["bundled"] > 50
    assert [Path(place["path"]).name for place in found["locations"] if place["source"] == "bundled"] == ["cacert.pem"]
    assert [variable["name"] for variable in found["variables"]] == ["CERTHOOK_STORE_DIR"]


def test_the_compiled_store_or_the_reason_for_its_absence_is_reported(certhook, status, tmp_path: Path) -> None:
    found = status()
    assert Path(found["store"]).parent == tmp_path / "cache"
    assert found["eager_reason"] is None
    assert support.shows(certhook().stdout, f"Contexts use the compiled store {found['store']}")
    assert found["store_built_at"].endswith("+00:00")
    assert found["store_build_reason"] == "there was no store (noticed by 'certhook status')"
    for changed in ({"CERTHOOK_LOAD": "eager"}, {"CERTHOOK_STORE_DIR": "none"}):
        found = status(**changed)
        assert found["store"] is None
        (expected,) = (f"{name}={value}" for name, value in changed.items())
        assert found["eager_reason"] == expected
        assert f"Root certificates are loaded into each context: {expected}\n" in certhook(**changed).stdout


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_a_directory_that_is_unsafe_is_reported_with_the_remedy_and_is_no_problem(status, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o777)
    found = status()
    assert found["store"] is None
    path = tmp_path / "cache"
    assert f"{path} is writable by other users (mode 777); run 'chmod go-w {path}'" in found["eager_reason"]
    assert found["problems"] == []


@pytest.mark.parametrize("on_error", ["warn", "raise"])
def test_every_problem_is_reported(on_error: str, status, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.pem")
    found = status(CERTHOOK_MODE="both", CERTHOOK_EXTRA_CA_CERTS=missing, CERTHOOK_ON_ERROR=on_error)
    setting, source = found["problems"]
    assert setting.startswith("CERTHOOK_MODE: invalid value 'both'")
    assert source.startswith(f"CERTHOOK_EXTRA_CA_CERTS: {missing} ")
    assert found["trusted_count"] == 2


def test_a_root_that_openssl_rejects_is_a_problem_and_is_not_counted(status, variables) -> None:
    rejected = der.root("rejected", key=b"\x30\0")
    with open(variables["CERTHOOK_BUNDLE"], "ab") as file:
        file.write(der.pem(rejected))
    found = status()
    (problem,) = found["problems"]
    assert "OpenSSL rejects it" in problem
    assert found["trusted_count_by_source"] == {"bundled": 2, "extra": 1, "system": 2}


def test_the_output_does_not_depend_on_the_hash_seed(certhook) -> None:
    assert certhook("--json", PYTHONHASHSEED="1").stdout == certhook("--json", PYTHONHASHSEED="2").stdout


# Private and expired roots.


def test_roots_that_certifi_does_not_ship_are_private(status, variables, installed, tmp_path) -> None:
    bundle = support.purelib(installed) / "certifi" / "cacert.pem"
    public = re.findall(r"(?s)-----BEGIN .*?-----END CERTIFICATE-----\n", bundle.read_text())[0]
    (tmp_path / "extra.pem").write_text(public)
    found = status(SSL_CERT_FILE=os.devnull)
    assert [root["private"] for root in found["roots"] if root["listed_by"][0]["source"] == "extra"] == [False]
    assert found["private_count"] == sum(root["private"] for root in found["roots"]) == found["trusted_count"] - 1


def test_expired_roots_are_counted(status, tmp_path) -> None:
    with open(tmp_path / "extra.pem", "ab") as file:
        file.write(roots.ROOTS["bundle"]["expired"])
    found = status()
    assert found["expired_count"] == 1
    assert [root["subject"] for root in found["roots"] if root["expired"]] == ["CN=Expired"]


# Variables.


@pytest.mark.parametrize(
    ("changed", "name", "expected"),
    [
        ({}, "CERTHOOK_BUNDLE", "replaces certifi's bundle"),
        ({"CERTHOOK_MODE": ""}, "CERTHOOK_MODE", "has no effect: it is empty"),
        ({"CERTHOOK_MODE": "both"}, "CERTHOOK_MODE", "invalid value 'both'"),
        ({"CERTHOOK_EXTRA_CA_CERTS": "extra.pem"}, "CERTHOOK_EXTRA_CA_CERTS", "relative path"),
        ({"CERTHOOK_DISABLED": "0"}, "CERTHOOK_DISABLED", "has no effect: the value means no"),
        ({"CERTHOOK_DISABLED": "1"}, "CERTHOOK_DISABLED", "disables certhook"),
        ({"NIX_SSL_CERT_FILE": "/roots.pem"}, "NIX_SSL_CERT_FILE", "has no effect: SSL_CERT_FILE"),
    ],
)
def test_a_variable_is_shown_with_its_effect(changed, name: str, expected: str, status) -> None:
    assert expected in effect(status(**changed), name)


def test_a_public_bundle_in_ssl_cert_file_is_recognised(status, installed) -> None:
    bundle = str(support.purelib(installed) / "certifi" / "cacert.pem")
    found = status(SSL_CERT_FILE=bundle, SSL_CERT_DIR=None, CERTHOOK_BUNDLE=None)
    assert effect(found, "SSL_CERT_FILE") == "names a copy of Mozilla's roots, and therefore excludes no other roots"


def test_every_setting_that_is_set_is_shown_and_no_other_variable(status) -> None:
    found = status(**{setting.name: os.devnull for setting in SETTINGS}, CERTHOOKS="1", SSL_CERT="1")
    assert {variable["name"] for variable in found["variables"]} == {setting.name for setting in SETTINGS}
    assert all(variable["effect"] for variable in found["variables"])


def test_a_misspelt_variable_of_certhook_is_reported_with_a_suggestion(certhook, status) -> None:
    assert effect(status(CERTHOOK_EXTRA_CERTS="1"), "CERTHOOK_EXTRA_CERTS").startswith("has no effect")
    shown = certhook(CERTHOOK_EXTRA_CERTS="1").stdout
    expected = "has no effect: certhook has no such variable; did you mean CERTHOOK_EXTRA_CA_CERTS?"
    assert support.shows(shown, f"CERTHOOK_EXTRA_CERTS=1 {expected}")


# An inactive hook.


def test_without_site_the_hook_is_inactive(status, installed: Path) -> None:
    found = status(flags=("-S",), PYTHONPATH=str(support.purelib(installed)))
    assert not found["active"]
    assert not found["disabled"]
    assert found["enabled_by"] is None
    assert found["trusted_count"] == 4  # The roots that would be trusted.


def test_certhook_disabled_is_recognised(status) -> None:
    found = status(CERTHOOK_DISABLED="1")
    assert not found["active"]
    assert found["disabled"]
    assert found["enabled_by"] is None


def test_a_host_that_installs_the_hook_is_identified(installed: Path, variables, tmp_path: Path) -> None:
    code = "import certhook, sys; certhook.install(); from certhook.cli import main; sys.exit(main(['--json']))"
    env = support.clean_env(PYTHONPATH=str(support.purelib(installed)), **variables)
    found = json.loads(support.run(installed, code, "-S", env=env, cwd=str(tmp_path)).stdout)
    assert found["active"]
    assert found["enabled_by"] == "certhook.install()"
