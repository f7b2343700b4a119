"""``python -m certhook compile``: a store that is built into a container image makes the first context warm."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import tarfile
from pathlib import Path
from typing import Iterator, NamedTuple

import pytest
import support

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")

# Prints the authorities that the default contexts for servers and for clients trust, and whether sources were read.
PROGRAM = (
    support.VERDICTS.split("context = ")[0]
    + """
import json, sys
server, client = (ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) for _ in range(2))
server.load_default_certs()
client.load_default_certs(ssl.Purpose.CLIENT_AUTH)
read = "certhook._sources" in sys.modules
servers = [server.split(":") for server in os.environ["SERVERS"].split()]
trusted = [[name for name, port in servers if verdict(port, context) == "yes"] for context in (server, client)]
print(json.dumps([*trusted, read]))
"""
)


class Outcome(NamedTuple):
    """The trust in one process."""

    #: The authorities that are trusted for servers.
    servers: set[str]
    #: The authorities that are trusted for clients.
    clients: set[str]
    #: Whether the process read the sources, because it found no store.
    read: bool


PREBUILT = Outcome({"system", "both", "bundled"}, {"system", "both"}, read=False)
READ = PREBUILT._replace(read=True)


class Image:
    """A container image: an environment with certhook, and the files that its roots are read from."""

    def __init__(self, directory: Path, python: Path, cas: support.Authorities, servers: support.Servers) -> None:
        self.directory = directory
        self.python = python
        self.beside = support.purelib(python) / "certhook-store"
        self.roots = directory / "roots"
        self.file = self.roots / "system.pem"
        self.cas = cas
        self.env = support.clean_env(
            SSL_CERT_FILE=str(self.file),
            SSL_CERT_DIR=str(self.roots),
            CERTHOOK_SOURCES="system,bundled",
            CERTHOOK_BUNDLE=str(self.roots / "bundled.pem"),
            CERTHOOK_CACHE_DIR=str(directory / "cache"),
            SERVERS=support.server_list(servers),
        )

    def reset(self) -> None:
        for path in (self.beside, self.roots, self.directory / "cache"):
            shutil.rmtree(str(path), ignore_errors=True)
        self.roots.mkdir()
        self.file.write_bytes(self.cas.pem("system"))
        (self.roots / "bundled.pem").write_bytes(self.cas.pem("bundled"))
        self.hashed("both").write_bytes(self.cas.pem("both"))

    def hashed(self, name: str) -> Path:
        """Return the path of an authority's root in the hashed directory."""
        return self.roots / support.hashed_name(self.cas.der(name))

    def environment(self, **variables: str | None) -> dict[str, str]:
        return {name: value for name, value in {**self.env, **variables}.items() if value is not None}

    def compile(self, *arguments: str, **variables: str | None) -> subprocess.CompletedProcess[str]:
        command = [str(self.python), "-m", "certhook", "compile", *arguments]
        return subprocess.run(
            command,
            env=self.environment(**variables),
            cwd=str(self.directory),
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )

    def run(self, *prefix: str, **variables: str | None) -> Outcome:
        """Return the trust in a new process, which *prefix* starts."""
        command = [*prefix, str(self.python), "-W", "error", "-c", PROGRAM]
        done = subprocess.run(command, env=self.environment(**variables), capture_output=True, encoding="utf-8")
        assert (done.returncode, done.stderr) == (0, "")
        servers, clients, read = json.loads(done.stdout)
        return Outcome(set(servers), set(clients), read)


@pytest.fixture(scope="module")
def image_python(tmp_path_factory, wheel: Path, pip_install) -> Path:
    """An environment for this module alone, because stores are built in it."""
    python = support.make_environment(tmp_path_factory.mktemp("image") / "environment")
    pip_install(python, wheel)
    support.byte_compile(python)
    return python


@pytest.fixture
def image(image_python: Path, cas: support.Authorities, servers: support.Servers) -> Image:
    image = Image(image_python.parent.parent.parent, image_python, cas, servers)
    image.reset()
    return image


