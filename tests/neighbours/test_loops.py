"""A client on the event loop of uvloop has default trust."""

from __future__ import annotations

import pytest
from runner import BOTH, SYSTEM

pytestmark = pytest.mark.skipif("sys.platform == 'win32'", reason="uvloop does not support Windows")

CLIENT = """
import probe, asyncio, uvloop
{setup}
def client(port):
    loop = uvloop.new_event_loop()
    try:
        return loop.run_until_complete(probe.stream(port{context}))
    finally:
        loop.close()
probe.print_verdicts(client)
"""
#: The TLS argument for uvloop, code to run after its import, and whether the .pth activates certhook.
WAYS = {
    "ssl=True": ("", "", True),
    "a default context": (", ssl.create_default_context()", "import ssl", True),
    "install() after uvloop": (
        "",
        "del __import__('os').environ['CERTHOOK_DISABLED']; __import__('certhook').install()",
        False,
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_client_on_uvloop_trusts_both(run, way) -> None:
    context, setup, hooked = WAYS[way]
    assert run(CLIENT.format(context=context, setup=setup), hooked=hooked).verdicts == [("client", BOTH)]


def test_without_certhook_a_client_on_uvloop_trusts_only_the_store(run) -> None:
    assert run(CLIENT.format(context="", setup=""), hooked=False).verdicts == [("client", SYSTEM)]
