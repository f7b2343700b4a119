"""Environment variables that look like settings and have no effect."""

from __future__ import annotations

from certhook.cli._variables import unknown_variables


def test_only_variables_with_the_prefix_are_reported_with_a_similar_setting() -> None:
    environ = {
        "CERTHOOK_X": "1",
        "CERTHOOK_EXTRA_CA_CERT": "",
        "CERTHOOK_MODE": "chain",
        "SSL_CERT_FILES": "",
        "PATH": "",
    }
    assert unknown_variables(environ) == {"CERTHOOK_EXTRA_CA_CERT": "CERTHOOK_EXTRA_CA_CERTS", "CERTHOOK_X": ""}


def test_a_setting_without_the_prefix_is_suggested() -> None:
    assert unknown_variables(["CERTHOOK_SSL_CERT_FILE"]) == {"CERTHOOK_SSL_CERT_FILE": "SSL_CERT_FILE"}


def test_a_supported_variable_is_not_unknown() -> None:
    assert unknown_variables(["CERTHOOK_DISABLED", "CERTHOOK_EXTRA_CA_CERTS"]) == {}
