"""The guide to uv: uv itself, projects, tools and scripts."""

from __future__ import annotations

import sys

import pages
import pytest
import recipes
import support
import trustme

REJECTED = "invalid peer certificate: UnknownIssuer"
FETCH = "import requests; print(requests.get('https://intranet.example').text)"


@pytest.fixture
def run(network, home, uv, tmp_path):
    """Return a function that runs a script in the directory of a new project; the keyword *fails* if it must fail."""
    # "uv pip install" installs into the environment that UV_PYTHON names, so the test has one of its own.
    python = support.make_environment(tmp_path / "environment")
    project = tmp_path / "project"
    project.mkdir()
    # The index contains the packages for this version.
    version = f">={sys.version_info[0]}.{sys.version_info[1]}"
    (project / "pyproject.toml").write_text(f'[project]\nname = "p"\nversion = "1"\nrequires-python = "{version}"\n')
    (project / "script.py").write_text(FETCH)

    def run(script: str, fails: bool = False, **variables: object) -> str:
        method = network.fail if fails else network.succeed
        path = (uv, home / ".local" / "bin")
        return method(script, home, *path, cwd=project, UV_PYTHON=python, **variables)

    run.project = project
    return run


def test_a_project(run):
    recipe = recipes.script("uv", "uv add")
    assert REJECTED in run("uv add certhook", fails=True)
    assert "Active in this interpreter" in run(recipe)
    run("uv add --quiet requests; uv run python script.py", UV_SYSTEM_CERTS=1)
    # certhook is what makes the program work, since uv has no influence on it.
    run("uv run python script.py", fails=True, UV_SYSTEM_CERTS=1, CERTHOOK_DISABLED=1)


def test_without_a_project(run):
    recipe = recipes.script("uv", "uv tool install")
    output = run(f"{recipe}\nfetchapp https://intranet.example", UV_SYSTEM_CERTS=1)
    assert output.splitlines().count("hello") == 3
    run("uv tool upgrade fetchapp; fetchapp https://intranet.example", UV_SYSTEM_CERTS=1)
    run("uv tool uninstall fetchapp; uv pip uninstall certhook")
    without = recipe.replace("--with certhook ", "")
    for command in without.splitlines()[2:]:
        assert "CERTIFICATE_VERIFY_FAILED" in run(command, fails=True, UV_SYSTEM_CERTS=1)


def test_the_setting_in_a_file(run, home):
    (setting,) = pages.blocks("how-to/uv", "toml")
    _require(run)
    assert REJECTED in run("uv lock --no-cache", fails=True)
    file = home / ".config" / "uv" / "uv.toml"
    file.parent.mkdir(parents=True)
    file.write_text(setting.text)
    run("uv lock --no-cache")
    file.unlink()
    with open(run.project / "pyproject.toml", "a") as project:
        project.write(f"[tool.uv]\n{setting.text}")
    run("uv lock --no-cache --upgrade")


def _require(run) -> None:
    with open(run.project / "pyproject.toml", "a") as project:
        project.write('dependencies = ["requests"]\n')


def test_variables(run, tmp_path, network):
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    _require(run)
    for name in "UV_SYSTEM_CERTS", "UV_NATIVE_TLS":
        run("uv lock --no-cache --upgrade", **{name: 1})
    run("uv lock --native-tls --no-cache --upgrade")
    run("uv lock --no-cache --upgrade", SSL_CERT_FILE=network.root_file)
    assert REJECTED in run("uv lock --no-cache --upgrade", fails=True, SSL_CERT_FILE=other, UV_SYSTEM_CERTS=1)
    for name in "PIP_CERT", "REQUESTS_CA_BUNDLE":
        assert REJECTED in run("uv lock --no-cache --upgrade", fails=True, **{name: network.root_file})
