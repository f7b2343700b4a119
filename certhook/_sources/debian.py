"""Debian's selection of roots in /etc/ca-certificates.conf, as update-ca-certificates(8) reads it.

Each line is the name of a file in /usr/share/ca-certificates. ``NAME`` selects the file, ``!NAME``
deselects it, and lines that begin with ``#`` are comments. The certificates in deselected files are
distrusted, except CAs that a selected file or /usr/local/share/ca-certificates also contains. A CA is
identified by its subject and key, so a renewed certificate belongs to the same CA. A file that is
both selected and deselected is selected.

Lines are read as the script reads them with sed(1) and the ``read`` of sh(1): white space around a
name is removed, and a carriage return is a part of the name, so a file with the line endings of
Windows selects nothing. In older versions of the script, a backslash quotes the next character or
continues the line; newer ones take it literally. The script ignores a last line without a line
feed. In all these cases, a ``!`` still deselects, because the administrator's intention is clear
and no file is selected by mistake.
"""

from __future__ import annotations

import io
import os

from certhook import _files
from certhook._certificates import pem
from certhook._sources import block_files
from certhook._sources.blocklist import identity
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from certhook._sources.collector import Collector

#: The configuration file in which administrators of Debian and Alpine deselect roots, by file names.
DESELECTED = "/etc/ca-certificates.conf"
#: The directory of these files, and its subdirectory with Mozilla's roots.
CERTIFICATES = "/usr/share/ca-certificates"
_MOZILLAS = "mozilla"
#: The directory tree of the administrator's own CAs, files ``*.crt``, which deselecting does not affect.
LOCAL = "/usr/local/share/ca-certificates"

# A line as read(1p) without -r returns it may continue after a backslash.
_ESCAPE_OR_END = rb"\\.|\n"
_ESCAPE = rb"\\(.)"


def read_deselected(collector: Collector) -> None:
    """Read the roots that are deselected in :data:`DESELECTED` into *collector*."""
    collector.recorder.watch(DESELECTED)
    data = block_files.content(collector, DESELECTED) or b""
    lines = io.BytesIO(data).readlines()  # Unlike splitlines(), they end only at line feeds.
    deselected = b"".join(line.strip()[1:] + b"\n" for line in lines if line.strip().startswith(b"!"))
    # With backslashes as escapes, as older versions of the script read them, and literally.
    both = [*_names(deselected + b"\n", strip=None), *_names(deselected.replace(b"\\", b"\\\\"), strip=None)]
    names = [name for name in dict.fromkeys(both) if os.path.basename(name)]
    if not names:
        return
    # The versions disagree about a line with a backslash, so it does not exempt a CA.
    selected = b"".join(line for line in lines if not line.startswith((b"#", b"!", b"\n")) and b"\\" not in line)
    blocklist = collector.blocklist
    blocklist.find_exempt_with(lambda: _selected_identities(collector, _names(selected, strip=b" \t")))
    for name in names:
        path = _path(name)
        collector.recorder.watch_member(path)
        content = block_files.content(collector, path)
        if content is not None:
            block_files.add_entries(
                collector,
                path,
                block_files.certificates(content),
                is_blocklist=True,
                exempt=blocklist.exempt,
                listed_by=DESELECTED,
            )
        elif os.path.dirname(name) == _MOZILLAS:
            # An upgrade removed the file. Its name remains in the configuration, and a bundle may contain the root.
            blocklist.removed_labels[os.fsencode(os.path.basename(name))] = DESELECTED


def _names(text: bytes, strip: bytes | None) -> list[str]:
    """Return the names in the complete lines of *text*, as the ``read`` of sh(1) reads them.

    :param strip: the white space to remove around names; any, if it is None
    """
    names = []
    for name in _unescaped_lines(text, strip):
        if name and b"\0" not in name:
            names.append(os.fsdecode(name))
    return names


def _unescaped_lines(text: bytes, strip: bytes | None) -> list[bytes]:
    # The last line is incomplete, and usually empty.
    if b"\\" not in text:
        return [line.strip(strip) for line in text.split(b"\n")[:-1]]
    import re

    def unescape(escape: re.Match[bytes]) -> bytes:
        return b"" if escape[1] == b"\n" else escape[1]

    lines, start = [], 0
    for found in re.finditer(_ESCAPE_OR_END, text, re.DOTALL):
        if found[0] == b"\n":
            lines.append(text[start : found.start()])
            start = found.end()
    return [re.sub(_ESCAPE, unescape, line.strip(strip), flags=re.DOTALL) for line in lines]


def _path(name: str) -> str:
    # Even if the name begins with a slash.
    return f"{CERTIFICATES}/{name}"


def _selected_identities(collector: Collector, names: list[str]) -> set[object]:
    """Return the identities of the CAs that a selected file or :data:`LOCAL` contains."""
    found = local_identities(collector)
    for name in names:
        found |= _identities(collector, _path(name))
    return found


def local_identities(collector: Collector) -> set[object]:
    """Return the identities of the CAs in :data:`LOCAL`, which remain trusted if another copy is deselected."""
    found: set[object] = set()
    collector.recorder.watch(LOCAL)
    seen = set()
    read_failed = collector.recorder.read_failed
    for directory, subdirectories, names in os.walk(LOCAL, onerror=read_failed, followlinks=True):
        try:
            status = os.stat(directory)
        except OSError as error:
            read_failed(error)
            continue
        if (status.st_dev, status.st_ino) in seen:
            subdirectories.clear()  # A symbolic link forms a cycle.
            continue
        seen.add((status.st_dev, status.st_ino))
        collector.recorder.watch(directory)
        for name in sorted(names):
            if name.endswith(".crt"):
                found |= _identities(collector, os.path.join(directory, name))
    return found


def _identities(collector: Collector, path: str) -> set[object]:
    """Return the identities of the CAs that the file *path* adds to Debian's bundle, and record it as an input."""
    collector.recorder.watch_member(path)
    try:
        data = _files.read(path)
    except SourceError as error:
        # Not a problem: this file distrusts nothing.
        collector.recorder.read_failed(error.__cause__)
        return set()
    if b"-----BEGIN " not in data:
        return set()  # The script appends any file to the bundle, in which OpenSSL finds only PEM.
    entries, _ = pem.parse(data, known=collector.certificates)
    return {identity(entry.certificate) for entry in entries if entry.trusted & collector.purpose}