@pytest.fixture
def compiled(image: Image) -> Image:
    """An image with a compiled store."""
    done = image.compile()
    assert (done.returncode, done.stderr) == (0, "")
    return image


def stores(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir() if path.is_dir())


# The store.


def test_the_number_of_roots_and_the_store_are_reported(image) -> None:
    done = image.compile()
    assert (done.returncode, done.stderr) == (0, "")
    count, _, path = done.stdout.strip().partition(" root certificates compiled into ")
    assert count == "3"
    assert Path(path).parent == image.beside
    assert len(list(Path(path).glob("*.0"))) == 3


def test_one_store_for_each_purpose_is_built_next_to_the_package(compiled) -> None:
    assert len(stores(compiled.beside)) == 2
    assert len(list(compiled.beside.iterdir())) == 4
    assert not (compiled.directory / "cache").exists()


def test_compiling_again_keeps_a_complete_store(compiled) -> None:
    before = {path: path.stat().st_ino for path in compiled.beside.rglob("*") if not path.name.startswith("index")}
    again = compiled.compile()
    assert again.returncode == 0
    after = {path: path.stat().st_ino for path in compiled.beside.rglob("*") if not path.name.startswith("index")}
    assert after == before
    assert compiled.run() == PREBUILT


@posix
def test_every_user_may_read_the_store_whatever_the_umask_and_only_the_owner_may_write(image) -> None:
    umask = os.umask(0o077)
    try:
        image.compile()
    finally:
        os.umask(umask)
    modes = {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in [image.beside, *image.beside.rglob("*")]}
    assert modes == {(True, 0o755), (False, 0o644)}


def test_the_store_is_built_in_a_named_directory(image) -> None:
    done = image.compile("--directory", str(image.directory / "cache"))
    assert (done.returncode, done.stderr) == (0, "")
    assert not image.beside.exists()
    assert image.run() == PREBUILT
    assert image.run(CERTHOOK_CACHE_DIR="none") == READ


def test_a_relative_directory_is_relative_to_the_working_directory(image) -> None:
    done = image.compile("--directory", "cache")
    assert f"compiled into {image.directory / 'cache'}{os.sep}" in done.stdout
    assert image.run() == PREBUILT


def test_without_a_system_store_no_store_for_clients_is_built(image) -> None:
    image.compile(CERTHOOK_SOURCES="bundled")
    assert len(stores(image.beside)) == 1
    env = image.environment(CERTHOOK_SOURCES="bundled")
    found = support.verdicts(support.run(image.python, support.VERDICTS, env=env).stdout)
    assert {name for name in found if found[name]} == {"bundled"}
    assert not (image.directory / "cache").exists()


# Its use.


def test_a_process_uses_the_store_without_reading_sources(compiled) -> None:
    assert compiled.run() == PREBUILT
    assert not (compiled.directory / "cache").exists()


def test_the_store_next_to_the_package_precedes_the_users_own(compiled) -> None:
    # A process in a container therefore does not write unless it must.
    compiled.compile("--directory", str(compiled.directory / "cache"))
    for name in stores(compiled.beside):
        shutil.rmtree(str(compiled.directory / "cache" / name))
    assert compiled.run() == PREBUILT


def test_the_store_is_used_on_a_read_only_file_system_without_a_home(compiled, root) -> None:
    remount = 'mount -o remount,bind,ro /; exec "$@"'
    read_only = ["unshare", "-m", "--propagation", "private", "sh", "-ec", remount, "sh"]
    assert compiled.run(*read_only, CERTHOOK_CACHE_DIR=None, HOME=None) == PREBUILT


def test_the_store_is_used_by_a_user_without_a_home_and_write_permissions(compiled, root) -> None:
    # The capability is needed because the interpreter of the tests may be in root's home.
    user = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"]
    reading = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    assert compiled.run(*user, *reading, CERTHOOK_CACHE_DIR=None, HOME=None) == PREBUILT
    shutil.rmtree(str(compiled.beside))
    assert compiled.run(*user, *reading, CERTHOOK_CACHE_DIR=None, HOME=None) == READ


