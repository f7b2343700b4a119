"""The guide to pre-commit, with a hook that connects to a server."""

from __future__ import annotations

import subprocess

import pages
import pytest
import recipes
import support

pytestmark = pytest.mark.recipe

HOOK = """
- id: links
  name: links
  entry: fetchapp https://intranet.example
  language: python
  always_run: true
  pass_filenames: false
  verbose: true
"""
SETUP = 'from setuptools import setup\nsetup(name="hook", version="1.0", install_requires=["fetchapp"])\n'


@pytest.fixture
def run(tools_network, make_hosts, home, tools, tmp_path):
    """Return a function that runs a script in a repository with the configuration of the page."""
    hook = tmp_path / "hook"
    hook.mkdir()
    (hook / ".pre-commit-hooks.yaml").write_text(HOOK)
    (hook / "setup.py").write_text(SETUP)
    (configuration,) = pages.blocks("how-to/pre-commit", "yaml")
    project = tmp_path / "project"
    project.mkdir()
    (project / ".pre-commit-config.yaml").write_text(configuration.text)
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", str(hook)]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "Hook"], ["tag", "v1.0"]):
        subprocess.run([*git, *arguments], check=True, env=support.clean_env(HOME=str(home)))
    served = tools_network.hosts / "git.intranet.example" / "hooks"
    subprocess.run(["git", "clone", "-q", "--bare", hook, served], check=True, env=support.clean_env(HOME=str(home)))
    subprocess.run(["git", "-C", served, "update-server-info"], check=True, env=support.clean_env(HOME=str(home)))

    def run(script: str, fails: bool = False, **variables: object) -> str:
        method = tools_network.fail if fails else tools_network.succeed
        return method(script, home, tools, cwd=project, timeout=300, **variables)

    run("git init -q; git add .")
    run.configuration = project / ".pre-commit-config.yaml"
    return run


def test_a_hook_with_certhook(run):
    command = recipes.script("pre-commit", "pre-commit run")
    text = run.configuration.read_text()
    run.configuration.write_text(text.replace("[certhook]", "[]"))
    assert "CERTIFICATE_VERIFY_FAILED" in run(f"git add .; {command}", fails=True)
    run.configuration.write_text(text)
    assert "hello" in run(f"git add .; {command}")
