"""A hostile neighbourhood: what another user of the machine, or a file of theirs, can do. Real attacks and handshakes.

Those on the folders of compiled stores are in test_faults.py, those by input in test_sources.py and the fuzzing.
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

from certhook import _config, _store
from certhook.exceptions import presentable

posix = pytest.mark.skipif(os.name == "nt", reason="users and modes are a thing of POSIX")
ATTACKER = 54321


def as_attacker(*capabilities: str) -> list[str]:
    """What runs a command behind it as the attacker, with *capabilities*."""
    ids = [f"--reuid={ATTACKER}", f"--regid={ATTACKER}", "--clear-groups"]
    caps = [f"--{kind}-caps={','.join(f'+{name}' for name in capabilities)}" for kind in ("inh", "ambient")]
    return ["setpriv", *ids, *(caps if capabilities else [])]


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that every user of the machine can look into, and make folders in, as in /tmp."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o1777)
        yield Path(folder)


# Programs with rights that their caller has not.


@pytest.fixture
def raised(root, installed: Path, public: Path) -> Path:
    """An interpreter of its own for somebody to raise the rights of, in an environment with certhook."""
    python = public / "bin" / "python"
    python.parent.mkdir()
    shutil.copy(os.path.realpath(installed), python)
    shutil.copy(installed.parent.parent / "pyvenv.cfg", public)
    for name in ("lib", "lib64"):
        if (installed.parent.parent / name).exists():
            (public / name).symlink_to(installed.parent.parent / name)
    return python


HOOKED = "import ssl; print(hasattr(ssl.create_default_context, '__certhook__'))\n"


@pytest.fixture
def variables(root, public: Path, cas, servers) -> Iterator[dict[str, str]]:
    """What a caller would set to have *stranger* trusted."""
    roots = public / "stranger.pem"
    roots.write_bytes(cas.pem("stranger"))
    # Not in a folder where everybody can write: there no store is used anyway.
    cache = tempfile.mkdtemp(prefix="certhook-tests-", dir="/var/cache")
    shutil.chown(cache, ATTACKER, ATTACKER)
    yield {
        "CERTHOOK_BUNDLE": str(roots),
        "CERTHOOK_CACHE_DIR": cache,
        "CERTHOOK_EXTRA_CA_CERTS": str(roots),
        "CERTHOOK_SOURCES": "system,bundled",
        "NIX_SSL_CERT_FILE": str(roots),
        "SERVERS": support.server_list(servers),
        "SSL_CERT_DIR": str(public),
        "SSL_CERT_FILE": str(roots),
    }
    shutil.rmtree(cache)


def ask(command: list[str], python: Path, variables: dict[str, str]) -> tuple[str, dict[str, bool]]:
    """Whether the hook is active, and whom the program trusts."""
    env = support.clean_env(**variables)
    done = subprocess.run(
        [*command, str(python), "-W", "ignore", "-c", HOOKED + support.VERDICTS],
        env=env,
        cwd=os.sep,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    hooked, verdicts = done.stdout.splitlines()
    return hooked, support.verdicts(verdicts)


def test_whose_rights_are_not_raised_is_obeyed(raised, variables) -> None:
    """Else the attacks below would prove nothing."""
    hooked, trusted = ask(as_attacker("dac_read_search"), raised, variables)
    assert (hooked, trusted["stranger"]) == ("True", True)
    assert os.listdir(variables["CERTHOOK_CACHE_DIR"])
    hooked, trusted = ask(as_attacker("dac_read_search"), raised, {**variables, "CERTHOOK_DISABLED": "1"})
    assert (hooked, trusted["stranger"]) == ("False", True)


def set_uid(python: Path) -> None:
    python.chmod(0o4755)


def capable(python: Path) -> None:
    python.chmod(0o755)
    subprocess.run(["setcap", "cap_dac_read_search+ep", str(python)], check=True)


@pytest.mark.parametrize("disabled", ["", "1"], ids=["", "switched off"])
@pytest.mark.parametrize("rights", [set_uid, capable])
def test_a_program_with_more_rights_than_its_caller_does_not_listen_to_it(raised, variables, rights, disabled) -> None:
    if rights is capable and shutil.which("setcap") is None:
        assert not os.environ.get("CI"), "setcap (libcap2-bin) is needed"
        pytest.skip("there is no setcap (libcap2-bin)")
    rights(raised)
    hooked, trusted = ask(as_attacker(), raised, {**variables, "CERTHOOK_DISABLED": disabled})
    assert hooked == "True"
    assert not any(trusted.values())
    assert os.listdir(variables["CERTHOOK_CACHE_DIR"]) == []


#: Takes on the rights of a user, with root's capabilities, since files of the tests are root's alone.
LIKE_ROOT = ("setpriv", "--securebits=+no_setuid_fixup")
AS_USER = f"import os; os.setresgid({ATTACKER}, {ATTACKER}, 0); os.setresuid({ATTACKER}, {ATTACKER}, 0)\n"


def test_a_daemon_that_takes_on_the_rights_of_a_user_trusts_what_it_was_started_to(
    root, installed, tmp_path, cas, servers
) -> None:
    """Not the bundle, which the variable left out: OpenSSL looks at the start of a program alone."""
    roots = tmp_path / "roots.pem"
    roots.write_bytes(cas.pem("system"))
    store = {"SSL_CERT_FILE": str(roots), "SSL_CERT_DIR": str(tmp_path / "none"), "PYTHONWARNINGS": "ignore"}
    env = support.clean_env(**store, SERVERS=support.server_list(servers))
    code = f"import os; os.setegid({ATTACKER}); os.seteuid({ATTACKER})\n{COUNTED}{support.VERDICTS}"
    done = subprocess.run([*LIKE_ROOT, str(installed), "-c", code], env=env, capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stderr) == (0, "")
    count, verdicts = done.stdout.splitlines()
    assert count == "1"
    assert {name for name, trusted in support.verdicts(verdicts).items() if trusted} == {"system"}


#: How many roots a default context has.
COUNTED = "import ssl; print(len(ssl.create_default_context().get_ca_certs()))\n"


def test_root_uses_no_store_of_the_user_that_it_was_a_moment_ago(installed, variables, cas, servers) -> None:
    env = support.clean_env(
        CERTHOOK_CACHE_DIR=variables["CERTHOOK_CACHE_DIR"], SSL_CERT_FILE=variables["SSL_CERT_FILE"]
    )
    contexts = """
