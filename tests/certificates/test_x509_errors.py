"""Each error of the X.509 reader is raised for the malformed input that it describes, and for no other input."""

from __future__ import annotations

import hashlib
import re
import sys
from typing import Callable

import der
import pytest

from certhook._certificates import auxiliary, names, x509

INTEGER, BIT_STRING, SEQUENCE, SET = 0x02, 0x03, 0x30, 0x31
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
NULL = b"\x05\x00"

#: The part of each message that the tests rely on.
MESSAGES = {
    "truncated element": "unexpected end of data",
    "long tag": "unsupported multi-byte tag",
    "length": "invalid length",
    "long length": "non-minimal length",
    "bits": "invalid bit string",
    "number": "not an integer",
    "overrun": "element exceeds its container",
    "certificate": "not an X.509 certificate",
    "fields": "unexpected fields in TBSCertificate",
    "trust settings": "invalid OpenSSL trust settings",
    "extension": "not an X.509 extension",
    "extension value": "expected an OCTET STRING as the extension value",
    "purposes": "expected one SEQUENCE of key purposes",
    "identifiers": "expected an OBJECT IDENTIFIER",
    "truncated identifier": "truncated object identifier",
    "endless identifier": "object identifier of more than 128 bytes",
    "long identifier": "non-minimal object identifier",
    "name": "not a distinguished name",
    "relative name": "expected a SET of name attributes",
    "attribute": "not a name attribute",
    "dates": "expected a SEQUENCE of two dates",
    "date": "invalid date",
}


def assert_raises(error: str, function: Callable[..., object], *arguments: object) -> None:
    """Assert that *function* raises a ValueError with the message *error* of :data:`MESSAGES`."""
    with pytest.raises(ValueError, match=re.escape(MESSAGES[error])):
        function(*arguments)


def identifier(dotted: str = "1.2.3") -> bytes:
    return der.object_identifier(dotted)


# Elements.


def header(data: bytes) -> tuple[int, int, int]:
    return x509.read(data, 0, len(data))


@pytest.mark.parametrize("data", [b"", b"\x30"])
def test_an_element_with_an_incomplete_header_is_refused(data: bytes) -> None:
    assert_raises("truncated element", header, data)


def test_an_element_ends_where_its_container_ends() -> None:
    assert x509.read(b"\x04\x01ab", 0, 3) == (0x04, 2, 3)
    assert x509.read(NULL + NULL, 2, 4) == (0x05, 4, 4)
    assert_raises("truncated element", x509.read, NULL, 0, 1)
    assert_raises("overrun", x509.read, b"\x04\x02ab", 0, 3)
    assert_raises("overrun", header, b"\x04\x02a")


@pytest.mark.parametrize("tag", [0x1F, 0x3F, 0xBF])
def test_a_tag_of_several_bytes_is_refused(tag: int) -> None:
    assert_raises("long tag", header, bytes((tag, 0x00)))


@pytest.mark.parametrize("tag", [0x02, 0x1E, 0x20, 0x3E])
def test_any_tag_of_one_byte_is_accepted(tag: int) -> None:
    assert header(bytes((tag, 0x00))) == (tag, 2, 2)


@pytest.mark.parametrize("length", [b"\x80", b"\x85\x01\x00\x00\x00\x00", b"\x82\x01", b"\xff" + bytes(127)])
def test_a_length_of_no_or_more_than_four_bytes_or_without_all_its_bytes_is_refused(length: bytes) -> None:
    assert_raises("length", header, b"\x30" + length)


@pytest.mark.parametrize(("size", "octets"), [(0x7F, 1), (0x80, 2), (0xFF, 2), (0x100, 3), (0x10000, 4)])
def test_a_length_in_its_shortest_form_is_read(size: int, octets: int) -> None:
    data = der.element(0x04, bytes(size))
    assert header(data) == (0x04, 1 + octets, 1 + octets + size)


def test_a_length_of_four_bytes_is_read() -> None:
    """The element is longer than the data: the length itself is valid."""
    assert_raises("overrun", header, b"\x30\x84\x01\x00\x00\x00")


def test_a_length_may_end_the_data() -> None:
    assert_raises("overrun", header, b"\x30\x81\x80")


