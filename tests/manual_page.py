"""Write ``docs/certhook.1``, the manual page, from the help texts of the command line."""

from __future__ import annotations

import os
import re

from support import ROOT

import certhook
from certhook._config import SETTINGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator

    from certhook.cli._completion_scripts import Argument

FILE = ROOT / "docs" / "certhook.1"

_HEAD = f"""\
.\\" Generated: run 'python tests/manual_page.py'.
.TH CERTHOOK 1 2026-11-29 "certhook {certhook.__version__}" "User Commands"
.SH NAME
certhook \\- default TLS trust for every Python program
"""


def text() -> str:
    """Return the manual page as it should be."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "99999"  # The paragraphs of the help become single lines.
    try:
        return _HEAD + "".join(f"{line}\n" for line in _lines())
    finally:
        os.environ.pop("COLUMNS")
        os.environ.update({} if before is None else {"COLUMNS": before})


def _lines() -> Iterator[str]:
    # Imported here, because the help is wrapped while some of these modules are imported.
    from certhook import cli
    from certhook.cli import _arguments, _completion_scripts

    parser, verbs = cli.build_parser("certhook")
    main, listed = _completion_scripts.read(parser, verbs)
    yield ".SH SYNOPSIS"
    yield from _synopsis(parser.format_usage())
    yield ".SH DESCRIPTION"
    # A paragraph at the start of a section has no macro.
    yield _escaped(cli.DESCRIPTION)
    yield from _paragraphs(parser.epilog or "")
    yield ".SH OPTIONS"
    yield from _arguments_list(main.arguments)
    by_name = {verb.name: verb for verb in listed}
    for heading, names in _arguments.grouped(verbs).items():
        yield f".SH {_quoted(heading.rstrip(':').upper())}"
        for name in names:
            yield f".SS {_quoted(f'certhook {name}')}"
            yield from _synopsis(verbs.choices[name].format_usage())
            yield from _paragraphs(verbs.choices[name].description or "")
            yield from _arguments_list(by_name[name].arguments)
            yield from _paragraphs(verbs.choices[name].epilog or "")
    yield ".SH ENVIRONMENT"
    for setting in SETTINGS:
        yield ".TP"
        yield rf"\fB{_escaped(setting.name)}\fR"
        yield _escaped(f"{setting.description[0].upper()}{setting.description[1:]}.")
    yield ".SH SEE ALSO"
    yield r"\fBopenssl\-verify\fR(1ssl), \fBupdate\-ca\-certificates\fR(8), \fBtrust\fR(1)"


def _synopsis(usage: str) -> Iterator[str]:
    lines = " ".join(usage.replace("usage: ", "").split())
    for number, line in enumerate(re.split(r" (?=certhook )", lines)):
        if number:
            yield ".br"
        yield _escaped(line)


def _paragraphs(texts: str) -> Iterator[str]:
    for paragraph in filter(None, texts.split("\n\n")):
        yield ".PP"
        if paragraph.startswith(" "):
            yield from (".nf", *map(_escaped, paragraph.split("\n")), ".fi")
        else:
            yield _escaped(paragraph)


def _arguments_list(arguments: list[Argument]) -> Iterator[str]:
    for argument in arguments:
        if "--help" in argument.flags:
            continue
        flags = ", ".join(rf"\fB{_escaped(flag)}\fR" for flag in argument.flags)
        name = rf"\fI{_escaped(argument.name)}\fR" if argument.name else ""
        yield ".TP"
        yield " ".join(filter(None, (flags, name)))
        yield _escaped(f"{argument.summary[:1].upper()}{argument.summary[1:]}.")


def _quoted(line: str) -> str:
    return f'"{_escaped(line)}"'


def _escaped(line: str) -> str:
    escaped = line.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga").replace("'", "\\(aq")
    return f"\\&{escaped}" if escaped.startswith(".") else escaped


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
