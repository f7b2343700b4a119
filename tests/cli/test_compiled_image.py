"""A store that ``python -m certhook compile`` built into a container image: it is used until an input changes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import measuring
import pytest
import support
from image import PREBUILT, PROGRAM, READ, Image, Outcome, stores

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
    # Coverage could not write its data.
    assert compiled.run(*read_only, CERTHOOK_STORE_DIR=None, HOME=None, **{measuring.CONFIG: None}) == PREBUILT


def test_the_store_is_used_by_a_user_without_a_home_and_write_permissions(compiled, root) -> None:
    # The capability is needed because the interpreter of the tests may be in root's home.
    user = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"]
    reading = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    assert compiled.run(*user, *reading, CERTHOOK_STORE_DIR=None, HOME=None) == PREBUILT
    shutil.rmtree(str(compiled.beside))
    assert compiled.run(*user, *reading, CERTHOOK_STORE_DIR=None, HOME=None) == READ


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


def test_a_store_that_more_users_can_modify_than_the_package_is_not_used(compiled) -> None:
    compiled.beside.chmod(0o777)
    done = support.run(compiled.python, PROGRAM, env={**compiled.env, "CERTHOOK_DEBUG": "1"})
    assert f"{compiled.beside} is writable by other users (mode 777); run 'chmod go-w {compiled.beside}'" in done.stderr
    assert json.loads(done.stdout)[2]
    assert stores(compiled.directory / "cache")


def test_eager_loading_does_not_use_the_store(compiled) -> None:
    assert compiled.run(CERTHOOK_LOAD="eager") == READ
