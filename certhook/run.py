"""``python -m certhook.run SCRIPT [ARG...]`` and ``python -m certhook.run -m MODULE [ARG...]``.

Runs a program as ``python SCRIPT`` and ``python -m MODULE`` do, with the import hook
installed before its first line: for interpreters in which :mod:`site` installs none
(``-S``, an embedded Python). Processes that the program starts do not inherit it;
``python -m certhook run COMMAND`` is for these.
"""

from __future__ import annotations

import io
import os
import runpy
import sys
from importlib.machinery import SourceFileLoader, SourcelessFileLoader
from pkgutil import get_importer, read_code
from types import ModuleType

import certhook

_USAGE = "usage: python -m certhook.run SCRIPT [ARG...]\n       python -m certhook.run -m MODULE [ARG...]"

_HELP = f"""{_USAGE}

Run a program in this Python, in this process, with certhook at work before its
first line: also where -S, or a host, switched off what starts certhook.
Processes that the program starts do not inherit it. For any command, with
certhook in every Python that it starts: python -m certhook run COMMAND"""

# The module that was __main__ until the program took its place: its code is still being run.
_replaced: list[ModuleType] = []


def main() -> None:
    """Run the program that ``sys.argv`` names, in place of this one."""
    arguments = sys.argv[1:]
    if arguments[:1] in (["-h"], ["--help"]):
        print(_HELP)
        return
    is_module = arguments[:1] == ["-m"]
    name = "".join(arguments[is_module:][:1])
    if not name or name.startswith("-"):
        print(_USAGE, file=sys.stderr)
        sys.exit(2)
    certhook.start("python -m certhook.run")
    sys.argv[:] = arguments
    _replaced.append(sys.modules["__main__"])
    sys.modules["__main__"] = ModuleType("__main__")
    sys.modules["__main__"].__dict__["__builtins__"] = sys.modules["builtins"]
    if is_module:
        # The working directory is first on the path: python put it there for this module.
        del sys.argv[1]
        runpy._run_module_as_main(name)  # type: ignore[attr-defined]
    else:
        _run_script(name)


def _run_script(path: str) -> None:
    # As python does, which from 3.9 on makes it absolute, and no more than that.
    file = path if sys.version_info < (3, 9) else os.path.join(os.getcwd(), path)
    # Under -I and -P it puts nothing first on the path.
    is_safe = sys.flags.isolated or getattr(sys.flags, "safe_path", False)
    if not is_safe:
        del sys.path[0]
    if get_importer(file) is not None:
        # A folder or an archive, which is on the path even then.
        sys.path.insert(0, file)
        runpy._run_module_as_main("__main__", alter_argv=False)  # type: ignore[attr-defined]
        return
    if not is_safe:
        sys.path.insert(0, os.path.dirname(os.path.realpath(path)))
    try:
        with io.open_code(os.path.abspath(path)) as stream:
            code = read_code(stream)
            is_source = code is None
            if is_source:
                stream.seek(0)
                code = compile(stream.read(), file, "exec", dont_inherit=True)
    except OSError as error:
        print(f"{sys.executable}: can't open file {file!r}: [Errno {error.errno}] {error.strerror}", file=sys.stderr)
        sys.exit(2)
    loader = SourceFileLoader if is_source else SourcelessFileLoader
    namespace = sys.modules["__main__"].__dict__
    namespace.update(__file__=file, __loader__=loader("__main__", file))
    if sys.version_info < (3, 15):
        namespace["__cached__"] = None
    exec(code, namespace)


if __name__ == "__main__":
    # By its real name: this instance, __main__, makes room for the program, and takes its globals with it.
    from certhook.run import main as run

    run()
