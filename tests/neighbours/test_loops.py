"""uvloop: a client on its event loop has default trust."""

from __future__ import annotations

import pytest
from asking import BOTH, SYSTEM

pytestmark = pytest.mark.skipif("sys.platform == 'win32'", reason="there is no uvloop for Windows")

CLIENT = """
import ask, asyncio, uvloop
{then}
def client(port):
    loop = uvloop.new_event_loop()
    try:
        return loop.run_until_complete(ask.stream(port{context}))
    finally:
        loop.close()
ask.say(client)
"""
#: What uvloop is told of TLS, and what happens after it was imported.
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
    context, then, hooked = WAYS[way]
    assert run(CLIENT.format(context=context, then=then), hooked=hooked).trusted == [("client", BOTH)]


def test_a_client_on_uvloop_trusts_the_store_alone_without_certhook(run) -> None:
    assert run(CLIENT.format(context="", then=""), hooked=False).trusted == [("client", SYSTEM)]
