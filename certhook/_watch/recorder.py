"""Recording the inputs of a trust set while it is read."""

from __future__ import annotations

import errno
import os
import stat
from time import sleep, time_ns

from certhook._watch import (
    MEMBERS,
    PATH,
    Snapshot,
    content_signature,
    current_signature,
    path_signature,
    status_signature,
    sum_signatures,
)
from certhook._watch.inputs import Deadline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from certhook._types import Row, Rows, Signature
    from certhook._watch.base import Input

# These errors last until the signature of the path changes: it does not exist, or is inaccessible.
_LASTING_ERRORS = (
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EACCES,
    errno.EPERM,
    errno.ELOOP,
    errno.ENXIO,
    errno.ENAMETOOLONG,
)
# The limit of Linux, see path_resolution(7).
_MAX_LINKS = 40

# The granularity of file system timestamps, in seconds: usually 10 ms, at most 2 s.
_TICK = 0.02
_COARSE_TICK = 2.0
# The clock of sleep() may be faster than that of the file system.
_SLACK = 0.001
# Of statvfs(); PyPy does not define it.
_READ_ONLY = getattr(os, "ST_RDONLY", 1)
# In nanoseconds.
_SECOND = 1_000_000_000


def unsettled(seen: Signature) -> float:
    """Return for how many seconds another change of the path may go unnoticed."""
    if seen is None:
        return 0.0
    changed = seen[0]
    age = (time_ns() - changed) / 1e9
    tick = _COARSE_TICK if changed % _SECOND == 0 else _TICK
    return tick - age if 0 <= age < tick else 0.0


def _is_missing(path: str) -> bool:
    """Return whether *path* does not exist. os.path.lexists() is false after any error."""
    try:
        os.lstat(path)
    except OSError as error:
        return error.errno in _LASTING_ERRORS
    except ValueError:
        return True
    return False


def _has_passed(error: OSError) -> bool:
    """Return whether opening the file that could not be opened because of *error* has another result now."""
    if error.errno not in (errno.EACCES, errno.EPERM) or not isinstance(error.filename, (str, bytes)):
        return False
    try:
        os.close(os.open(error.filename, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)))
    except OSError as again:
        return again.errno != error.errno
    except ValueError:
        return False
    return True


def is_reliable(path: str, seen: Signature, devices: dict[int, bool]) -> bool:
    """Return whether every change of *path* alters its timestamps.

    Images often have fixed timestamps of whole seconds. Some file systems store only whole seconds.

    :param devices: for known devices, whether they are mounted read-only
    """
    if seen is None:
        return True
    device = seen[3]
    if device not in devices:
        try:
            devices[device] = hasattr(os, "statvfs") and bool(os.statvfs(path).f_flag & _READ_ONLY)
        except OSError:
            devices[device] = False  # It was removed.
    return not devices[device] and seen[0] % _SECOND != 0


def _row(item: Input, seen: Signature) -> Row:
    return item.kind, item.name, "", seen


class Recorder:
    """The inputs of a trust set, each with its signature just before it was read.

    :ivar volatile: whether the result depends on something that no signature covers, so that it
        must not be reused
    :ivar is_provisional: whether an input could not be read because of an error that may be transient
    """

    def __init__(self) -> None:
        self.volatile = False
        self.is_provisional = False
        self._paths: dict[str, Signature] = {}
        self._members: dict[str, dict[str, Signature]] = {}
        # Inputs other than paths, by their kinds and names.
        self._frequent: dict[tuple[str, str], Row] = {}
        self._rare: dict[tuple[str, str], Row] = {}

    def snapshot(self) -> Snapshot:
        """Return everything that was recorded."""
        paths = [(PATH, path, "", seen) for path, seen in self._paths.items()]
        members = [
            (MEMBERS, directory, "/".join(files), sum_signatures(list(files.values())))
            for directory, files in self._members.items()
        ]
        frequent = [*paths, *self._frequent.values(), *members]
        rare = [*self._rare.values()]
        return Snapshot(frequent, rare, self._unreliable(), is_provisional=self.is_provisional)

    def _unreliable(self) -> Rows:
        """Return the files and directories that may change without a change of their timestamps."""
        devices: dict[int, bool] = {}
        rows = [
            (PATH, path, "", content_signature(path))
            for path, seen in self._paths.items()
            if not is_reliable(path, seen, devices)
        ]
        for directory, files in self._members.items():
            names = [
                name for name, seen in files.items() if not is_reliable(os.path.join(directory, name), seen, devices)
            ]
            if names:
                detail = "/".join(names)
                rows.append((MEMBERS, directory, detail, current_signature(MEMBERS, directory, detail, portable=True)))
        return rows

    def watch(self, path: str) -> None:
        """Record *path*, which may not exist."""
        if path in self._paths:
            return
        # If directories are missing, the topmost missing one stands for everything below it.
        parent = os.path.dirname(path)
        while path != parent and _is_missing(parent):
            path, parent = parent, os.path.dirname(parent)
        if path not in self._paths:
            # The earliest signature counts: the path may have been read already.
            self._paths[path] = self._settled(path, path_signature(path))

    def watch_member(self, path: str) -> None:
        """Record a file in a directory, and the directory of every link on the way to the file."""
        for _ in range(_MAX_LINKS):
            directory, name = os.path.split(path)
            self.watch(directory)
            if name in self._members.get(directory, ()):
                return
            seen = None
            try:
                status = os.lstat(path)
                if not stat.S_ISLNK(status.st_mode):
                    seen = status_signature(status)
                    break
                path = os.path.join(directory, os.readlink(path))
            except FileNotFoundError:
                return  # Its creation changes the directory.
            except (OSError, ValueError):
                break
        self._members.setdefault(directory, {})[name] = self._settled(path, seen)

    def watch_input(self, item: Input, seen: Signature, frequently: bool) -> None:
        """Record an input other than a path. If it was recorded before, its earlier signature counts.

        :param seen: its signature when it was read
        :param frequently: whether it is cheap to check
        """
        group = self._frequent if frequently else self._rare
        group.setdefault((item.kind, item.name), _row(item, seen))

    def depends_on_time(self, timestamp: int, now: float) -> None:
        """Record that the trust set is different before and after *timestamp*. The clock may be set back.

        :param timestamp: the time in seconds since the epoch
        :param now: the time for which the trust set was read; *timestamp* may pass meanwhile
        """
        self.watch_input(Deadline(str(timestamp)), (int(now >= timestamp), 0, 0, 0), frequently=False)

    def read_failed(self, error: BaseException | None) -> None:
        """Mark the result volatile and provisional if *error* may be transient."""
        if isinstance(error, OSError) and (error.errno not in _LASTING_ERRORS or _has_passed(error)):
            self.must_be_retried()

    def must_be_retried(self) -> None:
        """Mark the result volatile and provisional: an input could not be read, and may be readable later."""
        self.volatile = self.is_provisional = True

    def _settled(self, path: str, seen: Signature) -> Signature:
        """Return the signature of *path* once another change would alter it.

        A second change within the same tick of the file system's clock would go unnoticed forever.

        :param seen: its signature
        """
        left = unsettled(seen)
        if 0 < left <= _TICK:
            sleep(left + _SLACK)
            seen = path_signature(path)
            left = unsettled(seen)
        if left > 0:
            self.volatile = True
        return seen
