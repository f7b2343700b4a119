"""``python -m certhook env``: print shell commands that make other programs use a file of root certificates.

On failure, standard output stays empty: with only some of the commands, programs would use
different root certificates.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from typing import Callable, NamedTuple

from certhook import _config, _digest, _files
from certhook._certificates import pem
from certhook._config import SERVER_AUTH, SETTINGS, Config
from certhook._store import Unusable, build, store_directory
from certhook._text import presentable
from certhook._watch import index_settings
from certhook.cli import _exporting, _terminal, _writing
from certhook.cli._terminal import CommandError
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

#: The variables, and the programs that read them.
VARIABLES = {
    "SSL_CERT_FILE": "OpenSSL, Python, Ruby, Go, uv",
    "AWS_CA_BUNDLE": "AWS CLI, boto3",
    "CARGO_HTTP_CAINFO": "Cargo",
    "CURL_CA_BUNDLE": "curl",
    "DENO_CERT": "Deno",
    "GIT_SSL_CAINFO": "Git",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": "gRPC",
    "HTTPLIB2_CA_CERTS": "httplib2",
    "NODE_EXTRA_CA_CERTS": "Node.js, npm",
    "PERL_LWP_SSL_CA_FILE": "Perl's LWP",
    "PIP_CERT": "pip",
    "REQUESTS_CA_BUNDLE": "requests",
}

# The files in the directory of compiled stores: one for each combination of settings, which shells may differ in.
_OWN_FILE = re.compile(r"exported-[0-9a-f]{16}\.pem")

_TWO_STEPS = "certhook export FILE, then certhook env FILE"


class _Shell(NamedTuple):
    """The syntax of a shell."""

    quote: Callable[[str], str]
    assignment: str
    removal: str


def _quote_for_fish(text: str) -> str:
    # Within single quotes, fish interprets two escapes.
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _quote_for_powershell(text: str) -> str:
    # PowerShell treats typographic quotes like straight ones. Doubling escapes them.
    return "'" + re.sub("(['\u2018-\u201b])", r"\1\1", text) + "'"


_SHELLS = {
    "sh": _Shell(shlex.quote, "export {name}={value}", "unset {name}"),
    "fish": _Shell(_quote_for_fish, "set -gx {name} {value}", "set -e {name}"),
    "powershell": _Shell(_quote_for_powershell, "$env:{name} = {value}", "$env:{name} = $null"),
}
# The programs that $SHELL may name, and their syntax.
_PROGRAMS = {
    **dict.fromkeys(("ash", "bash", "busybox", "dash", "ksh", "mksh", "sh", "yash", "zsh"), "sh"),
    "fish": "fish",
    **dict.fromkeys(("powershell", "pwsh"), "powershell"),
}


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    width = max(map(len, VARIABLES))
    parser = _terminal.add_verb(
        verbs,
        "env",
        "print shell commands that make curl, Git, Node.js and others use the same root certificates",
        (
            "Print shell commands that set environment variables. The variables tell programs, most of which are not "
            "written in Python, which file of root certificates to use. Evaluate the commands in the shell:",
            '  bash, zsh:  eval "$(certhook env)"\n'
            "  fish:       certhook env | source\n"
            "  PowerShell: certhook env --shell powershell | Out-String | Invoke-Expression",
            "Without FILE, the trusted root certificates are written to a file in certhook's cache directory. Run the "
            "command again after a change of trust.",
        ),
        (
            "These variables are set:",
            "\n".join(f"  {name:{width}}  {programs}" for name, programs in VARIABLES.items()),
            "Node.js and Deno add the file to their own root certificates. The other programs use the file instead of "
            "theirs.",
            "With SSL_CERT_FILE, Python programs in this shell trust the file and the system's directory of root "
            "certificates, but not certifi's bundle. Distrusted certificates remain distrusted. Python servers that "
            "verify clients with default trust accept client certificates from every CA in the file.",
            "If SSL_CERT_FILE already names another file, FILE is required: certhook does not silently replace your "
            "choice.",
            "Exit status: 0 if the commands were printed, 1 if they were not, 2 for invalid arguments.",
        ),
    )
    argument = parser.add_mutually_exclusive_group()
    text = "a PEM file of root certificates, such as the result of 'certhook export FILE'"
    argument.add_argument("file", metavar="FILE", type=_terminal.not_empty, nargs="?", help=text)
    text = "print commands that unset the variables; their earlier values are not restored"
    argument.add_argument("--unset", action="store_true", help=text)
    parser.add_argument("--shell", choices=_SHELLS, help="the shell (default: the one that $SHELL names)")
    _terminal.add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the commands.

    :returns: 0
    :raises CommandError: if nothing was printed
    :raises SourceError: if the named file cannot be read
    """
    if _terminal.wants_json(options):
        _terminal.show_json(dict.fromkeys(VARIABLES, None if options.unset else _file(options)))
        return 0
    shell = _SHELLS[options.shell or _users_shell()]
    if options.unset:
        lines = [shell.removal.format(name=name) for name in VARIABLES]
    else:
        value = shell.quote(_file(options))
        lines = [shell.assignment.format(name=name, value=value) for name in VARIABLES]
    encoding = getattr(sys.stdout, "encoding", "utf-8")
    try:
        # A path may contain bytes that are not text. They are printed unchanged.
        text = "".join(f"{line}\n" for line in lines).encode(encoding, "surrogateescape")
    except UnicodeEncodeError as error:
        raise CommandError(f"{error.encoding} cannot encode the path; use a file with another name") from None
    _terminal.show_bytes(text)
    return 0


