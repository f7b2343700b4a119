"""``certhook trust`` with the commands of Linux distributions, in mount namespaces."""

from __future__ import annotations

import hashlib
import json
import os
import shutil

import pytest
from linux_machine import Pem
from namespace import Link, executable
from trust_machine import ALPINE, ANCHORS, ARCH, DEBIAN, DEBIAN_DIRECTORY, FEDORA, FILE, SUSE

UNCHANGED = 3
UPDATE = "/usr/sbin/update-ca-certificates"
MACHINES = {"Debian": DEBIAN, "Alpine": ALPINE, "Fedora": FEDORA, "Arch": ARCH, "SUSE": SUSE}
# The text of one root in the output of the command.
NAME_AND_FINGERPRINT = ("\n  certhook tests stranger (", ")\n    valid from 2000-01-01 to ", "-01-01\n    SHA-256 ")


@pytest.fixture(autouse=True)
def commands(root: None) -> None:
    for command in ("update-ca-certificates", "trust"):
        if shutil.which(command, path=os.environ["PATH"] + ":/usr/sbin") is None:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{command} is not installed")


def directory_of(name: str) -> str:
    return {
        "Debian": DEBIAN_DIRECTORY,
        "Alpine": DEBIAN_DIRECTORY,
        "Fedora": ANCHORS,
        "Arch": "/etc/ca-certificates/trust-source/anchors",
        "SUSE": "/etc/pki/trust/anchors",
    }[name]


@pytest.mark.parametrize("name", MACHINES)
def test_a_root_is_trusted_after_the_installation_and_rejected_after_its_removal(name: str, machine) -> None:
    directory = directory_of(name)
    before, installation, trusted, again, own, content, removal, after, rest = machine.run(
        MACHINES[name],
        f"""
report(both_verify())
report(trust("--yes", "{FILE}"))
report(both_verify())
report(trust("--yes", "{FILE}"))
own = [name for name in names("{directory}") if name.startswith("certhook-")]
report(own)
report((oct(os.stat("{directory}/" + own[0]).st_mode), read("{directory}/" + own[0])))
report(trust("--undo", "--yes", own[0]))
report(both_verify())
links = names("/etc/ssl/certs") or []
report((names("{directory}"), [one for one in links if not os.path.exists("/etc/ssl/certs/" + one)]))
""",
    )
    assert (before, trusted, after) == ([False, False], [True, True], [False, False])
    assert installation[0] == 0 and installation[2] == ""
    assert all(text in installation[1] for text in NAME_AND_FINGERPRINT)
    assert "Python programs with certhook trust it now" in installation[1]
    assert again[0] == 0 and "In the system's store already: /" in again[1] and "Nothing to do" in again[1]
    assert content == ["0o100644", machine.cas.pem("stranger").decode()]
    assert f"Installed: {directory}/{own[0]}\n" in installation[1]
    assert f"To remove it: certhook trust --undo {own[0]}\n" in installation[1]
    assert removal[0] == 0 and removal[2] == ""
    assert f"Removed: {directory}/{own[0]}\n" in removal[1]
    assert "does not contain it any more" in removal[1]
    assert own[0] not in (rest[0] or [])
    assert rest[1] == []  # A link to a missing file would hide another CA with the same name from OpenSSL.


