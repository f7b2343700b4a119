"""The effort and the memory of the parsers grow linearly with hostile input, and have limits."""

from __future__ import annotations

import base64
import sys
from types import FrameType
from typing import Any, Callable

import der
import pytest

from certhook._certificates import container, damaged, formats, names, pem, x509
from certhook._certificates.x509 import SEQUENCE
from certhook._config import ANY_PURPOSE
from certhook._sources import blocklist, debian, p11_kit
from certhook.cli._roots_table import distinct_names

BEGIN = b"-----BEGIN CERTIFICATE-----\n"
BAG = bytes.fromhex("060a2a864886f70d01091601")
NULL = b"\5\0"
ATTRIBUTE = der.element(0x31, der.element(SEQUENCE, bytes.fromhex("0603550403") + b"\x0c\1x"))


def executed_lines(function: Callable[[Any], object], data: object) -> int:
    """Return the number of lines that *function* executes, which does not depend on the machine."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        function(data)
    except ValueError:
        pass
    finally:
        sys.settrace(previous)
    return count


def certificate(subject: bytes, key: bytes = der.element(SEQUENCE, b""), rest: bytes = b"", serial: int = 1) -> bytes:
    empty = der.element(SEQUENCE, b"")
    fields = der.element(2, serial.to_bytes(4, "big")) + empty + subject + empty + subject + key + rest
    return der.element(SEQUENCE, der.element(SEQUENCE, fields) + empty + der.element(3, b"\0"))


def block(data: bytes) -> bytes:
    return BEGIN + base64.encodebytes(data) + b"-----END CERTIFICATE-----\n"


def open_bags(count: int) -> bytes:
    """Return bags of indefinite length without an end, each followed by the same long value."""
    header = len(BAG) + 7
    bags = [
        BAG + b"\xa0\x80\x04\x83" + (0x10000 + (count - number - 1) * header).to_bytes(3, "big")
        for number in range(count)
    ]
    return b"".join(bags) + bytes(0x10000) + NULL * count


INPUTS: dict[str, tuple[Callable[[Any], object], Callable[[int], Any]]] = {
    "BEGIN lines": (pem.parse, lambda n: BEGIN * n),
    "joined BEGIN lines": (pem.parse, lambda n: b"-----BEGIN CERTIFICATE----------BEGIN " * n),
    "other labels": (
        pem.parse,
        lambda n: b"".join(b"-----BEGIN %d-----\n-----END %d-----\n" % (i, i) for i in range(n)),
    ),
    "small certificates": (
        pem.parse,
        lambda n: b"".join(block(certificate(der.element(SEQUENCE, b""), serial=i)) for i in range(n)),
    ),
    "lenient BEGIN lines": (lambda data: pem.parse(data, lenient=True), lambda n: BEGIN * n),
    "a commented block": (
        lambda data: pem.parse(data, lenient=True),
        lambda n: BEGIN + b"#\n" * n + b"-----END CERTIFICATE-----\n",
    ),
    "elements": (pem.parse, lambda n: der.element(SEQUENCE, NULL * n)),
    "attributes": (names.canonical, lambda n: der.element(SEQUENCE, ATTRIBUTE * n)),
    "text of a name": (names.text, lambda n: der.element(SEQUENCE, ATTRIBUTE * n)),
    "PKCS#7": (
        container.pkcs7_certificates,
        lambda n: der.element(
            SEQUENCE,
            bytes.fromhex("06092a864886f70d010702")
            + der.element(0xA0, der.element(SEQUENCE, der.element(0xA0, NULL * n))),
        ),
    ),
    "bags without an end": (container.pkcs12_certificates, open_bags),
    "a keystore": (
        container.keystore_certificates,
        lambda n: (
            bytes.fromhex("feedfeed000000017fffffff")
            + bytes.fromhex("00000001000000000000000000000000000000000000") * n
        ),
    ),
    "damaged BEGIN lines": (formats.identify, lambda n: b"BEGIN CERTIFICATE\n" * n),
    "escapes": (damaged.recover, lambda n: b"BEGIN CERTIFICATE" + b"\\n" * n),
    "objects": (lambda data: list(p11_kit.parse(data, True)), lambda n: b"[p11-kit-object-v1]\n" * n),
    "backslashes": (lambda data: debian._names(data, None), lambda n: b"a\\\n" * n + b"\n"),
    "labels": (blocklist._labelled_blocks, lambda n: b'# Label: "a"\n' * n),
}


@pytest.mark.parametrize("name", INPUTS)
def test_the_effort_is_linear(name: str) -> None:
    function, create = INPUTS[name]
    few, many = (executed_lines(function, create(n)) for n in (100, 800))
    # A quadratic parser would execute 64 times as many.
    assert many <= 16 * few + 200


def test_an_element_has_a_limited_number_of_elements() -> None:
    with pytest.raises(ValueError, match="too many elements"):
        x509.children(NULL * 200_000, 0, 400_000)


@pytest.mark.parametrize("part", ["subject", "key"])
def test_a_name_and_a_key_have_a_limited_number_of_elements(part: str) -> None:
    empty = der.element(SEQUENCE, b"")
    for count, is_valid in ((100, True), (2000, False)):
        large = der.element(SEQUENCE, NULL * count)
        data = certificate(large) if part == "subject" else certificate(empty, large)
        if is_valid:
            x509.Certificate(data)
        else:
            with pytest.raises(ValueError, match="too many elements"):
                x509.Certificate(data)


def test_a_name_has_a_limited_length() -> None:
    text = der.element(SEQUENCE, bytes.fromhex("0603550403") + der.element(0x0C, b"a " * 40_000))
    with pytest.raises(ValueError, match="longer than 64 KiB"):
        x509.Certificate(certificate(der.element(SEQUENCE, der.element(0x31, text))))


def test_a_file_has_a_limited_number_of_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pem, "MOST_BLOCKS", 5)
    subject = der.element(SEQUENCE, b"")
    text = b"".join(block(certificate(subject, serial=number)) for number in range(7))
    entries, problems = pem.parse(text)
    assert len(entries) == 5
    assert problems == ["everything from line 16 on was ignored: the file contains more than 5 blocks"]
    assert pem.parse(block(certificate(subject)) * 5)[1] == []


def test_a_limited_number_of_damaged_blocks_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(damaged, "MOST_BLOCKS", 5)
    few, many = (executed_lines(damaged.recover, b" BEGIN CERTIFICATE\r" * count) for count in (5, 500))
    assert many < 2 * few


def test_a_block_list_with_too_many_blocks_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pem, "MOST_BLOCKS", 1)
    text = b"".join(block(certificate(der.element(SEQUENCE, b""), serial=number)) for number in range(2))
    found = list(p11_kit.parse(text, True))
    assert [bool(entry.certificate) for entry in found] == [True, False]
    assert found[1].purposes == ANY_PURPOSE and "more than 1 blocks" in found[1].fault


@pytest.mark.parametrize("name", ["PKCS#7", "a keystore"])
def test_a_container_has_a_limited_number_of_certificates(name: str) -> None:
    function, create = INPUTS[name]
    assert len(function(create(container.MOST_CERTIFICATES + 100))) <= container.MOST_CERTIFICATES  # type: ignore[arg-type]


@pytest.mark.parametrize("subject", ["CN=CA", "CN=CA,O={}"], ids=["equal", "different"])
def test_the_effort_of_distinct_names_is_linear(subject: str) -> None:
    def roots(count: int) -> list[dict[str, str]]:
        return [{"subject": subject.format(number), "sha256": f"{number:064x}"} for number in range(count)]

    few, many = (executed_lines(distinct_names, roots(count)) for count in (50, 400))
    assert many <= 16 * few
    assert len(set(distinct_names(roots(3)))) == (1 if subject == "CN=CA" else 3)
