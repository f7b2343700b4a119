"""Interpreters for the tests of ``enable``: those to run it with, and those to change."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import support
from enabling import PTH, small_wheel

from certhook.cli import main
from certhook.cli.enable import plans


@pytest.fixture(scope="session")
def make_source(installed: Path, pip_install, tmp_path_factory):
    """Create an environment with certhook, ``installer``, and a certifi with the given bundle."""
    template = support.make_environment(tmp_path_factory.mktemp("template"))
    shutil.copytree(support.purelib(installed), support.purelib(template), dirs_exist_ok=True)
    pip_install(template, "installer")

    def make(bundle: bytes) -> Path:
        python = support.make_environment(tmp_path_factory.mktemp("source"))
        shutil.copytree(support.purelib(template), support.purelib(python), dirs_exist_ok=True)
        support.replace_recorded(support.purelib(python), "certifi/cacert.pem", bundle)
        return python

    return make


@pytest.fixture(scope="session")
def source(make_source, cas) -> Path:
    """An interpreter to run ``enable``; its certifi contains the authorities *bundled* and *both*."""
    return make_source(cas.pem("bundled", "both"))


@pytest.fixture
def certhook(source: Path, tmp_path: Path):
    """Run ``python -m certhook`` with these arguments."""

    def run(*arguments: object, python: Path = source, **kwargs: object) -> subprocess.CompletedProcess[str]:
        return support.run_command(python, "-m", "certhook", *arguments, cwd=tmp_path, **kwargs)

    return run


@pytest.fixture
def run_here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run ``python -m certhook`` in this process; ``enable`` installs the distributions of :func:`small_wheel`."""
    monkeypatch.setattr(plans, "read_wheel", lambda name: small_wheel(name, "1.0"))

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as error:  # argparse
            status = error.code
        output, errors = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, status, output, errors)

    return run


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """The interpreter of an environment without pip."""
    return support.make_environment(tmp_path / "target")


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """The interpreter of an application: in a directory of its own, without pip, and not an environment."""
    code = "import json, sys, sysconfig; print(json.dumps([sys.executable, sysconfig.get_path('stdlib')]))"
    base, library = json.loads(support.run(getattr(sys, "_base_executable", sys.executable), code).stdout)
    home = tmp_path / "private"
    (home / "bin").mkdir(parents=True)
    own = home / "lib" / Path(library).name
    (own / "site-packages").mkdir(parents=True)
    for path in Path(library).iterdir():
        if path.name not in ("site-packages", "dist-packages", "EXTERNALLY-MANAGED", "__pycache__"):
            (own / path.name).symlink_to(path)
    python = home / "bin" / "python3"
    shutil.copy(base, python)
    if Path(support.run(python, "import sys; print(sys.prefix)").stdout.strip()) != home:
        pytest.skip("this Python does not run from another directory")
    return python


@pytest.fixture
def embeddable(tmp_path: Path) -> Path:
    """A directory with the files of the embeddable Python for Windows that ``enable`` reads."""
    directory = tmp_path / "embeddable"
    directory.mkdir()
    (directory / "python311._pth").write_bytes(PTH)
    for name in ("python.exe", "pythonw.exe", "python3.dll", "python311.dll", "python311.zip"):
        (directory / name).touch()
    return directory


@pytest.fixture
def trusted_by(tmp_path, cas, servers):
    """Return the authorities that a default context of the given interpreter trusts."""
    (tmp_path / "system.pem").write_bytes(cas.pem("system", "both"))
    (tmp_path / "hashed").mkdir()
    (tmp_path / "hashed" / support.hashed_name(cas.der("system"))).write_bytes(cas.pem("system"))
    env = support.clean_env(
        SSL_CERT_FILE=str(tmp_path / "system.pem"),
        SSL_CERT_DIR=str(tmp_path / "hashed"),
        CERTHOOK_SOURCES="system,bundled",
        SERVERS=support.server_list(servers),
    )
    return lambda python: support.verdicts(support.run(python, support.VERDICTS, env=env).stdout)
