"""The effect of a host's PyConfig settings on certhook, with every version of Python on the PATH.

``test_builds.py`` tests Debian's Python 3.14 and 3.15.
"""

from __future__ import annotations

import pytest
import support
from embedded_support import find_python
from pyconfig_host import COMBINATIONS, PyConfigHost

VERSIONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13")


@pytest.fixture(scope="session", params=VERSIONS)
def host(request, once, require_program, pip_install, replace_bundle) -> PyConfigHost:
    python = find_python(request.param)
    if python is None:
        pytest.skip(f"Python {request.param} is not on the PATH")
    # The first Python on the PATH may belong to a virtual environment, which has no user site-packages.
    base = support.run(python, "import sys; print(sys._base_executable)", "-I", "-S").stdout.strip()
    with once(f"pyconfig-{request.param}") as (directory, is_first):
        host = PyConfigHost(directory, base)
        if is_first:
            host.build(request.getfixturevalue("wheel"), pip_install, replace_bundle, require_program)
        return host


@pytest.mark.parametrize("combination", COMBINATIONS, ids=str)
def test_a_combination_of_settings_permits_the_documented_ways_to_enable_certhook(
    host, trusted_by, combination
) -> None:
    host.check(combination, trusted_by)
