"""``disable`` removes only unchanged files, and never a file outside of the target."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path

import pytest
import support
from enabling import disable, enable_small, posix, snapshot

from certhook.cli.enable.refusal import Refused


@posix
def test_a_changed_file_is_kept_and_named(certhook, target) -> None:
    certhook("enable", target, "--yes")
    packages = support.purelib(target)
    changed = packages / "certifi" / "cacert.pem"
    content = changed.read_bytes()
    changed.write_bytes(content + b"# local root\n")
    assert "Would keep" in certhook("disable", target).stdout
    refused = certhook("enable", target, "--yes")
    assert (refused.returncode, str(changed) in refused.stderr) == (1, True)
    done = certhook("disable", target, "--yes")
    assert (done.returncode, str(changed) in done.stderr) == (1, True)
    kept = {path.name.split("-")[0] for path in packages.iterdir()} - {"__pycache__"}
    assert kept == {"certifi"}
    assert os.listdir(packages / "certifi") == ["cacert.pem"]
    # The record stays, and removed files are not listed again.
    shown = certhook("disable", target).stdout
    assert "Would remove" not in shown and "Would keep" in shown and str(changed) in support.squeezed(shown)
    assert json.loads(certhook("disable", target, "--dry-run", "--json").stdout)["files"] == []
    changed.write_bytes(content)
    assert certhook("disable", target, "--yes").returncode == 0
    assert set(snapshot(packages)) <= {"__pycache__"}


def test_a_second_enable_restores_missing_files(embeddable) -> None:
    enable_small(embeddable)
    packages = embeddable / "Lib" / "site-packages"
    before = snapshot(embeddable)
    (packages / "certhook" / "core" / "module.py").unlink()
    (packages / "certhook.pth").unlink()
    assert enable_small(embeddable)
    assert snapshot(embeddable) == before


@posix
def test_files_of_other_users_in_the_packages_are_kept(certhook, target) -> None:
    certhook("enable", target, "--yes")
    packages = support.purelib(target)
    others = [packages / "certhook" / "other.txt", packages / "certifi" / "__pycache__" / "other.pyc"]
    for path in others:
        path.parent.mkdir(exist_ok=True)
        path.write_text("other")
    refused = certhook("enable", target, "--yes")
    assert refused.returncode == 0  # no change is necessary
    assert certhook("disable", target, "--yes").returncode == 0
    assert [path for path in packages.rglob("*") if path.is_file()] == others


def test_an_upgrade_does_not_delete_files_of_other_users(embeddable) -> None:
    enable_small(embeddable, "1.0")
    other = embeddable / "Lib" / "site-packages" / "certhook" / "other.txt"
    other.write_text("other")
    before = snapshot(embeddable)
    with pytest.raises(Refused, match="other.txt exists and was not installed by 'enable'"):
        enable_small(embeddable, "2.0")
    assert snapshot(embeddable) == before


def test_an_upgrade_does_not_overwrite_changed_files(embeddable) -> None:
    enable_small(embeddable, "1.0")
    changed = embeddable / "Lib" / "site-packages" / "certhook" / "core" / "module.py"
    changed.write_text("x = 2\n")
    before = snapshot(embeddable)
    with pytest.raises(Refused, match="files were changed after 'enable': .*module.py; run 'disable' first"):
        enable_small(embeddable, "2.0")
    assert snapshot(embeddable) == before


def test_two_records_of_one_distribution_are_refused(embeddable) -> None:
    enable_small(embeddable)
    packages = embeddable / "Lib" / "site-packages"
    shutil.copytree(packages / "certhook-1.0.dist-info", packages / "certhook-2.0.dist-info")
    with pytest.raises(Refused, match="'enable' installed certhook more than once"):
        disable(embeddable)


def test_byte_code_is_removed_with_its_source(embeddable) -> None:
    enable_small(embeddable)
    package = embeddable / "Lib" / "site-packages" / "certhook" / "core"
    (package / "__pycache__").mkdir()
    for name in ("module.pyc", "__pycache__/module.cpython-311.pyc", "__pycache__/module.cpython-311.opt-1.pyc"):
        (package / name).write_bytes(b"")
    assert disable(embeddable) == []
    assert not (embeddable / "Lib").exists()


@posix
@pytest.mark.parametrize("name", ["certifi", "certifi/core", "certifi/core/module.py", "certifi-1.0.dist-info"])
def test_a_link_is_not_followed(name, embeddable, tmp_path) -> None:
    enable_small(embeddable)
    linked = embeddable / "Lib" / "site-packages" / name
    shutil.move(linked, tmp_path / "elsewhere")
    linked.symlink_to(tmp_path / "elsewhere")
    before = snapshot(tmp_path / "elsewhere"), (tmp_path / "elsewhere").exists()
    left = disable(embeddable)
    assert (snapshot(tmp_path / "elsewhere"), (tmp_path / "elsewhere").exists()) == before
    assert left or name.endswith(".dist-info")
    assert linked.is_symlink()


@posix
@pytest.mark.parametrize("replace", ["certhook", "certhook/core"])
def test_a_directory_that_becomes_a_link_during_the_removal_is_not_followed(
    replace, embeddable, tmp_path, monkeypatch
) -> None:
    """Another user replaces the directory after the plan was made."""
    from certhook.cli.enable import deployment

    enable_small(embeddable)
    packages = embeddable / "Lib" / "site-packages"
    plan_removal = deployment.plan_removal
    plans = []

    def plan_then_replace(target):
        plan = plan_removal(target)
        plans.append(plan)
        if len(plans) < 2:  # The second one is made under the lock.
            return plan
        shutil.move(packages / replace, tmp_path / "elsewhere")
        (packages / replace).symlink_to(tmp_path / "elsewhere")
        return plan

    monkeypatch.setattr(deployment, "plan_removal", plan_then_replace)
    left = disable(embeddable)
    assert str(packages / "certhook" / "core" / "module.py") in left
    assert list((tmp_path / "elsewhere").rglob("module.py"))
    assert (packages / "certhook-1.0.dist-info" / "RECORD").exists()


@posix
def test_a_fifo_in_the_place_of_a_file_is_kept(embeddable) -> None:
    enable_small(embeddable)
    module = embeddable / "Lib" / "site-packages" / "certhook" / "core" / "module.py"
    module.unlink()
    os.mkfifo(module)
    assert disable(embeddable) == [str(module)]


def rewrite_record(packages: Path, *row: str) -> None:
    """Add a row to the ``RECORD`` of certhook."""
    with open(packages / "certhook-1.0.dist-info" / "RECORD", "a", newline="") as file:
        csv.writer(file).writerow(row)


@pytest.mark.parametrize(
    "row",
    [
        ("../../../precious.txt", support.record_hash(b"precious"), "8"),
        ("certhook/../../../precious.txt", support.record_hash(b"precious"), "8"),
        ("/etc/hostname", support.record_hash(b""), ""),
        ("other/module.py", support.record_hash(b""), ""),
        ("certifi/core/module.py", support.record_hash(b""), ""),
        ("certhook//module.py", support.record_hash(b""), ""),
        ("certhook/..\\..\\precious.txt", support.record_hash(b"precious"), "8"),
        ("certhook/\x1b[2J.py", support.record_hash(b""), ""),
        ("certhook/auto.py", "", ""),
        ("certhook/auto.py", "md5=1B2M2Y8AsgTpgAmY7PhCfg", ""),
        ("certhook/auto.py",),
    ],
)
def test_a_forged_record_is_refused(row, embeddable) -> None:
    enable_small(embeddable)
    (embeddable / "precious.txt").write_bytes(b"precious")
    rewrite_record(embeddable / "Lib" / "site-packages", *row)
    before = snapshot(embeddable)
    for change in (enable_small, disable):
        with pytest.raises(Refused, match="the record of 'enable' in .* is invalid"):
            change(embeddable)
    assert snapshot(embeddable) == before


@pytest.mark.parametrize(
    "details",
    [
        "",
        "[]",
        "{}",
        '{"edit": null, "made_directories": 9}',
        '{"edit": null, "made_directories": "1"}',
        '{"edit": 1, "made_directories": 1}',
        '{"edit": {"appended": 1, "before": "", "after": ""}, "made_directories": 1}',
        '{"edit": {"appended": "import os\\n", "before": "%s", "after": "%s"}, "made_directories": 1}',
        '{"edit": {"appended": "import site\\n", "before": "", "after": ""}, "made_directories": 1}',
    ],
)
def test_forged_details_are_refused(details, embeddable) -> None:
    enable_small(embeddable)
    path = embeddable / "Lib" / "site-packages" / "certhook-1.0.dist-info" / "certhook-enable.json"
    path.write_text(details.replace("%s", support.record_hash(b"")))
    before = snapshot(embeddable)
    with pytest.raises(Refused, match="the record of 'enable' in"):
        disable(embeddable)
    assert snapshot(embeddable) == before


def test_a_forged_edit_does_not_truncate_the_pth_file(embeddable) -> None:
    enable_small(embeddable)
    pth = embeddable / "python311._pth"
    content = pth.read_bytes()
    path = embeddable / "Lib" / "site-packages" / "certhook-1.0.dist-info" / "certhook-enable.json"
    details = json.loads(path.read_text())
    details["edit"]["appended"] = "\r\n" * 20 + details["edit"]["appended"]
    path.write_text(json.dumps(details))
    assert set(disable(embeddable)) == {str(path), str(pth)}
    assert pth.read_bytes() == content
