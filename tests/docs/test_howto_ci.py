"""The guide to continuous integration: both files follow the schemas of the services, and their commands work."""

from __future__ import annotations

import re
import shlex
import textwrap

import inspected_network
import pages
import pytest
import recipes
import support

pytestmark = pytest.mark.recipe

FETCH = "import requests; print(requests.get('https://intranet.example').text)"


@pytest.fixture
def job(root, make_hosts, home, own_environment, tmp_path):
    """Return a function that runs the commands of a job on a machine without the company's root."""
    directory = tmp_path / "network"
    directory.mkdir()
    ca = inspected_network.company_ca()
    python = own_environment("==24.1.2")
    commands = tmp_path / "commands"
    commands.mkdir()
    (commands / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
    (commands / "sudo").chmod(0o755)
    with inspected_network.running(directory, make_hosts(), ca, "/usr/bin:/bin:/usr/sbin:/sbin", False) as network:
        project = tmp_path / "project"
        (project / "ci").mkdir(parents=True)
        (project / "ci" / "fetch.py").write_text(FETCH)
        for file in "company-root.pem", "ci/company-root.pem":
            (project / file).write_bytes(ca.cert_pem.bytes())

        def run(script: str, fails: bool = False) -> str:
            method = network.fail if fails else network.succeed
            return method(script, home, python.parent, commands, cwd=project, timeout=300)

        yield run


def test_the_commands(job):
    script = recipes.script("ci", "sudo update-ca-certificates")
    assert "CERTIFICATE_VERIFY_FAILED" in job("python -m pip install certhook", fails=True)
    assert "Active in this interpreter" in job(script)


def test_a_runner_of_github(job):
    github, _ = [block.text for block in pages.blocks("how-to/ci", "yaml")]
    steps = [textwrap.dedent(each) for each in re.findall(r"run: \|\n((?: {10}.*\n)+)", github)]
    steps += re.findall(r"run: (python .*)", github)
    assert "hello" in job("\n".join(steps))


def test_a_runner_of_gitlab(job):
    _, gitlab = [block.text for block in pages.blocks("how-to/ci", "yaml")]
    assert "hello" in job("\n".join(re.findall(r"^    - ((?!\.cache).*)", gitlab, re.MULTILINE)))


@pytest.mark.parametrize("number, schema", [(0, "vendor.github-workflows"), (1, "vendor.gitlab-ci")])
def test_the_schemas(number, schema, tools, tmp_path):
    file = tmp_path / "file.yml"
    text = pages.blocks("how-to/ci", "yaml")[number].text
    file.write_text(text)
    command = [tools / "check-jsonschema", "--builtin-schema", schema, file]
    done = support.run_command(*command)
    assert done.returncode == 0, shlex.join(map(str, command)) + done.stdout
    file.write_text(text.replace("runs-on", "runs").replace("script:", "scripts:"))
    assert support.run_command(*command).returncode != 0
