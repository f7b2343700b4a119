"""Connect to the servers in SERVERS ("name:port ...") with several clients.

This module is installed next to the neighbours. It imports other modules only inside functions, since
many tests depend on the order of ``import ssl`` and the activation of certhook.
"""

import os


def handshake(port, context=None):
    """Return a server's response over a socket with *context*, by default a default context."""
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

    with urllib.request.urlopen(f"https://127.0.0.1:{port}/", timeout=20) as response:
        return response.read()


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
    """Return a server's response, on the running event loop."""
    import asyncio

    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return (await asyncio.wait_for(reader.readuntil(b"hello"), 20))[-5:]
    finally:
        writer.close()


def is_verification_error(error):
    """Whether *error* is a failed verification or was caused by one."""
    import ssl

    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        reason = getattr(error, "reason", None)
        error = reason if isinstance(reason, Exception) else error.__cause__ or error.__context__
    return False


def ports():
    """Return the ports of the servers, by name."""
    return {name: int(port) for name, port in (pair.split(":") for pair in os.environ["SERVERS"].split())}


def verdict(client, port):
    """Return "yes" if *client* gets a response from the server at *port*, "no" if the verification fails."""
    try:
        return {b"hello": "yes"}[client(port)]
    except Exception as error:
        if not is_verification_error(error):
            raise
        return "no"


def verdicts(*clients):
    """Return a line for each of *clients* with its verdict on each server.

    :param clients: functions, or the names of functions in this module
    """
    lines = []
    for client in clients:
        call = globals()[client] if isinstance(client, str) else client
        words = [f"{name}:{verdict(call, port)}" for name, port in ports().items()]
        lines.append(" ".join([getattr(client, "__name__", client), *words]))
    return "\n".join(lines)


def print_verdicts(*clients):
    """Print :func:`verdicts` with a single write, since several processes can do so at the same time."""
    import sys

    sys.stdout.write(verdicts(*clients) + "\n")
    sys.stdout.flush()


def count_wrappers(owner, name):
    """Count certhook's wrappers around the function *name* of *owner*, also below wrappers of other libraries."""
    function, originals = getattr(owner, name), set()
    while function is not None:
        if hasattr(function, "__certhook__"):
            originals.add(id(function.__certhook__))
        function = getattr(function, "__wrapped__", None)
    return len(originals)


def hook_counts():
    """Return the number of certhook's finders, and the numbers of its wrappers per function without duplicates."""
    import ssl
    import sys

    finders = sum(getattr(finder, "__certhook__", None) is True for finder in sys.meta_path)
    base = next(base for base in ssl.SSLContext.__mro__ if base.__module__ == "ssl")
    methods = [(base, name) for name in ("load_default_certs", "set_default_verify_paths", "load_verify_locations")]
    functions = [(ssl, name) for name in ("create_default_context", "get_default_verify_paths")]
    # eventlet replaces one of these with a function that calls the previous one.
    wrapped = [(owner, name) for owner, name in functions if getattr(owner, name).__module__ == "ssl"]
    return (finders, *sorted({count_wrappers(*each) for each in methods + wrapped}))
