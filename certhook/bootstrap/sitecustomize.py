"""The drop-in: certhook for an interpreter that it is not installed in.

With this file's folder on ``PYTHONPATH``, :mod:`site` imports it as
``sitecustomize``. It installs the import hook and then lets the next
``sitecustomize`` on the path run, as if this one were not there: the
distribution's, another tool's, one in a zip, or none.

A variable is inherited by whatever a program starts, so this file is written for
every Python there is; in one before 3.8 it only goes on.
"""

import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))


def _is_here(entry):  # type: (object) -> bool
    return isinstance(entry, str) and os.path.normcase(os.path.abspath(entry)) == os.path.normcase(_HERE)


def _install():  # type: () -> None
    try:
        import certhook
    except ImportError:
        # Not installed here, so from beside this file. The folder leaves the path
        # again: it may be another interpreter's site-packages.
        beside = os.path.dirname(os.path.dirname(_HERE))
        sys.path.insert(0, beside)
        try:
            import certhook
        finally:
            sys.path.remove(beside)
    certhook.start("the sitecustomize drop-in")


def _go_on():  # type: () -> None
    """Import the next ``sitecustomize``; this module's place on the path and in ``sys.modules`` is kept."""
    ours = sys.modules.pop("sitecustomize", None)
    places = [(position, entry) for position, entry in enumerate(sys.path) if _is_here(entry)]
    for _, entry in places:
        sys.path.remove(entry)
    try:
        import sitecustomize  # type: ignore[import-not-found]  # noqa: F401
    except ImportError as error:
        # Python 2 names no module there, and its site is silent for each of them.
        if getattr(error, "name", "sitecustomize") != "sitecustomize":
            raise
    finally:
        # Into the list that is there now: the next one may have replaced it.
        for position, entry in places:
            if entry not in sys.path:
                sys.path.insert(position, entry)
        if ours is not None:
            sys.modules.setdefault("sitecustomize", ours)


try:
    if sys.version_info >= (3, 8):  # noqa: UP036
        _install()
except Exception as error:
    debug = os.environ.get("CERTHOOK_DEBUG", "").strip().lower()
    if debug not in ("", "0", "false", "no", "off") and sys.stderr is not None:
        sys.stderr.write("certhook: not installed: " + repr(error) + "\n")
_go_on()
