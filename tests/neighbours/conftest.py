"""Environments with certhook's wheel and other packages that affect trust, created once per run.

In each environment, certifi's package contains a bundle of the tests. A test that compares with Python
without certhook runs the same program in the same environment with ``CERTHOOK_DISABLED=1``.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import namespace
import pytest
import runner
import support

HERE = Path(__file__).parent

#: The environments, and the arguments for pip to install their other packages.
ENVIRONMENTS = {
    "neighbours": ("-r", str(HERE / "requirements.txt")),
    # These packages change trust in, or trace, every program in their environment.
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
        with once(name.replace(" ", "-")) as (directory, is_first):
            python = support.interpreter_of(directory / "venv")
            if is_first:
                support.make_environment(directory / "venv")
                pip_install(python, request.getfixturevalue("wheel"), *ENVIRONMENTS[name])
                packages = support.purelib(python)
                # A file that differs from RECORD might be a deliberate choice of roots.
                support.replace_recorded(packages, "certifi/cacert.pem", cas.pem("bundled"))
                shutil.copy(HERE / "inside" / "probe.py", packages)
        return python

    return make


@pytest.fixture(scope="session")
def without_pth(once, environment):
    """The interpreter of an environment with the same packages but without their ``.pth`` files, for the drop-in."""

    def make(name: str) -> Path:
        packages = support.purelib(environment(name))
        with once(f"{name}-without-pth") as (directory, is_first):
            python = support.interpreter_of(directory / "venv")
            if is_first:
                support.make_environment(directory / "venv")
                (support.purelib(python) / "packages.pth").write_text(f"{packages}\n")
        return python

    return make


@pytest.fixture(scope="session")
def neighbours(environment) -> Path:
    """The interpreter of the environment with the packages in requirements.txt."""
    return environment("neighbours")


@pytest.fixture(scope="session")
def places(cas, servers, tmp_path_factory) -> dict[str, str]:
    """Variables with the system's store and the servers; the bundle is certifi's in the environment."""
    store = tmp_path_factory.mktemp("store") / "store.pem"
    store.write_bytes(cas.pem("system"))
    return {
        "SSL_CERT_FILE": str(store),
        "CERTHOOK_SOURCES": "system,bundled",
        "SERVERS": runner.server_list(servers),
    }


@pytest.fixture(scope="session")
def run(neighbours, places):
    """Run a program in the environment *neighbours* with *places*: see :func:`runner.run`."""

    def run(*program: str | Path, python: Path = neighbours, **kwargs: object) -> runner.Result:
        return runner.run(python, *program, **{**places, **kwargs})

    return run


@pytest.fixture
def machine(root, servers, tmp_path):
    """Run code on a machine with no trust configuration except the given files."""

    def run(python: Path, code: str, files: dict[str, bytes], **variables: str) -> runner.Result:
        openssldir = os.path.dirname(runner.compiled_in_paths(python)[0])
        tree = {path.replace("{OPENSSLDIR}", openssldir): content for path, content in files.items()}
        env = support.clean_env(SERVERS=runner.server_list(servers), **variables)
        done = namespace.run(python, code, tree, env, tmp_path, hidden=(openssldir,))
        return runner.Result(done)

    return run
