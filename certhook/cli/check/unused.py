"""Root certificates that are present on this machine, but that no source of trust reads.

:func:`search` looks for the missing issuer of a server's certificates in the files of
:mod:`certhook.cli.check.locations`. It reads files only, within limits of time, number and size,
and trusts none of them: the result only explains a failure.
"""

from __future__ import annotations

import os
import re
import time
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Iterator, NamedTuple, Sequence

from certhook import _config, _files
from certhook._certificates import formats, names, pem
from certhook._certificates.x509 import Certificate
from certhook._config import SERVER_AUTH, Config
from certhook._sources import distrust, settings_file
from certhook._sources.collector import Collector
from certhook.cli import _systems
from certhook.cli.check import locations, unused_reasons
from certhook.cli.check.certificate import (
    identifier_mismatch,
    is_ca,
    is_issued_by,
    is_self_issued,
    likely_issuers,
    normalized_name,
    parse,
    to_der,
)
from certhook.cli.check.locations import Location
from certhook.cli.check.unused_reasons import Remedy
from certhook.exceptions import SourceError

if TYPE_CHECKING:
    from cryptography import x509

    from certhook._sources.blocklist import Blocklist
    from certhook.cli.check.chain import Roots
    from certhook.cli.check.failure import Deadline

#: The contents of a file: a root certificate that the chain leads to, an intermediate one without its root, a
#: certificate that a block list distrusts, a malformed certificate with the name of the issuer; or the contents are
#: unknown, because this user may not read the file.
ROOT, INTERMEDIATE, DISTRUSTED, DAMAGED, UNREADABLE = "root", "intermediate", "distrusted", "damaged", "unreadable"

_MAX_FILE_SIZE = 2 << 20  # bytes; a bundle with all public roots has 0.3 MB
_MAX_OTHER_SIZE = 64 << 10  # of a file that is not PEM
_MAX_TOTAL_SIZE = 32 << 20
_MAX_FILES = 4000
_MAX_FILES_PER_LOCATION = 1500
_MAX_SECONDS = 4.0
_MAX_PATH_LENGTH = 20
# Names of private keys, which are not read.
_KEY_NAME = re.compile(r"(?i)(^|[-_.])(priv(ate)?[-_]?)?key([-_.]|$)")
_LINE = re.compile(r"at line (\d+)")


class Unused(NamedTuple):
    """A file that contains a missing certificate, or may contain it, and that no source of trust reads.

    :ivar content: one of the constants above
    :ivar certificate: the certificate, None if it is malformed or unknown
    :ivar line: the line of a malformed certificate
    :ivar remedy: why no source reads the file, and the commands that change it
    :ivar distrusted_by: the block list that distrusts the certificate
    """

    content: str
    path: str
    certificate: x509.Certificate | None = None
    line: int = 0
    remedy: Remedy = Remedy()
    distrusted_by: str = ""


class _Entry(NamedTuple):
    """A certificate in a file."""

    location: Location
    certificate: Certificate


def search(path: Sequence[x509.Certificate], roots: Roots, deadline: Deadline) -> tuple[Unused, ...]:
    """Search this machine for the issuer of the last certificate of *path*, or for that certificate itself.

    :param path: the certificates from the server's own to the last known one
    :param roots: the known roots
    :returns: the files, in the order of their locations
    """
    if not path:
        return ()
    try:
        return tuple(_Search(deadline).run(path, roots))
    except Exception as error:  # An internal error must not hide the failure that is to be explained.
        from certhook._warnings import debug

        if _config.current().debug:
            debug(f"the search for unused root certificates failed: {error!r}")
        return ()


