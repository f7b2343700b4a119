"""The drop-in: a directory on PYTHONPATH that enables certhook where it is not installed."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

import pytest
import support

ASSERT_HOOKED = """
import certhook, ssl, sys
assert certhook.is_installed()
assert hasattr(ssl.create_default_context, "__certhook__")
"""
#: Prints the file of the ``sitecustomize`` in ``sys.modules``.
PRINT_FILE = "import sys; print(sys.modules['sitecustomize'].__file__)"
#: A ``sitecustomize`` that counts its runs.
COUNTING = "import sys; sys.tool_ran = sys.__dict__.get('tool_ran', 0) + 1\n"
#: Prints the number of runs of :data:`COUNTING`.
PRINT_COUNT = "import sys; print(sys.__dict__.get('tool_ran', 0))"

# A ``sitecustomize`` that imports the next one, in the same way as those of ddtrace, opentelemetry and other tools.
CHAINING = """
import os, sys
here = os.path.dirname(os.path.abspath(__file__))
path = list(sys.path)
sys.path.remove(here)
own_module = sys.modules.pop("sitecustomize")
try:
    import sitecustomize
except ImportError:
    sys.modules["sitecustomize"] = own_module
finally:
    sys.path.insert(path.index(here), here)
sys.chained = True
"""


@pytest.fixture(scope="module")
def site_packages(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that contains certhook and certifi, as created by ``pip install --target``."""
    directory = tmp_path_factory.mktemp("target") / "elsewhere"
    ignored = shutil.ignore_patterns("__pycache__", "*.pth", "*.start", "*.dist-info")
    shutil.copytree(support.purelib(installed), directory, ignore=ignored)
    return directory


@pytest.fixture(scope="module")
def drop_in(site_packages: Path) -> str:
    return str(site_packages / "certhook" / "bootstrap")


@pytest.fixture(scope="module")
def archive(site_packages: Path) -> str:
    """The content of :func:`site_packages` as a zip file."""
    return shutil.make_archive(str(site_packages.with_name("archive")), "zip", site_packages)


def environ(*path: object, **variables: str) -> dict[str, str]:
    """Return a clean environment with *path* as ``PYTHONPATH``."""
    return support.clean_env(PYTHONPATH=os.pathsep.join(map(str, path)), **variables)


def other_tool(directory: Path, text: str = COUNTING) -> Path:
    """Write *text* as another tool's ``sitecustomize`` to *directory*, and return *directory*."""
    directory.mkdir(exist_ok=True)
    (directory / "sitecustomize.py").write_text(text)
    return directory


def test_the_drop_in_on_the_path_installs_the_hook(plain, drop_in) -> None:
    done = support.run(plain, ASSERT_HOOKED, env=environ(drop_in))
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize("flags", [("-s",), ("-OO",), ("-W", "error", "-X", "dev", "-bb")], ids=" ".join)
def test_the_drop_in_works_with_flags_that_keep_pythonpath(plain, drop_in, flags) -> None:
    done = support.run(plain, ASSERT_HOOKED, *flags, env=environ(drop_in))
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize("flag", ["-I", "-E", "-S"])
def test_the_drop_in_is_ignored_with_flags_that_disable_pythonpath_or_site(plain, drop_in, flag) -> None:
    done = support.run(plain, "import ssl, sys; print('certhook' in sys.modules)", flag, env=environ(drop_in))
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_the_certifi_bundle_next_to_the_drop_in_is_trusted(plain, drop_in) -> None:
    code = "import certhook; print(len(certhook.trust_set()) > 50)"
    done = support.run(plain, code, "-W", "error", env=environ(drop_in, CERTHOOK_SOURCES="bundled"))
    assert done.stdout == "True\n"


@pytest.mark.parametrize("spelling", ["{}", "{}/", "{}/../bootstrap", "relative"])
def test_the_drop_in_leaves_the_path_unchanged(plain, drop_in, tmp_path, spelling) -> None:
    def path(directory: object, working_directory: str) -> list[str]:
        entry = os.path.basename(directory) if spelling == "relative" else spelling.format(directory)
        env = environ(tmp_path / "first", entry, tmp_path / "last")
        done = support.run(plain, "import sys; print(*sys.path, sep='\\n')", env=env, cwd=working_directory)
        return done.stdout.splitlines()

    other = tmp_path / "other" / "bootstrap"
    other.mkdir(parents=True)
    expected = path(str(other), str(other.parent))
    assert str(other) in expected
    assert path(drop_in, os.path.dirname(drop_in)) == [drop_in if entry == str(other) else entry for entry in expected]


def test_the_next_sitecustomize_runs_without_the_drop_in_on_the_path(plain, drop_in, tmp_path) -> None:
    other_tool(tmp_path, "import sys; sys.path_copy = list(sys.path)")
    done = support.run(plain, "import sys; print(*sys.path_copy, sep='\\n')", env=environ(drop_in, tmp_path))
    assert str(tmp_path) in done.stdout.splitlines()
    assert drop_in not in done.stdout.splitlines()


