"""The problem of a file without certificates has its format, that of a path that does not exist has its cause."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from pathlib import Path

import der
import pytest
import support
from root_files import ROOTS, bundle, hashed, problems_of, read

from certhook._sources.trust_set import TrustSet

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="uses a POSIX shell")

PKCS7 = der.element(
    der.SEQUENCE,
    der.object_identifier("1.2.840.113549.1.7.2"),
    der.element(
        0xA0,
        der.element(
            der.SEQUENCE,
            der.element(0x02, b"\1"),
            der.element(der.SET),
            der.element(der.SEQUENCE, der.object_identifier("1.2.840.113549.1.7.1")),
            der.element(0xA0, ROOTS["c"]),
            der.element(der.SET),
        ),
    ),
)
KEY = der.pem(b"\x30\x05\x02\x01\x01\x04\x00", "EC PRIVATE KEY")
QUOTED = b"".join(b"> " + line for line in der.pem(ROOTS["c"]).splitlines(keepends=True))

REMEDY = "Correct the path, or remove it from the variable"

#: Files, each with its format, and whether there is a command for it.
FILES = {
    "PKCS#7 in DER": (PKCS7, "PKCS#7 in DER", True),
    "PKCS#7 in PEM": (der.pem(PKCS7, "PKCS7"), "PKCS#7 in PEM", True),
    "a quoted certificate": (QUOTED, "quoted PEM", True),
    "a private key": (KEY, "private key in PEM", False),
    "a login page": (b"<html>", "HTML page", False),
}
#: The variables that name a file of certificates.
VARIABLES = ("CERTHOOK_EXTRA_CA_CERTS", "CERTHOOK_BUNDLE", "SSL_CERT_FILE", "NIX_SSL_CERT_FILE")


def letters_of(trust: TrustSet) -> str:
    """Return the roots of the tests in *trust*, without those of certifi."""
    return "".join(letter for letter, certificate in ROOTS.items() if certificate in {a.der for a in trust.anchors})


def only_problem(setting: str, **variables: object) -> str:
    """Return the message of the only problem, which concerns *setting*."""
    ((name, message),) = problems_of(read(**variables))
    assert name == setting
    return message


@pytest.fixture(autouse=True)
def with_roots(machine: Path) -> None:
    bundle(machine / "compiled.pem", "a")


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("file", FILES)
def test_the_format_of_a_file_without_certificates_is_reported_with_its_conversion(file, variable, machine) -> None:
    data, name, is_convertible = FILES[file]
    path = machine / "ca.crt"
    path.write_bytes(data)
    message = only_problem(variable, **{variable: path})
    assert message.startswith(f"{path} contains no certificate that can be used ({name}). It adds no roots. ")
    assert ("Convert it with '" in message) == is_convertible
    if is_convertible:
        command = message.partition("Convert it with '")[2].partition("', and name the new file instead")[0]
        subprocess.run(command, shell=True, check=True, timeout=60, capture_output=True, env=support.clean_env())
        trust = read(CERTHOOK_EXTRA_CA_CERTS=machine / "ca.pem")
        assert "c" in letters_of(trust) and trust.problems == ()


def test_no_message_contains_a_key(machine) -> None:
    (machine / "key.pem").write_bytes(KEY)
    message = only_problem("CERTHOOK_EXTRA_CA_CERTS", CERTHOOK_EXTRA_CA_CERTS=machine / "key.pem")
    assert KEY.split(b"\n")[1].decode() not in message


def test_an_empty_file_has_no_format(machine) -> None:
    (machine / "ca.pem").write_bytes(b"")
    message = only_problem("CERTHOOK_EXTRA_CA_CERTS", CERTHOOK_EXTRA_CA_CERTS=machine / "ca.pem")
    assert message == f"{machine / 'ca.pem'} contains no certificate: it is empty. It adds no roots. {REMEDY}"


def test_a_malformed_block_is_still_reported_with_its_line(machine) -> None:
    (machine / "ca.pem").write_bytes(b"\n-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n")
    problems = dict(problems_of(read(CERTHOOK_EXTRA_CA_CERTS=machine / "ca.pem")))
    assert "line 2" in problems["ca.pem"]
    assert "malformed PEM" in problems["CERTHOOK_EXTRA_CA_CERTS"]


def test_a_file_in_a_directory_is_reported_if_it_can_be_converted(machine) -> None:
    directory = machine / "directory"
    bundle(directory / "b.pem", "b")
    (directory / "c.crt").write_bytes(PKCS7)
    (directory / "key.pem").write_bytes(KEY)
    (directory / "README").write_bytes(QUOTED)
    trust = read(CERTHOOK_EXTRA_CA_CERTS=directory)
    assert letters_of(trust) == "ab"
    ((name, message),) = problems_of(trust)
    assert name == "c.crt"
    assert message.startswith("is PKCS#7 in DER and adds no roots. ")
    assert f"-out {directory / 'c.pem'}'" in message


def test_files_that_no_variable_names_are_not_identified(machine, monkeypatch) -> None:
    for path in (machine / "first.pem", machine / "second" / "c.crt"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(PKCS7)
    hashed(machine / "compiled", "b")
    sys.modules.pop("certhook._certificates.formats", None)
    read(CERTHOOK_EXTRA_CA_CERTS=bundle(machine / "extra.pem", "c"))
    assert "certhook._certificates.formats" not in sys.modules


# DER.


def test_der_is_read_from_the_variables_of_certhook_but_not_from_those_of_openssl(machine) -> None:
    path = machine / "ca.crt"
    path.write_bytes(ROOTS["c"])
    for variable in VARIABLES:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        with pytest.raises(ssl.SSLError):
            context.load_verify_locations(cafile=path)
        trust = read(**{variable: path})
        if variable.startswith("CERTHOOK"):
            assert "c" in letters_of(trust) and trust.problems == ()
        else:
            assert "c" not in letters_of(trust)
            ((name, message),) = problems_of(trust)
            assert (name, "(certificate in DER)" in message) == (variable, True)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_a_file_in_der_is_trusted_exactly_if_stock_python_trusts_it(
    variable, installed, cas, servers, tmp_path
) -> None:
    (tmp_path / "ca.der").write_bytes(cas.der("system"))
    other = {"SSL_CERT_FILE": "SSL_CERT_DIR", "SSL_CERT_DIR": "SSL_CERT_FILE"}[variable]
    found = []
    for disabled in ("1", "0"):
        env = support.clean_env(
            **{variable: str(tmp_path / "ca.der"), other: str(tmp_path / "missing")},
            CERTHOOK_DISABLED=disabled,
            SERVERS=support.server_list(servers),
        )
        found.append(support.verdicts(support.run(installed, support.VERDICTS, "-W", "ignore", env=env).stdout))
    assert found[0] == found[1]


def test_nixpkgs_selection_of_no_roots_is_no_problem(machine) -> None:
    assert read(NIX_SSL_CERT_FILE="/no-cert-file.crt").problems == ()


# Paths that do not exist.

HOME = "/home/user"
#: Values with a directory for {}, each with a part of the message.
MISTAKES = {
    '"{}/ca.pem"': "quotation marks are part of the value; use {}/ca.pem",
    "'{}/ca.pem'": "quotation marks are part of the value; use {}/ca.pem",
    "\u201c{}/ca.pem\u201d": "quotation marks are part of the value; use {}/ca.pem",
    '{}/ca.pem"': "quotation marks are part of the value; use {}/ca.pem",
    '"~/ca.pem"': f"quotation marks are part of the value; use {HOME}/ca.pem",
    '"ca.pem"': "quotation marks are part of the value; remove them",
    "~/ca.pem": f"~ is not expanded in the value; use {HOME}/ca.pem",
    "$HOME/ca.pem": "other variables are not expanded in the value",
    "${{HOME}}/ca.pem": "other variables are not expanded in the value",
    "%USERPROFILE%/ca.pem": "other variables are not expanded in the value",
    "{}/$NAME.pem": "other variables are not expanded in the value",
    "file://{}/ca.pem": "a path begins without file://; use {}/ca.pem",
    "https://example.org/ca.pem": "a URL is not a path; download the file",
    "{}/ca.pem ": "the value ends with a space; use {}/ca.pem",
    "{}/ca.pem\n": "the value ends with a line break; use {}/ca.pem",
    "{}/ca.pem\r": "the value ends with a carriage return; use {}/ca.pem",
    " {}/ca.pem": "the value begins with a space; use {}/ca.pem",
    "  ": "the value consists of white space",
}


def assert_mentions(message: str, expected: str) -> None:
    assert expected.lower() in message.lower()


@pytest.mark.parametrize("variable", VARIABLES[:3])
@pytest.mark.parametrize("value", MISTAKES)
def test_the_cause_of_a_path_that_does_not_exist_is_reported(value: str, variable: str, machine, monkeypatch) -> None:
    monkeypatch.setenv("HOME", HOME)
    bundle(machine / "ca.pem", "c")
    message = only_problem(variable, **{variable: value.format(machine)})
    assert_mentions(message, MISTAKES[value].format(machine))


def test_the_cause_is_reported_for_every_variable_with_a_path(machine, monkeypatch) -> None:
    monkeypatch.setenv("HOME", HOME)
    for variable in (*VARIABLES, "SSL_CERT_DIR", "CERTHOOK_STORE_DIR"):
        message = only_problem(variable, **{variable: "~/ca"})
        assert_mentions(message, f"~ is not expanded in the value; use {HOME}/ca")


@pytest.mark.parametrize("separator", [";", ",", ", ", " ", "\n"])
def test_a_wrong_separator_is_reported(separator: str, machine) -> None:
    value = f"{machine}/a.pem{separator}{machine}/b.pem"
    for variable in ("CERTHOOK_EXTRA_CA_CERTS", "SSL_CERT_DIR"):
        assert_mentions(only_problem(variable, **{variable: value}), f"paths are separated by {os.pathsep!r}")
    for variable in ("CERTHOOK_BUNDLE", "SSL_CERT_FILE"):
        assert_mentions(only_problem(variable, **{variable: value}), "the value contains several paths")


def test_a_list_in_a_variable_for_one_file_is_reported(machine) -> None:
    value = f"{machine}/a.pem:{machine}/b.pem"
    for variable in ("CERTHOOK_BUNDLE", "SSL_CERT_FILE"):
        assert_mentions(only_problem(variable, **{variable: value}), "the value contains several paths")


def test_a_path_of_windows_is_one_path(machine) -> None:
    message = only_problem("CERTHOOK_EXTRA_CA_CERTS", CERTHOOK_EXTRA_CA_CERTS=r"C:\pki\ca.pem")
    assert_mentions(message, "it is a path of Windows")


def test_a_mistake_in_one_path_does_not_affect_the_others(machine) -> None:
    path = bundle(machine / "b.pem", "b")
    for mistake in (f'"{machine}/c.pem"', f"{machine}/c.pem ", "~/c.pem"):
        for value in (f"{mistake}:{path}", f"{path}:{mistake}"):
            trust = read(CERTHOOK_EXTRA_CA_CERTS=value)
            assert letters_of(trust) == "ab"
            assert len(trust.problems) == 1


def test_quotation_marks_around_a_list_are_one_problem(machine) -> None:
    value = f'"{machine}/b.pem:{machine}/c.pem"'
    assert_mentions(only_problem("CERTHOOK_EXTRA_CA_CERTS", CERTHOOK_EXTRA_CA_CERTS=value), f"; use {value[1:-1]}")


def test_pem_text_instead_of_a_path_is_reported_without_the_text(machine) -> None:
    message = only_problem("CERTHOOK_EXTRA_CA_CERTS", CERTHOOK_EXTRA_CA_CERTS=der.pem(ROOTS["c"]).decode())
    assert_mentions(message, "the value is PEM text; write it to a file")
    assert der.pem(ROOTS["c"]).split(b"\n")[1].decode() not in message


def test_other_missing_paths_have_no_cause(machine) -> None:
    message = only_problem("CERTHOOK_EXTRA_CA_CERTS", CERTHOOK_EXTRA_CA_CERTS=machine / "it's, a 100% file.pem")
    assert message.endswith(f"cannot be read: No such file or directory. It adds no roots. {REMEDY}")


def test_a_file_with_an_unusual_name_is_read(machine) -> None:
    for name in ('"quoted"', "$HOME", "a;b", "ends with a space ", "a, b"):
        assert letters_of(read(CERTHOOK_EXTRA_CA_CERTS=bundle(machine / name, "c"))) == "ac"