@pytest.mark.parametrize(
    "length", [b"\x81\x01", b"\x81\x7f", b"\x82\x00\x80", b"\x83\x00\x01\x00", b"\x84\x00\x01\x00\x00"]
)
def test_a_length_in_more_bytes_than_it_needs_is_refused(length: bytes) -> None:
    assert_raises("long length", header, b"\x04" + length + bytes(0x10000))


# Certificates.

WHOLE = der.certificate(der.common_name("Root"))
ALGORITHM = der.element(SEQUENCE, identifier())
SIGNATURE = der.element(BIT_STRING, b"\0")
NUMBER = der.element(INTEGER, b"\1")
VERSION = b"\xa0\x03\x02\x01\x02"
#: The algorithm, issuer, validity, subject and key of a certificate, each with a value of its own.
FIELDS = [der.element(SEQUENCE, der.element(INTEGER, bytes((number,)))) for number in range(5)]


def certificate(*fields: bytes, tail: tuple[bytes, ...] = (ALGORITHM, SIGNATURE), tag: int = SEQUENCE) -> bytes:
    return der.element(tag, der.element(SEQUENCE, *fields), *tail)


@pytest.mark.parametrize("version", [[], [VERSION]])
@pytest.mark.parametrize("extensions", [[], [b"\xa3\x02\x30\x00"]])
def test_each_field_of_a_certificate_is_the_one_at_its_position(version: list[bytes], extensions: list[bytes]) -> None:
    found = x509.Certificate(certificate(*version, NUMBER, *FIELDS, *extensions))
    assert found.serial == NUMBER
    assert [found.issuer, found.validity, found.subject, found.key] == FIELDS[1:]


LONG = b"\4\x81\1x"
RSA_ALGORITHM = der.element(SEQUENCE, der.object_identifier("1.2.840.113549.1.1.1"))
DSA_ALGORITHM = der.element(SEQUENCE, der.object_identifier("1.2.840.10040.4.1"))
RSA_KEY = der.element(SEQUENCE, b"\2\x81\1\3", b"\2\1\3")
HIGH_TAG = b"\x1f\x0c\1a"
CONSTRUCTED = der.element(0x2C, der.element(0x0C, b"a"))


def public_key(algorithm: bytes, *content: bytes, tag: int = BIT_STRING) -> bytes:
    return der.element(SEQUENCE, algorithm, der.element(tag, *content))


@pytest.mark.parametrize(
    ("position", "value"),
    [
        pytest.param(1, der.element(SEQUENCE, LONG), id="issuer"),
        pytest.param(3, der.name([der.attribute(LONG)]), id="subject"),
        pytest.param(3, der.element(SEQUENCE, b"\x31\x80\0\0"), id="indefinite length"),
        pytest.param(4, der.element(SEQUENCE, LONG), id="public key"),
        pytest.param(4, public_key(RSA_ALGORITHM, b"\0", RSA_KEY), id="RSA key"),
        pytest.param(4, public_key(DSA_ALGORITHM, b"\0", LONG), id="DSA key"),
    ],
)
def test_names_and_keys_with_lengths_in_more_bytes_than_they_need_are_refused(position: int, value: bytes) -> None:
    assert_not_der(position, value, "(non-minimal|invalid) length")


def assert_not_der(position: int, value: bytes, reason: str) -> None:
    fields = [*FIELDS]
    fields[position] = value
    with pytest.raises(ValueError, match=f"the (issuer|subject|public key) is not DER: {reason}"):
        x509.Certificate(certificate(VERSION, NUMBER, *fields))


