"""``certhook compile --trigger``: the system builds the store again whenever its root certificates change."""

from __future__ import annotations

import os
import shutil
import sys
from typing import Callable, Iterator

import pytest
import support
from trust_machine import ARCH, BUNDLE, DEBIAN, DEBIAN_DIRECTORY, FEDORA, FILE, SUSE

from certhook.cli import _triggers, main

_USE = """
PROGRAM = '''
import sys
from certhook import _config, _trust
VERDICTS
print(_trust.current(_config.current(), 1).store, "certhook._sources" in sys.modules)
'''.replace("VERDICTS", VERDICTS)
def use():
    # A container without a writable disk: no directory for a store of its own.
    env = {name: value for name, value in os.environ.items() if name != "CERTHOOK_STORE_DIR"}
    command = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o ro tmpfs /var/lib/certhook && exec "$@"', "sh"]
    done = subprocess.run([*command, sys.executable, "-c", PROGRAM], env=env, stdout=subprocess.PIPE, text=True)
    verdicts, last = done.stdout.splitlines()
    store, parses = last.split()
    report([verdicts, store.startswith(BESIDE), parses])
def trigger(name, path):
    status, text, errors = run([sys.executable, "-m", "certhook", "compile", "--trigger", name])
    assert status == 0, errors
    assert f"# {path}" in text.splitlines()[:2]
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, 0o755)
    return text
def succeed(*command, **variables):
    status, output, errors = run(command, **variables)
    assert status == 0, output + errors
    return output + errors
"""


@pytest.fixture
def run(machine, installed) -> Iterator[Callable[[dict, str], list]]:
    """A function that runs code on a machine whose package has an empty directory for the store next to it."""
    store = support.purelib(installed) / "certhook-store"
    store.mkdir()

    def run(tree: dict, code: str) -> list:
        tree = {**tree, "/var/lib/certhook": os.mkdir}
        return machine.run(tree, f"BESIDE = {str(store)!r}\n{_USE}{code}", over={str(store): None})

    yield run
    store.rmdir()


WITHOUT = ["stranger:no", True, "False"]
WITH = ["stranger:yes", True, "False"]


@pytest.mark.skipif(not shutil.which("update-ca-certificates"), reason="this is not Debian")
def test_debians_update_ca_certificates_builds_the_store_with_the_new_root(run) -> None:
    code = f"""
trigger("debian", "/etc/ca-certificates/update.d/certhook")
import shutil
first = succeed("update-ca-certificates")
use()
shutil.copy("{FILE}", "{DEBIAN_DIRECTORY}/company.crt")
# The session's variables do not select the roots of other processes.
output = succeed("update-ca-certificates", CERTHOOK_SOURCES="extra", SSL_CERT_FILE="/nonexistent")
use()
os.remove("{DEBIAN_DIRECTORY}/company.crt")
succeed("update-ca-certificates", "--fresh")
use()
report("exited with code" in first + output)
report(len([name for name in os.listdir(BESIDE) if len(name) == 40]))
"""
    *uses, has_failed, stores = run(DEBIAN, code)
    assert uses == [WITHOUT, WITH, WITHOUT]
    assert not has_failed
    assert stores <= 4


p11_kit = pytest.mark.skipif(not shutil.which("trust"), reason="p11-kit is not installed")


@p11_kit
def test_suses_update_ca_certificates_runs_the_hook_after_its_own(run) -> None:
    """Like SUSE's command, the emulation runs ``*.run`` in alphabetical order."""
    hooks = "/etc/ca-certificates/update.d"
    code = f"""
import shutil
path = "{hooks}/zz-certhook.run"
trigger("suse", path)
assert sorted([path, "{hooks}/openssl.run", "{hooks}/java.run"])[-1] == path
def update(**variables):
    succeed("update-ca-certificates")
    succeed(path, **variables)
update()
use()
shutil.copy("{FILE}", "/etc/pki/trust/anchors/company.pem")
update()
use()
os.remove("/etc/pki/trust/anchors/company.pem")
before = os.stat(BESIDE).st_mtime_ns
update(destdir="/mnt")
report(os.stat(BESIDE).st_mtime_ns == before)
"""
    assert run(SUSE, code) == [WITHOUT, WITH, True]


