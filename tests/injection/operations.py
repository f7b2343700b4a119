"""The operations in which faults are injected, and the promises about each.

An operation is prepared without a fault, performed with one, and judged: the trust of the
affected process, the files that it leaves, and the trust of the next process. Trust is
verified by handshakes in memory. Stock Python determines the roots to trust.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any, Iterator

from injection import processes
from injection.faults import Fault
from injection.processes import Ended

SCRATCH = Path(os.environ.get("SCRATCH", "/nonexistent"))
PKI = Path(os.environ.get("PKI", "/nonexistent"))
STATE = SCRATCH / "state"
STORES = STATE / "stores"
SYSTEM = Path("/etc/ssl/certs/ca-certificates.crt")

#: The authorities with a server, by the locations that list their root: the operating system's file (system), only
#: before or after an update (former, added), and its directory (hashed), certifi's bundle (bundled), a file that the
#: caller names (named), certifi's bundle and the block list (distrusted), and no location (stranger).
AUTHORITIES = ("system", "hashed", "former", "added", "bundled", "named", "distrusted", "stranger")
#: The servers of a handshake, to verify those that an operation may affect.
USUAL = ("system", "hashed", "bundled", "distrusted", "stranger")


def pem(*names: str) -> bytes:
    """Return the roots of these authorities."""
    return b"".join((PKI / f"{name}.pem").read_bytes() for name in names)


class _Servers(dict):
    """The contexts of the servers, by authority."""

    def __missing__(self, name: str) -> ssl.SSLContext:
        context = self[name] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(PKI / f"{name}.server.pem")
        return context


SERVERS = _Servers()


def verdict(context: ssl.SSLContext, name: str) -> tuple[bool, str]:
    """Connect to the server of an authority, in memory."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(to_client, to_server, server_hostname="localhost")
    server = SERVERS[name].wrap_bio(to_server, to_client, server_side=True)
    for _ in range(10):
        try:
            client.do_handshake()
            return True, ""
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLCertVerificationError as error:
            return False, "\n".join(getattr(error, "__notes__", ()))
        try:
            server.do_handshake()
        except ssl.SSLWantReadError:
            pass
    raise AssertionError("the handshake does not end")


def verdicts(context: ssl.SSLContext, names: tuple[str, ...] = USUAL) -> dict[str, tuple[bool, str]]:
    """Connect to the servers of several authorities."""
    return {name: verdict(context, name) for name in names}


def trusted(told: dict[str, Any]) -> set[str]:
    """Return the authorities whose server was verified."""
    return {name for name, (is_trusted, _) in told.items() if is_trusted}


def stock(names: tuple[str, ...], *files: Path) -> set[str]:
    """Return the authorities that stock Python trusts by default, or with each of *files*."""
    found: set[str] = set()
    for file in files or (None,):
        context = ssl.create_default_context() if file is None else ssl.create_default_context(cafile=file)
        found |= trusted(verdicts(context, names))
    return found


def activate() -> None:
    """Activate certhook in this process, as its ``.pth`` file does."""
    os.environ["CERTHOOK_STORE_DIR"] = str(STORES)
    import certhook

    certhook.start()


def default_trust() -> dict[str, Any]:
    """Return the verdicts of two contexts with default trust, and whether the first has a compiled store."""
    context = ssl.create_default_context()
    is_lazy = "certhook" in sys.modules and _is_lazy(context)
    return {"first": verdicts(context), "is_lazy": is_lazy, "later": verdicts(ssl.create_default_context())}


def _is_lazy(context: ssl.SSLContext) -> bool:
    import _ssl

    return _ssl._SSLContext.cert_store_stats(context)["x509"] == 0


def first_context() -> dict[str, Any]:
    """Activate certhook, and use default trust."""
    activate()
    return default_trust()


def write_system(*names: str) -> None:
    """Write the file of the operating system's store, as its tools do."""
    temporary = SYSTEM.with_suffix(".new")
    temporary.write_bytes(pem(*names))
    os.replace(temporary, SYSTEM)


BEFORE, AFTER = ("system", "former"), ("system", "added")


