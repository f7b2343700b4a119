"""C programs with libpython in them, started in every way that PEP 587 knows."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import support
from expected import CHAINED, STOCK, build, marked, missing, trusted_in

SOURCE = Path(__file__).with_name("host.c")
AUTO = "import certhook.auto\n"

#: How each host is started: the kind of its configuration, whether it imports site, what it takes for its program's
#: name, its search paths ({stdlib}, {packages}), and what it has to say for itself before ssl is used.
HOSTS = {
    "with site, as the environment's python": ("python", "1", "{venv}", "", ""),
    "isolated, as the environment's python": ("isolated", "1", "{venv}", "", ""),
    "isolated, with site and search paths": ("isolated", "1", "", "{stdlib}:{packages}", AUTO),
    "without site": ("python", "0", "{venv}", "{stdlib}:{packages}", "import certhook\ncerthook.install()\n"),
    "isolated, without site": ("isolated", "0", "", "{stdlib}:{packages}", AUTO),
    "isolated, without site, after ssl": ("isolated", "0", "", "{stdlib}:{packages}", f"import ssl\n{AUTO}"),
}

#: Of Python, in JSON: what it takes to build with it, and what it has on its path.
ABOUT = """
import json, os, sys, sysconfig
get = sysconfig.get_config_var
print(json.dumps({
    "headers": sysconfig.get_path("include"),
    "libraries": get("LIBDIR"),
    "library": "python" + get("VERSION") + (getattr(sys, "abiflags", "") or ""),
    "shared": bool(get("Py_ENABLE_SHARED")),
    "path": ":".join(entry for entry in sys.path if entry and "site-packages" not in entry),
}))
"""


class Host:
    """A compiled host, and the Python that it was compiled with."""

    def __init__(self, program: Path, path: str) -> None:
        self.program = program
        self.path = path

    def command(self, name: str, venv: Path, packages: Path, code: str = support.VERDICTS) -> list[str]:
        *how, first = HOSTS[name]
        filled = [word.format(stdlib=self.path, venv=venv, packages=packages) for word in how]
        return [str(self.program), *filled, first + code]


@pytest.fixture(scope="session")
def host(once, tool, venv):
    """Compile the host in *folder*, where its header is, unless another worker did."""

    def compiled(folder: Path, is_first: bool, *flags: str) -> Host:
        about = json.loads(support.run(venv, ABOUT, "-I", "-S").stdout)
        if not about["shared"] or not os.path.exists(os.path.join(about["headers"], "Python.h")):
            missing("this Python has no headers, or no shared library")
        program = folder / "host"
        if is_first:
            libraries = about["libraries"]
            command = [tool("gcc"), *flags, f"-I{folder}", f"-I{about['headers']}", str(SOURCE), "-o", str(program)]
            command += [f"-L{libraries}", f"-Wl,-rpath,{libraries}", f"-l{about['library']}"]
            subprocess.run(command, check=True, env=support.clean_env(), timeout=120)
        return Host(program, about["path"])

    return compiled


@pytest.fixture(scope="session")
def plain_host(once, host) -> Host:
    """The host with nothing in it."""
    with once("host") as (folder, is_first):
        return host(folder, is_first)


#: Those that are in the table.
ROWS = {
    "with site, as the environment's python": pytest.mark.row("C program", "the .pth"),
    "isolated, without site": pytest.mark.row("C program, isolated", "certhook.auto"),
}


@pytest.mark.parametrize("name", marked(HOSTS, ROWS))
def test_a_c_program_with_python_in_it(plain_host, venv, target, check_trust, name) -> None:
    check_trust(plain_host.command(name, venv, target))


def test_a_host_can_give_the_environment_no_say(plain_host, venv, target, store, servers) -> None:
    code = "import certhook\ncerthook.install(use_environment=False)\n" + support.VERDICTS
    command = plain_host.command("with site, as the environment's python", venv, target, code)
    env = support.clean_env(SERVERS=support.server_list(servers), SSL_CERT_FILE=store, CERTHOOK_SOURCES="system")
    done = subprocess.run(command, env={**env, "HOME": os.devnull}, capture_output=True, encoding="utf-8", timeout=60)
    trusted = trusted_in(done.stdout)
    # Not the store that the variables name, but this machine's; and the bundle though they leave it out.
    assert trusted == {"bundled", "both"}, done.stderr


#: Writes, in the folder that is its argument, frozen.h: the modules of the package certhook and the bundle's.
FREEZE = """
import marshal, os, sys
folder, packages, bundle = sys.argv[1:]
found = {"certhook_bundle": bundle}
for place, _, files in os.walk(os.path.join(packages, "certhook")):
    for file in files:
        name, _, kind = os.path.relpath(os.path.join(place, file), packages).replace(os.sep, ".").rpartition(".")
        if kind == "py" and name.replace(".", "").isidentifier() and "freezers" not in name:
            found[name] = os.path.join(place, file)
with open(os.path.join(folder, "frozen.h"), "w") as header:
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
def frozen_host(once, host, venv, target) -> Host:
    """The host with certhook and the bundle's module in it, and neither on a disk."""
    with once("frozen-host") as (folder, is_first):
        bundle = folder / "certhook_bundle.py"
        if is_first:
            # In the environment, whose certifi has the bundle of the tests.
            build(venv, "-m", "certhook", "freeze-bundle", bundle)
            build(venv, "-c", FREEZE, folder, target, bundle)
            bundle.unlink()
        return host(folder, is_first, "-DFROZEN")


@pytest.mark.row("C program, frozen modules", "certhook.auto")
def test_modules_that_are_frozen_into_a_c_program(frozen_host, check_trust) -> None:
    code = f"{AUTO}assert 'frozen' in str(certhook.__spec__)\n{support.VERDICTS}"
    check_trust([frozen_host.program, "isolated", "0", "", frozen_host.path, code])


def test_two_such_programs_share_no_store(frozen_host, cas, trusted) -> None:
    # The same program, as far as any path says, but for what is in its memory.
    stranger = f"import certhook_bundle\ncerthook_bundle.PEM = {cas.pem('stranger')!r}\n"
    start = [frozen_host.program, "isolated", "0", "", frozen_host.path]
    assert trusted([*start, AUTO + support.VERDICTS]) == CHAINED
    assert trusted([*start, stranger + AUTO + support.VERDICTS]) == {*STOCK, "stranger"}
    assert trusted([*start, AUTO + support.VERDICTS]) == CHAINED
