"""What a host with Python in it says of its surroundings, and what that means for certhook, in every Python.

Python 3.14 and 3.15 are Debian's; see test_builds.py.
"""

from __future__ import annotations

import shutil
import subprocess

import pytest
import support
from environment import LINES, Host

VERSIONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13")


@pytest.fixture(scope="session", params=VERSIONS)
def host(request, once, tool, pip_install, replace_bundle) -> Host:
    base = shutil.which(f"python{request.param}")
    if base is None or subprocess.run([base, "-c", ""], env=support.clean_env(), capture_output=True).returncode:
        pytest.skip(f"there is no Python {request.param} on the path")
    # The first on the path may be an environment's, in which no user's packages are.
    base = support.run(base, "import sys; print(sys._base_executable)", "-I", "-S").stdout.strip()
    with once(f"environment-{request.param}") as (folder, is_first):
        made = Host(folder, base)
        if is_first:
            made.make(request.getfixturevalue("wheel"), pip_install, replace_bundle, tool)
        return made


@pytest.mark.parametrize("line", LINES, ids=str)
def test_a_line_of_the_table(host, trusted, line) -> None:
    host.check(line, trusted)
