"""``docs/explanation/security.rst`` describes what certhook really reads, writes and starts."""

from __future__ import annotations

import os
import re
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Iterator, NamedTuple

import pytest
import support

from certhook import cli
from certhook._config import VARIABLES
from certhook.cli.audit import starting, surroundings

PAGE = support.ROOT / "docs" / "explanation" / "security.rst"

traced = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")

_SYSTEM = r"/etc/(ssl|pki/tls|openssl)|/usr/(lib|share|local)/ssl|/usr/share/ssl|/etc/ca-certificates/extracted"
_BLOCK_LISTS = (
    r"/etc/ca-certificates\.conf|/etc/ca-certificates|/usr/(local/)?share/ca-certificates|/etc/pki/ca-trust|"
    r"/usr/share/pki|/usr/share/p11-kit|/etc/pkcs11"
)
#: The kinds of locations, and regular expressions for their paths. The first one that matches applies.
KINDS = (
    ("Python", r"{python}(/.*)?|{prefix}/pyvenv.cfg|/etc/ld\.so.*|(/usr)?/lib(64)?/.*\.so[.0-9]*"),
    ("Python", r"/usr/(lib|share)/(locale|zoneinfo|ssl/openssl\.cnf|python3).*|/etc/localtime|/dev/(null|tty|urandom)"),
    (
        "Python",
        r"/usr/lib(64)?|{own}(/(bin|lib)(/python[0-9.]+)?)?|.*/pyvenv\.cfg|.*/gconv-modules\.cache|{others}|"
        r"/sys/(fs/cgroup|kernel/mm|devices)/.*|/proc/sys/.*|/etc/ldap/.*|.*/sasl2",
    ),
    (
        "Python",
        r"{site}(/\.?)?|{site}/(distutils-precedence|_virtualenv|a1_coverage|others)\.pth|/proc/self/(exe|maps|status)",
    ),
    ("OpenSSL's configuration", r"/etc/ssl/openssl\.cnf|{python}/ssl/openssl\.cnf|.*/openssl\.cnf"),
    ("certhook.pth", r"{site}/certhook\.pth"),
    ("certhook's modules", r"{site}/certhook(/.*)?"),
    ("certifi's bundle", r"{site}/certifi(/__pycache__)?(/__init__\.py|/cacert\.pem)?"),
    ("installed packages", r"{site}/.*|{others}(/.*)?"),
    ("compiled stores", r"{store}(/.*)?"),
    ("the target", r"{target}(/.*)?"),
    ("named files", r"{named}(/.*)?"),
    ("temporary files", r"{temporary}(/.*)?"),
    ("the environment", r"{prefix}(/.*)?"),
    ("directories above them", r"/|/usr|/usr/local|/usr/local/share|/etc|/etc/pki"),
    ("settings of other tools", r"/etc/(gitconfig|wgetrc|pip\.conf|npmrc|yarnrc.*)|/etc/conda.*|{home}/\..*"),
    ("the system's roots", rf"({_SYSTEM})(/.*)?"),
    ("the system's block lists", rf"({_BLOCK_LISTS})(/.*)?"),
    ("/proc/self", r"/proc/(self|[0-9]+)(/.*)?"),
    ("system-wide settings", r"/etc/certhook\.conf"),
    ("the user database", r"/etc/(passwd|group|nsswitch\.conf)"),
    ("the name of the system", r"(/etc|/usr/lib)/os-release"),
    ("the name service", r"/etc/(hosts|resolv\.conf|host\.conf|gai\.conf|services|protocols)"),
)

_WRITING = re.compile(
    r"^(?:\d+ +)?"
    r"(mkdir|rename|unlink|rmdir|symlink|link|chmod|chown|lchown|fchmod|fchown|utime|truncate|mknod)\w*\((.*)"
)
_OPENING = re.compile(r"^(?:\d+ +)?open(?:at)?\((.*)")
_LISTING = re.compile(r"^(?:\d+ +)?getdents\w*\((.*)")
_PATH = re.compile(r'(?:(?:AT_FDCWD|\d+)(?:<([^>]*)>)?, )?"((?:[^"\\]|\\.)*)"')
_UNFINISHED = " <unfinished ...>"
_RESUMED = re.compile(r"\d+ +<\.\.\. \w+ resumed>(.*)")
_RESULT = re.compile(r"= -1 E[A-Z]+ .*$|= \?$")


class Trace(NamedTuple):
    """The kinds of locations that a process reads and writes, the programs that it starts, and its sockets."""

    reads: set[str]
    writes: set[str]
    programs: list[str]
    has_network: bool


def _whole_lines(log: str) -> Iterator[str]:
    """Return the calls in *log*. strace splits a line while another process makes a call."""
    begun: dict[str, str] = {}
    for line in log.splitlines():
        process = line.split(" ")[0]
        if line.endswith(_UNFINISHED):
            begun[process] = line[: -len(_UNFINISHED)]
        else:
            resumed = _RESUMED.match(line)
            yield begun.pop(process, "") + resumed[1] if resumed else line


