"""``import certhook.auto`` and ``python -m certhook.run``: the hook where ``site`` installs none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import support

HOOKED = "import ssl; print(hasattr(ssl.create_default_context, '__certhook__'))"

#: What a program can see of how it is run, but for what differs from one process to the next.
SEEN = """
import json, sys
import beside
names = ("__name__", "__file__", "__package__", "__cached__", "__doc__")
main = sys.modules["__main__"]
print(json.dumps({
    "names": {name: repr(globals().get(name)) for name in names},
    "all names": sorted(name for name in globals() if name != "__annotations__"),
    "spec": getattr(__spec__, "name", None),
    "loader": type(__loader__).__name__,
    "argv": sys.argv,
    "path": sys.path,
    "is main": main.__dict__ is globals(),
    "builtins": type(__builtins__).__name__,
}))
"""

ARGUMENTS = ("one", "-m", "--two=2", "")


@pytest.fixture
def program(installed: Path, tmp_path: Path) -> Path:
    """A folder with the same program in every form that python runs."""
    (tmp_path / "beside.py").touch()
    (tmp_path / "script.py").write_text(SEEN)
    (tmp_path / "no_suffix").write_text(SEEN)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere" / "script.py")
    for name in ("folder", "package", "elsewhere"):
        (tmp_path / name).mkdir()
    for name in ("folder/__main__.py", "package/__main__.py", "package/module.py", "elsewhere/script.py"):
        (tmp_path / name).write_text(SEEN)
    for name in ("folder", "elsewhere"):
        (tmp_path / name / "beside.py").touch()
    (tmp_path / "package" / "__init__.py").touch()
    with zipfile.ZipFile(tmp_path / "archive.pyz", "w") as archive:
        archive.writestr("__main__.py", SEEN)
        archive.writestr("beside.py", "")
    code = f"import py_compile; py_compile.compile({str(tmp_path / 'script.py')!r}, {str(tmp_path / 'compiled.pyc')!r})"
    support.run(installed, code)
    return tmp_path


@pytest.fixture
def python(installed: Path):
    """Run the interpreter in *folder*, with certhook on its path though ``site`` does not run."""

    def run(folder: Path, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(installed), *map(str, arguments)],
            env=support.clean_env(PYTHONPATH=str(support.purelib(installed)), **variables),
            cwd=str(folder),
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )

    return run


@pytest.mark.parametrize("first", ["", "import ssl; "])
def test_importing_certhook_auto_installs_the_hook(python, tmp_path, first) -> None:
    done = python(tmp_path, "-S", "-c", f"{first}import certhook.auto; {HOOKED}; print(certhook.enabled_by)")
    assert (done.stdout, done.stderr) == ("True\nimport certhook.auto\n", "")


def test_importing_certhook_auto_where_the_switch_is_set_does_nothing(python, tmp_path) -> None:
    done = python(tmp_path, "-S", "-c", f"import certhook.auto; {HOOKED}", CERTHOOK_DISABLED="1")
    assert (done.stdout, done.stderr) == ("False\n", "")


FORMS = [
    ("script.py",),
    ("./script.py",),
    ("{}/script.py",),
    ("elsewhere/script.py",),
    ("no_suffix",),
    ("link",),
    ("compiled.pyc",),
    ("folder",),
    ("archive.pyz",),
    ("-m", "script"),
    ("-m", "package"),
    ("-m", "package.module"),
]


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
@pytest.mark.parametrize("form", FORMS, ids=" ".join)
def test_a_program_sees_what_it_sees_without_certhook(python, program, form) -> None:
    command = [word.format(program) for word in form]
    expected = python(program, "-S", *command, *ARGUMENTS)
    assert expected.returncode == 0, expected.stderr
    done = python(program, "-S", "-m", "certhook.run", *command, *ARGUMENTS)
    assert json.loads(done.stdout or "{}") == json.loads(expected.stdout), done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize("form", [("script.py",), ("-m", "script")], ids=" ".join)
def test_the_hook_is_there_before_the_first_line(python, tmp_path, form) -> None:
    (tmp_path / "script.py").write_text(f"import certhook\n{HOOKED}\nprint(certhook.enabled_by)")
    done = python(tmp_path, "-S", "-m", "certhook.run", *form)
    assert (done.stdout, done.stderr) == ("True\npython -m certhook.run\n", "")
    done = python(tmp_path, "-S", "-m", "certhook.run", *form, CERTHOOK_DISABLED="1")
    assert done.stdout == "False\nNone\n"


ENDINGS = {
    "pass": (0, ""),
    "import sys; sys.exit(7)": (7, ""),
    "import sys; sys.exit('message')": (1, "message\n"),
    "raise SystemExit": (0, ""),
    "raise ValueError('message')": (1, "ValueError: message\n"),
    "import os; os._exit(9)": (9, ""),
    "import atexit; atexit.register(lambda: print(name)); name = 'x'": (0, ""),
}


@pytest.mark.parametrize("code", ENDINGS)
@pytest.mark.parametrize("form", [("script.py",), ("-m", "script")], ids=" ".join)
def test_the_exit_status_is_the_programs(python, tmp_path, form, code) -> None:
    (tmp_path / "script.py").write_text(code)
    status, said = ENDINGS[code]
    done = python(tmp_path, "-S", "-m", "certhook.run", *form)
    assert done.returncode == status
    assert done.stderr.endswith(said) and bool(done.stderr) == bool(said)
    assert done.stdout == ("x\n" if "atexit" in code else "")


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ((), 2, "usage: python -m certhook.run"),
        (("-m",), 2, "usage: "),
        (("-c", "pass"), 2, "usage: "),
        (("missing.py",), 2, "can't open file"),
        (("-m", "missing"), 1, "No module named missing"),
    ],
)
def test_what_cannot_be_run_is_refused(python, tmp_path, arguments, status, words) -> None:
    done = python(tmp_path, "-S", "-m", "certhook.run", *arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_help_is_given(python, tmp_path) -> None:
    done = python(tmp_path, "-m", "certhook.run", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "SCRIPT" in done.stdout


@pytest.mark.parametrize("method", ["spawn", "fork"])
@pytest.mark.skipif(os.name == "nt", reason="Windows cannot fork")
def test_worker_processes_find_the_programs_functions(python, tmp_path, method) -> None:
    (tmp_path / "script.py").write_text(
        "import multiprocessing\n"
        "def double(number):\n"
        "    return 2 * number\n"
        "if __name__ == '__main__':\n"
        f"    with multiprocessing.get_context({method!r}).Pool(1) as pool:\n"
        "        print(pool.map(double, [1, 2]))\n"
    )
    done = python(tmp_path, "-S", "-m", "certhook.run", "script.py")
    assert (done.stdout, done.returncode) == ("[2, 4]\n", 0), done.stderr


def test_a_thread_that_outlives_the_program_still_has_its_names(python, tmp_path) -> None:
    (tmp_path / "script.py").write_text(
        "import sys, threading, time\n"
        "def late():\n"
        "    threading.main_thread().join()\n"
        "    print(sys.modules['__main__'].__dict__ is globals(), name)\n"
        "threading.Thread(target=late).start()\n"
        "name = 'x'\n"
    )
    done = python(tmp_path, "-S", "-m", "certhook.run", "script.py")
    assert (done.stdout, done.stderr) == ("True x\n", "")
