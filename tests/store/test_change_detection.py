"""Change detection: a changed input is detected, at the latest after the interval."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path
from typing import Callable

import pytest
from store_machine import DEFAULT, TRUSTED_BY_NEW, Machine

from certhook import _watch
from certhook._watch import INTERVAL, MEMBERS, PATH, Monitor, Snapshot, current_signature
from certhook._watch.inputs import Deadline

#: Takes a snapshot with portable or with cheap signatures.
Take = Callable[[bool], Snapshot]


@pytest.fixture(params=[1, 40], ids=["one member", "many members"])
def take(request: pytest.FixtureRequest, tmp_path: Path) -> Take:
    """Take snapshots of a file, a missing file, a directory with its members, and the target of a link."""
    members = ["file", *map(str, range(1, request.param))]
    for directory in ("directory", "target"):
        (tmp_path / directory).mkdir()
    for path in ("file", *(f"directory/{name}" for name in members)):
        (tmp_path / path).write_bytes(b"1")

    def take(portable: bool) -> Snapshot:
        rows = [(PATH, str(tmp_path / name), "") for name in ("file", "directory", "missing", "target")]
        rows.append((MEMBERS, str(tmp_path / "directory"), "/".join(members)))
        deadline = (Deadline.kind, "1", "", (1, 0, 0, 0))
        return Snapshot([(*row, current_signature(*row, portable)) for row in rows], [deadline], [], portable)

    return take


def wait_for_clock(directory: Path) -> None:
    """Wait until a new file gets a later timestamp: the clocks of some file systems tick every few milliseconds."""
    file = directory.parent / f"{directory.name}.clock"
    file.write_bytes(b"")
    start = file.stat().st_mtime_ns
    while file.stat().st_mtime_ns == start:
        file.write_bytes(b"")


both_signatures = pytest.mark.parametrize("portable", [False, True], ids=["cheap signatures", "portable signatures"])


# Snapshots.


@both_signatures
def test_unchanged_inputs_are_current(take, portable) -> None:
    assert take(portable).is_current(thorough=True)


@both_signatures
@pytest.mark.parametrize(
    "change",
    [
        lambda path: (path / "file").write_bytes(b"12"),
        lambda path: (path / "file").write_bytes(b"2"),
        lambda path: (path / "file").unlink(),
        lambda path: (path / "missing").write_bytes(b""),
        lambda path: (path / "directory" / "another").write_bytes(b""),
        lambda path: (path / "directory" / "file").unlink(),
        lambda path: (path / "directory" / "file").write_bytes(b"2"),
        lambda path: shutil.rmtree(path / "directory"),
        lambda path: (path / "target" / "another").write_bytes(b""),
    ],
    ids=[
        "file with another size",
        "file with the same size",
        "file removed",
        "missing file created",
        "member added",
        "member removed",
        "member overwritten in place",
        "directory removed",
        "link target changed",
    ],
)
def test_a_changed_path_is_detected(take, tmp_path, change, portable) -> None:
    snapshot = take(portable)
    wait_for_clock(tmp_path)
    change(tmp_path)
    assert not snapshot.is_current(thorough=False)


def test_an_expensive_input_is_checked_only_by_a_thorough_check(take) -> None:
    snapshot = take(False)
    snapshot.rare = [(Deadline.kind, "1", "", (0, 0, 0, 0))]
    assert snapshot.is_current(thorough=False)
    assert not snapshot.is_current(thorough=True)


@both_signatures
def test_a_dangling_link_is_a_member_whose_target_may_appear(take, tmp_path, portable) -> None:
    (tmp_path / "directory" / "file").unlink()
    (tmp_path / "directory" / "file").symlink_to("missing")
    snapshot = take(portable)
    assert snapshot.is_current(thorough=True)
    (tmp_path / "directory" / "missing").write_bytes(b"")
    kind, name, detail, seen = snapshot.frequent[-1]
    assert current_signature(kind, name, detail, portable) != seen


def test_a_portable_snapshot_detects_a_link_with_another_target(take, tmp_path) -> None:
    link = tmp_path / "directory" / "file"
    for target in ("one", "two"):
        (tmp_path / target).write_bytes(b"1")
    link.unlink()
    link.symlink_to(tmp_path / "one")
    snapshot = take(True)
    link.unlink()
    link.symlink_to(tmp_path / "two")
    assert not snapshot.is_current(thorough=False)


def test_a_portable_snapshot_survives_a_copy_of_the_files(take, tmp_path) -> None:
    snapshot = take(True)
    copy = tmp_path.with_name(f"{tmp_path.name}.copy")
    shutil.copytree(tmp_path, copy, symlinks=True)
    shutil.rmtree(tmp_path)
    copy.rename(tmp_path)
    assert snapshot.is_current(thorough=True)


def test_a_snapshot_that_is_taken_again_has_the_same_inputs(take) -> None:
    cheap, portable = take(False), take(True)
    for snapshot, expected in ((cheap.retaken(portable=True), portable), (portable.retaken(portable=False), cheap)):
        assert snapshot.portable == expected.portable
        assert snapshot.frequent == expected.frequent
        assert snapshot.rare == expected.rare


# Monitors.


@pytest.fixture
def no_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check every group of inputs at every call."""
    monkeypatch.setattr(_watch, "INTERVAL", 0)
    monkeypatch.setattr(_watch, "RARE_INTERVAL", 0)


