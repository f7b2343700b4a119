"""The first page of the manual: its commands, in a copy of the clone, with real output."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Iterator

import pages
import pytest
import support

from certhook.cli import build_parser

posix = pytest.mark.skipif(os.name == "nt", reason="the paths are those of POSIX")


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """A copy of the clone, with the environment that its first command creates."""
    directory = tmp_path_factory.mktemp("clone") / "certhook"
    support.copy_sources(support.ROOT, directory)
    return directory


@pytest.fixture(scope="module")
def first_output(clone: Path) -> str:
    """The output of ``python3 tools/try.py`` in the clone."""
    (command,) = [one.command for one in commands() if "tools/" in one.command]
    assert command == "python3 tools/try.py"
    env = {**support.MACHINE_ENVIRON, "PYTHONDONTWRITEBYTECODE": "1"}
    # The variables of the machine are for pip, and the first one would show another state.
    del env["CERTHOOK_DISABLED"]
    done = subprocess.run(
        [sys.executable, "tools/try.py"], cwd=clone, env=env, stdout=subprocess.PIPE, encoding="utf-8", timeout=300
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def commands() -> Iterator[pages.Command]:
    return (one for block in pages.blocks("getting-started", "console") for one in pages.commands(block))


def shown(start: str) -> list[str]:
    """Return the lines that the page shows for the command that starts with *start*, without the dots."""
    (found,) = [one.output for one in commands() if one.command.startswith(start) and one.output]
    assert found.endswith("...\n")
    return found.splitlines()[:-1]


@posix
def test_the_commands_of_the_page_work_in_a_clone(clone, first_output) -> None:
    assert re.findall(r"^\$ .* -m (\S+)", first_output, re.MULTILINE) == ["venv", "pip", "certhook"]
    expected = shown(".venv/bin/certhook demo")
    assert "\n".join(expected) in first_output
    done = support.run_command(".venv/bin/certhook", "demo", cwd=clone)
    assert (done.returncode, done.stdout.splitlines()[: len(expected)]) == (0, expected)
    done = support.run_command(".venv/bin/python", "-m", "certhook", cwd=clone)
    assert (done.returncode, done.stdout.splitlines()[:1]) == (0, shown(".venv/bin/python -m certhook"))


def test_the_second_run_reuses_the_environment(clone, first_output) -> None:
    marker = clone / ".venv" / "marker"
    marker.touch()
    code = "import sys; sys.path.insert(0, 'tools'); from _environment import create; create()"
    assert support.run(sys.executable, code, cwd=clone).stdout == ""
    assert marker.exists()


def test_every_verb_of_the_page_exists() -> None:
    verbs = {name for one in commands() for name in re.findall(r"certhook (\w+)", one.command)}
    assert verbs == {"demo", "check"}
    assert verbs <= set(build_parser()[1].choices)


#: Runs tools/try.py in a Python without modules that create environments.
WITHOUT = """
import runpy, sys
for name in ("ensurepip", "virtualenv"):
    sys.modules[name] = None
sys.path.insert(0, "tools")
sys.argv = ["tools/try.py"]
runpy.run_path("tools/try.py", run_name="__main__")
"""


@posix
@pytest.mark.parametrize(
    ("programs", "message"),
    [
        (["apt-get"], "apt-get update && {sudo}apt-get install --yes python3-venv"),
        ([], "Install uv, or the package of your system that contains Python's module ensurepip."),
    ],
)
def test_a_machine_without_an_installer_is_told_the_remedy(programs, message, tmp_path) -> None:
    support.copy_sources(support.ROOT, tmp_path / "clone")
    (tmp_path / "bin").mkdir()
    for name in programs:
        (tmp_path / "bin" / name).symlink_to("/bin/true")
    env = support.clean_env(PATH=str(tmp_path / "bin"))
    done = support.run(sys.executable, WITHOUT, cwd=tmp_path / "clone", env=env, check=False)
    assert done.returncode == 1
    assert message.format(sudo="" if os.geteuid() == 0 else "sudo ") in done.stderr


@posix
def test_uv_installs_if_there_is_no_other_installer(tmp_path) -> None:
    support.copy_sources(support.ROOT, tmp_path / "clone")
    (tmp_path / "uv").write_text('#!/bin/sh\necho "uv $*"\n[ "$1" = venv ] || exit "${UV_SYSTEM_CERTS:-7}"\n')
    (tmp_path / "uv").chmod(0o755)
    done = support.run(
        sys.executable, WITHOUT, cwd=tmp_path / "clone", env=support.clean_env(PATH=str(tmp_path)), check=False
    )
    shown = [line for line in done.stdout.splitlines() if line.startswith("uv ")]
    assert [line.split(" -")[0] for line in shown] == ["uv venv", "uv pip install", "uv pip install"]
    assert "SSL_CERT_FILE=/path/to/root.pem" in done.stderr
    assert done.returncode == 1


def test_an_old_python_can_parse_the_scripts() -> None:
    for name in ("_environment", "test", "try"):
        ast.parse((support.ROOT / "tools" / f"{name}.py").read_text(encoding="utf-8"), feature_version=(3, 6))


def test_the_tools_import_no_module_from_the_working_directory(tmp_path) -> None:
    """For example from /tmp, if the path of the script is /tmp/certhook/tools/try.py."""
    (tmp_path / "pip.py").write_text("open('imported', 'w')")
    code = (
        "import sys; sys.path[0] = sys.argv[1]; import _environment as one; one.PYTHON = sys.executable; one.has_pip()"
    )
    done = support.run_command(Path(sys.executable), "-c", code, str(support.ROOT / "tools"), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == ["pip.py"]
