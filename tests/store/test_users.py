"""Users and their permissions: the stores that a user's processes use, and the data that other users can read."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path
from typing import Iterator

import pytest
import support
from store_host import INDEX, LINK, Host
from store_machine import DEFAULT
from store_program import Program

import certhook

pytestmark = pytest.mark.usefixtures("root")

USER, OTHER_USER, GROUP = 54321, 54322, 54400
#: An arbitrary user ID of OpenShift, whose group is 0.
OPENSHIFT = 1000710000


@pytest.fixture
def program(host: Host) -> Iterator[Program]:
    """A program that has imported everything, so that its children can become any user.

    The interpreter may be readable only by root. The paths of the test are accessible in a mount namespace.
    """
    with started(host) as program:
        yield program


def started(host: Host, *flags: str, **variables: str | None) -> Program:
    """Start a program in a namespace in which the test's directory is at /mnt and /var/lib is empty."""
    top = host.roots.parent
    empty = "; ".join(f"mount -t tmpfs -o mode=755 tmpfs {path}" for path in ("/var/lib", "/var/cache"))
    setup = f"mount --bind {top} /mnt; {empty}"
    prefix = ("unshare", "-m", "--propagation", "private", "sh", "-ec", f'{setup}\nexec "$@"', "sh")
    top.chmod(0o755)
    env = {name: value.replace(str(top), "/mnt") for name, value in host.env.items()}
    for path in (host.file, host.hashed("both")):
        target = os.readlink(path)
        path.unlink()
        path.symlink_to(target.replace(str(top), "/mnt"))
    env = {name: value for name, value in {**env, **variables}.items() if value is not None}
    running = Program(host.python, env, prefix, flags)
    running("preload()")
    return running


def owned(host: Host, name: str, user: int, group: int | None = None, mode: int = 0o700) -> str:
    """Create a directory of *user*, and return its path for programs."""
    path = host.roots.parent / name
    path.mkdir()
    os.chown(path, user, user if group is None else group)
    path.chmod(mode)
    return f"/mnt/{name}"


def ordered(*names: str) -> list[str]:
    return [name for name in support.Authorities.names if name in names]


TRUSTED = ordered(*DEFAULT)


# Read permissions.


@pytest.mark.parametrize("input_", ["bundle", "file", "member", "extra"])
def test_a_process_never_uses_the_store_of_a_process_with_other_read_permissions(host, program, input_) -> None:
    """The bundle is readable only by a group; one user's processes have it or not."""
    paths = {
        "bundle": host.roots / "bundled.pem",
        "file": host.roots / "system.pem",
        "member": host.roots / "both.pem",
        "extra": host.roots / "extra.pem",
    }
    name = paths[input_].stem
    os.chown(paths[input_], 0, GROUP)
    paths[input_].chmod(0o640)
    everything = ordered(*DEFAULT, "extra")
    expected = {True: everything, False: [one for one in everything if one != name]}
    for is_member_first in (False, True):
        stores = owned(host, f"mine{is_member_first}", USER)
        environ = {"CERTHOOK_STORE_DIR": stores, "CERTHOOK_EXTRA_CA_CERTS": "/mnt/roots/extra.pem"}
        for is_member in (is_member_first, not is_member_first) * 2:
            groups = (GROUP,) if is_member else ()
            found = program.child("found()", user=USER, groups=groups, environ=environ)
            assert found == [expected[is_member], True]


def test_an_index_is_valid_for_processes_with_other_groups_if_all_can_read_everything(host, program) -> None:
    environ = {"CERTHOOK_STORE_DIR": owned(host, "mine", USER)}
    states = []
    for groups in ((), (GROUP,)):
        assert program.child("found()", user=USER, groups=groups, environ=environ, is_strict=True) == [TRUSTED, True]
        (index,) = (host.roots.parent / "mine").glob("index-*")
        states.append(index.stat().st_ino)
    assert states[0] == states[1]


def test_an_unreadable_directory_of_roots_is_detected(host, program) -> None:
    directory = host.roots / "private"
    directory.mkdir()
    (directory / "extra.pem").write_bytes(host.cas.pem("extra"))
    os.chown(directory, 0, GROUP)
    directory.chmod(0o750)
    environ = {"CERTHOOK_STORE_DIR": owned(host, "mine", USER), "CERTHOOK_EXTRA_CA_CERTS": "/mnt/roots/private"}
    for groups in ((GROUP,), (), (GROUP,)):
        expected = ordered(*DEFAULT, *(["extra"] if groups else []))
        assert program.child("trusted()", user=USER, groups=groups, environ=environ) == expected


# Owners.


def test_the_store_of_a_user_is_never_used_by_another(host, program) -> None:
    """The other user could replace it later."""
    environ = {"CERTHOOK_STORE_DIR": owned(host, "shared", USER, mode=0o755)}
    assert program.child("found()", user=USER, environ=environ, is_strict=True) == [TRUSTED, True]
    for user in (OTHER_USER, 0):
        assert program.child("found()", user=user, environ=environ, is_strict=True) == [TRUSTED, False]
    assert program.errors == ""