def test_the_commands_that_are_printed_have_the_effect_of_the_installation(machine) -> None:
    user = "('setpriv', '--reuid=54321', '--regid=54321', '--clear-groups', '--inh-caps=+dac_read_search', "
    user += "'--ambient-caps=+dac_read_search')"
    as_user, dry, removal_as_user, unchanged, by_hand, trusted, removal, removed, left = machine.run(
        DEBIAN,
        f"""
as_user = trust("{FILE}", "--yes", prefix={user})
report(as_user)
report(trust("--dry-run", "{FILE}"))
report(trust("--undo", "{FILE}", prefix={user}))
report((names("{DEBIAN_DIRECTORY}"), names("/etc/ssl/certs")))
def perform(shown):
    steps = [line.strip() for line in shown[1].split("Steps on")[1].splitlines()[1:3]]
    for step in steps:
        run(["sh", "-c", step.replace("sudo ", "")])
    return steps
report(perform(as_user))
report(both_verify())
shown = trust("--undo", "{FILE}", prefix={user})
report(shown)
perform(shown)
report(both_verify())
report(names("{DEBIAN_DIRECTORY}"))
""",
    )
    assert as_user[0] == UNCHANGED and "this needs root privileges" in as_user[2]
    assert f"export CERTHOOK_EXTRA_CA_CERTS={FILE}\n" in as_user[1]
    assert (dry[0], dry[2]) == (UNCHANGED, "") and "sudo" not in dry[1] and "install -m 644" in dry[1]
    assert removal_as_user[0] == 1 and "installed no root certificate that matches" in removal_as_user[2]
    assert unchanged == [[], []]
    assert by_hand[0].startswith(f"sudo install -m 644 {FILE} {DEBIAN_DIRECTORY}/certhook-")
    assert by_hand[1:] == ["sudo update-ca-certificates"]
    assert trusted == [True, True]
    assert removal[0] == UNCHANGED and "sudo update-ca-certificates --fresh" in removal[1]
    assert (removed, left) == ([False, False], [])


def test_nothing_is_changed_without_a_confirmation(machine) -> None:
    piped, no, closed, before, yes, after = machine.run(
        DEBIAN,
        f"""
report(trust("{FILE}"))
report(on_terminal("n\\n", "{FILE}"))
report(on_terminal("\\x04", "{FILE}"))
report(names("{DEBIAN_DIRECTORY}"))
report(on_terminal("y\\n", "{FILE}"))
report(both_verify())
""",
    )
    assert piped[0] == UNCHANGED and "use --yes in scripts" in piped[2]
    assert no[0] == closed[0] == UNCHANGED and "nothing was changed" in no[1]
    assert "will accept every certificate that this CA issues" in " ".join(yes[1].split())
    assert "Install it? [y/N]" in yes[1]
    assert (before, yes[0], after) == ([], 0, [True, True])


def test_the_certificates_that_were_shown_are_installed_if_the_file_changes_meanwhile(machine) -> None:
    """The file is read only once, so another user cannot replace it between the confirmation and the copy."""
    found = machine.run(
        DEBIAN,
        f"""
child, terminal = pty.fork()
if child == 0:
    os.execv(sys.executable, [sys.executable, "-m", "certhook", "trust", "{FILE}"])
output = b""
while b"[y/N]" not in output:
    output += os.read(terminal, 4096)
shown = read("{FILE}")
write("{FILE}", {machine.cas.pem("extra").decode()!r})
os.write(terminal, b"y\\n")
try:
    while os.read(terminal, 4096):
        pass
except OSError:
    pass
report(os.waitpid(child, 0)[1])
report([read("{DEBIAN_DIRECTORY}/" + name) == shown for name in names("{DEBIAN_DIRECTORY}")])
""",
    )
    assert found == [0, [True]]


def test_a_root_that_another_program_installed_is_not_removed(machine) -> None:
    """trust(1) stores its own file, outside of the directory for files of the administrator."""
    installed, shown, by_fingerprint, trusted = machine.run(
        FEDORA,
        f"""
run(["trust", "anchor", "--store", "{FILE}"])
run(["update-ca-trust", "extract"])
report(both_verify())
report(trust("--undo", "--yes", "{FILE}"))
report(trust("--undo", "--yes", "{"0" * 64}"))
report(both_verify())
""",
    )
    assert installed == trusted == [True, True]
    assert shown[0] == 1 and "another program or user added it to the system's store: /" in shown[2]
    assert by_fingerprint[0] == 1 and "installed no root certificate" in by_fingerprint[2]


