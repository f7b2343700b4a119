"""The lenient PEM reader, for block lists, finds every certificate that p11-kit finds (common/pem.c)."""

from __future__ import annotations

import der
import pytest

from certhook._certificates.pem import MOST_PROBLEMS
from certhook._certificates.pem import parse as _parse

ONE, TWO, THREE = (der.certificate(der.common_name(f"Root {number}"), number) for number in (1, 2, 3))
PEM = der.pem(ONE)
BEGIN, *BODY, END = PEM.splitlines(keepends=True)
BASE64 = b"".join(BODY)


def lenient(data: bytes) -> tuple[list[bytes], list[str]]:
    anchors, problems = _parse(data, lenient=True)
    return [anchor.der for anchor in anchors], problems


def strict(data: bytes) -> tuple[list[bytes], list[str]]:
    anchors, problems = _parse(data)
    return [anchor.der for anchor in anchors], problems


@pytest.mark.parametrize("label", ["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_every_block_of_a_bundle_is_found_in_its_order(label: str, newline: bytes) -> None:
    data = b"".join(der.pem(certificate, label, newline) for certificate in (ONE, TWO, THREE))
    assert lenient(data) == ([ONE, TWO, THREE], [])


@pytest.mark.parametrize("data", [b"", b"text\n", b"-----BEGIN ", b"-----BEGIN CERTIFICATE", END])
def test_data_without_a_block_contains_no_certificate(data: bytes) -> None:
    assert lenient(data) == ([], [])


@pytest.mark.parametrize("before", [b" ", b"\t", b"# ", b"text", b"-----", b"\xff", b"\n\n"])
def test_a_block_may_begin_anywhere_in_a_line(before: bytes) -> None:
    assert lenient(before + PEM + before + der.pem(TWO)) == ([ONE, TWO], [])


def test_a_block_may_end_on_the_line_on_which_the_next_begins() -> None:
    assert lenient(PEM.rstrip() + der.pem(TWO).rstrip() + der.pem(THREE)) == ([ONE, TWO, THREE], [])


@pytest.mark.parametrize("label", ["PKCS7", "PRIVATE KEY", "certificate", "CERTIFICATE ", ""])
def test_a_block_with_another_label_contains_no_certificate(label: str) -> None:
    assert lenient(der.pem(TWO, label) + PEM + der.pem(TWO, label)) == ([ONE], [])


def test_a_certificate_inside_a_block_with_another_label_is_found() -> None:
    inside = b"-----BEGIN PKCS7-----\n" + PEM + b"-----END PKCS7-----\n"
    assert lenient(inside + der.pem(TWO)) == ([ONE, TWO], [])
    assert strict(inside + der.pem(TWO)) == ([TWO], [])


def test_a_label_is_at_most_64_characters_away_from_its_dashes() -> None:
    assert lenient(b"-----BEGIN " + b"x" * 60 + PEM) == ([ONE], [])
    assert lenient(b"-----BEGIN CERTIFICATE" + b" " * 64 + b"-----\n" + BASE64 + END + der.pem(TWO)) == ([TWO], [])


HEADERS = [b"Proc-Type: 4,ENCRYPTED\n", b"name: value\nother: value\n", b"a:\r\n"]


@pytest.mark.parametrize("headers", HEADERS)
@pytest.mark.parametrize("blank", [b"\n", b"\r\n", b" \t\n", b"\t\r\n"])
def test_headers_end_with_the_first_blank_line(headers: bytes, blank: bytes) -> None:
    assert lenient(BEGIN + headers + blank + BASE64 + END) == ([ONE], [])
    assert lenient(BEGIN + headers + blank + blank + BASE64 + blank + END) == ([ONE], [])


@pytest.mark.parametrize("headers", HEADERS)
def test_headers_without_a_blank_line_after_them_make_a_block_invalid(headers: bytes) -> None:
    found, problems = lenient(BEGIN + headers + BASE64 + END + der.pem(TWO))
    assert (found, len(problems)) == ([TWO], 1)


def test_blank_lines_are_skipped_in_a_block_without_headers() -> None:
    assert lenient(BEGIN + b"\n" + BODY[0] + b"\n\n" + b"".join(BODY[1:]) + END) == ([ONE], [])


@pytest.mark.parametrize("space", [b" ", b"\t", b"\v", b"\f", b"\r", b"\n", b" \v\f "])
def test_any_white_space_in_base64_is_skipped(space: bytes) -> None:
    assert lenient(BEGIN + space + BODY[0][:5] + space + BODY[0][5:] + b"".join(BODY[1:]) + space + END) == ([ONE], [])


@pytest.mark.parametrize("mark", [b"#", b"# ", b"  # ", b"\t#"])
def test_a_block_whose_lines_are_all_comments_is_ignored(mark: bytes) -> None:
    commented = mark + BEGIN + b"".join(mark + line for line in BODY) + mark + END
    assert lenient(PEM + commented + der.pem(TWO)) == ([ONE, TWO], [])
    assert lenient(BEGIN + b"\n" + mark + BASE64.replace(b"\n", b"\n" + mark) + END) == ([], [])


def test_a_block_without_an_end_whose_lines_are_all_comments_is_ignored() -> None:
    assert lenient(b"# " + BEGIN + b"# text\n" + PEM) == ([ONE], [])
    assert lenient(b"# " + BEGIN + b"# text\n") == ([], [])


def test_a_block_with_one_comment_is_a_problem() -> None:
    """Not every line is a comment, so the block may be a certificate."""
    found, problems = lenient(BEGIN + b"# text\n" + BASE64 + END + der.pem(TWO))
    assert (found, len(problems)) == ([TWO], 1)


def test_an_empty_block_is_a_problem() -> None:
    found, problems = lenient(BEGIN + b" \n" + END + PEM)
    assert (found, len(problems)) == ([ONE], 1)


@pytest.mark.parametrize("before", [b"", b"\n", b"# one\n", b"# one\r\n# two\r\n", PEM, PEM + PEM])
@pytest.mark.parametrize(
    "block",
    [
        pytest.param(BEGIN + BASE64, id="no end"),
        pytest.param(BEGIN + BASE64 + b"-----END X509 CERTIFICATE-----\n", id="the end of another label"),
        pytest.param(BEGIN + b"!" + BASE64 + END, id="no base64"),
        pytest.param(der.pem(b"text"), id="no certificate"),
    ],
)
def test_a_problem_names_the_line_of_its_block(before: bytes, block: bytes) -> None:
    line = before.count(b"\n") + 1
    for data, after in ((before + block, []), (before + block + der.pem(TWO), [TWO])):
        found, problems = lenient(data)
        assert found == [ONE] * before.count(BEGIN) + after
        (problem,) = problems
        assert f"line {line} " in problem


def test_a_second_problem_has_its_own_line_number() -> None:
    _, problems = lenient(PEM + BEGIN + PEM + BEGIN + b"# text\nx\n" + END)
    lines = PEM.count(b"\n")
    assert [f"line {number} " in problem for number, problem in zip((lines + 1, 2 * lines + 2), problems)] == [True] * 2


def test_a_block_may_end_with_the_data() -> None:
    assert lenient(PEM.rstrip(b"\n")) == ([ONE], [])
    assert lenient(PEM + der.pem(TWO).rstrip(b"\n")) == ([ONE, TWO], [])


def test_a_block_ends_with_its_first_end() -> None:
    assert lenient(PEM + END + der.pem(TWO) + END) == ([ONE, TWO], [])


def test_the_end_of_a_block_is_not_searched_for_after_the_next_begin() -> None:
    found, problems = lenient(BEGIN + BASE64 + PEM)
    assert (found, len(problems)) == ([ONE], 1)


def test_problems_beyond_a_limit_are_counted() -> None:
    found, problems = lenient(BEGIN * (MOST_PROBLEMS + 2) + PEM)
    assert found == [ONE]
    assert len(problems) == MOST_PROBLEMS + 1
    assert problems[-1].startswith("2 ")
    assert len(lenient(BEGIN * MOST_PROBLEMS + PEM)[1]) == MOST_PROBLEMS


@pytest.mark.parametrize("data", [PEM, der.pem(TWO, newline=b"\r\n"), b"text\n" + PEM + der.pem(TWO), ONE])
def test_a_bundle_that_the_strict_reader_accepts_contains_the_same_certificates(data: bytes) -> None:
    assert lenient(data) == strict(data)
