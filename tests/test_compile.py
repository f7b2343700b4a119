"""``python -m certhook compile``: a store made at image-build time makes the first context of a container warm."""

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

from certhook._certificates import names, x509
from certhook import _store

posix = pytest.mark.skipif(os.name == "nt", reason="modes are a thing of POSIX")

# Says whom a server's and a client's default context trusts, and whether they, and this process, had to read roots.
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
    """What a process says."""

    #: Whom it trusts as a server.
    servers: set[str]
    #: Whom it trusts as a client; these are servers here too, which is all the same to a root.
    clients: set[str]
    #: Whether it read the sources.
    read: bool


PREBUILT = Outcome({"system", "both", "bundled"}, {"system", "both"}, read=False)
READ = PREBUILT._replace(read=True)


class Image:
    """A container image: an environment with certhook, and the files it gets its roots from."""

    def __init__(self, folder: Path, python: Path, cas: support.Authorities, servers: support.Servers) -> None:
        self.folder = folder
        self.python = python
        self.beside = support.purelib(python) / "certhook-store"
        self.roots = folder / "roots"
        self.file = self.roots / "system.pem"
        self.cas = cas
        self.env = support.clean_env(
            SSL_CERT_FILE=str(self.file),
            SSL_CERT_DIR=str(self.roots),
            CERTHOOK_SOURCES="system,bundled",
            CERTHOOK_BUNDLE=str(self.roots / "bundled.pem"),
            CERTHOOK_CACHE_DIR=str(folder / "cache"),
            SERVERS=support.server_list(servers),
        )

    def reset(self) -> None:
        for path in (self.beside, self.roots, self.folder / "cache"):
            shutil.rmtree(str(path), ignore_errors=True)
        self.roots.mkdir()
        self.file.write_bytes(self.cas.pem("system"))
        (self.roots / "bundled.pem").write_bytes(self.cas.pem("bundled"))
        self.hashed("both").write_bytes(self.cas.pem("both"))

    def hashed(self, name: str) -> Path:
        """Where the root of an authority is in the hashed directory."""
        return self.roots / f"{names.subject_hash(x509.Certificate(self.cas.der(name)).subject)}.0"

    def environment(self, **variables: str | None) -> dict[str, str]:
        return {name: value for name, value in {**self.env, **variables}.items() if value is not None}

    def compile(self, *arguments: str, **variables: str | None) -> subprocess.CompletedProcess[str]:
        command = [str(self.python), "-m", "certhook", "compile", *arguments]
        return subprocess.run(
            command,
            env=self.environment(**variables),
            cwd=str(self.folder),
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )

    def run(self, *prefix: str, **variables: str | None) -> Outcome:
        """Run a new process, as *prefix* says."""
        command = [*prefix, str(self.python), "-W", "error", "-c", PROGRAM]
        done = subprocess.run(command, env=self.environment(**variables), capture_output=True, encoding="utf-8")
        assert (done.returncode, done.stderr) == (0, "")
        servers, clients, read = json.loads(done.stdout)
        return Outcome(set(servers), set(clients), read)


@pytest.fixture(scope="module")
def environment(tmp_path_factory, wheel: Path, pip_install) -> Path:
    """An environment of this module's own: stores are made in it."""
    python = support.make_environment(tmp_path_factory.mktemp("image") / "environment")
    pip_install(python, wheel)
    support.byte_compile(python)
    return python


@pytest.fixture
def image(environment: Path, cas: support.Authorities, servers: support.Servers) -> Image:
    image = Image(environment.parent.parent.parent, environment, cas, servers)
    image.reset()
    return image


@pytest.fixture
def compiled(image: Image) -> Image:
    """An image in whose environment a store was compiled."""
    done = image.compile()
    assert (done.returncode, done.stderr) == (0, "")
    return image