def test_existing_files_are_kept(machine) -> None:
    """The name is taken by another file, then by a link: certhook chooses a third name, and --undo finds it."""
    first, names, contents, removal = machine.run(
        DEBIAN,
        f"""
steps = trust("--dry-run", "{FILE}")[1]
name = steps.split("{DEBIAN_DIRECTORY}/")[1].split()[0]
stem = name[:-4]
write("{DEBIAN_DIRECTORY}/" + name, "mine")
write("/etc/target", "other")
os.symlink("/etc/target", "{DEBIAN_DIRECTORY}/" + stem + "-2.crt")
report(trust("--yes", "{FILE}"))
report([one.replace(stem, "NAME") for one in names("{DEBIAN_DIRECTORY}")])
report([read("{DEBIAN_DIRECTORY}/" + name), read("/etc/target")])
report(trust("--undo", "--yes", "{FILE}"))
report([one.replace(stem, "NAME") for one in names("{DEBIAN_DIRECTORY}")])
""",
    )[:4]
    assert first[0] == 0
    assert names == ["NAME-2.crt", "NAME-3.crt", "NAME.crt"]
    assert contents == ["mine", "other"]
    assert removal[0] == 0


def test_the_file_of_a_root_that_the_administrator_copied_is_named(machine) -> None:
    ((status, _, errors),) = machine.run(
        DEBIAN,
        f"""
run(["cp", "{FILE}", "{DEBIAN_DIRECTORY}/mine.crt"])
run(["update-ca-certificates"])
report(trust("--undo", "--yes", "{FILE}"))
""",
    )
    assert status == 1 and f"added it to the system's store: {DEBIAN_DIRECTORY}/mine.crt" in errors


def test_a_root_that_another_file_also_contains_stays_trusted(machine) -> None:
    removal, trusted, left = machine.run(
        DEBIAN,
        f"""
trust("--yes", "{FILE}")
run(["cp", "{FILE}", "{DEBIAN_DIRECTORY}/mine.crt"])
report(trust("--undo", "--yes", "{FILE}"))
report(both_verify())
report(names("{DEBIAN_DIRECTORY}"))
""",
    )
    assert removal[0] == 0 and "still contains" in removal[1]
    assert f"because of {DEBIAN_DIRECTORY}/mine.crt" in " ".join(removal[1].split())
    assert (trusted, left) == ([True, True], ["mine.crt"])


def test_a_file_that_was_changed_after_the_installation_is_not_removed(machine) -> None:
    removal, changed = machine.run(
        DEBIAN,
        f"""
trust("--yes", "{FILE}")
(name,) = names("{DEBIAN_DIRECTORY}")
write("{DEBIAN_DIRECTORY}/" + name, "# changed\\n", "a")
report(trust("--undo", "--yes", name))
report(names("{DEBIAN_DIRECTORY}") == [name])
""",
    )
    assert removal[0] == 1 and changed
    assert "certhook installed no root certificate that matches" in removal[2]


def test_a_root_with_the_name_of_another_ones_file_is_not_removed(machine) -> None:
    removal, left = machine.run(
        DEBIAN,
        f"""
trust("--yes", "{FILE}")
(name,) = names("{DEBIAN_DIRECTORY}")
os.rename("{DEBIAN_DIRECTORY}/" + name, "{DEBIAN_DIRECTORY}/certhook-0123456789abcdef.crt")
report(trust("--undo", "--yes", "certhook-0123456789abcdef.crt"))
report(names("{DEBIAN_DIRECTORY}"))
""",
    )
    assert removal[0] == 1 and left == ["certhook-0123456789abcdef.crt"]


