"""``python -m certhook run``: a command, with certhook active in every Python process that it starts."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import support
from authorities import names_in
from support import PRINT_HOOKED

from certhook.cli import main
from certhook.cli._other_programs import OMITTED, VARIABLES

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no exec() and no signals")

#: The authorities that a Python with the system's store and the bundle trusts.
CHAINED = {"system": True, "bundled": True, "both": True, "extra": False, "stranger": False}
PYTHONPATH = "import os; print(os.environ['PYTHONPATH'])"
STORE = "from certhook import _config, _trust; print(_trust.current(_config.current(), 1).store)"
BUNDLE = "import os; print(os.environ.get('CERTHOOK_BUNDLE'))"


@pytest.fixture
def variables() -> dict[str, str]:
    return {}


@pytest.fixture
def run(certhook):
    """A function that runs ``python -m certhook run`` in an empty directory."""

    def start(*words: object, **kwargs: object) -> subprocess.CompletedProcess[str]:
        return certhook("run", *words, **kwargs)

    return start


@pytest.fixture
def chained(locations, cas, servers) -> dict[str, str]:
    """Variables for a system's store, to be chained with the bundle of certifi, and for the servers of the tests."""
    system = locations(
        system=cas.pem("system", "both"),
        bundle=b"",
        extra=b"",
        hashed=cas.pem("system"),
        hashed_name=support.hashed_name(cas.der("system")),
    )
    names = ("SSL_CERT_FILE", "SSL_CERT_DIR", "CERTHOOK_SOURCES")
    return {**{name: system[name] for name in names}, "SERVERS": support.server_list(servers)}


# Interpreters in which certhook is not installed.


def find_python(version: str) -> str | None:
    """Return the path of this Python in PATH, None if there is none."""
    code = "import platform, sys; print(sys.executable); print(platform.python_version())"
    for directory in support.MACHINE_ENVIRON.get("PATH", os.defpath).split(os.pathsep):
        path = shutil.which(f"python{version}", path=directory)
        if path is None:
            continue
        done = subprocess.run(
            [path, "-c", code], env=support.MACHINE_ENVIRON, cwd=os.sep, capture_output=True, text=True
        )
        # A shim of pyenv fails unless pyenv selects this version.
        if done.returncode == 0 and done.stdout.split()[1].startswith(f"{version}."):
            return done.stdout.split()[0]
    return None


def require_python(version: str) -> str:
    """Return the path of this Python in PATH, or skip the test."""
    found = find_python(version)
    if found is None:
        pytest.skip(f"there is no python{version} in PATH")
    return found


@pytest.fixture(scope="module")
def with_test_bundle(installed: Path, cas, tmp_path_factory) -> Path:
    """A copy of the environment with certhook, with *bundled* and *both* in certifi's file."""
    python = support.make_environment(tmp_path_factory.mktemp("with test bundle"))
    shutil.copytree(support.purelib(installed), support.purelib(python), dirs_exist_ok=True)
    (support.purelib(python) / "certifi" / "cacert.pem").write_bytes(cas.pem("bundled", "both"))
    return python


@pytest.mark.parametrize("version", [f"3.{minor}" for minor in range(8, 16)])
def test_a_python_trusts_the_bundle_only_with_certhook(version, run, with_test_bundle, chained, tmp_path) -> None:
    # In an environment of its own, because another one may contain certifi.
    command = [require_python(version), "-m", "venv", "--without-pip", str(tmp_path / "stock")]
    subprocess.run(command, check=True, env=support.clean_env(CERTHOOK_DISABLED="1"))
    python = tmp_path / "stock" / "bin" / "python"
    done = run(python, "-c", support.VERDICTS, python=with_test_bundle, **chained)
    assert (support.verdicts(done.stdout), done.stderr) == (CHAINED, "")
    stock = support.run(python, support.VERDICTS, env=support.clean_env(**chained))
    assert support.verdicts(stock.stdout) == {**CHAINED, "bundled": False}


