"""The PEM reader reports each malformed block with its reason, and ignores blocks in comments."""

from __future__ import annotations

import base64

import der
import pytest

from certhook._certificates.pem import MOST_PROBLEMS, parse

#: The part of each message that the tests rely on.
NOT_BASE64 = "invalid base64"
NO_END = "END line is missing"
ON_LAST_LINE = "last line"
OTHER_BLOCK = "so the rest of the file is ignored"
TRAILING = "follow the certificate"
NOT_DER = "DER"

ONE, TWO, THREE = (der.certificate(der.common_name(f"Root {number}"), number) for number in (1, 2, 3))
PEM = der.pem(ONE)
BEGIN, *BODY, END = PEM.splitlines(keepends=True)


def found(data: bytes) -> tuple[list[bytes], list[str]]:
    entries, problems = parse(data)
    return [entry.der for entry in entries], problems


def assert_problem(data: bytes, message: str, line: int, after: list[bytes]) -> None:
    """Assert that there is one problem, *message* at *line*, and that the certificates *after* are read."""
    certificates, problems = found(data)
    assert certificates == after
    (problem,) = problems
    assert message in problem
    assert f"line {line} " in problem


# Base64.

#: Certificates of three lengths, whose base64 ends with no, one and two "=".
LENGTHS = [der.certificate(der.common_name("x" * length)) for length in (1, 2, 3)]


@pytest.mark.parametrize("padding", [0, 1, 2])
def test_base64_may_end_with_up_to_two_equals_signs(padding: int) -> None:
    certificate = next(c for c in LENGTHS if base64.b64encode(c).count(b"=") == padding)
    assert found(der.pem(certificate)) == ([certificate], [])


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"AAA", id="three digits"),
        pytest.param(b"AAAAA", id="five digits"),
        pytest.param(b"A===", id="three equals signs"),
        pytest.param(b"AAAAA===", id="three equals signs after five digits"),
        pytest.param(b"AAAA====", id="four equals signs"),
        pytest.param(b"AA==AA==", id="equals signs between digits"),
        pytest.param(b"AA!A", id="a character that is not a digit"),
        pytest.param(b"AA\xc3\xa9", id="a character beyond ASCII"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"++++", id="only plus signs"),
        pytest.param(b"////", id="only slashes"),
    ],
)
def test_base64_consists_of_groups_of_four_digits(text: bytes) -> None:
    assert_problem(b"#\n" + BEGIN + text + b"\n" + END + der.pem(TWO), NOT_BASE64, 2, [TWO])


def test_plus_and_slash_are_digits_of_base64() -> None:
    certificate = der.certificate(der.common_name("\u07ff\u0fff\ufbff~~~???>>>\u07ff\u0fff\ufbff"))
    text = base64.b64encode(certificate)
    assert b"+" in text
    assert b"/" in text
    assert found(der.pem(certificate)) == ([certificate], [])


def test_letters_at_the_end_of_base64_are_digits() -> None:
    signatures = [der.element(der.BIT_STRING, bytes(length), b"\x5d\x75\xd7") for length in (1, 2, 3)]
    parts = ONE[3 : ONE.index(b"\x03\x03\x00\x30\x00")]
    certificates = [der.element(der.SEQUENCE, parts, signature) for signature in signatures]
    (certificate,) = [one for one in certificates if base64.b64encode(one).endswith(b"XXXX")]
    assert found(der.pem(certificate)) == ([certificate], [])


def test_data_after_a_certificate_is_reported() -> None:
    assert_problem(der.pem(ONE + b"\0") + der.pem(TWO), TRAILING, 1, [TWO])


# Lines.


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("before", [b"", b"\n", b"\n\n", b"# text\n", PEM, PEM + b"\n" + PEM])
def test_a_problem_names_the_line_of_its_block(before: bytes, newline: bytes) -> None:
    line = before.count(b"\n") + 1
    data = (before + BEGIN + b"\n" + der.pem(TWO)).replace(b"\n", newline)
    assert_problem(data, NO_END, line, [ONE] * before.count(BEGIN) + [TWO])


