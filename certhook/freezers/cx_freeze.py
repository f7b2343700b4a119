r"""cx_Freeze init script for a program that includes certhook.

::

    cxfreeze build --script=app.py --init-script="$(python -m certhook freezer cx_freeze)" \
        --packages=certhook,certifi --excludes=certhook.cli,certhook.freezers

In ``setup.py``, use ``Executable("app.py", init_script=...)`` and the options ``packages`` and
``excludes`` of ``build_exe``. This script installs the import hook and then starts the program
in the same way as cx_Freeze's default init script.

cx_Freeze copies the build machine's certificate file into the program. When the program imports
``ssl``, cx_Freeze sets ``SSL_CERT_FILE`` to that copy, unless the user set it to an existing
file. The program would then trust only the copied roots. This script therefore restores the
variable: the program trusts the system's store and certifi's bundle, and respects the user's
value.
"""

from __future__ import annotations

import importlib.util
import os
import sys

import certhook


def _start() -> None:
    user_value = os.environ.get("SSL_CERT_FILE")
    certhook.start("cx_Freeze")
    if not certhook.is_installed():
        return  # CERTHOOK_DISABLED is set
    try:
        import ssl  # noqa: F401
    except ImportError:
        return
    if user_value is not None:
        os.environ["SSL_CERT_FILE"] = user_value
    else:
        os.environ.pop("SSL_CERT_FILE", None)


def run(name: str) -> None:
    """Run the program's main module *name*. cx_Freeze calls this function."""
    _start()
    spec = importlib.util.find_spec(name)
    code = None if spec is None else spec.loader.get_code(name)  # type: ignore[union-attr]
    if spec is None or code is None:
        raise RuntimeError(f"the frozen program does not contain its main module {name!r}")
    namespace = sys.modules["__main__"].__dict__
    namespace.update(__cached__=spec.cached, __file__=spec.cached, __loader__=spec.loader, __spec__=spec)
    exec(code, namespace)


sys.frozen = True  # type: ignore[attr-defined]
