"""From the bytes of a file to entries.

A bundle in the wild has Windows line ends, a byte-order mark, comments in any
encoding, text between the blocks, and now and then one block that is broken.
:func:`parse` returns every whole certificate in it *and* what is wrong with
the rest, never one or the other.
"""

from __future__ import annotations

import binascii
import re

from certhook._certificates import x509
from certhook._certificates.anchor import Entry, purpose_bits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator

#: How many blocks of one file are complained of one by one.
MOST_PROBLEMS = 20

_BEGIN = b"-----BEGIN "
_DASHES = b"-----"
# X509: what OpenSSL wrote before 0.9; TRUSTED: a certificate and OpenSSL's trust settings.
TRUSTED_CERTIFICATE = b"TRUSTED CERTIFICATE"
_LABELS = (b"CERTIFICATE", b"X509 CERTIFICATE", TRUSTED_CERTIFICATE)
_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def parse(data: bytes, lenient: bool = False) -> tuple[list[Entry], list[str]]:
    """Find the certificates in *data*: PEM, or one certificate as DER.

    :param lenient: also where p11-kit takes for a certificate what OpenSSL does not: for what is distrusted
    :returns: the entries in the order of the file, and a sentence for each
        block that was skipped, up to :data:`MOST_PROBLEMS`
    """
    if data.startswith(_UTF16_MARKS):
        # What PowerShell's ">" wrote; PEM itself is ASCII.
        data = data.decode("utf-16", "replace").encode("ascii", "replace")
    entries: list[Entry] = []
    problems: list[str] = []
    if data[:1] == b"\x30" and _BEGIN not in data:
        try:
            entries.append(_entry(data, trust_settings=True))
        except ValueError as error:
            problems.append(f"looks like DER, but is not one certificate: {error}")
        return entries, problems
    skipped = 0
    for line, label, body, fault in _blocks_anywhere(data) if lenient else _blocks(data):
        try:
            if fault:
                raise ValueError(fault)
            entries.append(_entry(_base64(body), label == TRUSTED_CERTIFICATE))
        except ValueError as error:
            skipped += 1
            if skipped <= MOST_PROBLEMS:
                problems.append(f"the certificate at line {line} was skipped: {error}")
    if skipped > MOST_PROBLEMS:
        problems.append(f"{skipped - MOST_PROBLEMS} more certificates were skipped")
    return entries, problems


def _blocks(data: bytes) -> Iterator[tuple[int, bytes, bytes, str]]:
    """The certificate blocks of PEM text (:rfc:`7468`): line number, label, text, and what is wrong with it.

    Linear in the length of *data*, whatever is in it. A BEGIN that does not
    stand at the start of a line is a comment, to OpenSSL and so here.
    """
    newline = b"\n" if b"\n" in data else b"\r"
    line, counted = 1, 0
    position = data.find(_BEGIN)
    while position >= 0:
        after = position + len(_BEGIN)
        label_end = data.find(_DASHES, after, after + 64)
        label = data[after:label_end] if label_end >= 0 else b""
        if b"\n" in label or b"\r" in label:
            label = b""
        before = data[max(position - len(_DASHES), 0) : position]
        joined = before == _DASHES  # "cat" of files, of which one lacks the newline at its end
        if label and (joined or _ends_line(before, newline)):
            line += data.count(newline, counted, position)
            counted = position
            ending = b"-----END " + label + _DASHES
            start = label_end + len(_DASHES)
            end = data.find(_DASHES, start)
            if label not in _LABELS:
                # Whatever is in a block of another kind is no certificate.
                after = data.find(ending, start)
                if after < 0:
                    yield line, label, b"", "the block there does not end, and nothing behind it was read"
                    return
            elif joined:
                yield line, label, b"", "it begins on the last line of another one"
            elif end >= 0 and data.startswith(ending, end):
                yield line, label, data[start:end], ""
            else:
                yield line, label, b"", "its END line is missing"
        position = data.find(_BEGIN, after)


# The end of the headers of a block (RFC 1421), which OpenSSL's certificates have none of.
_BLANK_LINE = re.compile(rb"\r?\n[ \t]*\r?\n")


def _blocks_anywhere(data: bytes) -> Iterator[tuple[int, bytes, bytes, str]]:
    """The same as p11-kit sees them, wherever they begin in a line, with headers or without (its common/pem.c)."""
    line, counted = 1, 0
    position = data.find(_BEGIN)
    while position >= 0:
        after = position + len(_BEGIN)
        following = data.find(_BEGIN, after)
        label_end = data.find(_DASHES, after, after + 64)
        label = data[after:label_end] if label_end >= 0 else b""
        if label in _LABELS:
            line += data.count(b"\n", counted, position)
            counted = position
            start = label_end + len(_DASHES)
            end = data.find(b"-----END " + label + _DASHES, start, following if following >= 0 else len(data))
            body = data[start : end if end >= 0 else following if following >= 0 else None]
            if _is_commented_out(body):
                pass
            elif end < 0:
                yield line, label, b"", "its END line is missing"
            else:
                if b":" in body:
                    body = _BLANK_LINE.split(body, 1)[-1]
                yield line, label, body.translate(None, b"\v\f"), ""
        position = following


def _is_commented_out(body: bytes) -> bool:
    """Whether each line of a block begins with ``#``, so that it is none for p11-kit either."""
    lines = [line.strip() for line in body.splitlines()]
    return any(lines) and all(line.startswith(b"#") for line in lines if line)


def _ends_line(before: bytes, newline: bytes) -> bool:
    """Whether a line begins behind *before*, or behind the byte-order mark at its end."""
    if before.endswith(_UTF8_MARK):
        before = before[: -len(_UTF8_MARK)]
    return not before or before.endswith(newline)


def _base64(text: bytes) -> bytes:
    text = text.translate(None, b" \t\r\n")
    # a2b_base64 passes over what is not base64, and stops at the first "=".
    digits = text.rstrip(b"=")
    if len(text) % 4 or len(text) - len(digits) > 2 or not _is_base64(digits):
        raise ValueError("it is not base64")
    return binascii.a2b_base64(text)


def _is_base64(digits: bytes) -> bool:
    return digits.replace(b"+", b"").replace(b"/", b"").isalnum()


def _entry(data: bytes, trust_settings: bool) -> Entry:
    certificate = x509.Certificate(data)
    if not certificate.rest:
        return Entry(certificate)
    if not trust_settings:
        raise ValueError(f"{len(certificate.rest)} bytes follow the certificate")
    return Entry(certificate, *purpose_bits(*x509.auxiliary(certificate.rest)))