@pytest.fixture
def packed(compiled: Image, tmp_path: Path) -> Iterator[Image]:
    """The image after it was packed and unpacked, like the layers of a container image."""
    archive = tmp_path / "layer.tar"
    before = compiled.file.stat()
    with tarfile.open(str(archive), "w", format=tarfile.USTAR_FORMAT) as tar:  # a format with whole seconds
        tar.add(str(compiled.directory), ".")
    original = compiled.directory.with_suffix(".original")
    compiled.directory.rename(original)
    try:
        with tarfile.open(str(archive)) as tar:
            tar.extractall(str(compiled.directory), **({"filter": "tar"} if hasattr(tarfile, "tar_filter") else {}))
        after = compiled.file.stat()
        assert after.st_ino != before.st_ino
        assert after.st_mtime_ns % 10**9 == 0 != before.st_mtime_ns % 10**9
        yield compiled
    finally:
        shutil.rmtree(str(compiled.directory))
        original.rename(compiled.directory)


def test_the_store_remains_valid_after_the_image_is_packed(packed) -> None:
    assert packed.run() == PREBUILT


def test_the_store_remains_valid_after_all_times_are_reset(packed) -> None:
    # Reproducible builds do so.
    for path in [packed.beside, *packed.beside.rglob("*"), packed.roots, *packed.roots.rglob("*")]:
        os.utime(str(path), (1, 1))
    assert packed.run() == PREBUILT


# Changes that invalidate it.


def file_longer(image: Image) -> None:
    image.file.write_bytes(image.cas.pem("system", "extra"))


def file_added_to_the_hashed_directory(image: Image) -> None:
    image.hashed("extra").write_bytes(image.cas.pem("extra"))


def file_with_the_same_time_and_size(image: Image) -> None:
    """As in an image of other layers, with all times reset."""
    before = image.file.stat()
    image.file.write_bytes(image.cas.pem("extra").ljust(before.st_size, b"\n")[: before.st_size])
    os.utime(str(image.file), ns=(before.st_atime_ns, before.st_mtime_ns))
    assert image.file.stat().st_size == before.st_size


@pytest.mark.parametrize(
    ("change", "trusted"),
    [
        (file_longer, {"system", "both", "bundled", "extra"}),
        (file_added_to_the_hashed_directory, {"system", "both", "bundled", "extra"}),
        (file_with_the_same_time_and_size, {"both", "bundled", "extra"}),
    ],
)
def test_a_changed_input_invalidates_the_store(packed, change, trusted) -> None:
    change(packed)
    expected = Outcome(trusted, trusted - {"bundled"}, read=True)
    assert packed.run() == expected
    # The process built a store of its own, which the next one uses.
    assert packed.run() == expected._replace(read=False)


def test_a_root_that_was_replaced_in_a_directory_by_one_of_the_same_size_is_no_longer_trusted(image) -> None:
    """A company may replace its CA."""
    directory, size = image.roots / "more", max(len(image.cas.pem(name)) for name in ("extra", "stranger"))
    directory.mkdir()
    variables = {"CERTHOOK_EXTRA_CA_CERTS": str(directory)}
    for name, read in (("extra", False), ("stranger", True)):
        (directory / "new").write_bytes(image.cas.pem(name).ljust(size, b"\n"))
        os.replace(str(directory / "new"), str(directory / "ca.pem"))
        if name == "extra":
            assert image.compile(**variables).returncode == 0
        trusted = {*PREBUILT.servers, name}
        assert image.run(**variables) == Outcome(trusted, trusted - {"bundled"}, read)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_pipe_at_the_path_of_an_input_does_not_block(image, when) -> None:
    variables = {"CERTHOOK_EXTRA_CA_CERTS": str(image.roots / "more.pem")}
    (image.roots / "more.pem").write_bytes(image.cas.pem("extra"))
    if when == "after":
        assert image.compile(**variables).returncode == 0
    (image.roots / "more.pem").unlink()
    os.mkfifo(str(image.roots / "more.pem"))
    if when == "before":
        done = image.compile(**variables)
        assert "is a pipe" in done.stderr
    command = [str(image.python), "-W", "ignore", "-c", PROGRAM]
    done = subprocess.run(
        command, env=image.environment(**variables), stdout=subprocess.PIPE, encoding="utf-8", timeout=60
    )
    servers, clients, _ = json.loads(done.stdout)
    assert (set(servers), set(clients)) == (PREBUILT.servers, PREBUILT.clients)