def snapshot(directory: Path) -> dict[str, str]:
    """Return a hash of the content of each path in *directory*, and of the mode, except those of byte code."""
    found = {}
    for path in sorted(directory.rglob("*")) if directory.is_dir() else ():
        name = str(path.relative_to(directory))
        if "__pycache__" in name:
            continue
        if path.is_symlink():
            found[name] = f"link {os.readlink(path)}"
        elif path.is_dir():
            found[name] = f"directory {path.stat().st_mode:o}"
        else:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            found[name] = f"{path.stat().st_mode:o} {content}"
    return found


class Operation:
    """An operation of certhook.

    :ivar name: its name in the table of results
    """

    name = ""

    def reset(self) -> None:
        """Restore the machine before the operation."""
        shutil.rmtree(STATE, ignore_errors=True)
        STATE.mkdir()

    def prepare(self) -> None:
        """Prepare the process, without a fault."""

    def act(self) -> Any:
        """Perform the operation, with a fault."""
        raise NotImplementedError

    def judge(self, ended: Ended, fault: Fault | None) -> Iterator[str]:
        """Return the broken promises."""
        raise NotImplementedError

    def problems(self, ended: Ended, fault: Fault | None) -> list[str]:
        """Return all broken promises, also of processes in general."""
        found = []
        if ended.is_hanging:
            found.append(f"the process did not end within {processes.TIME_LIMIT} seconds")
        if ended.signal and (fault is None or fault.kind != "kill") and not ended.is_hanging:
            found.append(f"the process was ended by signal {ended.signal}")
        if "Traceback (most recent call last)" in ended.errors:
            found.append(f"a traceback was printed: {ended.errors[-2000:]}")
        return [*found, *self.judge(ended, fault)]


def allowed_trust(
    told: dict[str, Any],
    errors: str,
    expected: set[str],
    may_be_trusted: set[str] = frozenset(),
) -> Iterator[str]:
    """Return differences from *expected*: an untrusted server is allowed only with an explanation."""
    excessive = trusted(told) - expected - may_be_trusted
    if excessive:
        yield f"trusts {' '.join(sorted(excessive))}"
    # Before Python 3.11, exceptions have no notes.
    for name in sorted(expected - trusted(told)) if sys.version_info >= (3, 11) else ():
        if name in told and "certhook" not in errors and "certhook" not in told[name][1]:
            yield f"does not trust {name}, without an explanation: {told[name][1]!r}"


def _next_context() -> dict[str, Any]:
    activate()
    context = ssl.create_default_context()
    return {"is_lazy": _is_lazy(context), "first": verdicts(context)}


def next_process(expected: set[str]) -> Iterator[str]:
    """Return differences of the next process from *expected*."""
    ended = processes.run(_next_context)
    if ended.raised or ended.result is None:
        yield f"the next process fails: {ended.raised or ended}"
        return
    if ended.errors:
        yield f"the next process prints {ended.errors!r}"
    if trusted(ended.result["first"]) != expected & {*USUAL}:
        yield f"the next process trusts {' '.join(sorted(trusted(ended.result['first'])))}"
    if not ended.result["is_lazy"]:
        yield "the next process has no compiled store"


class Contexts(Operation):
    """The first context of a process without a compiled store."""

    name = "cold build"

    def prepare(self) -> None:
        # If this fails, site continues without certhook.
        import certhook  # noqa: F401

    def act(self) -> Any:
        return first_context()

    #: The authorities to trust, and those that were trusted before an update.
    expected: set[str] = set()
    formerly: set[str] = set()

    def judge(self, ended: Ended, fault: Fault | None) -> Iterator[str]:
        if ended.raised and not self.is_allowed(ended, fault):
            yield f"the operation raises: {ended.raised}"
        if ended.result is not None:
            for key in ("live", "first", "later", "named"):
                told = ended.result.get(key, {})
                expected = {"named"} if key == "named" else self.expected
                for difference in allowed_trust(told, ended.errors, expected & {*told}, self.formerly):
                    # An error that may be transient leaves the former trust in effect.
                    yield f"{key} context {difference}"
        if ended.signal == 0:
            yield from self.leftovers(fault)
        yield from next_process(self.expected)

    def is_allowed(self, ended: Ended, fault: Fault | None) -> bool:
        """Return whether the exception of the process is that of stock Python."""
        return False

    def leftovers(self, fault: Fault | None) -> Iterator[str]:
        """Return the temporary files, unless they could not be removed because of the fault."""
        for path in STORES.iterdir() if can_clean(fault) and STORES.is_dir() else ():
            if path.name.startswith("."):
                yield f"leaves {path.name}"


