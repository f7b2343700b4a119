"""``python -m certhook compile``: the compiled store at image-build time, so that a cold start is a warm one."""

from __future__ import annotations

import os

from certhook import _config, _trust
from certhook._config import CLIENT_AUTH, SERVER_AUTH
from certhook._sources import read_trust_set
from certhook._store import Unusable, beside_package
from certhook._store.build import compile_store
from certhook.cli import _terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "compile",
        help="make the compiled store now, for containers that cannot write or do not live long",
        description=(
            "Make the compiled store of this environment's default trust now, with the variables as they are now. "
            "It is used as long as they, and the files it was made of, stay the same."
        ),
        epilog="Exit status: 0 if it was made, 1 if it cannot be, 2 for a directory that cannot be one.",
    )
    parser.add_argument(
        "--directory",
        metavar="DIR",
        type=_terminal.not_empty,
        help="where to put it; beside the package unless given. At run time, CERTHOOK_CACHE_DIR has to name it",
    )
    _terminal.add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Compile the store.

    :returns: 0 if it was made, 1 if it cannot be, 2 for a directory that cannot be one
    """
    folder = beside_package() if options.directory is None else os.path.abspath(options.directory)
    if folder is None:
        _terminal.complain("the package is in no folder; name one with --directory")
        return 2
    config = _config.current()
    found = {purpose: read_trust_set(config, purpose) for purpose in (SERVER_AUTH, CLIENT_AUTH)}
    for problem in found[SERVER_AUTH].problems:
        _terminal.complain(problem)
    if not found[SERVER_AUTH].anchors:
        return 1
    stores = {}
    for purpose, trust in found.items():
        if not trust.anchors:
            continue  # no client is trusted by default where the system has no store
        if trust.volatile:
            _terminal.complain("not compiled: a source cannot be watched for changes (a relative path?)")
            return 1
        key = _trust.index_settings(config, purpose)
        try:
            stores[purpose] = compile_store(folder, trust, key, shared=True, portable=True)
        except Unusable as failure:
            _terminal.complain(failure)
            return 1
    store, roots = stores[SERVER_AUTH], len(found[SERVER_AUTH])
    _terminal.tell(options, f"{roots} roots compiled into {store}", store=store, roots=roots)
    return 0