@pytest.mark.parametrize("drop_in_first", [True, False])
def test_the_drop_in_and_another_tool_both_run_in_either_order(plain, drop_in, tmp_path, drop_in_first) -> None:
    path = [drop_in, other_tool(tmp_path)] if drop_in_first else [other_tool(tmp_path, CHAINING + COUNTING), drop_in]
    done = support.run(plain, f"{ASSERT_HOOKED}\n{PRINT_COUNT}", env=environ(*path))
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_the_next_sitecustomize_remains_in_sys_modules(plain, drop_in, tmp_path) -> None:
    done = support.run(plain, PRINT_FILE, env=environ(drop_in, other_tool(tmp_path)))
    assert done.stdout == f"{tmp_path / 'sitecustomize.py'}\n"


def test_the_drop_in_remains_in_sys_modules_if_it_is_the_only_sitecustomize(plain, drop_in) -> None:
    found = support.run(plain, "import sys; print('sitecustomize' in sys.modules)", env=environ("/nowhere")).stdout
    if found == "True\n":
        pytest.skip("this Python has its own sitecustomize")
    done = support.run(plain, PRINT_FILE, env=environ(drop_in))
    assert (done.stdout, done.stderr) == (os.path.join(drop_in, "sitecustomize.py") + "\n", "")


def test_the_next_sitecustomize_may_be_in_a_zip_archive(plain, drop_in, tmp_path) -> None:
    with zipfile.ZipFile(tmp_path / "tool.zip", "w") as zipped:
        zipped.writestr("sitecustomize.py", COUNTING)
    done = support.run(plain, f"{ASSERT_HOOKED}\n{PRINT_COUNT}", env=environ(drop_in, tmp_path / "tool.zip"))
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_the_next_sitecustomize_may_be_in_site_packages(drop_in, tmp_path) -> None:
    python = support.make_environment(tmp_path)
    (support.purelib(python) / "sitecustomize.py").write_text(COUNTING)
    without = support.run(python, PRINT_COUNT).stdout
    # It does not run even without certhook if the distribution's own takes precedence, as on Debian.
    assert support.run(python, f"{ASSERT_HOOKED}\n{PRINT_COUNT}", env=environ(drop_in)).stdout == without


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
def test_errors_of_the_next_sitecustomize_are_reported_as_without_certhook(plain, drop_in, tmp_path, text) -> None:
    code = "import sys; print('sitecustomize' in sys.modules)"
    alone = support.run(plain, code, env=environ(other_tool(tmp_path, text)))
    assert "sitecustomize" in alone.stderr
    with_drop_in = support.run(plain, code, env=environ(drop_in, tmp_path))
    assert (with_drop_in.stdout, with_drop_in.stderr) == (alone.stdout, alone.stderr)
    support.run(plain, ASSERT_HOOKED, env=environ(drop_in, tmp_path))
    path = support.run(plain, "import sys; print(*sys.path, sep='\\n')", env=environ(drop_in, tmp_path)).stdout
    assert path.splitlines()[1:3] == [drop_in, str(tmp_path)]


@pytest.mark.parametrize("drop_in_first", [True, False])
def test_the_drop_in_and_another_chaining_tool_both_import_the_next_sitecustomize(
    plain, drop_in, tmp_path, drop_in_first
) -> None:
    chaining, last = other_tool(tmp_path / "chaining", CHAINING), other_tool(tmp_path / "last")
    path = [drop_in, chaining, last] if drop_in_first else [chaining, drop_in, last]
    code = f"{ASSERT_HOOKED}\nassert sys.chained\n{PRINT_COUNT}\nprint(*sys.path[1:4], sep='\\n')\n{PRINT_FILE}"
    done = support.run(plain, code, env=environ(*path))
    expected = [1, *path, last / "sitecustomize.py"]
    assert (done.stdout, done.stderr) == ("".join(f"{item}\n" for item in expected), "")


def test_another_chaining_tool_may_be_the_last_sitecustomize(plain, drop_in, tmp_path) -> None:
    done = support.run(
        plain, f"{ASSERT_HOOKED}\nassert sys.chained", env=environ(drop_in, other_tool(tmp_path, CHAINING))
    )
    assert done.stderr == ""


def test_the_next_sitecustomize_may_replace_sys_path(plain, drop_in, tmp_path) -> None:
    other_tool(tmp_path, "import sys; sys.path = ['/replaced', *sys.path]")
    done = support.run(plain, "import sys; print('/replaced' in sys.path, *sys.path)", env=environ(drop_in, tmp_path))
    assert done.stdout.split()[0] == "True"
    assert done.stdout.split().count(drop_in) == 1


