"""``certhook enable`` for the embeddable Python for Windows, which disables ``site``, and ``certhook run``."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import support
from wine import RERUN_IF_WINESERVER_DIES, Windows

pytestmark = RERUN_IF_WINESERVER_DIES

TRUSTED = "add('ROOT', 'system'); print(json.dumps(trusted()))"


@pytest.fixture(scope="session")
def source(wheel, pip_install, cas, tmp_path_factory) -> Path:
    """The interpreter of an environment with certhook, whose certifi bundle contains the CAs *bundled* and *both*."""
    python = support.make_environment(tmp_path_factory.mktemp("source"))
    pip_install(python, wheel, "installer")
    # 'enable' installs only files that match the RECORD of their distribution.
    support.replace_recorded(support.purelib(python), "certifi/cacert.pem", cas.pem("bundled", "both"))
    return python


@pytest.fixture
def embeddable(windows: Windows, tmp_path: Path) -> Windows:
    """The same machine with the interpreter as distributed, whose ``._pth`` file disables ``site``."""
    directory = tmp_path / "embeddable"
    directory.mkdir()
    for path in windows.python.iterdir():
        if path.suffix != "._pth" and path.name != "Lib":
            (directory / path.name).symlink_to(path)
    (pth,) = windows.python.glob("*._pth")
    text = f"{pth.stem}.zip\n.\n\n# Uncomment to run site.main() automatically\n#import site\n"
    (directory / pth.name).write_bytes(text.replace("\n", "\r\n").encode())
    return windows.with_interpreter(directory)


def test_enable_adds_the_bundle_and_disable_restores_the_original_files(embeddable, source) -> None:
    (pth,) = embeddable.python.glob("*._pth")
    text, names = pth.read_bytes(), sorted(os.listdir(embeddable.python))

    def certhook(verb: str) -> None:
        command = [str(source), "-m", "certhook", verb, str(embeddable.python), "--yes"]
        subprocess.run(command, check=True, env=support.clean_env(), timeout=60)

    assert embeddable.run(TRUSTED) == ["system"]
    certhook("enable")
    assert embeddable.run(TRUSTED) == ["system", "bundled", "both"]
    assert embeddable.status()["enabled_by"].lower().endswith(r"\lib\site-packages\certhook.pth")
    certhook("disable")
    assert (pth.read_bytes(), sorted(os.listdir(embeddable.python))) == (text, names)
    assert embeddable.run(TRUSTED) == ["system"]


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [("import os; print('PYTHONPATH' in os.environ)", 0, "True"), ("raise SystemExit(7)", 7, "")],
)
def test_certhook_run_sets_pythonpath_and_preserves_the_exit_status(windows, code, status, expected) -> None:
    process = windows.start("-m", "certhook", "run", windows.path(windows.python / "python.exe"), "-c", code)
    output, errors = windows.communicate(process)
    assert (process.returncode, output.strip(), errors) == (status, expected, "")


def test_certhook_run_reports_a_command_that_does_not_exist(windows) -> None:
    process = windows.start("-m", "certhook", "run", "no-such-command")
    _, errors = windows.communicate(process)
    assert process.returncode == 127
    assert "'no-such-command' was not found in PATH" in errors