@pytest.mark.parametrize("position", [1, 3])
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (der.name([der.attribute(CONSTRUCTED)]), "constructed encoding"),
        (der.name([der.attribute(HIGH_TAG)]), "unsupported multi-byte tag"),
        (der.element(SEQUENCE, b"\x3f\x11\0"), "unsupported multi-byte tag"),
    ],
)
def test_names_in_other_encodings_than_der_are_refused(position: int, value: bytes, reason: str) -> None:
    assert_not_der(position, value, reason)


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (public_key(ALGORITHM, SIGNATURE, tag=BIT_STRING | 0x20), "constructed encoding"),
        (public_key(der.element(SEQUENCE, der.element(0x26, identifier())), b"\0"), "constructed encoding"),
        (public_key(der.element(SEQUENCE, identifier(), der.element(0x3E)), b"\0"), "constructed encoding"),
        (public_key(DSA_ALGORITHM, b"\0", b"\x1f\2\1\1"), "unsupported multi-byte tag"),
        (public_key(RSA_ALGORITHM, b"\0", b"\x3f\x10\0"), "unsupported multi-byte tag"),
        (public_key(RSA_ALGORITHM, b"\0", der.element(SEQUENCE, HIGH_TAG)), "unsupported multi-byte tag"),
    ],
)
def test_keys_in_other_encodings_than_der_are_refused(key: bytes, reason: str) -> None:
    assert_not_der(4, key, reason)


def test_the_key_of_a_certificate_with_equal_names_is_checked() -> None:
    key = public_key(ALGORITHM, SIGNATURE, tag=BIT_STRING | 0x20)
    with pytest.raises(ValueError, match="the public key is not DER"):
        x509.Certificate(certificate(NUMBER, *FIELDS[:3], FIELDS[1], key))


@pytest.mark.parametrize("key", [public_key(RSA_ALGORITHM), public_key(RSA_ALGORITHM, b"\0", LONG, tag=0x04)])
def test_a_key_without_bits_is_left_to_openssl(key: bytes) -> None:
    assert x509.Certificate(certificate(NUMBER, *FIELDS[:4], key)).key == key


def test_parameters_of_algorithms_may_contain_explicit_tags() -> None:
    """Those of RSASSA-PSS do."""
    parameters = der.element(SEQUENCE, der.element(0xA0, ALGORITHM), der.element(0x60, NUMBER))
    key = public_key(
        der.element(SEQUENCE, identifier("1.2.840.113549.1.1.10"), parameters), b"\0", der.element(SEQUENCE)
    )
    assert x509.Certificate(certificate(NUMBER, *FIELDS[:4], key)).key == key


def test_data_after_a_dsa_key_need_not_be_der() -> None:
    key = public_key(DSA_ALGORITHM, b"\0", NUMBER, HIGH_TAG)
    assert x509.Certificate(certificate(NUMBER, *FIELDS[:4], key)).key == key


def test_the_bits_of_a_key_need_not_be_der_except_in_rsa_keys() -> None:
    key = der.element(SEQUENCE, ALGORITHM, der.element(BIT_STRING, b"\0", RSA_KEY))
    assert x509.Certificate(certificate(NUMBER, *FIELDS[:4], key)).key == key


@pytest.mark.parametrize("depth", [60, 400, 30000])
def test_names_may_be_nested_but_not_without_limit(depth: int) -> None:
    name = b""
    for _ in range(depth):
        name = der.element(SEQUENCE, name)
    data = certificate(NUMBER, FIELDS[0], name, *FIELDS[2:])
    if depth == 60:
        assert x509.Certificate(data).issuer == name
        return
    with pytest.raises(ValueError, match="too many elements|longer than"):
        x509.Certificate(data)


@pytest.mark.parametrize("rest", [b"", b"\0", WHOLE])
def test_a_certificate_ends_with_its_element(rest: bytes) -> None:
    found = x509.Certificate(WHOLE + rest)
    assert (found.der, found.rest) == (WHOLE, rest)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(certificate(NUMBER, *FIELDS, tag=SET), id="a set"),
        pytest.param(certificate(NUMBER, *FIELDS, tail=()), id="no signature"),
        pytest.param(certificate(NUMBER, *FIELDS, tail=(SIGNATURE, ALGORITHM)), id="another order"),
        pytest.param(certificate(NUMBER, *FIELDS, tail=(ALGORITHM, SIGNATURE, NULL)), id="an additional part"),
        pytest.param(der.element(SEQUENCE), id="empty"),
    ],
)
def test_a_certificate_has_three_parts(data: bytes) -> None:
    assert_raises("certificate", x509.Certificate, data)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([], id="none"),
        pytest.param([VERSION], id="only a version"),
        pytest.param([VERSION, NUMBER, *FIELDS[1:]], id="too few"),
        pytest.param([NUMBER, VERSION, *FIELDS], id="the version after the serial number"),
        pytest.param([VERSION, VERSION, NUMBER, *FIELDS], id="two versions"),
        pytest.param([VERSION, *FIELDS, NUMBER], id="another order"),
        pytest.param([VERSION, NUMBER, *FIELDS[:4], NULL], id="no key"),
    ],
)
def test_a_certificate_has_a_serial_number_and_five_sequences(fields: list[bytes]) -> None:
    assert_raises("fields", x509.Certificate, certificate(*fields))


