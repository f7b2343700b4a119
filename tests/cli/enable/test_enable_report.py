"""The changes are shown, confirmed and reported."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys

import pytest
import support
from enabling import ADDED, enable_small, posix, snapshot

KEYS = (
    "verb",
    "target",
    "changed",
    "site_packages",
    "python",
    "nothing_to_do",
    "files",
    "pth_file",
    "pth_lines",
    "kept_files",
    "message",
)


@posix
@pytest.mark.parametrize("options", [(), ("--dry-run",), ("--dry-run", "--yes"), ("--json",)])
@pytest.mark.parametrize("verb", ["enable", "disable"])
def test_without_consent_the_changes_are_shown_and_not_made(verb, options, run_here, target) -> None:
    if verb == "disable":
        run_here("enable", target, "--yes")
    before = snapshot(target.parent.parent)
    done = run_here(verb, target, *options)
    assert done.returncode == 3
    assert "nothing was changed" in done.stdout + done.stderr
    assert snapshot(target.parent.parent) == before
    for name in ("certhook", "certifi", "certhook.pth", ".dist-info"):
        assert name in done.stdout


@posix
def test_changes_that_were_made_are_reported_in_the_past_tense(run_here, target) -> None:
    for verb, words in (("enable", "Added to "), ("disable", "Removed from ")):
        shown = run_here(verb, target, "--yes").stdout
        assert words in " ".join(shown.split()) and "certhook/  (" in shown
        assert "ould" not in shown


@posix
@pytest.mark.parametrize(("answer", "status"), [(b"y\n", 0), (b"\4", 3)])
def test_the_user_is_asked_at_a_terminal(answer, status, source, target) -> None:
    import pty

    main, other = pty.openpty()
    try:
        os.write(main, answer)
        command = [str(source), "-m", "certhook", "enable", str(target)]
        streams = {"stdin": other, "stdout": other, "stderr": other}
        done = subprocess.run(command, env=support.clean_env(), cwd=os.sep, timeout=60, **streams)
        shown = os.read(main, 65536).decode()
    finally:
        os.close(main)
        os.close(other)
    assert done.returncode == status, shown
    assert "Make these changes? [y/N]" in shown
    assert (support.purelib(target) / "certhook.pth").exists() is (status == 0)


@pytest.mark.parametrize(("answer", "status"), [("y", 0), (" YES ", 0), ("n", 3), ("", 3), ("yellow", 3), (None, 3)])
def test_only_yes_is_consent(answer, status, run_here, embeddable, monkeypatch) -> None:
    def reply(prompt: str) -> str:
        if answer is None:
            raise EOFError
        return answer

    monkeypatch.setattr("builtins.input", reply)
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    assert run_here("enable", embeddable).returncode == status
    assert (embeddable / "Lib").exists() is (status == 0)


@pytest.mark.parametrize("as_json", [False, True])
def test_a_failure_of_the_operating_system_is_reported(as_json, run_here, embeddable, monkeypatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", fail)
    done = run_here("enable", embeddable, "--yes", *["--json"][:as_json])
    assert done.returncode == 1
    assert done.stderr == "certhook: 'enable' failed: [Errno 28] No space left on device\n"
    assert not as_json or json.loads(done.stdout)["changed"] is False


def test_a_replaced_version_is_named(run_here, embeddable) -> None:
    enable_small(embeddable, "0.9")
    shown = run_here("enable", embeddable, "--dry-run").stdout
    assert "Would replace certifi 0.9 and certhook 0.9, installed by an earlier 'enable'." in " ".join(shown.split())


def test_the_json_output_has_these_keys(run_here, embeddable) -> None:
    found = json.loads(run_here("enable", embeddable, "--json").stdout)
    assert tuple(found) == KEYS
    assert found["pth_file"] == str(embeddable / "python311._pth")
    assert found["pth_lines"] == ADDED.decode().split("\r\n")[:-1]
    assert (found["python"], found["nothing_to_do"], found["changed"]) == ("3.11", False, False)
    found = json.loads(run_here("enable", embeddable, "--json", "--yes").stdout)
    assert tuple(found) == KEYS
    assert (found["changed"], found["kept_files"]) == (True, [])
    found = json.loads(run_here("enable", embeddable, "--json").stdout)
    assert (found["nothing_to_do"], found["files"], found["pth_lines"], found["changed"]) == (True, [], [], False)


def test_the_output_fits_a_terminal_of_80_columns_except_for_paths(run_here, tmp_path, embeddable) -> None:
    deep = tmp_path / ("a long name " * 6)
    embeddable.rename(deep)
    for verb in ("enable", "disable"):
        lines = run_here(verb, deep, "--yes").stdout.splitlines()
        assert any(str(deep) in line for line in lines)
        assert all(len(line) < 80 for line in lines if str(deep) not in line)


@posix
def test_control_characters_in_file_names_are_escaped(run_here, tmp_path, embeddable) -> None:
    hostile = tmp_path / "\x1b[2Jtarget"
    embeddable.rename(hostile)
    done = run_here("enable", hostile, "--yes")
    assert (done.returncode, "\x1b" in done.stdout + done.stderr) == (0, False)
    (hostile / "\x1b]0;x\x07._pth").touch()
    done = run_here("disable", hostile, "--yes")
    assert (done.returncode, "\x1b" in done.stdout + done.stderr) == (2, False)


@posix
def test_the_remains_of_an_interrupted_run_are_reported(run_here, embeddable) -> None:
    packages = embeddable / "Lib" / "site-packages"
    (packages / ".certhook-enable" / "new").mkdir(parents=True)
    shown = run_here("disable", embeddable, "--dry-run").stdout
    assert "Would remove the directory of an interrupted run" in " ".join(shown.split())
    assert run_here("disable", embeddable, "--yes").returncode == 0
    assert os.listdir(packages) == []
