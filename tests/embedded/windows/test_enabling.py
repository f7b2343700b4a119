"""The embeddable Python for Windows, whose ``._pth`` file keeps ``site`` and pip out; and commands there."""

from __future__ import annotations

import copy
import os
import subprocess
from pathlib import Path

import pytest
import support
from wine import UNDER_WINE, Windows

pytestmark = UNDER_WINE

TRUSTED = "add('ROOT', 'system'); print(json.dumps(trusted()))"


@pytest.fixture(scope="session")
def source(wheel, pip_install, cas, tmp_path_factory) -> Path:
    """The interpreter of an environment with certhook, whose certifi has the authorities *bundled* and *both*."""
    python = support.make_environment(tmp_path_factory.mktemp("source"))
    pip_install(python, wheel)
    (support.purelib(python) / "certifi" / "cacert.pem").write_bytes(cas.pem("bundled", "both"))
    return python


@pytest.fixture
def embeddable(windows: Windows, tmp_path: Path) -> Windows:
    """The same machine with an interpreter as it is shipped."""
    folder = tmp_path / "embeddable"
    folder.mkdir()
    for path in windows.python.iterdir():
        if path.suffix != "._pth" and path.name != "Lib":
            (folder / path.name).symlink_to(path)
    (settings,) = windows.python.glob("*._pth")
    text = f"{settings.stem}.zip\n.\n\n# Uncomment to run site.main() automatically\n#import site\n"
    (folder / settings.name).write_bytes(text.replace("\n", "\r\n").encode())
    machine = copy.copy(windows)
    machine.python = folder
    return machine


def test_enabled_it_trusts_the_bundle_too_and_disabled_it_is_what_it_was(embeddable, source) -> None:
    (settings,) = embeddable.python.glob("*._pth")
    text, names = settings.read_bytes(), sorted(os.listdir(embeddable.python))

    def certhook(verb: str) -> None:
        command = [str(source), "-m", "certhook", verb, str(embeddable.python), "--yes"]
        subprocess.run(command, check=True, env=support.clean_env(), timeout=60)

    assert embeddable.run(TRUSTED) == ["system"]
    certhook("enable")
    assert embeddable.run(TRUSTED) == ["system", "bundled", "both"]
    assert embeddable.status()["enabled_by"].lower().endswith(r"\lib\site-packages\certhook.pth")
    certhook("disable")
    assert (settings.read_bytes(), sorted(os.listdir(embeddable.python))) == (text, names)
    assert embeddable.run(TRUSTED) == ["system"]


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [("import os; print('PYTHONPATH' in os.environ)", 0, "True"), ("raise SystemExit(7)", 7, "")],
)
def test_a_command_has_the_folder_on_its_path_and_its_exit_status(windows, code, status, said) -> None:
    process = windows.start("-m", "certhook", "run", windows.path(windows.python / "python.exe"), "-c", code)
    try:
        output, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    assert (process.returncode, output.strip(), errors) == (status, said, "")


def test_a_command_that_is_not_there_is_told(windows) -> None:
    process = windows.start("-m", "certhook", "run", "no-such-command")
    try:
        _, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 127
    assert "'no-such-command' was not found in any folder of PATH" in errors
