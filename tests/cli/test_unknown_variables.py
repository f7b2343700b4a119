"""Environment variables that look like settings and have no effect."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from certhook.cli._variables import extra_command, unknown_variables


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


@pytest.mark.parametrize(
    ("name", "similar"),
    [
        ("CERTHOK_MODE", "CERTHOOK_MODE"),
        ("CERT_HOOK_EXTRA_CA_CERTS", "CERTHOOK_EXTRA_CA_CERTS"),
        ("CERTHOOKS_LOAD", "CERTHOOK_LOAD"),
        ("certhook_debug", "CERTHOOK_DEBUG"),
        ("CERTHOK_EXTRA_CA_CERT", "CERTHOOK_EXTRA_CA_CERTS"),
    ],
)
def test_a_misspelled_prefix_is_recognised(name, similar) -> None:
    assert unknown_variables([name]) == {name: similar}


@pytest.mark.parametrize("name", ["CERTHOOK", "CERTHOOKS", "CERTBOT_MODE", "PIP_CERT", "SSL_CERT_FILES"])
def test_a_variable_of_another_program_is_not_a_misspelling(name) -> None:
    assert unknown_variables([name]) == {}


# The command that adds a file.


@pytest.mark.skipif(not shutil.which("sh"), reason="there is no sh")
@pytest.mark.parametrize(("present", "expected"), [(None, "/new a"), ("", "/new a"), ("/a b", "/a b:/new a")])
def test_the_command_that_adds_a_file_keeps_the_present_ones(present, expected) -> None:
    environ = {} if present is None else {"CERTHOOK_EXTRA_CA_CERTS": present}
    code = f'{extra_command("/new a", environ, is_windows=False)}; printf %s "$CERTHOOK_EXTRA_CA_CERTS"'
    assert subprocess.check_output(["sh", "-c", code], env=environ).decode() == expected


def test_the_command_for_windows_keeps_the_present_files() -> None:
    environ = {"CERTHOOK_EXTRA_CA_CERTS": r"C:\a.pem"}
    assert extra_command(r"C:\b.pem", environ, True) == (
        r'setx CERTHOOK_EXTRA_CA_CERTS "%CERTHOOK_EXTRA_CA_CERTS%;C:\b.pem"'
    )
    assert extra_command(r"C:\b.pem", {}, True) == r'setx CERTHOOK_EXTRA_CA_CERTS "C:\b.pem"'
