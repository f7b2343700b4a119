"""``python -m certhook enable`` and ``disable``: a Python that pip cannot install into."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import support

from certhook.cli import _placed
from certhook.cli._interpreter import Refused, Target, find

posix = pytest.mark.skipif(sys.platform == "win32", reason="links, terminals and folders of Unix")

STOCK = {"system": True, "bundled": False, "both": True, "extra": False, "stranger": False}
CHAINED = {**STOCK, "bundled": True}

#: As the embeddable Python for Windows is shipped.
PTH = b"python311.zip\r\n.\r\n\r\n# Uncomment to run site.main() automatically\r\n#import site\r\n"
ADDED = b"Lib\\site-packages\r\nimport site\r\n"


@pytest.fixture(scope="module")
def source(installed: Path, cas, tmp_path_factory) -> Path:
    """The interpreter of an environment with certhook, whose certifi has the authorities *bundled* and *both*."""
    python = support.make_environment(tmp_path_factory.mktemp("source"))
    shutil.copytree(support.purelib(installed), support.purelib(python), dirs_exist_ok=True)
    (support.purelib(python) / "certifi" / "cacert.pem").write_bytes(cas.pem("bundled", "both"))
    return python


@pytest.fixture
def certhook(source: Path, tmp_path: Path):
    """Run ``python -m certhook`` with these *words*."""

    def run(*words: object, python: Path = source, **kwargs: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(python), "-m", "certhook", *map(str, words)],
            env=support.clean_env(),
            cwd=str(tmp_path),
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            **kwargs,
        )

    return run


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """The interpreter of an environment without pip."""
    return support.make_environment(tmp_path / "target")


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A Python in a folder of its own, as an application brings one along: no environment, and without pip."""
    code = "import json, sys, sysconfig; print(json.dumps([sys.executable, sysconfig.get_path('stdlib')]))"
    base, library = json.loads(support.run(getattr(sys, "_base_executable", sys.executable), code).stdout)
    home = tmp_path / "private"
    (home / "bin").mkdir(parents=True)
    own = home / "lib" / Path(library).name
    (own / "site-packages").mkdir(parents=True)
    for path in Path(library).iterdir():
        if path.name not in ("site-packages", "dist-packages", "EXTERNALLY-MANAGED", "__pycache__"):
            (own / path.name).symlink_to(path)
    python = home / "bin" / "python3"
    shutil.copy(base, python)
    if Path(support.run(python, "import sys; print(sys.prefix)").stdout.strip()) != home:
        pytest.skip("this Python does not run from another folder")
    return python


@pytest.fixture
def embeddable(tmp_path: Path) -> Path:
    """A folder like that of the embeddable Python for Windows, as far as it is read."""
    folder = tmp_path / "embeddable"
    folder.mkdir()
    (folder / "python311._pth").write_bytes(PTH)
    for name in ("python.exe", "pythonw.exe", "python3.dll", "python311.dll", "python311.zip"):
        (folder / name).touch()
    return folder