@p11_kit
@pytest.mark.parametrize(
    ("tree", "name", "anchors", "bundle"),
    [
        (FEDORA, "systemd-service", "/etc/pki/ca-trust/source/anchors", BUNDLE),
        (ARCH, "arch", "/etc/ca-certificates/trust-source/anchors", "/etc/ca-certificates/extracted/tls-ca-bundle.pem"),
    ],
    ids=["fedora", "arch"],
)
def test_the_command_of_a_unit_or_hook_builds_the_store_with_the_new_root_of_p11_kit(
    tree, name, anchors, bundle, run
) -> None:
    code = f"""
import shlex, shutil
text = succeed(sys.executable, "-m", "certhook", "compile", "--trigger", {name!r})
(command,) = [line.partition("=")[2] for line in text.splitlines() if line.startswith(("ExecStart", "Exec "))]
def update():
    succeed("update-ca-trust")
    succeed(*shlex.split(command))
update()
use()
shutil.copy("{FILE}", "{anchors}/company.pem")
update()
use()
"""
    assert run(tree, code) == [WITHOUT, WITH]
    assert f"PathChanged={bundle}\n" in _triggers.text_of("systemd-path", sys.executable)


@pytest.mark.parametrize("name", _triggers.NAMES)
def test_a_path_with_special_characters_is_quoted(name: str) -> None:
    text = _triggers.text_of(name, "/opt/a b/100% $x/py'thon")
    if name != "systemd-path":
        quoted = """'/opt/a b/100% $x/py'"'"'thon'""" if name in ("debian", "suse") else '"/opt/a b/100%% $$x/py\'thon"'
        assert f" {quoted} -I -m certhook compile --prune" in text


def test_no_file_is_printed_if_only_pythonpath_reaches_certhook(installed, plain, tmp_path) -> None:
    packages = tmp_path / "packages"
    for name in ("certhook", "certifi"):
        shutil.copytree(support.purelib(installed) / name, packages / name)
    command = ["-m", "certhook", "compile", "--trigger", "debian"]
    for path in (packages / "certhook" / "bootstrap", packages):
        done = support.run_command(plain, *command, env=support.clean_env(PYTHONPATH=str(path)))
        assert (done.returncode, done.stdout) == (1, "")
        assert "only through PYTHONPATH" in " ".join(done.stderr.split())
    # An installation in site-packages counts, although PYTHONPATH names it, too.
    for path in (packages / "certhook" / "bootstrap", support.purelib(installed)):
        done = support.run_command(installed, *command, env=support.clean_env(PYTHONPATH=str(path)))
        assert "-I -m certhook compile" in done.stdout, done.stderr


@pytest.mark.parametrize("name", ["debian", "suse"])
def test_a_hook_of_a_removed_interpreter_does_nothing(name: str, tmp_path) -> None:
    hook = tmp_path / "hook"
    hook.write_text(_triggers.text_of(name, str(tmp_path / "python")))
    done = support.run_command("sh", hook, env={"PATH": os.environ["PATH"]})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
@pytest.mark.parametrize("mode", [0o755, 0o757])
def test_a_python_that_another_user_can_modify_is_reported(mode, tmp_path, monkeypatch, capsys) -> None:
    """The superuser will run it."""
    tmp_path.chmod(mode)
    (tmp_path / "python").touch(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert main(["compile", "--trigger", "debian"]) == 0
    output, errors = capsys.readouterr()
    assert f"[ -x {tmp_path}/python ]" in output
    assert bool(errors) == (mode == 0o757)
    assert mode == 0o755 or f"every user can modify {tmp_path}" in errors
