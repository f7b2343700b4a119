"""The guide to Poetry: Poetry itself, its settings and the project's programs."""

from __future__ import annotations

import shutil

import pytest
import recipes
import support

pytestmark = pytest.mark.recipe

FAILED = "All attempts to connect to pypi.org failed"


@pytest.fixture
def run(tools_network, home, tools, tmp_path):
    """Return a function that runs a script in the directory of a new project."""
    project = tmp_path / "project"
    project.mkdir()

    def run(script: str, *path, fails: bool = False, **variables: object) -> str:
        method = tools_network.fail if fails else tools_network.succeed
        options = {"POETRY_NO_INTERACTION": 1, "POETRY_VIRTUALENVS_IN_PROJECT": "true", **variables}
        return method(script, home, *path, tools, cwd=project, timeout=300, **options)

    run("poetry init --name p --python '>=3.10'")
    return run


def test_the_project(run, home):
    add, status = recipes.script("poetry", "poetry add").splitlines()
    setting = recipes.script("poetry", "certificates.PyPI.cert")
    assert FAILED in run(add, fails=True)
    assert "Active in this interpreter" in run(f"{setting}\n{add}\n{status}")
    run("poetry config --unset certificates.PyPI.cert")
    assert FAILED in run("poetry add --no-cache hello", fails=True)


def test_a_private_repository(run, tools_network):
    run(recipes.script("poetry", "poetry config certificates.PyPI.cert"))
    source, setting = recipes.script("poetry", "poetry source add", ROOT=str(tools_network.root_file)).splitlines()
    run(source)
    run("poetry add --no-cache --source intranet hello", fails=True)
    run(f"{setting}\npoetry add --no-cache --source intranet hello")


def test_certhook_in_the_environment_of_poetry(run, tools, tmp_path, pip_install, wheel):
    environment = support.copy_environment(support.interpreter_of(tools.parent), tmp_path / "poetry")
    pip_install(environment.python, wheel)
    poetry = f"{environment.python} -m poetry"
    run(recipes.script("poetry", "poetry source add").splitlines()[0])
    run(f"{poetry} add --no-cache hello")
    assert FAILED in run(f"{poetry} add --no-cache requests", fails=True, CERTHOOK_DISABLED=1)
    # A setting for all requests replaces the roots.
    other = tmp_path / "other.pem"
    shutil.copy(support.purelib(environment.python) / "certifi" / "cacert.pem", other)
    assert FAILED in run(f"{poetry} add --no-cache requests", fails=True, REQUESTS_CA_BUNDLE=other)
