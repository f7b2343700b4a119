"""The X.509 reader returns the fields of certificates, and raises ValueError for everything else."""

from __future__ import annotations

import re
import ssl
from time import process_time

import der
import pytest
import support
from cryptography import x509 as cryptography_x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import example, given, settings
from hypothesis import strategies as st

from certhook._certificates import auxiliary, names, x509

CERTIFICATE = der.certificate(der.common_name("Root CA"))


# Fields.


def test_the_fields_are_those_that_cryptography_reads(cas: support.Authorities) -> None:
    expected = cryptography_x509.load_der_x509_certificate(cas.der("system"))
    found = x509.Certificate(cas.der("system") + b"more")
    assert (found.der, found.rest) == (cas.der("system"), b"more")
    assert found.subject == expected.subject.public_bytes()
    assert found.issuer == expected.issuer.public_bytes()
    assert found.key == expected.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert int.from_bytes(found.serial[2:], "big") == expected.serial_number


@pytest.mark.parametrize(
    ("trusted", "rejected"),
    [
        (None, []),
        ([], []),
        ([x509.SERVER_AUTH], [x509.CLIENT_AUTH]),
        (None, [x509.ANY_EXTENDED_KEY_USAGE, "2.999.3", "0.39.128"]),
    ],
)
def test_trust_settings_are_decoded(trusted, rejected) -> None:
    assert auxiliary.read(der.auxiliary(trusted, rejected)) == (trusted, rejected)


LISTS = [
    der.auxiliary(["1.2"]),
    der.auxiliary(None, ["1.2", "1.3"]),
    der.auxiliary([], ["1.2"]),
    der.auxiliary(["1.2"] * 99),
]


@pytest.mark.parametrize("settings", LISTS)
def test_trust_settings_are_reduced_to_the_lists_of_purposes(settings) -> None:
    assert auxiliary.purpose_lists(settings) == settings
    content = der.element(der.UTF8_STRING, b"alias"), der.element(der.OCTET_STRING, b"key"), b"\xa1\x00"
    _, start, end = x509.read(settings, 0, len(settings))
    assert auxiliary.purpose_lists(der.element(der.SEQUENCE, settings[start:end], *content)) == settings
    assert auxiliary.purpose_lists(der.element(der.SEQUENCE, *content)) == b""
    assert auxiliary.purpose_lists(der.auxiliary()) == b""


def test_the_lists_of_purposes_are_in_the_order_that_openssl_requires() -> None:
    lists = der.element(0xA0, der.object_identifier("1.2")), der.element(der.SEQUENCE, der.object_identifier("1.3"))
    assert auxiliary.purpose_lists(der.element(der.SEQUENCE, *lists)) == der.auxiliary(["1.3"], ["1.2"])


@pytest.mark.parametrize("length", [0, 1, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x10000])
def test_elements_are_encoded_with_the_shortest_length(length) -> None:
    assert x509.element(der.OCTET_STRING, bytes(length)) == der.element(der.OCTET_STRING, bytes(length))


@given(st.tuples(st.integers(0, 2), st.integers(0, 39)), st.lists(st.integers(0, 2**28 - 1), max_size=8))
def test_object_identifiers_are_decoded(start, rest) -> None:
    dotted = ".".join(map(str, (*start, *rest)))
    assert x509.dotted(der.object_identifier(dotted)[2:]) == dotted


def test_a_non_minimal_object_identifier_is_rejected() -> None:
    """X.690, 8.19.2. OpenSSL rejects it as well."""
    with pytest.raises(ValueError, match="non-minimal object identifier"):
        x509.dotted(b"\x80" + der.object_identifier(x509.SERVER_AUTH)[2:])


