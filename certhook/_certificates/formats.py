"""Identifying the format of a file that was expected to contain certificates as PEM.

:func:`identify` accepts any bytes and takes linear time. It is imported only to explain a failure and by
the command line: programs trust only the certificates that :mod:`certhook._certificates.pem` reads.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from certhook._certificates import container, convert, damaged, pem
from certhook._certificates.convert import ARCHIVES, EXTRACT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

#: The size up to which text is searched for PEM, HTML and other text formats, in bytes.
LIMIT = damaged.LIMIT


class Format(NamedTuple):
    """The format of a file.

    :ivar name: its name for users, for example "PKCS#7 in DER"
    :ivar command: the command that writes its certificates as PEM to another file, with quoted paths; "" if there
        is none
    :ivar explanation: one sentence or two about the content, for users
    :ivar certificates: the certificates that can be read, as DER
    :ivar is_pem: whether OpenSSL reads these certificates from the file as it is
    """

    name: str
    command: str
    explanation: str
    certificates: tuple[bytes, ...] = ()
    is_pem: bool = False

    def advice(self, then: str) -> str:
        """Return the explanation, and the command if there is one.

        :param then: the next step after the command, as an imperative
        """
        convert = f" Convert it with '{self.command}', and {then}." if self.command else ""
        return f"{self.explanation}{convert}"


class _Found(NamedTuple):
    name: str
    explanation: str
    command: str = ""  # with {source} and {target}
    certificates: tuple[bytes, ...] = ()
    is_pem: bool = False


# Other binary files by their first bytes: the name and the explanation.
_BINARY = {
    b"SQLite format 3\0": ("SQLite database", "The file is an SQLite database, such as cert9.db of Firefox."),
    b"\0\0\0\0CERT": (
        "certificate store of Windows",
        "The file is a certificate store of Windows (.sst). Open it there, and export the certificate as Base-64.",
    ),
}
_DOWNLOAD = "Copy or download it again."
_CA_FILE = "The certificate is in another file, which usually ends with .crt or .pem."

# For each kind of data without certificates: its explanation.
_WITHOUT_CERTIFICATES = {
    container.PRIVATE_KEY: f"The file is a private key. Keep it secret. {_CA_FILE}",
    container.ENCRYPTED_KEY: (f"The file is an encrypted private key. Keep it secret. {_CA_FILE}"),
    container.PUBLIC_KEY: f"The file is a public key without the certificate for it. {_CA_FILE}",
    container.REQUEST: "The file is a request for a certificate (CSR), from which a CA issues the certificate.",
    container.CRL: "The file is a list of certificates that a CA has revoked (CRL).",
}
_LABELS = (
    (b"ENCRYPTED PRIVATE KEY", container.ENCRYPTED_KEY),
    (b"PRIVATE KEY BLOCK", "PGP private key"),
    (b"PRIVATE KEY", container.PRIVATE_KEY),
    (b"PUBLIC KEY BLOCK", "PGP public key"),
    (b"PUBLIC KEY", container.PUBLIC_KEY),
    (b"CERTIFICATE REQUEST", container.REQUEST),
    (b"X509 CRL", container.CRL),
    (b"PKCS7", container.PKCS7),
    (b"PKCS #7 SIGNED DATA", container.PKCS7),
    (b"CMS", container.PKCS7),
    (b"PKCS12", container.PKCS12),
)
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 #]{1,40})-----")
_OPENSSL_BEGIN = re.compile(rb"^(?:\xef\xbb\xbf)?-----BEGIN (X509 |TRUSTED )?CERTIFICATE-----[ \t]*\r?$", re.MULTILINE)
_OPENSSL_END = re.compile(rb"^-----END (X509 |TRUSTED )?CERTIFICATE-----[ \t]*\r?$", re.MULTILINE)
_HTML = (b"<!doctype html", b"<html", b"<head>", b"<body")
_CONTROL_CHARACTER = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_SSH = (b"ssh-", b"ecdsa-sha2-", b"sk-ssh-", b"---- BEGIN SSH2")


def identify(data: bytes, path: str = "", output: str = "") -> Format:
    """Identify the format of a file from its content.

    :param path: the path of the file, for the command; without one, the command has a placeholder
    :param output: the path that the command writes to; by default a new file next to *path*
    """
    found = _find(data)
    command = convert.command(found.command, path, output, bool(found.certificates))
    return Format(found.name, command, found.explanation, found.certificates, found.is_pem)


def _find(data: bytes) -> _Found:
    if not data.strip(b" \t\r\n\0"):
        return _Found("empty file", "The file is empty." if not data else "The file contains only white space.")
    for magic, name, command in ARCHIVES:
        if data.startswith(magic):
            return _Found(f"{name} archive", f"The file is compressed with {name}. Decompress it first.", command)
    for magic, found in _BINARY.items():
        if data.startswith(magic):
            return _Found(*found)
    if data.startswith(container.KEYSTORES):
        return _keystore(data)
    if data[:1] == b"\x30" and b"-----BEGIN " not in data:
        try:
            kind = container.kind(data)
        except ValueError:
            kind = container.OTHER
        if kind != container.OTHER:
            return _binary(data, kind)
    return _text(data)


def _counted(certificates: tuple[bytes, ...]) -> str:
    return f"{len(certificates)} certificate{'' if len(certificates) == 1 else 's'}"


def _keystore(data: bytes) -> _Found:
    certificates = container.valid(container.keystore_certificates(data))
    text = f"The file is a keystore of Java (JKS) with {_counted(certificates)}. OpenSSL does not read such files."
    command = EXTRACT if certificates else "keytool -list -rfc -keystore {source} > {target}"
    return _Found("Java keystore", text, command, certificates)


def _binary(data: bytes, kind: str, encoding: str = "DER") -> _Found:
    """Return the format of *data* in DER, from a file in this *encoding*."""
    form = "" if encoding == "PEM" else " -inform DER"
    if kind == container.CERTIFICATE:
        certificates = container.consecutive(data)
        if not certificates:
            return _Found(f"malformed certificate in {encoding}", f"The certificate is malformed. {_DOWNLOAD}")
        text = f"The file is a certificate in {encoding}, the binary form. OpenSSL, curl and requests read only PEM."
        command = f"openssl x509{form} -in {{source}} -out {{target}}"
        if len(certificates) == 1:
            return _Found(f"certificate in {encoding}", text, command, certificates)
        text = (
            f"The file consists of {_counted(certificates)} in {encoding}, of which most programs read only the first."
        )
        return _Found(f"certificates in {encoding}", text, EXTRACT, certificates)
    if kind == container.PKCS7:
        certificates = _from(container.pkcs7_certificates, data)
        text = f"The file is a PKCS#7 container (.p7b) in {encoding}"
        if not certificates:
            return _Found(f"PKCS#7 in {encoding}", f"{text} without a certificate that can be read.")
        command = f"openssl pkcs7 -print_certs{form} -in {{source}} -out {{target}}"
        return _Found(f"PKCS#7 in {encoding}", f"{text} with {_counted(certificates)}.", command, certificates)
    if kind == container.PKCS12:
        return _pkcs12(data)
    if kind in _WITHOUT_CERTIFICATES:
        return _Found(f"{kind} in {encoding}", _WITHOUT_CERTIFICATES[kind])
    return _Found(f"unknown data in {encoding}", f"The file contains data in {encoding}, but no certificate.")


def _from(read: Callable[[bytes], list[bytes]], data: bytes) -> tuple[bytes, ...]:
    try:
        return container.valid(read(data))
    except ValueError:
        return ()


def _pkcs12(data: bytes) -> _Found:
    certificates = _from(container.pkcs12_certificates, data)
    text = "The file is a PKCS#12 container (.p12, .pfx), which may also contain a private key."
    if certificates and not container.is_encrypted(data):
        return _Found("PKCS#12", f"{text} It contains {_counted(certificates)}.", EXTRACT, certificates)
    legacy = " -legacy" if container.is_legacy(data) else ""
    command = f"openssl pkcs12 -nokeys{legacy} -in {{source}} -out {{target}}"
    return _Found("PKCS#12", f"{text} A password protects its certificates.", command, certificates)


def _text(data: bytes) -> _Found:
    text, encoding = _decoded(data)
    entries, problems = pem.parse(text)
    if entries:
        return _pem(text, encoding, tuple(dict.fromkeys(entry.der for entry in entries)), problems)
    text = text[:LIMIT]
    labelled = _labelled(text, bool(encoding))
    if labelled is not None and labelled.certificates:
        return labelled
    damage, certificates = damaged.recover(text)
    if certificates or (damage and labelled is None):
        name, explanation = damaged.KINDS[damage]
        return _Found(name, explanation, EXTRACT if certificates else "", certificates)
    return labelled or _other_text(data, text)


def _decoded(data: bytes) -> tuple[bytes, str]:
    """Return *data* in an encoding that extends ASCII, and the name of its encoding if it is another one."""
    start = data[:400]
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif len(start) > 8 and start[1::2].count(0) > len(start) // 2 - 5:
        encoding = "utf-16-le"
    elif len(start) > 8 and start[::2].count(0) > len(start) // 2 - 5:
        encoding = "utf-16-be"
    else:
        return data, ""
    return data[: 4 * LIMIT].decode(encoding, "replace").encode("ascii", "replace"), "UTF-16"


def _pem(text: bytes, encoding: str, certificates: tuple[bytes, ...], problems: list[str]) -> _Found:
    """Return the format of *text* from which the reader of PEM reads *certificates*."""
    count = _counted(certificates)
    labels = [match[1] or b"" for match in _OPENSSL_BEGIN.finditer(text)]
    name = "certificate in PEM" if len(certificates) == 1 else "certificates in PEM"
    if encoding:
        explanation = f"The file contains {count} in PEM, but in the encoding {encoding}, which OpenSSL does not read."
        return _Found(f"PEM in {encoding}", explanation, EXTRACT, certificates)
    if len(labels) < len(certificates) or len(_OPENSSL_END.findall(text)) < len(certificates):
        damage = damaged.recover(text)[0] or "line"
        return _Found(*damaged.KINDS[damage], EXTRACT, certificates)
    explanation = f"The file contains {count} in PEM."
    if b"PRIVATE KEY-----" in text:
        explanation = f"The file contains {count} and a private key in PEM. Keep it secret."
    if problems:
        explanation += f" {len(problems)} malformed block{'' if len(problems) == 1 else 's'} must be removed."
        return _Found(name, explanation, EXTRACT, certificates)
    if b"TRUSTED " in labels:
        explanation += " Its header is TRUSTED CERTIFICATE, which only OpenSSL reads, with its own trust settings."
        name = name.replace("in PEM", "with OpenSSL's trust settings")
    elif b"X509 " in labels:
        explanation += " Its header is X509 CERTIFICATE, which is obsolete and which many programs do not read."
        name = name.replace("in PEM", "in PEM with an obsolete header")
    else:
        return _Found(name, explanation, "", certificates, is_pem=True)
    command = "openssl x509 -in {source} -out {target}" if len(labels) == 1 else EXTRACT
    return _Found(name, explanation, command, certificates, is_pem=True)


def _labelled(text: bytes, is_converted: bool) -> _Found | None:
    """Return the format of the first PEM block in *text* by its content, or else by its label.

    :param is_converted: whether *text* had another encoding
    """
    block = _BLOCK.search(text)
    if block is None:
        return None
    end = text.find(b"-----", block.end())
    body = text[block.end() : end if end >= 0 else len(text)]
    kind = next((kind for label, kind in _LABELS if block[1].endswith(label)), "")
    if b":" not in body:  # Encrypted keys may have headers.
        try:
            actual = container.kind(damaged.decoded(body))
        except ValueError:
            actual = container.OTHER
        if actual not in (container.OTHER, container.CERTIFICATE):
            found = _binary(damaged.decoded(body), actual, "PEM")
            is_clean = convert.is_clean(text, block, body) and not is_converted and actual == container.PKCS7
            return found if is_clean else found._replace(command=EXTRACT if found.certificates else "")
    if not kind:
        return None if b"CERTIFICATE" in block[1] else _Found("other PEM", "The file contains PEM, but no certificate.")
    if kind in _WITHOUT_CERTIFICATES:
        return _Found(f"{kind} in PEM", _WITHOUT_CERTIFICATES[kind])
    return _Found(kind, f"The file contains no X.509 certificate that can be read: it is {kind}.")


def _other_text(data: bytes, text: bytes) -> _Found:
    start = text.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:1] == b"<" and any(tag in start[:10000].lower() for tag in _HTML):
        explanation = (
            "The file is an HTML page, such as the login page of a proxy or an error page. Download the certificate "
            "again, and log in first if a browser requires it."
        )
        return _Found("HTML page", explanation)
    decoded = damaged.base64_text(text)
    if decoded:
        inner = _find(decoded) if decoded[:1] != b"\x1f" else None
        if inner is not None and inner.certificates:
            explanation = f"The file is base64 without BEGIN and END lines; decoded, it is: {inner.name}."
            return _Found("base64 without a header", explanation, EXTRACT, inner.certificates)
    if start.startswith(_SSH):
        return _Found("SSH key", "The file contains an SSH key, which is not a certificate for TLS.")
    if start.startswith(b"PuTTY-User-Key-File"):
        return _Found("private key of PuTTY", _WITHOUT_CERTIFICATES[container.PRIVATE_KEY])
    if start[:1] in (b"{", b"["):
        return _Found("JSON", "The file looks like JSON and contains no certificate.")
    if start.startswith(b"<"):
        return _Found("XML", "The file looks like XML and contains no certificate.")
    if data[:2] == b"\x30\x82" and int.from_bytes(data[2:4], "big") + 4 > len(data):
        return _Found("incomplete DER", f"The file begins like a certificate, but its end is missing. {_DOWNLOAD}")
    if _CONTROL_CHARACTER.search(data[:LIMIT]):
        return _Found("unknown binary file", "The file is binary, but in no format for certificates.")
    return _Found("other text", "The file is text without a certificate.")
