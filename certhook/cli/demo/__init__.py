"""``python -m certhook demo``: real connections without certhook and with it, on loopback."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import ssl
import sys
import threading
from binascii import b2a_base64

import certhook
from certhook import _config, _digest
from certhook._certificates import names, x509
from certhook._directory.temporary import TemporaryDirectory
from certhook._public_bundles import CERTIFI
from certhook._sources import read_trust_set
from certhook._state import is_privileged
from certhook._warnings import command_line
from certhook.cli import _activation, _roots_table, _terminal
from certhook.cli._terminal import CommandError
from certhook.cli.demo import report, servers
from certhook.cli.demo.certificates import KEY, ROOTS, SERVERS
from certhook.cli.demo.clients import PROGRAM, Client, package_parent, stock_variables
from certhook.cli.demo.results import Cell, cells, findings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator

    from certhook._config import Config
    from certhook._directory import Directory

_CERTIFI = """\
import os


def where():
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "cacert.pem")
"""


_URL_SAFE = str.maketrans("+/", "-_")


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    parser = _terminal.add_verb(
        verbs,
        "demo",
        "show what certhook does, with real connections on this machine",
        (
            "Connect to three servers on this machine (127.0.0.1), without certhook and with it. The root certificate "
            "of one is only in the operating system's store, that of another one only in certifi's file, and that of "
            "the third in neither: it must be rejected. Each connection is made with Python's default trust (as by "
            "urllib) and with certifi's file (as by requests). Then show whether certhook is active in this Python, "
            "and how many root certificates are trusted without it and with it.",
        ),
        (
            "The connections are made by processes of this Python, whose variables replace the system's store and "
            "certifi with files of demonstration certificates. These are in a temporary directory, which is removed. "
            "Nothing else is changed, no other process trusts them, and no other machine is contacted.",
            "Exit status: 0 if every connection has the expected result, 1 if one has another result, or the "
            "demonstration is not possible.",
        ),
    )
    _terminal.add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Show the demonstration.

    :returns: 0 if every connection has the expected result, otherwise 1
    :raises CommandError: if the demonstration is not possible
    """
    if is_privileged():
        raise CommandError("demo: OpenSSL ignores variables in a privileged process; use a Python without privileges")
    command = command_line() or "python -m certhook"
    found = _demonstrate(command)
    if _terminal.wants_json(options):
        _terminal.show_json(found)
    else:
        _terminal.show_report(report.render(found, command), report.MARKS)
    return 0 if found["as_expected"] else 1


def _demonstrate(command: str) -> dict[str, Any]:
    """Run the clients, and return the JSON object."""
    with contextlib.ExitStack() as stack:
        signals = stack.enter_context(_Signals())
        try:
            directory = stack.enter_context(TemporaryDirectory())
        except OSError:
            raise CommandError(
                "demo: no directory for temporary files can be used; set TMPDIR to a directory in which you can create "
                "files and other users cannot replace them"
            ) from None
        try:
            paths = _write(directory)
        except OSError as error:
            raise CommandError(f"demo: {directory.path} cannot be written: {error.strerror}") from None
        try:
            ports = stack.enter_context(servers.running(paths))
        except OSError as error:
            raise CommandError(f"demo: this process cannot listen on 127.0.0.1: {error.strerror or error}") from None

        def start(variables: dict[str, str], **task: Any) -> Client:
            with signals.held():
                client = Client(paths["program"], directory.path, variables, **task)
                stack.callback(client.stop)
            return client

        trust = {"SSL_CERT_FILE": paths["store"], "SSL_CERT_DIR": paths["hashed"]}
        task = {"ports": ports, "certifi": paths["packages"]}
        without = start({**trust, "CERTHOOK_DISABLED": "1"}, **task, package=None)
        settings = {"CERTHOOK_SOURCES": "system,bundled", "CERTHOOK_STORE_DIR": "none"}
        hooked = start({**trust, **settings}, **task, package=package_parent())
        stock = start(stock_variables(os.environ), ports=None, certifi=None, package=None)
        first, second, third = [client.finish() for client in (without, hooked, stock)]
    if first["hooked"]:
        raise CommandError("demo: CERTHOOK_DISABLED has no effect in this Python; install certhook again")
    connections = cells(first["results"], second["results"])
    return {
        **_describe_interpreter(third["results"]),
        "as_expected": all(cell.is_expected for cell in connections),
        "connections": [*map(_as_json, connections)],
        "findings": findings(connections, [*first["messages"], *second["messages"]], command),
        "explicitly_enabled": not second["starts"],
    }