def test_nothing_is_removed_if_one_of_several_files_is_changed_meanwhile(machine) -> None:
    status, message, left = machine.run(
        {**DEBIAN, "/etc/second.pem": Pem("extra")},
        f"""
trust("--yes", "{FILE}"); trust("--yes", "/etc/second.pem")
present = names("{DEBIAN_DIRECTORY}")
with open("/etc/two.pem", "w") as file:
    file.write("".join(read("{DEBIAN_DIRECTORY}/" + name) for name in present))
child, terminal = pty.fork()
if child == 0:
    os.execv(sys.executable, [sys.executable, "-m", "certhook", "trust", "--undo", "/etc/two.pem"])
output = b""
while b"[y/N]" not in output:
    output += os.read(terminal, 4096)
write("{DEBIAN_DIRECTORY}/" + present[-1], "mine")
os.write(terminal, b"y\\n")
try:
    while True:
        output += os.read(terminal, 4096)
except OSError:
    pass
report(os.waitpid(child, 0)[1] >> 8)
report(" ".join(output.decode().split()))
report((present, names("{DEBIAN_DIRECTORY}")))
""",
    )
    assert status == 1 and "was changed meanwhile, and was not removed" in message
    assert len(left[0]) == 2 and left[1] == left[0]


def test_a_file_that_is_changed_after_the_confirmation_was_requested_is_not_removed(machine) -> None:
    status, message, content = machine.run(
        DEBIAN,
        f"""
trust("--yes", "{FILE}")
(name,) = names("{DEBIAN_DIRECTORY}")
child, terminal = pty.fork()
if child == 0:
    os.execv(sys.executable, [sys.executable, "-m", "certhook", "trust", "--undo", name])
output = b""
while b"[y/N]" not in output:
    output += os.read(terminal, 4096)
write("{DEBIAN_DIRECTORY}/" + name, "mine")
os.write(terminal, b"y\\n")
try:
    while True:
        output += os.read(terminal, 4096)
except OSError:
    pass
report(os.waitpid(child, 0)[1] >> 8)
report(" ".join(output.decode().split()))
report(read("{DEBIAN_DIRECTORY}/" + name))
""",
    )
    assert (status, content) == (1, "mine") and "was changed meanwhile, and was not removed" in message


def test_the_result_is_available_as_json(machine) -> None:
    dry, asked, done, removal = machine.run(
        DEBIAN,
        f"""
report(trust("--json", "--dry-run", "{FILE}"))
report(trust("--json", "{FILE}"))
report(trust("--json", "--yes", "{FILE}"))
report(trust("--json", "--yes", "--undo", "{FILE}"))
""",
    )
    found = [json.loads(one[1]) for one in (dry, asked, done, removal)]
    assert [one[0] for one in (dry, asked, done, removal)] == [UNCHANGED, UNCHANGED, 0, 0]
    assert [one["changed"] for one in found] == [False, False, True, True]
    assert "--yes" in asked[2]
    sha256 = hashlib.sha256(machine.cas.der("stranger")).hexdigest()
    for one in found:
        assert set(one) == {"changed", "certificates", "commands", "files"}
        (certificate,) = one["certificates"]
        assert certificate["sha256"] == sha256 and certificate["refusal"] is None
        assert one["commands"][-1].startswith("update-ca-certificates")
    assert found[2]["files"] == found[3]["files"] == [found[2]["commands"][0].split()[-1]]


