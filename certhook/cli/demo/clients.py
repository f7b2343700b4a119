"""The clients of the demonstration: processes without certhook and with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import NamedTuple

import certhook
from certhook._config import VARIABLES
from certhook._text import presentable
from certhook.cli._terminal import CommandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Mapping

ADDRESS = "127.0.0.1"
#: The seconds that a connection, and a process, may take.
TIME_LIMIT = 10
_PROCESS_LIMIT = 60

#: The kinds of clients, by their keys.
CLIENTS = {"default": "Python's defaults", "certifi": "certifi's file"}

VERIFIED, REJECTED, FAILED = "verified", "rejected", "failed"

# These variables must not affect the demonstration: they select roots, code and options of Python, or a file for the
# keys of connections. PYTHONHOME and PYTHONUSERBASE locate Python's own files.
_KEPT = ("PYTHONHOME", "PYTHONUSERBASE")
_REMOVED = (*VARIABLES, "SSLKEYLOGFILE")

#: The program of a client. Its argument is its task, as JSON; it prints the results.
PROGRAM = '''\
"""The clients of "certhook demo"."""

import json
import socket
import ssl
import sys

task = json.loads(sys.argv[1])


def is_hooked():
    return hasattr(ssl.create_default_context, "__certhook__")


starts = is_hooked()
if task["package"] and not starts:
    sys.path.insert(0, task["package"])
    import certhook

    certhook.start("certhook demo")
    sys.path.remove(task["package"])
if task["certifi"]:
    sys.modules.pop("certifi", None)
    sys.path.insert(0, task["certifi"])


def connect(context, port, expected):
    try:
        with socket.create_connection((task["address"], port), task["limit"]) as connection:
            with context.wrap_socket(connection, server_hostname="localhost") as secured:
                answer = secured.recv(100).decode()
    except ssl.SSLCertVerificationError as error:
        return ["rejected", error.verify_code, error.verify_message]
    except Exception as error:
        return ["failed", 0, repr(error)]
    return ["verified", 0, ""] if answer == expected else ["failed", 0, "another server answered"]


def connect_all():
    import certifi

    contexts = {
        "default": ssl.create_default_context(),
        "certifi": ssl.create_default_context(cafile=certifi.where()),
    }
    return {
        source: {client: connect(context, port, source) for client, context in contexts.items()}
        for source, port in task["ports"].items()
    }


def count_roots():
    """Count the roots that this Python trusts: those that it loads, and those in the directory that it searches."""
    import os
    import re

    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    directories = os.environ.get(paths.openssl_capath_env, paths.openssl_capath or "")
    for directory in directories.split(os.pathsep):
        for name in os.listdir(directory) if os.path.isdir(directory) else ():
            if re.match(r"[0-9a-f]{8}\\.[0-9]+$", name):
                try:
                    context.load_verify_locations(os.path.join(directory, name))
                except (OSError, ssl.SSLError):
                    pass
    counts = {"default": context.cert_store_stats()["x509_ca"], "certifi": None}
    try:
        import certifi

        context = ssl.create_default_context(cafile=certifi.where())
        counts["certifi"] = context.cert_store_stats()["x509_ca"]
    except Exception:
        pass
    return counts


results = connect_all() if task["ports"] else count_roots()
json.dump({"hooked": is_hooked(), "starts": starts, "results": results}, sys.stdout)
'''


class Verdict(NamedTuple):
    """The result of one connection.

    :ivar verdict: VERIFIED, REJECTED or FAILED
    :ivar code: OpenSSL's verify code of a rejected certificate, 0 for others
    :ivar message: the reason; empty for a verified server
    """

    verdict: str
    code: int
    message: str


class Client:
    """A process of the demonstration.

    :param program: the path of :data:`PROGRAM`
    :param directory: its working directory
    :param variables: the variables that it gets, besides those of this process that affect neither trust nor Python
    :param task: the values for the program
    """

    def __init__(self, program: str, directory: str, variables: Mapping[str, str], **task: Any) -> None:
        if not sys.executable:
            raise CommandError("demo: the path of this Python is unknown, so that it cannot be started again")
        command = [sys.executable, *_flags(), program, json.dumps({"address": ADDRESS, "limit": TIME_LIMIT, **task})]
        try:
            self._process = subprocess.Popen(
                command,
                cwd=directory,
                env={**_environment(os.environ), **variables},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            raise CommandError(f"demo: {sys.executable} cannot be started: {error.strerror}") from None

    def finish(self) -> dict[str, Any]:
        """Wait for the process.

        :returns: ``hooked``: whether certhook was active; ``starts``: whether it was active without being enabled by
            the program; ``results``; ``messages``: the lines on standard error
        :raises CommandError: if it failed
        """
        with self._process as process:
            try:
                output, messages = process.communicate(timeout=_PROCESS_LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                raise CommandError(f"demo: a process of the demonstration took over {_PROCESS_LIMIT} s") from None
            except BaseException:
                process.kill()
                raise
        lines = [presentable(line) for line in messages.splitlines() if line.strip()]
        try:
            found: dict[str, Any] = json.loads(output)
        except ValueError:
            reason = lines[-1] if lines else f"exit status {process.returncode}"
            raise CommandError(f"demo: a process of the demonstration failed: {reason}") from None
        return {**found, "messages": lines}

    def stop(self) -> None:
        """End the process if it is running."""
        with self._process as process:
            process.kill()


def package_parent() -> str:
    """Return the directory or archive from which certhook was imported."""
    file = certhook.__file__
    if file is None:
        raise CommandError("demo: the package certhook is not in a directory; install it with pip")
    return os.path.dirname(os.path.dirname(os.path.abspath(file)))


def _flags() -> list[str]:
    """Return the options of this Python that determine which directories and variables it uses."""
    flags = sys.flags
    options = {
        "-I": flags.isolated,
        "-E": flags.ignore_environment,
        "-s": flags.no_user_site,
        "-S": flags.no_site,
        "-B": sys.dont_write_bytecode,
    }
    return [option for option, is_set in options.items() if is_set]


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return *environ* without variables that select roots, configure certhook, or change Python."""
    return {
        name: value
        for name, value in environ.items()
        if name.upper() not in _REMOVED
        and not name.upper().startswith("CERTHOOK_")
        and (not name.upper().startswith("PYTHON") or name in _KEPT)
    }


def stock_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of OpenSSL in *environ*, with absolute paths, and one that disables certhook."""
    found = {"CERTHOOK_DISABLED": "1"}
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        if environ.get(name):
            entries = environ[name].split(os.pathsep) if name == "SSL_CERT_DIR" else [environ[name]]
            found[name] = os.pathsep.join(map(os.path.abspath, entries))
    return found
