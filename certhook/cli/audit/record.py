"""Comparing the installed files of a distribution with its ``RECORD``, and the compiled modules with their sources.

Another user may have written the ``RECORD``: nothing outside of the environment is read, and its size is limited.
"""

from __future__ import annotations

import base64
import csv
import io
import os
import site
import sys
import sysconfig
from typing import NamedTuple

from certhook import _digest, _files
from certhook.cli.audit import bytecode
from certhook.cli.audit.problem import Problem, reason
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator

    from certhook.cli.audit.access import Access
    from certhook.cli.audit.distributions import Distribution

# The largest RECORD, in bytes, and the largest number of files in the directories of a package. certhook has 200 files.
_MAX_SIZE = 4 * 1024 * 1024
_MAX_FILES = 20_000

_ALGORITHMS = ("sha256", "sha384", "sha512")

_REINSTALL = "run: pip install --force-reinstall --no-deps {name}"
_EXTRA = "if a root was added, name a file with it in CERTHOOK_EXTRA_CA_CERTS instead"
_UNLISTED = "find out what created it, and delete it"
_RECOMPILE = "delete it; Python compiles the source again"

# Files that are created in the dist-info directory after the RECORD was written.
_DETAILS = "certhook-enable.json"


class Row(NamedTuple):
    """A file in a RECORD: its absolute path, and its hash in the form ``algorithm=digest``."""

    path: str
    hash: str