# A directory is removed by these.
_CLEANING = ("unlink", "unlinkat", "rmdir", "openat", "getdents64", "newfstatat", "fstat", "lstat", "stat", "close")


def can_clean(fault: Fault | None) -> bool:
    """Return whether a process can remove temporary files after *fault*."""
    return fault is None or not (fault.persists or fault.call in _CLEANING)


class Warm(Contexts):
    """The first context of a process, with a compiled store."""

    name = "warm lookup"

    def reset(self) -> None:
        super().reset()
        processes.run(first_context)


class Update(Contexts):
    """A context after a change of the operating system's store."""

    name = "update"
    formerly = {"former"}
    servers = ("system", "hashed", "added", "former", "bundled", "distrusted", "stranger")

    def reset(self) -> None:
        super().reset()
        write_system(*BEFORE)
        processes.run(first_context)

    def prepare(self) -> None:
        activate()
        self.live = ssl.create_default_context()
        verdicts(self.live, ("system",))
        from certhook import _watch

        _watch.INTERVAL = 0
        write_system(*AFTER)

    def act(self) -> Any:
        context = ssl.create_default_context()
        live = verdicts(self.live, self.servers)
        return {
            "first": verdicts(context, self.servers),
            "live": live,
            "later": verdicts(ssl.create_default_context(), self.servers),
        }

    def judge(self, ended: Ended, fault: Fault | None) -> Iterator[str]:
        yield from super().judge(ended, fault)
        write_system(*BEFORE)


_ERRORS_OF_FILES = ("OSError", "PermissionError", "InterruptedError", "ssl.SSLError", "FileNotFoundError")


class NamedFile(Contexts):
    """A context with a file of many roots that the caller names."""

    name = "named file"

    def act(self) -> Any:
        activate()
        context = ssl.create_default_context(cafile=PKI / "named-file.pem")
        names = ("named", "system", "distrusted", "stranger")
        is_lazy = _is_lazy(context)  # Before a failure, whose explanation loads the roots.
        return {"named": verdicts(context, names), "is_lazy": is_lazy}

    def is_allowed(self, ended: Ended, fault: Fault | None) -> bool:
        # Stock Python raises the error of the file as well.
        return ended.raised.splitlines()[-1].startswith(_ERRORS_OF_FILES)

    def judge(self, ended: Ended, fault: Fault | None) -> Iterator[str]:
        yield from super().judge(ended, fault)
        again = processes.run(self.act)
        if again.raised or again.errors or trusted(again.result["named"]) != {"named"}:
            yield f"the next process with the file has {again}"
        elif not any(path.name.startswith("file-") for path in STORES.iterdir()):
            yield "the next process with the file builds no compiled store of it"


class Verb(Operation):
    """A verb of the command line.

    The modules of the verbs are imported before all processes are forked.

    :ivar arguments: its arguments
    """

    arguments: tuple[str, ...] = ()

    def __init__(self) -> None:
        from certhook import cli

        cli.build_parser()

    def prepare(self) -> None:
        activate()

    def act(self) -> Any:
        from certhook.cli import main

        return main(list(self.arguments))

    def repeat(self, *arguments: str) -> Iterator[str]:
        """Run the verb again, or another one, without a fault."""
        verb = Verb()
        verb.arguments = arguments or self.arguments
        ended = processes.run(verb.act, self.prepare)
        if ended.result != 0:
            yield f"{' '.join(verb.arguments)!r} afterwards returns {ended.result}: {ended.errors}{ended.raised}"

    def status(self, ended: Ended) -> Iterator[str]:
        """Return broken promises about the exit status and the messages."""
        if ended.raised:
            yield f"a traceback: {ended.raised}"
        elif not ended.signal and ended.result != 0 and not ended.errors.strip():
            yield f"the exit status {ended.result} without a message"


