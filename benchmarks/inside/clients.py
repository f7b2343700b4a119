"""Time one operation of a client with pyperf.

Arguments: the name of the operation, and the port of the server.
"""

import socket
import ssl

import pyperf


def connect(context, port):
    """Open one connection, including the handshake."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as raw:
        context.wrap_socket(raw, server_hostname="localhost").close()


def default_context(port):
    """Create a further default context."""
    return ssl.create_default_context


def certifi_context(port):
    """Create a context with certifi's file."""
    import certifi

    bundle = certifi.where()
    return lambda: ssl.create_default_context(cafile=bundle)


def existing_context(port):
    """Open one connection with an existing context."""
    context = ssl.create_default_context()
    return lambda: connect(context, port)


def new_context(port):
    """Create a context, and open one connection with it."""
    return lambda: connect(ssl.create_default_context(), port)


def truststore_existing_context(port):
    """Open one connection with an existing context of truststore."""
    import truststore

    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return lambda: connect(context, port)


def urlopen(port):
    """Call ``urllib.request.urlopen``, and read the response."""
    from urllib.request import urlopen

    def get():
        with urlopen(f"https://127.0.0.1:{port}/", timeout=20) as response:
            assert response.read() == b"hello"

    return get


def requests_get(port):
    """Call ``requests.get``, and read the response."""
    import requests

    def get():
        assert requests.get(f"https://127.0.0.1:{port}/", timeout=20).content == b"hello"

    return get


def httpx_client(port):
    """Create an ``httpx.Client``."""
    import httpx

    return lambda: httpx.Client().close()


MAKERS = {
    make.__name__: make
    for make in (
        default_context,
        certifi_context,
        existing_context,
        new_context,
        truststore_existing_context,
        urlopen,
        requests_get,
        httpx_client,
    )
}


def main():
    """Run the command line."""
    runner = pyperf.Runner(add_cmdline_args=lambda command, args: command.extend([args.operation, str(args.port)]))
    runner.argparser.add_argument("operation", choices=MAKERS)
    runner.argparser.add_argument("port", type=int)
    args = runner.parse_args()
    runner.bench_func(args.operation, MAKERS[args.operation](args.port))


if __name__ == "__main__":
    main()