def test_two_drop_ins_on_the_path_import_the_next_sitecustomize_once(plain, drop_in, site_packages, tmp_path) -> None:
    shutil.copytree(site_packages / "certhook", tmp_path / "certhook")
    second = tmp_path / "certhook" / "bootstrap"
    code = f"{ASSERT_HOOKED}\n{PRINT_COUNT}\nprint(*sys.path[1:3], sep='\\n')"
    done = support.run(plain, code, env=environ(drop_in, second, other_tool(tmp_path / "tool")))
    assert (done.stdout, done.stderr) == (f"1\n{drop_in}\n{second}\n", "")


def test_the_hook_is_installed_once_if_certhook_is_installed_as_well(installed, drop_in) -> None:
    code = "import certhook, sys; print(sum(hasattr(finder, '__certhook__') for finder in sys.meta_path))"
    done = support.run(installed, f"{code}; print(certhook.__file__)", env=environ(drop_in))
    assert done.stdout == f"1\n{support.purelib(installed) / 'certhook' / '__init__.py'}\n"


def test_the_next_sitecustomize_runs_if_certhook_is_disabled(plain, drop_in, tmp_path) -> None:
    code = f"{support.PRINT_HOOKED}; {PRINT_COUNT}"
    done = support.run(plain, code, env=environ(drop_in, other_tool(tmp_path), CERTHOOK_DISABLED="1"))
    assert (done.stdout, done.stderr) == ("False\n1\n", "")


def test_the_next_sitecustomize_runs_if_the_drop_in_cannot_find_certhook(plain, drop_in, tmp_path) -> None:
    shutil.copy(os.path.join(drop_in, "sitecustomize.py"), tmp_path)
    done = support.run(plain, f"import ssl; {PRINT_COUNT}", env=environ(tmp_path, other_tool(tmp_path / "tool")))
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_the_drop_in_may_be_in_a_zip_archive(plain, archive, tmp_path) -> None:
    directory = os.path.join(archive, "certhook", "bootstrap")
    code = f"{ASSERT_HOOKED}\n{PRINT_COUNT}\nprint(certhook.__file__)\nprint(*sys.path[1:3], archive, sep='\\n')"
    code = f"archive = {archive!r}\n{code}\nassert archive not in sys.path"
    done = support.run(plain, code, env=environ(directory, other_tool(tmp_path)))
    module = os.path.join(archive, "certhook", "__init__.py")
    assert (done.stdout, done.stderr) == (f"1\n{module}\n{directory}\n{tmp_path}\n{archive}\n", "")


def test_the_bundle_in_the_zip_archive_of_the_drop_in_is_trusted(plain, archive) -> None:
    env = environ(os.path.join(archive, "certhook", "bootstrap"), CERTHOOK_SOURCES="bundled")
    code = "import certhook; trust = certhook.trust_set(); print(len(trust) > 50, *trust.problems)"
    assert support.run(plain, code, env=env).stdout == "True\n"


def test_child_processes_inherit_the_drop_in(plain, drop_in) -> None:
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {ASSERT_HOOKED!r}], check=True)"
    support.run(plain, code, env=environ(drop_in))


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_worker_processes_inherit_the_drop_in(plain, drop_in, tmp_path, method) -> None:
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
    done = support.run_command(plain, tmp_path / "program.py", env=environ(drop_in))
    assert done.returncode == 0, done.stderr


SYSTEM_PYTHON = "/usr/bin/python3"


@pytest.mark.skipif(not os.path.exists(SYSTEM_PYTHON), reason="the system has no Python")
def test_the_distributions_own_sitecustomize_runs_after_the_drop_in(drop_in) -> None:
    code = "import sys; print(getattr(sys.modules.get('sitecustomize'), '__file__', None))"
    without_drop_in = support.run(SYSTEM_PYTHON, code).stdout
    found = support.run(SYSTEM_PYTHON, f"{ASSERT_HOOKED}\n{code}", env=environ(drop_in))
    assert found.stderr == ""
    assert found.stdout == (f"{drop_in}/sitecustomize.py\n" if without_drop_in == "None\n" else without_drop_in)


def test_status_names_the_drop_in_for_a_package_directory_on_pythonpath(plain, wheel, tmp_path) -> None:
    """pip install --target creates such a directory, in which Python does not process certhook.pth."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    env = support.clean_env(PYTHONPATH=str(tmp_path))
    done = support.run_command(plain, "-m", "certhook", env=env)
    value = f"{tmp_path / 'certhook' / 'bootstrap'}{os.pathsep}{tmp_path}"
    assert done.returncode == 1
    assert support.shows(done.stdout, ": certhook.pth is not processed", f"PYTHONPATH={value}")
    done = support.run_command(plain, "-m", "certhook", env=support.clean_env(PYTHONPATH=value))
    assert "Active in this interpreter, enabled by the sitecustomize drop-in" in done.stdout