def snapshot(folder: Path) -> dict[str, object]:
    """Everything in *folder*, but for what a Python compiled of its own."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_symlink() or path.is_dir():
            found[str(path.relative_to(folder))] = path.is_dir() or hashlib.sha256(path.read_bytes()).hexdigest()
    return found


@pytest.fixture
def asked(tmp_path, cas, servers):
    """Whom a default context of a given interpreter trusts."""
    (tmp_path / "system.pem").write_bytes(cas.pem("system", "both"))
    (tmp_path / "hashed").mkdir()
    (tmp_path / "hashed" / support.hashed_name(cas.der("system"))).write_bytes(cas.pem("system"))
    env = support.clean_env(
        SSL_CERT_FILE=str(tmp_path / "system.pem"),
        SSL_CERT_DIR=str(tmp_path / "hashed"),
        CERTHOOK_SOURCES="system,bundled",
        SERVERS=support.server_list(servers),
    )
    return lambda python: support.verdicts(support.run(python, support.VERDICTS, env=env).stdout)


# A Python of Unix.


@posix
@pytest.mark.parametrize("kind", ["target", "private"])
def test_enabled_it_trusts_both_and_disabled_it_is_what_it_was(kind, certhook, asked, request) -> None:
    python = request.getfixturevalue(kind)
    packages = support.purelib(python)
    assert asked(python) == STOCK
    before = snapshot(packages)
    done = certhook("enable", python, "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert asked(python) == CHAINED
    assert list(packages.rglob("*.pyc"))
    done = certhook("disable", python, "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert snapshot(packages) == before
    assert asked(python) == STOCK


@posix
def test_what_is_there_then_says_what_it_is(certhook, target) -> None:
    certhook("enable", target, "--yes")
    found = json.loads(certhook("--json", python=target).stdout)
    assert (found["active"], found["enabled_by"]) == (True, str(support.purelib(target) / "certhook.pth"))


@posix
@pytest.mark.parametrize("options", [(), ("--dry-run",), ("--dry-run", "--yes"), ("--json",)])
@pytest.mark.parametrize("verb", ["enable", "disable"])
def test_without_consent_it_is_shown_and_nothing_is_changed(verb, options, certhook, target) -> None:
    if verb == "disable":
        certhook("enable", target, "--yes")
    before = snapshot(target.parent.parent)
    done = certhook(verb, target, *options)
    assert done.returncode == 1
    assert "nothing was changed" in done.stdout + done.stderr
    assert snapshot(target.parent.parent) == before
    for name in ("certhook", "certifi", "certhook.pth", _placed.RECORD):
        assert name in done.stdout


@posix
def test_what_was_done_is_not_said_as_what_would_be(certhook, target) -> None:
    for verb, words in (("enable", "Added to "), ("disable", "Removed from ")):
        said = certhook(verb, target, "--yes").stdout
        assert words in said and _placed.RECORD in said and "certhook/  (" in said
        assert "ould" not in said


@posix
def test_every_file_that_is_shown_is_added_and_no_other(certhook, target) -> None:
    packages = support.purelib(target)
    before = snapshot(packages)
    shown = json.loads(certhook("enable", target, "--dry-run", "--json").stdout)
    assert json.loads(certhook("enable", target, "--yes", "--json").stdout)["files"] == shown["files"]
    added = {path for path, content in snapshot(packages).items() if path not in before and content is not True}
    assert {str(packages / path) for path in added} == set(shown["files"])


@posix
def test_the_second_time_nothing_is_to_be_done(certhook, target) -> None:
    for verb in ("enable", "disable"):
        assert certhook(verb, target, "--yes").returncode == 0
        before = snapshot(target.parent.parent)
        again = certhook(verb, target)
        assert again.returncode == 0
        assert "nothing is to be done" in " ".join(again.stdout.split())
        assert snapshot(target.parent.parent) == before


@posix
@pytest.mark.parametrize("spelling", ["bin/python", "bin", ".", "bin/../bin/python"])
def test_a_folder_and_an_interpreter_are_the_same_target(spelling, certhook, target) -> None:
    home = target.parent.parent
    done = certhook("enable", os.path.join(str(home), spelling), "--yes", "--json")
    assert json.loads(done.stdout)["site_packages"] == str(support.purelib(target))


@posix
def test_a_target_is_asked_without_running_code_of_anybody_else(certhook, target, tmp_path) -> None:
    code = f"import os; os.makedirs({str(tmp_path / 'ran')!r}, exist_ok=True)\n"
    for folder in (support.purelib(target), target.parent):
        for name in ("sitecustomize.py", "theirs.pth", "json.py", "sysconfig.py"):
            (folder / name).write_text(code)
    assert certhook("enable", target, "--yes").returncode == 0
    assert not (tmp_path / "ran").exists()
    support.run(target, "pass", check=False)
    assert (tmp_path / "ran").exists()


@posix
def test_a_certifi_that_is_there_is_used_and_stays(certhook, target, asked, cas) -> None:
    own = support.purelib(target) / "certifi"
    own.mkdir()
    (own / "__init__.py").touch()
    (own / "cacert.pem").write_bytes(cas.pem("extra"))
    before = snapshot(own)
    certhook("enable", target, "--yes")
    assert asked(target) == {**STOCK, "extra": True}
    certhook("disable", target, "--yes")
    assert {name: content for name, content in snapshot(own).items() if "__pycache__" not in name} == before


@posix
def test_another_version_is_replaced(certhook, target, installed, asked) -> None:
    assert certhook("enable", target, "--yes", python=installed).returncode == 0
    assert asked(target) == STOCK
    done = certhook("enable", target, "--yes")
    assert "put there was replaced" in done.stdout
    assert asked(target) == CHAINED
    certhook("disable", target, "--yes")
    assert set(snapshot(support.purelib(target))) <= {"__pycache__"}


# What was changed since.


@posix
def test_a_file_that_was_changed_since_is_left_and_named(certhook, target) -> None:
    certhook("enable", target, "--yes")
    packages = support.purelib(target)
    changed = packages / "certifi" / "cacert.pem"
    content = changed.read_bytes()
    changed.write_bytes(content + b"# mine\n")
    assert "Would leave" in certhook("disable", target).stdout
    refused = certhook("enable", target, "--yes", python=target)
    assert (refused.returncode, str(changed) in refused.stderr) == (1, True)
    done = certhook("disable", target, "--yes")
    assert (done.returncode, str(changed) in done.stderr) == (1, True)
    assert sorted(snapshot(packages)) == [_placed.RECORD, "certifi", "certifi/cacert.pem"]
    # What is gone is not to be removed once more, nor is what says what was added.
    said = certhook("disable", target).stdout
    assert "Would remove" not in said and "Would leave" in said and str(changed) in support.squeezed(said)
    assert json.loads(certhook("disable", target, "--dry-run", "--json").stdout)["files"] == []
    changed.write_bytes(content)
    assert certhook("disable", target, "--yes").returncode == 0
    assert snapshot(packages) == {}


@posix
def test_what_others_put_beside_it_stays(certhook, target) -> None:
    certhook("enable", target, "--yes")
    packages = support.purelib(target)
    others = [packages / "certhook" / "theirs.txt", packages / "certifi" / "__pycache__" / "theirs.pyc"]
    for path in others:
        path.parent.mkdir(exist_ok=True)
        path.write_text("theirs")
    assert certhook("disable", target, "--yes").returncode == 0
    assert [path for path in packages.rglob("*") if path.is_file()] == others


@posix
def test_a_link_is_never_followed(certhook, target, tmp_path) -> None:
    certhook("enable", target, "--yes")
    packages = support.purelib(target)
    shutil.move(packages / "certifi", tmp_path / "elsewhere")
    (packages / "certifi").symlink_to(tmp_path / "elsewhere")
    assert certhook("disable", target, "--yes").returncode == 1
    assert (tmp_path / "elsewhere" / "cacert.pem").exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"files": {}}',
        '{"version": "1", "files": {"../x": ""}, "appended": "", "settings": [], "made": 0}',
        '{"version": "1", "files": {"certhook/../../x": ""}, "appended": "", "settings": [], "made": 0}',
        '{"version": "1", "files": {"/etc/passwd": ""}, "appended": "", "settings": [], "made": 0}',
        '{"version": "1", "files": {"certhook//x": ""}, "appended": "", "settings": [], "made": 0}',
        '{"version": "1", "files": {"certifi/..\\\\x": ""}, "appended": "", "settings": [], "made": 0}',
        '{"version": "1", "files": {}, "appended": "", "settings": [], "made": 9}',
        '{"version": "1", "files": {}, "appended": 1, "settings": [], "made": 0}',
    ],
)
def test_a_record_that_somebody_else_wrote_is_refused(text, certhook, embeddable) -> None:
    packages = embeddable / "Lib" / "site-packages"
    packages.mkdir(parents=True)
    (packages / _placed.RECORD).write_text(text)
    before = snapshot(embeddable)
    for verb in ("enable", "disable"):
        done = certhook(verb, embeddable, "--yes")
        assert (done.returncode, "cannot be used" in done.stderr) == (1, True)
    assert snapshot(embeddable) == before


# All or nothing.


def fail_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have one step of those that put files in their places fail, the others not."""
    steps = itertools.count()

    def failing(real):
        def function(*args, **kwargs):
            if next(steps) == step:
                raise OSError("the disk is full")
            return real(*args, **kwargs)

        return function

    monkeypatch.setattr(os, "rename", failing(os.rename))
    monkeypatch.setattr(shutil, "copymode", failing(shutil.copymode))


