"""The embeddable Python for Windows: ``enable`` edits its ``._pth`` file. tests/embedded/windows runs a real one."""

from __future__ import annotations

import os
import stat

import pytest
from enabling import ADDED, PTH, disable, enable_small, posix, snapshot

from certhook._directory import open_directory
from certhook.cli.enable import pth
from certhook.cli.enable.interpreter import find_target
from certhook.cli.enable.refusal import Refused


@pytest.mark.parametrize("given", ["directory", "python.exe"])
def test_the_required_lines_are_appended_and_removed_again(given, run_here, embeddable) -> None:
    before = snapshot(embeddable)
    target = embeddable if given == "directory" else embeddable / given
    done = run_here("enable", target, "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(f"  {line}\n" in done.stdout for line in ADDED.decode().split("\r\n")[:-1])
    assert (embeddable / "python311._pth").read_bytes() == PTH + ADDED
    names = {name.split("-")[0] for name in os.listdir(embeddable / "Lib" / "site-packages")}
    assert names == {"certhook", "certifi", "certhook.pth"}
    assert run_here("disable", target, "--yes").returncode == 0
    assert snapshot(embeddable) == before


@pytest.mark.parametrize(
    ("content", "appended"),
    [
        (PTH.replace(b"\r\n", b"\n"), ADDED.replace(b"\r\n", b"\n")),
        (PTH.rstrip(), b"\r\n" + ADDED),
        (b"", ADDED.replace(b"\r\n", b"\n")),
        (b"python311.zip\nlib/Site-Packages/\n", b"Lib\\site-packages\nimport site\n"),
        (b"python311.zip\nlib/Site-Packages\n", b"import site\n"),
        (b"python311.zip\nLib\\site-packages\n import site \n", b""),
        (b"\xef\xbb\xbfimport site\n", b"Lib\\site-packages\n"),
    ],
)
def test_only_missing_lines_are_appended(content, appended, embeddable) -> None:
    path = embeddable / "python311._pth"
    path.write_bytes(content)
    assert enable_small(embeddable)
    assert path.read_bytes() == content + appended
    assert not enable_small(embeddable)
    assert disable(embeddable) == []
    assert path.read_bytes() == content


def test_an_upgrade_does_not_append_the_lines_twice(embeddable) -> None:
    enable_small(embeddable, "1.0")
    enable_small(embeddable, "2.0")
    assert (embeddable / "python311._pth").read_bytes() == PTH + ADDED
    assert disable(embeddable) == []
    assert (embeddable / "python311._pth").read_bytes() == PTH


def test_lines_that_the_user_removed_are_appended_again(embeddable) -> None:
    enable_small(embeddable)
    (embeddable / "python311._pth").write_bytes(PTH)
    assert enable_small(embeddable)
    assert (embeddable / "python311._pth").read_bytes() == PTH + ADDED


def test_a_changed_pth_file_is_kept_and_named(run_here, embeddable) -> None:
    path = embeddable / "python311._pth"
    run_here("enable", embeddable, "--yes")
    path.write_bytes(PTH + ADDED + b"..\\app\r\n")
    done = run_here("disable", embeddable, "--yes")
    assert done.returncode == 1
    assert f"remove the lines 'Lib\\site-packages' and 'import site' from {path}" in done.stderr
    assert path.read_bytes() == PTH + ADDED + b"..\\app\r\n"
    assert "these lines" not in done.stdout and "Kept, because of changes after 'enable':" in done.stdout
    (record,) = os.listdir(embeddable / "Lib" / "site-packages")
    assert record.startswith("certhook-") and record.endswith(".dist-info")
    path.write_bytes(PTH + b"..\\app\r\n")
    assert run_here("disable", embeddable, "--yes").returncode == 0
    assert path.read_bytes() == PTH + b"..\\app\r\n"
    assert not (embeddable / "Lib").exists()


def test_a_pth_file_that_is_changed_at_the_last_moment_is_not_overwritten(embeddable) -> None:
    path = embeddable / "python311._pth"
    edit = pth.plan(PTH)
    path.write_bytes(PTH + b"..\\app\r\n")
    with pytest.raises(OSError, match="changed by another process"):
        pth.apply(str(path), edit, open_directory(str(embeddable), lambda *component: None))
    assert path.read_bytes() == PTH + b"..\\app\r\n"


@posix
def test_a_rewritten_pth_file_keeps_its_permissions_but_not_set_uid(embeddable) -> None:
    path = embeddable / "python311._pth"
    path.chmod(0o4750)
    enable_small(embeddable)
    assert stat.S_IMODE(path.stat().st_mode) == 0o750


@posix
@pytest.mark.parametrize(("kind", "reason"), [("fifo", "not a regular file"), ("link", "is a symbolic link")])
def test_a_pth_file_that_is_not_a_regular_file_is_refused(kind, reason, embeddable, tmp_path) -> None:
    path = embeddable / "python311._pth"
    path.rename(tmp_path / "moved._pth")
    if kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to(tmp_path / "moved._pth")
    with pytest.raises(Refused, match=reason):
        enable_small(embeddable)
    assert not (embeddable / "Lib").exists()


def test_the_directory_for_packages_is_found_regardless_of_its_case(embeddable) -> None:
    """A tree for Windows may be on a case-sensitive file system."""
    (embeddable / "lib" / "Site-Packages").mkdir(parents=True)
    enable_small(embeddable)
    assert (embeddable / "lib" / "Site-Packages" / "certhook.pth").exists()


def test_the_version_is_taken_from_the_names_of_the_files(embeddable) -> None:
    assert find_target(str(embeddable)).version == (3, 11)
    (embeddable / "python311._pth").rename(embeddable / "python._pth")
    assert find_target(str(embeddable)).version == (3, 11)
    for name in ("python311.dll", "python311.zip"):
        (embeddable / name).unlink()
    assert find_target(str(embeddable)).version is None
