"""Certificates in text that is almost PEM: indented, quoted, escaped, on one line, with wrong dashes, without headers.

Programs do not trust such certificates. They are read only to show and convert them, so this reader
accepts more than :mod:`certhook._certificates.pem`. All functions take linear time.
"""

from __future__ import annotations

import binascii
import re
from itertools import islice

from certhook._certificates import container

#: Larger texts are searched up to this size, in bytes.
LIMIT = 8 * 1024 * 1024
#: The largest number of blocks that are decoded. Bundles contain hundreds; each block takes up to 20 microseconds.
MOST_BLOCKS = 10_000

_BEGIN = re.compile(
    rb"BEGIN(?:%20|[ _+\t]){0,9}(?:X509[ _]|TRUSTED[ _])?CERTIFICATE(?![ _]?(?:REQUEST|PAIR))", re.IGNORECASE
)
_END = re.compile(rb"END(?:%20|[ _+\t]){0,9}(?:X509[ _]|TRUSTED[ _])?CERTIFICATE", re.IGNORECASE)
# Line breaks and other characters in the notations of programming languages, URLs, XML and e-mail.
_ESCAPED = re.compile(rb"(?<!\\)\\+(?:[nrt]|u000[aAdD])|%0[aAdD]|%20|&#(?:10|13|x[aAdD]);")
_SOFT_BREAK = re.compile(rb"=\r?\n")  # of quoted-printable
_BROKEN_LINE = re.compile(rb"=\r?\n[A-Za-z0-9+/]{4}")  # Padding precedes the END line.
_DIGITS = {b"%2b": b"+", b"%2f": b"/", b"%3d": b"=", b"=3d": b"=", b"\\u002b": b"+", b"&#43;": b"+", b"\\u003d": b"="}
_DIGIT = re.compile(rb"%2b|%2f|%3d|=3d|\\u002b|&#43;|\\u003d", re.IGNORECASE)
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=]+")
_BASE64_TEXT = re.compile(rb"[A-Za-z0-9+/]{16,}=*")
_STRICT_BEGIN = re.compile(rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[ \t]*\Z", re.IGNORECASE)

#: The name and the explanation of each kind of damage.
KINDS = {
    "quoted": ("quoted PEM", "Each line begins with '>', because the certificate was copied from a quoted e-mail."),
    "commented": ("commented-out PEM", "Each line begins with a comment character, so programs ignore it."),
    "escaped": (
        "escaped PEM",
        r"The line breaks are escaped, for example as '\n', as in JSON, in an environment variable or a URL.",
    ),
    "indented": (
        "indented PEM",
        "The lines are indented, as in YAML, but PEM requires '-----BEGIN' at the start of a line.",
    ),
    "embedded": (
        "PEM inside other text",
        "Other text precedes '-----BEGIN' on its line, but PEM requires it at the start.",
    ),
    "dashes": (
        "PEM with wrong dashes",
        "The BEGIN or END line does not have exactly five hyphens at both ends. A word processor may have changed "
        "them.",
    ),
    "label": (
        "PEM with a wrong header",
        "The first and last line must be BEGIN CERTIFICATE and END CERTIFICATE, each between five hyphens.",
    ),
    "line": ("PEM on one line", "The line breaks are missing, but PEM requires BEGIN and END on lines of their own."),
    "returns": (
        "PEM with the line endings of Mac OS 9",
        "The lines end with carriage returns only, which OpenSSL does not recognise.",
    ),
    "end": ("PEM without its END line", "The END line is missing, so the certificate may be incomplete."),
    "begin": ("PEM without its BEGIN line", "The BEGIN line is missing, so the certificate may be incomplete."),
    "truncated": ("incomplete PEM", "The certificate is incomplete: its end is missing. Copy or download it again."),
    "corrupt": ("malformed PEM", "The text between BEGIN and END is not a certificate. Copy or download it again."),
}


def recover(text: bytes) -> tuple[str, tuple[bytes, ...]]:
    """Find certificates in *text* that has a BEGIN or an END line of a certificate.

    :returns: a key of :data:`KINDS`, "" if there is no such line; and the certificates as DER
    """
    text = text[:LIMIT]
    begins = [(match.start(), match.end()) for match in islice(_BEGIN.finditer(text), MOST_BLOCKS)]
    ends = [match.start() for match in _END.finditer(text)]
    if not begins and not ends:
        return "", ()
    bodies = []
    if not begins:
        bodies.append(text[: ends[0]])
    position = 0
    for number, (_, start) in enumerate(begins):
        limit = begins[number + 1][0] if number + 1 < len(begins) else len(text)
        while position < len(ends) and ends[position] < start:
            position += 1
        end = ends[position] if position < len(ends) else len(text)
        bodies.append(text[start : min(limit, end)])
    ders = [decoded(body) for body in bodies]
    found = container.valid(ders)
    if found:
        return _damage(text, begins, ends), found
    return ("truncated" if any(map(_is_truncated, ders)) else "corrupt"), ()


def decoded(body: bytes) -> bytes:
    """Return the data of base64 *body*, ignoring all other characters; empty if it is invalid."""
    body = _DIGIT.sub(lambda match: _DIGITS[match[0].lower()], _ESCAPED.sub(b"", _SOFT_BREAK.sub(b"", body)))
    digits = _NOT_BASE64.sub(b"", body).rstrip(b"=")
    digits = digits[: len(digits) - (len(digits) % 4 == 1)]
    try:
        return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))
    except binascii.Error:
        return b""


