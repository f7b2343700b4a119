"""``python -m certhook.run SCRIPT [ARG...]`` and ``python -m certhook.run -m MODULE [ARG...]``.

Runs a program in the same way as ``python SCRIPT`` or ``python -m MODULE``, but installs
the import hook before the program's first line. Use it where :mod:`site` does not install
the hook: with ``-S`` or in an embedded Python. Child processes of the program do not
inherit the hook; use ``python -m certhook run COMMAND`` to include them.
"""

import os
import sys

import certhook
from certhook import _working_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

_USAGE = "usage: python -m certhook.run SCRIPT [ARG...]\n       python -m certhook.run -m MODULE [ARG...]"

_HELP = f"""{_USAGE}

Enable certhook and then run a program in this process. This works even if -S or
an embedding application prevents certhook from starting automatically.
Child processes do not inherit certhook. To run any command and enable certhook
in every Python process that it starts, use: python -m certhook run COMMAND"""

# The original __main__ module. This reference keeps it alive, because its code is still running.
_original_main: "list[ModuleType]" = []


def main() -> None:
    """Run the program named in ``sys.argv`` as ``__main__``."""
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
    _import_modules()
    import runpy

    _original_main.append(sys.modules["__main__"])
    sys.modules["__main__"] = type(sys)("__main__")
    sys.modules["__main__"].__dict__["__builtins__"] = sys.modules["builtins"]
    if is_module:
        # sys.path[0] is already the working directory: Python inserted it for ``-m certhook.run``.
        del sys.argv[1]
        runpy._run_module_as_main(name)  # type: ignore[attr-defined]
    else:
        _run_script(name)


def _import_modules() -> None:
    """Import the modules that run a program, from elsewhere than the working directory."""
    path = sys.path[:]
    sys.path[:] = _working_directory.search_path()
    try:
        import importlib.machinery  # noqa: F401
        import io  # noqa: F401
        import pkgutil  # noqa: F401
        import runpy  # noqa: F401
    finally:
        sys.path[:] = path


def _run_script(path: str) -> None:
    import io
    import pkgutil
    import runpy
    from importlib.machinery import SourceFileLoader, SourcelessFileLoader

    # Like Python, make the path absolute from 3.9 on, without normalizing it.
    file = path if sys.version_info < (3, 9) else os.path.join(os.getcwd(), path)
    # With -I and -P, Python does not insert the script's directory.
    is_safe = sys.flags.isolated or getattr(sys.flags, "safe_path", False)
    if not is_safe:
        del sys.path[0]
    if pkgutil.get_importer(file) is not None:
        # Python inserts a directory or an archive that it runs even with -I and -P.
        sys.path.insert(0, file)
        runpy._run_module_as_main("__main__", alter_argv=False)  # type: ignore[attr-defined]
        return
    if not is_safe:
        sys.path.insert(0, os.path.dirname(os.path.realpath(path)))
    try:
        with io.open_code(os.path.abspath(path)) as stream:
            code = pkgutil.read_code(stream)
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
    # Run the function of the module certhook.run: the program replaces this instance, __main__.
    from certhook.run import main as run

    run()
