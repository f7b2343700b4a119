"""``python -m certhook compile``: the store that it builds."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import support
from image import PREBUILT, READ, stores

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")


# The store.


def test_the_number_of_roots_and_the_store_are_reported(image) -> None:
    done = image.compile()
    assert (done.returncode, done.stderr) == (0, "")
    count, _, path = done.stdout.strip().partition(" root certificates compiled into ")
    assert count == "3"
    assert Path(path).parent == image.beside
    assert len(list(Path(path).glob("*.0"))) == 3


def test_a_store_for_each_purpose_and_each_public_bundle_is_built_next_to_the_package(compiled) -> None:
    indexes = [path for path in compiled.beside.iterdir() if path.name.startswith("index")]
    # Default trust for servers and for clients, and a request for certifi's bundle; equal trust sets share a store.
    assert (len(stores(compiled.beside)), len(indexes)) == (2, 3)
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
    paths = [path for path in [image.beside, *image.beside.rglob("*")] if not path.is_symlink()]
    modes = {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in paths}
    assert modes == {(True, 0o755), (False, 0o644)}


def test_the_store_is_built_in_a_named_directory(image) -> None:
    done = image.compile("--directory", str(image.directory / "cache"))
    assert (done.returncode, done.stderr) == (0, "")
    assert not image.beside.exists()
    assert image.run() == PREBUILT
    assert image.run(CERTHOOK_STORE_DIR="none") == READ


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
    assert done.stderr.startswith(f"certhook: the store was not built: {path}") and message in done.stderr
    assert list(writable.iterdir()) == []


def test_a_directory_that_cannot_be_written_is_reported(image, root) -> None:
    path = image.directory / "cache"
    path.mkdir()
    setup = f'mount --bind {path} {path}; mount -o remount,bind,ro {path}; exec "$@"'
    command = ["unshare", "-m", "--propagation", "private", "sh", "-ec", setup, "sh", image.python]
    done = support.run_command(*command, "-m", "certhook", "compile", "--directory", path, env=image.env)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"certhook: the store was not built: {path}{os.sep}")
    assert done.stderr.endswith("cannot be written: Read-only file system\n")


def test_roots_that_depend_on_the_working_directory_are_not_compiled(image) -> None:
    done = image.compile(SSL_CERT_FILE="roots/system.pem")
    assert (done.returncode, done.stdout) == (1, "")
    assert "changes of a source cannot be detected" in done.stderr


def test_a_package_that_is_not_in_a_directory_requires_a_named_one(monkeypatch, capsys) -> None:
    from certhook import _trust
    from certhook.cli import main

    monkeypatch.setattr(_trust, "_PACKAGE", None)  # as for a module that is frozen into the interpreter
    assert main(["compile"]) == 2
    assert capsys.readouterr().err == "certhook: the package certhook is not in a directory; use --directory\n"


@pytest.fixture
def directories(monkeypatch, tmp_path, cas) -> tuple[Path, Path]:
    """The directory to compile into, and the user's directory, each with an unused store of a named file."""
    (tmp_path / "system.pem").write_bytes(cas.pem("system"))
    found = tmp_path / "compiled", tmp_path / "own"
    for directory in found:
        (directory / f"file-{'0' * 40}").mkdir(parents=True)
        directory.chmod(0o755)
    variables = {
        "CERTHOOK_SOURCES": "system",
        "CERTHOOK_STORE_DIR": str(found[1]),
        "SSL_CERT_DIR": str(tmp_path / "none"),
        "SSL_CERT_FILE": str(tmp_path / "system.pem"),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return found


def test_prune_removes_unused_stores_from_both_directories(directories, capsys) -> None:
    from certhook.cli import main

    assert main(["compile", "--prune", "--directory", str(directories[0])]) == 0
    assert not any(path.name[:5] == "file-" for directory in directories for path in directory.iterdir())
    assert capsys.readouterr().out.endswith("; unused files and directories removed: 2\n")


@posix
def test_a_directory_that_other_users_can_modify_is_not_pruned(directories, capsys) -> None:
    from certhook.cli import main

    directories[1].chmod(0o777)
    assert main(["compile", "--prune", "--directory", str(directories[0])]) == 1
    assert f"{directories[1]} was not pruned: {directories[1]} is writable by other users" in capsys.readouterr().err
    assert [path.name[:5] for path in directories[1].iterdir()] == ["file-"]
