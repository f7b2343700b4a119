"""The distributions that ``enable`` installed in the target.

Their ``INSTALLER`` files identify them, and their ``RECORD`` files list the installed files with
hashes. Other users may be able to write to the target, so a record with a name that certhook
never installs is refused.
"""

from __future__ import annotations

import csv
import json
import re
from typing import Mapping, NamedTuple

from certhook.cli.enable import files, pth
from certhook.cli.enable.files import Tree
from certhook.cli.enable.refusal import Refused

#: The content of ``INSTALLER`` in the dist-info directory of a distribution that ``enable`` installed.
INSTALLER = b"certhook enable\n"

#: In the dist-info directory of certhook: the changes that ``RECORD`` cannot express.
DETAILS = "certhook-enable.json"

#: The largest number of directories that are created: site-packages and its parents.
MOST_DIRECTORIES = 4

#: The file that starts certhook, at the top of site-packages.
START_FILE = "certhook.pth"

#: The distributions that ``enable`` installs, in the order of installation.
NAMES = ("certifi", "certhook")

# Windows reserves the characters other than the backslash, or treats them as a drive or a stream.
_PATH = re.compile(r'[^\x00-\x1f\x7f-\x9f\\:*?"<>|]+')
_HASH = re.compile(r"sha256=[A-Za-z0-9_-]{43}")


class Details(NamedTuple):
    """The changes to the target other than the installed files.

    :ivar edit: the edit of the ``._pth`` file, if any
    :ivar made_directories: how many directories were created: site-packages and its parents, or fewer
    """

    edit: pth.Edit | None = None
    made_directories: int = 0

    def to_json(self) -> bytes:
        """Return the content of the file :data:`DETAILS`."""
        edit = self.edit and self.edit._asdict()
        return json.dumps({"edit": edit, "made_directories": self.made_directories}, indent=1).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Details:
        """Parse the content of the file :data:`DETAILS`.

        :raises ValueError: if it is malformed
        """
        try:
            content = json.loads(data)
            made, edit = content["made_directories"], content["edit"] and pth.Edit(**content["edit"])
            if not isinstance(made, int) or made not in range(MOST_DIRECTORIES + 1) or (edit and not _is_valid(edit)):
                raise ValueError("a value is out of range")
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"unexpected structure: {error}") from None
        return cls(edit or None, made)


class Distribution(NamedTuple):
    """A distribution that ``enable`` installed.

    :ivar dist_info: the name of its dist-info directory
    :ivar hashes: the hash of each file by its path below site-packages, without ``RECORD`` itself
    """

    name: str
    dist_info: str
    hashes: Mapping[str, str]
    details: Details = Details()

    @property
    def version(self) -> str:
        """The version in the name of the dist-info directory."""
        return self.dist_info[len(self.name) + 1 : -len(".dist-info")]

    @property
    def record(self) -> str:
        """The path of ``RECORD`` below site-packages."""
        return f"{self.dist_info}/RECORD"


class Verified(NamedTuple):
    """Files of a distribution by the result of the comparison with their hashes."""

    unchanged: tuple[str, ...]
    changed: tuple[str, ...]
    missing: tuple[str, ...]


def find(packages: Tree) -> dict[str, Distribution]:
    """Find the distributions that ``enable`` installed.

    :returns: the distributions by their name, in the order of :data:`NAMES`
    :raises Refused: if a record is malformed
    """
    found = {}
    for name in NAMES:
        ours = [entry for entry in _metadata_directories(packages, name) if _is_ours(packages, entry)]
        if len(ours) > 1:
            paths = ", ".join(map(packages.absolute, ours))
            raise Refused(f"'enable' installed {name} more than once ({paths}); delete all but one of them")
        for entry in ours:
            found[name] = _read_distribution(packages, name, entry)
    return found


def is_installed_otherwise(packages: Tree, name: str) -> bool:
    """Return whether pip, or another installer than ``enable``, installed the distribution *name*."""
    return not all(_is_ours(packages, entry) for entry in _metadata_directories(packages, name))


def verify(packages: Tree, distribution: Distribution) -> Verified:
    """Compare the files of *distribution* with their hashes."""
    groups: dict[str, list[str]] = {"unchanged": [], "changed": [], "missing": []}
    for name, expected in distribution.hashes.items():
        try:
            group = "unchanged" if files.digest(packages.read(name)) == expected else "changed"
        except FileNotFoundError:
            group = "missing"
        except OSError as error:  # a link or a directory, for example
            files.raise_fault(error)
            group = "changed"
        groups[group].append(name)
    return Verified(**{group: tuple(names) for group, names in groups.items()})


def _read_details(packages: Tree, directory: str) -> Details:
    """Read the file :data:`DETAILS` of *directory*; if there is none, return the defaults.

    :raises ValueError: if it is malformed
    :raises OSError: if it cannot be read
    """
    try:
        return Details.from_json(packages.read(f"{directory}/{DETAILS}"))
    except FileNotFoundError:
        return Details()


def _metadata_directories(packages: Tree, name: str) -> list[str]:
    pattern = re.compile(rf"{name}-\d[^/]*\.(dist|egg)-info", re.IGNORECASE)
    return list(filter(pattern.fullmatch, packages.names()))


def _is_ours(packages: Tree, entry: str) -> bool:
    try:
        return packages.read(f"{entry}/INSTALLER") == INSTALLER
    except FileNotFoundError:
        # An interrupted 'disable' may leave an empty directory.
        return packages.is_directory(entry) and not packages.names(entry)
    except OSError as error:
        files.raise_fault(error)
        return False


def _read_distribution(packages: Tree, name: str, dist_info: str) -> Distribution:
    try:
        hashes = _parse_record(packages.read(f"{dist_info}/RECORD").decode(), name, dist_info)
        details = _read_details(packages, dist_info)
    except FileNotFoundError:
        # An interrupted 'disable' leaves INSTALLER, which it removes last, or an empty directory.
        hashes, details = {f"{dist_info}/INSTALLER": files.digest(INSTALLER)}, Details()
    except (OSError, ValueError, csv.Error) as error:
        raise Refused(f"the record of 'enable' in {packages.absolute(dist_info)} is invalid: {error}") from None
    if len(_metadata_directories(packages, name)) > 1:
        # Another installer has installed the package over ours.
        hashes = {path: value for path, value in hashes.items() if path.startswith(f"{dist_info}/")}
    return Distribution(name, dist_info, hashes, details)


def _parse_record(text: str, name: str, dist_info: str) -> dict[str, str]:
    """Parse ``RECORD``.

    :raises ValueError: if it contains a path that ``enable`` does not install, or no SHA-256
    """
    hashes = {}
    for row in csv.reader(text.splitlines()):
        path, value, _ = row
        if path == f"{dist_info}/RECORD":
            continue
        parts = path.split("/")
        is_allowed = parts[0] in (name, dist_info) and not {"", ".", ".."} & {*parts} and _PATH.fullmatch(path)
        if not is_allowed and (path, name) != (START_FILE, "certhook"):
            raise ValueError(f"unexpected path {path!r}")
        if not _HASH.fullmatch(value):
            raise ValueError(f"no SHA-256 for {path!r}")
        hashes[path] = value
    return hashes


def _is_valid(edit: pth.Edit) -> bool:
    return {*edit.lines} <= {*pth.REQUIRED} and all(map(_HASH.fullmatch, (edit.before, edit.after)))
