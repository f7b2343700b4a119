"""Subject hashes and canonical names are those of OpenSSL, and the text form is safe to print."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Callable

import der
import pytest
import support
from hypothesis import example, given, settings
from hypothesis import strategies as st

from certhook._certificates import names, pem, x509

NUMERIC_STRING, T61_STRING, IA5_STRING, VISIBLE_STRING = 0x12, 0x14, 0x16, 0x1A
UNIVERSAL_STRING, BMP_STRING = 0x1C, 0x1E


@pytest.fixture(scope="module")
def openssl_hashes(openssl: str) -> Callable[[list[bytes]], list[set[str]]]:
    """A function that returns OpenSSL's two subject hashes of each certificate, none if OpenSSL rejects it.

    ``openssl rehash`` processes a directory at once: it links each hash to the certificate's file.
    """

    def hashes(certificates: list[bytes]) -> list[set[str]]:
        with tempfile.TemporaryDirectory() as directory:
            for number, certificate in enumerate(certificates):
                Path(directory, f"{number}.pem").write_bytes(der.pem(certificate))
            command = [openssl, "rehash", "-compat", directory]
            subprocess.run(command, env=support.clean_env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            found: list[set[str]] = [set() for _ in certificates]
            for link in Path(directory).iterdir():
                if link.is_symlink():
                    found[int(Path(os.readlink(str(link))).stem)].add(link.name[:8])
            return found

    return hashes


def subject_hashes(certificate: bytes) -> set[str]:
    subject = x509.Certificate(certificate).subject
    return {names.subject_hash(subject), names.subject_hash_old(subject)}


# Subject hashes.


def test_subject_hashes_of_public_roots_are_those_of_openssl(public_bundle: Path, openssl_hashes) -> None:
    roots = list(dict.fromkeys(entry.der for entry in pem.parse(public_bundle.read_bytes())[0]))
    assert len(roots) > 50
    assert [subject_hashes(root) for root in roots] == openssl_hashes(roots)


def test_each_subject_hash_equals_the_one_that_openssl_x509_prints(openssl: str, cas: support.Authorities) -> None:
    command = [openssl, "x509", "-noout", "-subject_hash", "-subject_hash_old"]
    done = subprocess.run(command, input=cas.pem("system"), env=support.clean_env(), stdout=subprocess.PIPE, check=True)
    subject = x509.Certificate(cas.der("system")).subject
    assert done.stdout.decode().split() == [names.subject_hash(subject), names.subject_hash_old(subject)]


LETTERS = st.sampled_from(
    "aAzZiI@[`{0 é É ß İ ſ \u00a0 \u2003 \u3000 😀 \u0130 \x85 \x1c \x00 \t\n\v\f\r".replace("  ", " ")
)
TEXTS = st.one_of(st.text(LETTERS, max_size=12), st.text(max_size=8))
BYTES = st.binary(max_size=8)
LATIN = st.text(st.characters(max_codepoint=255), max_size=12)
ASCII = st.text(st.characters(max_codepoint=127), max_size=12)


def strings(tag: int, texts: st.SearchStrategy[str], encoding: str) -> st.SearchStrategy[bytes]:
    return texts.map(lambda text: der.element(tag, text.encode(encoding, "surrogatepass")))


VALUES = st.one_of(
    strings(der.UTF8_STRING, TEXTS, "utf-8"),
    strings(der.PRINTABLE_STRING, LATIN, "latin-1"),
    strings(T61_STRING, LATIN, "latin-1"),
    strings(IA5_STRING, LATIN, "latin-1"),
    strings(VISIBLE_STRING, ASCII, "latin-1"),
    strings(UNIVERSAL_STRING, TEXTS, "utf-32-be"),
    strings(BMP_STRING, TEXTS, "utf-16-be"),
    strings(BMP_STRING, st.text(st.characters(min_codepoint=0xD700, max_codepoint=0xE000), max_size=3), "utf-16-be"),
    # OpenSSL compares these without decoding them.
    strings(NUMERIC_STRING, st.text("0123456789 ", max_size=8), "latin-1"),
    st.builds(lambda unused, value: der.element(der.BIT_STRING, bytes((unused,)), value), st.integers(0, 7), BYTES),
    # OpenSSL rejects most of these.
    st.builds(der.element, st.sampled_from([0x0C, 0x12, 0x13, 0x14, 0x16, 0x1C, 0x1E]), st.binary(max_size=9)),
)
KINDS = st.sampled_from(["2.5.4.3", "2.5.4.6", "2.5.4.10", "1.2.840.113549.1.9.1", "1.3.6.1.4.1.99999.1"])
ATTRIBUTES = st.builds(der.attribute, VALUES, KINDS.map(der.object_identifier))
NAMES = st.lists(st.lists(ATTRIBUTES, max_size=3), max_size=3).map(lambda sets: der.name(*sets))


@settings(max_examples=40)
@given(st.lists(NAMES, min_size=8, max_size=40))
@example([der.name(), der.name([]), der.name([], [der.attribute(b"\x0c\x01a")], [])])
@example([der.name([der.attribute(der.element(der.BIT_STRING, bits))]) for bits in (b"\0", b"\7", b"\7\xff")])
@example([der.name([der.attribute(der.element(0x0C, b" \t\n\v\f\rA  B\t\tC \r\n"))])])
def test_subject_hashes_of_any_name_are_those_of_openssl(openssl_hashes, subjects: list[bytes]) -> None:
    certificates = [der.certificate(subject, serial=number) for number, subject in enumerate(subjects, 1)]
    for certificate, expected in zip(certificates, openssl_hashes(certificates)):
        # A name that OpenSSL rejects is never looked up.
        if expected:
            assert subject_hashes(certificate) == expected, certificate.hex()


def test_openssl_accepts_a_name_of_every_string_type(openssl_hashes) -> None:
    """The test above compares nothing if OpenSSL rejects the generated names."""
    encodings = [(0x0C, "utf-8"), (0x13, "ascii"), (0x14, "latin-1"), (0x16, "ascii"), (0x1C, "utf-32-be")]
    encodings += [(0x1E, "utf-16-be"), (0x12, "ascii")]
    subjects = [der.name([der.attribute(der.element(tag, " 1  2 ".encode(encoding)))]) for tag, encoding in encodings]
    assert all(openssl_hashes([der.certificate(subject, number) for number, subject in enumerate(subjects)]))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Root CA", "root ca"),
        ("Root CA", "  Root\t\n CA\r"),
        ("Root CA", "ROOT  CA"),
    ],
)
def test_case_and_white_space_do_not_change_the_subject_hash(one: str, other: str) -> None:
    assert names.subject_hash(der.common_name(one)) == names.subject_hash(der.common_name(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("é", "É"),  # only ASCII letters are converted to lower case
        ("Root CA", "Root\u00a0CA"),  # only ASCII white space counts
        ("Root CA", "RootCA"),
    ],
)
def test_different_names_have_different_subject_hashes(one: str, other: str) -> None:
    assert names.subject_hash(der.common_name(one)) != names.subject_hash(der.common_name(other))


def test_the_order_within_a_set_is_insignificant_and_the_order_of_sets_is_significant() -> None:
    one, other = der.attribute(b"\x0c\x01a"), der.attribute(b"\x0c\x02bc")
    assert names.subject_hash(der.name([one, other])) == names.subject_hash(der.name([other, one]))
    assert names.subject_hash(der.name([one], [other])) != names.subject_hash(der.name([other], [one]))


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"\0\xff", b"\0\xff"), (b"\7\xff", b"\7\x80"), (b"\4\1\xff", b"\4\1\xf0"), (b"\7", b"\0"), (b"\0", b"\0")],
)
def test_unused_bits_in_names_are_zero(content: bytes, expected: bytes) -> None:
    """OpenSSL decodes bit strings, and compares any other type that is not text as it is encoded."""
    found, same = (der.name([der.attribute(der.element(der.BIT_STRING, value))]) for value in (content, expected))
    assert names.canonical(found) == same[2:]
    number = der.name([der.attribute(der.element(NUMERIC_STRING, b"7 "))])
    assert names.canonical(number) == number[2:]


# Text.


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        (" a, b+c ", "\\ a\\, b\\+c\\ "),
        ('#"\\<>;', '\\#\\"\\\\\\<\\>\\;'),
        ("a#b c", "a#b c"),
        ("\x1b[2J\n", "\\1B[2J\\0A"),
        ("\u202eevil", "\\E2\\80\\AEevil"),
        ("Ünï", "Ünï"),
        (" ", "\\ "),
    ],
)
def test_special_and_non_printable_characters_are_escaped(value: str, expected: str) -> None:
    assert names.text(der.common_name(value)) == f"CN={expected}"


def test_a_value_that_is_not_text_is_shown_in_hexadecimal_digits() -> None:
    kind = der.object_identifier("1.2.3")
    name = der.name([der.attribute(b"\x02\x01\x05", kind), der.attribute(b"\x0c\x01a")])
    assert names.text(name) == "1.2.3=#020105+CN=a"


# Self-issued certificates.


def _certificate(subject: bytes, issuer: bytes) -> x509.Certificate:
    return x509.Certificate(der.certificate(subject, issuer=issuer))


def test_a_certificate_is_self_issued_if_its_names_are_equal_for_openssl() -> None:
    name, other = der.common_name("a certificate1"), der.common_name("a certificate2")
    printable = der.name([der.attribute(der.element(der.PRINTABLE_STRING, b"A  CERTIFICATE1"))])
    malformed = der.element(der.SEQUENCE, der.element(der.OCTET_STRING, bytes(len(name) - 4)))
    assert names.is_self_issued(_certificate(name, name))
    assert names.is_self_issued(_certificate(printable, name))
    assert names.is_self_issued(_certificate(malformed, malformed))
    assert not names.is_self_issued(_certificate(name, other))
    assert not names.is_self_issued(_certificate(malformed, name))
    assert not names.is_self_issued(_certificate(name, malformed))
