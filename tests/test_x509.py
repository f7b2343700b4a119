"""The walker over DER: OpenSSL's subject hash for every name, and ValueError for all that is no certificate."""

from __future__ import annotations

import os
import re
import shutil
import ssl
import subprocess
import tempfile
from pathlib import Path
from time import process_time
from typing import Callable

import certifi
import der
import pytest
import support
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import example, given, settings
from hypothesis import strategies as st

from certhook._certificates import names, pem, x509
from certhook._sources import locations

NUMERIC_STRING, T61_STRING, IA5_STRING, VISIBLE_STRING = 0x12, 0x14, 0x16, 0x1A
UNIVERSAL_STRING, BMP_STRING = 0x1C, 0x1E


def public_bundles() -> list[Path]:
    """The real bundles of this machine."""
    files, _ = locations.of()
    return [Path(certifi.where()), *(Path(file) for file in files if os.path.isfile(file))]


@pytest.fixture(scope="module")
def openssl() -> str:
    """The openssl command, without which CI must not pass."""
    command = shutil.which("openssl")
    if command is None:
        if os.environ.get("CI"):
            pytest.fail("the openssl command is needed")
        pytest.skip("there is no openssl command to compare with")
    return command


@pytest.fixture(scope="module")
def openssl_hashes(openssl: str) -> Callable[[list[bytes]], list[set[str]]]:
    """The hashes, new and old, that OpenSSL gives the subjects of many certificates; none where it refuses one.

    ``openssl rehash`` hashes a folder in one process: it makes a link named by each hash to the file.
    """

    def hashes(certificates: list[bytes]) -> list[set[str]]:
        with tempfile.TemporaryDirectory() as folder:
            for number, certificate in enumerate(certificates):
                Path(folder, f"{number}.pem").write_bytes(der.pem(certificate))
            command = [openssl, "rehash", "-compat", folder]
            subprocess.run(command, env=support.clean_env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            found: list[set[str]] = [set() for _ in certificates]
            for link in Path(folder).iterdir():
                if link.is_symlink():
                    found[int(Path(os.readlink(str(link))).stem)].add(link.name[:8])
            return found

    return hashes


def our_hashes(certificate: bytes) -> set[str]:
    subject = x509.Certificate(certificate).subject
    return {names.subject_hash(subject), names.subject_hash_old(subject)}


# What OpenSSL calls the subject hash.


@pytest.mark.parametrize("bundle", public_bundles(), ids=str)
def test_the_hashes_of_every_public_root_are_openssls(bundle: Path, openssl_hashes) -> None:
    roots = list(dict.fromkeys(anchor.der for anchor in pem.parse(bundle.read_bytes())[0]))
    assert len(roots) > 50
    assert [our_hashes(root) for root in roots] == openssl_hashes(roots)


def test_the_hashes_are_those_that_openssl_x509_prints(openssl: str, cas: support.Authorities) -> None:
    command = [openssl, "x509", "-noout", "-subject_hash", "-subject_hash_old"]
    done = subprocess.run(command, input=cas.pem("system"), env=support.clean_env(), stdout=subprocess.PIPE, check=True)
    subject = x509.Certificate(cas.der("system")).subject
    assert done.stdout.decode().split() == [names.subject_hash(subject), names.subject_hash_old(subject)]


LETTERS = st.sampled_from(
    "aAzZiI@[`{0 é É ß İ ſ \u00a0 \u2003 \u3000 😀 \u0130 \x85 \x1c \x00 \t\n\v\f\r".replace("  ", " ")
)
TEXTS = st.one_of(st.text(LETTERS, max_size=12), st.text(max_size=8))
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
    # OpenSSL compares these as they are.
    strings(NUMERIC_STRING, st.text("0123456789 ", max_size=8), "latin-1"),
    st.binary(max_size=8).map(lambda value: der.element(der.BIT_STRING, b"\0", value)),
    # And refuses most of these.
    st.builds(der.element, st.sampled_from([0x0C, 0x12, 0x13, 0x14, 0x16, 0x1C, 0x1E]), st.binary(max_size=9)),
)
KINDS = st.sampled_from(["2.5.4.3", "2.5.4.6", "2.5.4.10", "1.2.840.113549.1.9.1", "1.3.6.1.4.1.99999.1"])
ATTRIBUTES = st.builds(der.attribute, VALUES, KINDS.map(der.object_identifier))
NAMES = st.lists(st.lists(ATTRIBUTES, max_size=3), max_size=3).map(lambda sets: der.name(*sets))


@settings(max_examples=40)
@given(st.lists(NAMES, min_size=8, max_size=40))
@example([der.name(), der.name([]), der.name([], [der.attribute(b"\x0c\x01a")], [])])
@example([der.name([der.attribute(der.element(0x0C, b" \t\n\v\f\rA  B\t\tC \r\n"))])])
def test_the_hashes_of_any_name_that_openssl_can_read_are_openssls(openssl_hashes, names: list[bytes]) -> None:
    certificates = [der.certificate(subject, serial=number) for number, subject in enumerate(names, 1)]
    for certificate, expected in zip(certificates, openssl_hashes(certificates)):
        # Where OpenSSL refuses a name, nobody will ever look the certificate up.
        if expected:
            assert our_hashes(certificate) == expected, certificate.hex()


