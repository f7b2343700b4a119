"""How the programs of these tests ask the servers in SERVERS ("name:port ..."), by several clients.

Installed as a module beside the neighbours. It imports nothing of what it uses before it is used: who
imports ``ssl`` first, and who is installed at that time, is what many of the tests are about.
"""

import os


def handshake(port, context=None):
    """The answer of a server over a socket, in a default context unless another is given."""
    import socket
    import ssl

    context = context or ssl.create_default_context()
    raw = socket.create_connection(("127.0.0.1", port), timeout=20)
    with raw, context.wrap_socket(raw, server_hostname="127.0.0.1") as secured:
        secured.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        data = b""
        while not data.endswith(b"hello"):
            part = secured.recv(4096)
            assert part, data
            data += part
        return data[-5:]


def default(port):
    return handshake(port)


def urllib(port):
    import urllib.request

    with urllib.request.urlopen(f"https://127.0.0.1:{port}/", timeout=20) as answer:
        return answer.read()


def requests(port):
    import requests

    return requests.get(f"https://127.0.0.1:{port}/", timeout=20).content


def truststore(port):
    import ssl

    import truststore

    return handshake(port, truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


def asyncio(port):
    import asyncio

    return asyncio.run(stream(port))


async def stream(port, context=True):
    """The answer of a server, on whichever event loop this runs."""
    import asyncio

    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return (await asyncio.wait_for(reader.readuntil(b"hello"), 20))[-5:]
    finally:
        writer.close()


def is_refusal(error):
    """Whether *error* is, or comes of, a certificate that OpenSSL did not verify."""
    import ssl

    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        reason = getattr(error, "reason", None)
        error = reason if isinstance(reason, Exception) else error.__cause__ or error.__context__
    return False


def ports():
    """The servers by name."""
    return {name: int(port) for name, port in (pair.split(":") for pair in os.environ["SERVERS"].split())}


def verdict(client, port):
    """Whether *client* has the answer of the server at *port*: "yes", or "no" for a certificate it refused."""
    try:
        return {b"hello": "yes"}[client(port)]
    except Exception as error:
        if not is_refusal(error):
            raise
        return "no"


def answers(*clients):
    """A line for each of *clients*, functions or the names of those above: whom it trusts."""
    lines = []
    for client in clients:
        call = globals()[client] if isinstance(client, str) else client
        words = [f"{name}:{verdict(call, port)}" for name, port in ports().items()]
        lines.append(" ".join([getattr(client, "__name__", client), *words]))
    return "\n".join(lines)


def say(*clients):
    """Print :func:`answers`, by one write, as several processes may."""
    import sys

    sys.stdout.write(answers(*clients) + "\n")
    sys.stdout.flush()


def layers(owner, name):
    """How many of certhook's wrappers lie around the function *name* of *owner*, others of somebody else's between."""
    function, originals = getattr(owner, name), set()
    while function is not None:
        if hasattr(function, "__certhook__"):
            originals.add(id(function.__certhook__))
        function = getattr(function, "__wrapped__", None)
    return len(originals)


def hooked():
    """How many of certhook's finders there are, and how many wrappers lie around each function it wraps."""
    import ssl
    import sys

    finders = sum(getattr(finder, "__certhook__", None) is True for finder in sys.meta_path)
    base = next(base for base in ssl.SSLContext.__mro__ if base.__module__ == "ssl")
    methods = [(base, name) for name in ("load_default_certs", "set_default_verify_paths", "load_verify_locations")]
    functions = [(ssl, name) for name in ("create_default_context", "get_default_verify_paths")]
    # eventlet puts a function of its own in the place of one of these, and calls what was there.
    ours = [(owner, name) for owner, name in functions if getattr(owner, name).__module__ == "ssl"]
    return (finders, *sorted({layers(*each) for each in methods + ours}))
