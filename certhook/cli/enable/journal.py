"""The journal: a directory that exists while ``enable`` or ``disable`` changes a target.

It contains the new and the replaced distributions, and a file with the changes that must be undone. It is
in site-packages, or in the nearest parent that ``enable`` did not create, so that an interrupted run can be repeated
or undone completely.
"""

from __future__ import annotations

import contextlib
import os
from typing import Iterator, NamedTuple, Sequence

from certhook._directory import Directory
from certhook.cli import _protection
from certhook.cli.enable import files
from certhook.cli.enable.installed import DETAILS, MOST_DIRECTORIES, Details
from certhook.cli.enable.refusal import Refused

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

#: The name of the journal in site-packages. In a parent, the names of the directories below follow.
NAME = ".certhook-enable"

_MODE = 0o700


class Place(NamedTuple):
    """The directory that contains the journal.

    :ivar path: its path
    :ivar made: the directories from there to site-packages, which ``enable`` creates
    """

    path: str
    made: tuple[str, ...]

    @property
    def level(self) -> int:
        """The number of directories that ``enable`` creates."""
        return len(self.made)

    @property
    def name(self) -> str:
        """The name of the journal."""
        return ".".join([NAME, *self.made])

    @property
    def journal(self) -> str:
        """The path of the journal."""
        return os.path.join(self.path, self.name)


def find(site_packages: str, recorded: int) -> tuple[Place, str]:
    """Find the place of the journal.

    :param recorded: how many directories an earlier ``enable`` created
    :returns: it, and the path of the journal that an interrupted run left, empty if there is none
    """
    places = [Place(site_packages, ())]
    for _ in range(MOST_DIRECTORIES):
        parent, name = os.path.split(places[-1].path)
        places.append(Place(parent, (name, *places[-1].made)))
    missing = next((place.level for place in places if os.path.isdir(place.path)), MOST_DIRECTORIES)
    for place in reversed(places):
        if os.path.lexists(place.journal):
            return place, place.journal
    return places[max(missing, recorded)], ""


@contextlib.contextmanager
def locked(place: Place) -> Iterator[Directory]:
    """Open the directory of the journal, and hold a lock that the system releases if this process is killed.

    :raises Refused: if another process holds it
    :raises Unprotected: if another user could interfere
    """
    with files.open_protected(place.path) as directory:
        if fcntl is not None:
            try:
                fcntl.flock(directory.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise _running(place) from None
            except OSError:
                pass  # The file system has no locks, for example NFS.
        yield directory


@contextlib.contextmanager
def started(directory: Directory, place: Place, details: Details) -> Iterator[Directory]:
    """Create the journal, or continue that of an interrupted run, and remove it at the end.

    Directories that ``enable`` created are removed as well if they are empty at the end.

    :param directory: the result of :func:`locked`
    :returns: the open journal
    """
    is_new = not directory.exists(place.name)
    try:
        with directory.inner(place.name, create=_MODE) as journal:
            _protection.check(journal.path, journal.status(), False)
            _write_details(journal, place, details)
            is_new = True
            _discard_others(journal)
            with _held_open(journal):
                yield journal
    finally:
        if is_new:
            _remove(directory, place)


def _write_details(journal: Directory, place: Place, details: Details) -> None:
    try:
        journal.replace(DETAILS, details.to_json(), files.FILE_MODE)
    except PermissionError:
        if fcntl is None:
            raise _running(place) from None
        raise


def _remove(directory: Directory, place: Place) -> None:
    """Remove the directories that are empty, and the journal, whose details are removed last."""
    _remove_empty(directory, place.made)
    with contextlib.suppress(OSError), directory.inner(place.name) as journal:
        _discard_others(journal)
    directory.discard(place.name)


@contextlib.contextmanager
def opened_packages(directory: Directory, place: Place) -> Iterator[Directory]:
    """Open site-packages, and create it and the parents that are missing.

    :param directory: the result of :func:`locked`
    """
    with contextlib.ExitStack() as stack:
        for name in place.made:
            directory = stack.enter_context(directory.inner(name, create=files.DIRECTORY_MODE))
            _protection.check(directory.path, directory.status(), False)
            if not directory.names():
                directory.set_mode(files.DIRECTORY_MODE)  # A run may have been interrupted before that.
        yield directory


@contextlib.contextmanager
def _held_open(journal: Directory) -> Iterator[None]:
    """Hold a file open on Windows, which does not replace an open file, as a lock."""
    if fcntl is not None:
        yield
        return
    with open(os.path.join(journal.path, DETAILS), "rb"):
        yield


def _remove_empty(directory: Directory, names: Sequence[str]) -> None:
    """Remove directories, each in the one before, as far as they are empty."""
    if names:
        with contextlib.suppress(OSError):
            with directory.inner(names[0]) as inner:
                _remove_empty(inner, names[1:])
            directory.remove_empty(names[0])


def _discard_others(journal: Directory) -> None:
    for name in journal.names():
        if name != DETAILS:
            journal.discard(name)


def _running(place: Place) -> Refused:
    return Refused(f"another 'enable' or 'disable' is changing {place.path}; try again when it has finished")
