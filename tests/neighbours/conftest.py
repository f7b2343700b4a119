"""Environments with certhook's wheel and its neighbours, made once and shared by the workers of a run.

An environment holds certifi's package with a bundle of the tests' own in it, so
that a root is in the bundle as certifi's roots are. Where a test compares with
Python without certhook, the same program runs in the same environment with
``CERTHOOK_DISABLED=1``.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import asking
import namespace
import pytest
import support

HERE = Path(__file__).parent

#: The environments, and what is installed in each besides certhook.
ENVIRONMENTS = {
    "neighbours": ("-r", str(HERE / "requirements.txt")),
    # These change whom every program in their environment trusts, or trace it.
    "pip-system-certs": ("pip-system-certs >= 5", "requests"),
    "pip-system-certs 4": ("pip-system-certs < 5", "pip", "requests"),
    "certifi-linux": ("certifi-linux", "requests"),
    "ddtrace": ("ddtrace", "requests"),
    "opentelemetry": ("opentelemetry-distro", "opentelemetry-instrumentation-requests", "requests"),
}


@pytest.fixture(scope="session")
def environment(once, cas, pip_install, request):
    """The interpreter of one of :data:`ENVIRONMENTS`."""

    def make(name: str) -> Path:
        with once(name.replace(" ", "-")) as (folder, is_first):
            python = support.interpreter_of(folder / "venv")
            if is_first:
                support.make_environment(folder / "venv")
                pip_install(python, request.getfixturevalue("wheel"), *ENVIRONMENTS[name])
                packages = support.purelib(python)
                (packages / "certifi" / "cacert.pem").write_bytes(cas.pem("bundled"))
                shutil.copy(HERE / "inside" / "ask.py", packages)
        return python

    return make


@pytest.fixture(scope="session")
def without_pth(once, environment):
    """The interpreter of an environment with the same packages in which no ``.pth`` file is read: for the drop-in."""

    def make(name: str) -> Path:
        packages = support.purelib(environment(name))
        with once(f"{name}-without-pth") as (folder, is_first):
            python = support.interpreter_of(folder / "venv")
            if is_first:
                support.make_environment(folder / "venv")
                (support.purelib(python) / "packages.pth").write_text(f"{packages}\n")
        return python

    return make


@pytest.fixture(scope="session")
def neighbours(environment) -> Path:
    """The interpreter of the environment with everything in requirements.txt."""
    return environment("neighbours")


@pytest.fixture(scope="session")
def places(cas, servers, tmp_path_factory) -> dict[str, str]:
    """Variables that say where the system's store is and whom to ask; the bundle is certifi's in the environment."""
    store = tmp_path_factory.mktemp("store") / "store.pem"
    store.write_bytes(cas.pem("system"))
    return {
        "SSL_CERT_FILE": str(store),
        "CERTHOOK_SOURCES": "system,bundled",
        "SERVERS": asking.server_list(servers),
    }


@pytest.fixture(scope="session")
def run(neighbours, places):
    """Run a program beside the neighbours, with *places*: see :func:`asking.run`."""

    def run(*program: str | Path, python: Path = neighbours, **kwargs: object) -> asking.Answer:
        return asking.run(python, *program, **{**places, **kwargs})

    return run


@pytest.fixture
def machine(root, servers, tmp_path):
    """Run code on a machine whose store is the files given, and nothing else of its own has to do with trust."""

    def run(python: Path, code: str, files: dict[str, bytes], **variables: str) -> asking.Answer:
        openssldir = os.path.dirname(asking.paths(python)[0])
        tree = {path.replace("{OPENSSLDIR}", openssldir): content for path, content in files.items()}
        env = support.clean_env(SERVERS=asking.server_list(servers), **variables)
        done = namespace.run(python, code, tree, env, tmp_path, hidden=(openssldir,))
        return asking.Answer(done)

    return run