def test_a_store_of_root_is_used_by_every_user_who_configures_it(host, program) -> None:
    environ = {"CERTHOOK_STORE_DIR": "/mnt/stores"}
    assert program.child("found()", user=0, environ=environ, is_strict=True) == [TRUSTED, True]
    before = host.content()
    assert program.child("found()", user=USER, environ=environ, is_strict=True) == [TRUSTED, True]
    assert host.content() == before


def test_users_have_their_stores_in_their_data_directories(host, program) -> None:
    environ = {"CERTHOOK_STORE_DIR": None, "HOME": owned(host, "home", USER)}
    assert program.child("found()", user=USER, environ=environ, is_strict=True) == [TRUSTED, True]
    home = host.roots.parent / "home"
    assert LINK.fullmatch(next((home / ".local/share/certhook").glob("trust-*")).name)
    assert not (home / ".cache").exists()
    environ["XDG_DATA_HOME"] = "/mnt/home/data"
    assert program.child("found()", user=USER, environ=environ, is_strict=True) == [TRUSTED, True]
    assert list((home / "data/certhook").glob("trust-*"))


def test_the_stores_of_root_are_in_var_lib_regardless_of_the_home(host, program) -> None:
    """As with sudo -E."""
    environ = {"CERTHOOK_STORE_DIR": None, "HOME": owned(host, "home", USER), "XDG_DATA_HOME": "/mnt/home/data"}
    for user in (None, 0):
        assert program.child("found()", user=user, environ=environ, is_strict=True) == [TRUSTED, True]
    assert program("len([name for name in os.listdir('/var/lib/certhook') if name.startswith('trust-')])") == 1
    assert list((host.roots.parent / "home").iterdir()) == []


# Directories that cannot be used cause no warning.

UNUSABLE = {
    "home of another user, writable by group 0, as in OpenShift": (1000, 0, 0o775, OPENSHIFT, 0, 0o002),
    "home writable by its group": (USER, GROUP, 0o775, USER, USER, 0o022),
    "home writable by everyone": (USER, USER, 0o777, USER, USER, 0o022),
    "home of another user": (OTHER_USER, OTHER_USER, 0o755, USER, USER, 0o022),
    "home of another user, not accessible": (OTHER_USER, OTHER_USER, 0o700, USER, USER, 0o022),
    "home like /tmp": (0, 0, 0o1777, USER, USER, 0o022),
    "home of the overflow user": (65534, 65534, 0o755, USER, USER, 0o022),
}


@pytest.mark.parametrize("is_configured", [False, True], ids=["default", "configured"])
def test_a_directory_that_cannot_be_used_causes_no_warning_and_status_reports_the_reason(
    host, program, is_configured
) -> None:
    for number, (situation, (owner, group, mode, user, user_group, umask)) in enumerate(UNUSABLE.items()):
        home = owned(host, f"home{number}", owner, group, mode)
        environ = {"HOME": home, "CERTHOOK_STORE_DIR": f"{home}/stores" if is_configured else None}
        options = {"user": user, "group": user_group, "umask": umask, "environ": environ, "is_strict": True}
        assert program.child("found()", **options) == [TRUSTED, False], situation
        _, output = program.child("certhook('status', '--json')", **options)
        status = json.loads(output)
        assert status["store"] is None, situation
        assert status["problems"] == [], situation
        assert home in status["eager_reason"]
        assert "CERTHOOK_STORE_DIR" in status["eager_reason"] or "chmod" in status["eager_reason"], situation
    assert program.errors == ""


def test_a_debug_line_states_why_a_directory_is_not_used(host) -> None:
    home = owned(host, "home", USER, GROUP, 0o775)
    with started(host, CERTHOOK_STORE_DIR=None, HOME=home) as program:
        environ = {"CERTHOOK_DEBUG": "1"}
        assert program.child("found()", user=USER, environ=environ, is_strict=True) == [TRUSTED, False]
        assert f"{home} is writable by other users" in program.errors


def test_a_umask_of_002_yields_a_usable_store_in_a_home_of_the_user(host, program) -> None:
    """Fedora and Debian create a group for each user; directories that certhook creates are not writable by it."""
    home = owned(host, "home", USER)
    environ = {"CERTHOOK_STORE_DIR": None, "HOME": home}
    for _ in range(2):
        options = {"user": USER, "umask": 0o002, "environ": environ, "is_strict": True}
        assert program.child("found()", **options) == [TRUSTED, True]


def test_dash_w_error_breaks_no_program(host) -> None:
    home = owned(host, "home", 1000, 0, 0o775)
    with started(host, "-W", "error", CERTHOOK_STORE_DIR=None, HOME=home) as program:
        assert program.child("found()", user=OPENSHIFT, group=0, umask=0o002) == [TRUSTED, False]
        assert program.child("found()", user=USER) == [TRUSTED, False]
        assert program.errors == ""