import ssl
as_user = ssl.create_default_context()
os.setresuid(0, 0, 0), os.setresgid(0, 0, 0)
as_root = ssl.create_default_context()
print(*("_certhook_store" in vars(context) for context in (as_user, as_root)))
"""
    command = [*LIKE_ROOT, str(installed), "-c", AS_USER + contexts]
    done = subprocess.run(command, env=env, capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stdout) == (0, "True False\n")
    assert f"belongs to user {ATTACKER}" in done.stderr


# Races for the folder of stores.

# Puts a folder of the attacker's, or a link to it, in the place of the victim's, and takes it away, for ever.
FLIP = """
import os, sys
place, evil = sys.argv[1:]
print("ready", flush=True)
def attempt(function, *args):
    try:
        function(*args)
    except OSError:
        pass
while True:
    for step in ((os.symlink, evil, place), (os.unlink, place), (os.rename, evil, place), (os.rename, place, evil),
                 (os.mkdir, place), (os.rmdir, place)):
        attempt(*step)
"""


@posix
def test_whoever_races_for_the_folder_gets_no_root_into_it(root, public, installed, cas, servers, tmp_path) -> None:
    """In a folder that everybody can write to, the attacker has a whole store ready, made for the very same inputs."""
    place, evil, roots = public / "cache", public / "evil", public / "system.pem"
    roots.write_bytes(cas.pem("system"))
    variables = {
        "CERTHOOK_CACHE_DIR": str(place),
        "CERTHOOK_SOURCES": "system",
        "SERVERS": support.server_list(servers),
        "SSL_CERT_DIR": str(public / "none"),
        "SSL_CERT_FILE": str(roots),
    }
    right = {name: name == "system" for name in support.Authorities.names}
    # As root's own it would be believed: the store is as good as the attacker can make it.
    own = tmp_path / "cache"
    prepare(installed, {**variables, "CERTHOOK_CACHE_DIR": str(own)}, own, cas)
    assert ask([], installed, {**variables, "CERTHOOK_CACHE_DIR": str(own)}) == (
        "True",
        {name: name == "stranger" for name in right},
    )
    shutil.copytree(own, evil)
    for folder, _, names in os.walk(evil):
        for path in (folder, *(f"{folder}/{name}" for name in names)):
            os.chown(path, ATTACKER, ATTACKER)

    command = [*as_attacker("dac_read_search"), str(installed), "-S", "-c", FLIP, str(place), str(evil)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=support.clean_env()) as attack:
        try:
            assert attack.stdout.readline() == b"ready\n"
            for _ in range(40):
                assert ask([], installed, variables) == ("True", right)
            assert attack.poll() is None
        finally:
            attack.kill()


def prepare(python: Path, variables: dict[str, str], place: Path, cas) -> None:
    """Make *place* the folder that the victim would make, but for the roots in it."""
    ask([], python, variables)
    (store,) = (path for path in place.iterdir() if path.is_dir())
    for path in store.glob("*.0"):
        path.unlink()
    name = support.hashed_name(cas.der("stranger"))
    (store / name).write_bytes(cas.pem("stranger"))
    (store / _store.BUNDLE).write_bytes(cas.pem("stranger"))
    sizes = {path.name: path.stat().st_size for path in store.iterdir() if path.name != _store.MANIFEST}
    (store / _store.MANIFEST).write_bytes(_store.manifest(sizes))


# What is said, and where.

SECRET = "c2VjcmV0IGtleSBtYXRlcmlhbA"


@pytest.mark.parametrize("arguments", [("-c", "import ssl; ssl.create_default_context()"), ("-m", "certhook")])
def test_nothing_of_the_content_of_a_file_is_shown(installed, tmp_path, arguments) -> None:
    """A file of roots may hold a key, and one block of it may be broken."""
    block = "-----BEGIN {0}-----\n{1}\n-----END {0}-----\n"
    labels = ("PRIVATE KEY", "CERTIFICATE", "TRUSTED CERTIFICATE")
    (tmp_path / "roots.pem").write_text("".join(block.format(label, SECRET) for label in labels) + SECRET)
    env = support.clean_env(
        CERTHOOK_DEBUG="1",
        CERTHOOK_EXTRA_CA_CERTS=str(tmp_path / "roots.pem"),
        CERTHOOK_BUNDLE=str(tmp_path / "roots.pem"),
        HTTPS_PROXY=f"http://user:{SECRET}@proxy.example",
    )
    done = subprocess.run([str(installed), *arguments], env=env, cwd=os.sep, capture_output=True, encoding="utf-8")
    assert "roots.pem" in done.stderr
    assert SECRET[:12] not in done.stdout + done.stderr


KEY = "-----BEGIN PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n" + SECRET + "\n-----END PRIVATE KEY-----\n"


URLS = [f"https://user:{before}{SECRET}@mirror.example/ca.pem" for before in ("", "p@ss@", "a/b c?", "a\n")]
ENCODED = base64.b64encode(KEY.encode()).decode()


@pytest.mark.parametrize("value", [*URLS, URLS[1].partition(":")[2], KEY, KEY.partition("-----END")[0], ENCODED])
@pytest.mark.parametrize("setting", sorted({*_config.VARIABLES} - {"CERTHOOK_DEBUG"}))
def test_no_secret_in_a_variable_is_shown(installed, setting, value) -> None:
    """A URL with a password, or a key, in place of a path."""
    env = {**support.clean_env(CERTHOOK_DEBUG="1", SSL_CERT_FILE="/dev/null"), setting: value}
    done = support.run(installed, "import ssl; ssl.create_default_context()", env=env)
    assert setting in done.stderr
    said = (done.stdout + done.stderr).lower()
    assert SECRET[:12].lower() not in said and ENCODED[30:50].lower() not in said


@pytest.mark.parametrize(
    "text, shown",
    [
        ("/usr//lib, /home/me@corp.example/ca.pem", "/usr//lib, /home/me@corp.example/ca.pem"),
        ("C:/Users/me@corp/ca.pem", "C:/Users/me@corp/ca.pem"),
        ("https://me:secret@mirror/ca.pem", "https://...@mirror/ca.pem"),
        ("/https:/me:secret@mirror/ca.pem", "/https:/...@mirror/ca.pem"),
        ("'//me:se//cr@et@mirror/ca.pem'", "'//...@mirror/ca.pem'"),
        ("@" + "//" * 200_000, "@" + "//" * 1999 + "/..."),  # in a moment
    ],
)
def test_a_login_is_hidden_and_a_path_is_not(text, shown) -> None:
    assert presentable(text) == shown


def test_nothing_in_a_variable_moves_the_cursor_or_forges_a_line(installed) -> None:
    env = support.clean_env(SSL_CERT_FILE="/none\x1b[2J\ncerthook: all is well")
    done = support.run(installed, "import ssl; ssl.create_default_context()", env=env)
    assert "SSL_CERT_FILE" in done.stderr and r"\x1b[2J\ncerthook" in done.stderr
    assert "\x1b" not in done.stderr and "\ncerthook" not in done.stderr


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="paths are text there")
def test_paths_that_are_no_text_work_like_others(installed, tmp_path, cas, servers) -> None:
    folder = tmp_path / os.fsdecode(b"\xff\n \xc3\x28")
    folder.mkdir()
    for name in ("system", "bundled", "extra"):
        (folder / name).write_bytes(cas.pem(name))
    env = support.clean_env(
        CERTHOOK_BUNDLE=str(folder / "bundled"),
        CERTHOOK_CACHE_DIR=str(folder / "cache"),
        CERTHOOK_EXTRA_CA_CERTS=str(folder / "extra"),
        CERTHOOK_SOURCES="system,bundled",
        LC_ALL="C",
        SERVERS=support.server_list(servers),
        SSL_CERT_DIR=str(folder),
        SSL_CERT_FILE=str(folder / "system"),
    )
    for _ in range(2):
        done = support.run(installed, support.VERDICTS, "-W", "ignore", env=env)
        trusted = support.verdicts(done.stdout)
        assert {name for name in trusted if trusted[name]} == {"system", "bundled", "extra"}
    assert os.listdir(folder / "cache")