def test_ci_provides_another_python() -> None:
    this = "{}.{}".format(*sys.version_info)
    found = [minor for minor in range(8, 16) if f"3.{minor}" != this and find_python(f"3.{minor}")]
    if not found and not os.environ.get("CI"):
        pytest.skip("there is no other Python in PATH")
    assert found


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.7"])
def test_an_unsupported_python_is_unchanged(version, run, tmp_path) -> None:
    python = require_python(version)
    (tmp_path / "sitecustomize.py").write_text("import os; os.environ['NEXT_RAN'] = '1'")
    code = "import os, ssl, sys; print(str('certhook' in sys.modules) + os.environ['NEXT_RAN'])"
    done = run(python, "-c", code, PYTHONPATH=str(tmp_path))
    assert (done.stdout, done.stderr) == ("False1\n", "")


@pytest.mark.parametrize("flag", ["-I", "-E", "-S"])
def test_a_python_that_ignores_pythonpath_is_unchanged(flag, run, plain) -> None:
    assert run(plain, flag, "-c", PRINT_HOOKED).stdout == "False\n"
    assert run(plain, "-c", PRINT_HOOKED).stdout == "True\n"


@pytest.mark.parametrize("uses_shell", [True, False])
def test_processes_that_the_command_starts_inherit_certhook(uses_shell, run, plain) -> None:
    inner = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {PRINT_HOOKED!r}], check=True)"
    command = ("sh", "-c", '"$0" -c "$1"', plain, inner) if uses_shell else (plain, "-c", inner)
    done = run(*command)
    assert (done.stdout, done.stderr, done.returncode) == ("True\n", "", 0)


def test_a_nested_run_extends_pythonpath_once(run, installed, plain) -> None:
    drop_in = support.purelib(installed) / "certhook" / "bootstrap"
    nested = run(installed, "-m", "certhook", "run", plain, "-c", PYTHONPATH)
    assert nested.stdout == run(plain, "-c", PYTHONPATH).stdout == f"{drop_in}\n"


def test_a_python_with_certhook_has_one_hook(run, installed) -> None:
    code = "import sys; print(sum(hasattr(finder, '__certhook__') for finder in sys.meta_path))"
    assert run(installed, "-c", code).stdout == "1\n"


def test_certhook_disabled_applies(run, plain) -> None:
    assert run(plain, "-c", PRINT_HOOKED, CERTHOOK_DISABLED="1").stdout == "False\n"


def test_other_entries_of_pythonpath_and_another_sitecustomize_are_kept(run, plain, tmp_path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.tool_ran = True")
    path = os.pathsep.join([str(tmp_path), str(tmp_path / "last")])
    code = f"{PRINT_HOOKED}; import sys; print(sys.tool_ran, *sys.path[2:4], sep='\\n')"
    done = run(plain, "-c", code, PYTHONPATH=path)
    assert done.stdout.split() == ["True", "True", *path.split(os.pathsep)]


# The bundle.


@pytest.fixture
def apart(installed: Path, cas, tmp_path) -> Path:
    """An interpreter with certhook and certifi in different directories, as in an editable installation."""
    python = support.make_environment(tmp_path / "apart")
    certifi = tmp_path / "packages" / "certifi"
    certifi.mkdir(parents=True)
    (certifi / "__init__.py").touch()
    (certifi / "cacert.pem").write_bytes(cas.pem("bundled", "both"))
    package = support.purelib(installed) / "certhook"
    shutil.copytree(package, tmp_path / "project" / "certhook", ignore=shutil.ignore_patterns("__pycache__"))
    (support.purelib(python) / "apart.pth").write_text(f"{certifi.parent}\n{tmp_path / 'project'}\n")
    return python


def test_certifi_is_found_in_another_directory_than_certhook(run, apart, plain, chained, tmp_path) -> None:
    done = run(plain, "-c", support.VERDICTS, python=apart, **chained)
    assert (support.verdicts(done.stdout), done.stderr) == (CHAINED, "")
    file = tmp_path / "packages" / "certifi" / "cacert.pem"
    assert run(plain, "-c", BUNDLE, python=apart).stdout == f"{file}\n"


def test_a_bundle_that_the_user_chose_is_kept(run, apart, plain) -> None:
    assert run(plain, "-c", BUNDLE, python=apart, CERTHOOK_BUNDLE="/own.pem").stdout == "/own.pem\n"


def test_certifi_next_to_certhook_needs_no_variable(run, plain) -> None:
    assert run(plain, "-c", BUNDLE).stdout == "None\n"


# The command.


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--json", "-h", "--"), ["--json", "-h", "--"]),
        (("--", "x", "--version"), ["--", "x", "--version"]),
        (("",), [""]),
        (("a b", "--roots"), ["a b", "--roots"]),
    ],
)
@pytest.mark.parametrize("first", [(), ("--",)])
def test_the_command_receives_its_arguments_unchanged(first, words, expected, run, plain) -> None:
    done = run(*first, plain, "-c", "import sys; print(sys.argv[1:])", *words)
    assert (done.stdout, done.stderr) == (f"{expected}\n", "")


