"""Running security(1) of macOS, and change detection for its trust settings.

A process that finds a compiled store does not run ``security`` as long as files alone
show whether trust has changed. Since macOS 12, trust settings are stored where no other
process can see a change. :class:`TrustSettings` therefore reads them again, as rarely as
the members of directories are checked.
"""

from __future__ import annotations

import os
from binascii import crc32
from time import monotonic

from certhook import _files
from certhook._state import is_privileged, process
from certhook._watch.base import Input
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from certhook._types import Signature

SECURITY = "/usr/bin/security"
#: The time limit for one call, in seconds.
TIMEOUT = 20

# How long the output of one call is reused, in seconds: anchors and distrust are read separately, from the same output.
_CACHE_SECONDS = 10

#: The directory of trust settings up to macOS 11: one readable file for the administrator and one per user.
SETTINGS = "/Library/Security/Trust Settings"
#: The directory in which trustd keeps them since macOS 12, inaccessible to other processes.
VAULT = "/private/var/protected/trustd/private"

#: The domains of trust settings, with the options of security(1) that select them.
DOMAINS = {"administrator's": ("-d",), "user's": ()}

#: A placeholder in the arguments of security(1) for the file to write.
OUTPUT = "{output}"


class TrustSettings(Input):
    """The trust settings of one domain, by the domain's name."""

    kind = "trust settings"

    def signature(self, portable: bool = False) -> Signature:
        """Return the signature of the settings, None if they cannot be read."""
        arguments = "trust-settings-export", *DOMAINS[self.name], OUTPUT
        process.security_answers.pop(arguments, None)
        try:
            return settings_signature(run_cached([_file_signature(file) for file in settings_files()], *arguments))
        except SourceError:
            return None


def _file_signature(path: str) -> Signature:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev


def restore(kind: str, name: str) -> Input:
    """Create an input from the attributes that an index contains.

    :raises ValueError: if there is no such kind
    """
    if kind != TrustSettings.kind or name not in DOMAINS:
        raise ValueError(f"unknown kind of input: {kind!r}")
    return TrustSettings(name)


def home() -> str | None:
    """Return the home directory of the effective user, None in a privileged process."""
    if is_privileged():
        return None
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_dir  # HOME may belong to another user
    except KeyError:
        return None


def settings_files() -> list[str]:
    """Return the directory of trust settings and the files in it that this process can see."""
    try:
        names = sorted(os.listdir(SETTINGS))
    except OSError:
        names = []
    return [SETTINGS, *(os.path.join(SETTINGS, name) for name in names)]


def are_settings_hidden() -> bool:
    """Return whether trust settings are stored where no file shows a change."""
    try:
        os.lstat(VAULT)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        pass  # It exists.
    return True


def settings_signature(data: bytes) -> Signature:
    """Return the signature of *data*, exported trust settings."""
    return crc32(data), len(data), 0, 0


def run_cached(seen: list[Signature], *arguments: str) -> bytes:
    """Return the output of :func:`run`, or a recent one of the same command.

    :param seen: the signatures of the files that ``security`` reads; a change invalidates the cached output
    :raises SourceError: if ``security`` fails
    """
    answers = process.security_answers
    asked, seen_then, answer = answers.get(arguments, (0.0, None, b""))
    if seen_then != seen or monotonic() - asked > _CACHE_SECONDS:
        try:
            answer = run(*arguments)
        except SourceError as error:
            answer = error
        answers[arguments] = monotonic(), seen, answer
    if isinstance(answer, SourceError):
        raise answer.with_traceback(None)
    return answer  # type: ignore[no-any-return]


# The exit status if there are no certificates: the last byte of an OSStatus.
_NOT_FOUND = -25300 & 0xFF
# The exit status if settings cannot be exported, for example because there are none.
_NOT_EXPORTED = 1
# Parts of the messages of other causes, which are in English. The message for missing settings is in the user's
# language.
_OTHER_CAUSES = (b"corrupt", b"UNIX[")


def run(*arguments: str) -> bytes:
    """Run ``security`` and return the file that it writes to :data:`OUTPUT`, or else its standard output.

    :raises SourceError: if it fails or exceeds :data:`TIMEOUT`
    """
    import subprocess

    from certhook._directory.temporary import TemporaryDirectory

    command = f"'{SECURITY} {arguments[0]}'"
    environment = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": home() or "/var/empty", "LANG": "C"}
    try:
        with TemporaryDirectory() as directory:
            output, printed, errors = (os.path.join(directory.path, name) for name in ("output", "printed", "errors"))
            # Files instead of pipes: reading a pipe would not end if the process wrote without end.
            with directory.open_new("printed", 0o600) as stdout, directory.open_new("errors", 0o600) as stderr:
                status = subprocess.run(
                    [SECURITY, *(output if argument == OUTPUT else argument for argument in arguments)],
                    stdin=subprocess.DEVNULL,
                    stdout=stdout,
                    stderr=stderr,
                    cwd="/",
                    env=environment,
                    timeout=TIMEOUT,
                    check=False,
                ).returncode
            message = _files.read(errors)
            if OUTPUT in arguments:
                is_empty = status == _NOT_EXPORTED and not os.path.lexists(output) and _reports_no_settings(message)
            else:
                is_empty = status == _NOT_FOUND
            if is_empty:
                return b""
            if status != 0:
                first_line = message.decode("utf-8", "replace").split("\n")[0][:200]
                raise SourceError(SECURITY, f"{command} exited with status {status}: {first_line or 'no message'}")
            return _files.read(output if OUTPUT in arguments else printed)
    except subprocess.TimeoutExpired:
        raise SourceError(SECURITY, f"{command} did not finish within {TIMEOUT} seconds") from None
    except OSError as error:
        raise SourceError(SECURITY, f"{command} cannot be run: {error.strerror or error}") from None


def _reports_no_settings(message: bytes) -> bool:
    return bool(message) and not any(cause in message for cause in _OTHER_CAUSES)
