"""Attacks by another user of the machine and by hostile files, with real privileges and handshakes.

test_faults.py tests attacks on directories of stores; tests/sources and the fuzzer test hostile input.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Iterator

import pytest
import support

from certhook import _config
from certhook._state import BUNDLE
from certhook._store import verification
from certhook._text import presentable

posix = pytest.mark.skipif(os.name == "nt", reason="needs POSIX users and modes")
ATTACKER = 54321


def as_attacker(*capabilities: str) -> list[str]:
    """Return the prefix of a command that runs it as the attacker, with *capabilities*."""
    ids = [f"--reuid={ATTACKER}", f"--regid={ATTACKER}", "--clear-groups"]
    caps = [f"--{kind}-caps={','.join(f'+{name}' for name in capabilities)}" for kind in ("inh", "ambient")]
    return ["setpriv", *ids, *(caps if capabilities else [])]


# Programs with more privileges than their caller.


@pytest.fixture
def interpreter(root, installed: Path, public: Path) -> Path:
    """A copy of the interpreter, in an environment with certhook, that can get additional privileges."""
    python = public / "bin" / "python"
    python.parent.mkdir()
    shutil.copy(os.path.realpath(installed), python)
    shutil.copy(installed.parent.parent / "pyvenv.cfg", public)
    for name in ("lib", "lib64"):
        if (installed.parent.parent / name).exists():
            (public / name).symlink_to(installed.parent.parent / name)
    return python


@pytest.fixture
def variables(root, public: Path, cas, servers) -> Iterator[dict[str, str]]:
    """Variables of a caller that wants *stranger* to be trusted."""
    roots = public / "stranger.pem"
    roots.write_bytes(cas.pem("stranger"))
    # Not in a directory that every user can write to, where certhook never uses a store.
    cache = tempfile.mkdtemp(prefix="certhook-tests-", dir="/var/cache")
    shutil.chown(cache, ATTACKER, ATTACKER)
    yield {
        "CERTHOOK_BUNDLE": str(roots),
        "CERTHOOK_STORE_DIR": cache,
        "CERTHOOK_EXTRA_CA_CERTS": str(roots),
        "CERTHOOK_SOURCES": "system,bundled",
        "NIX_SSL_CERT_FILE": str(roots),
        "SERVERS": support.server_list(servers),
        "SSL_CERT_DIR": str(public),
        "SSL_CERT_FILE": str(roots),
    }
    shutil.rmtree(cache)


def run(*command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run *command* with *variables*."""
    return support.run_command(*command, env=support.clean_env(**variables))


def verdicts(prefix: list[str], python: Path, variables: dict[str, str]) -> tuple[str, dict[str, bool]]:
    """Return whether the hook is active ("True" or "False"), and the verdict on each authority.

    :param prefix: the start of the command, such as :func:`as_attacker`
    """
    done = run(*prefix, python, "-W", "ignore", "-c", f"{support.PRINT_HOOKED}\n{support.VERDICTS}", **variables)
    assert done.returncode == 0, done.stderr
    hooked, line = done.stdout.splitlines()
    return hooked, support.verdicts(line)


def test_without_additional_privileges_the_variables_apply(interpreter, variables) -> None:
    """The counterpart of the following tests: the variables are effective."""
    hooked, trusted = verdicts(as_attacker("dac_read_search"), interpreter, variables)
    assert (hooked, trusted["stranger"]) == ("True", True)
    assert os.listdir(variables["CERTHOOK_STORE_DIR"])
    hooked, trusted = verdicts(as_attacker("dac_read_search"), interpreter, {**variables, "CERTHOOK_DISABLED": "1"})
    assert (hooked, trusted["stranger"]) == ("False", True)


def add_set_uid(python: Path) -> None:
    python.chmod(0o4755)


def add_capabilities(python: Path) -> None:
    python.chmod(0o755)
    subprocess.run(["setcap", "cap_dac_read_search+ep", str(python)], check=True)


@pytest.mark.parametrize("disabled", ["", "1"], ids=["enabled", "disabled"])
@pytest.mark.parametrize("add_privileges", [add_set_uid, add_capabilities])
def test_a_privileged_program_ignores_the_variables_of_its_caller(
    interpreter, variables, add_privileges, disabled
) -> None:
    if add_privileges is add_capabilities and shutil.which("setcap") is None:
        assert not os.environ.get("CI"), "setcap (libcap2-bin) is not installed"
        pytest.skip("setcap (libcap2-bin) is not installed")
    add_privileges(interpreter)
    hooked, trusted = verdicts(as_attacker(), interpreter, {**variables, "CERTHOOK_DISABLED": disabled})
    assert hooked == "True"
    assert not any(trusted.values())
    assert os.listdir(variables["CERTHOOK_STORE_DIR"]) == []