class _Signals:
    """Make signals that end this process remove the directory and end the clients first, as Ctrl-C does."""

    def __init__(self) -> None:
        self._is_held = False
        self._received = 0
        self._replaced: list[int] = []

    def __enter__(self) -> _Signals:
        numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
        is_main = threading.current_thread() is threading.main_thread()
        # nohup ignores SIGHUP.
        self._replaced = [number for number in numbers if is_main and signal.getsignal(number) == signal.SIG_DFL]
        for number in self._replaced:
            signal.signal(number, self._end)
        return self

    def __exit__(self, *exception: object) -> None:
        for number in self._replaced:
            signal.signal(number, signal.SIG_DFL)

    def _end(self, number: int, frame: object) -> None:
        self._received = number
        if not self._is_held:
            raise SystemExit(128 + number)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Delay a signal until the end of the block."""
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False
            if self._received:
                raise SystemExit(128 + self._received)


def _write(directory: Directory) -> dict[str, str]:
    """Write the files of the demonstration, and return their paths."""
    files = {
        "program.py": PROGRAM.encode(),
        "store.pem": ROOTS["system"],
        **{f"{source}.pem": pem + KEY for source, pem in SERVERS.items()},
    }
    for name, data in files.items():
        directory.create(name, data, 0o600)
    subject = x509.Certificate(ssl.PEM_cert_to_DER_cert(ROOTS["system"].decode())).subject
    with directory.inner("hashed", create=0o700) as hashed:
        hashed.create(f"{names.subject_hash(subject)}.0", ROOTS["system"], 0o600)
    # With its RECORD, so that certhook does not search for one in the directories above.
    digest = b2a_base64(bytes.fromhex(_digest.hexdigest("sha256", ROOTS["bundled"]))).decode().rstrip("=\n")
    record = f"certifi/cacert.pem,sha256={digest.translate(_URL_SAFE)},{len(ROOTS['bundled'])}\n"
    packages = {
        "certifi": {"__init__.py": _CERTIFI.encode(), "cacert.pem": ROOTS["bundled"]},
        "certifi-1.dist-info": {"RECORD": record.encode()},
    }
    with directory.inner("packages", create=0o700) as site:
        for name, content in packages.items():
            with site.inner(name, create=0o700) as package:
                for file, data in content.items():
                    package.create(file, data, 0o600)
    paths = {"program": "program.py", "store": "store.pem", "hashed": "hashed", "packages": "packages"}
    paths.update({source: f"{source}.pem" for source in SERVERS})
    return {key: os.path.join(directory.path, name) for key, name in paths.items()}


def _as_json(cell: Cell) -> dict[str, Any]:
    return {
        "root_source": cell.source,
        "client": cell.client,
        "with_certhook": cell.is_hooked,
        "verdict": cell.found.verdict,
        "expected": cell.expected,
        "as_expected": cell.is_expected,
        "message": cell.found.message or None,
    }


def _describe_interpreter(stock: dict[str, int | None]) -> dict[str, Any]:
    """Return whether certhook is active in this Python, and the number of roots.

    :param stock: the number of roots without certhook, for each client
    """
    config = _config.current()
    requests = {"default": config, "certifi": config.adopting(CERTIFI)}
    return {
        "certhook": certhook.__version__,
        "python": sys.version.split()[0],
        "executable": sys.executable,
        "active": _activation.is_active(),
        "disabled": _config.is_disabled(),
        "enabled_by": _activation.enabled_by(),
        "trusted_roots": [
            {"client": client, "stock_count": stock[client], **_count(None if stock[client] is None else request)}
            for client, request in requests.items()
        ],
    }


def _count(config: Config | None) -> dict[str, Any]:
    """Return the number of roots that a request with *config* has with certhook, and those of each source."""
    if config is None:
        return {"trusted_count": None, "trusted_count_by_source": {}}
    anchors, _ = _roots_table.accepted_by_openssl(read_trust_set(config))
    return {"trusted_count": len(anchors), "trusted_count_by_source": _roots_table.count_by_source(anchors)}