def test_the_fields_of_a_certificate_end_with_its_first_part() -> None:
    """The parts after them are sequences as well, and must not be read as fields."""
    assert_raises("fields", x509.Certificate, certificate(VERSION, NUMBER, *FIELDS[:4]))


# Numbers and bits.


def test_a_number_has_a_sign_unless_it_is_ignored() -> None:
    assert [x509.integer(b"\2\2\0\xff"), x509.integer(b"\2\1\xff"), x509.integer(b"\2\1\xff", signed=False)] == [
        255,
        -1,
        255,
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(b"\0", b""), (b"\7", b""), (b"\0\xff", b"\xff"), (b"\1\0\xff", b"\0\xfe"), (b"\7\xff", b"\x80")],
)
def test_unused_bits_are_zero(value: bytes, expected: bytes) -> None:
    assert x509.bits(value) == expected


@pytest.mark.parametrize("data", [b"\4\1\1", b"\2\0", b"\2\1\1\0"])
def test_a_number_is_one_integer_and_nothing_else(data: bytes) -> None:
    assert_raises("number", x509.integer, data)


@pytest.mark.parametrize("value", [b"", b"\x08", b"\x08\0"])
def test_a_bit_string_begins_with_the_number_of_unused_bits(value: bytes) -> None:
    assert_raises("bits", x509.bits, value)


# OpenSSL's trust settings.


@pytest.mark.parametrize("data", [der.element(SET), der.element(SEQUENCE) + b"\0", der.element(SET) + b"\0"])
def test_trust_settings_are_one_sequence_and_nothing_else(data: bytes) -> None:
    assert_raises("trust settings", auxiliary.read, data)


def test_trust_settings_without_lists_neither_limit_nor_reject() -> None:
    # An alias and a key identifier, which OpenSSL writes between and after the lists.
    assert auxiliary.read(der.element(SEQUENCE, b"\x0c\x01a", b"\x04\x01b")) == (None, [])


def test_trust_settings_list_object_identifiers() -> None:
    assert_raises("identifiers", auxiliary.read, der.element(SEQUENCE, der.element(SEQUENCE, NULL)))
    assert_raises("identifiers", auxiliary.read, der.element(SEQUENCE, der.element(0xA0, identifier(), NULL)))


# Extensions that list purposes.

OCTETS = der.element(0x04, der.element(SEQUENCE, identifier("1.2.3"), identifier("2.5.29.37.0")))


@pytest.mark.parametrize("critical", [[], [b"\x01\x01\xff"]])
def test_the_purposes_of_an_extension_are_read(critical: list[bytes]) -> None:
    assert x509.key_purposes(der.element(SEQUENCE, identifier(), *critical, OCTETS)) == ["1.2.3", "2.5.29.37.0"]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(der.element(SET, identifier(), OCTETS), id="a set"),
        pytest.param(der.element(SEQUENCE, identifier(), OCTETS) + b"\0", id="more data after it"),
        pytest.param(der.element(SEQUENCE), id="empty"),
        pytest.param(der.element(SEQUENCE, NULL, OCTETS), id="no identifier"),
        pytest.param(der.element(SEQUENCE, OCTETS), id="only a value"),
    ],
)
def test_an_extension_is_one_sequence_that_begins_with_its_identifier(data: bytes) -> None:
    assert_raises("extension", x509.key_purposes, data)


