"""The metadata of installed distributions.

``importlib.metadata`` opens any file with the name that it expects, so that it waits for a writer if that file is a
pipe, and reads a device without end. Another user may be able to write to a directory on the path.
"""

from __future__ import annotations

import importlib.metadata
import os
import sys

from certhook import _files
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable, Iterator


def find(name: str, path: Iterable[str] | None = None) -> Iterator[importlib.metadata.Distribution]:
    """Find the distributions with this *name*.

    :param path: the directories and archives to search instead of ``sys.path``
    """
    entries = sys.path if path is None else path
    existing = [entry for entry in entries if os.path.isdir(entry or os.curdir) or os.path.isfile(entry)]
    for found in importlib.metadata.distributions(name=name, path=existing):
        directory = getattr(found, "_path", None)
        # A path in an archive is not a path of the system.
        yield _InDirectory(directory) if isinstance(directory, os.PathLike) else found


def version(name: str, path: Iterable[str] | None = None) -> str | None:
    """Return the version of the distribution *name*, None if it is not installed or its metadata cannot be read.

    :param path: as in :func:`find`
    """
    try:
        return next((found.version for found in find(name, path)), None)
    except Exception:  # Another user may have written the metadata, and a package may have added a finder.
        return None


class _InDirectory(importlib.metadata.PathDistribution):
    """A distribution whose metadata are regular files."""

    def __init__(self, directory: Any) -> None:
        super().__init__(directory)
        self._directory = str(directory)

    def read_text(self, filename: str | os.PathLike[str]) -> str | None:
        # The name is empty if the metadata are a file instead of a directory.
        path = os.path.join(self._directory, filename) if filename else self._directory
        try:
            return _files.read(path).decode(errors="replace")
        except SourceError:
            return None