def accept(is_suspect: bool) -> bool:
    return True


def test_a_monitor_checks_the_inputs_only_once_per_interval(take, tmp_path, monkeypatch) -> None:
    monitor = Monitor(take(False), [], accept)
    wait_for_clock(tmp_path)
    (tmp_path / "file").write_bytes(b"12")
    assert monitor.is_current()
    monkeypatch.setattr(_watch, "INTERVAL", 0)
    assert not monitor.is_current()


def test_a_monitor_accesses_no_file_within_the_interval(take, monkeypatch) -> None:
    monitor = Monitor(take(False), [], accept)
    monkeypatch.setattr(_watch, "_system", None)
    assert all(monitor.is_current() for _ in range(10))


def test_a_monitor_checks_expensive_inputs_only_once_per_interval(take, monkeypatch) -> None:
    snapshot = take(False)
    snapshot.rare = [(Deadline.kind, "1", "", (0, 0, 0, 0))]
    monkeypatch.setattr(_watch, "INTERVAL", 0)
    monitor = Monitor(snapshot, [], accept)
    assert monitor.is_current()
    monkeypatch.setattr(_watch, "RARE_INTERVAL", 0)
    assert not monitor.is_current()


def test_an_immediate_check_ignores_the_intervals(take, tmp_path) -> None:
    verified = []

    def verify(is_suspect: bool) -> bool:
        verified.append(is_suspect)
        return True

    monitor = Monitor(take(False), [], verify)
    assert monitor.check_now() and verified == [True]
    wait_for_clock(tmp_path)
    (tmp_path / "file").write_bytes(b"2")
    assert not monitor.check_now()


def test_a_monitor_fails_if_the_result_is_no_longer_valid(take, no_intervals) -> None:
    assert Monitor(take(False), [], accept).is_current()
    assert not Monitor(take(False), [], lambda is_suspect: False).is_current()


def test_a_monitor_detects_changes_while_it_verifies(take, tmp_path, no_intervals) -> None:
    wait_for_clock(tmp_path)

    def change(is_suspect: bool) -> bool:
        wait_for_clock(tmp_path)
        (tmp_path / "file").write_bytes(b"2")
        return True

    monitor = Monitor(take(False), [], change)
    monitor.is_current()
    assert not monitor.is_current()


def test_the_store_is_checked_with_the_inputs(take, tmp_path, no_intervals) -> None:
    (tmp_path / "store").mkdir()
    store = (PATH, str(tmp_path / "store"), "", current_signature(PATH, str(tmp_path / "store"), "", False))
    monitor = Monitor(take(False), [store], accept)
    assert monitor.is_current()
    wait_for_clock(tmp_path)
    (tmp_path / "store" / "file").write_bytes(b"")
    assert not monitor.is_current()


# Programs.


def replace_file(machine: Machine) -> None:
    new = machine.file.with_suffix(".new")
    new.write_bytes(machine.cas.pem("system", "extra"))
    new.replace(machine.file)


