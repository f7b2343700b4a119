"""gevent and eventlet replace SSLContext in ssl with a subclass: greenlets also get default trust."""

from __future__ import annotations

import sys

import pytest
from runner import BOTH, HOOKED, INSTALL, SYSTEM, expected_lines

CLIENTS = "default urllib requests"


class Green:
    """A library of greenlets, with code that patches modules and code that calls functions concurrently."""

    def __init__(self, patch: str, spawn: str, wait: str, module: str) -> None:
        self.patch = patch
        self.module = module
        self.concurrent = (
            f"def call_concurrently(*functions):\n    return [g.{wait}() for g in [{spawn}(f) for f in functions]]\n"
        )


LIBRARIES = {
    "gevent": Green("from gevent import monkey; monkey.patch_all()\n", "gevent.spawn", "get", "gevent.ssl"),
    "eventlet": Green("import eventlet; eventlet.monkey_patch()\n", "eventlet.spawn", "wait", "eventlet.green.ssl"),
}

#: The order of patching and activation, and whether the .pth activates certhook.
ORDERS = {
    "before import ssl": ("{patch}", True),
    "after import ssl": ("import ssl\n{patch}", True),
    "after a request": ("import probe; probe.verdicts('default')\n{patch}", True),
    "then install()": ("{patch}" + INSTALL, False),
    "then import ssl and install()": ("{patch}import ssl\n" + INSTALL, False),
    "install(), then patched": (INSTALL + "{patch}", False),
}


def program(library: str, order: str) -> str:
    green = LIBRARIES[library]
    return ORDERS[order][0].format(patch=green.patch) + f"import probe, {library}\n{green.concurrent}"


def stock_program(library: str, order: str) -> str:
    return program(library, order).replace(INSTALL, "\n" * INSTALL.count("\n"))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_greenlet_trusts_both_and_prints_the_same_errors_as_without_certhook(run, library, order) -> None:
    code = f"print(*call_concurrently(lambda: probe.verdicts(*{CLIENTS!r}.split())))\n"
    code += "import ssl; print(ssl.SSLContext.__module__, type(ssl.create_default_context()).__module__)\n"
    result = run(program(library, order) + code + "print(probe.hook_counts())", hooked=ORDERS[order][1])
    stock_result = run(stock_program(library, order) + code, hooked=False)
    *verdicts, classes, hooked = result.lines
    assert (result.status, result.errors) == (0, stock_result.errors), result
    assert verdicts == expected_lines(CLIENTS, BOTH)
    assert (classes, hooked) == (stock_result.lines[-1], HOOKED)
    assert classes == f"{LIBRARIES[library].module} {LIBRARIES[library].module}"
    assert [stock_result.lines[0]] == expected_lines("default", SYSTEM)


@pytest.mark.parametrize("order", ["before import ssl", "then install()"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_concurrent_greenlets_create_their_first_contexts_with_default_trust(run, library, order, tmp_path) -> None:
    code = "print(*set(call_concurrently(*[lambda: probe.verdicts('default', 'requests')] * 24)), sep='\\n')"
    # A separate cache, so that the concurrent greenlets build the compiled store.
    cache = {"CERTHOOK_STORE_DIR": str(tmp_path)}
    result = run(program(library, order) + code, hooked=ORDERS[order][1], **cache)
    assert result.status == 0, result
    assert result.lines == expected_lines("default requests", BOTH)


#: A class derived before patching, in which properties recurse infinitely (gevent#903).
DERIVED_BEFORE_PATCHING = """
import ssl
class Derived(ssl.SSLContext):
    pass
{patch}
import probe
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
    client = lambda port: probe.handshake(port, make())
    client.__name__ = make.__name__
    try:
        probe.print_verdicts(client)
    except (RecursionError, TypeError) as error:
        print(make.__name__, type(error).__name__)
"""


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_subclass_derived_before_patching_fails_exactly_as_without_certhook(run, library) -> None:
    code = DERIVED_BEFORE_PATCHING.format(patch=LIBRARIES[library].patch)
    result, stock = run(code), run(code, hooked=False)
    assert "flags RecursionError" in stock.lines, stock
    assert result.lines == [line.replace("bundled:no", "bundled:yes") for line in stock.lines]
    assert (result.status, result.errors) == (0, stock.errors)


@pytest.mark.parametrize("library", LIBRARIES)
def test_after_uninstall_a_greenlet_trusts_the_same_roots_as_without_certhook(run, library) -> None:
    code = "import certhook; certhook.uninstall()\ncall_concurrently(lambda: probe.print_verdicts('default', 'urllib'))"
    result = run(program(library, "before import ssl") + code)
    assert result.lines == expected_lines("default urllib", SYSTEM)


def test_the_green_modules_of_eventlet_trust_both(run) -> None:
    code = """
import probe
def green(port):
    from eventlet.green.urllib import request
    return request.urlopen(f"https://127.0.0.1:{port}/", timeout=20).read()
import eventlet
eventlet.spawn(lambda: probe.print_verdicts(green)).wait()
"""
    result, stock = run(code), run(code, hooked=False)
    if sys.version_info >= (3, 13) and stock.status:
        pytest.skip("eventlet's green modules do not work on this Python")
    assert stock.lines == expected_lines("green", SYSTEM), stock
    assert result.lines == expected_lines("green", BOTH), result
    assert (result.status, result.errors) == (0, stock.errors)
