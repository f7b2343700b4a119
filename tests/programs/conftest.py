"""What the tests of other programs share: where these are, and servers for them."""

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
    """The key and the certificates of the server that each authority vouches for, as a file."""
    folder = tmp_path_factory.mktemp("pairs")
    found = {name: folder / f"{name}.pem" for name in (TRUSTED, STRANGER)}
    for name, path in found.items():
        leaf = getattr(cas, name).issue_cert("localhost", "127.0.0.1")
        path.write_bytes(leaf.private_key_and_cert_chain_pem.bytes())
    return found


@pytest.fixture(scope="session")
def ports(pairs: dict[str, Path]) -> Iterator[dict[str, int]]:
    """The port of the server that each authority vouches for."""
    with contextlib.ExitStack() as running:
        found = {}
        for name, pair in pairs.items():
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pair)
            server = running.enter_context(Server(context))
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
            running.callback(server.shutdown)
            found[name] = server.server_address[1]
        yield found


@pytest.fixture(scope="session")
def bare(once, pip_install) -> Path:
    """The interpreter of an environment with what Python's index has of these programs, and without certhook."""
    with once("bare") as (folder, is_first):
        python = support.interpreter_of(folder / "venv")
        if is_first:
            support.make_environment(folder / "venv")
            pip_install(python, "--requirement", Path(__file__).with_name("requirements.txt"))
            support.byte_compile(python)
    return python


@pytest.fixture(scope="session")
def find(bare: Path) -> Callable[[str], str]:
    """Where a program is, without which CI must not pass."""

    def find(program: str) -> str:
        path = shutil.which(program, path=os.pathsep.join([str(bare.parent), os.environ["PATH"]]))
        if path is None and os.environ.get("CI"):
            pytest.fail(f"{program} is not installed")
        if path is None:
            pytest.skip(f"{program} is not installed")
        return path

    return find


@pytest.fixture(scope="session")
def certhook(cas: support.Authorities, tmp_path_factory) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run ``python -m certhook`` in a folder, on a system that lists one authority."""
    system = tmp_path_factory.mktemp("system") / "roots.pem"
    system.write_bytes(cas.pem(TRUSTED))
    places = {"SSL_CERT_FILE": str(system), "CERTHOOK_SOURCES": "system"}

    def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "certhook", *arguments]
        env = support.clean_env(**places)
        done = subprocess.run(command, env=env, cwd=str(folder), capture_output=True, encoding="utf-8", timeout=60)
        assert done.returncode == 0, done.stderr
        return done

    return run