@pytest.mark.parametrize("step", range(6))
def test_what_fails_in_the_middle_leaves_nothing(step, embeddable, monkeypatch) -> None:
    before = snapshot(embeddable)
    target = find(str(embeddable))
    files = {"certhook/__init__.py": b"", "certifi/core/x.py": b"x = 1\n", **_placed.START_FILES}
    record = _placed.plan(target, files)
    fail_at(step, monkeypatch)
    if step == 5:  # a record, two packages, the ._pth file, the file that starts it
        _placed.place(target, files, record)
        assert _placed.is_whole(target, record)
        return
    with pytest.raises(OSError, match="the disk is full"):
        _placed.place(target, files, record)
    assert snapshot(embeddable) == before


def compiled(packages: Path) -> None:
    """As ``compileall -b`` leaves it."""
    (packages / "certhook" / "auto.pyc").write_bytes(b"?")


def stale(packages: Path) -> None:
    (packages / "certhook" / "__pycache__").mkdir(exist_ok=True)
    (packages / "certhook" / "__pycache__" / "gone.cpython-311.pyc").write_bytes(b"?")


def empty_folder(packages: Path) -> None:
    (packages / "certhook" / "nothing").mkdir()


def former_file(packages: Path) -> None:
    """What another version wrote as well."""
    (packages / "certhook.start").write_bytes(b"certhook:start\n")
    record = json.loads((packages / _placed.RECORD).read_text())
    record["files"]["certhook.start"] = hashlib.sha256(b"certhook:start\n").hexdigest()
    (packages / _placed.RECORD).write_text(json.dumps(record))


