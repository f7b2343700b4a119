r"""The init script of cx_Freeze for a program with certhook in it.

::

    cxfreeze build --script=app.py --init-script="$(python -m certhook freezer cx_freeze)" \
        --packages=certhook,certifi --excludes=certhook.cli,certhook.freezers

In ``setup.py``: ``Executable("app.py", init_script=...)``, and ``packages`` and ``excludes``
among the options of ``build_exe``. It does what cx_Freeze's own does, with the import hook installed before.

cx_Freeze puts a copy of the build machine's certificate file into the program, and its ``ssl``
names that in ``SSL_CERT_FILE`` unless the user named a file that exists. As it would then be all
that is trusted, the variable is put back: the system's store and certifi's bundle are trusted,
and what the user set holds.
"""

import importlib.util
import os
import sys

import certhook


def _start() -> None:
    given = os.environ.get("SSL_CERT_FILE")
    certhook.start("cx_Freeze")
    if not certhook.is_installed():
        return  # CERTHOOK_DISABLED
    try:
        import ssl  # noqa: F401
    except ImportError:
        return
    if given is not None:
        os.environ["SSL_CERT_FILE"] = given
    else:
        os.environ.pop("SSL_CERT_FILE", None)


def run(name: str) -> None:
    """Run the program, whose module is *name*; cx_Freeze calls this."""
    _start()
    spec = importlib.util.find_spec(name)
    code = None if spec is None else spec.loader.get_code(name)  # type: ignore[union-attr]
    if spec is None or code is None:
        raise RuntimeError(f"the program's module {name!r} was not found")
    namespace = sys.modules["__main__"].__dict__
    namespace.update(__cached__=spec.cached, __file__=spec.cached, __loader__=spec.loader, __spec__=spec)
    exec(code, namespace)


sys.frozen = True  # type: ignore[attr-defined]