@pytest.mark.parametrize("parts", [[identifier()], [identifier(), OCTETS, NULL]])
def test_an_extension_ends_with_its_value(parts: list[bytes]) -> None:
    assert_raises("extension value", x509.key_purposes, der.element(SEQUENCE, *parts))


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(der.element(SET, identifier()), id="a set"),
        pytest.param(der.element(SEQUENCE, identifier()) + NULL, id="more data after it"),
    ],
)
def test_the_value_of_an_extension_is_one_sequence(value: bytes) -> None:
    assert_raises("purposes", x509.key_purposes, der.element(SEQUENCE, identifier(), der.element(0x04, value)))


def test_the_type_of_an_extension_is_its_first_part() -> None:
    assert x509.extension_type(der.extension("1.2.3", "1.2.4")) == "1.2.3"


def test_purposes_are_object_identifiers() -> None:
    value = der.element(0x04, der.element(SEQUENCE, NULL))
    assert_raises("identifiers", x509.key_purposes, der.element(SEQUENCE, identifier(), value))


# Object identifiers.


@pytest.mark.parametrize("value", [b"", b"\x80", b"\x2a\x83"])
def test_an_object_identifier_ends_with_the_last_octet_of_an_arc(value: bytes) -> None:
    assert_raises("truncated identifier", x509.dotted, value)


def test_an_object_identifier_has_at_most_128_octets() -> None:
    assert x509.dotted(b"\x2a" + b"\x01" * 127) == "1.2" + ".1" * 127
    assert_raises("endless identifier", x509.dotted, b"\x2a" + b"\x01" * 128)


@pytest.mark.parametrize("value", [b"\x80\x01", b"\x2a\x80\x01", b"\x2a\x83\x01\x80\x01"])
def test_an_arc_does_not_begin_with_zeros(value: bytes) -> None:
    assert_raises("long identifier", x509.dotted, value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"\x00", "0.0"),
        (b"\x27", "0.39"),
        (b"\x28", "1.0"),
        (b"\x4f", "1.39"),
        (b"\x50", "2.0"),
        (b"\x78", "2.40"),
        (b"\x81\x80\x01", "2.16305"),
        (b"\x2a\x81\x80\x01", "1.2.16385"),
        (b"\x2a\x81\x80\x80\x01", "1.2.2097153"),
    ],
)
def test_an_object_identifier_is_written_with_dots(value: bytes, expected: str) -> None:
    assert x509.dotted(value) == expected


# Names.

ATTRIBUTE = der.attribute(der.element(0x0C, b"a"))
FUNCTIONS = [names.canonical, names.text, names.subject_hash]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
@pytest.mark.parametrize("data", [der.element(SET), der.name([ATTRIBUTE]) + NULL, der.element(SET) + NULL])
def test_a_name_is_one_sequence_and_nothing_else(function, data: bytes) -> None:
    assert_raises("name", function, data)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_a_name_consists_of_sets(function) -> None:
    assert_raises("relative name", function, der.element(SEQUENCE, der.element(SEQUENCE, ATTRIBUTE)))


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
@pytest.mark.parametrize(
    "attribute",
    [
        pytest.param(der.element(SET, der.COMMON_NAME, b"\x0c\x01a"), id="a set"),
        pytest.param(der.element(SEQUENCE, der.COMMON_NAME), id="no value"),
        pytest.param(der.element(SEQUENCE, der.COMMON_NAME, b"\x0c\x01a", NULL), id="two values"),
        pytest.param(der.element(SEQUENCE, NULL, b"\x0c\x01a"), id="no type"),
        pytest.param(NULL, id="another element"),
    ],
)
def test_an_attribute_is_a_type_and_a_value(function, attribute: bytes) -> None:
    assert_raises("attribute", function, der.name([attribute]))


def test_a_malformed_name_is_compared_octet_by_octet() -> None:
    assert names.folded(NULL) == NULL
    assert names.folded(der.common_name("Root  CA")) == names.canonical(der.common_name("root ca"))


@pytest.mark.parametrize("size", [1, 100, 0x7F - 7, 0x80 - 7, 0x81 - 7, 0x100 - 8, 0x200, 0x10000])
def test_the_canonical_form_of_a_name_is_der(size: int) -> None:
    """The canonical form is the content of a Name: it has the lengths of DER at every size."""
    one, other = der.attribute(der.element(0x0C, b"a" * size)), der.attribute(der.element(0x0C, b"b" * size))
    expected = der.name([one, other], [one])
    assert names.canonical(der.name([other, one], [one])) == expected[header(expected)[1] :]