class Export(Verb):
    """``export FILE``."""

    name = "export"
    target = STATE / "exported" / "roots"
    arguments = ("export", str(target))
    file = target
    old: dict[str, str] = {}

    def reset(self) -> None:
        super().reset()
        self.target.parent.mkdir()
        self.write_old()

    def write_old(self) -> None:
        """Write the file to replace."""

    def content(self) -> dict[str, str]:
        """Return the content of the result."""
        return {"": snapshot(self.target.parent).get(self.target.name, "")}

    def learn(self) -> None:
        """Determine the old and the new content."""
        self.reset()
        self.old = self.content()
        processes.run(self.act, self.prepare)
        self.new = self.content()
        assert self.new != self.old

    def judge(self, ended: Ended, fault: Fault | None) -> Iterator[str]:
        yield from self.status(ended)
        found = self.content()
        if not ended.signal and ended.result == 0 and "cannot be read" in ended.errors:
            yield from self.reduced()
        else:
            if found not in (self.old, self.new):
                yield from self.partial(found)
            if not ended.signal and ended.result == 0 and found != self.new:
                yield "the exit status 0, but the result is not complete"
        names = {path.name for path in self.target.parent.iterdir()} - {self.target.name}
        if names and not ended.signal and can_clean(fault):
            yield f"leaves {' '.join(names)}"
        yield from self.repeat()
        if self.content() != self.new:
            yield "the result of the next run is not complete"

    def reduced(self) -> Iterator[str]:
        """Return the broken promise of a result that lacks the roots of a file that a message names."""
        others = stock(USUAL, self.file) - (Contexts.expected & {*USUAL})
        if others:
            yield f"other programs trust {' '.join(sorted(others))}"

    def partial(self, found: dict[str, str]) -> Iterator[str]:
        """Return the broken promise that the result is neither old nor new."""
        yield f"the file is neither the old nor the new one: {found}"


class Replace(Export):
    """``export FILE``, where the file exists."""

    name = "export, existing file"

    def write_old(self) -> None:
        self.target.write_bytes(pem("stranger"))
        self.target.chmod(0o600)


class ExportDirectory(Export):
    """``export --directory``."""

    name = "export --directory"
    arguments = ("export", "--directory", str(Export.target))
    file = Export.target / "cert.pem"

    def content(self) -> dict[str, str]:
        return snapshot(self.target)


class ReplaceDirectory(ExportDirectory):
    """``export --directory``, where an earlier export exists: files are replaced one by one."""

    name = "export --directory, existing"

    def write_old(self) -> None:
        write_system(*AFTER)
        Export.prepare(self)
        processes.run(self.act, self.prepare)
        write_system(*BEFORE)

    def partial(self, found: dict[str, str]) -> Iterator[str]:
        known = {*self.old.items(), *self.new.items()}
        for name, content in found.items():
            if (name, content) not in known:
                yield f"{name} is neither an old nor a new file"
        missing = ({*self.old} & {*self.new}) - {*found}
        if missing:
            yield f"{' '.join(missing)} is missing"


class Compile(Verb):
    """``compile --directory``."""

    name = "compile"
    arguments = ("compile", "--directory", str(STORES))

    def judge(self, ended: Ended, fault: Fault | None) -> Iterator[str]:
        yield from self.status(ended)
        yield from next_process(Contexts.expected)
        yield from self.repeat()


