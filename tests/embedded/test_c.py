"""C programs that embed libpython, with every kind of PEP 587 configuration."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import support
from embedded_support import (
    IMPORT_AUTO,
    WITH_CERTHOOK,
    WITHOUT_CERTHOOK,
    run_tool,
    skip_or_fail,
    trusted_cas,
    with_rows,
)
from pyconfig_host import BUILD_FACTS

SOURCE = Path(__file__).with_name("host.c")

#: The arguments of each host: the kind of configuration, whether it imports site, the program name and the search
#: paths ({stdlib}, {packages}); and the code that runs before the tests' program.
HOSTS = {
    "with site, as the environment's python": ("python", "1", "{venv}", "", ""),
    "isolated, as the environment's python": ("isolated", "1", "{venv}", "", ""),
    "isolated, with site and search paths": ("isolated", "1", "", "{stdlib}:{packages}", IMPORT_AUTO),
    "without site": ("python", "0", "{venv}", "{stdlib}:{packages}", "import certhook\ncerthook.install()\n"),
    "isolated, without site": ("isolated", "0", "", "{stdlib}:{packages}", IMPORT_AUTO),
    "isolated, without site, after ssl": ("isolated", "0", "", "{stdlib}:{packages}", f"import ssl\n{IMPORT_AUTO}"),
}


class Host:
    """The compiled host.

    :ivar program: the path of the executable
    :ivar path: the search path of the Python that it embeds, without site-packages
    """

    def __init__(self, program: Path, path: str) -> None:
        self.program = program
        self.path = path

    def command(self, name: str, venv: Path, packages: Path, code: str = support.VERDICTS) -> list[str]:
        """Return the command that runs *code* in the host *name* of :data:`HOSTS`."""
        *templates, prelude = HOSTS[name]
        arguments = [template.format(stdlib=self.path, venv=venv, packages=packages) for template in templates]
        return [str(self.program), *arguments, prelude + code]


@pytest.fixture(scope="session")
def host(once, require_program, venv_python):
    """Compile the host in the directory that contains its header, if any, unless another worker has compiled it."""

    def compile_host(directory: Path, is_first: bool, *flags: str) -> Host:
        facts = json.loads(support.run(venv_python, BUILD_FACTS, "-I", "-S").stdout)
        if not facts["shared"] or not os.path.exists(os.path.join(facts["headers"], "Python.h")):
            skip_or_fail("this Python has no headers, or no shared library")
        program = directory / "host"
        if is_first:
            libraries = facts["libraries"]
            headers = (f"-I{directory}", f"-I{facts['headers']}")
            command = [require_program("gcc"), *flags, *headers, str(SOURCE), "-o", str(program)]
            command += [f"-L{libraries}", f"-Wl,-rpath,{libraries}", f"-l{facts['library']}"]
            subprocess.run(command, check=True, env=support.clean_env(), timeout=120)
        return Host(program, facts["path"])

    return compile_host


@pytest.fixture(scope="session")
def plain_host(once, host) -> Host:
    """The host without frozen modules."""
    with once("host") as (directory, is_first):
        return host(directory, is_first)


#: The hosts that have a row in the table.
ROWS = {
    "with site, as the environment's python": pytest.mark.row("C program", "the .pth"),
    "isolated, without site": pytest.mark.row("C program, isolated", "certhook.auto"),
}


@pytest.mark.parametrize("name", with_rows(HOSTS, ROWS))
def test_certhook_works_in_a_c_program(plain_host, venv_python, packages, check_trust, name) -> None:
    check_trust(plain_host.command(name, venv_python, packages))


def test_a_host_can_ignore_the_environment(plain_host, venv_python, packages, store_file, run_program) -> None:
    code = "import certhook\ncerthook.install(use_environment=False)\n" + support.VERDICTS
    command = plain_host.command("with site, as the environment's python", venv_python, packages, code)
    done = run_program(command, SSL_CERT_FILE=store_file, CERTHOOK_SOURCES="system", HOME=os.devnull)
    # Ignoring SSL_CERT_FILE, the host uses this machine's store; ignoring CERTHOOK_SOURCES, it uses the bundle.
    assert trusted_cas(done.stdout) == {"bundled", "both"}, done.stderr


#: Writes frozen.h, which contains the modules of certhook and the frozen bundle, to the directory given as an argument.
FREEZE = """
import marshal, os, sys
directory, packages, bundle = sys.argv[1:]
found = {"certhook_bundle": bundle}
for parent, _, files in os.walk(os.path.join(packages, "certhook")):
    for file in files:
        name, _, kind = os.path.relpath(os.path.join(parent, file), packages).replace(os.sep, ".").rpartition(".")
        if kind == "py" and name.replace(".", "").isidentifier() and "freezers" not in name:
            found[name] = os.path.join(parent, file)
with open(os.path.join(directory, "frozen.h"), "w") as header:
    entries = []
    for number, (name, path) in enumerate(sorted(found.items())):
        is_package = name.endswith(".__init__")
        name = name[: -len(".__init__")] if is_package else name
        with open(path, "rb") as file:
            code = marshal.dumps(compile(file.read(), "<frozen " + name + ">", "exec", dont_inherit=True))
        array = "module_" + str(number)
        header.write("static const unsigned char " + array + "[] = {" + ",".join(map(str, code)) + "};\\n")
        size = ("-" if is_package else "") + str(len(code))
        entries.append('    {.name = "' + name + '", .code = ' + array + ", .size = " + size + "},\\n")
    header.write("static const struct _frozen frozen[] = {\\n" + "".join(entries) + "};\\n")
"""


@pytest.fixture(scope="session")
def frozen_host(once, host, venv_python, packages) -> Host:
    """The host with certhook and the bundle as frozen modules. Neither exists as a file."""
    with once("frozen-host") as (directory, is_first):
        bundle = directory / "certhook_bundle.py"
        if is_first:
            # The certifi of this environment contains the test bundle.
            run_tool(venv_python, "-m", "certhook", "freeze-bundle", bundle)
            run_tool(venv_python, "-c", FREEZE, directory, packages, bundle)
            bundle.unlink()
        return host(directory, is_first, "-DFROZEN")


@pytest.mark.row("C program, frozen modules", "certhook.auto")
def test_certhook_works_as_frozen_modules_of_a_c_program(frozen_host, check_trust) -> None:
    code = f"{IMPORT_AUTO}assert 'frozen' in str(certhook.__spec__)\n{support.VERDICTS}"
    check_trust([frozen_host.program, "isolated", "0", "", frozen_host.path, code])


def test_programs_with_different_frozen_bundles_do_not_share_a_store(frozen_host, cas, trusted_by) -> None:
    # Both programs have the same paths. They differ only in the bundle in memory.
    other_bundle = f"import certhook_bundle\ncerthook_bundle.PEM = {cas.pem('stranger')!r}\n"
    command = [frozen_host.program, "isolated", "0", "", frozen_host.path]
    assert trusted_by([*command, IMPORT_AUTO + support.VERDICTS]) == WITH_CERTHOOK
    assert trusted_by([*command, other_bundle + IMPORT_AUTO + support.VERDICTS]) == {*WITHOUT_CERTHOOK, "stranger"}
    assert trusted_by([*command, IMPORT_AUTO + support.VERDICTS]) == WITH_CERTHOOK
