"""The working directory executes no code in certhook and adds no roots; the directory of the program counts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest
import support

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the commands in the directory are shell scripts")

#: Modules of packages that certhook imports if they are installed.
OPTIONAL = ("certhook_bundle", "cryptography", "importlib_resources", "installer", "truststore", "usercustomize")
#: Commands that verbs start or look for.
COMMANDS = ("curl", "openssl", "python3", "security", "trust", "update-ca-certificates")

#: Prints the modules that this Python has, except those that stock Python imports for a context.
PRINT_NAMES = """
import ssl, sys
ssl.create_default_context()
stock = set(sys.modules)
import pkgutil, sysconfig
directories = [sysconfig.get_path("stdlib"), sysconfig.get_config_var("DESTSHARED") or ""]
print(*sorted({module.name for module in pkgutil.iter_modules(directories)} - stock - {"site-packages", "this"}))
"""
#: Prints the organizations of the roots in a default context.
PRINT_ROOTS = """
import ssl
context = ssl.create_default_context()
subjects = [dict(pair for part in root["subject"] for pair in part) for root in context.get_ca_certs()]
print([subject.get("organizationName") for subject in subjects])
"""
#: The directories of the packages that the tests require.
PACKAGES = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]

STRANGER = "certhook tests stranger"
BUNDLED = "certhook tests bundled"


class Hostile(NamedTuple):
    """A working directory of another user.

    :ivar directory: contains a module of every name that certhook may import, and commands
    :ivar log: the file to which these write their names
    """

    directory: Path
    log: Path

    def run(self, *command: object, stdin: str = "", **variables: str) -> tuple[subprocess.CompletedProcess[str], set]:
        """Run *command* in the directory, and return its result and the names of the code that was executed."""
        self.log.write_text("")
        env = support.clean_env(PATH=f":.:{os.environ['PATH']}", **variables)
        done = support.run_command(*command, cwd=self.directory, env=env, input=stdin)
        return done, set(self.log.read_text().split())


def write_module(path: Path, log: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"with open({str(log)!r}, 'ab') as log: log.write(__name__.encode() + b'\\n')\n")


@pytest.fixture(scope="module")
def hostile(installed: Path, cas: support.Authorities, tmp_path_factory: pytest.TempPathFactory) -> Hostile:
    base = tmp_path_factory.mktemp("hostile")
    directory, log = base / "directory", base / "log"
    names = support.run(installed, PRINT_NAMES, env=support.clean_env(CERTHOOK_DISABLED="1")).stdout.split()
    # runpy imports these for every "python -m".
    (base / "probe.py").write_text("import sys; print(*sys.modules)")
    env = support.clean_env(CERTHOOK_DISABLED="1")
    stock = set(support.run_command(installed, "-m", "probe", cwd=base, env=env).stdout.split())
    names = [name for name in names if name not in stock]
    assert {"__future__", "argparse", "csv", "subprocess", "tempfile"} <= set(names)
    for name in (*names, *OPTIONAL):
        write_module(directory / f"{name}.py", log)
    pem = cas.pem("stranger")
    with open(directory / "certhook_bundle.py", "a") as module:
        module.write(f"PEM = {pem!r}\n")
    for package in ("certifi", "pip"):
        write_module(directory / package / "__init__.py", log)
    for path in ("certifi/cacert.pem", "cacert.pem", "cert.pem"):
        (directory / path).write_bytes(pem)
    (directory / "openssl.cnf").write_text("openssl_conf = missing\n[default]\n.include /nonexistent\n")
    (directory / "python311._pth").write_text(".\nimport site\n")
    for name in COMMANDS:
        (directory / name).write_text(f"#!/bin/sh\necho {name} >> {log}\n")
        (directory / name).chmod(0o755)
    with zipfile.ZipFile(directory / "modules.zip", "w") as archive:
        for path in ("__future__.py", "certifi/__init__.py", "certifi/cacert.pem"):
            archive.write(directory / path, path)
    return Hostile(directory, log)


#: The arguments of each verb, and its exit status.
VERBS = {
    "status": ((), 0),
    "audit": ((), None),
    "check": (("127.0.0.1:9", "--timeout", "5"), 1),
    "inspect": (("{file}",), 0),
    "trust": (("--dry-run", "{file}"), None),
    "list": ((), 0),
    "demo": ((), 0),
    "run": (("{python}", "-c", PRINT_ROOTS), 0),
    "enable": (("--dry-run", "{python}"), None),
    "disable": (("--dry-run", "{python}"), None),
    "export": (("{output}",), 0),
    "env": ((), None),
    "diff": ((), None),
    "compile": (("--help",), 0),
    "freezer": (("bundle", "{output}"), 0),
    "completion": (("bash",), 0),
}


@pytest.mark.parametrize("verb", VERBS)
def test_no_verb_uses_the_working_directory(verb, hostile, installed, cas, tmp_path) -> None:
    file = tmp_path / "root.pem"
    file.write_bytes(cas.pem("system"))
    values = {"{file}": file, "{python}": installed, "{output}": tmp_path / "output.pem"}
    arguments, status = VERBS[verb]
    command = [installed, "-m", "certhook", verb, *(values.get(one, one) for one in arguments)]
    # The optional dependencies of verbs.
    done, executed = hostile.run(*command, PYTHONPATH=os.pathsep.join(PACKAGES))
    assert executed == set()
    assert "Traceback" not in done.stderr
    assert status is None or done.returncode == status, done.stderr
    written = (tmp_path / "output.pem").read_bytes() if verb in ("export", "freezer") else b""
    assert STRANGER not in done.stdout
    assert cas.pem("stranger").strip() not in written


def test_the_list_of_verbs_is_complete() -> None:
    from certhook.cli import build_parser

    assert set(VERBS) <= set(build_parser()[1].choices)
    assert set(build_parser()[1].choices) - set(VERBS) <= {"freeze-bundle"}


def test_the_command_imports_nothing_through_an_empty_entry_of_pythonpath(hostile, installed) -> None:
    variables = {"PYTHONPATH": os.pathsep, "PYTHONNOUSERSITE": "1"}
    program = "import re, ssl; ssl.create_default_context()"
    _, stock = hostile.run(installed, "-c", program, CERTHOOK_DISABLED="1", **variables)
    done, executed = hostile.run(installed.parent / "certhook", "list", **variables)
    assert executed <= stock
    assert done.returncode == 0
    assert STRANGER not in done.stdout


def test_a_package_certhook_in_the_working_directory_is_not_imported(installed, tmp_path) -> None:
    for name in ("__init__", "__main__", "cli", "run"):
        write_module(tmp_path / "certhook" / f"{name}.py", tmp_path / "log")
    done = support.run_command(installed, "-m", "certhook", "list", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "bundled" in done.stdout
    support.run(installed, PRINT_ROOTS, cwd=tmp_path)
    assert not (tmp_path / "log").exists()


def test_stock_python_executes_the_working_directory(hostile, installed) -> None:
    """The attack is effective."""
    names = ("__future__", "certifi", "csv", "cryptography", "tempfile", "certhook_bundle")
    _, executed = hostile.run(installed, "-c", f"import {', '.join(names)}", CERTHOOK_DISABLED="1")
    assert executed >= set(names)


ACCEPT_CERTIFI = """
from certhook import _working_directory
installed = _working_directory.installed
_working_directory.installed = lambda name, spec, *rest: spec if name == "certifi" else installed(name, spec, *rest)
"""


def test_the_attack_succeeds_without_the_protection(hostile, installed, tmp_path) -> None:
    accept_all = "from certhook import _finder; _finder._may_be_local = lambda spec: False\n"
    _, executed = hostile.run(installed, "-c", accept_all + PRINT_ROOTS, CERTHOOK_STORE_DIR=str(tmp_path / "1"))
    assert "__future__" in executed
    done, _ = hostile.run(installed, "-c", ACCEPT_CERTIFI + PRINT_ROOTS, CERTHOOK_STORE_DIR=str(tmp_path / "2"))
    assert STRANGER in done.stdout


INSERT = "import sys; sys.path[:] = [{entry!r}] + [entry for entry in sys.path if entry]\n"
#: The arguments of Python, its standard input and variables, for each way to search the working directory.
WAYS = {
    "-c": (("-c", PRINT_ROOTS), "", {}),
    "standard input": ((), PRINT_ROOTS, {}),
    "standard input as a file": (("-",), PRINT_ROOTS, {}),
    "a script elsewhere": (("{script}",), "", {}),
    "certhook.run": (("-m", "certhook.run", "{script}"), "", {}),
    "an inserted empty entry": (("-c", INSERT.format(entry="") + PRINT_ROOTS), "", {}),
    "an inserted dot": (("-c", INSERT.format(entry=".") + PRINT_ROOTS), "", {}),
    "an inserted way back": (("-c", INSERT.format(entry="certifi/..") + PRINT_ROOTS), "", {}),
    "an inserted archive": (("-c", INSERT.format(entry="modules.zip") + PRINT_ROOTS), "", {}),
    "another directory later": (("-c", f"import os; os.chdir('/')\n{PRINT_ROOTS}"), "", {}),
    "an empty entry of PYTHONPATH": (("{script}",), "", {"PYTHONPATH": f"/nonexistent{os.pathsep}"}),
    "an entry of PYTHONPATH that leads back": (("{script}",), "", {"PYTHONPATH": "certifi/.."}),
    "the drop-in": (("{script}",), "", {"PYTHONPATH": "{drop_in}" + os.pathsep}),
    "eager loading": (("-c", PRINT_ROOTS), "", {"CERTHOOK_LOAD": "eager"}),
    "only the bundle": (("-c", PRINT_ROOTS), "", {"CERTHOOK_SOURCES": "bundled"}),
    "relative settings": (
        ("-c", PRINT_ROOTS),
        "",
        {"CERTHOOK_EXTRA_CA_CERTS": "cert.pem", "CERTHOOK_STORE_DIR": "store", "XDG_DATA_HOME": "data"},
    ),
    "certhook.auto": (("-c", f"import certhook.auto\n{PRINT_ROOTS}"), "", {}),
    "certifi imported before": (("-c", f"import certifi\n{PRINT_ROOTS}"), "", {}),
    "the frozen bundle imported before": (("-c", f"import certhook_bundle\n{PRINT_ROOTS}"), "", {}),
}


def test_a_frozen_module_imports_nothing_from_the_working_directory_for_certhook(hostile, installed) -> None:
    """The module os, which is frozen since Python 3.11, imports subprocess; linecache, since 3.15, tokenize."""
    program = """
