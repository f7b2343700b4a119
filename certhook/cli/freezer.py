"""``python -m certhook freezer``: files for tools that freeze programs, and the bundle as a Python module."""

from __future__ import annotations

import argparse
import os

from certhook import _certifi, freezers
from certhook.cli import _frozen_bundle, _roots_table, _terminal, _writing
from certhook.cli._terminal import CommandError

_BUNDLE = "bundle"
_STANDARD_OUTPUT = "-"
_MODULE = f"{_certifi.FROZEN}.py"


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    parser = _terminal.add_verb(
        verbs,
        "freezer",
        "print the path of certhook's files for PyInstaller, Nuitka, cx_Freeze or PyOxidizer, or write certifi's "
        "bundle as a module for C programs",
        (
            "Print the path of certhook's configuration file for TOOL, which freezes Python programs into executables. "
            "The first lines of the file explain how to use it. PyInstaller finds its files automatically.",
            f"With 'bundle', write certifi's bundle, or the one that CERTHOOK_BUNDLE names, as the Python module "
            f"{_certifi.FROZEN}. Freeze it together with certhook into a C program, in which certifi's file cannot be "
            "read. certhook uses the module if there is no other bundle.",
        ),
        ("Exit status: 0 if the path was printed or the module was written, 1 if it was not, 2 for an unknown TOOL.",),
        usage="%(prog)s [-h] [--json] TOOL\n       %(prog)s [-h] [--json] bundle [FILE]",
    )
    choices = [*freezers.FILES, _BUNDLE]
    parser.add_argument("name", metavar="TOOL", choices=choices, help=f"one of {', '.join(choices)}")
    _add_file(parser, None, "with 'bundle', the file to write")
    parser.set_defaults(run=run, usage_error=parser.error)

    # The former spelling of 'freezer bundle'.
    parser = _terminal.add_verb(
        verbs,
        "freeze-bundle",
        None,
        ("Write certifi's bundle as a Python module. This verb is another spelling of 'freezer bundle'.",),
        ("Exit status: 0 if the module was written, 1 if it was not, 2 for invalid arguments.",),
    )
    _add_file(parser, _MODULE, "the file to write")
    parser.set_defaults(run=run, usage_error=parser.error, name=_BUNDLE)


def _add_file(parser: argparse.ArgumentParser, default: str | None, text: str) -> None:
    text = f"{text} (default: {_MODULE}); - for standard output"
    parser.add_argument("file", metavar="FILE", type=_terminal.not_empty, nargs="?", default=default, help=text)
    _terminal.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print the path, or write the module.

    :returns: 0
    :raises CerthookError: if there is no bundle
    :raises CommandError: if certhook is in an archive, or the module cannot be written
    """
    if options.name == _BUNDLE:
        return _write_bundle(options)
    if options.file is not None:
        options.usage_error(f"FILE is only permitted with 'bundle', not with {options.name}")
    path = freezers.path_of(options.name)
    if path is None:
        raise CommandError("the package certhook is not in a directory; install it with pip in the build environment")
    _terminal.show_result(options, path, path=path)
    return 0


def _write_bundle(options: argparse.Namespace) -> int:
    if options.file == _STANDARD_OUTPUT and _terminal.wants_json(options):
        options.usage_error("--json prints the result to standard output; name a file")
    module, count = _frozen_bundle.build_module()
    if options.file == _STANDARD_OUTPUT:
        _terminal.show_bytes(module)
        return 0
    path = os.path.abspath(options.file or _MODULE)
    _writing.write_file(path, module)
    sentence = f"{_roots_table.counted(count)} written to {path}"
    _terminal.show_result(options, sentence, path=path, root_count=count)
    return 0