HOSTILE = {
    "another user owns the directory": f'os.chown("{DEBIAN_DIRECTORY}", 1234, 1234)',
    "every user can write to it": f'os.chmod("{DEBIAN_DIRECTORY}", 0o1777)',
    "another user owns its parent": 'os.chown("/usr/local/share", 1234, 0)',
    "it is a link of another user": (
        f'os.rename("{DEBIAN_DIRECTORY}", "/usr/local/moved"); os.chown("/usr/local/moved", 1234, 0); '
        f'os.symlink("/usr/local/moved", "{DEBIAN_DIRECTORY}")'
    ),
    "it is a link to a directory of root, in a directory of another user": (
        f'os.rename("{DEBIAN_DIRECTORY}", "/usr/local/moved"); os.symlink("/usr/local/moved", "{DEBIAN_DIRECTORY}"); '
        'os.chown("/usr/local/share", 1234, 0)'
    ),
    "another user made the link": (
        f'os.rename("{DEBIAN_DIRECTORY}", "/usr/local/moved"); os.symlink("/usr/local/moved", "{DEBIAN_DIRECTORY}"); '
        f'os.lchown("{DEBIAN_DIRECTORY}", 1234, 0)'
    ),
    "it is a file": f'os.rmdir("{DEBIAN_DIRECTORY}"); open("{DEBIAN_DIRECTORY}", "w")',
    "another user can modify the command": f'os.chmod("{UPDATE}", 0o777)',
}


def test_nothing_is_written_where_another_user_can_interfere(machine) -> None:
    code = [f"os.makedirs('/usr/local/share', exist_ok=True)\nbackup = os.stat('{UPDATE}').st_mode"]
    for action in HOSTILE.values():
        code.append(f"""
if os.fork() == 0:
    os._exit(0)
os.wait()
run(["rm", "-rf", "{DEBIAN_DIRECTORY}", "/usr/local/moved"])
os.chown("/usr/local/share", 0, 0)
os.mkdir("{DEBIAN_DIRECTORY}")
{action}
report((trust("--yes", "{FILE}"), names(os.path.realpath("{DEBIAN_DIRECTORY}")) or []))
os.chmod("{UPDATE}", backup)
""")
    for description, (done, left) in zip(HOSTILE, machine.run(DEBIAN, "".join(code))):
        assert done[0] == 1 and left == [], description
        expected = "is not a directory" if description == "it is a file" else "could interfere with this command; run "
        assert expected in done[2], description
        assert "nothing was changed" in done[2], description


def test_the_command_is_found_without_path_and_runs_in_a_clean_environment(machine) -> None:
    tree = {
        **DEBIAN,
        UPDATE: executable("#!/bin/sh\nenv > /etc/environment-seen\numask >> /etc/environment-seen\nexit 1\n"),
        "/tmp/evil/update-ca-certificates": executable("#!/bin/sh\ntouch /etc/evil\n"),
    }
    done, seen, evil = machine.run(
        tree,
        f"""
os.umask(0o077)
path = "/tmp/evil:" + os.environ["PATH"]
report(trust("--yes", "{FILE}", PATH=path, BASH_ENV="/tmp/evil/x", ENV="/tmp/evil/x", IFS="x"))
report(read("/etc/environment-seen").split())
report(os.path.exists("/etc/evil"))
""",
    )
    assert done[0] == 1 and not evil
    assert sorted(one for one in seen if not one.startswith("_=")) == [
        "0022",
        "LC_ALL=C",
        "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
        "PWD=/",
    ]


def test_a_failure_of_the_command_removes_the_copy_and_shows_its_output(machine) -> None:
    failing = "#!/bin/sh\nprintf 'no \\033[31mspace\\n'\ntest \"$1\" = --fresh\n"
    silent = "#!/bin/sh\nexit 0\n"
    done, left, ignored, left_then = machine.run(
        {**DEBIAN, UPDATE: executable(failing), "/usr/sbin/silent": executable(silent)},
        f"""
report(trust("--yes", "{FILE}"))
report(names("{DEBIAN_DIRECTORY}"))
os.replace("/usr/sbin/silent", "{UPDATE}")
report(trust("--yes", "{FILE}"))
report(names("{DEBIAN_DIRECTORY}"))
""",
    )
    assert (done[0], left) == (1, [])
    assert f"{UPDATE} failed with exit status 1: no \\x1b[31mspace. Nothing was changed" in done[2]
    assert (ignored[0], left_then) == (1, [])
    assert "the command succeeded, but the system's store does not contain" in ignored[2]


