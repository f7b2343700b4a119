"""The drop-in: one folder on PYTHONPATH, in an interpreter that certhook is not installed in."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
import support

STATUS = """
import certhook, ssl, sys
assert certhook.is_installed()
assert hasattr(ssl.create_default_context, "__certhook__")
"""
#: Where the ``sitecustomize`` that everybody sees comes from.
WHOSE = "import sys; print(sys.modules['sitecustomize'].__file__)"
TOOL = "import sys; sys.tool_ran = sys.__dict__.get('tool_ran', 0) + 1\n"
TOOL_RAN = "import sys; print(sys.__dict__.get('tool_ran', 0))"

# What ddtrace, opentelemetry and others do: they step aside, and let the next one run.
CHAINING = """
import os, sys
here = os.path.dirname(os.path.abspath(__file__))
path = list(sys.path)
sys.path.remove(here)
mine = sys.modules.pop("sitecustomize")
try:
    import sitecustomize
except ImportError:
    sys.modules["sitecustomize"] = mine
finally:
    sys.path.insert(path.index(here), here)
sys.chained = True
"""


@pytest.fixture(scope="module")
def site_packages(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with certhook and certifi in it, as ``pip install --target`` makes one."""
    folder = tmp_path_factory.mktemp("target") / "elsewhere"
    ignored = shutil.ignore_patterns("__pycache__", "*.pth", "*.start", "*.dist-info")
    shutil.copytree(support.purelib(installed), folder, ignore=ignored)
    return folder


@pytest.fixture(scope="module")
def drop_in(site_packages: Path) -> str:
    return str(site_packages / "certhook" / "bootstrap")


@pytest.fixture(scope="module")
def archive(site_packages: Path) -> str:
    """The same folder as one zip file."""
    return shutil.make_archive(str(site_packages.with_name("archive")), "zip", site_packages)


def environ(*path: object, **variables: str) -> dict[str, str]:
    return support.clean_env(PYTHONPATH=os.pathsep.join(map(str, path)), **variables)


