"""``enable`` completes or leaves no trace; after an interruption, it can be repeated or undone."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from unittest import mock

import pytest
from enabling import disable, enable_small, interrupt, posix, run_killed, small_wheel, snapshot

from certhook.cli.enable import installed, plans
from certhook.cli.enable.interpreter import Refused, find_target

#: Moves: the dist-info directory and the package of both distributions, the ._pth file, the start file.
INSTALL_STEPS = 6


def fail_at(step: int, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Raise *error* at one of the steps that move or remove files."""

    def fail() -> None:
        raise error

    interrupt(step, fail, monkeypatch.setattr)


def killed(verb: str, directory: Path, version: str, step: int) -> bool:
    """Run *verb* in a process that ends without any cleanup at *step*.

    :returns: False if the process has fewer steps
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pytest-xdist has threads, which the child does not use.
        child = os.fork()
    if child == 0:
        try:
            run_killed(verb, directory, version, step)
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WEXITSTATUS(status) in (0, 9)
    return os.WEXITSTATUS(status) == 9


def is_enabled(directory: Path, version: str) -> bool:
    """Whether certhook of this *version* is enabled completely."""
    target = find_target(str(directory))
    found = installed.find(target.site_packages)
    return {name: each.version for name, each in found.items()} == {"certifi": version, "certhook": version} and all(
        not verified.changed and not verified.missing
        for verified in (installed.verify(target.site_packages, each) for each in found.values())
    )


@pytest.mark.parametrize("error", [OSError("the disk is full"), KeyboardInterrupt()], ids=["error", "interrupt"])
@pytest.mark.parametrize("step", range(INSTALL_STEPS))
def test_a_failed_installation_leaves_no_trace(step, error, embeddable, monkeypatch) -> None:
    before = snapshot(embeddable)
    with monkeypatch.context() as patch:
        fail_at(step, patch, error)
        with pytest.raises(type(error)):
            enable_small(embeddable)
    assert snapshot(embeddable) == before


def test_the_start_file_is_moved_last(embeddable, monkeypatch) -> None:
    moved = []
    rename, replace = os.rename, os.replace
    monkeypatch.setattr(os, "rename", lambda source, to: (moved.append(os.path.basename(to)), rename(source, to)))
    monkeypatch.setattr(os, "replace", lambda source, to: (moved.append(os.path.basename(to)), replace(source, to)))
    enable_small(embeddable)
    assert len(moved) == INSTALL_STEPS
    assert moved[-2:] == ["python311._pth", "certhook.pth"]


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
def test_a_failed_upgrade_restores_the_earlier_version(prepare, embeddable, monkeypatch) -> None:
    enable_small(embeddable, "1.0")
    packages = embeddable / "Lib" / "site-packages"
    prepare(packages)
    before = snapshot(embeddable)
    for step in range(100):
        with monkeypatch.context() as patch:
            fail_at(step, patch, OSError("the disk is full"))
            try:
                enable_small(embeddable, "2.0")
                break
            except OSError:
                assert snapshot(embeddable) == before
    assert step > 2 * INSTALL_STEPS - 1
    assert is_enabled(embeddable, "2.0")
    assert not list(packages.glob("*-1.0.dist-info"))
    assert disable(embeddable) == []
    assert not (embeddable / "Lib").exists()


@posix
@pytest.mark.parametrize("step", range(INSTALL_STEPS + 1))
@pytest.mark.parametrize("then", ["enable", "disable"])
def test_a_killed_installation_can_be_repeated_or_undone(then, step, embeddable) -> None:
    before = snapshot(embeddable)
    assert killed("enable", embeddable, "1.0", step)
    if then == "enable":
        assert enable_small(embeddable, "1.0")
        assert is_enabled(embeddable, "1.0")
        assert not os.path.lexists(embeddable / "Lib" / "site-packages" / plans.STAGE)
    assert disable(embeddable) == []
    assert snapshot(embeddable) == before


@posix
@pytest.mark.parametrize("step", range(2 * INSTALL_STEPS + 2))
@pytest.mark.parametrize("then", ["enable", "disable"])
def test_a_killed_upgrade_can_be_repeated_or_undone(then, step, embeddable) -> None:
    before = snapshot(embeddable)
    enable_small(embeddable, "1.0")
    assert killed("enable", embeddable, "2.0", step)
    if then == "enable":
        assert enable_small(embeddable, "2.0")
        assert is_enabled(embeddable, "2.0")
    assert disable(embeddable) == []
    assert snapshot(embeddable) == before


@posix
@pytest.mark.parametrize("then", ["enable", "disable"])
def test_a_killed_removal_can_be_repeated_or_reversed(then, embeddable, tmp_path) -> None:
    before = snapshot(embeddable)
    for step in range(100):
        enable_small(embeddable)
        if not killed("disable", embeddable, "1.0", step):
            break
        if then == "enable":
            enable_small(embeddable)
            assert is_enabled(embeddable, "1.0"), step
        assert disable(embeddable) == [], step
        assert {**snapshot(embeddable), "Lib": True, "Lib/site-packages": True} == {
            **before,
            "Lib": True,
            "Lib/site-packages": True,
        }, step
        (embeddable / "Lib").exists() and os.removedirs(embeddable / "Lib" / "site-packages")
    assert step > 10


@posix
def test_a_second_process_is_refused(embeddable) -> None:
    import fcntl

    enable_small(embeddable, "1.0")
    before = snapshot(embeddable)
    descriptor = os.open(embeddable / "Lib" / "site-packages", os.O_RDONLY)
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


@posix
def test_a_link_in_the_place_of_the_staging_directory_is_not_followed(embeddable, tmp_path) -> None:
    packages = embeddable / "Lib" / "site-packages"
    packages.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "certhook-enable.json").write_text("precious")
    (packages / plans.STAGE).symlink_to(tmp_path / "elsewhere")
    for change in (enable_small, disable):
        with pytest.raises(OSError):
            change(embeddable)
    assert os.listdir(tmp_path / "elsewhere") == ["certhook-enable.json"]