def test_the_old_subject_hash_is_the_md5_of_the_name_as_it_is_encoded() -> None:
    name = der.common_name("Root  CA")
    expected = hashlib.new("md5", name).digest()[3::-1].hex()
    assert names.subject_hash_old(name) == expected


def test_the_last_attributes_of_a_name_are_shown_first() -> None:
    a, b, c = (der.attribute(der.element(0x0C, value)) for value in (b"a", b"b", b"c"))
    assert names.text(der.name([a], [b, c])) == "CN=b+CN=c,CN=a"


def test_text_that_is_invalid_in_its_encoding_is_refused() -> None:
    half_a_pair = der.element(0x1E, b"\xd8\x00")
    for function in FUNCTIONS:
        with pytest.raises(ValueError, match="utf-16"):
            function(der.name([der.attribute(half_a_pair)]))


@pytest.mark.skipif(sys.version_info < (3, 9), reason="Python 3.8 has no such parameter")
def test_a_fips_build_is_told_that_no_digest_is_used_for_security(monkeypatch: pytest.MonkeyPatch) -> None:
    implementation = pytest.importorskip("_hashlib")
    new = implementation.new

    def record(algorithm: str, data: bytes, **parameters: object) -> object:
        calls.append(parameters)
        return new(algorithm, data, **parameters)

    calls: list[dict[str, object]] = []
    monkeypatch.setattr(implementation, "new", record)
    assert x509.digest("md5", b"data") == hashlib.md5(b"data").digest()
    assert calls == [{"usedforsecurity": False}]


# Dates.


def validity(*times: tuple[int, bytes], tag: int = SEQUENCE) -> bytes:
    return der.element(tag, *(der.element(kind, value) for kind, value in times))


FIRST, LAST = (UTC_TIME, b"200101000000Z"), (GENERALIZED_TIME, b"20491231235958Z")


def test_dates_are_read_to_the_second() -> None:
    first, last = x509.dates(validity(FIRST, LAST))
    assert (first.isoformat(), last.isoformat()) == ("2020-01-01T00:00:00+00:00", "2049-12-31T23:59:58+00:00")


@pytest.mark.parametrize(
    ("year", "expected"), [(b"00", 2000), (b"49", 2049), (b"50", 1950), (b"51", 1951), (b"99", 1999)]
)
def test_a_year_of_two_digits_is_between_1950_and_2049(year: bytes, expected: int) -> None:
    assert x509.dates(validity((UTC_TIME, year + b"0101000000Z"), LAST))[0].year == expected


@pytest.mark.parametrize(
    "data",
    [validity(FIRST, LAST, tag=SET), validity(FIRST), validity(), validity(FIRST, LAST, LAST), validity(tag=SET)],
)
def test_a_validity_is_a_sequence_of_two_dates(data: bytes) -> None:
    assert_raises("dates", x509.dates, data)


@pytest.mark.parametrize(
    "date",
    [
        pytest.param((INTEGER, b"20200101000000Z"), id="an integer"),
        pytest.param((INTEGER, b"200101000000Z"), id="an integer of two digits for the year"),
        pytest.param((UTC_TIME, b"20200101000000Z"), id="a UTCTime with a year of four digits"),
        pytest.param((GENERALIZED_TIME, b"200101000000Z"), id="a GeneralizedTime with a year of two digits"),
        pytest.param((UTC_TIME, b"2001010000Z"), id="no seconds"),
        pytest.param((UTC_TIME, b"200101000000+"), id="no time zone"),
        pytest.param((UTC_TIME, b"2001010000000"), id="a digit for the time zone"),
        pytest.param((GENERALIZED_TIME, b"20200101000000.5Z"), id="a fraction of a second"),
        pytest.param((GENERALIZED_TIME, b"2020010100000 Z"), id="a space"),
        pytest.param((UTC_TIME, b""), id="nothing"),
    ],
)
def test_a_date_has_the_digits_of_its_type_and_ends_with_z(date: tuple[int, bytes]) -> None:
    assert_raises("date", x509.dates, validity(date, LAST))
