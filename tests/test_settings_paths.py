"""Values of settings that are paths: URLs and PEM text are refused as a whole, relative paths one by one."""

from __future__ import annotations

import os

import pytest

from certhook._config import Config, may_be_paths

ROOT = os.path.abspath(os.sep)
ONE, TWO = os.path.join(ROOT, "one.pem"), os.path.join(ROOT, "two.pem")

PATHS = [
    "",
    ONE,
    f"{ONE}{os.pathsep}{TWO}",
    "relative.pem",
    os.path.join(ROOT, "user@host", "one.pem"),
    os.path.join(ROOT, "a b", "ü.pem"),
    f"{ROOT}//one.pem",
    "-----",
    "BEGIN CERTIFICATE",
    "LS0t",
]
OTHERS = [
    "https://example.com/ca.pem",
    "file:///one.pem",
    "//user:password@host/ca.pem",
    "user:password@host//ca.pem",
    f"{ONE}{os.pathsep}https://example.com/ca.pem",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
    "-----BEGIN PRIVATE KEY-----",
    f"{ONE}{os.pathsep}-----BEGIN CERTIFICATE-----",
    "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t",
    "x=LS0tLS1CRUdJTg==",
]
SETTINGS = {
    "NIX_SSL_CERT_FILE": ("nix_cert_file", None),
    "CERTHOOK_EXTRA_CA_CERTS": ("extra", ()),
    "CERTHOOK_BUNDLE": ("bundle", ""),
    "CERTHOOK_CACHE_DIR": ("cache_dir", None),
}


@pytest.mark.parametrize("value", PATHS)
def test_a_value_that_contains_no_url_and_no_pem_may_be_paths(value: str) -> None:
    assert may_be_paths(value)


@pytest.mark.parametrize("value", OTHERS)
def test_a_value_that_contains_a_url_or_pem_is_not_paths(value: str) -> None:
    assert not may_be_paths(value)


@pytest.mark.parametrize("value", OTHERS)
@pytest.mark.parametrize("setting", SETTINGS)
def test_no_part_of_a_url_or_of_pem_text_is_used_as_a_path(setting: str, value: str) -> None:
    name, nothing = SETTINGS[setting]
    config = Config({setting: value})
    assert getattr(config, name) == nothing
    (problem,) = config.problems
    assert problem.setting == setting
    assert problem.message


@pytest.mark.parametrize("value", [value for value in OTHERS if "password@host//" not in value])
def test_the_message_about_a_refused_value_contains_no_secret(value: str) -> None:
    (problem,) = Config({"CERTHOOK_EXTRA_CA_CERTS": value}).problems
    for secret in ("password", "MIIB", "LS0tLS1CRUdJT"):
        assert secret not in str(problem)
