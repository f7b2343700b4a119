"""The drop-in: certhook for interpreters in which it is not installed.

If ``PYTHONPATH`` contains this file's directory, :mod:`site` imports this file as
``sitecustomize``. It installs the import hook and then imports the next
``sitecustomize`` on the path, which runs as if this file did not exist. The next
one may come from the distribution, from another tool or from a zip archive, and it
may be missing.

Child processes inherit ``PYTHONPATH``, so this file must run on every version of
Python. Before Python 3.8 it only imports the next ``sitecustomize``.
"""

import os
import sys

_DIRECTORY = os.path.dirname(os.path.abspath(__file__))


def _is_drop_in(entry):  # type: (object) -> bool
    return isinstance(entry, str) and os.path.normcase(os.path.abspath(entry)) == os.path.normcase(_DIRECTORY)


def _is_working_directory(entry):  # type: (object) -> bool
    """Return whether *entry* is the working directory, such as an empty entry of PYTHONPATH."""
    return isinstance(entry, str) and os.path.normcase(os.path.abspath(entry)) == os.path.normcase(os.getcwd())


def _install():  # type: () -> None
    path = sys.path[:]
    try:
        sys.path[:] = [entry for entry in path if not _is_working_directory(entry)]
    except OSError:
        pass  # The working directory was deleted.
    try:
        import certhook
    except ImportError:
        # certhook is not installed in this interpreter, so it is imported from the directory
        # that contains this copy. That directory is removed from the path afterwards: it may
        # be the site-packages of another interpreter.
        sys.path.insert(0, os.path.dirname(os.path.dirname(_DIRECTORY)))
        import certhook
    finally:
        sys.path[:] = path
    certhook.start("the sitecustomize drop-in")


def _import_next():  # type: () -> None
    """Import the next ``sitecustomize``, then restore the entries of ``sys.path`` and ``sys.modules``."""
    own_module = sys.modules.pop("sitecustomize", None)
    own_entries = [(position, entry) for position, entry in enumerate(sys.path) if _is_drop_in(entry)]
    for _, entry in own_entries:
        sys.path.remove(entry)
    try:
        import sitecustomize  # type: ignore[import-not-found]  # noqa: F401
    except ImportError as error:
        # ImportError has no name attribute in Python 2, whose site module ignores every ImportError.
        if getattr(error, "name", "sitecustomize") != "sitecustomize":
            raise
    finally:
        # The next sitecustomize may have replaced the list sys.path: modify the current one.
        for position, entry in own_entries:
            if entry not in sys.path:
                sys.path.insert(position, entry)
        if own_module is not None:
            sys.modules.setdefault("sitecustomize", own_module)


try:
    if sys.version_info >= (3, 8):  # noqa: UP036
        _install()
except Exception as error:
    debug = os.environ.get("CERTHOOK_DEBUG", "").strip().lower()
    if debug not in ("", "0", "false", "no", "off") and sys.stderr is not None:
        sys.stderr.write("certhook: not installed: " + repr(error) + "\n")
_import_next()
