"""Updates from version 0.1.0 to this one, and back, with pip. ``tests/data`` contains the wheel of 0.1.0."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import support

OLD_WHEEL = support.ROOT / "tests" / "data" / "certhook-0.1.0-py3-none-any.whl"
TRUSTED = {"system", "bundled", "both", "extra"}


def names_of_trusted(output: str) -> set[str]:
    return {name for name, is_trusted in support.verdicts(output).items() if is_trusted}


class Machine:
    """An environment with a version of certhook, whose variables name a root for each source."""

    def __init__(self, directory: Path, template: Path, cas: support.Authorities, servers: support.Servers) -> None:
        self.directory = directory
        shutil.copytree(template, directory / "environment", symlinks=True)
        self.python = support.interpreter_of(directory / "environment")
        files = {"system": ("system", "both"), "bundle": ("bundled", "both"), "extra": ("extra",)}
        for name, authorities in files.items():
            (directory / f"{name}.pem").write_bytes(cas.pem(*authorities))
        self.stores = directory / "stores"
        self.variables = {
            "SSL_CERT_FILE": str(directory / "system.pem"),
            "CERTHOOK_SOURCES": "system,bundled",
            "CERTHOOK_BUNDLE": str(directory / "bundle.pem"),
            "CERTHOOK_EXTRA_CA_CERTS": str(directory / "extra.pem"),
            # Both versions read this variable.
            "CERTHOOK_CACHE_DIR": str(self.stores),
            "SERVERS": support.server_list(servers),
        }

    def env(self, **changed: str) -> dict[str, str]:
        return support.clean_env(**{**self.variables, **changed})

    def trusted(self, **changed: str) -> set[str]:
        """Return the authorities that a new process trusts, which must not warn."""
        done = support.run(self.python, support.VERDICTS, env=self.env(**changed))
        assert done.stderr == ""
        return names_of_trusted(done.stdout)

    def certhook(self, *arguments: object, **changed: str) -> subprocess.CompletedProcess[str]:
        return support.run_command(self.python, "-m", "certhook", *arguments, env=self.env(**changed))

    def status(self) -> dict[str, Any]:
        found = json.loads(self.certhook("--json").stdout)
        assert (found["active"], found["problems"]) == (True, [])
        return found

    def install(self, wheel: Path) -> None:
        command = [sys.executable, "-m", "pip", "--python", str(self.python), "install", "--quiet", "--no-deps"]
        subprocess.run([*command, str(wheel)], check=True, env=support.MACHINE_ENVIRON)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, pip_install) -> Path:
    """The directory of an environment with version 0.1.0."""
    directory = tmp_path_factory.mktemp("template") / "environment"
    pip_install(support.make_environment(directory), OLD_WHEEL, "installer")
    return directory


@pytest.fixture
def machine(tmp_path: Path, template: Path, cas, servers) -> Machine:
    return Machine(tmp_path, template, cas, servers)


def entries(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def test_trust_is_the_same_after_an_update_and_after_the_return_to_the_old_version(machine: Machine, wheel) -> None:
    assert machine.trusted() == TRUSTED
    assert machine.certhook("--version").stdout == "certhook 0.1.0\n"
    old = entries(machine.stores)
    assert old
    machine.install(wheel)
    assert machine.trusted() == TRUSTED
    status = machine.status()
    assert Path(status["store"]).name not in old
    machine.install(OLD_WHEEL)
    assert machine.trusted() == TRUSTED
    assert json.loads(machine.certhook("--json").stdout)["store"] is not None
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(machine.python), "uninstall", "--quiet", "--yes", "certhook"],
        check=True,
        env=support.MACHINE_ENVIRON,
    )
    assert not [path for path in support.purelib(machine.python).iterdir() if "certhook" in path.name]


def test_a_store_of_the_old_version_never_determines_trust_after_the_update(machine: Machine, wheel, cas) -> None:
    machine.trusted()
    # The only entries: without a change, the old version would use them.
    old = entries(machine.stores)
    machine.install(wheel)
    (machine.directory / "bundle.pem").write_bytes(cas.pem("both"))
    assert machine.trusted() == TRUSTED - {"bundled"}
    assert machine.trusted() == TRUSTED - {"bundled"}
    assert machine.status()["store"] is not None
    # The files of the old version are unchanged, for its running processes.
    assert old <= entries(machine.stores)


def test_a_store_in_an_image_of_the_old_version_is_not_used(machine: Machine, wheel, cas) -> None:
    assert machine.certhook("compile").returncode == 0
    beside = support.purelib(machine.python) / "certhook-store"
    assert beside.is_dir()
    machine.install(wheel)
    assert machine.trusted() == TRUSTED
    (machine.directory / "bundle.pem").write_bytes(cas.pem("both"))
    assert machine.trusted() == TRUSTED - {"bundled"}
    done = machine.certhook("compile", "--prune", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert Path(json.loads(done.stdout)["store"]).parent == beside
    assert machine.trusted() == TRUSTED - {"bundled"}


def test_a_file_that_the_old_version_exported_is_a_choice_of_roots(machine: Machine, wheel) -> None:
    path = machine.directory / "exported.pem"
    assert machine.certhook("export", path).returncode == 0
    machine.install(wheel)
    names = {"SSL_CERT_FILE": str(path), "CERTHOOK_SOURCES": "system", "CERTHOOK_EXTRA_CA_CERTS": ""}
    assert machine.trusted(**names) == TRUSTED


RUNNING = f"""
import sys
{support.VERDICTS}
print("ready", flush=True)
sys.stdin.readline()
import ssl, asyncio, urllib.request
for make in (lambda: context, ssl.create_default_context, lambda: ssl.create_default_context(cafile=sys.argv[1])):
    found = make()
    found.get_ca_certs()
    print(*(name + ":" + verdict(port, found) for name, port in (s.split(":") for s in os.environ["SERVERS"].split())))
"""


def test_a_program_that_runs_during_the_update_continues_with_the_same_trust(machine: Machine, wheel) -> None:
    command = [str(machine.python), "-W", "error", "-c", RUNNING, str(machine.directory / "system.pem")]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, env=machine.env(), encoding="utf-8", **pipes) as process:
        try:
            assert process.stdout.readline() and process.stdout.readline() == "ready\n"
            machine.install(wheel)
            machine.trusted()
            machine.certhook("compile", "--prune")
            output, errors = process.communicate("\n", timeout=120)
        finally:
            process.kill()
    assert (process.returncode, errors) == (0, "")
    found = list(map(names_of_trusted, output.splitlines()))
    assert found == [TRUSTED, TRUSTED, {"system", "both"}]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """An interpreter without pip."""
    return support.make_environment(tmp_path / "target")


def test_the_deployment_of_the_old_version_is_removed_with_the_command_in_the_message(
    machine: Machine, wheel, target: Path
) -> None:
    packages = support.purelib(target)
    before = entries(packages)
    assert machine.certhook("enable", target, "--yes", "--force").returncode == 0
    deployed = entries(packages)
    assert deployed > before
    machine.install(wheel)
    for verb in ("enable", "disable"):
        done = machine.certhook(verb, target, "--yes")
        command = f"{target} -m certhook disable --yes"
        assert (done.returncode, command in done.stderr) == (1, True), done.stderr
        assert entries(packages) == deployed
    assert support.run_command(*command.split(), env=machine.env()).returncode == 0
    assert {name for name in entries(packages) if name != "__pycache__"} == before
    for verb in ("enable", "disable"):
        done = machine.certhook(verb, target, "--yes", "--force" if verb == "enable" else "--json")
        assert (done.returncode, done.stderr) == (0, "")
    assert entries(packages) == before