import os
from certhook._finder import call_guarded
with call_guarded(os.popen, "echo shown") as output:
    print(output.read())
"""
    done, executed = hostile.run(installed, "-c", program, PYTHONWARNDEFAULTENCODING="")
    assert (done.stdout.split(), executed) == (["shown"], set()), done.stderr


@pytest.mark.parametrize("way", WAYS)
def test_a_context_executes_and_trusts_no_more_than_stock_python(way, hostile, installed, tmp_path) -> None:
    script = tmp_path / "script.py"
    script.write_text(PRINT_ROOTS)
    drop_in = support.purelib(installed) / "certhook" / "bootstrap"
    arguments, stdin, variables = WAYS[way]
    command = [installed, *(str(script) if one == "{script}" else one for one in arguments)]
    variables = {name: value.replace("{drop_in}", str(drop_in)) for name, value in variables.items()}
    # A store that another test built would make the context warm.
    variables.setdefault("CERTHOOK_STORE_DIR", str(tmp_path / "store"))
    done, executed = hostile.run(*command, stdin=stdin, **variables)
    assert done.returncode == 0, done.stderr
    assert STRANGER not in done.stdout
    assert done.stdout.count(",") > 50  # certifi's roots
    if executed:
        _, stock = hostile.run(*command, stdin=stdin, CERTHOOK_DISABLED="1", **variables)
        assert executed <= stock
    assert not (hostile.directory / "store").exists()


def test_a_module_of_the_program_is_imported_although_certhook_uses_one_of_that_name(installed, tmp_path) -> None:
    (tmp_path / "__future__.py").write_text("annotations = 'the module of the program'")
    program = f"{PRINT_ROOTS}\nimport __future__; print(__future__.annotations)"
    env = support.clean_env(CERTHOOK_STORE_DIR=str(tmp_path / "store"))
    assert "the module of the program" in support.run(installed, program, cwd=tmp_path, env=env).stdout


def test_a_module_of_the_program_is_executed_once_if_an_absolute_path_names_the_working_directory(
    installed, tmp_path
) -> None:
    source = (Path(sysconfig.get_path("stdlib")) / "__future__.py").read_text()
    (tmp_path / "__future__.py").write_text(f"{source}\nprint('executed')\n")
    env = support.clean_env(CERTHOOK_STORE_DIR=str(tmp_path / "store"), PYTHONPATH=str(tmp_path))
    done = support.run(installed, f"{PRINT_ROOTS}\nimport __future__", cwd=tmp_path, env=env)
    assert done.stdout.count("executed") == 1


@pytest.fixture
def target(plain: Path, installed: Path, cas: support.Authorities, tmp_path: Path) -> Path:
    """A directory as of ``pip install --target``, with certhook and a certifi with one root, and a program."""
    directory = tmp_path / "target"
    shutil.copytree(support.purelib(installed) / "certhook", directory / "certhook")
    (directory / "certifi").mkdir()
    (directory / "certifi" / "__init__.py").touch()
    (directory / "certifi" / "cacert.pem").write_bytes(cas.pem("bundled"))
    for path in ("program.py", "package/__main__.py", "__main__.py"):
        (directory / path).parent.mkdir(exist_ok=True)
        (directory / path).write_text(f"import certhook.auto\n{PRINT_ROOTS}")
    (directory / "package" / "__init__.py").touch()
    return directory


#: The arguments of Python in the directory of ``target``, for each way that makes its certifi an installed one.
LAYOUTS = {
    "a script": ("program.py",),
    "a package": ("-m", "package"),
    "a module": ("-m", "program"),
    "the directory": (".",),
    "-c with certhook in the same directory": ("-c", f"import certhook.auto\n{PRINT_ROOTS}"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_certifi_next_to_the_program_or_certhook_is_installed(layout, target, plain) -> None:
    done = support.run_command(plain, *LAYOUTS[layout], cwd=target)
    assert BUNDLED in done.stdout, done.stderr


def test_certifi_in_an_absolute_entry_of_pythonpath_is_installed(target, plain, tmp_path) -> None:
    env = support.clean_env(PYTHONPATH=str(target))
    assert BUNDLED in support.run_command(plain, "-m", "program", cwd=tmp_path, env=env).stdout
    # certhook is elsewhere: only the variable names the working directory.
    (tmp_path / "other").mkdir()
    shutil.move(str(target / "certhook"), str(tmp_path / "other" / "certhook"))
    env = support.clean_env(PYTHONPATH=f"{target}{os.pathsep}{tmp_path / 'other'}")
    program = f"import certhook.auto\n{PRINT_ROOTS}"
    assert BUNDLED in support.run_command(plain, "-c", program, cwd=target, env=env).stdout
    env = support.clean_env(PYTHONPATH=f"{os.pathsep}{tmp_path / 'other'}")
    assert BUNDLED not in support.run_command(plain, "-c", program, cwd=target, env=env).stdout


def test_certifi_in_a_relative_entry_of_pythonpath_is_installed_only_for_the_program_above_it(
    target, installed
) -> None:
    """Such an entry is usually set for all commands, whatever the working directory is."""
    shutil.rmtree(target / "certhook")
    (target.parent / "program.py").write_text(PRINT_ROOTS)
    for entry, arguments, expected in (
        ("target", ("-c", PRINT_ROOTS), False),
        (f".{os.sep}target{os.pathsep}", ("-c", PRINT_ROOTS), False),
        (str(target), ("-c", PRINT_ROOTS), True),
        ("target", ("program.py",), True),
        ("target", ("-m", "program"), True),
    ):
        done = support.run_command(installed, *arguments, cwd=target.parent, env=support.clean_env(PYTHONPATH=entry))
        assert (BUNDLED in done.stdout, done.returncode) == (expected, 0), (entry, arguments, done.stderr)


def test_certifi_in_an_archive_with_the_program_is_installed(target, plain) -> None:
    archive = target.parent / "program.pyz"
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(target.rglob("*")):
            if path.suffix in (".py", ".pem"):
                file.write(path, path.relative_to(target))
    for cwd in (target.parent, "/"):
        done = support.run_command(plain, os.path.relpath(archive, cwd), cwd=cwd)
        assert BUNDLED in done.stdout, done.stderr


def test_python_dash_m_works_in_the_directory_in_which_certhook_is_installed(installed) -> None:
    done = support.run_command(installed, "-m", "certhook", "list", cwd=support.purelib(installed))
    assert done.returncode == 0, done.stderr
    assert "bundled" in done.stdout


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.11 added -P")
def test_a_named_working_directory_counts_if_python_does_not_add_it(target, plain, installed, tmp_path) -> None:
    shutil.rmtree(target / "certhook")
    other = support.purelib(installed)
    env = support.clean_env(PYTHONPATH=f"{target}{os.pathsep}{other}")
    done = support.run_command(plain, "-P", "-c", f"import certhook.auto\n{PRINT_ROOTS}", cwd=target, env=env)
    assert BUNDLED in done.stdout, done.stderr


#: A finder that finds certifi in the working directory, like that of an editable installation.
FINDER = """
import os, sys
from importlib.machinery import PathFinder
class Finder:
    def find_spec(self, name, path=None, target=None):
        return PathFinder.find_spec(name, [os.getcwd()]) if name == "certifi" else None
"""


@pytest.mark.parametrize(("insertion", "counts"), [("append(Finder())", True), ("insert(0, Finder())", False)])
def test_an_editable_installation_in_the_working_directory_counts(insertion, counts, target, plain, tmp_path) -> None:
    """Its finder is behind Python's own; one before it may wrap Python's own, which searches the directory."""
    (tmp_path / "other").mkdir()
    shutil.move(str(target / "certhook"), str(tmp_path / "other" / "certhook"))
    env = support.clean_env(PYTHONPATH=str(tmp_path / "other"))
    program = f"{FINDER}\nsys.meta_path.{insertion}\nimport certhook.auto\n{PRINT_ROOTS}"
    assert (BUNDLED in support.run_command(plain, "-c", program, cwd=target, env=env).stdout) is counts