class Verifier:
    """The comparison of one distribution with its RECORD.

    :ivar verified: the number of files with the hash in the RECORD, and of compiled modules that match their source
    :ivar other_versions: the number of compiled modules of other versions of Python, which this one does not execute
    :ivar sha256: the SHA-256 of the RECORD itself
    """

    def __init__(self, distribution: Distribution, access: Access) -> None:
        self.verified = self.other_versions = 0
        self.sha256: str | None = None
        self._distribution = distribution
        self._access = access
        self._contents: dict[str, bytes] = {}
        self._reinstall = _REINSTALL.format(name=distribution.name)

    def problems(self) -> Iterator[Problem]:
        """Compare the files, and return all differences, and the files that another user can modify."""
        record = self._distribution.record
        yield from self._access.problems(record)
        try:
            data = _files.read(record)
            if len(data) > _MAX_SIZE:
                raise ValueError(f"is larger than {_MAX_SIZE >> 20} MiB")
            self.sha256 = _digest.hexdigest("sha256", data)
            rows = list(csv.reader(io.StringIO(data.decode("utf-8", "surrogateescape"), newline="")))
        except (SourceError, ValueError, csv.Error) as error:
            text = reason(error) if isinstance(error, SourceError) else f"is malformed: {error}"
            yield Problem(record, text, self._reinstall)
            return
        listed: dict[str, str] = {}
        for row in rows[:_MAX_FILES]:
            yield from self._row_problems(row, listed)
        if len(rows) > _MAX_FILES:
            yield Problem(record, f"lists more than {_MAX_FILES} files", self._reinstall)
        for path, expected in listed.items():
            yield from self._file_problems(Row(path, expected))
        yield from self._directory_problems(listed)

    def _row_problems(self, row: list[str], listed: dict[str, str]) -> Iterator[Problem]:
        """Add the file in *row* to *listed*."""
        record = self._distribution.record
        if not row:
            return
        name, expected = row[0], row[1] if len(row) > 1 else ""
        path = self._locate(name)
        if path is None:
            yield Problem(record, f"lists a path outside of the environment: {name!r}", self._reinstall)
        elif listed.setdefault(path, expected) != expected:
            yield Problem(record, f"lists {name!r} twice with different hashes", self._reinstall)

    def _locate(self, name: str) -> str | None:
        """Return the absolute path of the file *name* of the RECORD, None if it is outside of the environment."""
        location = self._distribution.location
        path = os.path.normpath(os.path.join(location, name))
        if not name or "\0" in name or os.path.isabs(name):
            return None
        parts = name.replace(os.sep, "/").split("/")
        if ".." not in parts:
            return path
        # The RECORD of 'pip install --target' describes the directory in which pip prepared the files.
        inside = os.path.join(location, *[part for part in parts if part != ".."])
        if not os.path.lexists(path) and os.path.lexists(inside):
            return inside
        base = os.path.dirname(os.path.dirname(location))
        roots = [base if os.name == "nt" else os.path.dirname(base)] if location.endswith("-packages") else []
        roots += [sys.prefix, sys.exec_prefix, site.getuserbase(), *map(sysconfig.get_path, ("data", "scripts"))]
        return (
            path if any(root and path.startswith(os.path.join(os.path.abspath(root), "")) for root in roots) else None
        )

    def _file_problems(self, row: Row) -> Iterator[Problem]:
        path, expected = row
        if path == os.path.abspath(self._distribution.record):
            return
        is_compiled = path.endswith(".pyc")
        if not os.path.lexists(path):
            if not is_compiled:
                yield Problem(path, "is listed in RECORD, but missing", self._reinstall)
            return
        yield from self._access.problems(path)
        if is_compiled:
            return  # Compared with its source.
        try:
            data = _files.read(path)
        except SourceError as error:
            yield Problem(path, f"cannot be verified: it {reason(error)}", self._reinstall)
            return
        algorithm, _, value = expected.partition("=")
        if algorithm not in _ALGORITHMS:
            found = f"only the hash {algorithm}" if value else "no hash"
            yield Problem(path, f"cannot be verified: RECORD contains {found} for it", self._reinstall)
        elif value != base64.urlsafe_b64encode(_digest.digest(algorithm, data)).decode().rstrip("="):
            is_bundle = self._distribution.name == "certifi" and path.endswith(".pem")
            remedy = f"{_EXTRA}; {self._reinstall}" if is_bundle else self._reinstall
            yield Problem(path, "differs from the hash in RECORD", remedy)
        else:
            self.verified += 1
            if path.endswith(".py"):
                self._contents[path] = data

    def _directory_problems(self, listed: dict[str, str]) -> Iterator[Problem]:
        """Compare the compiled modules with their sources, and find the files that the RECORD does not list."""
        location = self._distribution.location
        compared, count = set(), 0
        for top in (os.path.join(location, self._distribution.package), self._distribution.dist_info):
            for directory, directories, names in os.walk(top):
                directories.sort()
                yield from self._access.problems(os.path.join(directory, ""))
                links = [name for name in directories if os.path.islink(os.path.join(directory, name))]
                for name in sorted([*names, *links]):
                    count += 1
                    if count > _MAX_FILES:
                        yield Problem(top, f"contains more than {_MAX_FILES} files", self._reinstall)
                        return
                    compared.add(os.path.join(directory, name))
                    yield from self._entry_problems(os.path.join(directory, name), listed)
        # With PYTHONPYCACHEPREFIX, they are in another directory.
        for source in self._contents:
            for path in bytecode.compiled_paths(source):
                if os.path.isfile(path) and path not in compared:
                    yield from self._compiled_problems(path, source)

    def _entry_problems(self, path: str, listed: dict[str, str]) -> Iterator[Problem]:
        directory, name = os.path.split(path)
        source = bytecode.source_and_level(path)
        if source is not None and self._source(directory, source[0]) in self._contents:
            yield from self._compiled_problems(path, self._source(directory, source[0]))
        elif bytecode.is_of_other_version(path):
            self.other_versions += 1
            yield from self._access.problems(path)
        elif path.endswith(".pyc"):
            yield Problem(path, "is a compiled module without a verified source", _UNLISTED)
        elif path not in listed and (directory, name) != (self._distribution.dist_info, _DETAILS):
            yield from self._access.problems(path)
            yield Problem(path, "is not listed in RECORD", _UNLISTED)

    def _compiled_problems(self, path: str, source: str) -> Iterator[Problem]:
        yield from self._access.problems(path)
        _, level = bytecode.source_and_level(path) or ("", 0)
        try:
            text = bytecode.finding(_files.read(path), self._contents[source], level)
        except SourceError as error:
            text = f"cannot be verified: it {reason(error)}"
        if text:
            yield Problem(path, text, _RECOMPILE)
        else:
            self.verified += 1

    @staticmethod
    def _source(directory: str, name: str) -> str:
        return os.path.join(os.path.dirname(directory), name)
