"""Reading certificates from files: PEM text, or one certificate as DER.

Bundles may contain Windows line endings, a byte-order mark, comments in any encoding, text
between the blocks, and malformed blocks. :func:`parse` returns every valid certificate
together with a problem for each malformed block.
"""

from __future__ import annotations

import binascii

from certhook._certificates import auxiliary, x509
from certhook._certificates.anchor import Entry, purpose_bits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator

#: The number of malformed blocks of one file that are reported one by one.
MOST_PROBLEMS = 20
#: The number of blocks of one file that are read. A system has fewer than 500 roots.
MOST_BLOCKS = 10_000

TRUSTED_CERTIFICATE = b"TRUSTED CERTIFICATE"  # a certificate followed by OpenSSL's trust settings
_LABELS = (
    b"CERTIFICATE",
    b"X509 CERTIFICATE",  # before OpenSSL 0.9
    TRUSTED_CERTIFICATE,
)
# The maximum length of a label with the dashes after it, in bytes.
_LABEL_LIMIT = 64

_BEGIN = b"-----BEGIN "
_END = b"-----END "
_DASHES = b"-----"
_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_NO_END = "the END line is missing"


class Known:
    """The certificates that were parsed already, because many locations contain the same ones.

    :ivar by_der: the certificates by their DER
    :ivar by_text: the same certificates by the text between BEGIN and END, which is decoded once
    """

    __slots__ = ("by_der", "by_text")

    def __init__(self) -> None:
        self.by_der: dict[bytes, x509.Certificate] = {}
        self.by_text: dict[bytes, x509.Certificate] = {}


def parse(data: bytes, lenient: bool = False, known: Known | None = None) -> tuple[list[Entry], list[str]]:
    """Read the certificates in *data*.

    :param lenient: whether to also accept blocks that p11-kit accepts and OpenSSL does not. Block lists are
        read this way, so that no distrusted certificate is missed.
    :param known: certificates that are not parsed again; others are added
    :returns: the entries in the order of the file, and a problem for each malformed block, up
        to :data:`MOST_PROBLEMS`
    """
    known = Known() if known is None else known
    if data.startswith(_UTF16_MARKS):
        # PowerShell's ">" writes UTF-16. PEM itself is ASCII.
        data = data.decode("utf-16", "replace").encode("ascii", "replace")
    if data[:1] == b"\x30" and _BEGIN not in data:
        try:
            return [_entry(data, True, known)], []
        except ValueError as error:
            return [], [f"not a single DER certificate: {error}"]
    entries: list[Entry] = []
    problems: list[str] = []
    skipped = 0
    for count, block in enumerate(_lenient_blocks(data) if lenient else _strict_blocks(data)):
        line, label, body, fault = block
        if count == MOST_BLOCKS:
            problems.append(f"everything from line {line} on was ignored: the file contains more than {count} blocks")
            break
        certificate = known.by_text.get(body)
        if certificate is not None:
            entries.append(Entry(certificate))
            continue
        try:
            if fault:
                raise ValueError(fault)
            entry = _entry(_base64(body), label == TRUSTED_CERTIFICATE, known)
            if not entry.certificate.rest:
                known.by_text[body] = entry.certificate
            entries.append(entry)
        except ValueError as error:
            skipped += 1
            if skipped <= MOST_PROBLEMS:
                problems.append(f"the certificate at line {line} was skipped: {error}")
    if skipped > MOST_PROBLEMS:
        problems.append(f"{skipped - MOST_PROBLEMS} more certificates were skipped")
    return entries, problems


def decode(text: bytes) -> list[bytes]:
    """Return the decoded content of each block in *text*, which must be well-formed PEM."""
    blocks = text.split(b"-----BEGIN ")[1:]
    return [binascii.a2b_base64(block.partition(b"-----")[2].partition(b"-----END ")[0]) for block in blocks]