#: Keeps root's capabilities when the process changes its user, since only root can read the tests' files.
KEEP_CAPABILITIES = ("setpriv", "--securebits=+no_setuid_fixup")
BECOME_ATTACKER = f"import os; os.setresgid({ATTACKER}, {ATTACKER}, 0); os.setresuid({ATTACKER}, {ATTACKER}, 0)\n"


def test_a_daemon_that_switches_its_user_keeps_the_variables_of_its_start(
    root, installed, tmp_path, cas, servers
) -> None:
    """As in OpenSSL, only the privileges at the start of the process matter, so the bundle stays excluded."""
    roots = tmp_path / "roots.pem"
    roots.write_bytes(cas.pem("system"))
    variables = {
        "PYTHONWARNINGS": "ignore",
        "SERVERS": support.server_list(servers),
        "SSL_CERT_DIR": str(tmp_path / "missing"),
        "SSL_CERT_FILE": str(roots),
    }
    code = f"import os; os.setegid({ATTACKER}); os.seteuid({ATTACKER})\n{COUNT_ROOTS}{support.VERDICTS}"
    done = run(*KEEP_CAPABILITIES, installed, "-c", code, **variables)
    assert (done.returncode, done.stderr) == (0, "")
    count, line = done.stdout.splitlines()
    assert count == "1"
    assert {name for name, trusted in support.verdicts(line).items() if trusted} == {"system"}


#: Prints the number of roots in a default context.
COUNT_ROOTS = "import ssl; print(len(ssl.create_default_context().get_ca_certs()))\n"


def test_a_process_that_becomes_root_does_not_use_the_store_of_its_former_user(installed, variables) -> None:
    used = {name: variables[name] for name in ("CERTHOOK_STORE_DIR", "SSL_CERT_FILE")}
    code = """
import ssl
as_user = ssl.create_default_context()
os.setresuid(0, 0, 0), os.setresgid(0, 0, 0)
as_root = ssl.create_default_context()
print(*(vars(context)["_certhook"].store is not None for context in (as_user, as_root)))
"""
    done = run(*KEEP_CAPABILITIES, installed, "-c", BECOME_ATTACKER + code, **used, CERTHOOK_DEBUG="1")
    assert (done.returncode, done.stdout) == (0, "True False\n")
    assert f"belongs to user {ATTACKER}" in done.stderr


# Races for the store directory.

# In an endless loop, places the attacker's directory or a link to it at the path of the victim's and removes it.
SWAP_DIRECTORIES = """
import os, sys
path, evil = sys.argv[1:]
print("ready", flush=True)
def attempt(function, *args):
    try:
        function(*args)
    except OSError:
        pass
while True:
    for step in ((os.symlink, evil, path), (os.unlink, path), (os.rename, evil, path), (os.rename, path, evil),
                 (os.mkdir, path), (os.rmdir, path)):
        attempt(*step)
"""


@posix
def test_an_attacker_who_swaps_directories_adds_no_root(root, public, installed, cas, servers, tmp_path) -> None:
    """The attacker has a complete store for the same inputs, in a directory that every user can write to."""
    cache, evil, roots = public / "cache", public / "evil", public / "system.pem"
    roots.write_bytes(cas.pem("system"))
    variables = {
        "CERTHOOK_STORE_DIR": str(cache),
        "CERTHOOK_SOURCES": "system",
        "SERVERS": support.server_list(servers),
        "SSL_CERT_DIR": str(public / "none"),
        "SSL_CERT_FILE": str(roots),
    }
    expected = {name: name == "system" for name in support.Authorities.names}
    # If root owned the store, it would be used: this shows that the attacker's store is effective.
    owned_by_root = tmp_path / "cache"
    build_malicious_store(installed, {**variables, "CERTHOOK_STORE_DIR": str(owned_by_root)}, owned_by_root, cas)
    assert verdicts([], installed, {**variables, "CERTHOOK_STORE_DIR": str(owned_by_root)}) == (
        "True",
        {name: name == "stranger" for name in expected},
    )
    shutil.copytree(owned_by_root, evil)
    for directory, _, names in os.walk(evil):
        for path in (directory, *(f"{directory}/{name}" for name in names)):
            os.chown(path, ATTACKER, ATTACKER)

    command = [*as_attacker("dac_read_search"), str(installed), "-S", "-c", SWAP_DIRECTORIES, str(cache), str(evil)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=support.clean_env()) as attack:
        try:
            assert attack.stdout.readline() == b"ready\n"
            for _ in range(40):
                assert verdicts([], installed, variables) == ("True", expected)
            assert attack.poll() is None
        finally:
            attack.kill()


