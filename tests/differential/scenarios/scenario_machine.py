"""Running scenarios: servers, and processes without and with certhook in mount namespaces."""

from __future__ import annotations

import hashlib
import itertools
import json
import ssl
from contextlib import ExitStack
from pathlib import Path
from typing import Dict, Iterable, NamedTuple, Tuple

import namespace
import peers
import pki
import support
from linux_machine import LinuxMachine
from scenario_table import (
    BUNDLED,
    LAYOUTS,
    ROOTS,
    Client,
    Layout,
    Scenario,
    Setting,
    excluded_roots,
    listed_roots,
    look_up,
    passes_files,
    value_of,
)

VERIFIED = "verified"
#: The forms of chains that no client may accept.
INVALID = ("without its intermediate", "expired", "another name")
#: The number of further roots in the file of a caller.
FURTHER_ROOTS = 20
#: The number of processes in one namespace, so that the time limit of a namespace applies to few of them.
BATCH = 8

#: Code that runs after the code of a client and prints the result for each server: "verified", the message of
#: OpenSSL's verify code, or the type of another exception.
_HARNESS = """
import json
def message(error):
    if hasattr(error, "verify_message"):  # aiohttp's subclass lacks it.
        return error.verify_message
    import re, traceback
    text = " ".join(traceback.format_exc().split())
    found = re.search(r"certificate verify failed: (.+?) \\(_ssl", text)
    return found[1] if found else type(error).__name__
def result(port):
    try:
        reply = fetch(port)
        if hasattr(reply, "__await__"):
            import asyncio
            reply = asyncio.run(reply)
    except Exception as error:
        return message(error)
    assert reply in ("hello", b"hello"), reply
    return "verified"
print("RESULTS", json.dumps({name: result(port) for name, port in PORTS.items()}))
"""
#: Code that runs the processes of a batch. A process must not end the others.
_DRIVER = """
import json, os, subprocess
with open({path!r}) as file:
    jobs = json.load(file)
for python, code, variables in jobs:
    done = subprocess.run([python, "-c", code], env={{**os.environ, **variables}}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=50)
    print(json.dumps([done.returncode, done.stdout.decode(), done.stderr.decode()]))
"""
#: For each server its result.
Results = Dict[str, str]
#: An interpreter, code and environment variables.
Job = Tuple[str, str, Dict[str, str]]


class Server(NamedTuple):
    """A server with a certificate that *root* issued.

    :ivar form: empty for a chain of one valid certificate
    """

    root: str
    form: str
    port: int


class Authorities:
    """The roots of the scenarios, with the methods that :class:`linux_machine.LinuxMachine` requires."""

    names = ROOTS

    def __init__(self) -> None:
        self.issued = {name: pki.issue(name, ca=True, organization=f"certhook tests {name}") for name in self.names}
        further = (pki.issue(f"further root {number}", ca=True) for number in range(FURTHER_ROOTS))
        self.further = b"".join(root.pem for root in further)

    def pem(self, *names: str) -> bytes:
        return b"".join(self.issued[name].pem for name in names)

    def der(self, name: str) -> bytes:
        return self.issued[name].der


def _chains(name: str, root: pki.Issued) -> dict[str, tuple[pki.Issued, ...]]:
    """Return the certificates that the servers of a root send, for each form of chain."""
    leaf = pki.issue("localhost", root)
    chains = {"": (leaf,)}
    if name in ("system", "bundled"):
        intermediate = pki.issue(f"intermediate of {name}", root, ca=True)
        below = pki.issue("localhost", intermediate)
        chains.update(
            {
                "with an intermediate": (below, intermediate),
                "with the root": (leaf, root),
                "without its intermediate": (below,),
                "expired": (pki.issue("localhost", root, days=(-30, -1)),),
                "another name": (pki.issue("elsewhere", root, hosts=("elsewhere.example",)),),
            }
        )
    return chains