class Env(Verb):
    """``env``, which writes a file for other programs."""

    name = "env"
    arguments = ("env", "--shell", "sh")

    def named(self, ended: Ended) -> str | None:
        """Return the file that other programs would use."""
        if not ended.output:
            return None
        (line,) = [line for line in ended.output.splitlines() if line.startswith("export SSL_CERT_FILE=")]
        return line.partition("=")[2].strip("'")

    def judge(self, ended: Ended, fault: Fault | None) -> Iterator[str]:
        yield from self.status(ended)
        file = self.named(ended)
        if file is None:
            if ended.result == 0 and not ended.signal:
                yield "the exit status 0, but no file is named"
        else:
            yield from self.complete(file, ended.errors)
        yield from self.leftovers(ended, fault)
        again = processes.run(self.act, self.prepare)
        file = self.named(again)
        if file is None:
            yield f"the next run names no file: {again}"
        else:
            yield from self.complete(file)
        yield from next_process(Contexts.expected)

    def complete(self, file: str, errors: str = "") -> Iterator[str]:
        """Return the differences of *file* from the roots to trust; with a message, roots may be missing."""
        try:
            found = stock(USUAL, Path(file))
        except OSError as error:
            yield f"the named file cannot be used: {error}"
        else:
            expected = Contexts.expected & {*USUAL}
            if found - expected or (found != expected and "certhook: " not in errors):
                yield f"other programs trust {' '.join(sorted(found))}"

    def leftovers(self, ended: Ended, fault: Fault | None) -> Iterator[str]:
        if not ended.signal:
            yield from Contexts().leftovers(fault)


class RunEnv(Env):
    """``run --env``, which writes the same file and starts a command."""

    name = "run --env"
    arguments = ("run", "--env", "true")

    def prepare(self) -> None:
        super().prepare()

        def start(name: str, command: list[str], environ: dict[str, str]) -> None:
            raise SystemExit(["started", environ["SSL_CERT_FILE"]])

        os.execvpe = start

    def named(self, ended: Ended) -> str | None:
        return ended.result[1] if isinstance(ended.result, list) else None

    def status(self, ended: Ended) -> Iterator[str]:
        if not isinstance(ended.result, list):
            yield from super().status(ended)


