"""The servers to check: arguments, and lists in files and on standard input."""

from __future__ import annotations

import codecs
import difflib
import os
import re
import sys
from typing import Any, Iterator, Sequence

from certhook import _files
from certhook._certificates.convert import quoted
from certhook._text import printable, shown_value
from certhook.cli.check import target
from certhook.cli.check.target import Target
from certhook.exceptions import SourceError

# The ends of the names of files that no server has.
_FILE_ENDINGS = (".cer", ".crt", ".csr", ".der", ".key", ".p12", ".p7b", ".p7c", ".pem", ".pfx", ".txt")
_COMMENT = re.compile(r"(^|\s)#.*")
# The largest list, in bytes and in servers.
_MAX_SIZE, _MAX_SERVERS = 8 << 20, 100_000


def parse_all(texts: Sequence[str]) -> list[Target]:
    """Parse the arguments. "-" is a list on standard input, and "@FILE" one in a file.

    :raises ValueError: with a message for the user that contains no credentials
    """
    targets: list[Target] = []
    for text in texts:
        if text == "-":
            targets += _parse_list("standard input", _read_input())
        elif text.startswith("@"):
            targets += _parse_list(shown_value(text[1:]), _read_file(text[1:]))
        else:
            targets.append(_parse(text))
    return targets


def _parse(text: str) -> Target:
    try:
        parsed = target.parse(text)
    except ValueError:
        if _exists(text):
            raise _file_error(text) from None
        raise
    looks_like_path = text.lower().endswith(_FILE_ENDINGS) or (re.search(r"[/\\]", text) and "://" not in text)
    if looks_like_path and _exists(text):
        raise _file_error(text)
    return parsed


def _file_error(text: str) -> ValueError:
    shown = printable(text)
    if os.path.isdir(text):
        return ValueError(f"'{shown}' is a directory, not a server")
    file, listed = printable(quoted(text)), printable(quoted(f"@{text}"))
    return ValueError(
        f"'{shown}' is a file, not a server. 'python -m certhook inspect {file}' describes the certificates in a "
        f"file; 'python -m certhook check {listed}' checks the servers that a file lists"
    )


def _exists(text: str) -> bool:
    try:
        return os.path.exists(text)
    except ValueError:  # It contains a null character.
        return False


def _read_input() -> bytes:
    return b"" if sys.stdin is None else sys.stdin.buffer.read(_MAX_SIZE + 1)


def _read_file(path: str) -> bytes:
    try:
        return _files.read(path, accepts_pipe=True)
    except SourceError as error:
        reason = error.message.partition(";")[0]
        raise ValueError(f"the list of servers {shown_value(path)} {printable(reason)}") from None


def _parse_list(source: str, content: bytes) -> Iterator[Target]:
    """Parse a list with one server on each line. Text from "#" to the end of a line is a comment.

    :param source: where the list comes from, for messages
    """
    if len(content) > _MAX_SIZE:
        raise ValueError(f"{source} is larger than {_MAX_SIZE >> 20} MiB; expected a list of servers")
    count = 0
    for number, line in enumerate(_decode(content).splitlines(), 1):
        text = _COMMENT.sub("", line).strip()
        if text:
            count += 1
            try:
                yield target.parse(text)
            except ValueError as error:
                raise ValueError(f"{source}, line {number}: {error}") from None
            if count > _MAX_SERVERS:
                raise ValueError(f"{source} lists more than {_MAX_SERVERS} servers; divide it into several lists")
    if not count:
        raise ValueError(f"{source} lists no server")


def _decode(content: bytes) -> str:
    """Decode *content*. Windows PowerShell writes UTF-16."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace")
    return content.decode("utf-8-sig", "replace")


def add_hint(check: dict[str, Any], verbs: Sequence[str]) -> None:
    """Add a remedy to *check* if the name, which cannot be resolved, is probably a verb or a file.

    :param verbs: the verbs of the command line
    """
    name = check["target"]
    if not check["error"] or check["error"]["step"] != "name" or not check["cause"]:
        return
    similar = [] if "." in name else difflib.get_close_matches(name.lower(), verbs, 1, 0.75)
    if similar:
        hint = f"If the verb {similar[0]} was meant, run:\npython -m certhook {similar[0]}"
    elif _exists(name):
        hint = (
            f"{name} is also a file in this directory. To examine it, run:\npython -m certhook inspect {quoted(name)}"
        )
    else:
        return
    check["cause"]["advice"].insert(0, hint)