@pytest.mark.parametrize("left", [compiled, stale, empty_folder, former_file])
@pytest.mark.parametrize("step", range(12))
def test_what_fails_in_the_middle_of_an_upgrade_leaves_what_was_there(left, step, embeddable, monkeypatch) -> None:
    target = find(str(embeddable))
    packages = Path(target.folder)
    files = {"certhook/auto.py": b"", "certifi/core/x.py": b"x = 1\n", **_placed.START_FILES}
    _placed.place(target, files, _placed.plan(target, files))
    left(packages)
    old, before = _placed.read(target), snapshot(embeddable)
    newer = {**files, "certhook/auto.py": b"newer = 1\n"}
    # Out go what starts it, two packages (and what an earlier version had), the record and the lines; in come
    # a record, two packages, the lines, and what starts it.
    steps = 11 if left is former_file else 10
    with monkeypatch.context() as patch:
        fail_at(step, patch)
        if step < steps:
            with pytest.raises(OSError, match="the disk is full"):
                _placed.place(target, newer, _placed.plan(target, newer), old)
            assert snapshot(embeddable) == before
            return
        _placed.place(target, newer, _placed.plan(target, newer), old)
    placed = _placed.read(target)
    assert _placed.is_whole(target, placed)
    assert (packages / "certhook" / "auto.py").read_bytes() == b"newer = 1\n"
    assert _placed.remove(target, placed) == []
    assert not packages.exists()