@pytest.mark.parametrize("status", [0, 1, 7, 255])
def test_the_exit_status_is_that_of_the_command(status, run, plain) -> None:
    assert run(plain, "-c", f"raise SystemExit({status})").returncode == status


@posix
@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL", "SIGPIPE", "SIGXFSZ"])
def test_a_signal_ends_the_command_as_it_does_without_certhook(name, run) -> None:
    """Python ignores SIGPIPE, and a command would inherit that."""
    done = run("sh", "-c", f"kill -{name[3:]} $$")
    assert done.returncode == -getattr(signal, name)


@posix
def test_the_command_replaces_the_process(installed, tmp_path) -> None:
    command = [str(installed), "-m", "certhook", "run", "sh", "-c", "echo $$"]
    with subprocess.Popen(command, env=support.clean_env(), cwd=str(tmp_path), stdout=subprocess.PIPE) as process:
        output, _ = process.communicate(timeout=60)
    assert int(output) == process.pid


def test_the_command_reads_standard_input(installed, plain) -> None:
    command = [str(installed), "-m", "certhook", "run", str(plain), "-c", "print(input())"]
    done = subprocess.run(command, env=support.clean_env(), input=b"word", stdout=subprocess.PIPE, timeout=60)
    assert done.stdout.split() == [b"word"]


def test_on_windows_the_exit_status_is_that_of_the_child_process(plain) -> None:
    """Windows cannot replace a process. Other systems have no public interface to this function."""
    from certhook.cli.run import wait_for

    assert wait_for([str(plain), "-c", "raise SystemExit(7)"], support.clean_env()) == 7
    with pytest.raises(FileNotFoundError):
        wait_for(["no-such-command"], support.clean_env())


# The variables for other programs.

ALL = f"import json, os; print(json.dumps({{name: os.environ.get(name) for name in {tuple(VARIABLES)!r}}}))"


@pytest.fixture
def run_env(run, plain, chained, tmp_path):
    """A function that runs ``python -m certhook run --env`` and returns the variables that the command inherits."""

    def start(**changed: str | None) -> dict[str, str | None]:
        settings = {**chained, "SSL_CERT_FILE": None, "CERTHOOK_STORE_DIR": str(tmp_path / "stores"), **changed}
        done = run("--env", plain, "-c", ALL, **settings)
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)

    return start