# A store next to the package.


@pytest.fixture
def application(host: Host) -> Path:
    """A copy of the package in a directory of the user 1000, writable by group 0, as OpenShift's builders create it."""
    directory = host.roots.parent / "app"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(certhook.__file__).parent, directory / "certhook", ignore=ignored)
    for path in [directory, *directory.rglob("*")]:
        os.chown(path, 1000, 0)
        path.chmod(path.stat().st_mode | (path.stat().st_mode & 0o700) >> 3)
    return directory


@pytest.mark.parametrize("umask", [0o022, 0o002], ids=["umask 022", "umask 002"])
def test_a_store_next_to_the_package_is_used_by_every_user(host, application, umask) -> None:
    home = owned(host, "home", 1000, 0, 0o775)
    variables = {"PYTHONPATH": "/mnt/app", "CERTHOOK_STORE_DIR": None, "HOME": home}
    with started(host, **variables) as program:
        assert program("__import__('certhook').__file__") == "/mnt/app/certhook/__init__.py"
        status, _ = program.child("certhook('compile')", user=1000, group=0, umask=umask)
        assert status == 0, program.errors
        for user in (10001, OPENSHIFT, 1000, 0):
            options = {"user": user, "group": 0, "umask": umask, "is_strict": True}
            assert program.child("found()", **options) == [TRUSTED, True]
            _, output = program.child("certhook('status', '--json')", **options)
            assert json.loads(output)["store"].startswith("/mnt/app/certhook-store/")
            assert json.loads(output)["problems"] == []
        assert program.errors == ""


def test_a_directory_elsewhere_writable_by_a_group_is_not_used_because_a_package_may_be(host, application) -> None:
    """Only the directory next to the package has its trust."""
    stores = owned(host, "elsewhere", 1000, 0, 0o775)
    with started(host, PYTHONPATH="/mnt/app", CERTHOOK_STORE_DIR=stores) as program:
        program.child(f"certhook('compile', '--directory', {stores!r})", user=1000, group=0)
        assert program.child("found()", user=10001, group=0, is_strict=True) == [TRUSTED, False]


# Modes.


@pytest.mark.parametrize("user", [0, USER])
def test_modes_do_not_depend_on_the_umask(host, program, user) -> None:
    expected = {True: 0o755, False: 0o644} if user == 0 else {True: 0o700, False: 0o600}
    for umask in (0o777, 0o077, 0o022, 0o000):
        environ = {"CERTHOOK_STORE_DIR": owned(host, f"home{umask}", user) + "/a/stores"}
        options = {"user": user, "umask": umask, "environ": environ, "is_strict": True}
        for _ in range(2):
            assert program.child("found()", **options) == [TRUSTED, True]
        created = host.roots.parent / f"home{umask}" / "a"
        for path in [created, *created.rglob("*")]:
            if not path.is_symlink():
                assert stat.S_IMODE(path.stat().st_mode) == expected[path.is_dir()], path
        # A repair with the same umask.
        shutil.rmtree(next(path for path in (created / "stores").iterdir() if len(path.name) == 40))
        assert program.child("found()", **options) == [TRUSTED, True]
        assert program.child("found()", **{**options, "umask": 0o022}) == [TRUSTED, True]


# Credentials.

CREDENTIALS = [
    "//user:PASSWORD@host/roots.pem",
    "https://user:PASSWORD@host/roots.pem",
    "/mnt/https://user:PASSWORD@host/roots.pem",
]


def test_no_file_contains_credentials(host) -> None:
    """Root's stores are readable by every user."""
    names = ("SSL_CERT_FILE", "SSL_CERT_DIR", "NIX_SSL_CERT_FILE", "CERTHOOK_EXTRA_CA_CERTS", "CERTHOOK_BUNDLE")
    with host.program("-W", "ignore") as program:
        for environ in ({name: value} for name in names for value in CREDENTIALS):
            assert set(program.child("trusted()", environ=environ)) <= DEFAULT
            program.child("(make(), attempts(0, 'stranger'))[:0]", environ=environ)
            program.child("certhook('compile', '--directory', os.environ['CERTHOOK_STORE_DIR'])", environ=environ)
    assert host.location.is_dir()
    for path in host.location.rglob("*"):
        assert "PASSWORD" not in path.name
        if path.is_file():
            assert b"PASSWORD" not in path.read_bytes(), path


def test_an_ordinary_path_with_an_at_sign_has_an_index(host) -> None:
    path = host.roots / "me@host.pem"
    path.write_bytes(host.cas.pem("extra"))
    with host.program() as program:
        environ = {"CERTHOOK_EXTRA_CA_CERTS": str(path)}
        assert program.child("found()", environ=environ, is_strict=True) == [ordered(*DEFAULT, "extra"), True]
    assert host.named(INDEX)
