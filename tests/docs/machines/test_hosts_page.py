"""The commands of the page about hosts, on a machine with several Pythons."""

from __future__ import annotations

import os
import re
from typing import Callable

import pages
import pytest
import support
from containers import Container, add_mount_point

PAGE = "how-to/hosts"
BLOCKS = [[command.command for command in pages.commands(block)] for block in pages.blocks(PAGE, "console")]
INSTALL, VERIFY, RUN, MANAGED, ENABLE, UNINSTALL = BLOCKS
COMPANY_CA = "/etc/company-ca.pem"
#: The Pythons of the machine: Debian's, a second one in /usr/local, and one of an application, without pip.
PYTHONS = ("/usr/bin/python3", "/usr/local/bin/python3", "/opt/app/python/bin/python")


@pytest.fixture
def machine(slim, tmp_path, private_ca, pip_environ) -> Container:
    machine = slim.child(tmp_path / "machine")
    machine.env.update(CERTHOOK_EXTRA_CA_CERTS=COMPANY_CA, **pip_environ)
    machine.write(COMPANY_CA, private_ca.decode())
    add_mount_point(machine, "/opt")
    done = machine.shell("python3 -m venv --without-pip /opt/app/python && id -u nobody")
    assert done.returncode == 0, done.stderr
    return machine


@pytest.fixture
def trusts(machine, servers) -> Callable[..., bool]:
    """Return whether a Python verifies the server of the company."""

    def run(python: str, prelude: str = "", user: str = "0:0", **variables: str) -> bool:
        machine.write("/tmp/verdicts.py", support.VERDICTS)
        env = {"SERVERS": support.server_list(servers), **variables}
        done = machine.shell(f"{prelude}\n{python} /tmp/verdicts.py", env=env, user=user, workdir="/")
        assert (done.returncode, done.stderr) == (0, "")
        trusted = support.verdicts(done.stdout)
        assert not any(trusted[name] for name in trusted if name != "system")
        return trusted["system"]

    return run


def run_all(machine: Container, lines: list[str]) -> None:
    for line in lines:
        done = machine.shell(line)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


PROFILE = "set -a; for file in /etc/profile.d/certhook.sh; do [ ! -r $file ] || . $file; done; set +a"


def test_one_copy_and_one_variable_reach_every_python_of_every_user(machine, trusts, servers) -> None:
    assert not any(trusts(python, PROFILE) for python in PYTHONS)
    run_all(machine, INSTALL)
    users = ("0:0", "65534:65534")
    assert all(trusts(python, PROFILE, user=user) for python in PYTHONS for user in users)
    # An existing value of the variable remains.
    line = f"{PROFILE}; echo $PYTHONPATH"
    assert machine.shell(line, env={"PYTHONPATH": "/a:/b"}).stdout.endswith("/certhook/bootstrap:/a:/b\n")
    assert trusts("/usr/bin/python3", PROFILE, CERTHOOK_DISABLED="1") is False
    for flag in ("-I", "-E", "-S"):
        assert not trusts(f"/usr/bin/python3 {flag}", PROFILE), flag

    status, fetch = VERIFY
    done = machine.shell(f"{PROFILE}; {status}")
    assert "Active in this interpreter" in done.stdout, done.stdout + done.stderr
    fetch = fetch.replace("intranet.example", f"localhost:{servers.port('system')}")
    assert machine.shell(fetch).returncode == 1
    assert machine.shell(f"{PROFILE}; {fetch}").returncode == 0

    run_all(machine, UNINSTALL[:1])
    assert not any(trusts(python, PROFILE) for python in PYTHONS)


def test_the_variable_in_etc_environment(machine, trusts) -> None:
    run_all(machine, INSTALL[:1])
    (environment,) = pages.blocks(PAGE, "ini")
    # Like pam_env: assignments without shell syntax.
    (match,) = re.findall(r"^([A-Z]+)=(\S+)$", environment.text, re.MULTILINE)
    assert not set(match[1]) & set("$\"'`")
    assert all(trusts(python, **dict([match])) for python in PYTHONS)


def test_run_reaches_the_processes_of_a_command(machine, trusts) -> None:
    run_all(machine, ["python3 -m venv /opt/tools && /opt/tools/bin/pip install --quiet certhook"])
    tox, app = RUN
    assert (tox, app.split()[:2]) == ("certhook run tox", ["certhook", "run"])
    for python in PYTHONS:
        assert not trusts(f"sh -c '{python} $0'")
        assert trusts(f"/opt/tools/bin/{app.partition(' /')[0]} sh -c '{python} $0'")


@pytest.fixture
def require_managed_pip(machine) -> None:
    """Skip the test if Debian's pip is not installed; fail in the environment of the recipes."""
    if machine.shell("/usr/bin/python3 -m pip --version").returncode == 0:
        return
    if os.environ.get("CERTHOOK_TEST_RECIPES"):
        pytest.fail("python3-pip is not installed")
    pytest.skip("python3-pip is not installed")


def test_the_managed_python_of_the_system(machine, trusts, require_managed_pip) -> None:
    (line,) = MANAGED
    (message,) = pages.blocks(PAGE, "text")
    done = machine.shell(line.replace("--break-system-packages ", ""))
    assert done.returncode == 1
    assert message.text.strip() in done.stderr
    run_all(machine, MANAGED)
    assert trusts("/usr/bin/python3", user="65534:65534")
    assert machine.shell("ls -d /usr/local/lib/python3*/dist-packages/certhook").returncode == 0
    assert not trusts("/opt/app/python/bin/python")
    run_all(machine, UNINSTALL)
    assert not trusts("/usr/bin/python3")


def test_enable_and_disable_change_an_applications_python(machine, trusts) -> None:
    application = PYTHONS[2]
    install, plan, enable, disable = ENABLE
    run_all(machine, [install])
    done = machine.shell(plan)
    assert done.returncode == 3, done.stdout
    assert not trusts(application)
    run_all(machine, [enable])
    assert trusts(application)
    assert trusts(application, user="65534:65534")
    assert not trusts("/usr/local/bin/python3")
    run_all(machine, [disable])
    assert not trusts(application)