@pytest.mark.parametrize("after", range(5))
def test_what_is_killed_in_the_middle_can_be_disabled(after, source, certhook, embeddable) -> None:
    before = snapshot(embeddable)
    code = (
        "import itertools, os, sys\n"
        "count, rename = itertools.count(), os.rename\n"
        f"os.rename = lambda *names: os._exit(9) if next(count) == {after} else rename(*names)\n"
        "from certhook.cli import main\n"
        f"sys.exit(main(['enable', {str(embeddable)!r}, '--yes']))"
    )
    assert support.run(source, code, check=False).returncode == (9 if after < 4 else 0)
    again = certhook("enable", embeddable, "--yes")
    stage = embeddable / "Lib" / "site-packages" / ".certhook-enabling"
    assert (again.returncode, str(stage) in again.stderr) == ((1, True) if after < 4 else (0, False))
    shutil.rmtree(stage, ignore_errors=True)
    assert certhook("disable", embeddable, "--yes").returncode == 0
    shutil.rmtree(embeddable / "Lib", ignore_errors=True)
    assert snapshot(embeddable) == before


# The embeddable Python for Windows; tests/embedded/windows has the real one.


@pytest.mark.parametrize("given", ["folder", "python.exe"])
def test_its_settings_get_the_lines_that_they_need_and_lose_them_again(given, certhook, embeddable) -> None:
    before = snapshot(embeddable)
    target = embeddable if given == "folder" else embeddable / given
    done = certhook("enable", target, "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(f"  {line}\n" in done.stdout for line in ADDED.decode().split("\r\n")[:-1])
    assert (embeddable / "python311._pth").read_bytes() == PTH + ADDED
    packages = embeddable / "Lib" / "site-packages"
    assert {"certhook", "certifi", "certhook.pth", _placed.RECORD} == set(os.listdir(packages))
    assert certhook("disable", target, "--yes").returncode == 0
    assert snapshot(embeddable) == before


@pytest.mark.parametrize(
    ("text", "appended"),
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
def test_only_the_lines_that_are_missing_are_appended(text, appended, certhook, embeddable) -> None:
    settings = embeddable / "python311._pth"
    settings.write_bytes(text)
    assert certhook("enable", embeddable, "--yes").returncode == 0
    assert settings.read_bytes() == text + appended
    assert "nothing is to be done" in " ".join(certhook("enable", embeddable).stdout.split())
    assert certhook("disable", embeddable, "--yes").returncode == 0
    assert settings.read_bytes() == text


def test_settings_that_were_changed_since_are_left_and_named(certhook, embeddable) -> None:
    settings = embeddable / "python311._pth"
    certhook("enable", embeddable, "--yes")
    settings.write_bytes(PTH + ADDED + b"..\\app\r\n")
    done = certhook("disable", embeddable, "--yes")
    assert done.returncode == 1
    assert f"take the lines 'Lib\\site-packages' and 'import site' out of {settings}" in done.stderr
    assert settings.read_bytes() == PTH + ADDED + b"..\\app\r\n"
    assert "these lines" not in done.stdout and "Left, because it was changed since:" in done.stdout
    assert os.listdir(embeddable / "Lib" / "site-packages") == [_placed.RECORD]
    settings.write_bytes(PTH + b"..\\app\r\n")
    assert certhook("disable", embeddable, "--yes").returncode == 0
    assert settings.read_bytes() == PTH + b"..\\app\r\n"
    assert not (embeddable / "Lib").exists()


def test_a_folder_that_is_spelled_otherwise_is_the_same_one(certhook, embeddable) -> None:
    """A tree for Windows may lie on a system that tells ``lib`` from ``Lib``."""
    (embeddable / "lib" / "Site-Packages").mkdir(parents=True)
    certhook("enable", embeddable, "--yes")
    assert (embeddable / "lib" / "Site-Packages" / "certhook.pth").exists()


def test_what_reads_its_settings_knows_its_version(embeddable) -> None:
    assert find(str(embeddable)).version == (3, 11)
    (embeddable / "python311._pth").rename(embeddable / "python._pth")
    assert find(str(embeddable)).version == (3, 11)
    for name in ("python311.dll", "python311.zip"):
        (embeddable / name).unlink()
    assert find(str(embeddable)).version is None


# What is refused.


def old(folder: Path) -> Path:
    (folder / "python37._pth").touch()
    return folder


def several(folder: Path) -> Path:
    (folder / "python38._pth").touch()
    (folder / "python39._pth").touch()
    return folder


def a_file(folder: Path) -> Path:
    (folder / "readme.txt").touch()
    return folder / "readme.txt"


def no_python(folder: Path) -> Path:
    path = folder / "python"
    path.write_text("#!/bin/sh\necho no\n")
    path.chmod(0o755)
    return path


@posix
@pytest.mark.parametrize(
    ("make", "status", "said"),
    [
        (lambda folder: folder / "missing", 2, "does not exist"),
        (lambda folder: "no-such-python", 2, "no-such-python does not exist"),
        (lambda folder: folder, 2, "no Python in it"),
        (several, 2, "has several ._pth files (python38._pth, python39._pth)"),
        (old, 1, "is Python 3.7; certhook needs 3.8 or later"),
        (a_file, 2, "is no Python 3.8 or later that runs here: Permission denied"),
        (no_python, 2, "is no Python 3.8 or later that runs here: it did not answer as one does"),
    ],
)
@pytest.mark.parametrize("verb", ["enable", "disable"])
def test_what_is_no_python_is_told(verb, make, status, said, certhook, tmp_path) -> None:
    (tmp_path / "folder").mkdir()
    done = certhook(verb, make(tmp_path / "folder"), "--yes")
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr
    as_json = certhook(verb, make(tmp_path / "folder"), "--json")
    assert (as_json.returncode, as_json.stderr) == (status, done.stderr)
    found = json.loads(as_json.stdout)
    assert found["done"] is False and found["message"] in as_json.stderr


@posix
def test_where_pip_can_install_it_is_left_to_pip_unless_it_is_forced(certhook, target) -> None:
    (support.purelib(target) / "pip").mkdir()
    done = certhook("enable", target, "--yes")
    assert (done.returncode, f"{target} -m pip install certhook" in done.stderr) == (1, True)
    assert certhook("enable", target, "--yes", "--force").returncode == 0


@posix
def test_the_operating_systems_own_is_left_to_it_unless_it_is_forced(certhook, private) -> None:
    where = support.run(private, "import sysconfig; print(sysconfig.get_path('stdlib'))").stdout.strip()
    Path(where, "EXTERNALLY-MANAGED").touch()
    done = certhook("enable", private, "--yes")
    assert (done.returncode, "belongs to the operating system" in done.stderr) == (1, True)
    assert certhook("enable", private, "--yes", "--force").returncode == 0


@posix
@pytest.mark.parametrize("words", [(), ("installed",)])
def test_what_pip_installed_is_pips(words, certhook, installed) -> None:
    words = tuple(installed for _ in words)
    done = certhook("enable", *words, python=installed)
    assert (done.returncode, "pip installed certhook there" in " ".join(done.stdout.split())) == (0, True)
    done = certhook("disable", *words, "--yes", python=installed)
    assert done.returncode == 1
    assert "-m pip uninstall certhook" in done.stderr
    assert "CERTHOOK_DISABLED=1" in done.stderr
    assert (support.purelib(installed) / "certhook.pth").exists()


@posix
@pytest.mark.parametrize("package", ["certhook", "certifi"])
def test_what_pip_installed_over_it_is_pips_from_then_on(package, certhook, target) -> None:
    certhook("enable", target, "--yes")
    packages = support.purelib(target)
    (packages / f"{package}-1.dist-info").mkdir()
    assert "nothing is to be done" in " ".join(certhook("enable", target).stdout.split())
    done = certhook("disable", target, "--yes")
    assert done.returncode == (1 if package == "certhook" else 0)
    assert (packages / package / "__init__.py").exists()
    assert (packages / "certhook.pth").exists() is (package == "certhook")


@pytest.mark.parametrize("name", ["certhook", "certhook.pth"])
def test_what_is_there_already_is_never_overwritten(name, certhook, embeddable) -> None:
    packages = embeddable / "Lib" / "site-packages"
    packages.mkdir(parents=True)
    (packages / name).write_text("theirs")
    before = snapshot(embeddable)
    done = certhook("enable", embeddable, "--yes")
    assert (done.returncode, f"{packages / name} is there already" in done.stderr) == (1, True)
    assert snapshot(embeddable) == before


def test_where_nothing_can_be_written_it_is_said_first(embeddable, monkeypatch, capsys) -> None:
    from certhook.cli import main

    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert main(["enable", str(embeddable), "--yes"]) == 1
    assert f"{embeddable} cannot be written by this user" in capsys.readouterr().err


def test_a_certhook_that_is_in_no_folder_cannot_be_copied(monkeypatch) -> None:
    import certhook

    monkeypatch.setattr(certhook, "__file__", "/archive.zip/certhook/__init__.py")
    with pytest.raises(Refused, match="certhook is in no folder here"):
        _placed.contents(Target("python", (3, 11), "/nowhere"), None)


# How it is asked for.


@posix
@pytest.mark.parametrize(("answer", "status"), [(b"y\n", 0), (b"YES\n", 0), (b"n\n", 1), (b"\n", 1), (b"\4", 1)])
def test_a_person_at_a_terminal_is_asked(answer, status, source, target) -> None:
    import pty

    main, other = pty.openpty()
    try:
        os.write(main, answer)
        command = [str(source), "-m", "certhook", "enable", str(target)]
        done = subprocess.run(command, env=support.clean_env(), stdin=other, stdout=other, stderr=other, timeout=60)
        shown = os.read(main, 65536).decode()
    finally:
        os.close(main)
        os.close(other)
    assert done.returncode == status, shown
    assert "Do it? [y/N]" in shown
    assert (support.purelib(target) / "certhook.pth").exists() is (status == 0)


KEYS = ("verb", "target", "done", "site_packages", "python", "nothing_to_do", "files", "lines", "message")


def test_the_keys_of_the_json_are_these(certhook, embeddable) -> None:
    found = json.loads(certhook("enable", embeddable, "--json").stdout)
    assert set(found) == set(KEYS)
    assert found["lines"] == {str(embeddable / "python311._pth"): ADDED.decode().split("\r\n")[:-1]}
    assert (found["python"], found["nothing_to_do"], found["done"]) == ([3, 11], False, False)
    found = json.loads(certhook("enable", embeddable, "--json", "--yes").stdout)
    assert set(found) == {*KEYS, "left"}
    assert (found["done"], found["left"]) == (True, [])
    found = json.loads(certhook("enable", embeddable, "--json").stdout)
    assert (found["nothing_to_do"], found["files"], found["lines"], found["done"]) == (True, [], {}, False)


def test_it_fits_a_terminal_of_80_columns(certhook, tmp_path, embeddable) -> None:
    deep = tmp_path / ("a long name " * 6)
    embeddable.rename(deep)
    for verb in ("enable", "disable"):
        done = certhook(verb, deep, "--yes")
        assert max(map(len, done.stdout.splitlines())) < 80


def test_the_files_that_start_it_are_those_of_the_wheel(installed) -> None:
    files = {name: (support.purelib(installed) / name).read_bytes() for name in _placed.START_FILES}
    assert files == _placed.START_FILES
