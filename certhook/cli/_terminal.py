"""What the verbs share: text on standard output, in 80 columns, with colours where they can be seen."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import textwrap
import unicodedata

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable, Iterator, Mapping

#: In columns.
WIDTH = 80

GOOD, BAD, BOLD, PLAIN = "\033[32m", "\033[31m", "\033[1m", "\033[0m"


class Unwritable(Exception):
    """Standard output cannot be written."""


def show(text: str) -> None:
    """Print *text*, with what the output cannot show as escapes: a path may have any bytes in it.

    :raises Unwritable: if it cannot be written
    """
    if sys.stdout is not None:
        encoding = sys.stdout.encoding or "utf-8"
        with _written():
            print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)


def show_bytes(data: bytes) -> None:
    """Print *data* as it is.

    :raises Unwritable: if it cannot be written
    """
    if sys.stdout is not None:
        with _written():
            sys.stdout.buffer.write(data)
            sys.stdout.flush()


def flush() -> None:
    """Have printed what others, such as argparse, gave to standard output.

    :raises Unwritable: if it cannot be written
    """
    if sys.stdout is not None:
        with _written():
            sys.stdout.flush()


@contextlib.contextmanager
def _written() -> Iterator[None]:
    """Once standard output fails, have nothing more printed there: Python flushes once more at its end.

    That whoever read it has seen enough is no failure.
    """
    try:
        yield
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise Unwritable(f"standard output cannot be written: {error.strerror or error}") from error


def not_empty(text: str) -> str:
    """*text* of an argument that names something: an empty one, of a variable that is not set, would mean another.

    :raises argparse.ArgumentTypeError: if it is empty
    """
    if not text:
        raise argparse.ArgumentTypeError("it is empty")
    return text


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the option that has a verb say to a program what it says to a person."""
    # Before the verb or behind it: the one that is not given must not undo the other.
    text = "print one JSON object, for programs"
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=text)


def wants_json(options: argparse.Namespace) -> bool:
    """Whether that option was given."""
    return getattr(options, "json", False)


def show_json(found: object) -> None:
    """Print *found* for a program."""
    show(json.dumps(found, indent=2))


def tell(options: argparse.Namespace, sentence: str, **facts: object) -> None:
    """Print *sentence*, or *facts* for a program."""
    if wants_json(options):
        show_json(facts)
    else:
        show(sentence)


def complain(message: object) -> None:
    """Print *message* on standard error, as a sentence of this program's; a log gets it in one line."""
    if sys.stderr is not None:
        text = f"certhook: {message}"
        print("\n".join(wrapped(text, then="  ")) if sys.stderr.isatty() else text, file=sys.stderr)


def has_colours() -> bool:
    """Whether to use colours: on a terminal, unless NO_COLOR is set (no-color.org)."""
    terminal = sys.stdout is not None and sys.stdout.isatty()
    shows = os.environ.get("TERM") != "dumb" and (os.name != "nt" or "WT_SESSION" in os.environ)
    return terminal and shows and not os.environ.get("NO_COLOR")


def wrapped(text: str, first: str = "", then: str = "") -> list[str]:
    """*text* in lines that fit; a word that is too long, such as a path, is cut.

    :param first: what the first line begins with
    :param then: what the others begin with
    """
    # textwrap counts characters; a second one behind each that is two columns wide is no longer there afterwards.
    text = "".join(character + _FILLER * (columns(character) - 1) for character in text)
    lines = textwrap.wrap(text, WIDTH - 1, initial_indent=first, subsequent_indent=then, break_on_hyphens=False)
    return [line.replace(_FILLER, "") for line in lines] or [first]


# In no text that is shown.
_FILLER = "\0"


def columns(text: str) -> int:
    """How wide *text* is on a terminal: East Asian characters are two columns wide, and accents on others none."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(map(bool, map(unicodedata.combining, text)))


def cut(text: str, most: int) -> str:
    """*text*, cut where it is more than *most* columns wide."""
    if columns(text) <= most:
        return text
    left = most - 3
    for count, character in enumerate(text):
        left -= columns(character)
        if left < 0:
            return f"{text[:count]}..."
    return text


def padded(text: str, width: int) -> str:
    """*text*, filled up to *width* columns."""
    return text + " " * (width - columns(text))


def coloured(lines: Iterable[str], marks: Mapping[str, str]) -> list[str]:
    """Return *lines* with the prefix of each line in its colour.

    :param marks: a colour for each prefix
    """
    return [_coloured(line, marks) for line in lines]


def _coloured(line: str, marks: Mapping[str, str]) -> str:
    prefix = next(filter(line.startswith, marks), "")
    return f"{marks[prefix]}{prefix}{PLAIN}{line[len(prefix) :]}" if prefix else line