def test_another_setting_invalidates_the_store(compiled) -> None:
    assert compiled.run(CERTHOOK_SOURCES="system").servers == {"system", "both"}
    assert compiled.run() == PREBUILT


def test_a_damaged_store_is_not_used(compiled) -> None:
    for name in stores(compiled.beside):
        next((compiled.beside / name).glob("*.0")).unlink()
    assert compiled.run() == READ
    assert compiled.run() == PREBUILT
    assert len(stores(compiled.directory / "cache")) == 2


def test_a_store_that_other_users_can_modify_is_not_used_and_causes_a_warning(compiled) -> None:
    compiled.beside.chmod(0o777)
    done = support.run(compiled.python, PROGRAM, env=compiled.env)
    assert f"{compiled.beside} is writable by other users (mode 777); run 'chmod go-w {compiled.beside}'" in done.stderr
    assert json.loads(done.stdout)[2]
    assert stores(compiled.directory / "cache")


def test_eager_loading_does_not_use_the_store(compiled) -> None:
    assert compiled.run(CERTHOOK_LOAD="eager") == READ


# Failures.


def test_problems_are_reported_and_the_other_roots_are_compiled(image) -> None:
    image.file.write_bytes(b"-----BEGIN CERTIFICATE-----\n\n" + image.cas.pem("system"))
    done = image.compile()
    assert done.returncode == 0
    assert f"certhook: {image.file}: the certificate at line 1 was skipped" in done.stderr
    assert done.stdout.startswith("3 root certificates compiled into ")


def test_without_roots_nothing_is_compiled(image) -> None:
    done = image.compile(CERTHOOK_SOURCES="bundled", CERTHOOK_BUNDLE=str(image.roots / "none.pem"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "certhook: no trusted root was found" in done.stderr
    assert not image.beside.exists()


@pytest.mark.parametrize(
    ("directory", "message"),
    [
        (f"a{os.pathsep}b", "which separates directories for OpenSSL"),
        ("system.pem", "is not a directory"),
        ("writable", "is writable by other users"),
        ("link", "is a symbolic link"),
    ],
)
def test_a_directory_that_no_process_would_use_is_refused(image, directory, message) -> None:
    writable = image.roots / "writable"
    writable.mkdir()
    writable.chmod(0o777)
    (image.roots / "link").symlink_to(writable)
    path = image.roots / directory
    done = image.compile("--directory", str(path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"certhook: {path}") and message in done.stderr
    assert list(writable.iterdir()) == []


def test_a_directory_that_cannot_be_written_is_reported(image, root) -> None:
    path = image.directory / "cache"
    path.mkdir()
    setup = f'mount --bind {path} {path}; mount -o remount,bind,ro {path}; exec "$@"'
    command = ["unshare", "-m", "--propagation", "private", "sh", "-ec", setup, "sh", str(image.python)]
    arguments = ["-m", "certhook", "compile", "--directory", str(path)]
    done = subprocess.run([*command, *arguments], env=image.env, capture_output=True, encoding="utf-8", timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"certhook: {path}{os.sep}")
    assert done.stderr.endswith("cannot be written: Read-only file system\n")


def test_roots_that_depend_on_the_working_directory_are_not_compiled(image) -> None:
    done = image.compile(SSL_CERT_FILE="roots/system.pem")
    assert (done.returncode, done.stdout) == (1, "")
    assert "changes of a source cannot be detected" in done.stderr


def test_a_package_that_is_not_in_a_directory_requires_a_named_one(monkeypatch, capsys) -> None:
    from certhook import _state
    from certhook.cli import main

    monkeypatch.delattr(_state, "__file__")  # as for a module that is frozen into the interpreter
    assert main(["compile"]) == 2
    assert capsys.readouterr().err == "certhook: the package certhook is not in a directory; use --directory\n"
