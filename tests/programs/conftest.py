"""Fixtures for the tests of other programs: their paths, and HTTPS servers."""

from __future__ import annotations

import contextlib
import os
import shutil
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from typing import Callable, Iterator

import pytest
import support
from pages import STRANGER, TRUSTED, Server


@pytest.fixture(scope="session")
def pairs(cas: support.Authorities, tmp_path_factory) -> dict[str, Path]:
    """A file with the private key and the certificate chain of each CA's server."""
    directory = tmp_path_factory.mktemp("pairs")
    pairs = {name: directory / f"{name}.pem" for name in (TRUSTED, STRANGER)}
    for name, path in pairs.items():
        leaf = getattr(cas, name).issue_cert("localhost", "127.0.0.1")
        path.write_bytes(leaf.private_key_and_cert_chain_pem.bytes())
    return pairs


@pytest.fixture(scope="session")
def ports(pairs: dict[str, Path]) -> Iterator[dict[str, int]]:
    """The port of each CA's server."""
    with contextlib.ExitStack() as stack:
        ports = {}
        for name, pair in pairs.items():
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pair)
            server = stack.enter_context(Server(context))
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
            stack.callback(server.shutdown)
            ports[name] = server.server_address[1]
        yield ports


@pytest.fixture(scope="session")
def programs_python(once, pip_install) -> Path:
    """The interpreter of an environment with the programs that PyPI provides, without certhook."""
    with once("programs") as (directory, is_first):
        python = support.interpreter_of(directory / "venv")
        if is_first:
            support.make_environment(directory / "venv")
            pip_install(python, "--requirement", Path(__file__).with_name("requirements.txt"))
            support.byte_compile(python)
    return python


@pytest.fixture(scope="session")
def require_program(programs_python: Path) -> Callable[[str], str]:
    """Return the path of a program, or skip the test; fail if ``CI`` is set."""

    def find(program: str) -> str:
        path = shutil.which(program, path=os.pathsep.join([str(programs_python.parent), os.environ["PATH"]]))
        if path is None and os.environ.get("CI"):
            pytest.fail(f"{program} is not installed")
        if path is None:
            pytest.skip(f"{program} is not installed")
        return path

    return find


@pytest.fixture(scope="session")
def certhook(cas: support.Authorities, tmp_path_factory) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run ``python -m certhook`` in a directory, on a system whose store contains one CA."""
    system = tmp_path_factory.mktemp("system") / "roots.pem"
    system.write_bytes(cas.pem(TRUSTED))
    variables = {"SSL_CERT_FILE": str(system), "CERTHOOK_SOURCES": "system"}

    def run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        env = support.clean_env(**variables)
        done = support.run_command(sys.executable, "-m", "certhook", *arguments, env=env, cwd=directory)
        assert done.returncode == 0, done.stderr
        return done

    return run
