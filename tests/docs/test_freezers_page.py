"""The page about freezers: its archives run here, and ``tests/embedded`` runs its commands with the freezers."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys

import pages
import pytest
import support

PAGE = "how-to/freezers"
COMMANDS = [command.command for block in pages.blocks(PAGE, "console") for command in pages.commands(block)]
EMBEDDED = support.ROOT / "tests" / "embedded"


def command(start: str) -> str:
    """Return the only command of the page with this beginning, on one line."""
    (found,) = [line for line in COMMANDS if line.startswith(start)]
    return re.sub(r"\\\n\s*", "", found)


@pytest.fixture
def shell(installed, cas, servers, tmp_path):
    """Run a line of the page with the interpreter of an environment with certhook, in a directory."""
    (tmp_path / "company-ca.pem").write_bytes(cas.pem("system"))
    (tmp_path / "bin").mkdir()
    pip = f'#!/bin/sh\nexec {sys.executable} -m pip --python {installed} "$@"\n'
    (tmp_path / "bin" / "pip").write_text(pip)
    (tmp_path / "bin" / "pip").chmod(0o755)

    def run(line: str, prefix: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        env = {**support.clean_env(SERVERS=support.server_list(servers), HOME=str(tmp_path)), **variables}
        env["PATH"] = f"{tmp_path}/bin:{installed.parent}:{env['PATH']}"
        return subprocess.run(
            ["sh", "-c", f"{prefix}\n{line}"], env=env, cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=120
        )

    return run


def trusted(done: subprocess.CompletedProcess[str]) -> set[str]:
    assert (done.returncode, done.stderr) == (0, "")
    return {name for name, is_trusted in support.verdicts(done.stdout).items() if is_trusted}


def test_the_lines_for_a_zipapp(shell, installed, tmp_path) -> None:
    (tmp_path / "main.py").write_text(support.VERDICTS)
    first = COMMANDS.index("pip install --target app certhook")
    *build, run = COMMANDS[first : first + 5]
    # The first line is that of pip, which certhook's wheel and certifi are copied from here.
    shutil.copytree(support.purelib(installed), tmp_path / "app", ignore=shutil.ignore_patterns("*.pth", "__pycache__"))
    for line in build[1:]:
        assert shell(line).returncode == 0, line
    extra = {"CERTHOOK_EXTRA_CA_CERTS": str(tmp_path / "company-ca.pem")}
    assert trusted(shell(f"{run.replace('python', f'{sys.executable} -I')}", **extra)) == {"system"}
    assert trusted(shell(run.replace("python", f"{sys.executable} -I"), **extra, CERTHOOK_DISABLED="1")) == set()


@pytest.mark.parametrize("form", ["app.py", "-m app"])
def test_the_lines_for_a_python_without_site(shell, tmp_path, form) -> None:
    (tmp_path / "app.py").write_text(support.VERDICTS)
    export = command("export PYTHONPATH=")
    run = command(f"python -S -m certhook.run {form}")
    extra = {"CERTHOOK_EXTRA_CA_CERTS": str(tmp_path / "company-ca.pem")}
    assert trusted(shell(run, export, **extra)) == {"system"}
    assert trusted(shell("python -S app.py", export, **extra)) == set()


def test_a_program_that_imports_certhook_auto(shell, tmp_path) -> None:
    (block,) = pages.blocks(PAGE, "python")
    (tmp_path / "app.py").write_text(f"{block.text}\n{support.VERDICTS}")
    extra = {"CERTHOOK_EXTRA_CA_CERTS": str(tmp_path / "company-ca.pem")}
    assert trusted(shell("python -S app.py", command("export PYTHONPATH="), **extra)) == {"system"}


@pytest.mark.parametrize("tool", ["nuitka", "cx_freeze", "pyoxidizer"])
def test_the_commands_name_a_file_that_exists(shell, tool) -> None:
    (substitution,) = {match[0] for line in COMMANDS for match in re.finditer(rf"\$\([^)]*freezer {tool}\)", line)}
    done = shell(f'test -s "{substitution}" && sed -n 1,12p "{substitution}"')
    assert done.returncode == 0
    assert "certhook" in done.stdout


def test_the_commands_of_nuitka_and_cx_freeze_are_those_of_the_tests() -> None:
    tests = (EMBEDDED / "test_frozen.py").read_text(encoding="utf-8")
    for line in (command("python -m nuitka"), command("cxfreeze build")):
        for option in shlex.split(line):
            if option.startswith("--") and not option.startswith(("--script", "--init-script", "--user-package")):
                assert f'"{option}"' in tests, option
    assert "--user-package-configuration-file={configuration}" in tests
    assert "--init-script={script}" in tests
    assert '"--onefile"' in tests
    assert "--exclude-module=certhook" in tests
    archives = (EMBEDDED / "test_interpreters.py").read_text(encoding="utf-8")
    assert all(f"def _{tool}(" in archives for tool in ("zipapp", "shiv", "pex"))


def test_the_table_agrees_with_the_tests_of_the_interpreters() -> None:
    page = (pages.DOCS / f"{PAGE}.rst").read_text(encoding="utf-8")
    rows = re.findall(
        r"pytest\.mark\.row\(\s*f?\"(PyInstaller|Nuitka|cx_Freeze)[^\"]*\", \"(.+?)\"",
        (EMBEDDED / "test_frozen.py").read_text(),
    )
    assert {tool for tool, _ in rows} == {"PyInstaller", "Nuitka", "cx_Freeze"}
    for tool, method in rows:
        assert re.search(rf"^{tool} +{re.escape(method)}", page, re.MULTILINE), (tool, method)
