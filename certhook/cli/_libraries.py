"""What is installed beside certhook, or at work beside it, that has a say in whom programs trust.

It is looked up in the metadata of this environment; nothing of it is imported.
"""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any


class Library(NamedTuple):
    """One that does not ask Python's ``ssl`` for the usual roots.

    :ivar names: what it is called on PyPI; the first that is installed counts
    :ivar variables: which tell it of roots
    :ivar served_by: what does, in words
    """

    names: tuple[str, ...]
    variables: tuple[str, ...]
    served_by: str


#: In the order of their names.
LIBRARIES = (
    Library(
        ("grpcio",),
        ("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",),
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH names its file of roots",
    ),
    Library(("niquests",), (), "verify= names its file of roots; without it, it gathers the system's roots itself"),
    Library(
        ("psycopg", "psycopg2", "psycopg2-binary"),
        ("PGSSLROOTCERT",),
        "PGSSLROOTCERT, or sslrootcert=, names its file of roots; from libpq 16 on, 'system' means the system's",
    ),
    Library(("pycurl",), ("SSL_CERT_FILE",), "SSL_CERT_FILE, or the option CAINFO, names its file of roots"),
    Library(
        ("pyOpenSSL",),
        ("SSL_CERT_FILE", "SSL_CERT_DIR"),
        "SSL_CERT_FILE and SSL_CERT_DIR name its roots",
    ),
)

_OTHER_FILE = "has certifi name another file of roots: what asks certifi, such as requests, trusts that file alone"

#: What changes whom Python or a client of it trusts, by being installed; as on PyPI, and what it does.
CHANGERS = {
    "certifi-linux": _OTHER_FILE,
    "certifi-win32": _OTHER_FILE,
    "pip-system-certs": "changes whom requests and pip trust; beside certhook, it is not needed",
    "python-certifi-win32": _OTHER_FILE,
}


_DROP_IN = "/certhook/bootstrap/sitecustomize.py"


def libraries() -> list[dict[str, Any]]:
    """Those of :data:`LIBRARIES` that are installed."""
    found: list[dict[str, Any]] = []
    for library in LIBRARIES:
        name = next(filter(version_of, library.names), None)
        if name is not None:
            variables = {variable: os.environ.get(variable) for variable in library.variables}
            entry = {"name": name, "version": version_of(name), "variables": variables, "served_by": library.served_by}
            found.append(entry)
    return found


def neighbours(ssl: ModuleType) -> list[dict[str, Any]]:
    """Who else changes whom programs trust in this process, or what runs when it starts."""
    found = {name: effect for name, effect in CHANGERS.items() if version_of(name)}
    if "truststore" in ssl.SSLContext.__module__.split("."):
        found["truststore"] = (
            "is injected: contexts are its own. On Windows and macOS the operating system verifies for them; "
            "elsewhere they get the roots of certhook"
        )
    for name, is_patched in (("gevent", _is_patched_by_gevent), ("eventlet", _is_patched_by_eventlet)):
        if is_patched():
            found[name] = "has replaced parts of the ssl module; certhook serves its contexts as well"
    for name in ("sitecustomize", "usercustomize"):
        path = getattr(sys.modules.get(name), "__file__", None)
        if path and not path.replace(os.sep, "/").endswith(_DROP_IN):
            found[name] = f"{path} runs whenever this Python starts"
    return [{"name": name, "version": version_of(name), "effect": effect} for name, effect in sorted(found.items())]


def version_of(name: str) -> str | None:
    """The version of what is *name* on PyPI, None where it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _is_patched_by_gevent() -> bool:
    monkey: Any = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("ssl"))


def _is_patched_by_eventlet() -> bool:
    patcher: Any = sys.modules.get("eventlet.patcher")
    # It patches ssl along with socket.
    return patcher is not None and bool(patcher.is_monkey_patched("socket"))