def base64_text(text: bytes) -> bytes:
    """Return the data in *text* that consists only of base64, as in a Kubernetes secret; empty for any other text."""
    # Without white space, the pattern takes linear time.
    text = b"".join(text[:LIMIT].strip(b" \t\n\r\f\v\"'").split())
    return decoded(text) if _BASE64_TEXT.fullmatch(text) else b""


def _is_truncated(der: bytes) -> bool:
    """Return whether *der* begins like a certificate that has more bytes."""
    if der[:2] != b"\x30\x82" or len(der) < 8:
        return False
    return der[4] == 0x30 and 4 + int.from_bytes(der[2:4], "big") > len(der)


def _damage(text: bytes, begins: list[tuple[int, int]], ends: list[int]) -> str:
    """Return the damage of the first certificate in *text*."""
    if not begins:
        return "begin"
    start, after = begins[0]
    end = ends[0] if ends else len(text)
    line = max(text.rfind(b"\n", 0, start), text.rfind(b"\r", 0, start)) + 1
    before = text[line:start]
    prefix = before.rstrip(b"-").lstrip(b"\xef\xbb\xbf")
    header = text[line:after] + text[after : after + 5]
    body = text[after:end]
    if prefix.lstrip()[:1] == b">":
        return "quoted"
    if prefix.lstrip()[:2] in (b"#", b"# ", b"//", b";", b"; "):
        return "commented"
    if _ESCAPED.search(body) or _DIGIT.search(body) or _BROKEN_LINE.search(body):
        return "escaped"
    if b"\n" not in text[after:] and b"\r" in body:
        return "returns"
    if prefix and not prefix.strip():
        return "indented"
    if prefix and prefix.strip(b" \t-\x96\x97\xe2\x80\x90\x91\x92\x93\x94\x88"):
        return "embedded"
    if not before.endswith(b"-----") or text[after : after + 5] != b"-----" or before != b"-----":
        return "dashes"
    if not ends:
        return "end"
    if not _STRICT_BEGIN.match(header) or not header.isupper():
        return "label"
    first = re.match(rb"[^\r\n]*", text[after + 5 : after + 5 + 200])
    if first is not None and first[0].strip():
        return "line"
    return _damage_of_end(text, ends[0])


def _damage_of_end(text: bytes, end: int) -> str:
    line = max(text.rfind(b"\n", 0, end), text.rfind(b"\r", 0, end)) + 1
    before = text[line:end]
    if before == b"-----":
        return "label"
    if before.lstrip(b" \t") == b"-----":
        return "indented"
    return "line" if before.endswith(b"-----") and before.strip(b"-") else "dashes"