def stores(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


# What it makes.


def test_it_says_what_it_made_and_where(image) -> None:
    done = image.compile()
    assert (done.returncode, done.stderr) == (0, "")
    count, _, path = done.stdout.strip().partition(" roots compiled into ")
    assert count == "3"
    assert Path(path).parent == image.beside
    assert len(list(Path(path).glob("*.0"))) == 3


def test_it_makes_one_store_a_purpose_and_nothing_else(compiled) -> None:
    assert len(stores(compiled.beside)) == 2
    assert len(list(compiled.beside.iterdir())) == 4
    assert not (compiled.folder / "cache").exists()


def test_it_may_be_done_again(compiled) -> None:
    before = {path: path.stat().st_ino for path in compiled.beside.rglob("*") if not path.name.startswith("index")}
    again = compiled.compile()
    assert again.returncode == 0
    after = {path: path.stat().st_ino for path in compiled.beside.rglob("*") if not path.name.startswith("index")}
    assert after == before
    assert compiled.run() == PREBUILT


@posix
def test_everybody_may_read_it_and_nobody_else_write(image) -> None:
    umask = os.umask(0o077)
    try:
        image.compile()
    finally:
        os.umask(umask)
    modes = {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in [image.beside, *image.beside.rglob("*")]}
    assert modes == {(True, 0o755), (False, 0o644)}


def test_a_directory_may_be_named(image) -> None:
    done = image.compile("--directory", str(image.folder / "cache"))
    assert (done.returncode, done.stderr) == (0, "")
    assert not image.beside.exists()
    assert image.run() == PREBUILT
    assert image.run(CERTHOOK_CACHE_DIR="none") == READ


def test_a_relative_directory_is_below_the_working_directory(image) -> None:
    done = image.compile("--directory", "cache")
    assert f"compiled into {image.folder / 'cache'}{os.sep}" in done.stdout
    assert image.run() == PREBUILT


def test_without_a_store_of_the_system_there_is_none_for_clients(image) -> None:
    image.compile(CERTHOOK_SOURCES="bundled")
    assert len(stores(image.beside)) == 1
    env = image.environment(CERTHOOK_SOURCES="bundled")
    found = support.verdicts(support.run(image.python, support.VERDICTS, env=env).stdout)
    assert {name for name in found if found[name]} == {"bundled"}
    assert not (image.folder / "cache").exists()


# Where it is used.


def test_a_process_uses_it_and_reads_no_source(compiled) -> None:
    assert compiled.run() == PREBUILT
    assert not (compiled.folder / "cache").exists()


def test_it_goes_before_the_users_own(compiled) -> None:
    # So that a process of an image never writes, where it need not.
    compiled.compile("--directory", str(compiled.folder / "cache"))
    for name in stores(compiled.beside):
        shutil.rmtree(str(compiled.folder / "cache" / name))
    assert compiled.run() == PREBUILT


def test_it_is_used_where_nothing_can_be_written_and_there_is_no_home(compiled, root) -> None:
    read_only = [
        "unshare",
        "-m",
        "--propagation",
        "private",
        "sh",
        "-ec",
        'mount -o remount,bind,ro /; exec "$@"',
        "sh",
    ]
    assert compiled.run(*read_only, CERTHOOK_CACHE_DIR=None, HOME=None) == PREBUILT


def test_it_is_used_by_a_user_who_can_write_nothing_and_has_no_home(compiled, root) -> None:
    # Who may read everything: in the tests, the interpreter may be in root's home.
    user = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"]
    reading = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    assert compiled.run(*user, *reading, CERTHOOK_CACHE_DIR=None, HOME=None) == PREBUILT
    shutil.rmtree(str(compiled.beside))
    assert compiled.run(*user, *reading, CERTHOOK_CACHE_DIR=None, HOME=None) == READ


@pytest.fixture
def packed(compiled: Image, tmp_path: Path) -> Iterator[Image]:
    """The image after it was packed and unpacked, as the layers of a container image are."""
    archive = tmp_path / "layer.tar"
    before = compiled.file.stat()
    with tarfile.open(str(archive), "w", format=tarfile.USTAR_FORMAT) as tar:
        # A format with whole seconds.
        tar.add(str(compiled.folder), ".")
    away = compiled.folder.with_suffix(".away")
    compiled.folder.rename(away)
    try:
        with tarfile.open(str(archive)) as tar:
            tar.extractall(str(compiled.folder), **({"filter": "tar"} if hasattr(tarfile, "tar_filter") else {}))
        after = compiled.file.stat()
        assert after.st_ino != before.st_ino
        assert after.st_mtime_ns % 10**9 == 0 != before.st_mtime_ns % 10**9
        yield compiled
    finally:
        shutil.rmtree(str(compiled.folder))
        away.rename(compiled.folder)


def test_it_survives_that_the_image_is_packed(packed) -> None:
    assert packed.run() == PREBUILT


def test_it_survives_that_every_time_is_set_to_one(packed) -> None:
    # As builds do that are to be reproducible.
    for path in [packed.beside, *packed.beside.rglob("*"), packed.roots, *packed.roots.rglob("*")]:
        os.utime(str(path), (1, 1))
    assert packed.run() == PREBUILT


# What makes it of no use.


def file_longer(image: Image) -> None:
    image.file.write_bytes(image.cas.pem("system", "extra"))


def file_in_the_hashed_directory_more(image: Image) -> None:
    image.hashed("extra").write_bytes(image.cas.pem("extra"))


def file_of_the_same_time_and_size(image: Image) -> None:
    """As in an image made of other layers, all of whose times were set to one."""
    before = image.file.stat()
    image.file.write_bytes(image.cas.pem("extra").ljust(before.st_size, b"\n")[: before.st_size])
    os.utime(str(image.file), ns=(before.st_atime_ns, before.st_mtime_ns))
    assert image.file.stat().st_size == before.st_size


@pytest.mark.parametrize(
    ("change", "trusted"),
    [
        (file_longer, {"system", "both", "bundled", "extra"}),
        (file_in_the_hashed_directory_more, {"system", "both", "bundled", "extra"}),
        (file_of_the_same_time_and_size, {"both", "bundled", "extra"}),
    ],
)
def test_a_changed_input_makes_it_unused_and_trust_is_right(packed, change, trusted) -> None:
    change(packed)
    expected = Outcome(trusted, trusted - {"bundled"}, read=True)
    assert packed.run() == expected
    # The process made a store of its own, which the next one uses.
    assert packed.run() == expected._replace(read=False)


def test_a_root_in_a_directory_that_was_replaced_by_one_of_the_same_size_is_not_trusted(image) -> None:
    """As the new CA of a company is."""
    folder, size = image.roots / "more", max(len(image.cas.pem(name)) for name in ("extra", "stranger"))
    folder.mkdir()
    variables = {"CERTHOOK_EXTRA_CA_CERTS": str(folder)}
    for name, read in (("extra", False), ("stranger", True)):
        (folder / "new").write_bytes(image.cas.pem(name).ljust(size, b"\n"))
        os.replace(str(folder / "new"), str(folder / "ca.pem"))
        if name == "extra":
            assert image.compile(**variables).returncode == 0
        trusted = {*PREBUILT.servers, name}
        assert image.run(**variables) == Outcome(trusted, trusted - {"bundled"}, read)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in folders here")
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_pipe_in_the_place_of_an_input_is_not_waited_for(image, when) -> None:
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


def test_another_setting_makes_it_unused(compiled) -> None:
    assert compiled.run(CERTHOOK_SOURCES="system").servers == {"system", "both"}
    assert compiled.run() == PREBUILT


def test_a_damaged_one_is_not_used(compiled) -> None:
    for name in stores(compiled.beside):
        next((compiled.beside / name).glob("*.0")).unlink()
    assert compiled.run() == READ
    assert compiled.run() == PREBUILT
    assert len(stores(compiled.folder / "cache")) == 2


def test_one_that_others_can_write_is_not_used_and_that_is_said(compiled) -> None:
    compiled.beside.chmod(0o777)
    done = support.run(compiled.python, PROGRAM, env=compiled.env)
    assert f"{compiled.beside} can be written by others (mode 777); 'chmod go-w' it" in done.stderr
    assert json.loads(done.stdout)[2]
    assert stores(compiled.folder / "cache")


def test_eager_loading_does_without_it(compiled) -> None:
    assert compiled.run(CERTHOOK_LOAD="eager") == READ


# What keeps it from being made.


def test_problems_of_the_sources_are_said_and_the_rest_is_compiled(image) -> None:
    image.file.write_bytes(b"-----BEGIN CERTIFICATE-----\n\n" + image.cas.pem("system"))
    done = image.compile()
    assert done.returncode == 0
    assert f"certhook: {image.file}: the certificate at line 1 was skipped" in done.stderr
    assert done.stdout.startswith("3 roots compiled into ")


def test_with_no_root_there_is_nothing_to_compile(image) -> None:
    done = image.compile(CERTHOOK_SOURCES="bundled", CERTHOOK_BUNDLE=str(image.roots / "none.pem"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "certhook: no trusted root was found" in done.stderr
    assert not image.beside.exists()


@pytest.mark.parametrize(
    ("directory", "message"),
    [
        (f"a{os.pathsep}b", "at which OpenSSL splits"),
        ("roots/system.pem", "is no folder"),
        ("writable", "can be written by others"),
        ("link", "is a symbolic link"),
    ],
)
def test_a_directory_that_no_process_would_use_is_refused(image, directory, message) -> None:
    writable = image.roots / "writable"
    writable.mkdir()
    writable.chmod(0o777)
    (image.roots / "link").symlink_to(image.roots / "writable")
    path = image.folder / directory if "/" in directory else image.roots / directory
    done = image.compile("--directory", str(path))
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr
    assert done.stderr.startswith(f"certhook: {path}")
    assert list(writable.iterdir()) == []


def test_a_directory_that_cannot_be_written_is_named(image, root) -> None:
    path = image.folder / "cache"
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
    assert "a source cannot be watched for changes" in done.stderr


def test_a_package_that_is_in_no_folder_needs_a_directory(monkeypatch, capsys) -> None:
    from certhook import cli

    monkeypatch.setattr(_store, "beside_package", lambda: None)
    assert cli.main(["compile"]) == 2
    assert "--directory" in capsys.readouterr().err
