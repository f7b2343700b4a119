"""p11-kit's objects: which entries of the block list an object contains."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta, timezone

import der
import pytest
from der import ANY, CLIENTS, MAIL, SERVERS

from certhook._certificates.x509 import Certificate
from certhook._config import ANY_PURPOSE, CLIENT_AUTH, SERVER_AUTH
from certhook._sources.blocklist import BlocklistEntry
from certhook._sources.p11_kit import read_object

BAD, OTHER = (Certificate(der.certificate(der.common_name(name))) for name in ("distrusted", "other"))
KEY_USAGE, REJECT, CONSTRAINTS = "2.5.29.37", "1.3.6.1.4.1.3319.6.10.1", "2.5.29.19"


def quoted(data: bytes) -> str:
    return f'"{der.escaped(data)}"'


def entries(*lines: str, pem: bytes = b"", is_blocklist: bool = False) -> list[BlocklistEntry]:
    return list(read_object("\n".join([*lines, ""]).encode() + pem, is_blocklist))


def described(entry: BlocklistEntry) -> tuple[object, ...]:
    """Everything in *entry*, with the certificate as DER."""
    certificate = entry.certificate and entry.certificate.der
    return entry.purposes, certificate, entry.issuer, entry.serial, entry.sha1, entry.key, bool(entry.fault)


def certificates(found: list[BlocklistEntry]) -> list[bytes]:
    """The certificates of entries that distrust for any purpose, with the key, issuer and serial number of each."""
    for entry in found:
        found_in = entry.certificate
        assert described(entry) == (
            ANY_PURPOSE,
            found_in.der,
            found_in.issuer,
            found_in.serial,
            b"",
            found_in.key,
            False,
        )
    return [entry.certificate.der for entry in found]


DISTRUSTED = "x-distrusted: true"
PEM = der.pem(BAD.der)


@pytest.mark.parametrize(
    "line",
    [DISTRUSTED, "x-distrusted:true", " x-distrusted :  true ", 'x-distrusted: "%01"', "a: b\nx-distrusted: true"],
)
def test_an_object_that_is_marked_as_distrusted_is_distrusted(line: str) -> None:
    assert certificates(entries(line, pem=PEM)) == [BAD.der]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "x-distrusted: false",
        "x-distrusted: TRUE",
        'x-distrusted: "true"',
        "x-distrusted: ",
        "x-distrusted",
        "#" + DISTRUSTED,
    ],
)
def test_an_object_without_that_mark_is_distrusted_in_a_block_list_only(line: str) -> None:
    assert entries(line, pem=PEM) == []
    assert certificates(entries(line, pem=PEM, is_blocklist=True)) == [BAD.der]


def test_every_certificate_of_an_object_is_distrusted() -> None:
    assert certificates(entries(DISTRUSTED, pem=PEM + der.pem(OTHER.der))) == [BAD.der, OTHER.der]


def test_the_certificate_of_an_object_may_begin_within_a_line() -> None:
    assert certificates(entries(DISTRUSTED, pem=b"  " + PEM)) == [BAD.der]


def test_an_object_may_contain_its_certificate_as_an_attribute() -> None:
    lines = [DISTRUSTED, "class: certificate", f"value: {quoted(BAD.der)}"]
    assert certificates(entries(*lines)) == [BAD.der]
    assert certificates(entries(*lines, pem=der.pem(OTHER.der))) == [BAD.der]


def test_the_value_of_an_object_of_another_class_is_not_a_certificate() -> None:
    lines = [DISTRUSTED, "class: data", f"value: {quoted(BAD.der)}"]
    assert certificates(entries(*lines, pem=der.pem(OTHER.der))) == [OTHER.der]


def test_an_invalid_certificate_is_a_fault() -> None:
    (entry,) = entries(DISTRUSTED, "class: certificate", 'value: "%30%00"')
    assert described(entry) == (ANY_PURPOSE, None, b"", b"", b"", b"", True)


def test_an_object_without_a_certificate_may_contain_an_issuer_and_a_serial_number() -> None:
    lines = [DISTRUSTED, f"issuer: {quoted(BAD.issuer)}", f"serial-number: {quoted(BAD.serial)}"]
    (entry,) = entries(*lines)
    assert described(entry) == (ANY_PURPOSE, None, BAD.issuer, BAD.serial, b"", b"", False)
    assert certificates(entries(*lines, pem=PEM)) == [BAD.der]


def test_an_object_without_a_certificate_may_contain_a_public_key() -> None:
    for found in (
        entries(DISTRUSTED, pem=der.pem(BAD.key, "PUBLIC KEY")),
        entries(DISTRUSTED, f"public-key-info: {quoted(BAD.key)}"),
    ):
        assert [described(entry) for entry in found] == [(ANY_PURPOSE, None, b"", b"", b"", BAD.key, False)]


def test_an_empty_object_of_a_block_list_identifies_nothing() -> None:
    (entry,) = entries(is_blocklist=True)
    assert described(entry) == (ANY_PURPOSE, None, b"", b"", b"", b"", False)


@pytest.mark.parametrize(
    ("text", "value"),
    [('"%2A"', b"*"), ('"*"', b"*"), ("%2a", b"*"), ("*", b"*"), ('"X%58X"', b"XXX"), ('"%2"', b"%2")],
)
def test_a_value_may_be_quoted_and_escaped(text: str, value: bytes) -> None:
    (entry,) = entries(DISTRUSTED, f"issuer: {text}", f"serial-number: {text}")
    assert (entry.issuer, entry.serial) == (value, value)


# Distrust dates. The time limit of servers' certificates has been 398 days since 2020.


def since(*lines: str, pem: bytes = PEM) -> list[tuple[datetime, bytes]]:
    """The time from which each entry distrusts for servers, and its certificate."""
    found = entries(*lines, pem=pem)
    assert all(
        described(entry)[:1] + described(entry)[2:] == (SERVER_AUTH, b"", b"", b"", b"", False) for entry in found
    )
    return [(datetime.fromtimestamp(entry.since, timezone.utc), entry.certificate.der) for entry in found]


AFTER = "nss-server-distrust-after"


@pytest.mark.parametrize(
    "value",
    ['"191228000000Z"', '"20191228000000Z"', '"%31%39%31%32%32%38%30%30%30%30%30%30%5a"', '"1912280000%30%30Z"'],
)
def test_a_root_is_distrusted_398_days_after_its_distrust_date(value: str) -> None:
    expected = datetime(2019, 12, 28, tzinfo=timezone.utc) + timedelta(days=398)
    for mark in ("trusted: true", "x-distrusted: false", "class: certificate"):
        assert since(mark, f"{AFTER}: {value}") == [(expected, BAD.der)]
    assert since("class: certificate", f"{AFTER}: {value}", f"value: {quoted(BAD.der)}", pem=b"") == [
        (expected, BAD.der)
    ]


@pytest.mark.parametrize("value", ['"%00"', "false", '""', ""])
def test_a_root_without_a_distrust_date_remains_trusted(value: str) -> None:
    assert since("trusted: true", f"{AFTER}: {value}") == []
    assert since("trusted: true", 'nss-email-distrust-after: "191228000000Z"') == []


@pytest.mark.parametrize(
    "value", ['"2019"', '"191328000000Z"', '"1912280000000"', '"%ff%ff%ff%ff%ff%ff%ff%ff%ff%ff%ff%ffZ"']
)
def test_a_malformed_distrust_date_is_a_fault(value: str) -> None:
    (entry,) = entries(f"{AFTER}: {value}", pem=PEM)
    assert "invalid distrust date" in entry.fault


def test_a_distrusted_object_is_distrusted_whatever_its_distrust_date() -> None:
    assert certificates(entries(DISTRUSTED, f'{AFTER}: "491228000000Z"', pem=PEM)) == [BAD.der]


def test_the_last_of_several_attributes_of_one_name_counts() -> None:
    (entry,) = entries(DISTRUSTED, "issuer: a", "issuer: b:c", "serial-number: d")
    assert (entry.issuer, entry.serial) == (b"b:c", b"d")


# Extensions attached to a public key.

PUBLIC_KEY = der.pem(BAD.key, "PUBLIC KEY")


def attached(
    kind: str, value: bytes, *lines: str, pem: bytes = b"", is_blocklist: bool = False
) -> list[BlocklistEntry]:
    fixed = ["class: x-certificate-extension", f"object-id: {kind}", f"value: {quoted(value)}"]
    return entries(*fixed, *lines, pem=pem, is_blocklist=is_blocklist)


@pytest.mark.parametrize("is_blocklist", [False, True])
@pytest.mark.parametrize(
    ("kind", "value", "purposes"),
    [
        (KEY_USAGE, der.extension(KEY_USAGE, MAIL), SERVER_AUTH),
        (KEY_USAGE, der.extension(KEY_USAGE, CLIENTS), SERVER_AUTH),
        (REJECT, der.extension(REJECT, SERVERS), SERVER_AUTH),
        (REJECT, der.extension(REJECT, CLIENTS), CLIENT_AUTH),
        (REJECT, der.extension(REJECT, ANY), ANY_PURPOSE),
        pytest.param(KEY_USAGE, der.extension(KEY_USAGE, SERVERS)[:-1], ANY_PURPOSE, id="malformed key usage"),
        pytest.param(REJECT, b"", ANY_PURPOSE, id="malformed rejection"),
    ],
)
def test_an_attached_extension_distrusts_each_certificate_with_its_key(kind, value, purposes, is_blocklist) -> None:
    expected = (purposes, None, b"", b"", b"", BAD.key, False)
    for found in (
        attached(kind, value, pem=PUBLIC_KEY, is_blocklist=is_blocklist),
        attached(kind, value, f"public-key-info: {quoted(BAD.key)}", is_blocklist=is_blocklist),
    ):
        assert [described(entry) for entry in found] == [expected]


@pytest.mark.parametrize("is_blocklist", [False, True])
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (KEY_USAGE, der.extension(KEY_USAGE, SERVERS)),
        (KEY_USAGE, der.extension(KEY_USAGE, MAIL, ANY)),
        (REJECT, der.extension(REJECT, MAIL)),
        (CONSTRAINTS, der.extension(CONSTRAINTS, SERVERS)),
        (CONSTRAINTS, b""),
    ],
)
def test_an_attached_extension_that_restricts_nothing_has_no_entry(kind, value, is_blocklist) -> None:
    assert attached(kind, value, pem=PUBLIC_KEY, is_blocklist=is_blocklist) == []


def test_the_certificates_of_an_attached_extension_are_not_distrusted() -> None:
    found = attached(REJECT, der.extension(REJECT, SERVERS), DISTRUSTED, pem=PUBLIC_KEY + PEM)
    assert [described(entry) for entry in found] == [(SERVER_AUTH, None, b"", b"", b"", BAD.key, False)]


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b" \n"])
def test_the_public_key_may_be_in_one_line_or_many(newline: bytes) -> None:
    text = base64.b64encode(BAD.key)
    for body in (text, newline.join(text[start : start + 20] for start in range(0, len(text), 20))):
        pem = b"-----BEGIN PUBLIC KEY-----" + newline + body + newline + b"-----END PUBLIC KEY-----\n"
        assert [entry.key for entry in attached(REJECT, b"", pem=pem)] == [BAD.key]


@pytest.mark.parametrize(
    "pem",
    [
        pytest.param(b"", id="none"),
        pytest.param(der.pem(BAD.key, "EC PUBLIC KEY"), id="another label"),
        pytest.param(b"-----BEGIN PUBLIC KEY-----\nAAAAA\n-----END PUBLIC KEY-----\n", id="malformed base64"),
        pytest.param(PUBLIC_KEY[:-20], id="no end"),
    ],
)
def test_an_attached_extension_without_a_public_key_is_a_fault(pem: bytes) -> None:
    (entry,) = attached(REJECT, b"", pem=pem)
    assert described(entry) == (ANY_PURPOSE, None, b"", b"", b"", b"", True)