def replace_target_of_file(machine: Machine) -> None:
    new = machine.roots / "new"
    new.write_bytes(machine.cas.pem("system", "extra"))
    new.replace(machine.roots / "system.pem")


def append_to_file(machine: Machine) -> None:
    with open(machine.file, "ab") as file:
        file.write(machine.cas.pem("extra"))


def remove_file(machine: Machine) -> None:
    machine.file.unlink()


def add_link(machine: Machine) -> None:
    machine.hashed("extra").symlink_to(machine.roots / "extra.pem")


def remove_link(machine: Machine) -> None:
    machine.hashed("both").unlink()


def replace_target_of_link(machine: Machine) -> None:
    (machine.roots / "stranger.pem").replace(machine.roots / "both.pem")


def remove_target_of_link(machine: Machine) -> None:
    (machine.roots / "both.pem").unlink()


def replace_bundle(machine: Machine) -> None:
    (machine.roots / "extra.pem").replace(machine.roots / "bundled.pem")


#: Updates of the machine, and the authorities that it trusts afterwards.
UPDATES = [
    (replace_file, {*DEFAULT, "extra"}),
    (replace_target_of_file, {*DEFAULT, "extra"}),
    (append_to_file, {*DEFAULT, "extra"}),
    (remove_file, {"both", "bundled"}),
    (add_link, {*DEFAULT, "extra"}),
    (remove_link, {"system", "bundled"}),
    (replace_bundle, {"system", "both", "extra"}),
]
TARGET_UPDATES = [
    (replace_target_of_link, {"system", "bundled"}),
    (remove_target_of_link, {"system", "bundled"}),
]


@pytest.mark.parametrize(("update", "expected"), UPDATES + TARGET_UPDATES)
def test_a_context_of_a_running_program_reflects_an_update_after_the_interval(machine, update, expected) -> None:
    with machine.start() as program:
        program(f"setattr(_watch, 'INTERVAL', {INTERVAL})")
        assert set(program(TRUSTED_BY_NEW)) == DEFAULT
        update(machine)
        time.sleep(INTERVAL)
        assert set(program(TRUSTED_BY_NEW)) == expected


@pytest.mark.parametrize(("update", "expected"), UPDATES + TARGET_UPDATES)
def test_the_next_process_reflects_an_update(machine, update, expected) -> None:
    assert machine.trusted() == DEFAULT
    update(machine)
    assert machine.trusted() == expected


def compile_portable_store(machine: Machine) -> None:
    """Build a store and an index for container images."""
    command = [str(machine.python), "-m", "certhook", "compile", "--directory", str(machine.cache)]
    subprocess.run(command, env=machine.env, check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize(("update", "expected"), UPDATES + TARGET_UPDATES)
def test_an_update_between_the_first_and_the_second_context_is_reflected_with_a_prebuilt_store(
    machine, update, expected
) -> None:
    compile_portable_store(machine)
    with machine.start() as program:
        assert set(program(TRUSTED_BY_NEW)) == DEFAULT
        assert program("'certhook._sources' in sys.modules") is False
        update(machine)
        assert set(program(TRUSTED_BY_NEW)) == expected


def test_a_program_detects_a_hashed_file_that_is_overwritten_in_place(machine) -> None:
    with machine.start() as program:
        assert set(program(TRUSTED_BY_NEW)) == DEFAULT
        machine.hashed("both").write_bytes(machine.cas.pem("stranger") + b"\n")
        assert set(program(TRUSTED_BY_NEW)) == DEFAULT - {"both"}


def test_a_later_process_detects_a_hashed_file_that_is_overwritten_in_place(machine) -> None:
    assert machine.trusted() == DEFAULT
    machine.hashed("both").write_bytes(machine.cas.pem("stranger") + b"\n")
    assert machine.trusted() == DEFAULT - {"both"}


def test_a_program_repairs_a_file_of_the_store_that_is_overwritten_in_place(machine) -> None:
    with machine.start() as program:
        assert set(program(TRUSTED_BY_NEW)) == DEFAULT
        file = machine.hashed("system", machine.store)
        before = file.read_bytes()
        file.write_bytes(before[:100])
        program("setattr(_watch, 'RARE_INTERVAL', 0)")
        assert set(program(TRUSTED_BY_NEW)) == DEFAULT
        assert file.read_bytes() == before
