"""The guide to systemd: its unit is valid, and its restrictions leave certhook working."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pages
import pytest
import recipes
import support

#: A user as DynamicUser= chooses it.
USER = 61184
#: The effects of DynamicUser=, ProtectSystem=strict, StateDirectory=app and MemoryDenyWriteExecute= on a process. The
#: last one is prctl(PR_SET_MDWE), where systemd uses a filter of system calls.
SERVICE = f"""
base={sys.base_prefix}
as_user="setpriv --reuid {USER} --regid {USER} --clear-groups --no-new-privs"
if ! $as_user test -x $base/bin; then  # Below /root, for example.
    top=/$(echo $base | cut -d / -f 2)
    mount --bind $base /mnt
    mount -t tmpfs -o mode=755 tmpfs $top
    mkdir -p $base
    mount --bind /mnt $base
fi
mkdir -p /var/lib/private
mount -t tmpfs -o mode=755 tmpfs /var/lib/private
mkdir /var/lib/private/app
chown {USER}:{USER} /var/lib/private/app
ln -sfn private/app /var/lib/app
mount -o remount,bind,ro /
for each in /etc /usr/local /var; do mount -o remount,bind,ro $each; done
exec $as_user {sys.base_prefix}/bin/python3 -I -S -c '
import ctypes, os, sys
ctypes.CDLL(None).prctl(65, 1, 0, 0, 0)
os.execv(sys.argv[1], sys.argv[1:])
' "$@"
"""
FETCH = "import ssl, urllib.request; print(urllib.request.urlopen('https://intranet.example').read())"


@pytest.fixture
def units(tmp_path):
    """Return the files of the page: the unit, and each addition as a drop-in of it."""
    first, *additions = [block.text for block in pages.blocks("how-to/systemd", "ini")]
    unit = tmp_path / "app.service"
    unit.write_text(first.replace("/srv/app/venv/bin/python", sys.executable))
    (tmp_path / "app.service.d").mkdir()
    for number, text in enumerate(additions):
        file = tmp_path / "app.service.d" / f"{number}.conf"
        file.write_text(text.replace("/srv/app/venv/bin/python", sys.executable))
    return unit


def test_systemd_accepts_the_unit(units):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    verify = ["systemd-analyze", "verify", "--man=no", str(units)]
    done = subprocess.run(verify, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    units.write_text(units.read_text().replace("StateDirectory=", "StateDirectories="))
    assert "StateDirectories" in subprocess.run(verify, capture_output=True, text=True, timeout=60).stderr


@pytest.fixture
def environment(installed, public):
    """Return an environment that every user can read."""
    public.chmod(0o755)
    environment = support.copy_environment(installed, public / "environment")
    (public / "environment").chmod(0o755)
    return environment.python


def run_service(network, home, python, *arguments: str, **variables: str) -> str:
    command = " ".join(f"'{each}'" for each in (str(python), *arguments))
    script = f"unshare --mount --propagation private bash -e -c '{_quoted(SERVICE)}' service {command}"
    return network.succeed(script, home, **{"HOME": "/", **variables})


def _quoted(text: str) -> str:
    return text.replace("'", "'\\''")


def test_a_service_with_a_state_directory_has_a_store(network, home, environment):
    unit = pages.blocks("how-to/systemd", "ini")[0].text
    (setting,) = [line for line in unit.splitlines() if line.startswith("Environment=")]
    name, _, value = setting[len("Environment=") :].partition("=")
    status = ("-m", "certhook")
    output = run_service(network, home, environment, *status, **{name: value})
    assert support.shows(output, "Contexts use the compiled store", "/var/lib/private/app/certhook/trust-")
    assert support.shows(run_service(network, home, environment, *status), "loaded into each context")
    assert "hello" in run_service(network, home, environment, "-c", FETCH.replace("'", '"'), **{name: value})
    assert "hello" in run_service(network, home, environment, "-c", FETCH.replace("'", '"'))


def test_a_compiled_store_needs_no_state_directory(network, home, environment):
    recipe = recipes.script("systemd", "certhook compile")
    network.succeed(recipe.replace("sudo /srv/app/venv/bin/python", str(environment)), home)
    output = run_service(network, home, environment, "-m", "certhook")
    assert support.shows(output, "Contexts use the compiled store", "/certhook-store/trust-")
