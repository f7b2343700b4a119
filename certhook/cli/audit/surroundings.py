"""Everything besides certhook's own files that default trust depends on: the interpreter, variables, stores, inputs."""

from __future__ import annotations

import os
import re
import sys
from typing import NamedTuple

import certhook
from certhook import _config, _trust
from certhook._config import SERVER_AUTH
from certhook._store import Index, Protection, Unusable, index_path, read_small, resolve_protected, store_directory
from certhook._store.verification import check
from certhook._text import presentable, shown_value
from certhook._watch import index_settings
from certhook.cli import _settings_file, _variables
from certhook.cli.audit.access import describe
from certhook.cli.audit.problem import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator

    from certhook.cli.audit.access import Access

#: Variables of other software that determine which code runs in a Python process, or which roots it trusts.
FOREIGN_VARIABLES = {
    "PYTHONPATH": "adds directories from which Python imports modules before its own packages",
    "PYTHONHOME": "replaces Python's standard library",
    "PYTHONUSERBASE": "sets the directory of the user's packages, whose .pth files run at start",
    "PYTHONPYCACHEPREFIX": "sets the directory of compiled modules, which run instead of their sources",
    "OPENSSL_CONF": "replaces OpenSSL's configuration, which may load further code",
    "OPENSSL_MODULES": "sets the directory from which OpenSSL loads providers",
    "OPENSSL_ENGINES": "sets the directory from which OpenSSL loads engines",
    "LD_PRELOAD": "loads a library into every process",
    "LD_LIBRARY_PATH": "adds directories from which libraries, such as OpenSSL, are loaded",
    "DYLD_INSERT_LIBRARIES": "loads a library into every process",
    "SSLKEYLOGFILE": "makes Python write the keys of its TLS connections to a file",
}

_STORE = re.compile(r"[0-9a-f]{16,64}")
_STORE_REMEDY = "run 'certhook status', which builds it again, or delete it"


class Command(NamedTuple):
    """A command that certhook may start.

    :ivar verb: the verb of the command line, or "default trust"
    :ivar command: the program and its arguments; words in upper case are placeholders
    :ivar when: the condition
    """

    verb: str
    command: str
    when: str


#: All commands that certhook may start. Everything else runs in the process itself.
COMMANDS = (
    Command("default trust", "/usr/bin/security", "on macOS, to read trust, if no store is current"),
    Command("check", "curl", "for servers with HTTPS, from an absolute directory in PATH"),
    Command("demo", "PYTHON PROGRAM", "three times, with a program that it writes to a temporary directory"),
    Command("enable, disable", "PYTHON -I -S -B -c QUERY", "to find the version and site-packages of PYTHON"),
    Command("run", "COMMAND", "the command that the user names"),
    Command("trust", "update-ca-certificates, update-ca-trust, security or certutil",
            "after confirmation, from a directory of the system"),
)  # fmt: skip


def interpreter_problems(access: Access) -> Iterator[Problem]:
    """Return the parts of the interpreter, its standard library and its path that another user can modify."""
    directory = os.getcwd() if os.path.isdir(os.curdir) else None
    yield from access.problems(os.path.abspath(sys.executable or os.sep))
    yield from access.problems(os.path.abspath(os.__file__))
    for path in _configurations():
        yield from access.problems(path)
    for module in [*sys.modules.values()]:
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and os.path.isfile(file):
            yield from access.problems(os.path.abspath(file))
    for entry in dict.fromkeys(sys.path):
        path = os.path.abspath(entry)
        # "python -m certhook" adds the working directory.
        if path != directory:
            yield from access.problems(path if os.path.isfile(path) else os.path.join(_existing(path), ""))