def test_the_comparison_covers_every_kind_of_name(openssl_hashes) -> None:
    """Were OpenSSL to refuse all of the generated names, the test above would say nothing."""
    texts = [(0x0C, "utf-8"), (0x13, "ascii"), (0x14, "latin-1"), (0x16, "ascii"), (0x1C, "utf-32-be")]
    texts += [(0x1E, "utf-16-be"), (0x12, "ascii")]
    names = [der.name([der.attribute(der.element(tag, " 1  2 ".encode(encoding)))]) for tag, encoding in texts]
    assert all(openssl_hashes([der.certificate(name, number) for number, name in enumerate(names)]))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Root CA", "root ca"),
        ("Root CA", "  Root\t\n CA\r"),
        ("Root CA", "ROOT  CA"),
    ],
)
def test_names_that_openssl_takes_for_one_have_one_hash(one: str, other: str) -> None:
    assert names.subject_hash(der.common_name(one)) == names.subject_hash(der.common_name(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("é", "É"),  # only ASCII has upper and lower case
        ("Root CA", "Root\u00a0CA"),  # only ASCII has space
        ("Root CA", "RootCA"),
    ],
)
def test_names_that_openssl_takes_for_two_have_two_hashes(one: str, other: str) -> None:
    assert names.subject_hash(der.common_name(one)) != names.subject_hash(der.common_name(other))


def test_the_order_within_a_set_does_not_matter_and_that_of_the_sets_does() -> None:
    one, other = der.attribute(b"\x0c\x01a"), der.attribute(b"\x0c\x02bc")
    assert names.subject_hash(der.name([one, other])) == names.subject_hash(der.name([other, one]))
    assert names.subject_hash(der.name([one], [other])) != names.subject_hash(der.name([other], [one]))


# The fields.


def test_the_fields_are_those_of_the_certificate(cas: support.Authorities) -> None:
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    known = x509.load_der_x509_certificate(cas.der("system"))
    found = x509.Certificate(cas.der("system") + b"more")
    assert (found.der, found.rest) == (cas.der("system"), b"more")
    assert found.subject == known.subject.public_bytes()
    assert found.issuer == known.issuer.public_bytes()
    assert found.key == known.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert int.from_bytes(found.serial[2:], "big") == known.serial_number


@pytest.mark.parametrize(
    ("trusted", "rejected"),
    [
        (None, []),
        ([], []),
        ([x509.SERVER_AUTH], [x509.CLIENT_AUTH]),
        (None, ["2.5.29.37.0", "2.999.3", "0.39.128"]),
    ],
)
def test_trust_settings_are_read_as_they_were_written(trusted, rejected) -> None:
    assert x509.auxiliary(der.auxiliary(trusted, rejected)) == (trusted, rejected)


@given(st.tuples(st.integers(0, 2), st.integers(0, 39)), st.lists(st.integers(0, 2**28 - 1), max_size=8))
def test_object_identifiers_are_read_as_they_were_written(start, rest) -> None:
    dotted = ".".join(map(str, (*start, *rest)))
    assert x509.dotted(der.object_identifier(dotted)[2:]) == dotted


def test_a_second_way_to_write_an_object_identifier_is_refused() -> None:
    """X.690, 8.19.2: OpenSSL refuses it too."""
    with pytest.raises(ValueError):
        x509.dotted(b"\x80" + der.object_identifier(x509.SERVER_AUTH)[2:])


# What is not DER.

CERTIFICATE = der.certificate(der.common_name("Root CA"))


def read_everything(data: bytes) -> None:
    """Every function that reads DER; ValueError is the one exception that it may raise."""
    for function in (
        x509.Certificate,
        x509.auxiliary,
        x509.key_purposes,
        x509.dotted,
        names.canonical,
        names.subject_hash,
        lambda data: x509.read(data, 0, len(data)),
        lambda data: x509.children(data, 0, len(data)),
        lambda data: names.canonical(x509.Certificate(data).subject),
        names.text,
        x509.dates,
        lambda data: names.text(x509.Certificate(data).subject),
        lambda data: x509.dates(x509.Certificate(data).validity),
    ):
        try:
            function(data)
        except ValueError:
            continue


@settings(max_examples=400)
@given(st.binary(max_size=64))
@example(b"")
@example(b"\x30\x80\x00\x00")
@example(b"\x30\x84\xff\xff\xff\xff")
def test_arbitrary_bytes_raise_value_error_only(data: bytes) -> None:
    read_everything(data)


@settings(max_examples=600)
@given(st.integers(0, len(CERTIFICATE) - 1), st.integers(0, 255), st.integers(0, 3), st.binary(max_size=3))
def test_changed_certificates_raise_value_error_only(position: int, octet: int, cut: int, put: bytes) -> None:
    read_everything(CERTIFICATE[:position] + bytes([octet]) + put + CERTIFICATE[position + cut :])


