"""The directory for the administrator's own CAs: adding files to it, and removing them.

No other user may be able to modify the directory or those on the way to it; :mod:`certhook.cli._protection` contains
the rule. Files are created and removed through its descriptor.
"""

from __future__ import annotations

import contextlib
import re
from typing import NamedTuple

from certhook._certificates import pem
from certhook._certificates.anchor import Anchor
from certhook._directory import Directory, open_directory
from certhook.cli import _protection
from certhook.cli._protection import Unprotected
from certhook.cli._terminal import CommandError
from certhook.cli.trust import commands
from certhook.cli.trust.candidates import Candidate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Sequence

    from certhook.cli._systems import System

_MODE = 0o644
_DIRECTORY_MODE = 0o755
_MOST_NAMES = 100
_MAX_SLUG = 40
_LIMIT = 1 << 20
#: The names of the files that are written: the name of the CA, 16 digits of the fingerprint, and a number.
NAME = re.compile(r"certhook-(?:[a-z0-9]+-)*([0-9a-f]{16})(?:-\d+)?\.[a-z]+")


class Installed(NamedTuple):
    """A file that certhook wrote.

    :ivar name: its name in the directory
    :ivar candidate: its root
    """

    name: str
    candidate: Candidate


def file_name(root: Candidate, suffix: str, number: int = 1) -> str:
    """Return the name of the file for *root*.

    :param number: greater than 1 if other files have the previous names
    """
    words = re.sub("[^a-z0-9]+", "-", root.name.lower())[:_MAX_SLUG].strip("-")
    parts = ["certhook", *filter(None, [words]), root.anchor.sha256[:16], *([str(number)] if number > 1 else [])]
    return "-".join(parts) + (suffix or ".crt")


def free_name(system: System, root: Candidate) -> str:
    """Return the name of the file that :func:`install` writes, or that contains *root* already."""
    try:
        with opened(system.directory) as directory:
            for number in range(1, _MOST_NAMES):
                name = file_name(root, system.suffix, number)
                try:
                    if directory.read(name, _LIMIT) == root.pem:
                        return name
                except FileNotFoundError:
                    return name
                except OSError:
                    continue  # a link, for example
    except (FileNotFoundError, PermissionError):
        pass
    return file_name(root, system.suffix)


def installed(system: System) -> list[Installed]:
    """Return the files in the directory that certhook wrote and that are unchanged."""
    found = []
    try:
        with opened(system.directory) as directory:
            for name in directory.names():
                matched = NAME.fullmatch(name)
                if matched:
                    with contextlib.suppress(OSError):
                        data = directory.read(name, _LIMIT)
                        candidates = [Candidate(Anchor(entry.certificate)) for entry in pem.parse(data)[0]]
                        is_unchanged = len(candidates) == 1 and candidates[0].pem == data
                        if is_unchanged and candidates[0].anchor.sha256.startswith(matched[1]):
                            found.append(Installed(name, candidates[0]))
    except FileNotFoundError:
        pass
    return found


def other_files(system: System, root: Candidate) -> list[str]:
    """Return the paths of the files in the directory that contain *root* and that certhook did not write."""
    own = {file.name for file in installed(system)}
    found = []
    with contextlib.suppress(OSError), opened(system.directory) as directory:
        for name in sorted(set(directory.names()) - own):
            with contextlib.suppress(OSError):
                if any(entry.der == root.anchor.der for entry in pem.parse(directory.read(name, _LIMIT))[0]):
                    found.append(f"{system.directory}/{name}")
    return found


def install(system: System, program: str, roots: Sequence[Candidate], verify: Callable[[], None]) -> list[str]:
    """Write a file for each of *roots*, and run the system's command.

    :param program: the absolute path of the command
    :param verify: raises CommandError if the system's store does not list the roots afterwards
    :returns: the paths of the files
    :raises CommandError: if that fails; the files are removed again
    """
    names, created = [], []
    with opened(system.directory, create=True) as directory:
        try:
            for root in roots:
                name, is_new = _add(directory, system, root)
                names.append(name)
                if is_new:
                    created.append(name)
            commands.run(program, system.update[1:])
            verify()
        except BaseException as error:
            with commands.uninterruptible():
                outcome = _take_back(directory, system, program, created)
            if isinstance(error, (CommandError, OSError)):
                raise CommandError(f"{error}. {outcome}") from None
            raise
    return [f"{system.directory}/{name}" for name in names]


def _take_back(directory: Directory, system: System, program: str, names: Sequence[str]) -> str:
    """Remove the files *names*, which an installation that failed has written, and return the outcome."""
    for name in names:
        with contextlib.suppress(OSError):
            directory.unlink(name)
    try:
        commands.run(program, system.refresh[1:])
    except CommandError:
        return f"The copy was removed; to update the system's store, run: {system.refresh_command()}"
    return "Nothing was changed: the copy was removed"


def remove(system: System, program: str, files: Sequence[Installed]) -> None:
    """Remove *files*, which certhook wrote, and run the system's command.

    :raises CommandError: if that fails
    """
    with opened(system.directory) as directory, commands.uninterruptible():
        for file in files:
            if directory.read(file.name, _LIMIT) != file.candidate.pem:
                raise CommandError(
                    f"nothing was changed: {system.directory}/{file.name} was changed meanwhile, and was not removed"
                )
        for file in files:
            directory.unlink(file.name)
        try:
            commands.run(program, system.refresh[1:])
        except CommandError as error:
            remaining = f"the file was removed; to update the system's store, run: {system.refresh_command()}"
            raise CommandError(f"{error}; {remaining}") from None


def opened(path: str, create: bool = False) -> Directory:
    """Open the directory *path*.

    :param create: whether to create it, and its parents
    :raises FileNotFoundError: if it does not exist
    :raises CommandError: if another user could interfere, or it is not a directory
    """
    try:
        return open_directory(path, _protection.check, _DIRECTORY_MODE if create else None)
    except Unprotected as failure:
        raise CommandError(f"nothing was changed: {failure}") from None
    except NotADirectoryError as error:
        raise CommandError(f"nothing was changed: {error.filename or path} is not a directory") from None


def _add(directory: Directory, system: System, root: Candidate) -> tuple[str, bool]:
    """Write *root* to a file that does not exist. An existing file is never changed.

    :returns: its name, and False if a file with this name and content exists already
    """
    for number in range(1, _MOST_NAMES):
        name = file_name(root, system.suffix, number)
        try:
            directory.create(name, root.pem, _MODE, sync=True)
        except FileExistsError:
            with contextlib.suppress(OSError):
                if directory.read(name, _LIMIT) == root.pem:
                    return name, False
            continue
        return name, True
    raise CommandError(f"{system.directory} contains too many files with the name of this root")
