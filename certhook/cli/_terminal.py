"""The terminal and the command line: printing, line wrapping, colours, and common arguments.

Lines fit the terminal. Commands, paths and fingerprints are never split, so that they can be copied: a line that
contains a longer one is longer than the terminal. Colours are used only on a terminal that shows them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import sys
import unicodedata

from certhook._secrets import without_passwords, without_passwords_in
from certhook._text import presentable, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable, Iterator, Mapping, TextIO

# The width of a file or a pipe, and of a terminal of unknown width.
_DEFAULT_WIDTH = 80
# Narrower columns are not readable.
_MIN_WIDTH = 40

GOOD, BAD, BOLD, PLAIN = "\033[32m", "\033[31m", "\033[1m", "\033[0m"

# A command in quotation marks. An apostrophe follows a letter.
_QUOTED = re.compile(r"(?<!\w)'[^'\s][^']*'(?!\w)")
# Stands for a space at which no line ends. Printed texts do not contain it.
_GLUE = "\1"


class CommandError(Exception):
    """A verb failed, for the reason in the message.

    :param exit_status: the exit status of the process
    """

    def __init__(self, message: str, exit_status: int = 1) -> None:
        super().__init__(message)
        self.exit_status = exit_status


def show(text: str) -> None:
    """Print *text*, with escapes for characters that the output cannot encode: a path may contain any byte.

    :raises CommandError: if standard output cannot be written
    """
    if sys.stdout is not None:
        text = escaped(text)
        encoding = sys.stdout.encoding or "utf-8"
        with _writing():
            print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)


def escaped(text: str) -> str:
    """Return *text*, lines, without secrets, and escape the characters that a terminal interprets, except colours.

    The verbs present the values that they know; messages of libraries may contain others.
    """
    text = "\n".join(map(without_passwords, text.split("\n")))
    if text.replace("\n", "").isprintable():
        return text
    parts = re.split(r"(\n|\033\[(?:0|1|31|32|33)m)" if has_colours() else "(\n)", text)
    return "".join(part if number % 2 else printable(part) for number, part in enumerate(parts))


def show_bytes(data: bytes) -> None:
    """Print *data* unchanged.

    :raises CommandError: if standard output cannot be written
    """
    if sys.stdout is not None:
        with _writing():
            sys.stdout.buffer.write(data)
            sys.stdout.flush()


def show_report(lines: Iterable[str], marks: Mapping[str, str]) -> None:
    """Print *lines*, with the colours of *marks* if the terminal shows colours; see :func:`coloured`.

    :raises CommandError: if standard output cannot be written
    """
    show("\n".join(coloured(lines, marks) if has_colours() else lines))


def show_json(found: object) -> None:
    """Print *found* as JSON.

    :raises CommandError: if standard output cannot be written
    """
    if sys.stdout is not None:
        with _writing():
            print(json.dumps(without_passwords_in(found), indent=2), flush=True)


def show_result(options: argparse.Namespace, sentence: str, **facts: object) -> None:
    """Print *sentence*, or *facts* as JSON with ``--json``.

    :raises CommandError: if standard output cannot be written
    """
    if wants_json(options):
        show_json(facts)
    else:
        show(sentence)


def flush() -> None:
    """Flush standard output, which other code, such as argparse, has printed to.

    :raises CommandError: if standard output cannot be written
    """
    if sys.stdout is not None:
        with _writing():
            sys.stdout.flush()


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    """Report a failed write only once: Python flushes again at exit. A closed pipe, as of head(1), is no failure."""
    try:
        yield
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise CommandError(f"standard output cannot be written: {error.strerror or error}") from error


def complain(message: object) -> None:
    """Print *message* on standard error, wrapped on a terminal, and as one line in a log file."""
    if sys.stderr is not None:
        text = presentable(f"certhook: {message}")  # Another user may have chosen a path in it.
        if sys.stderr.isatty():
            text = "\n".join(wrapped(text, then="  ", limit=width(sys.stderr)))
        print(text, file=sys.stderr)


def add_verb(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    summary: str | None,
    description: tuple[str, ...],
    notes: tuple[str, ...] = (),
    usage: str | None = None,
) -> argparse.ArgumentParser:
    """Add a verb to the command line.

    :param summary: its line in the list of verbs, None if it is not listed
    :param description: paragraphs for the start of its help; one that starts with a space is not wrapped
    :param notes: paragraphs for the end of its help
    """
    listing: dict[str, Any] = {} if summary is None else {"help": summary}
    return verbs.add_parser(
        name,
        **listing,
        description=paragraphs(*description),
        epilog=paragraphs(*notes),
        usage=usage,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def paragraphs(*texts: str) -> str:
    """Return *texts* as wrapped paragraphs. A text that starts with a space is not wrapped."""
    return "\n\n".join(text if text.startswith(" ") else "\n".join(wrapped(text)) for text in texts)


def not_empty(text: str) -> str:
    """Return *text*, an argument that names something. An empty one often comes from an unset shell variable.

    :raises argparse.ArgumentTypeError: if it is empty
    """
    if not text:
        raise argparse.ArgumentTypeError("must not be empty")
    return text


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--json``."""
    # It may precede or follow the verb. Without SUPPRESS, the default of one would override the other.
    text = "print one JSON object, for programs"
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=text)