def test_two_digits_of_a_year_are_interpreted_as_in_rfc_5280() -> None:
    def validity(*times: bytes) -> bytes:
        return der.element(0x30, *(der.element(0x17 if len(time) == 13 else 0x18, time) for time in times))

    first, last = x509.dates(validity(b"500101000000Z", b"491231235959Z"))
    assert (first.isoformat(), last.isoformat()) == ("1950-01-01T00:00:00+00:00", "2049-12-31T23:59:59+00:00")
    assert x509.dates(validity(b"20500101000000Z", b"99991231235959Z"))[1].year == 9999
    for invalid in (b"500101000000", b"5001010000Z", b"501301000000Z", b"20500101000000+", b"2050-101000000Z"):
        with pytest.raises(ValueError):
            x509.dates(validity(invalid, invalid))


# Malformed data.


def test_openssl_accepts_the_certificate_that_the_tests_modify() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=CERTIFICATE)
    assert context.cert_store_stats()["x509"] == 1
    assert x509.Certificate(CERTIFICATE).subject == der.common_name("Root CA")


def read_everything(data: bytes) -> None:
    """Call every function that reads DER. Only ValueError may be raised."""
    for function in (
        x509.Certificate,
        auxiliary.read,
        x509.key_purposes,
        x509.dotted,
        x509.dates,
        names.canonical,
        names.subject_hash,
        names.text,
        lambda data: x509.read(data, 0, len(data)),
        lambda data: x509.children(data, 0, len(data)),
        lambda data: names.canonical(x509.Certificate(data).subject),
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
def test_arbitrary_bytes_raise_only_value_error(data: bytes) -> None:
    read_everything(data)


@settings(max_examples=600)
@given(st.integers(0, len(CERTIFICATE) - 1), st.integers(0, 255), st.integers(0, 3), st.binary(max_size=3))
def test_modified_certificates_raise_only_value_error(position: int, octet: int, removed: int, added: bytes) -> None:
    read_everything(CERTIFICATE[:position] + bytes([octet]) + added + CERTIFICATE[position + removed :])


@pytest.mark.parametrize("length", range(len(CERTIFICATE)))
def test_a_truncated_certificate_is_rejected(length: int) -> None:
    with pytest.raises(ValueError):
        x509.Certificate(CERTIFICATE[:length])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"\x30\x82\0" + CERTIFICATE[2:], "non-minimal length", id="a length with a leading zero"),
        pytest.param(b"\x30\x80" + CERTIFICATE[4:] + b"\0\0", "invalid length", id="an indefinite length"),
        pytest.param(b"\x31" + CERTIFICATE[1:], "not an X.509 certificate", id="a set"),
        pytest.param(der.element(0x30), "not an X.509 certificate", id="an empty sequence"),
        pytest.param(
            der.element(0x30, b"\x30\0", b"\x30\0", b"\x03\0"), "unexpected fields in TBSCertificate", id="no fields"
        ),
        pytest.param(der.common_name("Root CA"), "not an X.509 certificate", id="a name"),
    ],
)
def test_data_that_is_not_a_certificate_is_rejected_with_the_reason(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        x509.Certificate(data)


def test_a_non_minimal_length_is_rejected() -> None:
    assert x509.read(b"\x04\x01a", 0, 3) == (4, 2, 3)
    with pytest.raises(ValueError, match="non-minimal length"):
        x509.read(b"\x04\x81\x01a", 0, 4)


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
    "many trust settings": lambda size: (auxiliary.read, der.auxiliary(None, ["1.2.3"] * (size // 4))),
    "a long object identifier": lambda size: (x509.dotted, b"\xff" * size + b"\x7f"),
    "deep nesting": lambda size: (x509.Certificate, re.sub(b"", b"\x30\x84\0", b"\x30" * (size // 4))),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_reading_takes_linear_time(name: str) -> None:
    """Quadratic time would be 64 times as long for an input of eight times the size; the limit is 32 times."""

    def seconds(size: int) -> float:
        function, data = HOSTILE[name](size)
        started = process_time()
        try:
            function(data)
        except ValueError:
            pass
        return process_time() - started

    small = min(seconds(25_000) for _ in range(3))
    assert seconds(200_000) < 32 * max(small, 0.002)