@pytest.mark.parametrize("length", range(len(CERTIFICATE)))
def test_a_certificate_that_is_cut_short_is_none(length: int) -> None:
    with pytest.raises(ValueError):
        x509.Certificate(CERTIFICATE[:length])


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x30\x82\0" + CERTIFICATE[2:], id="a length with a leading zero"),
        pytest.param(b"\x30\x80" + CERTIFICATE[4:] + b"\0\0", id="a length that is not told"),
        pytest.param(b"\x31" + CERTIFICATE[1:], id="a set"),
        pytest.param(der.element(0x30), id="nothing in it"),
        pytest.param(der.element(0x30, b"\x30\0", b"\x30\0", b"\x03\0"), id="no fields"),
        pytest.param(der.common_name("Root CA"), id="a name"),
    ],
)
def test_what_is_no_certificate_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        x509.Certificate(data)


def test_a_length_that_is_not_in_its_shortest_form_is_refused() -> None:
    assert x509.read(b"\x04\x01a", 0, 3) == (4, 2, 3)
    with pytest.raises(ValueError, match="shortest"):
        x509.read(b"\x04\x81\x01a", 0, 4)


def test_what_openssl_loads_is_a_certificate() -> None:
    """Or the tests above would say nothing: the certificate that they change is one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=CERTIFICATE)
    assert context.cert_store_stats()["x509"] == 1
    assert x509.Certificate(CERTIFICATE).subject == der.common_name("Root CA")


# What a person reads.


@pytest.mark.filterwarnings("ignore:Parsed a serial number:UserWarning")
def test_names_and_dates_of_real_roots_are_those_that_a_library_reads() -> None:
    for path in public_bundles():
        for anchor in pem.parse(path.read_bytes())[0]:
            expected = x509.load_der_x509_certificate(anchor.der)
            assert anchor.subject == expected.subject.rfc4514_string(NAMES)
            assert anchor.validity == (expected.not_valid_before_utc, expected.not_valid_after_utc)


#: Names of attributes that RFC 4514 leaves to others.
NAMES = {
    NameOID.EMAIL_ADDRESS: "emailAddress",
    NameOID.ORGANIZATION_IDENTIFIER: "organizationIdentifier",
    NameOID.SERIAL_NUMBER: "serialNumber",
}


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
def test_what_means_something_to_the_notation_or_a_terminal_is_escaped(value, expected) -> None:
    assert names.text(der.common_name(value)) == f"CN={expected}"


def test_an_attribute_that_is_no_text_or_unknown_is_shown_as_it_is() -> None:
    kind = der.object_identifier("1.2.3")
    assert names.text(der.name([der.attribute(b"\x02\x01\x05", kind), der.attribute(b"\x0c\x01a")])) == (
        "1.2.3=#020105+CN=a"
    )


def test_the_years_of_two_digits_are_those_of_rfc_5280() -> None:
    def validity(*times: bytes) -> bytes:
        return der.element(0x30, *(der.element(0x17 if len(time) == 13 else 0x18, time) for time in times))

    first, last = x509.dates(validity(b"500101000000Z", b"491231235959Z"))
    assert (first.isoformat(), last.isoformat()) == ("1950-01-01T00:00:00+00:00", "2049-12-31T23:59:59+00:00")
    assert x509.dates(validity(b"20500101000000Z", b"99991231235959Z"))[1].year == 9999
    for wrong in (b"500101000000", b"5001010000Z", b"501301000000Z", b"20500101000000+", b"2050-101000000Z"):
        with pytest.raises(ValueError):
            x509.dates(validity(wrong, wrong))


# Time.

HOSTILE = {
    "a name of many sets": lambda size: (names.canonical, der.element(0x30, b"\x31\0" * (size // 2))),
    "a set of many attributes": lambda size: (
        names.canonical,
        der.element(0x30, der.element(0x31, der.attribute(b"\x0c\x01a") * (size // 10))),
    ),
    "a long text": lambda size: (names.canonical, der.name([der.attribute(der.element(0x0C, b" A" * (size // 2)))])),
    "many fields": lambda size: (
        x509.Certificate,
        der.element(0x30, der.element(0x30, b"\x30\0" * (size // 2)), b"\x30\0\x03\0"),
    ),
    "many trust settings": lambda size: (x509.auxiliary, der.auxiliary(None, ["1.2.3"] * (size // 4))),
    "one long object identifier": lambda size: (x509.dotted, b"\xff" * size + b"\x7f"),
    "deep nesting": lambda size: (x509.Certificate, re.sub(b"", b"\x30\x84\0", b"\x30" * (size // 4))),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_reading_takes_linear_time(name: str) -> None:
    """Eight times the input must not take sixty-four times as long: half of that is allowed, for a busy machine."""

    def seconds(size: int) -> float:
        function, data = HOSTILE[name](size)
        started = process_time()
        try:
            function(data)
        except ValueError:
            pass
        return process_time() - started

    small = min(seconds(50_000) for _ in range(3))
    assert seconds(400_000) < 32 * max(small, 0.002)
