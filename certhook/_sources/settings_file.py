"""The system-wide settings file, with which the administrator or the distribution limits trust on a machine.

The file contains lines ``name = value``, and comments in lines that begin with ``#``. A name is that of a variable in
lower case without the prefix ``CERTHOOK_``. Only variables that select roots have a name: see
:data:`certhook._sources.limits.NAMES`. :mod:`certhook._sources.limits` combines the settings with the variables.

The file is read whenever a trust set is read, and is one of its inputs. It counts only if root owns it and every
directory on the way to it, and no other user can modify them. If the file has a fault, its other lines count, and
variables cannot exceed the defaults of the settings that it lacks. If it cannot be read, the bundle is excluded, too.
"""

from __future__ import annotations

import errno
import functools
import os
import stat
import sys

from certhook._config import VARIABLES
from certhook._directory import open_directory
from certhook._sources import limits
from certhook._sources.limits import IGNORED, MOST_PROBLEMS, NAMES, USED, SettingsFile
from certhook._state import OVERFLOW_UID
from certhook._text import quoted_path, shown
from certhook._watch import path_signature, status_signature

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, NoReturn

    from certhook._config import Config
    from certhook._sources.collector import Collector
    from certhook._watch.recorder import Recorder

# The largest file, in bytes.
_LIMIT = 1 << 16
# As in Linux, see path_resolution(7).
_MOST_LINKS = 40
# It is not a file, or too large, until its signature changes.
_LASTING_ERRORS = (errno.EINVAL, errno.EFBIG)

_IS_WINDOWS = sys.platform == "win32"
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_OWNERS = (0,)

# Values that only the file accepts, by the names of their settings.
_WORDS: dict[str, dict[str, Any]] = {"extra_ca_certs": {"none": ()}, "bundle": {"certifi": None}}

_KINDS = {stat.S_IFDIR: "a directory", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}


class _Unprotected(Exception):
    """The path that another user can modify, the finding with the remedy, and the status."""


@functools.lru_cache(maxsize=None)
def location() -> str:
    """Return the path of the file, whether or not it exists. No variable changes it."""
    if _IS_WINDOWS:
        return os.path.join(_program_files(), "certhook", "certhook.conf")
    if sys.platform == "darwin":
        return "/Library/Application Support/certhook/certhook.conf"
    return "/etc/certhook.conf"


def _program_files() -> str:
    """Return the directory of programs, which only administrators can modify, from the registry.

    Every user can create directories in %ProgramData%, and variables belong to the user.
    """
    import winreg

    registry: Any = winreg
    access = registry.KEY_READ | registry.KEY_WOW64_64KEY
    try:
        key = registry.OpenKey(registry.HKEY_LOCAL_MACHINE, r"SOFTWARE\Microsoft\Windows\CurrentVersion", 0, access)
        with key:
            path = registry.QueryValueEx(key, "ProgramFilesDir")[0]
    except OSError:
        path = ""
    return path if isinstance(path, str) and os.path.isabs(path) else r"C:\Program Files"


def read(collector: Collector) -> None:
    """Read the file, and limit the settings of *collector*."""
    recorder = collector.recorder
    found = load(recorder.watch, lambda error: _mark_failed(recorder, error))
    collector.settings_file = found
    collector.problems += found.problems
    collector.config, problems = limits.limited(collector.config, found)
    collector.problems += problems
    config = collector.config
    if config.requested is not None and not limits.is_adopted(config.requested, config.adopt):
        collector.is_reduced = True  # The request is not adopted.


def _mark_failed(recorder: Recorder, error: BaseException) -> None:
    if isinstance(error, OSError):
        recorder.read_failed(error)
    elif isinstance(error, _Unprotected):
        recorder.volatile = True
    else:
        recorder.must_be_retried()  # An internal error.


def effective(config: Config) -> Config:
    """Return *config* as far as the file allows."""
    return limits.limited(config, load())[0]


def load(
    watch: Callable[[str], None] = lambda path: None, failed: Callable[[BaseException], None] = lambda error: None
) -> SettingsFile:
    """Read the file.

    :param watch: called with each path that the result depends on, before it is read
    :param failed: called with the error because of which the file could not be read, or another result may follow
        without a change of what is watched
    """
    found = SettingsFile(location())
    try:
        watch(found.path)
        data = _content(found.path)
        found.state = USED
        _parse(found, data)
    except _Unprotected as failure:
        path, finding, status = failure.args
        watch(path)
        if path_signature(path) != status_signature(status):
            failed(failure)  # It has just changed; or it is a link, whose signature is that of its target.
        found.state = IGNORED
        found.report(f"is ignored, because {'it' if path == found.path else path} {finding}")
    except (FileNotFoundError, NotADirectoryError) as error:
        if os.path.lexists(found.path):
            _report_unreadable(found, error)
    except Exception as error:
        _report_unreadable(found, error)
        if getattr(error, "errno", None) not in _LASTING_ERRORS:
            failed(error)
    if found.state == USED and found.problems:
        found.restrict()
    return found


