"""Properties of the command line that do not depend on the verb."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import support

from certhook.cli import _terminal


def test_colours_require_a_terminal_without_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    assert not _terminal.has_colours()
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert _terminal.has_colours()
    monkeypatch.setenv("NO_COLOR", "1")
    assert not _terminal.has_colours()


def test_colours_are_limited_to_the_prefix_of_a_line() -> None:
    lines = ["Cause: a, Cause: b", "another line"]
    marks = {"Cause:": _terminal.BOLD}
    assert _terminal.coloured(lines, marks) == ["\033[1mCause:\033[0m a, Cause: b", "another line"]


@pytest.mark.skipif(os.name == "nt", reason="a closed pipe is another error on Windows")
@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["env"], ["export", "-"], ["freeze-bundle", "-"], ["list"], ["status"]],
    ids=" ".join,
)
@pytest.mark.parametrize("output", ["a closed pipe", "no standard output", "a full disk"])
def test_unusable_standard_output_causes_no_traceback(tmp_path, arguments, output) -> None:
    command = [sys.executable, "-m", "certhook", *arguments]
    env = support.clean_env(CERTHOOK_CACHE_DIR=str(tmp_path / "cache"), CERTHOOK_SOURCES="bundled")
    writer = None
    if output == "a closed pipe":
        reader, writer = os.pipe()
        os.close(reader)
    elif output == "no standard output":
        command = ["sh", "-c", 'exec "$@" >&-', "sh", *command]
    elif os.path.exists("/dev/full"):
        writer = os.open("/dev/full", os.O_WRONLY)
    else:
        pytest.skip("/dev/full does not exist")
    done = subprocess.run(command, env=env, stdout=writer, stderr=subprocess.PIPE, encoding="utf-8", timeout=60)
    if writer is not None:
        os.close(writer)
    if output == "no standard output" and arguments[0] in ("--help", "--version"):
        assert "Traceback" not in done.stderr  # argparse prints to standard error instead.
        return
    full = "certhook: standard output cannot be written: No space left on device\n"
    assert done.stderr == (full if output == "a full disk" else "")


@pytest.mark.parametrize(
    ("module", "expected"),
    [("certhook.cli.diff", "certhook: stopped\n"), ("certhook.cli._terminal", ""), ("json", "")],
)
def test_an_interrupt_during_start_up_causes_no_traceback(module: str, expected: str) -> None:
    code = (
        "import runpy, sys\n"
        f"class Stop:\n def find_spec(name, path, target=None):\n  if name == {module!r}: raise KeyboardInterrupt\n"
        "sys.modules.pop('json', None); sys.meta_path.insert(0, Stop)\n"
        "runpy.run_module('certhook', run_name='__main__')"
    )
    done = support.run(sys.executable, code, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", expected)


def test_the_command_and_the_module_are_equivalent(installed) -> None:
    command = installed.parent / ("certhook.exe" if os.name == "nt" else "certhook")
    for start, name in (([str(command)], b"certhook"), ([str(installed), "-m", "certhook"], b"python -m certhook")):
        done = subprocess.run([*start, "--version"], env=support.clean_env(), capture_output=True, timeout=60)
        assert done.stdout.startswith(b"certhook ")
        done = subprocess.run([*start, "check"], env=support.clean_env(), capture_output=True, timeout=60)
        assert done.stderr.startswith(b"usage: " + name + b" check ")