def build_malicious_store(python: Path, variables: dict[str, str], cache: Path, cas) -> None:
    """Build the victim's cache directory, and replace the roots in its store with *stranger*."""
    verdicts([], python, variables)
    (store,) = (path for path in cache.iterdir() if path.is_dir() and not path.is_symlink())
    for path in store.glob("*.0"):
        path.unlink()
    name = support.hashed_name(cas.der("stranger"))
    (store / name).write_bytes(cas.pem("stranger"))
    (store / BUNDLE).write_bytes(cas.pem("stranger"))
    content = {path.name: path.read_bytes() for path in store.iterdir() if path.name != verification.MANIFEST}
    (store / verification.MANIFEST).write_bytes(verification.manifest(content))


VICTIM = 54322

# Removes what no program uses from a directory of the attacker, like a cold start, "compile --prune" and a named file.
CLEAN_REPEATEDLY = """
import os, sys
from certhook._store import Unusable, prune
from certhook._store.opening import open_stores
attacked = os.path.join(os.environ["XDG_CACHE_HOME"], "certhook")
refused = 0
def attempt(function):
    try:
        function()
    except (OSError, Unusable):
        return 1
    return 0
def sweep():
    with open_stores(attacked, create=0o700) as stores:
        stores.create("new", b"", 0o600)
        prune.sweep(stores)
for _ in range(int(sys.argv[1])):
    prune.remove_former()
    refused += attempt(lambda: prune.prune(attacked)) + attempt(sweep)
print(refused)
"""


def test_a_user_who_cleans_up_removes_nothing_that_an_attacker_chooses(root, installed) -> None:
    """The attacker replaces the directory by a link to one of the victim's, whose entries have names of stores."""
    base = Path(tempfile.mkdtemp(prefix="certhook-tests-", dir="/var/cache"))
    base.chmod(0o755)
    try:
        victim, attacked = base / "victim", base / "attacker" / "certhook"
        # As in the cache of Hugging Face's hub: a snapshot has the name of a commit.
        names = ["ab" * 20, f".{'cd' * 20}.{'0' * 16}", f"index-{'0' * 8}", f"file-{'ab' * 20}"]
        for name in names:
            (victim / name).mkdir(parents=True)
            (victim / name / "cert.pem").write_bytes(b"precious")
            os.utime(victim / name, (1, 1))
        attacked.parent.mkdir()
        os.chown(attacked.parent, ATTACKER, ATTACKER)
        for path in (victim, *victim.rglob("*")):
            os.chown(path, VICTIM, VICTIM)
        as_victim = [word.replace(str(ATTACKER), str(VICTIM)) for word in as_attacker("dac_read_search")]
        environ = support.clean_env(XDG_CACHE_HOME=str(attacked.parent))
        clean = [*as_victim, installed, "-c", CLEAN_REPEATEDLY]
        # Without a race: the link already exists.
        attacked.symlink_to(victim)
        assert support.run_command(*clean, 1, env=environ).stdout == "2\n"
        assert sorted(os.listdir(victim)) == sorted(names)
        attacked.unlink()
        command = [*as_attacker("dac_read_search"), str(installed), "-S", "-c", SWAP_DIRECTORIES, attacked, victim]
        with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, env=support.clean_env()) as attack:
            try:
                assert attack.stdout.readline() == b"ready\n"
                assert support.run_command(*clean, 500, env=environ).stdout == "1000\n"
                assert attack.poll() is None
            finally:
                attack.kill()
        assert sorted(os.listdir(victim)) == sorted(names)
    finally:
        shutil.rmtree(base)


# Secrets in messages.

SECRET = "c2VjcmV0IGtleSBtYXRlcmlhbA"


@pytest.mark.parametrize("arguments", [("-c", "import ssl; ssl.create_default_context()"), ("-m", "certhook")])
def test_messages_contain_no_file_content(installed, tmp_path, arguments) -> None:
    """A file of roots may contain a private key and malformed blocks."""
    block = "-----BEGIN {0}-----\n{1}\n-----END {0}-----\n"
    labels = ("PRIVATE KEY", "CERTIFICATE", "TRUSTED CERTIFICATE")
    (tmp_path / "roots.pem").write_text("".join(block.format(label, SECRET) for label in labels) + SECRET)
    done = run(
        installed,
        *arguments,
        CERTHOOK_DEBUG="1",
        CERTHOOK_EXTRA_CA_CERTS=str(tmp_path / "roots.pem"),
        CERTHOOK_BUNDLE=str(tmp_path / "roots.pem"),
        HTTPS_PROXY=f"http://user:{SECRET}@proxy.example",
    )
    assert "roots.pem" in done.stderr
    assert SECRET[:12] not in done.stdout + done.stderr