def tool(folder: Path, text: str = TOOL) -> Path:
    """Another tool's folder with a ``sitecustomize`` in it."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(text)
    return folder


def test_a_folder_on_the_path_enables_the_hook(plain, drop_in) -> None:
    done = support.run(plain, STATUS, env=environ(drop_in))
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize("flags", [("-s",), ("-OO",), ("-W", "error", "-X", "dev", "-bb")], ids=" ".join)
def test_flags_that_keep_the_path_keep_the_drop_in(plain, drop_in, flags) -> None:
    done = support.run(plain, STATUS, *flags, env=environ(drop_in))
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize("flag", ["-I", "-E", "-S"])
def test_flags_that_ignore_the_path_or_site_ignore_the_drop_in(plain, drop_in, flag) -> None:
    done = support.run(plain, "import ssl, sys; print('certhook' in sys.modules)", flag, env=environ(drop_in))
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_the_bundle_beside_it_is_trusted(plain, drop_in) -> None:
    code = "import certhook; print(len(certhook.trust_set()) > 50)"
    done = support.run(plain, code, "-W", "error", env=environ(drop_in, CERTHOOK_SOURCES="bundled"))
    assert done.stdout == "True\n"


@pytest.mark.parametrize("spelling", ["{}", "{}/", "{}/../bootstrap", "relative"])
def test_the_path_is_what_it_is_without_certhook(plain, drop_in, tmp_path, spelling) -> None:
    def path(folder: object, working_directory: str) -> list[str]:
        entry = os.path.basename(folder) if spelling == "relative" else spelling.format(folder)
        env = environ(tmp_path / "first", entry, tmp_path / "last")
        done = support.run(plain, "import sys; print(*sys.path, sep='\\n')", env=env, cwd=working_directory)
        return done.stdout.splitlines()

    other = tmp_path / "other" / "bootstrap"
    other.mkdir(parents=True)
    expected = path(str(other), str(other.parent))
    assert str(other) in expected
    found = path(drop_in, os.path.dirname(drop_in))
    assert found == [drop_in if entry == str(other) else entry for entry in expected]


def test_the_next_one_runs_with_the_folder_off_the_path(plain, drop_in, tmp_path) -> None:
    tool(tmp_path, "import sys; sys.seen = list(sys.path)")
    done = support.run(plain, "import sys; print(*sys.seen, sep='\\n')", env=environ(drop_in, tmp_path))
    assert str(tmp_path) in done.stdout.splitlines()
    assert drop_in not in done.stdout.splitlines()


@pytest.mark.parametrize("ours_first", [True, False])
def test_another_tools_folder(plain, drop_in, tmp_path, ours_first) -> None:
    path = [drop_in, tool(tmp_path)] if ours_first else [tool(tmp_path, CHAINING + TOOL), drop_in]
    done = support.run(plain, f"{STATUS}\n{TOOL_RAN}", env=environ(*path))
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_the_next_one_is_the_one_that_everybody_sees(plain, drop_in, tmp_path) -> None:
    done = support.run(plain, WHOSE, env=environ(drop_in, tool(tmp_path)))
    assert done.stdout == f"{tmp_path / 'sitecustomize.py'}\n"


def test_where_there_is_no_other_ours_is_seen(plain, drop_in) -> None:
    found = support.run(plain, "import sys; print('sitecustomize' in sys.modules)", env=environ("/nowhere")).stdout
    if found == "True\n":
        pytest.skip("this Python has a sitecustomize of its own")
    done = support.run(plain, WHOSE, env=environ(drop_in))
    assert (done.stdout, done.stderr) == (os.path.join(drop_in, "sitecustomize.py") + "\n", "")


def test_one_in_a_zip(plain, drop_in, tmp_path) -> None:
    with zipfile.ZipFile(tmp_path / "tool.zip", "w") as zipped:
        zipped.writestr("sitecustomize.py", TOOL)
    done = support.run(plain, f"{STATUS}\n{TOOL_RAN}", env=environ(drop_in, tmp_path / "tool.zip"))
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_one_in_site_packages(drop_in, tmp_path) -> None:
    python = support.make_environment(tmp_path)
    (support.purelib(python) / "sitecustomize.py").write_text(TOOL)
    without = support.run(python, TOOL_RAN).stdout
    # Where the distribution's own stands before it, as on Debian, it never ran.
    assert support.run(python, f"{STATUS}\n{TOOL_RAN}", env=environ(drop_in)).stdout == without


@pytest.mark.parametrize(
    "text",
    [
        "raise RuntimeError('no')",
        "raise ImportError('no')",
        "import no_such_module",
        "import sitecustomize.inner",
        "def",
        "import sys; sys.modules.pop('sitecustomize', None); raise OSError('no')",
    ],
)
def test_one_that_fails_says_what_it_says_without_certhook(plain, drop_in, tmp_path, text) -> None:
    code = "import sys; print('sitecustomize' in sys.modules)"
    alone = support.run(plain, code, env=environ(tool(tmp_path, text)))
    assert "sitecustomize" in alone.stderr
    after_ours = support.run(plain, code, env=environ(drop_in, tmp_path))
    assert (after_ours.stdout, after_ours.stderr) == (alone.stdout, alone.stderr)
    assert support.run(plain, STATUS, env=environ(drop_in, tmp_path)).returncode == 0
    path = support.run(plain, "import sys; print(*sys.path, sep='\\n')", env=environ(drop_in, tmp_path)).stdout
    assert path.splitlines()[1:3] == [drop_in, str(tmp_path)]


@pytest.mark.parametrize("ours_first", [True, False])
def test_one_that_goes_on_as_well(plain, drop_in, tmp_path, ours_first) -> None:
    chaining, last = tool(tmp_path / "chaining", CHAINING), tool(tmp_path / "last")
    path = [drop_in, chaining, last] if ours_first else [chaining, drop_in, last]
    code = f"{STATUS}\nassert sys.chained\n{TOOL_RAN}\nprint(*sys.path[1:4], sep='\\n')\n{WHOSE}"
    done = support.run(plain, code, env=environ(*path))
    expected = [1, *path, last / "sitecustomize.py"]
    assert (done.stdout, done.stderr) == ("".join(f"{item}\n" for item in expected), "")


def test_one_that_goes_on_and_finds_nothing(plain, drop_in, tmp_path) -> None:
    done = support.run(plain, f"{STATUS}\nassert sys.chained", env=environ(drop_in, tool(tmp_path, CHAINING)))
    assert done.stderr == ""


def test_one_that_replaces_the_path(plain, drop_in, tmp_path) -> None:
    tool(tmp_path, "import sys; sys.path = ['/replaced', *sys.path]")
    done = support.run(plain, "import sys; print('/replaced' in sys.path, *sys.path)", env=environ(drop_in, tmp_path))
    assert done.stdout.split()[0] == "True"
    assert done.stdout.split().count(drop_in) == 1


def test_two_drop_ins_on_the_path(plain, drop_in, site_packages, tmp_path) -> None:
    shutil.copytree(site_packages / "certhook", tmp_path / "certhook")
    second = tmp_path / "certhook" / "bootstrap"
    code = f"{STATUS}\n{TOOL_RAN}\nprint(*sys.path[1:3], sep='\\n')"
    done = support.run(plain, code, env=environ(drop_in, second, tool(tmp_path / "tool")))
    assert (done.stdout, done.stderr) == (f"1\n{drop_in}\n{second}\n", "")


def test_where_certhook_is_installed_the_hook_is_there_once(installed, drop_in) -> None:
    code = "import certhook, sys; print(sum(hasattr(finder, '__certhook__') for finder in sys.meta_path))"
    done = support.run(installed, f"{code}; print(certhook.__file__)", env=environ(drop_in))
    assert done.stdout == f"1\n{support.purelib(installed) / 'certhook' / '__init__.py'}\n"


def test_switched_off_it_still_goes_on(plain, drop_in, tmp_path) -> None:
    code = f"import ssl; print(hasattr(ssl.create_default_context, '__certhook__')); {TOOL_RAN}"
    done = support.run(plain, code, env=environ(drop_in, tool(tmp_path), CERTHOOK_DISABLED="1"))
    assert (done.stdout, done.stderr) == ("False\n1\n", "")


def test_alone_in_its_folder_it_does_no_harm(plain, drop_in, tmp_path) -> None:
    shutil.copy(os.path.join(drop_in, "sitecustomize.py"), tmp_path)
    done = support.run(plain, f"import ssl; {TOOL_RAN}", env=environ(tmp_path, tool(tmp_path / "tool")))
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_inside_a_zip(plain, archive, tmp_path) -> None:
    folder = os.path.join(archive, "certhook", "bootstrap")
    code = f"{STATUS}\n{TOOL_RAN}\nprint(certhook.__file__)\nprint(*sys.path[1:3], archive, sep='\\n')"
    code = f"archive = {archive!r}\n{code}\nassert archive not in sys.path"
    done = support.run(plain, code, env=environ(folder, tool(tmp_path)))
    module = os.path.join(archive, "certhook", "__init__.py")
    assert (done.stdout, done.stderr) == (f"1\n{module}\n{folder}\n{tmp_path}\n{archive}\n", "")


def test_inside_a_zip_the_bundle_in_it_is_trusted(plain, archive) -> None:
    env = environ(os.path.join(archive, "certhook", "bootstrap"), CERTHOOK_SOURCES="bundled")
    code = "import certhook; trust = certhook.trust_set(); print(len(trust) > 50, *trust.problems)"
    assert support.run(plain, code, env=env).stdout == "True\n"


def test_child_processes_inherit_it(plain, drop_in) -> None:
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {STATUS!r}], check=True)"
    support.run(plain, code, env=environ(drop_in))


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_worker_processes_inherit_it(plain, drop_in, tmp_path, method) -> None:
    (tmp_path / "program.py").write_text(
        "import multiprocessing, sys\n"
        "def check():\n"
        "    import ssl\n"
        "    sys.exit(0 if hasattr(ssl.create_default_context, '__certhook__') else 3)\n"
        "if __name__ == '__main__':\n"
        f"    worker = multiprocessing.get_context({method!r}).Process(target=check)\n"
        "    worker.start()\n"
        "    worker.join()\n"
        "    sys.exit(worker.exitcode)\n"
    )
    command = [str(plain), str(tmp_path / "program.py")]
    assert subprocess.run(command, env=environ(drop_in), timeout=60).returncode == 0


SYSTEM_PYTHON = "/usr/bin/python3"


@pytest.mark.skipif(not os.path.exists(SYSTEM_PYTHON), reason="the system has no Python")
def test_the_distributions_own_runs_after_it(drop_in) -> None:
    code = "import sys; print(getattr(sys.modules.get('sitecustomize'), '__file__', None))"
    own = support.run(SYSTEM_PYTHON, code).stdout
    found = support.run(SYSTEM_PYTHON, f"{STATUS}\n{code}", env=environ(drop_in))
    assert found.stderr == ""
    assert found.stdout == (f"{drop_in}/sitecustomize.py\n" if own == "None\n" else own)