def _report_unreadable(found: SettingsFile, error: Exception) -> None:
    found.state = USED
    found.is_readable = False
    found.report(f"cannot be read: {getattr(error, 'strerror', None) or repr(error)}")


def _content(path: str) -> bytes:
    """Return the content of the file *path*, which no other user can modify.

    :raises _Unprotected: if another user can
    :raises OSError: if it cannot be read
    """
    for _ in range(_MOST_LINKS):
        os.lstat(path)  # Usually, there is no file.
        directory, name = os.path.split(path)
        with open_directory(directory, lambda current, status, _: _check(current, status)) as opened:
            status = opened.status(name)
            if not stat.S_ISLNK(status.st_mode):
                kind = stat.S_IFMT(status.st_mode)
                if kind != stat.S_IFREG:
                    raise OSError(errno.EINVAL, f"it is {_KINDS.get(kind, 'a device')}; expected a file", path)
                return opened.read(name, _LIMIT, functools.partial(_is_protected, path))
            _check(path, status)
            path = os.path.join(opened.path, opened.link(name))
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)


def _is_protected(path: str, status: os.stat_result) -> bool:
    _check(path, status)
    return True


def _check(path: str, status: os.stat_result) -> None:
    """Verify that only root can modify *path*. Access lists protect the directory on Windows."""
    if _IS_WINDOWS:
        return
    if status.st_uid not in _OWNERS:
        user = f"user {status.st_uid}"
        if status.st_uid == OVERFLOW_UID:
            user = "a user outside this user namespace (nobody)"
        option = "-h " if stat.S_ISLNK(status.st_mode) else ""
        _refuse(path, f"belongs to {user}; run 'chown {option}root {quoted_path(path)}'", status)
    is_protected = stat.S_ISLNK(status.st_mode) or (stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX)
    if status.st_mode & _WRITABLE_BY_OTHERS and not is_protected:
        mode = f"{stat.S_IMODE(status.st_mode):o}"
        _refuse(path, f"is writable by other users (mode {mode}); run 'chmod go-w {quoted_path(path)}'", status)


def _refuse(path: str, finding: str, status: os.stat_result) -> NoReturn:
    raise _Unprotected(path, finding, status)


def _parse(found: SettingsFile, data: bytes) -> None:
    # An invalid byte makes the line invalid, not the others.
    text = data.decode("utf-8-sig", "backslashreplace")
    for number, line in enumerate(text.split("\n"), 1):
        entry = line.strip()
        if entry and not entry.startswith("#"):
            name, separator, value = (part.strip() for part in entry.partition("="))
            finding = _add(found, number, name, value) if separator else f"{shown(entry)} is not 'name = value'"
            if finding:
                found.report(f"line {number}: {finding}")


def _add(found: SettingsFile, number: int, name: str, value: str) -> str:
    """Add a setting to *found*.

    :returns: the fault of the line, empty if there is none
    """
    setting = NAMES.get(name)
    if setting is None:
        # Finding a similar name takes long.
        return _unknown(name) if len(found.problems) < MOST_PROBLEMS else "not reported"
    if not value:
        return f"{name} has no value; remove the line"
    faults: list[str] = []
    words = _WORDS.get(name, {})
    parsed = words[value] if value in words else setting.parse(value, faults.append)
    if name in found.lines:
        faults.append(f"{name} is already set in line {found.lines[name][0]}; remove one of these lines")
        parsed = limits.common(setting.attribute, found.limits[setting.attribute], parsed)
    found.limits[setting.attribute] = parsed
    found.lines.setdefault(name, (number, value))
    if faults and " #" in value:
        faults.append("a comment needs a line of its own")
    return "; ".join(faults) and f"{name}: {'; '.join(faults)}"


def _unknown(name: str) -> str:
    bare = name.upper().replace("-", "_")
    for variable in (bare, f"CERTHOOK_{bare}"):
        own = next((known for known, setting in NAMES.items() if setting.name == variable), "")
        if own:
            return f"{shown(name)} is not a setting; did you mean {own}?"
        if variable in VARIABLES:
            return f"{variable[9:].lower() if variable != bare else bare} cannot be set in this file; " + (
                f"set the variable {variable}"
            )
    import difflib

    similar = difflib.get_close_matches(name, NAMES, 1)
    return f"{shown(name)} is not a setting" + (
        f"; did you mean {similar[0]}?" if similar else f" ({', '.join(NAMES)})"
    )
