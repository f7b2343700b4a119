"""The guide to Ansible: its playbook, on the local machine."""

from __future__ import annotations

import textwrap

import inspected_network
import pages
import pytest
import recipes
import support

pytestmark = pytest.mark.recipe


@pytest.fixture
def run(root, make_hosts, home, tools, tmp_path, pip_install):
    """Return a function that runs the command of the page with a playbook, on a machine without the company's root."""
    directory = tmp_path / "network"
    directory.mkdir()
    ca = inspected_network.company_ca()
    # The module "pip" requires it.
    interpreter = support.make_environment(tmp_path / "target")
    pip_install(interpreter, "packaging")
    with inspected_network.running(directory, make_hosts(), ca, "/usr/bin:/bin:/usr/sbin:/sbin", False) as network:
        project = tmp_path / "project"
        project.mkdir()
        (project / "company-root.pem").write_bytes(ca.cert_pem.bytes())
        python = f"ansible_python_interpreter={interpreter}"
        (project / "inventory.ini").write_text(f"localhost ansible_connection=local {python}\n")

        def run(playbook: str, fails: bool = False) -> str:
            text = playbook.replace("/srv/app/venv", str(tmp_path / "venv"))
            text = text.replace("/srv/app/", f"{tmp_path}/").replace("become: true", "become: false")
            text = text.replace("/etc/company/other-root.pem", str(project / "company-root.pem"))
            (project / "site.yml").write_text(text)
            method = network.fail if fails else network.succeed
            # The home directory in /etc/passwd is read-only here.
            options = {"ANSIBLE_REMOTE_TMP": home / "remote", "ANSIBLE_LOCAL_TEMP": home / "local"}
            script = recipes.script("ansible", "ansible-playbook")
            return method(script, home, tools, cwd=project, timeout=300, **options)

        yield run


def playbook(task: str) -> str:
    return f"- hosts: all\n  tasks:\n{textwrap.indent(task, '    ')}"


def test_the_playbook(run):
    whole, task = [block.text for block in pages.blocks("how-to/ansible", "yaml")]
    plain_task = task.partition("  vars:")[0]
    assert "CERTIFICATE_VERIFY_FAILED" in run(playbook(plain_task), fails=True)
    assert "failed=0" in run(whole)
    # With the root in the operating system's store, the module needs no certhook.
    run(playbook(plain_task))


def test_roots_that_only_certhook_adds(run):
    whole, task = [block.text for block in pages.blocks("how-to/ansible", "yaml")]
    run(whole)
    # From here on, the store lacks the root again.
    removed = (
        "- ansible.builtin.file: {path: /usr/local/share/ca-certificates/company-root.crt, state: absent}\n"
        "- ansible.builtin.command: update-ca-certificates\n"
    )
    run(playbook(removed))
    assert "CERTIFICATE_VERIFY_FAILED" in run(playbook(task.partition("  environment:")[0]), fails=True)
    assert "failed=0" in run(playbook(task))