class ScenarioMachine:
    """A machine on which the scenarios run.

    :param hooked: an interpreter with certhook, certifi, pip and the libraries of the clients
    :param stock: the same without certhook
    :param directory: an empty directory
    """

    def __init__(self, hooked: Path, stock: Path, directory: Path, stack: ExitStack) -> None:
        self.hooked = hooked
        self.stock = stock
        self.directory = directory
        self.authorities = Authorities()
        self.servers = {
            " ".join(filter(None, (name, form))): Server(name, form, self._serve(sent, stack))
            for name in ROOTS
            for form, sent in _chains(name, self.authorities.issued[name]).items()
        }
        (directory / "machine").mkdir()
        self.linux = LinuxMachine(self.authorities, None, hooked, stock, directory / "machine")
        self.site_packages = support.purelib(hooked)
        self._write_files()
        self._number = 0

    def _serve(self, sent: tuple[pki.Issued, ...], stack: ExitStack) -> int:
        file = self.directory / "server.pem"
        file.write_bytes(sent[0].secret + b"".join(one.pem for one in sent))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return stack.enter_context(peers.Peer(peers.PROTOCOLS["https"], context)).server_address[1]

    def _write_files(self) -> None:
        """Write the files and directories that the values of variables name."""
        self.files = self.directory / "files"
        self.files.mkdir()
        (self.files / "empty").mkdir()
        for path, roots, further in (("company", "system", self.authorities.further), ("unrelated", "stranger", b"")):
            (self.files / f"{path}.pem").write_bytes(further + self.authorities.pem(roots))
            hashed = self.files / path / f"{self.linux.hashes[roots]}.0"
            hashed.parent.mkdir()
            hashed.write_bytes(self.authorities.pem(roots))

    # Files of the interpreter.

    def _replaced_files(self, layout: Layout) -> dict[str, bytes | None]:
        """Return the replaced files of the interpreter's packages."""
        replaced: dict[str, bytes | None] = {**self._removed_roots()}
        content = self.authorities.pem(*BUNDLED.split())
        for package, name in ("certifi", "certifi/cacert.pem"), ("pip", "pip/_vendor/certifi/cacert.pem"):
            (record,) = self.site_packages.glob(f"{package}-*.dist-info/RECORD")
            row = f"{name},{support.record_hash(content)},{len(content)}"
            lines = [row if line.startswith(f"{name},") else line for line in record.read_text().splitlines()]
            assert row in lines
            replaced[str(record)] = "\n".join([*lines, ""]).encode()
            replaced[str(self.site_packages / name)] = content
        if layout.private_bundle:
            replaced[str(self.site_packages / "certifi" / "cacert.pem")] = self.authorities.pem("private")
        return replaced

    def _removed_roots(self) -> dict[str, bytes]:
        """Return certhook's list of removed roots with the root "removed"."""
        path = self.site_packages / "certhook" / "_sources" / "removed_roots.py"
        if not path.exists():
            return {}
        digest = hashlib.sha256(self.authorities.der("removed")).hexdigest()
        start = b"REMOVED_ROOTS = {\n"
        assert start in path.read_bytes()
        return {str(path): path.read_bytes().replace(start, start + f'    "{digest}": ("1", "removed"),\n'.encode())}

    # Processes.

    def _code(self, layout: Layout, setting: Setting, client: Client) -> str:
        # Variables do not affect the forms of chains, so these are tested without variables.
        only_short = client.is_slow or setting
        ports = {name: server.port for name, server in self.servers.items() if not (only_short and server.form)}
        first = f"import sys\nsys.platform = {layout.store.platform!r}\nFILES = {str(self.files)!r}\n"
        return f"{first}PORTS = {ports!r}\n{client.code}{_HARNESS}"

    def _variables(self, setting: Setting) -> dict[str, str]:
        paths = {"directory": str(self.files), "certifi": str(self.site_packages / "certifi" / "cacert.pem")}
        return {name: value_of(name, kind).format(**paths) for name, kind in setting.items()}

    def _run(self, layout: Layout, jobs: list[Job]) -> list[Results]:
        """Run processes on a machine and return their results."""
        self._number += 1
        directory = self.directory / str(self._number)
        directory.mkdir()
        jobs_file = directory / "jobs.json"
        jobs_file.write_text(json.dumps(jobs))
        done = namespace.run(
            self.stock,
            _DRIVER.format(path=str(jobs_file)),
            self.linux.tree(layout.tree),
            support.clean_env(PIP_CONFIG_FILE="/dev/null", TMPDIR=str(directory / "scratch"), PYTHONWARNINGS="ignore"),
            directory,
            over=self._replaced_files(layout),
            hidden=(self.linux.openssldir,),
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        lines = done.stdout.splitlines()
        assert len(lines) == len(jobs)
        return [self._parse(job, *json.loads(line)) for job, line in zip(jobs, lines)]

    @staticmethod
    def _parse(job: Job, status: int, output: str, errors: str) -> Results:
        assert status == 0, f"exit status {status}\n{job}\n{output}\n{errors}"
        return json.loads(output.rpartition("RESULTS ")[2])

    def _jobs(self, scenario: Scenario) -> tuple[Job, Job]:
        """Return the processes of a scenario without and with certhook."""
        layout, setting, client = look_up(scenario)
        code, variables = self._code(layout, setting, client), self._variables(setting)
        # Settings of certhook do not affect stock Python, so one process is the oracle for several scenarios.
        others = {name: value for name, value in variables.items() if not name.startswith("CERTHOOK_")}
        return (str(self.stock), code, others), (str(self.hooked), code, variables)

    def results(self, scenarios: Iterable[Scenario]) -> dict[Scenario, tuple[Results, Results]]:
        """Run scenarios of one layout, and return for each the results without and with certhook."""
        pairs = {scenario: self._jobs(scenario) for scenario in scenarios}
        (layout,) = {scenario.layout for scenario in pairs}
        jobs: list[Job] = []
        for job in itertools.chain.from_iterable(pairs.values()):
            if job not in jobs:
                jobs.append(job)
        results: list[Results] = []
        for start in range(0, len(jobs), BATCH):
            results += self._run(LAYOUTS[layout], jobs[start : start + BATCH])
        return {
            scenario: (results[jobs.index(stock)], results[jobs.index(hooked)])
            for scenario, (stock, hooked) in pairs.items()
        }

    def violations(self, results: dict[Scenario, tuple[Results, Results]]) -> list[str]:
        """Return the violations of the promises in :meth:`results`."""
        return [line for scenario, pair in results.items() for line in self._violations(scenario, *pair)]

    def _violations(self, scenario: Scenario, stock: Results, hooked: Results) -> list[str]:
        listed, excluded = listed_roots(scenario), excluded_roots(scenario)
        violations = []
        for name, with_certhook in hooked.items():
            server, without = self.servers[name], stock[name]
            is_known = server.root in listed or stock[server.root] == VERIFIED
            problem = ""
            if with_certhook == VERIFIED:
                if server.root in excluded and not passes_files(scenario):
                    problem = "trusts a root that is excluded"
                elif not is_known:
                    problem = "trusts a root that no configured source lists"
                elif server.form in INVALID:
                    problem = "accepts an invalid chain"
            elif without == VERIFIED and server.root not in excluded:
                problem = "refuses a server that stock Python verifies"
            elif without != VERIFIED and without != with_certhook and stock[server.root] == hooked[server.root]:
                problem = "fails with another code"
            if problem:
                results = f"stock Python: {without}; certhook: {with_certhook}"
                violations.append(f"{', '.join(scenario)}\n    {name}: {problem}\n    {results}")
        return violations