class Tracer:
    """Running programs under strace.

    :param places: the paths of the placeholders in :data:`KINDS`
    """

    def __init__(self, places: dict[str, Path], log: Path) -> None:
        self._kinds = [
            (kind, re.compile(pattern.format(**{k: re.escape(str(v)) for k, v in places.items()})))
            for kind, pattern in KINDS
        ]
        self._log = log
        self._places = places

    def run(self, *command: object, env: dict[str, str], status: tuple[int, ...] = (0,)) -> Trace:
        calls = "trace=open,openat,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,rmdir,symlink,symlinkat,"
        calls += "link,linkat,chmod,fchmodat,fchmod,chown,lchown,fchown,fchownat,utimensat,truncate,mknodat,execve,"
        calls += "socket,getdents64"
        done = support.run_command(
            "strace", "-f", "-y", "--seccomp-bpf", "-qq", "-e", calls, "-o", self._log, *command, env=env
        )
        assert done.returncode in status, done.stderr + done.stdout
        return self._read(self._log.read_text(errors="replace"))

    def _read(self, log: str) -> Trace:
        reads, writes, programs = set(), set(), []
        for line in _whole_lines(log):
            # The directory package opens directories to access entries in them, which are classified themselves.
            if _RESULT.search(line) or "|O_PATH" in line or "O_NOFOLLOW|O_CLOEXEC|O_DIRECTORY" in line:
                continue
            opening, writing = _OPENING.match(line), _WRITING.match(line)
            if "O_DIRECTORY" in line or "O_PATH" in line:
                continue  # Only a directory whose entries are listed is read.
            listing = _LISTING.match(line)
            if listing:
                reads.update(self._classify(listing[1]))
            elif opening and re.search(r"O_(WRONLY|RDWR|CREAT|TRUNC)", line):
                writes.update(self._classify(opening[1]))
            elif opening:
                reads.update(self._classify(opening[1]))
            elif writing:
                # The target of a link is not written.
                arguments = writing[2].partition(", ")[2] if writing[1] == "symlink" else writing[2]
                writes.update(self._classify(arguments))
            elif "execve(" in line:
                programs.append(self._program(re.search(r'execve\("([^"]*)"', line)[1]))
        # The first program is the interpreter itself.
        return Trace(reads - {"Python"}, writes - {"Python"}, programs[1:], "socket(AF_INET" in log)

    def _program(self, path: str) -> str:
        names = {
            self._places["target"] / "bin" / "python": "PYTHON",
            self._places["prefix"] / "bin" / "python": "this Python",
            Path(sys.executable): "COMMAND",
        }
        return "curl" if os.path.basename(path) == "curl" else names.get(Path(path), path)

    def _classify(self, arguments: str) -> Iterator[str]:
        found = [os.path.normpath(os.path.join(base, name)) for base, name in _PATH.findall(arguments)]
        if not found:  # fchmod(3</path>, ...)
            found = re.findall(r"^\d+<([^>]*)>", arguments)
        for path in found:
            yield next((kind for kind, pattern in self._kinds if pattern.fullmatch(path)), path)


@pytest.fixture(scope="module")
def steps(installed_unmeasured, plain, tmp_path_factory, cas, servers) -> dict[str, Trace]:
    """Run every step of the page's table."""
    directory = tmp_path_factory.mktemp("page")
    environment = support.copy_environment(installed_unmeasured, directory / "environment")
    python = environment.python
    named, store, target = directory / "named", directory / "store", directory / "target"
    named.mkdir()
    (directory / "temporary").mkdir()
    support.copy_environment(plain, target)
    base = Path(sys.base_prefix).resolve()
    # The packages installer and cryptography, which 'enable' and 'check' require.
    others = Path(find_spec("installer").origin).parent.parent
    (environment.site_packages / "others.pth").write_text(f"{others}\n")
    places = {
        "python": base,
        "prefix": directory / "environment",
        "site": environment.site_packages,
        "store": store,
        "named": named,
        "temporary": directory / "temporary",
        "target": target,
        "others": others,
        "own": Path(sys.prefix),
        "home": directory,
    }
    (named / "a.pem").write_bytes(cas.pem("extra"))
    (named / "b.pem").write_bytes(cas.pem("system"))
    tracer = Tracer(places, directory / "log")
    env = support.clean_env(CERTHOOK_STORE_DIR=str(store), HOME=str(directory), TMPDIR=str(directory / "temporary"))
    context = "import ssl; context = ssl.create_default_context()"
    port = servers.port("stranger")
    failing = (
        f"{context}; import socket; connection = socket.create_connection(('127.0.0.1', {port}), 20)\n"
        "context.wrap_socket(connection, server_hostname='localhost')"
    )
    found = {}

    def code(name: str, text: str, **kwargs: object) -> None:
        found[name] = tracer.run(python, "-I", "-B", "-c", text, env=env, **kwargs)

    def verb(name: str, *arguments: object, **kwargs: object) -> None:
        found[name] = tracer.run(python, "-I", "-B", "-m", "certhook", name.split()[0], *arguments, env=env, **kwargs)

    code("interpreter start", "pass")
    code("import ssl", "import ssl")
    code("first context without a current store", context)
    support.run(python, context, env=env)
    code("first context with a current store", context)
    code("failed verification", failing, status=(1,))
    verb("status", status=(0, 1))
    verb("list")
    verb("diff", status=(0, 1))
    verb("demo")
    verb("audit", status=(0, 1))
    verb("inspect", named / "a.pem")
    verb("export", named / "roots.pem")
    verb("env")
    verb("compile", "--directory", named / "compiled")
    verb("freezer", "bundle", named / "bundle.py")
    verb("completion", "bash")
    verb("run", sys.executable, "-I", "-S", "-c", "pass")
    verb("trust", "--dry-run", named / "a.pem", status=(0, 3))
    verb("enable", "--yes", "--force", target / "bin" / "python", status=(0, 1, 2))
    verb("disable", "--yes", target / "bin" / "python", status=(0, 1, 2))
    verb("check", f"localhost:{port}", status=(1,))
    return found