def _small_wheel(name: str) -> Any:
    """Return a distribution with two modules instead of a hundred."""
    from certhook.cli.enable.sources import Wheel

    dist_info = f"{name}-1.0.dist-info"
    contents = {
        f"{name}/__init__.py": b"def start():\n    pass\n",
        f"{name}/core/module.py": b"x = 1\n",
        f"{dist_info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{dist_info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if name == "certhook":
        contents["certhook.pth"] = b"import certhook; certhook.start()\n"
    return Wheel(name, "1.0", dist_info, contents)


# The directory of a run in progress, from which the next one recovers.
_JOURNAL = ".certhook-enable"


class Enable(Verb):
    """``enable`` for a virtual environment without pip."""

    name = "enable"
    verb = "enable"
    target = STATE / "target"
    template = SCRATCH / "template"

    def __init__(self) -> None:
        super().__init__()
        from certhook.cli import _protection
        from certhook.cli.enable import plans

        plans.read_wheel = _small_wheel
        checker, check_tree = _protection.Checker, _protection.Checker.check_tree

        def check_small_tree(self: Any, path: str, *args: Any) -> None:
            """Check the standard library as a whole instead of its thousands of files."""
            if path.startswith(str(STATE)):
                check_tree(self, path, *args)
            else:
                self.check(path)

        checker.check_tree = check_small_tree

    @property
    def arguments(self) -> tuple[str, ...]:
        return (self.verb, "--yes", str(self.target))

    def make(self, directory: Path) -> None:
        """Create the target without certhook."""
        (directory / "bin").mkdir(parents=True)
        (directory / "bin" / "python").symlink_to(os.path.realpath(sys.executable))
        home = os.path.dirname(os.path.realpath(sys.executable))
        (directory / "pyvenv.cfg").write_text(f"home = {home}\ninclude-system-site-packages = false\n")
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        (directory / "lib" / version / "site-packages").mkdir(parents=True)

    def learn(self) -> None:
        """Determine the files of the target without and with certhook."""
        Operation.reset(self)
        shutil.rmtree(self.template, ignore_errors=True)
        self.make(self.target)
        self.without = snapshot(self.target)
        if self.verb == "enable":
            shutil.copytree(self.target, self.template, symlinks=True)
        problems = list(self.repeat("enable", "--yes", str(self.target)))
        assert not problems, problems
        self.complete = snapshot(self.target)
        assert self.complete != self.without
        if self.verb == "disable":
            shutil.copytree(self.target, self.template, symlinks=True)

    def reset(self) -> None:
        super().reset()
        shutil.copytree(self.template, self.target, symlinks=True)

    def judge(self, ended: Ended, fault: Fault | None) -> Iterator[str]:
        yield from self.status(ended)
        found = snapshot(self.target)
        done, undone = (self.complete, self.without) if self.verb == "enable" else (self.without, self.complete)
        kept = found if can_clean(fault) else _without_remains(found, done)
        if ended.result == 0 and not ended.signal and kept != done:
            yield f"the exit status 0, but {difference(done, kept)}"
        if self.verb == "enable" and ended.result not in (0, None) and found != undone and can_clean(fault):
            yield f"an error, but {difference(undone, found)}"
        if found not in (done, undone):
            yield from self.works()
        # In turn: undone at once, or repeated before.
        if fault is None or fault.number % 2:
            yield from self.repeat("enable", "--yes", str(self.target))
            found = snapshot(self.target)
            # After a failure, empty directories may remain, which 'enable' did not create the second time.
            if found != self.complete and (can_clean(fault) or {*found} != {*self.complete}):
                yield f"after 'enable', {difference(self.complete, found)}"
        yield from self.repeat("disable", "--yes", str(self.target))
        found = snapshot(self.target)
        found = found if can_clean(fault) else _without_remains(found, self.without)
        if found != self.without:
            yield f"after 'disable', {difference(self.without, found)}"

    def works(self) -> Iterator[str]:
        """Return whether the interpreter still starts."""
        command = [str(self.target / "bin" / "python"), "-B", "-c", "import ssl; ssl.create_default_context()"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env={"CERTHOOK_STORE_DIR": "none"})
        if done.returncode or done.stderr:
            yield f"the target fails: {done.stderr}"


class Disable(Enable):
    """``disable`` for a virtual environment."""

    name = "disable"
    verb = "disable"


class EnableEmbeddable(Enable):
    """``enable`` for the embeddable Python for Windows, whose ``._pth`` file is edited."""

    name = "enable, ._pth"

    def make(self, directory: Path) -> None:
        directory.mkdir(parents=True)
        (directory / "python311._pth").write_bytes(b"python311.zip\r\n.\r\n\r\n#import site\r\n")
        for name in ("python.exe", "pythonw.exe", "python3.dll", "python311.dll", "python311.zip"):
            (directory / name).touch()

    def works(self) -> Iterator[str]:
        return iter(())


class DisableEmbeddable(EnableEmbeddable):
    """``disable`` for the embeddable Python."""

    name = "disable, ._pth"
    verb = "disable"


def _without_remains(found: dict[str, str], done: dict[str, str]) -> dict[str, str]:
    """Return *found* without the journal and without other directories, which are empty unless a file differs."""
    return {
        name: content
        for name, content in found.items()
        if name in done or not (_JOURNAL in name or content.startswith("directory"))
    }


def difference(expected: dict[str, str], found: dict[str, str]) -> str:
    """Return the first paths that differ, as text."""
    changed = sorted(name for name in {*expected, *found} if expected.get(name) != found.get(name))
    shown = [f"{name} ({expected.get(name, 'nothing')} -> {found.get(name, 'nothing')})" for name in changed[:4]]
    return f"{len(changed)} paths differ: {', '.join(shown)}"


OPERATIONS: dict[str, type[Operation]] = {
    each.name: each
    for each in (
        Contexts, Warm, Update, NamedFile, Export, Replace, ExportDirectory, ReplaceDirectory, Compile, Env, RunEnv,
        Enable, Disable, EnableEmbeddable, DisableEmbeddable,
    )
}  # fmt: skip


def learn_trust() -> None:
    """Determine the authorities that are trusted by default, from stock Python and the block list."""
    bundle = Path(os.environ["BUNDLE"])
    write_system(*AFTER)
    listed = stock(AUTHORITIES) | stock(AUTHORITIES, bundle)
    Contexts.expected = listed - {"distrusted"}
    Update.expected = Contexts.expected
    assert {"system", "hashed", "added", "bundled", "distrusted"} == listed, listed
    write_system(*BEFORE)
    listed = stock(AUTHORITIES) | stock(AUTHORITIES, bundle)
    assert {"system", "hashed", "former", "bundled", "distrusted"} == listed, listed
    Contexts.expected = listed - {"distrusted"}
