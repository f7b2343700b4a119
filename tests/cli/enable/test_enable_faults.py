"""``enable`` completes or leaves no trace; after an interruption at any step, it can be repeated and undone."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Iterator
from unittest import mock

import pytest
from enabling import Killed, disable, enable_small, interrupted, posix, small_wheel, snapshot

from certhook.cli.enable import files, installed, journal, plans
from certhook.cli.enable.interpreter import find_target
from certhook.cli.enable.refusal import Refused

pytestmark = posix

FULL = OSError("the disk is full")
# More than there are.
STEPS = range(1000)


@pytest.fixture
def embeddable(embeddable: Path) -> Iterator[Path]:
    """The same directory, in memory if possible: these tests change it thousands of times."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="certhook-tests-", dir=memory) as directory:
        yield Path(shutil.copytree(embeddable, os.path.join(directory, "embeddable")))


def is_enabled(directory: Path, version: str) -> bool:
    """Whether certhook of this *version* is enabled completely."""
    with files.opened(find_target(str(directory)).site_packages) as packages:
        found = installed.find(packages)
        verified = [installed.verify(packages, each) for each in found.values()]
    versions = {name: each.version for name, each in found.items()}
    is_complete = not any(each.changed or each.missing for each in verified)
    return versions == {"certifi": version, "certhook": version} and is_complete


def journals(directory: Path) -> list[Path]:
    """Find the journals."""
    return list(directory.rglob(f"{journal.NAME}*"))


@pytest.mark.parametrize("error", [FULL, KeyboardInterrupt()], ids=["error", "interrupt"])
def test_a_failed_installation_leaves_no_trace(error, embeddable) -> None:
    before = snapshot(embeddable)
    failed = 0
    for step in STEPS:
        if interrupted(step, error, enable_small, embeddable):
            failed += 1
            if snapshot(embeddable) == before:
                continue
            # The removal of the journal was interrupted.
            assert isinstance(error, KeyboardInterrupt) and journals(embeddable), step
        elif not journals(embeddable):
            break
        assert disable(embeddable) == [], step
        assert snapshot(embeddable) == before, step
    assert failed > 70


def test_the_start_file_is_moved_last(embeddable, monkeypatch) -> None:
    moved = []
    replace = os.replace

    def record(source: str, to: str, **kwargs: object) -> None:
        moved.append(os.path.basename(to))
        replace(source, to, **kwargs)

    monkeypatch.setattr(os, "replace", record)
    enable_small(embeddable)
    certifi, certhook = ([f"{name}-1.0.dist-info", name] for name in ("certifi", "certhook"))
    assert moved == ["certhook-enable.json", *certifi, *certhook, "python311._pth", "certhook.pth"]


def add_legacy_byte_code(packages: Path) -> None:
    """Compile as ``compileall -b`` does."""
    (packages / "certhook" / "core" / "module.pyc").write_bytes(b"?")


def add_stale_byte_code(packages: Path) -> None:
    (packages / "certhook" / "__pycache__").mkdir()
    (packages / "certhook" / "__pycache__" / "removed.cpython-311.pyc").write_bytes(b"?")


def add_empty_directory(packages: Path) -> None:
    (packages / "certhook" / "empty").mkdir()


def remove_module(packages: Path) -> None:
    (packages / "certhook" / "core" / "module.py").unlink()


@pytest.mark.parametrize("prepare", [add_legacy_byte_code, add_stale_byte_code, add_empty_directory, remove_module])
def test_a_failed_upgrade_restores_the_earlier_version(prepare, embeddable) -> None:
    enable_small(embeddable, "1.0")
    packages = embeddable / "Lib" / "site-packages"
    prepare(packages)
    before = snapshot(embeddable)
    for step in STEPS:
        if not interrupted(step, FULL, enable_small, embeddable, "2.0"):
            break
        assert snapshot(embeddable) == before, step
    assert step > 90
    assert is_enabled(embeddable, "2.0")
    assert not list(packages.glob("*-1.0.dist-info"))
    assert disable(embeddable) == []
    assert not (embeddable / "Lib").exists()


def test_a_killed_installation_can_be_repeated_and_undone(embeddable) -> None:
    before = snapshot(embeddable)
    for step in STEPS:
        if not interrupted(step, Killed(), enable_small, embeddable):
            break
        copy = Path(shutil.copytree(embeddable, embeddable.with_name("copy")))
        assert disable(copy) == [], step
        assert snapshot(copy) == before, step
        shutil.rmtree(copy)
        enable_small(embeddable)
        assert is_enabled(embeddable, "1.0"), step
        assert not journals(embeddable), step
        assert stat.S_IMODE((embeddable / "Lib").stat().st_mode) == 0o755, step
        assert disable(embeddable) == [], step
        assert snapshot(embeddable) == before, step
    assert step > 90


@pytest.mark.parametrize("is_repeated", [False, True], ids=["undone", "repeated"])
def test_a_killed_upgrade_can_be_repeated_or_undone(is_repeated, embeddable) -> None:
    before = snapshot(embeddable)
    for step in STEPS[is_repeated::2]:
        enable_small(embeddable, "1.0")
        if not interrupted(step, Killed(), enable_small, embeddable, "2.0"):
            break
        if is_repeated:
            enable_small(embeddable, "2.0")
            assert is_enabled(embeddable, "2.0"), step
            assert not journals(embeddable), step
        assert disable(embeddable) == [], step
        assert snapshot(embeddable) == before, step
    assert step > 120


@pytest.mark.parametrize("is_reversed", [False, True], ids=["repeated", "reversed"])
def test_a_killed_removal_can_be_repeated_or_reversed(is_reversed, embeddable) -> None:
    before = snapshot(embeddable)
    for step in STEPS:
        enable_small(embeddable)
        if not interrupted(step, Killed(), disable, embeddable):
            break
        if is_reversed:
            enable_small(embeddable)
            assert is_enabled(embeddable, "1.0"), step
        assert disable(embeddable) == [], step
        assert snapshot(embeddable) == before, step
    assert step > 30


def test_a_second_process_is_refused(embeddable) -> None:
    import fcntl

    enable_small(embeddable, "1.0")
    before = snapshot(embeddable)
    descriptor = os.open(embeddable, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(Refused, match="another 'enable' or 'disable' is changing"):
            enable_small(embeddable, "2.0")
        with pytest.raises(Refused, match="another 'enable' or 'disable' is changing"):
            disable(embeddable)
    finally:
        os.close(descriptor)
    assert snapshot(embeddable) == before


def test_a_target_that_changes_after_the_confirmation_is_refused(embeddable, monkeypatch) -> None:
    from certhook.cli.enable import deployment

    with mock.patch.object(plans, "read_wheel", lambda name: small_wheel(name, "1.0")):
        plan = plans.plan_installation(find_target(str(embeddable)))
    enable_small(embeddable, "2.0")
    before = snapshot(embeddable)
    monkeypatch.setattr(plans, "read_wheel", lambda name: small_wheel(name, "1.0"))
    with pytest.raises(Refused, match="was changed by another process"):
        deployment.install(plan)
    assert snapshot(embeddable) == before


def test_a_link_in_the_place_of_the_staging_directory_is_not_followed(embeddable, tmp_path) -> None:
    packages = embeddable / "Lib" / "site-packages"
    packages.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "certhook-enable.json").write_text("precious")
    (packages / journal.NAME).symlink_to(tmp_path / "elsewhere")
    for change in (enable_small, disable):
        with pytest.raises(OSError):
            change(embeddable)
    assert os.listdir(tmp_path / "elsewhere") == ["certhook-enable.json"]