@pytest.mark.parametrize("signal", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_an_interruption_removes_the_copy(signal: str, machine) -> None:
    slow = '#!/bin/sh\ntest "$1" = --fresh && touch /etc/refreshed && exit\ntouch /etc/started\nexec sleep 30\n'
    status, left, refreshed = machine.run(
        {**DEBIAN, UPDATE: executable(slow)},
        f"""
# It may be ignored, as under nohup.
signal.signal(signal.{signal}, signal.SIG_DFL)
child = subprocess.Popen([sys.executable, "-m", "certhook", "trust", "--yes", "{FILE}"],
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
while not os.path.exists("/etc/started"):
    time.sleep(0.02)
assert names("{DEBIAN_DIRECTORY}")
os.killpg(child.pid, signal.{signal}) if "{signal}" == "SIGINT" else child.send_signal(signal.{signal})
report(child.wait(30))
report(names("{DEBIAN_DIRECTORY}"))
report(os.path.exists("/etc/refreshed"))
""",
    )
    assert (status, left, refreshed) == (130, [], True)


def test_an_ignored_signal_does_not_interrupt_the_installation(machine) -> None:
    slow = "#!/bin/sh\ntouch /etc/started\nsleep 2\nexit 1\n"
    status, message = machine.run(
        {**DEBIAN, UPDATE: executable(slow)},
        f"""
child = subprocess.Popen(["nohup", sys.executable, "-m", "certhook", "trust", "--yes", "{FILE}"],
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
while not os.path.exists("/etc/started"):
    time.sleep(0.02)
child.send_signal(signal.SIGHUP)
message = child.stderr.read().decode()
report(child.wait(30))
report(message)
""",
    )
    assert status == 1 and "failed with exit status 1" in message


def test_a_distrusted_root_and_a_missing_command_are_reported(machine) -> None:
    distrusted, missing, unknown, overridden = machine.run(
        {**DEBIAN, "/usr/share/ca-certificates/mozilla/bad.crt": machine.cas.pem("stranger")},
        f"""
conf = read("/etc/ca-certificates.conf")
write("/etc/ca-certificates.conf", conf + "!mozilla/bad.crt\\n")
report(trust("--yes", "{FILE}"))
write("/etc/ca-certificates.conf", conf)
os.rename("{UPDATE}", "/usr/sbin/moved")
report(trust("--yes", "{FILE}"))
release = read("/etc/os-release")
write("/etc/os-release", "ID=plan9")
report(trust("--yes", "{FILE}"))
os.rename("/usr/sbin/moved", "{UPDATE}")
report(trust("--yes", "{FILE}", SSL_CERT_FILE="/etc/none.pem", SSL_CERT_DIR="/etc/none"))
""",
    )
    assert distrusted[0] == 1 and "This system distrusts it (/etc/ca-certificates.conf" in " ".join(
        distrusted[1].split()
    )
    assert missing[0] == 1 and "update-ca-certificates is missing; install it: apt-get install" in missing[2]
    assert "  apt-get install ca-certificates\n" in missing[1]
    assert unknown[0] == UNCHANGED and "does not know how this system installs root certificates" in unknown[2]
    assert "CERTHOOK_EXTRA_CA_CERTS=" in unknown[1]
    assert overridden[0] == 0 and "because of SSL_CERT_FILE, SSL_CERT_DIR" in " ".join(overridden[1].split())


def test_nixos_gets_the_lines_of_its_configuration(machine) -> None:
    tree = {"/etc/os-release": b"ID=nixos\nNAME=NixOS\n", FILE: DEBIAN[FILE], "/etc/ssl/certs": Link("/etc/static")}
    ((status, output, errors),) = machine.run(tree, f'report(trust("--yes", "{FILE}"))')
    assert status == UNCHANGED and "part of its configuration" in errors
    assert f'  security.pki.certificateFiles = [ "{FILE}" ];\n  nixos-rebuild switch\n' in output
