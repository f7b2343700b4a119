"""``enable`` makes a Python trust certifi's roots, and ``disable`` restores it."""

from __future__ import annotations

import json
import os
import shutil

import pytest
import support
from enabling import CHAINED, STOCK, posix, snapshot

pytestmark = posix


@pytest.mark.parametrize("kind", ["target", "private"])
def test_an_enabled_python_trusts_the_bundle_until_it_is_disabled(kind, certhook, trusted_by, request) -> None:
    python = request.getfixturevalue(kind)
    packages = support.purelib(python)
    assert trusted_by(python) == STOCK
    before = snapshot(packages)
    done = certhook("enable", python, "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert trusted_by(python) == CHAINED
    assert list(packages.rglob("*.pyc"))
    done = certhook("disable", python, "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert snapshot(packages) == before
    assert trusted_by(python) == STOCK


def test_the_status_of_an_enabled_python_names_the_start_file(certhook, target) -> None:
    certhook("enable", target, "--yes")
    found = json.loads(certhook("--json", python=target).stdout)
    assert (found["active"], found["enabled_by"]) == (True, str(support.purelib(target) / "certhook.pth"))


def test_exactly_the_listed_files_are_added(certhook, target) -> None:
    packages = support.purelib(target)
    before = snapshot(packages)
    shown = json.loads(certhook("enable", target, "--dry-run", "--json").stdout)
    assert json.loads(certhook("enable", target, "--yes", "--json").stdout)["files"] == shown["files"]
    added = {path for path, content in snapshot(packages).items() if path not in before and content is not True}
    assert {str(packages / path) for path in added} == set(shown["files"])


def test_exactly_the_listed_files_are_removed(certhook, target) -> None:
    added = json.loads(certhook("enable", target, "--yes", "--json").stdout)
    removed = json.loads(certhook("disable", target, "--yes", "--json").stdout)
    assert set(removed["files"]) == set(added["files"])


def test_every_installed_file_is_in_a_record_of_this_installer(certhook, target) -> None:
    certhook("enable", target, "--yes")
    code = (
        "import json; from importlib.metadata import distribution\n"
        "found = [distribution(name) for name in ('certhook', 'certifi')]\n"
        "installers = [each.read_text('INSTALLER') for each in found]\n"
        "print(json.dumps([installers, [str(path) for each in found for path in each.files]]))"
    )
    installers, listed = json.loads(support.run(target, code).stdout)
    present = {name for name, content in snapshot(support.purelib(target)).items() if content is not True}
    assert installers == ["certhook enable\n"] * 2
    assert {name for name in present if not name.endswith(".pyc")} == set(listed)


def test_no_script_is_installed(certhook, target) -> None:
    before = sorted(os.listdir(target.parent))
    certhook("enable", target, "--yes")
    assert sorted(os.listdir(target.parent)) == before


def test_a_second_run_changes_nothing(certhook, target) -> None:
    for verb in ("enable", "disable"):
        assert certhook(verb, target, "--yes").returncode == 0
        before = snapshot(target.parent.parent)
        again = certhook(verb, target)
        assert again.returncode == 0
        assert "no change is necessary" in " ".join(again.stdout.split())
        assert snapshot(target.parent.parent) == before


@pytest.mark.parametrize("spelling", ["bin/python", "bin", ".", "bin/../bin/python"])
def test_a_directory_names_the_interpreter_in_it(spelling, certhook, target) -> None:
    home = target.parent.parent
    done = certhook("enable", os.path.join(str(home), spelling), "--yes", "--json")
    assert json.loads(done.stdout)["site_packages"] == str(support.purelib(target))


def test_the_query_of_an_interpreter_runs_no_installed_code(certhook, target, tmp_path) -> None:
    code = f"import os; os.makedirs({str(tmp_path / 'ran')!r}, exist_ok=True)\n"
    for directory in (support.purelib(target), target.parent):
        for name in ("sitecustomize.py", "other.pth", "json.py", "sysconfig.py"):
            (directory / name).write_text(code)
    assert certhook("enable", target, "--yes").returncode == 0
    assert not (tmp_path / "ran").exists()
    support.run(target, "pass", check=False)
    assert (tmp_path / "ran").exists()


def test_a_certifi_in_the_target_is_used_and_kept(certhook, target, trusted_by, cas) -> None:
    own = support.purelib(target) / "certifi"
    own.mkdir()
    (own / "__init__.py").touch()
    (own / "cacert.pem").write_bytes(cas.pem("extra"))
    before = snapshot(own)
    certhook("enable", target, "--yes")
    assert trusted_by(target) == {**STOCK, "extra": True}
    certhook("disable", target, "--yes")
    assert {name: content for name, content in snapshot(own).items() if "__pycache__" not in name} == before


def test_an_earlier_installation_is_replaced(certhook, target, make_source, cas, trusted_by) -> None:
    earlier = make_source(cas.pem("extra"))
    assert certhook("enable", target, "--yes", python=earlier).returncode == 0
    assert trusted_by(target) == {**STOCK, "extra": True}
    done = certhook("enable", target, "--yes")
    assert "Replaced certifi" in done.stdout
    assert trusted_by(target) == CHAINED
    certhook("disable", target, "--yes")
    assert set(snapshot(support.purelib(target))) <= {"__pycache__"}


def test_an_enabled_python_can_enable_another_one(certhook, source, target, tmp_path) -> None:
    certhook("enable", target, "--yes")
    shutil.copytree(support.purelib(source) / "installer", support.purelib(target) / "installer")
    other = support.make_environment(tmp_path / "other")
    assert certhook("enable", other, "--yes", python=target).returncode == 0
    assert certhook("disable", other, "--yes").returncode == 0
    assert snapshot(support.purelib(other)) == {}


def test_pip_can_replace_and_remove_an_enabled_certhook(certhook, target, wheel, pip_install) -> None:
    packages = support.purelib(target)
    certhook("enable", target, "--yes")
    pip_install(target, "--no-deps", "--force-reinstall", wheel)
    (metadata,) = packages.glob("certhook-*.dist-info")
    assert (metadata / "INSTALLER").read_text().strip() == "pip"
    assert not (metadata / "certhook-enable.json").exists()
    assert "no change is necessary" in " ".join(certhook("enable", target).stdout.split())
    refused = certhook("disable", target, "--yes")
    assert (refused.returncode, "pip uninstall" in refused.stderr) == (1, True)


def test_a_certifi_that_pip_installed_over_ours_is_kept(certhook, target, pip_install) -> None:
    certhook("enable", target, "--yes")
    pip_install(target, "--no-deps", "--force-reinstall", "certifi")
    assert "no change is necessary" in " ".join(certhook("enable", target).stdout.split())
    assert certhook("disable", target, "--yes").returncode == 0
    names = {path.name.split("-")[0] for path in support.purelib(target).iterdir()}
    assert names - {"__pycache__"} == {"certifi"}


@pytest.mark.parametrize("with_argument", [False, True])
def test_a_certhook_that_pip_installed_is_left_to_pip(with_argument, certhook, source) -> None:
    arguments = (source,) if with_argument else ()
    done = certhook("enable", *arguments)
    assert (done.returncode, "pip installed certhook" in " ".join(done.stdout.split())) == (0, True)
    done = certhook("disable", *arguments, "--yes")
    assert done.returncode == 1
    assert "-m pip uninstall certhook" in done.stderr
    assert "CERTHOOK_DISABLED=1" in done.stderr
    assert (support.purelib(source) / "certhook.pth").exists()