def test_a_second_problem_has_its_own_line_number() -> None:
    _, problems = found(b"\n" + BEGIN + PEM + BEGIN + b"AAA\n" + END)
    assert [f"line {line} " in problem for line, problem in zip((2, 3 + PEM.count(b"\n")), problems)] == [True, True]


def test_a_block_after_an_end_without_a_newline_is_a_problem() -> None:
    certificates, problems = found(PEM.rstrip(b"\n") + der.pem(TWO) + der.pem(THREE))
    assert certificates == [ONE, THREE]
    assert [ON_LAST_LINE in problem for problem in problems] == [True]


@pytest.mark.parametrize("before", [b"#", b" ", b"text\n ", b"-", b"----", b"x\xef\xbb\xbf", b"\n#\xef\xbb\xbf"])
def test_a_block_that_begins_within_a_line_is_a_comment(before: bytes) -> None:
    assert found(before + PEM + der.pem(TWO)) == ([TWO], [])


@pytest.mark.parametrize("before", [b"", b"\n", b"\xef\xbb\xbf", b"text\n\xef\xbb\xbf"])
def test_a_block_begins_at_the_start_of_a_line_or_after_its_byte_order_mark(before: bytes) -> None:
    assert found(before + PEM + der.pem(TWO)) == ([ONE, TWO], [])


# Labels.


@pytest.mark.parametrize("newline", [b"\n", b"\r"])
def test_a_begin_whose_dashes_are_on_another_line_is_a_comment(newline: bytes) -> None:
    assert found(b"-----BEGIN PKCS7" + newline + b"-----\n" + PEM) == ([ONE], [])


@pytest.mark.parametrize("label", [b"x" * 60, b"x" * 61, b"x" * 200])
def test_a_label_of_60_characters_or_more_is_a_comment(label: bytes) -> None:
    assert found(b"-----BEGIN " + label + b"-----\n" + PEM) == ([ONE], [])


@pytest.mark.parametrize("label", [b"x", b"x" * 59])
def test_nothing_is_read_after_a_block_of_another_kind_without_an_end(label: bytes) -> None:
    data = PEM + b"-----BEGIN " + label + b"-----\n" + der.pem(TWO)
    assert_problem(data, OTHER_BLOCK, PEM.count(b"\n") + 1, [ONE])


def test_the_end_of_a_block_of_another_kind_follows_its_begin() -> None:
    assert_problem(b"-----END PKCS7-----\n-----BEGIN PKCS7-----\n" + PEM, OTHER_BLOCK, 2, [])


def test_a_block_of_another_kind_ends_with_its_first_end() -> None:
    assert found(der.pem(TWO, "PKCS7") + PEM + b"-----END PKCS7-----\n") == ([ONE], [])


def test_reading_continues_after_a_block_of_another_kind() -> None:
    assert found(der.pem(TWO, "PKCS7") + PEM) == ([ONE], [])


@pytest.mark.parametrize(
    "rest", [b"-----BEGIN ", b"-----BEGIN " + b"x" * 80, b"-----BEGIN CERTIFICATE", b"-----BEGIN x----"]
)
def test_a_begin_that_is_cut_off_by_the_end_of_the_data_is_a_comment(rest: bytes) -> None:
    assert found(PEM + rest) == ([ONE], [])


# DER.


def test_der_that_contains_the_text_of_a_block_is_a_bundle() -> None:
    assert found(b"0\n" + PEM) == ([ONE], [])


@pytest.mark.parametrize("data", [ONE[:-1], ONE + b"\0", b"\x30\x00"])
def test_data_that_begins_like_der_is_reported_as_der(data: bytes) -> None:
    certificates, problems = found(data)
    assert certificates == []
    assert [NOT_DER in problem for problem in problems] == [True]


@pytest.mark.parametrize("number", [1, MOST_PROBLEMS, MOST_PROBLEMS + 1, MOST_PROBLEMS + 5])
def test_problems_beyond_a_limit_are_counted(number: int) -> None:
    certificates, problems = found(BEGIN * number + PEM)
    assert certificates == [ONE]
    assert len(problems) == min(number, MOST_PROBLEMS + 1)
    if number > MOST_PROBLEMS:
        assert problems[-1].startswith(f"{number - MOST_PROBLEMS} ")