def _users_shell() -> str:
    path = os.environ.get("SHELL") or ("powershell" if os.name == "nt" else "sh")
    program = os.path.splitext(os.path.basename(path))[0]
    if program not in _PROGRAMS:
        raise CommandError(f"SHELL={path} is not a known shell; use --shell with one of {', '.join(_SHELLS)}")
    return _PROGRAMS[program]


def _file(options: argparse.Namespace) -> str:
    return _export() if options.file is None else _check_file(options.file)


def _check_file(file: str) -> str:
    """Return the absolute path of *file*, which must contain certificates as PEM.

    :raises SourceError: if it does not
    """
    path = os.path.abspath(file)
    data = _files.read(path)
    entries, _ = pem.parse(data)
    if not entries or b"-----BEGIN " not in data:
        raise SourceError(path, "contains no certificate in PEM format; 'certhook export FILE' writes such a file")
    return path


def _export() -> str:
    """Write the trusted root certificates to a file in the directory of compiled stores.

    :returns: its path
    :raises CommandError: if that is impossible
    """
    config = _config.current()
    directory = _store_directory(config)
    if config.cert_file is not None and _is_own_file(config.cert_file, directory):
        # The commands were evaluated in this shell before: the earlier result must not select the roots now.
        config = Config({name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"})
    elif config.cert_file is not None:
        raise CommandError(_explain_refusal(config.cert_file))
    path = os.path.join(directory, _file_name(config))
    anchors, _ = _exporting.read_exportable(config, SERVER_AUTH)
    _writing.write_file(path, _exporting.commented_pem(anchors))
    return path


def _store_directory(config: Config) -> str:
    directory, reason = store_directory(config.store_dir)
    if directory is None:
        raise CommandError(f"nothing was written: no directory is available ({reason}); name a file: {_TWO_STEPS}")
    try:
        _writing.check_safe(directory)  # before creating anything in a directory that another user can modify
        build.make_directories(directory, build.is_shared())
        return _writing.check_safe(directory)
    except (CommandError, Unusable) as failure:
        raise CommandError(f"{failure}; or name a file: {_TWO_STEPS}") from None


def _explain_refusal(cert_file: str) -> str:
    """Return the message for a shell in which SSL_CERT_FILE is *cert_file*."""
    named = shlex.quote(presentable(cert_file))
    others = [setting.name for setting in SETTINGS if setting.selects_roots and setting.name != "SSL_CERT_FILE"]
    try:
        selects_all = bool(cert_file) and not any(map(os.environ.get, others)) and _check_file(cert_file)
    except SourceError:
        selects_all = False
    # SSL_CERT_FILE may name no file, or only a part of the trusted root certificates.
    remedy = f"use that file: certhook env {named}" if selects_all else f"name a file: {_TWO_STEPS}"
    return f"SSL_CERT_FILE is already set to {named}, and is not replaced. Unset it, or {remedy}"


def _is_own_file(path: str, directory: str) -> bool:
    return os.path.dirname(path) == directory and _OWN_FILE.fullmatch(os.path.basename(path)) is not None


def _file_name(config: Config) -> str:
    # Long enough to be unique: unlike an index, the file does not contain the settings for comparison.
    key = "\0".join(index_settings(config, SERVER_AUTH))
    return f"exported-{_digest.hexdigest('sha256', os.fsencode(key))[:16]}.pem"
