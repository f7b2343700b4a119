"""The examples of ``docs/how-to/fleets.rst`` and ``docs/reference/settings-file.rst``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pages
import pytest
import support

from certhook._config import Config
from certhook._sources import limits, settings_file

PAGE = "how-to/fleets"


@pytest.fixture(scope="module")
def environment(installed_unmeasured: Path, tmp_path_factory: pytest.TempPathFactory) -> support.Environment:
    return support.copy_environment(installed_unmeasured, tmp_path_factory.mktemp("fleet") / "environment")


def shell(command: str, environment: support.Environment, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a command of the page, with *directory* instead of /etc, and without pip and systemd."""
    binaries = directory / "bin"
    binaries.mkdir(exist_ok=True)
    for name in ("systemctl", "update-ca-certificates"):
        (binaries / name).write_text("#!/bin/sh\n")
        (binaries / name).chmod(0o755)
    command = command.replace("/etc/", f"{directory}/etc/")
    env = support.clean_env(HOME=str(directory))
    env.pop("CERTHOOK_STORE_DIR", None)
    env["PATH"] = os.pathsep.join([str(binaries), str(environment.python.parent), env["PATH"]])
    return support.run_command("sh", "-c", command, env={**env, "XDG_DATA_HOME": str(directory)}, cwd=directory)


def test_the_commands_succeed_and_install_the_files(environment: support.Environment, tmp_path: Path) -> None:
    for name in ("ca-certificates/update.d", "systemd/system", "pacman.d/hooks"):
        (tmp_path / "etc" / name).mkdir(parents=True)
    (tmp_path / "certhook.conf").write_text(pages.blocks(PAGE, "ini")[0].text)
    commands = [one.command for block in pages.blocks(PAGE, "console") for one in pages.commands(block)]
    assert len(commands) == 20
    for command in commands:
        if " pip " in command:
            continue
        done = shell(command, environment, tmp_path)
        # A test environment may have problems that status and audit report.
        accepted = (0, 1) if "status" in command or "audit" in command else (0,)
        assert done.returncode in accepted, f"{command}\n{done.stdout}{done.stderr}"
    assert not (environment.site_packages / "certhook-store").exists()
    assert (tmp_path / "etc/ca-certificates/update.d/zz-certhook.run").stat().st_mode & 0o777 == 0o755
    assert "[Path]" in (tmp_path / "etc/systemd/system/certhook-compile.path").read_text()
    assert "[Trigger]" in (tmp_path / "etc/pacman.d/hooks/zz-certhook.hook").read_text()
    assert json.loads((tmp_path / "audit.json").read_text())["settings_file"]["path"] == settings_file.location()


def test_the_program_for_a_dashboard_runs(environment: support.Environment, tmp_path: Path) -> None:
    shell("python -m certhook compile; python -m certhook status --json > status.json", environment, tmp_path)
    (block,) = pages.blocks(PAGE, "python")
    done = support.run_command(sys.executable, "-I", "-c", block.text, cwd=tmp_path)
    first, second, third, _ = done.stdout.splitlines()
    assert first.startswith("True ")
    assert second.split()[0] in (limits.ABSENT, limits.USED)
    assert third == "prebuilt"


@pytest.mark.parametrize("page", [PAGE, "reference/settings-file"])
def test_the_settings_files_are_valid(page: str, tmp_path, monkeypatch) -> None:
    (block,) = pages.blocks(page, "ini")
    path = tmp_path / "certhook.conf"
    path.write_text(block.text)
    path.chmod(0o644)
    monkeypatch.setattr(settings_file, "location", lambda: str(path))
    monkeypatch.setattr(settings_file, "_OWNERS", (0, os.getuid()))
    found = settings_file.load()
    assert (found.state, found.problems) == (limits.USED, [])
    config, _ = limits.limited(Config({}), found)
    assert (config.sources, config.extra) == (("system",), ("/etc/company/ca.pem",))


def test_the_reference_lists_every_setting_and_location() -> None:
    text = (pages.DOCS / "reference" / "settings-file.rst").read_text(encoding="utf-8")
    assert [name for name in limits.NAMES if f"* - ``{name}``" not in text] == []
    assert "``/etc/certhook.conf``" in text


def test_the_dockerfile_builds_the_store_last() -> None:
    (block,) = pages.blocks(PAGE, "dockerfile")
    lines = block.text.splitlines()
    assert lines[-1] == "RUN python -m certhook compile"
    assert all(line.startswith(("COPY ", "RUN ")) for line in lines)