class _Search:
    """Reads the files within the limits, and matches their certificates."""

    def __init__(self, deadline: Deadline) -> None:
        self._end = time.monotonic() + min(_MAX_SECONDS, _left(deadline))
        self._files, self._size = _MAX_FILES, _MAX_TOTAL_SIZE
        self._config = settings_file.effective(_config.current())
        self._system = _systems.current()
        self._by_name: dict[bytes, list[_Entry]] = {}
        self._damaged: list[tuple[Location, bytes, list[str]]] = []
        self._unreadable: list[Location] = []
        self._seen: set[tuple[int, int]] = set()
        self._known = pem.Known()

    def run(self, path: Sequence[x509.Certificate], roots: Roots) -> Iterator[Unused]:
        """Yield the files with certificates, in the order of the locations; then damaged and unreadable files."""
        for location in locations.locations(self._config, os.environ):
            for member in islice(locations.members(location, self._may_continue), _MAX_FILES_PER_LOCATION):
                self._read(member)
        found = list(self._matching(path, roots))
        has_root = any(unused.content == ROOT for unused in found)
        yield from found
        if not has_root:
            yield from self._with_damage(path[-1])
            for location in self._unreadable:
                remedy = unused_reasons.unreadable(location, self._system)
                yield Unused(UNREADABLE, location.path, remedy=remedy)

    def _may_continue(self) -> bool:
        return self._files > 0 and self._size > 0 and time.monotonic() < self._end

    def _read(self, location: Location) -> None:
        if not self._may_continue() or _KEY_NAME.search(os.path.basename(location.path)):
            return
        self._files -= 1
        try:
            status = os.stat(location.path)
        except PermissionError:
            self._add_unreadable(location)
            return
        except (OSError, ValueError):
            return
        if (status.st_dev, status.st_ino) in self._seen:
            return
        self._seen.add((status.st_dev, status.st_ino))
        if os.path.isdir(location.path):
            self._add_unreadable(location)
            return
        if not locations.is_regular(location.path, _MAX_FILE_SIZE) or locations.is_virtual(status.st_dev):
            return
        self._size -= status.st_size
        try:
            data = _files.read(location.path)
        except SourceError as error:
            if isinstance(error.__cause__, PermissionError):
                self._add_unreadable(location)
            return
        self._parse(location, data)

    def _add_unreadable(self, location: Location) -> None:
        if location.kind in (locations.INPUT, locations.HASHES, locations.STORE):
            self._unreadable.append(location)

    def _parse(self, location: Location, data: bytes) -> None:
        if location.kind == locations.NEARBY and b"PRIVATE KEY-----" in data:
            return  # It belongs to a server.
        entries, problems = pem.parse(data, known=self._known)
        if problems:
            self._damaged.append((location, data, problems))
        certificates = [entry.certificate for entry in entries if entry.trusted & SERVER_AUTH]
        if not entries and len(data) <= _MAX_OTHER_SIZE:
            certificates = list(map(Certificate, formats.identify(data, location.path).certificates))
        for certificate in certificates:
            self._by_name.setdefault(names.folded(certificate.subject), []).append(_Entry(location, certificate))

    def _matching(self, path: Sequence[x509.Certificate], roots: Roots) -> Iterator[Unused]:
        """Yield the files with the issuer of a certificate of *path*, with its issuers, or with a self-signed one."""
        wanted = list(path)
        seen: set[bytes] = set()
        reported: set[tuple[str, bytes]] = set()
        for certificate in wanted:
            der = to_der(certificate)
            for name in dict.fromkeys((normalized_name(certificate.issuer), normalized_name(certificate.subject))):
                named = self._by_name.get(name, ())
                for entry in likely_issuers(certificate, named, lambda one: one.certificate.der):
                    parsed = parse(entry.certificate.der)
                    key = (entry.location.path, entry.certificate.der)
                    if (
                        parsed is None
                        or key in reported
                        or not (entry.certificate.der == der or is_issued_by(certificate, parsed))
                    ):
                        continue
                    is_root = is_self_issued(parsed)
                    is_servers = parsed in path and not is_root and not is_ca(parsed)
                    # OpenSSL would not accept an edition that the identifier excludes.
                    is_excluded = parsed != certificate and bool(identifier_mismatch(certificate, parsed))
                    if is_servers or is_excluded or _is_trusted(parsed, roots):
                        continue
                    reported.add(key)
                    unused = self._explain(entry, parsed, is_root)
                    if unused is not None:
                        yield unused
                    if not is_root and entry.certificate.der not in seen and len(wanted) < _MAX_PATH_LENGTH:
                        seen.add(entry.certificate.der)
                        wanted.append(parsed)

    def _explain(self, entry: _Entry, parsed: x509.Certificate, is_root: bool) -> Unused | None:
        remedy = unused_reasons.remedy(entry.location, parsed, self._system, self._config)
        if remedy is None:
            return None
        content = ROOT if is_root else INTERMEDIATE
        rejected, by = self._blocklist.match(entry.certificate)
        if rejected & SERVER_AUTH:
            return Unused(DISTRUSTED, entry.location.path, parsed, remedy=remedy, distrusted_by=", ".join(by))
        return Unused(content, entry.location.path, parsed, remedy=remedy)

    @cached_property
    def _blocklist(self) -> Blocklist:
        collector = Collector(Config({}), SERVER_AUTH)
        distrust.read(collector)
        return collector.blocklist

    def _with_damage(self, top: x509.Certificate) -> Iterator[Unused]:
        """Yield the malformed certificates that contain the name of the issuer of *top*."""
        name = top.issuer.public_bytes()
        for location, data, problems in self._damaged:
            remedy = unused_reasons.damaged(location, self._system)
            for line in [int(number) for problem in problems for number in _LINE.findall(problem)]:
                if any(name in decoded for decoded in _decoded(data, line)):
                    yield Unused(DAMAGED, location.path, line=line, remedy=remedy)


def _is_trusted(certificate: x509.Certificate, roots: Roots) -> bool:
    """Return whether *certificate* is a trusted root, or an intermediate certificate that a trusted root issued."""
    anchor = roots.find_trusted(certificate.issuer)
    parsed = parse(anchor.der) if anchor is not None else None
    return parsed is not None and (
        parsed == certificate if is_self_issued(certificate) else is_issued_by(certificate, parsed)
    )


def _left(deadline: Deadline) -> float:
    try:
        return deadline.left()
    except OSError:
        return 0


def _decoded(data: bytes, line: int) -> Iterator[bytes]:
    """Decode the base64 text of the malformed block that begins at *line*, for any number of missing characters."""
    import binascii

    block = b"\n".join(data.split(b"\n")[line - 1 :]).split(b"-----")
    digits = re.sub(rb"[^A-Za-z0-9+/]", b"", block[2] if len(block) > 2 else b"")
    for start in range(4):
        yield binascii.a2b_base64(digits[start : start + (len(digits) - start) // 4 * 4])