def _strict_blocks(data: bytes) -> Iterator[tuple[int, bytes, bytes, str]]:
    """Find the certificate blocks that OpenSSL finds (:rfc:`7468`), in linear time.

    OpenSSL treats a BEGIN that is not at the start of a line as a comment.

    :returns: for each block the line number, the label, the base64 text, and why it is malformed
    """
    newline = b"\n" if b"\n" in data else b"\r"
    line, counted = 1, 0
    position = data.find(_BEGIN)
    while position >= 0:
        before = data[max(position - len(_DASHES), 0) : position]
        # The previous file lacked a final newline when files were concatenated.
        is_joined = before == _DASHES
        is_at_start = is_joined or _ends_line(before, newline)
        label, after = _label(data, position) if is_at_start else (b"", position + len(_BEGIN))
        if label:
            line += data.count(newline, counted, position)
            counted = position
            ending = _END + label + _DASHES
            start = after + len(label) + len(_DASHES)
            end = data.find(_DASHES, start)
            if label not in _LABELS:
                # A certificate inside another block, such as an encrypted message, is not trusted.
                after = data.find(ending, start)
                if after < 0:
                    yield line, label, b"", "the block has no END line, so the rest of the file is ignored"
                    return
            elif is_joined:
                yield line, label, b"", "it begins on the last line of another block"
            elif end >= 0 and data.startswith(ending, end):
                yield line, label, data[start:end], ""
            else:
                yield line, label, b"", _NO_END
        position = data.find(_BEGIN, after)


def _label(data: bytes, position: int) -> tuple[bytes, int]:
    """Return the label of the BEGIN at *position*, empty if there is none, and its start."""
    start = position + len(_BEGIN)
    end = data.find(_DASHES, start, start + _LABEL_LIMIT)
    label = data[start:end] if end >= 0 else b""
    return b"" if b"\n" in label or b"\r" in label else label, start


def _ends_line(before: bytes, newline: bytes) -> bool:
    """Return whether a new line begins after *before*, which may end with a byte-order mark."""
    if before.endswith(_UTF8_MARK):
        before = before[: -len(_UTF8_MARK)]
    return not before or before.endswith(newline)


def _lenient_blocks(data: bytes) -> Iterator[tuple[int, bytes, bytes, str]]:
    """Find the certificate blocks that p11-kit finds: anywhere in a line, with or without headers.

    Source: p11-kit's common/pem.c. The result is that of :func:`_strict_blocks`.
    """
    line, counted = 1, 0
    position = data.find(_BEGIN)
    while position >= 0:
        label, after = _label(data, position)
        following = data.find(_BEGIN, after)
        if label in _LABELS:
            line += data.count(b"\n", counted, position)
            counted = position
            start = after + len(label) + len(_DASHES)
            limit = following if following >= 0 else len(data)
            # The dashes of END and of the next BEGIN may overlap.
            end = data.find(_END + label + _DASHES, start, limit + len(_DASHES))
            body = data[start : end if end >= 0 else limit]
            if _is_commented_out(body):
                pass
            elif end < 0:
                yield line, label, b"", _NO_END
            else:
                if b":" in body:
                    body = _without_headers(body)
                yield line, label, body.translate(None, b"\v\f"), ""
        position = following


def _without_headers(body: bytes) -> bytes:
    """Return *body* without its headers (RFC 1421). OpenSSL accepts no certificate with headers."""
    import re

    return re.split(rb"\r?\n[ \t]*\r?\n", body, maxsplit=1)[-1]


def _is_commented_out(body: bytes) -> bool:
    """Return whether each line of a block begins with ``#``. p11-kit ignores such a block."""
    lines = [line.strip() for line in body.splitlines()]
    return any(lines) and all(line.startswith(b"#") for line in lines if line)


def _base64(text: bytes) -> bytes:
    text = text.translate(None, b" \t\r\n")
    # a2b_base64() skips invalid characters and stops at the first "=".
    digits = text.rstrip(b"=")
    if len(text) % 4 or len(text) - len(digits) > 2 or not _is_base64(digits):
        raise ValueError("invalid base64")
    return binascii.a2b_base64(text)


def _is_base64(digits: bytes) -> bool:
    return digits.replace(b"+", b"").replace(b"/", b"").isalnum()


def _entry(data: bytes, may_have_settings: bool, known: Known) -> Entry:
    certificate = known.by_der.get(data)
    if certificate is None:
        certificate = x509.Certificate(data)
    if not certificate.rest:
        known.by_der[data] = certificate
        return Entry(certificate)
    if not may_have_settings:
        raise ValueError(f"{len(certificate.rest)} bytes follow the certificate")
    trusted, rejected = purpose_bits(*auxiliary.read(certificate.rest))
    return Entry(certificate, trusted, rejected, auxiliary.purpose_lists(certificate.rest))
