"""A context created 0.1 s after a change reflects it, and within that interval the disk is not accessed."""

from __future__ import annotations

import os
import shutil
import time

import pytest
import support
from store_host import Host
from store_machine import DEFAULT

#: The interval of the specification, in seconds, and a margin for the resolution of clocks.
INTERVAL = 0.1
MARGIN = 0.02


def replace_file(host: Host) -> None:
    new = host.roots / "new"
    new.write_bytes(host.cas.pem("system", "extra"))
    new.replace(host.file)


def rewrite_file(host: Host) -> None:
    with open(host.file, "r+b") as file:
        file.write(host.cas.pem("system", "extra"))


def replace_link_target_of_file(host: Host) -> None:
    new = host.roots / "new"
    new.write_bytes(host.cas.pem("system", "extra"))
    new.replace(host.roots / "system.pem")


def point_file_elsewhere(host: Host) -> None:
    (host.roots / "two.pem").write_bytes(host.cas.pem("system", "extra"))
    host.file.unlink()
    host.file.symlink_to(host.roots / "two.pem")


def add_member(host: Host) -> None:
    host.hashed("extra").write_bytes(host.cas.pem("extra"))


def rewrite_member(host: Host) -> None:
    """Rewrite a file in a hashed directory; the directory does not change."""
    host.hashed("both").unlink()
    host.hashed("both").write_bytes(host.cas.pem("both") + b"\n" * 4096)


def rewrite_member_in_place(host: Host) -> None:
    with open(host.hashed("both"), "r+b") as file:
        file.write(host.cas.pem("both", "extra"))


def rewrite_link_target_of_member(host: Host) -> None:
    with open(host.roots / "both.pem", "r+b") as file:
        file.write(host.cas.pem("both", "extra"))


def replace_link_target_of_member(host: Host) -> None:
    new = host.roots / "new"
    new.write_bytes(host.cas.pem("both", "extra"))
    new.replace(host.roots / "both.pem")


def rewrite_bundle(host: Host) -> None:
    with open(host.roots / "bundled.pem", "r+b") as file:
        file.write(host.cas.pem("bundled", "extra"))


def replace_bundle(host: Host) -> None:
    new = host.roots / "new"
    new.write_bytes(host.cas.pem("bundled", "extra"))
    new.replace(host.roots / "bundled.pem")


def rewrite_extra_file(host: Host) -> None:
    with open(host.roots / "more.pem", "r+b") as file:
        file.write(host.cas.pem("both", "extra"))


def create_extra_file(host: Host) -> None:
    (host.roots / "later.pem").write_bytes(host.cas.pem("extra"))


def add_to_extra_directory(host: Host) -> None:
    (host.roots / "more" / "extra.pem").write_bytes(host.cas.pem("extra"))


def rewrite_member_of_extra_directory(host: Host) -> None:
    with open(host.roots / "more" / "both.pem", "r+b") as file:
        file.write(host.cas.pem("both", "extra"))


CHANGES = [
    replace_file,
    rewrite_file,
    replace_link_target_of_file,
    point_file_elsewhere,
    add_member,
    rewrite_member_in_place,
    rewrite_link_target_of_member,
    replace_link_target_of_member,
    rewrite_bundle,
    replace_bundle,
    rewrite_extra_file,
    create_extra_file,
    add_to_extra_directory,
    rewrite_member_of_extra_directory,
]

each_change = pytest.mark.parametrize("change", CHANGES)


@pytest.fixture
def variables(host: Host) -> dict[str, str]:
    """Further locations; each contains an authority that is trusted anyway."""
    (host.roots / "more.pem").write_bytes(host.cas.pem("both"))
    (host.roots / "more").mkdir()
    (host.roots / "more" / "both.pem").write_bytes(host.cas.pem("both"))
    paths = [host.roots / name for name in ("more.pem", "more", "later.pem")]
    return {"CERTHOOK_EXTRA_CA_CERTS": os.pathsep.join(map(str, paths))}


@each_change
def test_a_context_created_a_tenth_of_a_second_after_a_change_reflects_it(host, change, variables) -> None:
    if change is rewrite_member_in_place:  # Not through the link.
        rewrite_member(host)
    with host.program("-W", "ignore", **variables) as program:
        assert set(program("trusted()")) == DEFAULT
        # The program keeps checking, so that the change falls into an interval at whose start all was unchanged.
        program("len([ssl.create_default_context() for _ in range(3)])")
        change(host)
        started = time.monotonic()
        program(f"__import__('time').sleep({INTERVAL + MARGIN})")
        assert set(program("trusted()")) == {*DEFAULT, "extra"}
        assert time.monotonic() - started < 5
        assert program("found()")[1]


@pytest.mark.parametrize("change", [change for change in CHANGES if not change.__name__.startswith("replace")])
def test_a_new_process_reflects_a_change_although_another_has_just_checked(host, change, variables) -> None:
    if change is rewrite_member_in_place:
        rewrite_member(host)
    with host.program("-W", "ignore", **variables) as program:
        assert set(program.child("trusted()")) == DEFAULT
        assert set(program.child("trusted()")) == DEFAULT  # It has checked everything.
        change(host)
        time.sleep(INTERVAL + MARGIN)
        assert set(program.child("trusted()")) == {*DEFAULT, "extra"}


#: Counts the calls of each function that accesses a path while contexts are created.
COUNT_ACCESSES = """
import os, posix, ssl, sys, time
counts = []
def counting(name):
    function = getattr(posix, name)
    def call(*args, **kwargs):
        counts.append((name, args[:1]))
        return function(*args, **kwargs)
    return call
names = ["stat", "lstat", "access", "open", "scandir", "listdir", "readlink", "fstat"]
for name in names:
    wrapper = counting(name)
    setattr(posix, name, wrapper)
    setattr(os, name, wrapper)
sys.addaudithook(lambda event, args: counts.append((event, args[:1])) if event == "open" else None)
ssl.create_default_context()
ssl.create_default_context()
time.sleep(0.12)
ssl.create_default_context()
before = len(counts)
started = time.monotonic()
number = 0
while number < 1000 and time.monotonic() - started < 0.05:
    ssl.create_default_context()
    number += 1
assert number > 5, number
print(counts[before:])
time.sleep(0.12)
before = len(counts)
ssl.create_default_context()
print(len(counts) > before)
"""


@pytest.mark.skipif(os.name == "nt", reason="counts the functions of the module posix")
def test_the_disk_is_not_accessed_within_the_interval_but_after_it(host, variables) -> None:
    code = COUNT_ACCESSES
    done = support.run(host.python, code, env={**host.env, **variables})
    assert done.stdout.split("\n") == ["[]", "True", ""]


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_the_system_calls_within_the_interval_concern_no_file(host, variables, tmp_path) -> None:
    code = (
        "import os, ssl, time; [ssl.create_default_context() for _ in range(3)]; time.sleep(0.12);"
        "ssl.create_default_context(); os.access('/start', 0);"
        "[ssl.create_default_context() for _ in range(3)]; os.access('/end', 0)"
    )
    log = tmp_path / "log"
    command = ["strace", "-o", log, "-e", "trace=%file,getdents64,read", host.python, "-c", code]
    support.run_command(*command, env={**host.env, **variables})
    lines = log.read_text().splitlines()
    (start,) = (number for number, line in enumerate(lines) if "/start" in line)
    (end,) = (number for number, line in enumerate(lines) if "/end" in line)
    assert lines[start + 1 : end] == []