def wants_json(options: argparse.Namespace) -> bool:
    """Return whether the user gave ``--json``."""
    return getattr(options, "json", False)


def has_colours() -> bool:
    """Return whether standard output is a terminal that shows colours, and NO_COLOR is unset (no-color.org)."""
    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    is_capable = os.environ.get("TERM") != "dumb" and (os.name != "nt" or "WT_SESSION" in os.environ)
    return is_terminal and is_capable and not os.environ.get("NO_COLOR")


def coloured(lines: Iterable[str], marks: Mapping[str, str]) -> list[str]:
    """Return *lines*, with a colour for each line that starts with a mark.

    :param marks: texts, and the escape sequences of their colours
    """
    result = []
    for line in lines:
        mark = next(filter(line.startswith, marks), "")
        result.append(f"{marks[mark]}{mark}{PLAIN}{line[len(mark) :]}" if mark else line)
    return result


def width(stream: TextIO | None = None) -> int:
    """Return the width of *stream*, by default standard output, in columns.

    COLUMNS has precedence, as in other programs. A file or pipe has 80 columns.
    """
    value = os.environ.get("COLUMNS", "")
    found = int(value) if value.isdecimal() and len(value) < 6 else 0
    if not found:
        try:
            found = os.get_terminal_size((stream or sys.stdout).fileno()).columns
        except (AttributeError, OSError, ValueError):
            found = 0  # It is not a terminal, closed, or None.
    return max(found or _DEFAULT_WIDTH, _MIN_WIDTH)


def fits_terminal() -> bool:
    """Return whether tables have to fit a terminal, or the number of columns in COLUMNS, instead of a file or pipe."""
    return bool(os.environ.get("COLUMNS")) or (sys.stdout is not None and sys.stdout.isatty())


def wrapped(
    text: str, first: str = "", then: str = "", whole: Iterable[str] = (), limit: int | None = None
) -> list[str]:
    """Return *text* as lines that fit the terminal.

    A word, such as a path, and a command in quotation marks are never split. If they are wider than the terminal,
    the line is wider, too.

    :param first: the indentation of the first line
    :param then: the indentation of the other lines
    :param whole: parts of *text* with spaces that must not be split, such as paths
    :param limit: the number of columns, by default those of standard output
    """
    for part in filter(None, whole):
        text = text.replace(part, part.replace(" ", _GLUE))
    text = _QUOTED.sub(lambda match: match.group().replace(" ", _GLUE), text)
    last = (width() if limit is None else limit) - 1
    lines, line, gap, is_empty = [], first, "", True
    for word in re.findall(r"\s+|\S+", text):
        if word.isspace():
            gap = " " * len(word)
            continue
        for piece in _pieces(word):
            if not is_empty and columns(f"{line}{gap}{piece}") > last:
                lines.append(line)
                line, is_empty = then, True
            line += piece if is_empty else f"{gap}{piece}"
            gap, is_empty = "", False
    return [one.replace(_GLUE, " ") for one in (*lines, line)]


def _pieces(word: str) -> list[str]:
    """Return the parts of *word* that must not be split.

    Text in East Asian characters may be split anywhere, because it contains no spaces, but not within a path.
    """
    if word.isascii() or any(separator in word for separator in ("/", "\\", _GLUE)):
        return [word]
    return re.findall(".", word) if any(map(_is_wide, word)) else [word]


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"


def columns(text: str) -> int:
    """Return the width of *text* on a terminal. East Asian characters have two columns, combining accents none."""
    if text.isascii():
        return len(text)
    wide = sum(map(_is_wide, text))
    return len(text) + wide - sum(map(bool, map(unicodedata.combining, text)))


def cut(text: str, limit: int) -> str:
    """Return *text*, shortened to *limit* columns if it is wider."""
    if columns(text) <= limit:
        return text
    left = limit - 3
    for count, character in enumerate(text):
        left -= columns(character)
        if left < 0:
            return f"{text[:count]}..."
    return text


def padded(text: str, width: int) -> str:
    """Return *text* with spaces up to *width* columns."""
    return text + " " * (width - columns(text))