def tables() -> list[list[list[str]]]:
    """Return the rows of each table of the page, without the headings."""
    found = []
    for table in re.findall(r"\.\. list-table::\n(.*?)\n(?=\S)", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        rows = re.split(r"\n   \* - ", table)[2:]
        found.append([[" ".join(cell.split()) for cell in re.split(r"\n     -(?: |$)", row)] for row in rows])
    return found


def items(cell: str) -> tuple[set[str], set[str]]:
    """Return the items of a cell that are always true, and those in brackets."""
    listed = [] if cell == "nothing" else cell.split("; ")
    conditional = {one.strip("[]") for one in listed if one.startswith("[")}
    return {one for one in listed if not one.startswith("[")}, conditional


@traced
@pytest.mark.parametrize("number", range(21))
def test_a_step_reads_writes_and_starts_exactly_what_the_page_lists(number, steps) -> None:
    step, *cells = tables()[1][number]
    trace = steps[step]
    measured = trace.reads, trace.writes, set(trace.programs)
    for kind, cell, found in zip(("reads", "writes", "starts"), cells, measured):
        required, conditional = items(cell)
        assert required <= found, f"{step} {kind} less: {required - found}"
        assert found <= required | conditional, f"{step} {kind} more: {found - required - conditional}"


@traced
def test_only_check_and_programs_use_the_network(steps) -> None:
    assert {step for step, trace in steps.items() if trace.has_network} == {"failed verification", "check", "demo"}


def test_the_page_lists_every_verb() -> None:
    _, verbs = cli.build_parser("certhook")
    listed = {row[0] for row in tables()[1]}
    stages = {"interpreter start", "import ssl", "failed verification"}
    stages |= {"first context without a current store", "first context with a current store"}
    assert listed == stages | {verb for verb in verbs.choices if verb != "freeze-bundle"}
    assert len(tables()[1]) == 21 == len(listed)


def test_the_page_lists_the_modules_of_each_stage() -> None:
    listed = {stage: tuple(re.findall("``([^`]+)``", modules)) for stage, modules in tables()[0]}
    assert listed == starting.STAGES


def test_the_page_lists_the_commands_and_the_start_line() -> None:
    assert [tuple(cell.strip("`") for cell in row) for row in tables()[2]] == [*map(tuple, surroundings.COMMANDS)]
    assert f"\n    {(support.ROOT / 'certhook.pth').read_text().strip()}\n" in PAGE.read_text()
    assert (support.ROOT / "certhook.pth").read_text().strip() == starting.START_LINE


def test_the_page_names_every_variable() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [name for name in (*VARIABLES, *surroundings.FOREIGN_VARIABLES) if f"``{name}``" not in text] == []


@pytest.mark.parametrize("with_wheels", [False, True])
def test_the_script_verifies_an_installation_from_outside(with_wheels, installed_unmeasured, wheel, tmp_path) -> None:
    script = tmp_path / "verify.py"
    block = re.search(r"\.\. code-block:: python\n\n((?:   .*\n|\n)+)", PAGE.read_text(encoding="utf-8"))[1]
    script.write_text(re.sub("(?m)^   ", "", block))
    environment = support.copy_environment(installed_unmeasured, tmp_path / "environment")
    for path in environment.site_packages.rglob("*.pyc"):
        path.unlink()
    if with_wheels:
        shutil.rmtree(environment.site_packages / "certifi")
    command = [sys.executable, "-I", "-S", script, environment.site_packages, *([wheel] if with_wheels else [])]
    done = support.run_command(*command)
    assert re.fullmatch(r"no differences in \d{3} files\n", done.stdout), done.stdout + done.stderr
    assert done.returncode == 0
    (environment.package / "_text.py").unlink()
    (environment.package / "_files.py").write_text("")
    (environment.package / "_new.abi3.so").touch()
    (environment.site_packages / "certhook.pth").write_text("import os")
    done = support.run_command(*command)
    assert done.returncode == 1
    assert {*done.stdout.splitlines()} == {
        "missing: certhook/_text.py",
        "changed: certhook/_files.py",
        "changed: certhook.pth",
        "not expected: certhook/_new.abi3.so",
    }