def _existing(path: str) -> str:
    """Return *path*, or the closest parent that exists, in which another user must not be able to create it."""
    while not os.path.isdir(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path


def _configurations() -> Iterator[str]:
    """Return the files that locate the standard library."""
    directory = os.path.dirname(os.path.abspath(sys.executable or os.sep))
    for path in (directory, os.path.dirname(directory)):
        if os.path.isfile(os.path.join(path, "pyvenv.cfg")):
            yield os.path.join(path, "pyvenv.cfg")


def variables() -> list[dict[str, str]]:
    """Return the variables that affect trust as JSON entries."""
    found = _variables.describe(os.environ, _config.current())
    for name, effect in FOREIGN_VARIABLES.items():
        if os.environ.get(name):
            is_ignored = name.startswith("PYTHON") and sys.flags.ignore_environment
            text = f"{effect}; ignored in this process" if is_ignored else effect
            found.append({"name": name, "value": shown_value(os.environ[name]), "effect": text})
    return found


def settings_file() -> dict[str, Any]:
    """Return the system-wide settings file as a JSON object, with its owner and mode."""
    found = _settings_file.describe(_config.current())
    return {**found, **describe(found["path"])}


def variable_problems() -> Iterator[Problem]:
    """Return the variables that let others choose the code that runs."""
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep) if os.environ.get("PYTHONPATH") else []
    if any(not os.path.isabs(entry) for entry in entries):
        text = "contains an empty or relative entry, so Python imports modules from the working directory"
        yield Problem("PYTHONPATH", text, "remove the entry, or use its absolute path")


def locations() -> tuple[list[dict[str, Any]], list[str]]:
    """Return the locations that default trust is read from as JSON entries, and the problems in them."""
    trust_set = certhook.trust_set()
    entries = [
        {
            "source": one.source,
            "path": presentable(one.path),
            "root_count": one.count,
            "note": one.note or None,
            **describe(one.path),
        }
        for one in trust_set.locations
    ]
    return entries, [str(problem) for problem in trust_set.problems]


def stores() -> tuple[list[dict[str, Any]], list[Problem]]:
    """Verify the directories of compiled stores without changing them.

    :returns: JSON entries, and the problems
    """
    entries, problems = [], []
    own, reason = store_directory(_config.current().store_dir)
    for directory, is_beside in ((_trust.directory_beside_package(), True), (own, False)):
        if directory is None or (is_beside and not os.path.isdir(directory)):
            continue
        entry, found = _directory(directory, is_beside)
        entries.append(entry)
        problems += found
    if own is None:
        entries.append(
            {
                "directory": None,
                "state": f"none: {reason}",
                "stores": [],
                "default_store": None,
                "owner": None,
                "mode": None,
            }
        )
    return entries, problems


def _directory(directory: str, is_beside: bool) -> tuple[dict[str, Any], list[Problem]]:
    problems: list[Problem] = []
    protection = Protection(os.path.dirname(certhook.__file__) if is_beside else None)
    state, default = "missing: no store has been built", None
    found: list[dict[str, Any]] = []
    if os.path.lexists(directory):
        try:
            resolved = resolve_protected(directory, is_beside)
            state = "protected"
            found, problems = _verify(resolved, protection)
            default = _default(resolved, protection)
        except Unusable as failure:
            state = f"unused: {failure}"
            text = "is not used for compiled stores, because another user could modify it"
            problems.append(Problem(directory, text, str(failure).partition("; ")[2] or "see 'certhook status'"))
    entry = {
        "directory": presentable(directory),
        "state": presentable(state),
        "stores": found,
        "default_store": default,
    }
    return {**entry, **describe(directory)}, problems


def _verify(directory: str, protection: Protection) -> tuple[list[dict[str, Any]], list[Problem]]:
    """Verify the checksums of the stores in *directory*."""
    found, problems = [], []
    for name in sorted(filter(_STORE.fullmatch, os.listdir(directory))):
        path = os.path.join(directory, name)
        try:
            check(path, protection)
            found.append({"path": presentable(path), "verified": True})
        except Unusable as failure:
            found.append({"path": presentable(path), "verified": False})
            text = str(failure).replace(path, "", 1).strip()
            problems.append(Problem(path, text, _STORE_REMEDY))
    return found, problems


def _default(directory: str, protection: Protection) -> dict[str, Any] | None:
    """Return the store for default trust, and whether its inputs have changed since; None if there is no store."""
    settings = index_settings(_config.current(), SERVER_AUTH)
    try:
        data, _ = read_small(index_path(directory, settings), protection)
        index = Index.from_bytes(data)
        if index.settings != settings:
            return None
        leads_to = os.readlink(os.path.join(directory, index.link)) if index.link else index.digest
    except (OSError, ValueError):
        return None
    is_current = leads_to == index.digest and index.snapshot.is_current(True)
    return {"path": presentable(os.path.join(directory, index.digest)), "up_to_date": is_current}
