"""``python -m certhook inspect``: identify files, show their certificates, and convert them to PEM."""

from __future__ import annotations

import os
import sys

import certhook
from certhook import _api, _files
from certhook._certificates import openssl
from certhook._path_hints import explain
from certhook._text import shown_value
from certhook.cli import _terminal, _writing
from certhook.cli._terminal import CommandError
from certhook.cli.inspect.certificate import Trust, describe
from certhook.cli.inspect.report import STANDARD_INPUT, render
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

_STANDARD_INPUT = _STANDARD_OUTPUT = "-"
_MAX_TIMEOUT = 3600  # seconds
_SUFFIXES = (".pem", ".crt", ".cer", ".der", ".p7b", ".p7c", ".p12", ".pfx", ".jks", ".key", ".csr", ".txt")


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    parser = _terminal.add_verb(
        verbs,
        "inspect",
        "identify a file, show its certificates or those of a server, and how to convert it to PEM",
        (
            "Identify the format of each FILE from its content, and show its certificates and the command that "
            "converts it to PEM, which Python and most programs require. For each HOST, show the certificates that "
            "the server sends; 'check' verifies it.",
            "Known formats: PEM and DER, PKCS#7, PKCS#12 and Java keystores, private and public keys, certificate "
            "signing requests, revocation lists, archives, web pages, and PEM that is indented, quoted, escaped, in "
            "UTF-16 or otherwise damaged.",
        ),
        (
            "The content of private keys is never printed. Nothing becomes trusted.",
            "Exit status: 0 if certificates were found for every argument, 1 if not, 2 for invalid arguments.",
        ),
    )
    text = "a file, or - for standard input; or a server: HOST, HOST:PORT or a URL, as for 'check'"
    parser.add_argument("targets", metavar="FILE|HOST", nargs="+", type=_terminal.not_empty, help=text)
    text = "write all certificates as PEM to the new file OUTPUT; - for standard output, without the report"
    parser.add_argument("--pem", metavar="OUTPUT", type=_terminal.not_empty, help=text)
    text = "time limit in seconds for the connection to a server (default: 10)"
    parser.add_argument("--timeout", metavar="SECONDS", type=float, default=10.0, help=text)
    _terminal.add_json(parser)
    parser.set_defaults(run=run, usage_error=parser.error)


def run(options: argparse.Namespace) -> int:
    """Inspect all arguments.

    :returns: 0 if each one has certificates, 1 if one has not
    :raises CommandError: if the output cannot be written
    """
    if not 0 < options.timeout <= _MAX_TIMEOUT:
        limits = f"more than 0 and at most {_MAX_TIMEOUT} seconds"
        options.usage_error(f"--timeout {options.timeout:g} is invalid (expected {limits})")
    if options.targets.count(_STANDARD_INPUT) > 1:
        options.usage_error("standard input (-) can be read only once")
    if options.pem == _STANDARD_OUTPUT and _terminal.wants_json(options):
        options.usage_error("--pem - and --json both print to standard output; name a file")
    trust = Trust(_api.trust_set())
    inspections = []
    ders: dict[bytes, None] = {}
    for text in options.targets:
        found, certificates = _inspect(text, options.timeout)
        found["certificates"] = [describe(der, trust) for der in certificates]
        inspections.append(found)
        ders.update(dict.fromkeys(certificates))
        if not _terminal.wants_json(options) and options.pem != _STANDARD_OUTPUT:
            _terminal.show(("\n" if len(inspections) > 1 else "") + "\n".join(render(found)))
    if _terminal.wants_json(options):
        _terminal.show_json({"certhook": certhook.__version__, "inspections": inspections})
    if options.pem:
        _write(options.pem, [*ders])
    return 0 if all(found["certificates"] for found in inspections) else 1


def _write(path: str, ders: list[bytes]) -> None:
    """Write *ders* as PEM.

    :raises CommandError: if there are none, *path* exists, or it cannot be written
    """
    if not ders:
        raise CommandError("nothing was written: no certificate was found")
    data = b"".join(map(openssl.to_pem, ders))
    if path == _STANDARD_OUTPUT:
        _terminal.show_bytes(data)
        return
    _writing.write_new_file(path, data)


def _inspect(text: str, timeout: float) -> tuple[dict[str, Any], list[bytes]]:
    """Return the JSON object for one argument without its certificates, and these as DER."""
    if _is_file(text):
        return _inspect_file(text)
    from certhook.cli.inspect.server import inspect_server

    return inspect_server(text, timeout)


def _is_file(text: str) -> bool:
    if text == _STANDARD_INPUT or os.path.lexists(text):
        return True
    separators = (os.sep, os.altsep or os.sep)
    looks_like_path = any(one in text for one in separators) or text.startswith(("~", "."))
    return "://" not in text and (looks_like_path or text.lower().endswith(_SUFFIXES))


def _inspect_file(path: str) -> tuple[dict[str, Any], list[bytes]]:
    from certhook._certificates import formats

    found: dict[str, Any] = {"target": STANDARD_INPUT if path == _STANDARD_INPUT else shown_value(path)}
    found.update(
        {"type": "file", "format": None, "explanation": None, "command": None, "valid_pem": None, "error": None}
    )
    try:
        data = _standard_input() if path == _STANDARD_INPUT else _files.read(path, accepts_pipe=True)
    except SourceError as error:
        if os.path.isdir(path):
            explanation = "It is a directory. Inspect the files in it, for example with a pattern such as *.pem."
            found.update(format="directory", explanation=explanation)
        else:
            hint = explain(path) if isinstance(error.__cause__, FileNotFoundError) else ""
            text = f"{error.message}: {hint}" if hint else error.message
            found["error"] = {"step": "read", "message": text, "code": None}
        return found, []
    identified = formats.identify(data, "" if path == _STANDARD_INPUT else path)
    found.update(
        format=identified.name,
        explanation=identified.explanation,
        command=identified.command or None,
        valid_pem=identified.is_pem,
    )
    return found, list(identified.certificates)


def _standard_input() -> bytes:
    """Read standard input.

    :raises SourceError: if it is closed or too large
    """
    if sys.stdin is None:
        raise SourceError("standard input", "is closed")
    data = sys.stdin.buffer.read(_files.LIMIT + 1)
    if len(data) > _files.LIMIT:
        raise SourceError("standard input", f"is larger than {_files.LIMIT >> 20} MiB")
    return data
