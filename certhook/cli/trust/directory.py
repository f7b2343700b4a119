"""The directory for the administrator's own CAs: adding files to it, and removing them.

The directory is opened from the root directory on, component by component, without following links, and every
component must belong to root, as must the links on the way to it. Files are created and removed through its
descriptor. Another user who replaces a directory with a link therefore redirects nothing.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from typing import Iterator, NamedTuple

from certhook._certificates import pem
from certhook._certificates.anchor import Anchor
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
_MOST_LINKS = 40
_MAX_SLUG = 40
_LIMIT = 1 << 20
#: The names of the files that are written: the name of the CA, 16 digits of the fingerprint, and a number.
NAME = re.compile(r"certhook-(?:[a-z0-9]+-)*([0-9a-f]{16})(?:-\d+)?\.[a-z]+")

_COMMON = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_DIRECTORY = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | _COMMON
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _COMMON
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _COMMON


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
                    if _read(directory, name) == root.pem:
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
            for name in sorted(os.listdir(directory)):
                matched = NAME.fullmatch(name)
                if matched:
                    with contextlib.suppress(OSError):
                        data = _read(directory, name)
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
        for name in sorted(set(os.listdir(directory)) - own):
            with contextlib.suppress(OSError):
                if any(entry.der == root.anchor.der for entry in pem.parse(_read(directory, name))[0]):
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


def _take_back(directory: int, system: System, program: str, names: Sequence[str]) -> str:
    """Remove the files *names*, which an installation that failed has written, and return the outcome."""
    for name in names:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=directory)
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
            if _read(directory, file.name) != file.candidate.pem:
                raise CommandError(
                    f"nothing was changed: {system.directory}/{file.name} was changed meanwhile, and was not removed"
                )
        for file in files:
            os.unlink(file.name, dir_fd=directory)
        try:
            commands.run(program, system.refresh[1:])
        except CommandError as error:
            remaining = f"the file was removed; to update the system's store, run: {system.refresh_command()}"
            raise CommandError(f"{error}; {remaining}") from None


@contextlib.contextmanager
def opened(path: str, create: bool = False) -> Iterator[int]:
    """Open the directory *path*, which only root can modify.

    :param create: whether to create it, and its parents
    :raises FileNotFoundError: if it does not exist
    :raises CommandError: if another user can replace it
    """
    resolved = _without_links(path)
    descriptor = os.open("/", _DIRECTORY)
    current = ""
    try:
        _check("/", os.fstat(descriptor), is_parent=True)
        for name in resolved.strip("/").split("/"):
            current = f"{current}/{name}"
            try:
                inner = os.open(name, _DIRECTORY, dir_fd=descriptor)
            except FileNotFoundError:
                if not create:
                    raise
                os.mkdir(name, _DIRECTORY_MODE, dir_fd=descriptor)
                inner = os.open(name, _DIRECTORY, dir_fd=descriptor)
                os.fchmod(inner, _DIRECTORY_MODE)
            os.close(descriptor)
            descriptor = inner
            _check(current, os.fstat(descriptor), is_parent=current != resolved)
        yield descriptor
    except NotADirectoryError:
        raise CommandError(f"nothing was changed: {current} is not a directory") from None
    finally:
        os.close(descriptor)


def _without_links(path: str) -> str:
    """Return *path* without symbolic links.

    :raises CommandError: if another user can replace one of them
    """
    resolved, names, left = "", path.split("/"), _MOST_LINKS
    while names:
        name = names.pop(0)
        if name in ("", os.curdir, os.pardir):
            resolved = os.path.dirname(resolved).rstrip("/") if name == os.pardir else resolved
            continue
        inner = f"{resolved}/{name}"
        try:
            status = os.lstat(inner)
        except (FileNotFoundError, NotADirectoryError):
            return "/".join([inner, *names])
        if not stat.S_ISLNK(status.st_mode):
            _check(inner, status, is_parent=True)
            resolved = inner
            continue
        left -= 1
        if status.st_uid != 0 or not left:
            raise CommandError(f"nothing was changed: users other than root can modify the link {inner}")
        target = os.readlink(inner)
        names = [*target.split("/"), *names]
        resolved = "" if target.startswith("/") else resolved
    return resolved


def _check(path: str, status: os.stat_result, is_parent: bool) -> None:
    """Refuse a directory that a user other than root can modify.

    A group may have write access: Debian's group staff administers /usr/local. In a parent with the sticky bit,
    other users cannot replace a directory of root.
    """
    is_shared = status.st_mode & stat.S_IWOTH and not (is_parent and status.st_mode & stat.S_ISVTX)
    if status.st_uid != 0 or is_shared:
        raise CommandError(f"nothing was changed: users other than root can modify the directory {path}")


def _add(directory: int, system: System, root: Candidate) -> tuple[str, bool]:
    """Write *root* to a file that does not exist. An existing file is never changed.

    :returns: its name, and False if a file with this name and content exists already
    """
    for number in range(1, _MOST_NAMES):
        name = file_name(root, system.suffix, number)
        try:
            _create(directory, name, root.pem)
        except FileExistsError:
            with contextlib.suppress(OSError):
                if _read(directory, name) == root.pem:
                    return name, False
            continue
        return name, True
    raise CommandError(f"{system.directory} contains too many files with the name of this root")


def _create(directory: int, name: str, data: bytes) -> None:
    descriptor = os.open(name, _CREATE, 0o600, dir_fd=directory)
    try:
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, _MODE)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        os.unlink(name, dir_fd=directory)
        raise


def _read(directory: int, name: str) -> bytes:
    """Read a regular file in *directory*.

    :raises OSError: if it is a link or another kind of file, or cannot be read
    """
    descriptor = os.open(name, _READ, dir_fd=directory)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{name} is not a regular file")
        return file.read(_LIMIT)
