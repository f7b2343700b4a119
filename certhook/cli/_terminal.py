"""The terminal and the command line: printing, line wrapping, colours, and common arguments.

Reports are 80 columns wide. Colours are used only on a terminal that shows them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import textwrap
import unicodedata

from certhook._text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable, Iterator, Mapping

#: The width of the output in columns.
WIDTH = 80

GOOD, BAD, BOLD, PLAIN = "\033[32m", "\033[31m", "\033[1m", "\033[0m"

# Stands for the second column of a wide character. Printed texts do not contain it.
_FILLER = "\0"


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
        encoding = sys.stdout.encoding or "utf-8"
        with _writing():
            print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)


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
    show(json.dumps(found, indent=2))


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
    """Report a failed write only once: Python flushes standard output again at exit.

    A closed pipe is not a failure: the reader, such as head(1), has read enough.
    """
    try:
        yield
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise CommandError(f"standard output cannot be written: {error.strerror or error}") from error


def complain(message: object) -> None:
    """Print *message* on standard error, wrapped on a terminal, and as one line in a log file."""
    if sys.stderr is not None:
        text = printable(f"certhook: {message}")  # Another user may have chosen a path in it.
        print("\n".join(wrapped(text, then="  ")) if sys.stderr.isatty() else text, file=sys.stderr)


def add_verb(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    summary: str,
    description: tuple[str, ...],
    notes: tuple[str, ...] = (),
    usage: str | None = None,
) -> argparse.ArgumentParser:
    """Add a verb to the command line.

    :param summary: its line in the list of verbs
    :param description: paragraphs for the start of its help; one that starts with a space is not wrapped
    :param notes: paragraphs for the end of its help
    """
    return verbs.add_parser(
        name,
        help=summary,
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


def wrapped(text: str, first: str = "", then: str = "") -> list[str]:
    """Return *text* as lines that fit the terminal. A longer word, such as a path, is split.

    :param first: the indentation of the first line
    :param then: the indentation of the other lines
    """
    # textwrap counts characters, so every wide character gets a filler, which is removed afterwards.
    text = "".join(character + _FILLER * (columns(character) - 1) for character in text)
    lines = textwrap.wrap(text, WIDTH - 1, initial_indent=first, subsequent_indent=then, break_on_hyphens=False)
    return [line.replace(_FILLER, "") for line in lines] or [first]


def columns(text: str) -> int:
    """Return the width of *text* on a terminal. East Asian characters have two columns, combining accents none."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
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
