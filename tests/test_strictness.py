"""Warnings are errors: in the interpreters that tests start, and while every module of certhook is imported."""

from __future__ import annotations

import pytest
import support

#: Imports every module of certhook. Some require packages that are not installed.
IMPORT_ALL = """
import certhook, importlib, pkgutil
imported = 0
for module in pkgutil.walk_packages(certhook.__path__, "certhook."):
    if not module.name.endswith("__main__"):
        try:
            importlib.import_module(module.name)
            imported += 1
        except ModuleNotFoundError as error:
            assert not error.name.startswith("certhook"), error
print(imported)
"""


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("import warnings; warnings.warn('old', DeprecationWarning)", id="raised"),
        pytest.param("import os; open(os.devnull)", id="in a finalizer"),
        pytest.param("exec('1 is 1')", id="of the compiler"),
    ],
)
def test_a_warning_in_a_program_fails_its_test(plain, code) -> None:
    with pytest.raises(AssertionError, match="Warning|SyntaxError"):
        support.run(plain, code)


def test_no_module_causes_a_warning(installed) -> None:
    done = support.run(installed, IMPORT_ALL, "-X", "dev", "-bb")
    assert int(done.stdout) > 100
    assert done.stderr == ""
