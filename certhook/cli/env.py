"""``python -m certhook env``: lines for a shell that point other programs at a file of roots.

Whatever goes wrong, nothing is printed on standard output: half of these lines
would leave some programs with other roots than the rest.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import sys

from certhook import _config, _files, _trust
from certhook._certificates import pem
from certhook._config import SERVER_AUTH, Config
from certhook._store import Unusable, build, is_shared, own_directory
from certhook.cli import _terminal, export
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Callable

#: Who reads which variable. Node.js and Deno add the file's roots to their own, the others have no others then.
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

# Without a name, in certhook's cache folder: one for whatever says what to trust, as two shells may differ in that.
_OWN = re.compile(r"exported-[0-9a-f]{16}\.pem")

# What says what to trust beside SSL_CERT_FILE.
_OTHERS = ("SSL_CERT_DIR", "CERTHOOK_SOURCES", "CERTHOOK_MODE", "CERTHOOK_EXTRA_CA_CERTS", "CERTHOOK_BUNDLE")

_BY_NAME = "certhook export FILE, and then certhook env FILE"


def _fish(text: str) -> str:
    # In single quotes, fish knows two escapes.
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _powershell(text: str) -> str:
    # PowerShell takes the typographic quotes for straight ones, and a doubled one of each for itself.
    return "'" + re.sub("(['\u2018-\u201b])", r"\1\1", text) + "'"


#: How a shell quotes, sets and forgets.
SHELLS: dict[str, tuple[Callable[[str], str], str, str]] = {
    "sh": (shlex.quote, "export {name}={value}", "unset {name}"),
    "fish": (_fish, "set -gx {name} {value}", "set -e {name}"),
    "powershell": (_powershell, "$env:{name} = {value}", "$env:{name} = $null"),
}
# What $SHELL may be, by the name of its program.
_KINDS = {
    **dict.fromkeys(("ash", "bash", "busybox", "dash", "ksh", "mksh", "sh", "yash", "zsh"), "sh"),
    "fish": "fish",
    **dict.fromkeys(("powershell", "pwsh"), "powershell"),
}


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "env",
        help="print shell lines that point curl, Git, Node.js and others at the trusted roots",
        description=(
            "Print lines for a shell that point programs which are not written in Python at FILE, a file of roots. "
            "Without FILE, the trusted roots are first written to one in certhook's cache folder. In sh, bash and zsh: "
            'eval "$(certhook env)"; in fish: certhook env | source; in PowerShell: '
            "certhook env --shell powershell | Out-String | Invoke-Expression"
        ),
        epilog=(
            "SSL_CERT_FILE is among them, so Python programs started from that shell trust the file (and the system's "
            "folder of roots), and no longer the bundle besides it; what the system distrusts stays distrusted. A "
            "server that verifies its clients by default trusts the file's roots for these, too. When trust changed, "
            "run it again. Where SSL_CERT_FILE names another file already, FILE has to be named: what was chosen is "
            "not replaced unasked. Set are: "
            + "; ".join(f"{name} ({who})" for name, who in VARIABLES.items())
            + ". Exit status: 0 if lines were printed, 1 if none were, 2 for what cannot be understood."
        ),
    )
    what = parser.add_mutually_exclusive_group()
    text = "a PEM file, as 'certhook export FILE' writes it"
    what.add_argument("file", metavar="FILE", type=_terminal.not_empty, nargs="?", help=text)
    text = "print lines that unset these variables; what they were before is not known"
    what.add_argument("--unset", action="store_true", help=text)
    parser.add_argument("--shell", choices=SHELLS, help="whose language the lines are in; that of $SHELL unless given")
    _terminal.add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the lines.

    :returns: 0 if they were printed, 1 if nothing was
    """
    try:
        if _terminal.wants_json(options):
            _terminal.show_json(dict.fromkeys(VARIABLES, None if options.unset else _path(options)))
            return 0
        quote, setting, unsetting = SHELLS[options.shell or _own_shell()]
        if options.unset:
            lines = [unsetting.format(name=name) for name in VARIABLES]
        else:
            value = quote(_path(options))
            lines = [setting.format(name=name, value=value) for name in VARIABLES]
        # A path of bytes that are no text is printed as it is.
        encoding = getattr(sys.stdout, "encoding", "utf-8")
        text = "".join(f"{line}\n" for line in lines).encode(encoding, "surrogateescape")
    except (SourceError, Unusable) as failure:
        _terminal.complain(failure)
        return 1
    except UnicodeEncodeError as error:
        _terminal.complain(f"the path has characters that {error.encoding} cannot show; name another file")
        return 1
    _terminal.show_bytes(text)
    return 0


def _path(options: argparse.Namespace) -> str:
    return _exported() if options.file is None else _named(options.file)


def _own_shell() -> str:
    named = os.environ.get("SHELL") or ("powershell" if os.name == "nt" else "sh")
    program = os.path.splitext(os.path.basename(named))[0]
    if program not in _KINDS:
        raise Unusable(f"SHELL is {named}, whose language is not known here; name one: --shell {' or '.join(SHELLS)}")
    return _KINDS[program]


def _named(file: str) -> str:
    path = os.path.abspath(file)
    data = _files.read(path)
    anchors, _ = pem.parse(data)
    if not anchors or b"-----BEGIN " not in data:
        raise SourceError(path, "holds no certificate in PEM format, as 'certhook export FILE' writes it")
    return path


def _exported() -> str:
    """Write the trusted roots to the file in the cache folder.

    :returns: its path
    """
    config = _config.current()
    folder, _ = own_directory(config.cache_dir)
    if folder is None:
        raise Unusable(f"there is no cache folder to write to; name a file: {_BY_NAME}")
    try:
        export.safe(folder)  # before anything is made in a place that somebody else can change
        build.make_directories(folder, is_shared())
        folder = export.safe(folder)
    except Unusable as failure:
        raise Unusable(f"{failure}; or name a file: {_BY_NAME}") from None
    if config.cert_file is not None and _is_own(config.cert_file, folder):
        # These lines are at work already; they were not when the file was first written.
        config = Config({name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"})
    elif config.cert_file is not None:
        raise Unusable(_why_refused(config.cert_file))
    path = os.path.join(folder, _file_name(config))
    export.write(path, export.pem(export.trusted(config)))
    return path


def _why_refused(file: str) -> str:
    """What to say where SSL_CERT_FILE is *file*, which these lines would replace."""
    named = shlex.quote(file)
    why = f"SSL_CERT_FILE says already what to trust, and these lines would replace it: {named}"
    try:
        is_all = bool(file) and not any(map(os.environ.get, _OTHERS)) and _named(file)
    except SourceError:
        is_all = False
    # It may name nothing, or not all that is trusted.
    what = f"that file: certhook env {named}" if is_all else f"what is trusted here: {_BY_NAME}"
    return f"{why}. Unset it, or point all programs at {what}"


def _is_own(path: str, folder: str) -> bool:
    return os.path.dirname(path) == folder and _OWN.fullmatch(os.path.basename(path)) is not None


def _file_name(config: Config) -> str:
    """The name of the file for *config*."""
    # No clash as of an index: whoever has the file does not compare settings.
    key = "\0".join(_trust.index_settings(config, SERVER_AUTH))
    return f"exported-{hashlib.sha256(os.fsencode(key)).hexdigest()[:16]}.pem"