def test_with_env_the_variables_name_the_file_of_certhook_env(run_env, certhook, chained, tmp_path) -> None:
    names = run_env()
    settings = {**chained, "SSL_CERT_FILE": None, "CERTHOOK_STORE_DIR": str(tmp_path / "stores")}
    expected = json.loads(certhook("env", "--json", **settings).stdout)
    (path,) = set(expected.values())
    # requests and pip would prefer these variables to the choice of a program.
    assert names == {**expected, **dict.fromkeys(("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "PIP_CERT"))}
    assert "system" in names_in(Path(path).read_text())


def test_without_env_no_variable_is_set(run, plain, chained) -> None:
    done = run(plain, "-c", ALL, **{**chained, "SSL_CERT_FILE": None})
    assert set(json.loads(done.stdout).values()) == {None}


@posix
def test_with_env_other_processes_of_the_command_inherit_the_variables(run, chained, tmp_path) -> None:
    settings = {**chained, "SSL_CERT_FILE": None, "CERTHOOK_STORE_DIR": str(tmp_path / "stores")}
    done = run("--env", "--", "sh", "-c", "sh -c 'echo $GIT_SSL_CAINFO'", **settings)
    assert done.stdout.startswith(str(tmp_path / "stores" / "exported-")), done.stderr


def test_an_option_after_the_command_belongs_to_the_command(run, plain, chained) -> None:
    done = run(plain, "-c", "import sys; print(sys.argv[1:])", "--env", **chained)
    assert done.stdout == "['--env']\n"


@pytest.mark.parametrize(
    ("name", "value"),
    [*[(name, "/own.pem") for name in VARIABLES if name != "SSL_CERT_FILE"], ("GIT_SSL_CAINFO", "")],
)
def test_a_variable_that_the_user_set_is_kept(run_env, name, value) -> None:
    # A program that falls back to this variable must find the user's value, not the value of a preferred variable.
    fallbacks = {"REQUESTS_CA_BUNDLE": {"AWS_CA_BUNDLE"}}
    names = run_env(**{name: value})
    assert names.pop(name) == value
    unset = {other for other, path in names.items() if path is None}
    assert unset == {*OMITTED, *fallbacks.get(name, set())} - {name}


def test_the_file_of_an_earlier_run_is_replaced(run_env) -> None:
    former = run_env(CERTHOOK_SOURCES="system")
    names = run_env()
    assert run_env(**{name: path for name, path in former.items() if path}) == names != former


def test_a_public_bundle_in_ssl_cert_file_is_no_choice_and_is_replaced(run_env, installed) -> None:
    bundle = support.purelib(installed) / "certifi" / "cacert.pem"
    assert run_env(SSL_CERT_DIR=None, SSL_CERT_FILE=str(bundle)) == run_env(SSL_CERT_DIR=None)


def test_an_unchanged_file_is_not_written_again(run_env, tmp_path, cas) -> None:
    path = Path(run_env()["SSL_CERT_FILE"])
    before = path.stat()
    assert run_env()["SSL_CERT_FILE"] == str(path)
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    (tmp_path / "hashed" / support.hashed_name(cas.der("stranger"))).write_bytes(cas.pem("stranger"))
    run_env()
    assert path.stat().st_ino != before.st_ino and "stranger" in names_in(path.read_text())
    # A file of equal length, one with another mode, and a link are not the result of this command.
    content = path.read_bytes()
    path.write_bytes(content[::-1])
    run_env()
    is_restored = path.read_bytes() == content  # A comparison of 250 KB in an assertion would take minutes to explain.
    assert is_restored
    path.chmod(0o600)
    run_env()
    assert path.stat().st_mode & 0o777 == 0o644 or os.name == "nt"


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"SSL_CERT_FILE": "/own.pem"}, "SSL_CERT_FILE is already set to /own.pem, and is not replaced. Unset it, or"),
        ({"SSL_CERT_FILE": ""}, "SSL_CERT_FILE is already set to '', and is not replaced."),
        ({"CERTHOOK_STORE_DIR": "none"}, "no directory is available (CERTHOOK_STORE_DIR=none)"),
        ({"CERTHOOK_SOURCES": "extra"}, "there is no trusted root certificate"),
    ],
)
def test_the_command_is_not_started_without_the_file(run, plain, chained, tmp_path, changed, expected) -> None:
    stores = {"SSL_CERT_FILE": None, "CERTHOOK_STORE_DIR": str(tmp_path / "stores")}
    done = run("--env", plain, "-c", "print(1)", **{**chained, **stores, **changed})
    assert (done.returncode, done.stdout) == (1, "")
    assert "certhook: run: " in done.stderr and expected in " ".join(done.stderr.split())


