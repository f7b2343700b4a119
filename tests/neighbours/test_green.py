"""gevent and eventlet put a subclass of SSLContext of their own into ssl: greenlets have default trust all the same."""

from __future__ import annotations

import sys

import pytest
from asking import HOOKED

INSTALL = "import os; os.environ.pop('CERTHOOK_DISABLED', None)\nimport certhook; certhook.install()\n"
CLIENTS = "default urllib requests"


class Green:
    """A library of greenlets: how it patches, and how it calls functions at once."""

    def __init__(self, patch: str, spawn: str, wait: str, module: str) -> None:
        self.patch = patch
        self.module = module
        self.calls = f"def at_once(*functions):\n    return [g.{wait}() for g in [{spawn}(f) for f in functions]]\n"


LIBRARIES = {
    "gevent": Green("from gevent import monkey; monkey.patch_all()\n", "gevent.spawn", "get", "gevent.ssl"),
    "eventlet": Green("import eventlet; eventlet.monkey_patch()\n", "eventlet.spawn", "wait", "eventlet.green.ssl"),
}

#: What happens in which order, and whether the .pth acts.
ORDERS = {
    "before import ssl": ("{patch}", True),
    "after import ssl": ("import ssl\n{patch}", True),
    "after a request": ("import ask; ask.answers('default')\n{patch}", True),
    "then install()": ("{patch}" + INSTALL, False),
    "then import ssl and install()": ("{patch}import ssl\n" + INSTALL, False),
    "install(), then patched": (INSTALL + "{patch}", False),
}


def program(library: str, order: str) -> str:
    green = LIBRARIES[library]
    return ORDERS[order][0].format(patch=green.patch) + f"import ask, {library}\n{green.calls}"


def stock(library: str, order: str) -> str:
    return program(library, order).replace(INSTALL, "\n" * INSTALL.count("\n"))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_greenlet_trusts_both_and_nothing_more_is_printed_than_without_certhook(run, library, order) -> None:
    code = f"print(*at_once(lambda: ask.answers(*{CLIENTS!r}.split())))\n"
    code += "import ssl; print(ssl.SSLContext.__module__, type(ssl.create_default_context()).__module__)\n"
    found = run(program(library, order) + code + "print(ask.hooked())", hooked=ORDERS[order][1])
    without = run(stock(library, order) + code, hooked=False)
    *trusted, classes, hooked = found.lines
    assert (found.status, found.errors) == (0, without.errors), found
    assert trusted == [f"{client} system:yes bundled:yes stranger:no" for client in CLIENTS.split()]
    assert (classes, hooked) == (without.lines[-1], HOOKED)
    assert classes == f"{LIBRARIES[library].module} {LIBRARIES[library].module}"
    assert without.lines[0] == "default system:yes bundled:no stranger:no"


@pytest.mark.parametrize("order", ["before import ssl", "then install()"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_many_greenlets_at_once_make_their_first_default_contexts(run, library, order, tmp_path) -> None:
    code = "print(*set(at_once(*[lambda: ask.answers('default', 'requests')] * 24)), sep='\\n')"
    # A cache of their own: the compiled store is made while they ask for it.
    cache = {"CERTHOOK_CACHE_DIR": str(tmp_path)}
    found = run(program(library, order) + code, hooked=ORDERS[order][1], **cache)
    assert found.status == 0, found
    assert found.lines == [f"{client} system:yes bundled:yes stranger:no" for client in ("default", "requests")]


#: A class that was derived before the patch: its properties call themselves for ever (gevent#903).
DERIVED_TOO_EARLY = """
import ssl
class Derived(ssl.SSLContext):
    pass
{patch}
import ask
def derived():
    context = Derived(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    return context
def flags():
    context = derived()
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context
def options():
    context = derived()
    context.options |= ssl.OP_NO_COMPRESSION
    return context
for make in derived, flags, options, ssl.create_default_context:
    client = lambda port: ask.handshake(port, make())
    client.__name__ = make.__name__
    try:
        ask.say(client)
    except (RecursionError, TypeError) as error:
        print(make.__name__, type(error).__name__)
"""


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_subclass_derived_too_early_recurses_no_more_and_no_less_than_without_certhook(run, library) -> None:
    code = DERIVED_TOO_EARLY.format(patch=LIBRARIES[library].patch)
    found, without = run(code), run(code, hooked=False)
    assert "flags RecursionError" in without.lines, without
    assert found.lines == [line.replace("bundled:no", "bundled:yes") for line in without.lines]
    assert (found.status, found.errors) == (0, without.errors)


@pytest.mark.parametrize("library", LIBRARIES)
def test_uninstalled_a_greenlet_trusts_what_it_does_without_certhook(run, library) -> None:
    code = "import certhook; certhook.uninstall()\nat_once(lambda: ask.say('default', 'urllib'))"
    assert run(program(library, "before import ssl") + code).lines == [
        f"{client} system:yes bundled:no stranger:no" for client in ("default", "urllib")
    ]


def test_eventlets_own_green_modules_trust_both(run) -> None:
    code = """
import ask
def green(port):
    from eventlet.green.urllib import request
    return request.urlopen(f"https://127.0.0.1:{port}/", timeout=20).read()
import eventlet
eventlet.spawn(lambda: ask.say(green)).wait()
"""
    found, without = run(code), run(code, hooked=False)
    if sys.version_info >= (3, 13) and without.status:
        pytest.skip("eventlet's green modules do not work on this Python")
    assert without.lines == ["green system:yes bundled:no stranger:no"], without
    assert found.lines == ["green system:yes bundled:yes stranger:no"], found
    assert (found.status, found.errors) == (0, without.errors)
