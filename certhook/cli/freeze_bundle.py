"""``python -m certhook freeze-bundle``: the bundle as a Python module, for programs in which nothing can read a file.

Modules that are frozen into a C program have no resources: text in a module is all that is left.
"""

from __future__ import annotations

import hashlib
import os

from certhook import _certifi, _config, _files
from certhook._certificates import pem
from certhook._finder import find_package
from certhook._sources import bundled
from certhook._store import Unusable
from certhook.cli import _terminal, export
from certhook.exceptions import CerthookError, SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

_MODULE = '''\
"""{whose}, for a program in which nothing can read certifi's file.

certhook reads it where there is no other bundle. Written by ``python -m certhook freeze-bundle``:
do not edit it, write it anew when certifi is updated.
"""

# SHA-256 {digest}
{constant} = (
{lines}
)
'''


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    name = f"{_certifi.FROZEN}.py"
    parser = verbs.add_parser(
        "freeze-bundle",
        help="write certifi's bundle as a Python module, for modules that are frozen into a program",
        description=(
            f"Write certifi's bundle (or that of CERTHOOK_BUNDLE) as the Python module {_certifi.FROZEN}, which "
            "certhook reads where it can read no other bundle."
        ),
        epilog=(
            "Exit status: 0 if it was written, 1 if there is no bundle or it cannot be written, 2 for what cannot be "
            "understood."
        ),
    )
    text = f"where to; {name} unless given, - for standard output"
    parser.add_argument("file", metavar="FILE", type=_terminal.not_empty, nargs="?", default=name, help=text)
    _terminal.add_json(parser)
    parser.set_defaults(run=run, usage_error=parser.error)


def run(options: argparse.Namespace) -> int:
    """Write the module.

    :returns: 0 if it was written, 1 if there is no bundle or it cannot be written
    """
    if options.file == "-" and _terminal.wants_json(options):
        options.usage_error("with --json, standard output says what was written; name a file")
    path = os.path.abspath(options.file)
    try:
        whose, data = _bundle()
        anchors, _ = pem.parse(data)
        if not anchors:
            raise SourceError("bundled", "holds no certificate")
        text = _MODULE.format(
            whose=whose,
            digest=hashlib.sha256(data).hexdigest(),
            constant=bundled.FROZEN_PEM,
            lines="\n".join(f"    {line!r}" for line in data.splitlines(keepends=True)),
        )
        if options.file == "-":
            _terminal.show_bytes(text.encode("ascii"))
            return 0
        export.write(path, text.encode("ascii"))
    except (CerthookError, Unusable) as failure:
        _terminal.complain(failure)
        return 1
    _terminal.tell(options, f"{len(anchors)} roots written to {path}", path=path, roots=len(anchors))
    return 0


def _bundle() -> tuple[str, bytes]:
    """What the bundle is, in words, and its content."""
    config = _config.current()
    named = config.bundle
    if named == "":
        raise next(problem for problem in config.problems if problem.setting == "CERTHOOK_BUNDLE")
    if named is not None:
        return "The bundle that CERTHOOK_BUNDLE named", _files.read(named)
    spec = find_package(_certifi.PACKAGE)
    path = _certifi.bundle_path(spec)
    data = _files.read(path) if path is not None else bundled.read_resource(_certifi.PACKAGE)
    try:
        from certifi import __version__ as version
    except ImportError:
        return "Mozilla's roots, as certifi ships them", data
    return f"Mozilla's roots, as certifi {version} ships them", data
