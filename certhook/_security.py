"""Asking macOS' security(1) for certificates and trust settings.

A process that finds a compiled store asks it nothing, as long as a look at files is
enough. Since macOS 12, that is not enough for trust settings, which are where nobody can
see them: they are asked for again as seldom as the files in a directory are looked at.
"""

from __future__ import annotations

import os
from binascii import crc32
from time import monotonic

from certhook import _config, _files, _store
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from certhook._store import Signature

SECURITY = "/usr/bin/security"
#: How long it may take for one answer, in seconds.
TIMEOUT = 20

#: Where trust settings are up to macOS 11, readable; one file for the administrator and one for each user.
SETTINGS = "/Library/Security/Trust Settings"
#: Where trustd keeps them since. Nobody else can see in there, so no change shows.
VAULT = "/private/var/protected/trustd/private"

#: The domains of trust settings, with what security(1) calls them.
DOMAINS = (("administrator's", ("-d",)), ("user's", ()))

#: Among the arguments of security(1): the file that it is to write.
OUTPUT = "{output}"

_CONTENT = "trust settings: "


def home() -> str | None:
    """The home of this process's user, None where that user is to have no say."""
    if _config.privileged():
        return None
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_dir  # and not HOME
    except KeyError:
        return None


def settings_files() -> list[str]:
    """The files of trust settings that this process can see, and their folder."""
    try:
        names = sorted(os.listdir(SETTINGS))
    except OSError:
        names = []  # there are none
    return [SETTINGS, *(os.path.join(SETTINGS, name) for name in names)]


def are_settings_hidden() -> bool:
    """Whether trust settings are where no change shows."""
    try:
        os.lstat(VAULT)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        pass  # it is there
    return True


def path_of(owner: str) -> str:
    """What stands for the trust settings of *owner* where the path of a directory does otherwise."""
    return _CONTENT + owner


def settings_signature(path: str) -> Signature:
    """What the trust settings that *path* stands for look like now; None where they cannot be read."""
    seen = [_store.signature(file) for file in settings_files()]
    arguments = "trust-settings-export", *dict(DOMAINS)[path[len(_CONTENT) :]], OUTPUT
    _answers.pop(arguments, None)
    try:
        return signature_of(ask(seen, *arguments))
    except SourceError:
        return None


def signature_of(data: bytes) -> Signature:
    """What *data*, trust settings, looks like."""
    return crc32(data), len(data), 0, 0


# What security(1) answered lately, by its arguments: when, how the files that it read looked, and the answer.
_answers: dict[tuple[str, ...], tuple[float, list[Signature], bytes | SourceError]] = {}


def ask(seen: list[Signature], *arguments: str) -> bytes:
    """What :func:`run` answers, which holds for a few seconds, since one context asks twice.

    :param seen: what the files that it will read look like: once they change, the answer no longer holds
    :raises SourceError: where there is no answer
    """
    asked, seen_then, answer = _answers.get(arguments, (0.0, None, b""))
    if seen_then != seen or monotonic() - asked > _store.DEEP_LOOK_EVERY:
        try:
            answer = run(*arguments)
        except SourceError as error:
            answer = error
        _answers[arguments] = monotonic(), seen, answer
    if isinstance(answer, SourceError):
        raise answer.with_traceback(None)
    return answer


# What it says, and the exit status it ends with (an OSStatus, of which a byte is left), where there is nothing.
_NO_SETTINGS = b"No Trust Settings were found"
_NOT_FOUND = -25300 & 0xFF


def run(*arguments: str) -> bytes:
    """What ``security`` answers to *arguments*: what it writes to :data:`OUTPUT`, or else prints; empty for nothing.

    :raises SourceError: if it fails, or takes too long
    """
    import subprocess
    import tempfile

    command = f"'{SECURITY} {arguments[0]}'"
    environment = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": home() or "/var/empty", "LANG": "C"}
    try:
        with tempfile.TemporaryDirectory(prefix="certhook-") as folder:
            # Files, for pipes have no end that a process which writes without one would respect.
            output, printed, said = (os.path.join(folder, name) for name in ("output", "printed", "said"))
            with open(printed, "wb") as stdout, open(said, "wb") as stderr:
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
            message = _files.read(said)
            if _NO_SETTINGS in message or (status == _NOT_FOUND and OUTPUT not in arguments):
                return b""
            if status != 0:
                lines = message.decode("utf-8", "replace").split("\n")
                raise SourceError(SECURITY, f"{command} ended with status {status}: {lines[0][:200] or 'no word'}")
            return _files.read(output if OUTPUT in arguments else printed)
    except subprocess.TimeoutExpired:
        raise SourceError(SECURITY, f"{command} did not answer within {TIMEOUT} seconds") from None
    except OSError as error:
        raise SourceError(SECURITY, f"{command} cannot be run: {error.strerror or error}") from None
