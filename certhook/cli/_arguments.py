"""The arguments of the command line: the list of verbs in the help, suggestions, and a host instead of a verb."""

from __future__ import annotations

import argparse
import difflib
import os
import re

from certhook._secrets import hidden_kind, secret_kind
from certhook._text import presentable, shown, shown_value
from certhook.cli._terminal import wrapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn, Sequence

    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]

#: The verbs by their users, in the order of the help. Another verb is listed with those of the last group.
GROUPS = {
    "For everyone:": ("status", "check", "inspect", "trust", "list", "demo"),
    "For administrators:": ("run", "enable", "disable", "export", "env", "diff", "compile", "audit"),
    "For authors of applications:": ("freezer",),
}

_CHECK, _INSPECT = "check", "inspect"

# A host name with a dot or a port, an IP address, or a URL. Its end is not a separator, which a verb may be followed by
# by mistake.
_HOST = re.compile(
    r"[a-z][a-z0-9+.-]*://.+"
    r"|localhost"
    r"|\[?[0-9a-f]*:[0-9a-f:.]*:[0-9a-f.]*(%\w+)?(\](:[0-9]+)?)?"
    r"|([\w-]+(\.[\w-]+)+\.?|[\w-]+(?=:))(:[0-9]+)?(/.*)?",
    re.IGNORECASE,
)


# The value of an argument, and the expected values.
_VALUE = re.compile(r"""'((?:[^'\\]|\\.)+)'|"((?:[^"\\]|\\.)+)\"""")
# The suffixes of files with certificates and keys, none of which is a top-level domain.
_FILES = (".cer", ".crt", ".csr", ".der", ".key", ".p12", ".p7b", ".pem", ".pfx")


class Parser(argparse.ArgumentParser):
    """A parser whose messages contain no secrets."""

    def error(self, message: str) -> NoReturn:
        if message.startswith("argument "):
            message = _VALUE.sub(_shown_literal, message)
        super().error(presentable(message))


def parse(parser: argparse.ArgumentParser, verbs: Verbs, arguments: Sequence[str]) -> argparse.Namespace:
    """Parse *arguments*. The first one may be a host, which stands for ``check HOST``.

    The process ends with exit status 2 if an argument is invalid. The message suggests similar verbs and options.
    """
    position = next((index for index, text in enumerate(arguments) if not text.startswith("-")), len(arguments))
    word = arguments[position] if position < len(arguments) else None
    misspelled = [text for text in arguments[:position] if not _is_option(text, parser)]
    if misspelled:
        _refuse(misspelled, parser)
    selected = parser
    if word is not None and word not in verbs.choices:
        if not is_host(word) or os.path.exists(word):
            parser.error(_unknown_verb(word, verbs, parser.prog))
        arguments = [*arguments[:position], _CHECK, *arguments[position:]]
        word = _CHECK
    if word is not None:
        selected = verbs.choices[word]
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        _refuse(unknown, selected)
    return options


def is_host(word: str) -> bool:
    """Return whether *word* names a server rather than a verb, even a misspelled one, or a file."""
    return _HOST.fullmatch(word) is not None and not word.lower().endswith(_FILES)


def _unknown_verb(word: str, verbs: Verbs, program: str) -> str:
    shown = shown_value(word)
    if os.path.exists(word):
        advice = f"; did you mean '{program} {_INSPECT} {shown}'?" if _INSPECT in verbs.choices else ""
        return f"unknown verb: {shown} is a file{advice}"
    if shown.lower().endswith(_FILES):
        return f"unknown verb: {shown}, and there is no such file"
    known = [action.dest for action in verbs._choices_actions]
    similar = difflib.get_close_matches(word.lower(), verbs.choices, 2)
    similar += [verb for verb in known if len(word) > 1 and verb.startswith(word.lower()) and verb not in similar]
    if similar:
        return f"unknown verb: {shown}; did you mean {' or '.join(similar)}?"
    host = f"; to check a server, use '{program} {_CHECK} {shown}'" if re.fullmatch(r"[\w-]+", word) else ""
    return f"unknown verb: {shown} (expected {', '.join(known)}){host}"


def _is_option(text: str, parser: argparse.ArgumentParser) -> bool:
    """Return whether *parser* accepts the option *text*, which may be abbreviated or have a value."""
    name = text.partition("=")[0]
    return text == "--" or any(option.startswith(name) for option in _options(parser))


def _options(parser: argparse.ArgumentParser) -> list[str]:
    return [option for action in parser._actions for option in action.option_strings]


def _refuse(unknown: Sequence[str], parser: argparse.ArgumentParser) -> NoReturn:
    """End the process with a message about *unknown* arguments, and the options that are similar to them."""
    options = [option for option in _options(parser) if option.startswith("--")]
    suggested = []
    for text in unknown:
        if text.startswith("-"):
            suggested += difflib.get_close_matches(f"--{text.lstrip('-').partition('=')[0].lower()}", options, 1)
    hint = f"; did you mean {' '.join(dict.fromkeys(suggested))}?" if suggested else ""
    parser.error(f"unrecognized arguments: {' '.join(map(_shown_option, unknown))}{hint}")


def _shown_literal(match: re.Match[str]) -> str:
    """Return a string in quotation marks, in a message of argparse, without secrets."""
    value = match[1] or match[2]
    return shown(value) if hidden_kind(value) else match[0]


def _shown_option(text: str) -> str:
    """Return *text*, an unknown argument, for a message."""
    name, separator, value = text.partition("=")
    is_option = separator and re.fullmatch("--?[a-z-]{1,30}", name) and not secret_kind(text)
    return f"{name}={shown_value(value)}" if is_option else shown_value(text)


def verbs_text(verbs: Verbs) -> str:
    """Return the list of verbs for the help, by their users."""
    summaries = _summaries(verbs)
    size = max(map(len, summaries)) + 4
    blocks = [
        [heading, *(line for name in names for line in wrapped(summaries[name], f"  {name:{size - 2}}", " " * size))]
        for heading, names in grouped(verbs).items()
    ]
    return "\n\n".join("\n".join(block) for block in blocks)


def grouped(verbs: Verbs) -> dict[str, list[str]]:
    """Return the names of the verbs that the help lists, by their users."""
    summaries = _summaries(verbs)
    known = [name for names in GROUPS.values() for name in names]
    groups = {heading: [name for name in names if name in summaries] for heading, names in GROUPS.items()}
    groups[[*GROUPS][-1]] += [name for name in summaries if name not in known]
    return {heading: names for heading, names in groups.items() if names}


def _summaries(verbs: Verbs) -> dict[str, str]:
    return {action.dest: action.help or "" for action in verbs._choices_actions}
