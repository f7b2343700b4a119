"""``python -m certhook compile``: build the compiled store in advance, so that the first context is fast."""

from __future__ import annotations

import os
import site
import sys

from certhook import _config, _public_bundles
from certhook._config import CLIENT_AUTH, SERVER_AUTH
from certhook._sources import read_trust_set, settings_file
from certhook._sources.limits import IGNORED
from certhook._store import Unusable, store_directory
from certhook._store.build import compile_store
from certhook._store.prune import prune
from certhook._trust import directory_beside_package, package_beside
from certhook._watch import index_settings
from certhook.cli import _problem_list, _protection, _roots_table, _terminal, _triggers
from certhook.cli._terminal import CommandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from certhook._config import Config
    from certhook._sources.trust_set import TrustSet


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    parser = _terminal.add_verb(
        verbs,
        "compile",
        "build the compiled store of root certificates in advance, for container images",
        (
            "Build the compiled store of root certificates that makes the first TLS context of a program fast. Do this "
            "in the image of containers that are read-only or short-lived. Programs use the store as long as the "
            "environment variables and the files that it was built from are unchanged. A store is also built for each "
            "public bundle of an installed package, such as certifi's, which requests and httpx name.",
        ),
        (
            "Exit status: 0 if the store was built, 1 if it was not, 2 for invalid arguments, or if certhook is in an "
            "archive and --directory is missing.",
        ),
    )
    parser.add_argument(
        "--directory",
        metavar="DIR",
        type=_terminal.not_empty,
        help="the directory of the store (default: next to the package); programs must have CERTHOOK_STORE_DIR=DIR set",
    )
    text = (
        "also remove every other store from the directory and from that of the user: those of former states and of "
        "deleted environments, and those of files that programs name; running programs rebuild what they use after "
        "their next failed verification"
    )
    parser.add_argument("--prune", action="store_true", help=text)
    text = (
        "build nothing, but print a file that makes this system do so whenever its root certificates change: a hook of "
        "update-ca-certificates (debian, suse), of pacman (arch), or a unit of systemd (%(choices)s). Its first lines "
        "contain its path"
    )
    parser.add_argument("--trigger", choices=_triggers.NAMES, metavar="SYSTEM", help=text)
    _terminal.add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Build the store.

    :returns: 0 if it was built, or the file for ``--trigger`` was printed; 1 if there are no roots
    :raises CommandError: if --directory is required, or the store cannot be built, or no process would use it
    """
    if options.trigger:
        return _show_trigger(options)
    directory = directory_beside_package() if options.directory is None else os.path.abspath(options.directory)
    if directory is None:
        raise CommandError("the package certhook is not in a directory; use --directory", exit_status=2)
    config = _config.current()
    # A portable store does not depend on owners, so processes would use it after the file has been corrected.
    file = settings_file.load()
    if file.state == IGNORED:
        raise CommandError(f"the store was not built: {file.path} {file.problems[0].message}")
    trust_set = read_trust_set(config)
    _problem_list.complain_of(trust_set.problems, "status")
    if not trust_set.anchors:
        return 1
    store = _compile(directory, config, SERVER_AUTH, trust_set)
    clients = read_trust_set(config, CLIENT_AUTH)
    if clients.anchors:  # Bundles do not verify clients, so without a system's store, this trust set may be empty.
        _compile(directory, config, CLIENT_AUTH, clients)
    for bundle in _public_bundles.installed(config.adopt):
        request = config.adopting(bundle)
        adopted = read_trust_set(request)
        if adopted.anchors and not adopted.is_reduced:
            _compile(directory, request, SERVER_AUTH, adopted)
    pruned = _prune(directory, config) if options.prune else []
    count = len(trust_set)
    sentence = f"{_roots_table.counted(count)} compiled into {store}"
    if options.prune:
        sentence += f"; unused files and directories removed: {len(pruned)}"
    _terminal.show_result(options, sentence, store=store, root_count=count, pruned=pruned)
    return 0


def _show_trigger(options: argparse.Namespace) -> int:
    if not sys.executable:
        raise CommandError("the path of this interpreter is unknown")
    if _requires_search_path(directory_beside_package()):
        raise CommandError(
            f"no file was printed: {sys.executable} finds certhook only through PYTHONPATH, which is not set after a "
            "change of the root certificates; install certhook into its site-packages"
        )
    _complain_of_foreign_code()
    text = _triggers.text_of(options.trigger, sys.executable)
    if _terminal.wants_json(options):
        _terminal.show_json({"text": text})
    else:
        _terminal.show_bytes(os.fsencode(text))
    return 0


def _complain_of_foreign_code() -> None:
    """Report if another user could modify this interpreter or package, which the superuser will run."""
    checker = _protection.Checker()
    try:
        for path in (sys.executable, os.path.dirname(__file__)):
            checker.check(path)
    except _protection.Unprotected as failure:
        finding = str(failure).partition(";")[0]
        _terminal.complain(f"the superuser will run this Python: {finding}; use one that only the superuser can modify")
    except OSError:
        pass  # The package is in an archive.


def _requires_search_path(store: str | None) -> bool:
    """Return whether this interpreter finds the package next to *store* only through PYTHONPATH."""
    if store is None:
        return False
    parent = os.path.dirname(store)
    named = {os.path.abspath(entry) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry}
    if named.isdisjoint({parent, os.path.join(parent, "certhook", "bootstrap")}):
        return False
    return parent not in map(os.path.abspath, site.getsitepackages())


def _prune(directory: str, config: Config) -> list[str]:
    """Remove what no index needs from *directory* and from the user's directory, and return the paths.

    :raises CommandError: if another user can modify a directory
    """
    removed = []
    own, _ = store_directory(config.store_dir)
    for path in dict.fromkeys([directory, own or directory]):
        if os.path.isdir(path):
            try:
                removed += prune(path, package_beside(path))
            except (OSError, Unusable) as error:
                raise CommandError(f"{path} was not pruned: {error}") from None
    return removed


def _compile(directory: str, config: Config, purpose: int, trust_set: TrustSet) -> str:
    """Build the store of *trust_set*, and return its path."""
    if trust_set.volatile:
        raise CommandError(
            "the store was not built: changes of a source cannot be detected, for example because its path is "
            "relative; use absolute paths"
        )
    settings = index_settings(config, purpose)
    try:
        return compile_store(
            directory, trust_set, settings, True, "'certhook compile'", True, package_beside(directory)
        )
    except Unusable as failure:
        raise CommandError(f"the store was not built: {failure}") from None