def test_nothing_is_written_if_the_user_set_every_variable(run_env, tmp_path) -> None:
    own = dict.fromkeys(VARIABLES, "/own.pem")
    assert run_env(**own) == own
    assert not list((tmp_path / "stores").glob("exported-*"))


@posix
@pytest.mark.parametrize("python", ["apart", "installed"])
def test_a_python_that_run_starts_ignores_the_variables(run, apart, installed, plain, chained, tmp_path, cas, python):
    """``run`` sets CERTHOOK_BUNDLE for its commands if certifi is apart from certhook."""
    python = {"apart": apart, "installed": installed}[python]
    settings = {**chained, "SSL_CERT_FILE": None, "CERTHOOK_STORE_DIR": str(tmp_path / "stores")}
    del settings["CERTHOOK_SOURCES"], settings["SSL_CERT_DIR"]
    with_env = run("--env", plain, "-c", STORE, python=python, **settings)
    without_env = run(plain, "-c", STORE, python=python, **settings)
    assert (with_env.stdout, with_env.stderr) == (without_env.stdout, "")
    assert "trust-" in with_env.stdout


# Failures.


def without_interpreter(path: Path) -> None:
    path.write_text("#!/nowhere/python\n")
    path.chmod(0o755)


@posix
@pytest.mark.parametrize(
    ("word", "create", "status", "expected"),
    [
        ("no-such-command", None, 127, "'no-such-command' was not found in PATH"),
        ("", None, 127, "the name of the command is empty"),
        ("./missing", None, 127, "'./missing' does not exist"),
        ("./script", without_interpreter, 127, "the interpreter that its first line names does not exist"),
        ("./app.py", Path.touch, 126, "Permission denied; to run a Python program: python ./app.py"),
        ("./directory", Path.mkdir, 126, "'./directory' cannot be started: Permission denied"),
    ],
)
def test_a_command_that_cannot_be_started_is_reported(word, create, status, expected, run, tmp_path) -> None:
    if create:
        create(tmp_path / word)
    done = run(word)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith("certhook: run: ") and expected in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "expected"), [((), "no command was given"), (("--",), "no command was given"), (("-x", "y"), "-x")]
)
def test_invalid_arguments_are_reported(words, expected, run) -> None:
    done = run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert expected in done.stderr


def test_a_directory_that_pythonpath_cannot_contain_is_reported(installed, tmp_path) -> None:
    packages = tmp_path / f"a{os.pathsep}b"
    shutil.copytree(support.purelib(installed) / "certhook", packages / "certhook")
    code = (
        f"import sys; sys.path.insert(0, {str(packages)!r}); sys.modules.pop('certhook', None)\n"
        "from certhook.cli import main; sys.exit(main(['run', 'true']))"
    )
    done = support.run(installed, code, "-S", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"contains {os.pathsep!r}, which separates the entries of PYTHONPATH" in done.stderr


def test_the_two_ways_to_run_a_program_refer_to_each_other(run, installed) -> None:
    shown = " ".join(run("--help").stdout.split())
    assert "python -S -m certhook.run SCRIPT" in shown
    assert all(flag in shown for flag in ("-I", "-E", "-S"))
    done = support.run_command(installed, "-m", "certhook.run", "--help")
    assert "python -m certhook run COMMAND" in done.stdout


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGPIPE")
def test_a_command_that_cannot_be_started_does_not_change_the_handling_of_signals(capsys) -> None:
    before = signal.getsignal(signal.SIGPIPE)
    assert main(["run", "/none"]) == 127
    assert signal.getsignal(signal.SIGPIPE) == before