KEY = "-----BEGIN PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n" + SECRET + "\n-----END PRIVATE KEY-----\n"
URLS = [f"https://user:{before}{SECRET}@mirror.example/ca.pem" for before in ("", "p@ss@", "a/b c?", "a\n")]
ENCODED = base64.b64encode(KEY.encode()).decode()
# A key in the source code of a program.
CONCATENATED = " + ".join(f"'{line}\\n'" for line in KEY.splitlines())


@pytest.mark.parametrize(
    "value", [*URLS, URLS[1].partition(":")[2], KEY, KEY.partition("-----END")[0], CONCATENATED, ENCODED]
)
@pytest.mark.parametrize("setting", sorted({*_config.VARIABLES} - {"CERTHOOK_DEBUG", "CERTHOOK_DISABLED"}))
def test_messages_contain_no_secrets_from_variables(installed, setting, value) -> None:
    """The value is a URL with a password, or a private key, instead of a path."""
    env = {**support.clean_env(CERTHOOK_DEBUG="1", SSL_CERT_FILE="/dev/null", CERTHOOK_STORE_DIR=""), setting: value}
    done = support.run(installed, "import ssl; ssl.create_default_context()", env=env)
    assert setting in done.stderr
    output = (done.stdout + done.stderr).lower()
    assert SECRET[:12].lower() not in output and ENCODED[30:50].lower() not in output


@pytest.mark.parametrize(
    "text, expected",
    [
        ("/usr//lib, /home/me@corp.example/ca.pem", "/usr//lib, /home/me@corp.example/ca.pem"),
        ("C:/Users/me@corp/ca.pem", "C:/Users/me@corp/ca.pem"),
        ("https://me:secret@mirror/ca.pem", "https://...@mirror/ca.pem"),
        ("/https:/me:secret@mirror/ca.pem", "/https:/...@mirror/ca.pem"),
        ("'//me:se//cr@et@mirror/ca.pem'", "'//...@mirror/ca.pem'"),
        # Linear time, up to the longest message.
        ("@" + "//" * 30_000, "@" + "//" * 1999 + "/..."),
        ("not a path: @" + "//" * 200_000, "not a path:..."),
    ],
)
def test_credentials_are_removed_and_paths_are_kept(text, expected) -> None:
    assert presentable(text) == expected


@pytest.mark.parametrize(
    "text, expected",
    [
        (f"A: '{KEY}' is not a path", "A: '(PEM text)\\n' is not a path"),
        (f"A: {CONCATENATED!r} is not a path", "A: \"'(PEM text)\\\\n'\" is not a path"),
        ("A: '-----BEGIN PRIVATE KEY-----' is not a path", "A: '(PEM text)' is not a path"),
        ("'-----BEGIN " * 100_000, ("'(PEM text)" * 400)[:4000] + "..."),  # linear time
    ],
)
def test_pem_text_is_removed_and_the_rest_of_the_message_is_kept(text, expected) -> None:
    assert presentable(text) == expected


def test_control_characters_in_a_variable_are_escaped(installed) -> None:
    env = support.clean_env(SSL_CERT_FILE="/none\x1b[2J\ncerthook: all is well")
    done = support.run(installed, "import ssl; ssl.create_default_context()", env=env)
    assert "SSL_CERT_FILE" in done.stderr and r"\x1b[2J\ncerthook" in done.stderr
    assert "\x1b" not in done.stderr and "\ncerthook" not in done.stderr


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="paths are Unicode text on these systems")
def test_paths_that_are_not_valid_utf8_work(installed, tmp_path, cas, servers) -> None:
    directory = tmp_path / os.fsdecode(b"\xff\n \xc3\x28")
    directory.mkdir()
    for name in ("system", "bundled", "extra"):
        (directory / name).write_bytes(cas.pem(name))
    env = support.clean_env(
        CERTHOOK_BUNDLE=str(directory / "bundled"),
        CERTHOOK_STORE_DIR=str(directory / "cache"),
        CERTHOOK_EXTRA_CA_CERTS=str(directory / "extra"),
        CERTHOOK_SOURCES="system,bundled",
        LC_ALL="C",
        SERVERS=support.server_list(servers),
        SSL_CERT_DIR=str(directory),
        SSL_CERT_FILE=str(directory / "system"),
    )
    for _ in range(2):
        done = support.run(installed, support.VERDICTS, "-W", "ignore", env=env)
        trusted = support.verdicts(done.stdout)
        assert {name for name in trusted if trusted[name]} == {"system", "bundled", "extra"}
    assert os.listdir(directory / "cache")
