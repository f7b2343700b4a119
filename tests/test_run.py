"""``import certhook.auto`` and ``python -m certhook.run``, which install the hook where ``site`` does not run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import support
from support import PRINT_HOOKED

#: A program that prints the reproducible facts that it can observe about the way it was started.
OBSERVE = """
import json, sys
import sibling
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
    """A directory with the program :data:`OBSERVE` in every form that Python can run."""
    (tmp_path / "sibling.py").touch()
    (tmp_path / "script.py").write_text(OBSERVE)
    (tmp_path / "no_suffix").write_text(OBSERVE)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere" / "script.py")
    for name in ("directory", "package", "elsewhere"):
        (tmp_path / name).mkdir()
    for name in ("directory/__main__.py", "package/__main__.py", "package/module.py", "elsewhere/script.py"):
        (tmp_path / name).write_text(OBSERVE)
    for name in ("directory", "elsewhere"):
        (tmp_path / name / "sibling.py").touch()
    (tmp_path / "package" / "__init__.py").touch()
    with zipfile.ZipFile(tmp_path / "archive.pyz", "w") as archive:
        archive.writestr("__main__.py", OBSERVE)
        archive.writestr("sibling.py", "")
    code = f"import py_compile; py_compile.compile({str(tmp_path / 'script.py')!r}, {str(tmp_path / 'compiled.pyc')!r})"
    support.run(installed, code)
    return tmp_path


@pytest.fixture
def python(installed: Path):
    """Run the interpreter in a given directory, with certhook on the path even if ``site`` does not run."""

    def python(directory: Path, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        env = support.clean_env(PYTHONPATH=str(support.purelib(installed)), **variables)
        return support.run_command(installed, *arguments, env=env, cwd=directory)

    return python


@pytest.fixture
def certhook_run(python):
    """Run ``python -S -m certhook.run`` in a given directory."""

    def run(directory: Path, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        return python(directory, "-S", "-m", "certhook.run", *arguments, **variables)

    return run


@pytest.mark.parametrize("first", ["", "import ssl; "])
def test_importing_certhook_auto_installs_the_hook(python, tmp_path, first) -> None:
    done = python(tmp_path, "-S", "-c", f"{first}import certhook.auto; {PRINT_HOOKED}; print(certhook.enabled_by)")
    assert (done.stdout, done.stderr) == ("True\nimport certhook.auto\n", "")


def test_importing_certhook_auto_has_no_effect_if_certhook_is_disabled(python, tmp_path) -> None:
    done = python(tmp_path, "-S", "-c", f"import certhook.auto; {PRINT_HOOKED}", CERTHOOK_DISABLED="1")
    assert (done.stdout, done.stderr) == ("False\n", "")


PROGRAM_FORMS = [
    ("script.py",),
    ("./script.py",),
    ("{}/script.py",),
    ("elsewhere/script.py",),
    ("no_suffix",),
    ("link",),
    ("compiled.pyc",),
    ("directory",),
    ("archive.pyz",),
    ("-m", "script"),
    ("-m", "package"),
    ("-m", "package.module"),
]


@pytest.mark.skipif(sys.platform == "win32", reason="creating links requires privileges on Windows")
@pytest.mark.parametrize("form", PROGRAM_FORMS, ids=" ".join)
def test_a_program_cannot_distinguish_certhook_run_from_python(python, certhook_run, program, form) -> None:
    command = [word.format(program) for word in form]
    expected = python(program, "-S", *command, *ARGUMENTS)
    assert expected.returncode == 0, expected.stderr
    done = certhook_run(program, *command, *ARGUMENTS)
    assert json.loads(done.stdout or "{}") == json.loads(expected.stdout), done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize("form", [("script.py",), ("-m", "script")], ids=" ".join)
def test_the_hook_is_installed_before_the_first_line_of_the_program(certhook_run, tmp_path, form) -> None:
    (tmp_path / "script.py").write_text(f"import certhook\n{PRINT_HOOKED}\nprint(certhook.enabled_by)")
    done = certhook_run(tmp_path, *form)
    assert (done.stdout, done.stderr) == ("True\npython -m certhook.run\n", "")
    done = certhook_run(tmp_path, *form, CERTHOOK_DISABLED="1")
    assert done.stdout == "False\nNone\n"


#: The code of a program -> its exit status and the end of its error output.
EXIT_STATUSES = {
    "pass": (0, ""),
    "import sys; sys.exit(7)": (7, ""),
    "import sys; sys.exit('message')": (1, "message\n"),
    "raise SystemExit": (0, ""),
    "raise ValueError('message')": (1, "ValueError: message\n"),
    "import os; os._exit(9)": (9, ""),
    "import atexit; atexit.register(lambda: print(name)); name = 'x'": (0, ""),
}


@pytest.mark.parametrize("code", EXIT_STATUSES)
@pytest.mark.parametrize("form", [("script.py",), ("-m", "script")], ids=" ".join)
def test_the_exit_status_and_the_error_output_are_those_of_the_program(certhook_run, tmp_path, form, code) -> None:
    (tmp_path / "script.py").write_text(code)
    status, error_output = EXIT_STATUSES[code]
    done = certhook_run(tmp_path, *form)
    assert done.returncode == status
    assert done.stderr.endswith(error_output) and bool(done.stderr) == bool(error_output)
    assert done.stdout == ("x\n" if "atexit" in code else "")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ((), 2, "usage: python -m certhook.run"),
        (("-m",), 2, "usage: "),
        (("-c", "pass"), 2, "usage: "),
        (("missing.py",), 2, "can't open file"),
        (("-m", "missing"), 1, "No module named missing"),
    ],
)
def test_a_program_that_cannot_be_run_is_reported_without_a_traceback(
    certhook_run, tmp_path, arguments, status, message
) -> None:
    done = certhook_run(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_help_is_printed(python, tmp_path) -> None:
    done = python(tmp_path, "-m", "certhook.run", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "SCRIPT" in done.stdout


@pytest.mark.parametrize("method", ["spawn", "fork"])
@pytest.mark.skipif(os.name == "nt", reason="Windows cannot fork")
def test_worker_processes_can_call_functions_of_the_program(certhook_run, tmp_path, method) -> None:
    (tmp_path / "script.py").write_text(
        "import multiprocessing\n"
        "def double(number):\n"
        "    return 2 * number\n"
        "if __name__ == '__main__':\n"
        f"    with multiprocessing.get_context({method!r}).Pool(1) as pool:\n"
        "        print(pool.map(double, [1, 2]))\n"
    )
    done = certhook_run(tmp_path, "script.py")
    assert (done.stdout, done.returncode) == ("[2, 4]\n", 0), done.stderr


def test_a_thread_that_outlives_the_main_thread_still_sees_the_programs_globals(certhook_run, tmp_path) -> None:
    (tmp_path / "script.py").write_text(
        "import sys, threading, time\n"
        "def late():\n"
        "    threading.main_thread().join()\n"
        "    print(sys.modules['__main__'].__dict__ is globals(), name)\n"
        "threading.Thread(target=late).start()\n"
        "name = 'x'\n"
    )
    done = certhook_run(tmp_path, "script.py")
    assert (done.stdout, done.stderr) == ("True x\n", "")
