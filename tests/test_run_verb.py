"""``python -m certhook run``: a command, and certhook in every Python that it starts."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import support
from support import MACHINE_ENVIRON

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no exec() and no signals")

#: What is to be trusted where there is a system's store, and a bundle.
CHAINED = {"system": True, "bundled": True, "both": True, "extra": False, "stranger": False}
HOOKED = "import ssl; print(hasattr(ssl.create_default_context, '__certhook__'))"


@pytest.fixture
def certhook(installed: Path, tmp_path: Path):
    """Run ``python -m certhook run`` with these *words*, in an empty folder."""

    def run(*words: object, python: Path = installed, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(python), "-m", "certhook", "run", *map(str, words)],
            env=support.clean_env(**variables),
            cwd=str(tmp_path),
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )

    return run


@pytest.fixture
def places(tmp_path: Path, cas, servers) -> dict[str, str]:
    """A system's store that is like no machine's, and the servers to ask."""
    (tmp_path / "system.pem").write_bytes(cas.pem("system", "both"))
    (tmp_path / "hashed").mkdir()
    (tmp_path / "hashed" / support.hashed_name(cas.der("system"))).write_bytes(cas.pem("system"))
    return {
        "SSL_CERT_FILE": str(tmp_path / "system.pem"),
        "SSL_CERT_DIR": str(tmp_path / "hashed"),
        "CERTHOOK_SOURCES": "system,bundled",
        "SERVERS": support.server_list(servers),
    }


# Interpreters that certhook is not installed in.


def interpreter(version: str) -> str | None:
    """The path of this Python on PATH; None where there is none."""
    code = "import platform, sys; print(sys.executable); print(platform.python_version())"
    for folder in MACHINE_ENVIRON.get("PATH", os.defpath).split(os.pathsep):
        path = shutil.which(f"python{version}", path=folder)
        if path is None:
            continue
        done = subprocess.run([path, "-c", code], env=MACHINE_ENVIRON, cwd=os.sep, capture_output=True, text=True)
        # One of pyenv's shims starts nothing unless pyenv was told to.
        if done.returncode == 0 and done.stdout.split()[1].startswith(f"{version}."):
            return done.stdout.split()[0]
    return None


def other(version: str) -> str:
    """The same, or the test is skipped."""
    found = interpreter(version)
    if found is None:
        pytest.skip(f"there is no python{version} on PATH")
    return found


@pytest.fixture(scope="module")
def with_the_bundle(installed: Path, cas, tmp_path_factory) -> Path:
    """A copy of the environment with certhook, whose certifi has the authorities *bundled* and *both*."""
    python = support.make_environment(tmp_path_factory.mktemp("with the bundle"))
    shutil.copytree(support.purelib(installed), support.purelib(python), dirs_exist_ok=True)
    (support.purelib(python) / "certifi" / "cacert.pem").write_bytes(cas.pem("bundled", "both"))
    return python


@pytest.mark.parametrize("version", [f"3.{minor}" for minor in range(8, 16)])
def test_any_python_trusts_both_and_without_it_only_the_systems(
    version, certhook, with_the_bundle, places, tmp_path
) -> None:
    # In an environment of its own: others may have a certifi.
    command = [other(version), "-m", "venv", "--without-pip", str(tmp_path / "stock")]
    subprocess.run(command, check=True, env=support.clean_env(CERTHOOK_DISABLED="1"))
    python = tmp_path / "stock" / "bin" / "python"
    done = certhook(python, "-c", support.VERDICTS, python=with_the_bundle, **places)
    assert (support.verdicts(done.stdout), done.stderr) == (CHAINED, "")
    stock = support.run(python, support.VERDICTS, env=support.clean_env(**places))
    assert support.verdicts(stock.stdout) == {**CHAINED, "bundled": False}


def test_some_other_python_is_here_where_ci_says_that_it_must() -> None:
    here = "{}.{}".format(*sys.version_info)
    found = [minor for minor in range(8, 16) if f"3.{minor}" != here and interpreter(f"3.{minor}")]
    if not found and not os.environ.get("CI"):
        pytest.skip("there is no other Python on PATH")
    assert found


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.7"])
def test_a_python_that_is_too_old_is_left_as_it_is(version, certhook, tmp_path) -> None:
    python = other(version)
    (tmp_path / "sitecustomize.py").write_text("import os; os.environ['NEXT_RAN'] = '1'")
    code = "import os, ssl, sys; print(str('certhook' in sys.modules) + os.environ['NEXT_RAN'])"
    done = certhook(python, "-c", code, PYTHONPATH=str(tmp_path))
    assert (done.stdout, done.stderr) == ("False1\n", "")


@pytest.mark.parametrize("flag", ["-I", "-E", "-S"])
def test_a_python_that_ignores_the_path_is_out_of_reach(flag, certhook, plain) -> None:
    assert certhook(plain, flag, "-c", HOOKED).stdout == "False\n"
    assert certhook(plain, "-c", HOOKED).stdout == "True\n"


@pytest.mark.parametrize("shell", [True, False])
def test_what_the_command_starts_inherits_it(shell, certhook, plain) -> None:
    inner = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOOKED!r}], check=True)"
    command = ("sh", "-c", '"$0" -c "$1"', plain, inner) if shell else (plain, "-c", inner)
    done = certhook(*command)
    assert (done.stdout, done.stderr, done.returncode) == ("True\n", "", 0)


def test_inside_another_one_it_is_there_once(certhook, installed, plain) -> None:
    code = "import os; print(os.environ['PYTHONPATH'])"
    drop_in = support.purelib(installed) / "certhook" / "bootstrap"
    nested = certhook(installed, "-m", "certhook", "run", plain, "-c", code)
    assert nested.stdout == certhook(plain, "-c", code).stdout == f"{drop_in}\n"


def test_where_certhook_is_installed_the_hook_is_there_once(certhook, installed) -> None:
    code = "import sys; print(sum(hasattr(finder, '__certhook__') for finder in sys.meta_path))"
    assert certhook(installed, "-c", code).stdout == "1\n"


def test_the_switch_is_heeded(certhook, plain) -> None:
    assert certhook(plain, "-c", HOOKED, CERTHOOK_DISABLED="1").stdout == "False\n"


def test_the_path_and_a_sitecustomize_of_somebody_else_are_kept(certhook, plain, tmp_path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.tool_ran = True")
    path = os.pathsep.join([str(tmp_path), str(tmp_path / "last")])
    code = f"{HOOKED}; import sys; print(sys.tool_ran, *sys.path[2:4], sep='\\n')"
    done = certhook(plain, "-c", code, PYTHONPATH=path)
    assert done.stdout.split() == ["True", "True", *path.split(os.pathsep)]


def test_certifi_is_found_where_it_does_not_lie_beside_certhook(
    certhook, installed, plain, cas, places, tmp_path
) -> None:
    """As in an editable installation."""
    python = support.make_environment(tmp_path / "apart")
    certifi = tmp_path / "packages" / "certifi"
    certifi.mkdir(parents=True)
    (certifi / "__init__.py").touch()
    (certifi / "cacert.pem").write_bytes(cas.pem("bundled", "both"))
    package = support.purelib(installed) / "certhook"
    shutil.copytree(package, tmp_path / "project" / "certhook", ignore=shutil.ignore_patterns("__pycache__"))
    (support.purelib(python) / "apart.pth").write_text(f"{certifi.parent}\n{tmp_path / 'project'}\n")
    done = certhook(plain, "-c", support.VERDICTS, python=python, **places)
    assert (support.verdicts(done.stdout), done.stderr) == (CHAINED, "")


def test_a_bundle_that_somebody_named_is_kept(monkeypatch) -> None:
    from certhook import _certifi
    from certhook.cli import run

    monkeypatch.setattr(_certifi, "file", lambda spec: "/elsewhere/certifi/cacert.pem")
    assert run.environment({})["CERTHOOK_BUNDLE"] == "/elsewhere/certifi/cacert.pem"
    assert run.environment({"CERTHOOK_BUNDLE": "/own.pem"})["CERTHOOK_BUNDLE"] == "/own.pem"


def test_where_certifi_is_beside_certhook_no_bundle_is_named() -> None:
    from certhook.cli import run

    assert "CERTHOOK_BUNDLE" not in run.environment({})


# The command.


@pytest.mark.parametrize(
    ("words", "seen"),
    [
        (("--json", "-h", "--"), ["--json", "-h", "--"]),
        (("--", "x", "--version"), ["--", "x", "--version"]),
        (("",), [""]),
        (("a b", "--roots"), ["a b", "--roots"]),
    ],
)
@pytest.mark.parametrize("first", [(), ("--",)])
def test_the_command_has_every_word_of_its_own(first, words, seen, certhook, plain) -> None:
    done = certhook(*first, plain, "-c", "import sys; print(sys.argv[1:])", *words)
    assert (done.stdout, done.stderr) == (f"{seen}\n", "")


@pytest.mark.parametrize("status", [0, 1, 7, 255])
def test_the_exit_status_is_the_commands(status, certhook, plain) -> None:
    assert certhook(plain, "-c", f"raise SystemExit({status})").returncode == status


@posix
@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL", "SIGPIPE", "SIGXFSZ"])
def test_the_command_dies_of_signals_as_it_does_without_certhook(name, certhook) -> None:
    """Python ignores SIGPIPE, and what it becomes would do so too."""
    done = certhook("sh", "-c", f"kill -{name[3:]} $$")
    assert done.returncode == -getattr(signal, name)


@posix
def test_the_command_has_the_process(installed, tmp_path) -> None:
    command = [str(installed), "-m", "certhook", "run", "sh", "-c", "echo $$"]
    with subprocess.Popen(command, env=support.clean_env(), cwd=str(tmp_path), stdout=subprocess.PIPE) as process:
        output, _ = process.communicate(timeout=60)
    assert int(output) == process.pid


def test_input_goes_to_the_command(installed, plain) -> None:
    command = [str(installed), "-m", "certhook", "run", str(plain), "-c", "print(input())"]
    done = subprocess.run(command, env=support.clean_env(), input=b"word", stdout=subprocess.PIPE, timeout=60)
    assert done.stdout.split() == [b"word"]


def no_execution(path: Path) -> None:
    path.write_text("pass")


def no_interpreter(path: Path) -> None:
    path.write_text("#!/nowhere/python\n")
    path.chmod(0o755)


@posix
@pytest.mark.parametrize(
    ("word", "make", "status", "said"),
    [
        ("no-such-command", None, 127, "'no-such-command' was not found in any folder of PATH"),
        ("", None, 127, "'' is no command"),
        ("./missing", None, 127, "'./missing' does not exist"),
        ("./script", no_interpreter, 127, "its first line names does not exist"),
        ("./app.py", no_execution, 126, "Permission denied; for a Python program: python ./app.py"),
        ("./folder", Path.mkdir, 126, "'./folder' cannot be started: Permission denied"),
    ],
)
def test_what_cannot_be_started_is_told(word, make, status, said, certhook, tmp_path) -> None:
    if make:
        make(tmp_path / word)
    done = certhook(word)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith("certhook: run: ") and said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"), [((), "no command was given"), (("--",), "no command"), (("-x", "y"), "-x")]
)
def test_bad_usage_is_told(words, said, certhook) -> None:
    done = certhook(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_a_folder_that_the_path_cannot_name_is_told(monkeypatch) -> None:
    import certhook
    from certhook.cli import run

    monkeypatch.setattr(certhook, "__file__", os.path.join(os.sep, f"a{os.pathsep}b", "certhook", "__init__.py"))
    with pytest.raises(ValueError, match="PYTHONPATH cannot name"):
        run.environment({})


# On Windows, where no process can become another.


def test_without_exec_it_waits_and_has_the_commands_status(plain) -> None:
    from certhook.cli.run import wait_for

    assert wait_for([str(plain), "-c", "raise SystemExit(7)"], support.clean_env()) == 7
    with pytest.raises(FileNotFoundError):
        wait_for(["no-such-command"], support.clean_env())


# What is said.


def test_a_warning_names_the_command_that_works_there(certhook, plain) -> None:
    done = certhook(plain, "-c", "import ssl; ssl.create_default_context()", CERTHOOK_MODE="both")
    (line, *_) = done.stderr.splitlines()
    assert line.endswith(f". Run 'certhook run {plain} -m certhook' to see what is trusted, and why")
    assert "enabled by the sitecustomize drop-in" in certhook(plain, "-m", "certhook").stdout


def test_both_ways_to_run_a_program_name_the_other_one(certhook, installed) -> None:
    helps = " ".join(certhook("--help").stdout.split())
    assert "python -m certhook.run SCRIPT" in helps
    assert all(flag in helps for flag in ("-I", "-E", "-S"))
    command = [str(installed), "-m", "certhook.run", "--help"]
    done = subprocess.run(command, env=support.clean_env(), capture_output=True, text=True, timeout=60)
    assert "python -m certhook run COMMAND" in done.stdout
