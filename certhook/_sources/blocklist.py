"""Block lists: the certificates and keys that the administrator distrusts."""

from __future__ import annotations

from certhook._certificates import names, pem, x509
from certhook._certificates.keys import key_value
from certhook._config import ANY_PURPOSE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Collection

    from certhook._certificates.x509 import Certificate


class BlocklistEntry:
    """A distrusted certificate or public key.

    A certificate is identified by its content, by its issuer and serial number, or by its SHA-1. An
    entry with several of these, or with a key in addition, distrusts every certificate that matches any of them.

    :ivar purposes: the purposes that it is distrusted for, as bits
    :ivar certificate: the certificate
    :ivar issuer: the issuer's name as DER
    :ivar serial: the serial number as DER
    :ivar sha1: the SHA-1 of the certificate
    :ivar key: the public key (SubjectPublicKeyInfo) as DER
    :ivar fault: why the entry is malformed, empty if it is not
    :ivar since: the time from which it applies, in seconds since the epoch
    """

    __slots__ = ("certificate", "fault", "issuer", "key", "purposes", "serial", "sha1", "since")

    def __init__(
        self,
        purposes: int,
        certificate: Certificate | None = None,
        issuer: bytes = b"",
        serial: bytes = b"",
        sha1: bytes = b"",
        key: bytes = b"",
        fault: str = "",
        since: int = 0,
    ) -> None:
        self.purposes = purposes
        self.certificate = certificate
        self.issuer = issuer
        self.serial = serial
        self.sha1 = sha1
        self.key = key
        self.fault = fault
        self.since = since


class Blocklist:
    """All distrusted certificates and keys, and the files that list them.

    :ivar certificates: the distrusted certificates by their DER, if the entries contain them
    :ivar removed_labels: the names of deselected files of Debian that no longer exist, with the path of the list
    :ivar is_complete: whether all block lists could be read
    """

    def __init__(self) -> None:
        # The purposes and the path of each entry, by the keys that _keys() returns.
        self._entries: dict[object, list[tuple[int, str]]] = {}
        self._has_sha1 = False
        self.certificates: dict[bytes, Certificate] = {}
        self.removed_labels: dict[bytes, str] = {}
        self.is_complete = True
        self._exempt: Collection[object] = frozenset()
        self._find_exempt: Callable[[], Collection[object]] | None = None

    @property
    def exempt(self) -> Collection[object]:
        """The identities of CAs that remain trusted although :attr:`removed_labels` contains their labels."""
        if self._find_exempt is not None:
            find, self._find_exempt = self._find_exempt, None
            self._exempt = find()
        return self._exempt

    def find_exempt_with(self, find: Callable[[], Collection[object]]) -> None:
        """Set the function that returns :attr:`exempt`. It reads hundreds of files, so it is called only if needed."""
        self._find_exempt = find

    def add(self, entry: BlocklistEntry, path: str) -> None:
        """Distrust the certificate or key of *entry*, and every certificate with the same subject and key.

        :raises ValueError: if the entry identifies no certificate or key
        """
        if entry.fault:
            raise ValueError(entry.fault)
        keys: list[object] = []
        if entry.certificate is not None:
            keys += _keys(entry.certificate)[:2]
            self.certificates[entry.certificate.der] = entry.certificate
        if entry.issuer and entry.serial:
            keys.append(_serial_key(entry.issuer, entry.serial))
        if entry.sha1:
            keys.append(("SHA-1", entry.sha1))
            self._has_sha1 = True
        if entry.key:
            keys.append(("key", key_value(entry.key)))
        if not keys:
            raise ValueError("an entry contains neither a certificate nor an issuer with a serial number")
        for key in keys:
            self._entries.setdefault(key, []).append((entry.purposes, path))

    def add_labelled(self, bundle: bytes) -> bool:
        """Distrust each root in *bundle* with a label in :attr:`removed_labels`.

        :param bundle: PEM text in which a comment before each root contains its label, as in certifi's bundle
        :returns: whether it distrusts a root
        """
        if not self.removed_labels or _LABEL not in bundle:
            return False
        is_found = False
        for label, block in _labelled_blocks(bundle):
            path = self.removed_labels.get(_debian_name(label))
            if path is None:
                continue
            for entry in pem.parse(block)[0]:
                if identity(entry.certificate) not in self.exempt:
                    self.add(BlocklistEntry(ANY_PURPOSE, entry.certificate), path)
                    is_found = True
        return is_found

    def match(self, certificate: Certificate) -> tuple[int, list[str]]:
        """Return the purposes that *certificate* is distrusted for, as bits, and the paths of the lists."""
        if not self._entries:
            return 0, []
        keys = _keys(certificate)
        if self._has_sha1:
            keys.append(("SHA-1", x509.digest("sha1", certificate.der)))
        matches = [match for key in keys for match in self._entries.get(key, ())]
        purposes = 0
        for bits, _ in matches:
            purposes |= bits
        return purposes, [path for _, path in matches]


# certifi's bundle contains Mozilla's label of each root in a comment before it.
_LABEL = b'# Label: "'
_COMMENTS_AND_BLOCK = rb'(.*)"\r?\n(?:#.*\n){0,20}(-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----)'
# Non-ASCII characters in labels are escaped as in Python.
_ESCAPE = r"\\x[0-9a-f]{2}|\\u[0-9a-f]{4}"
# Debian replaces these characters in file names.
_DEBIAN_REPLACEMENTS = str.maketrans("/ (),", "__==_")


def _labelled_blocks(bundle: bytes) -> list[tuple[bytes, bytes]]:
    """Return the label and the PEM block of each labelled root in *bundle*."""
    import re  # Few systems have removed labels.

    return re.findall(rb"^%s%s" % (_LABEL, _COMMENTS_AND_BLOCK), bundle, re.MULTILINE)


def _debian_name(label: bytes) -> bytes:
    """Return the name of Debian's file for the root with this label (ca-certificates, certdata2pem.py)."""
    name = label.decode("latin-1")
    if "\\" in name:
        import re

        name = re.sub(_ESCAPE, lambda escape: chr(int(escape[0][2:], 16)), name)
    return f"{name.translate(_DEBIAN_REPLACEMENTS)}.crt".encode("utf-8", "replace")


def _keys(certificate: Certificate) -> list[object]:
    """Return the keys under which *certificate* may be listed."""
    subject, key = identity(certificate)
    return [certificate.der, (subject, key), _serial_key(certificate.issuer, certificate.serial), ("key", key)]


def identity(certificate: Certificate) -> tuple[bytes, bytes]:
    """Return the identity of a CA, its subject and the value of its public key, which a renewed certificate keeps."""
    return names.folded_subject(certificate), key_value(certificate.key)


def _serial_key(issuer: bytes, serial: bytes) -> tuple[bytes, object, str]:
    number: object = serial
    try:
        number = x509.integer(serial)
    except ValueError:
        pass  # It is malformed, so its encoding is compared.
    return names.folded(issuer), number, "serial"
