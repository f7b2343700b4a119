"""Branch coverage in the interpreters that tests start.

The environment ``coverage`` of tox runs pytest under ``coverage run`` with ``patch = subprocess``,
which sets ``COVERAGE_PROCESS_CONFIG`` for child processes. Tests start most interpreters with a
clean environment, in virtual environments of their own. Both lose the setting, so
:func:`variables` passes it on and :func:`prepare` makes coverage importable.

Tests whose result coverage would change use the fixture ``installed_unmeasured``: start-up
costs, imported modules, sub-interpreters.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Mapping

#: The variable that the start-up file of coverage reads.
CONFIG = "COVERAGE_PROCESS_CONFIG"
# Before certhook.pth in the alphabet.
_START_FILE = "a1_coverage.pth"
_START = f"import os; os.environ.get({CONFIG!r}) and __import__('coverage').process_startup()\n"


def variables() -> dict[str, str]:
    """The variables that turn coverage on in a child process; empty unless this process is measured."""
    return {CONFIG: os.environ[CONFIG]} if CONFIG in os.environ else {}


def unmeasured(env: Mapping[str, str]) -> dict[str, str]:
    """Return *env* without the variables that turn coverage on."""
    return {name: value for name, value in env.items() if name != CONFIG}


def directory() -> str:
    """Return the directory that measured processes write their data to; empty unless this process is measured."""
    if CONFIG not in os.environ:
        return ""
    import coverage

    current = coverage.Coverage.current()
    assert current is not None, "the variables of coverage are set, but this process is not measured"
    path = os.path.dirname(os.path.abspath(str(current.get_option("run:data_file"))))
    assert os.path.basename(path) == "coverage", f"{path} is not a directory for data only"
    return path


def open_directory() -> None:
    """Make the directory, and let any user write to it: some tests start processes as other users."""
    path = directory()
    if path:
        os.makedirs(path, exist_ok=True)
        os.chmod(path, 0o777)


def prepare(purelib: Path) -> None:
    """Make coverage available in the virtual environment with the site-packages directory *purelib*.

    The package is linked, not installed: nothing else of this environment becomes importable.
    """
    if CONFIG not in os.environ:
        return
    import coverage

    package = Path(coverage.__file__).parent
    (purelib / "coverage").symlink_to(package, target_is_directory=True)
    (purelib / _START_FILE).write_text(_START)
