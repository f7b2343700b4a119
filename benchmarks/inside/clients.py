"""What clients do, timed by pyperf. The first argument says what, the second is the port of the server."""

import socket
import ssl

import pyperf


def connect(context, port):
    """One connection: TCP, and the handshake."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as raw:
        context.wrap_socket(raw, server_hostname="localhost").close()


def default_context(port):
    """A further default context."""
    return ssl.create_default_context


def certifi_context(port):
    """The usual cure: a context with certifi's file."""
    import certifi

    bundle = certifi.where()
    return lambda: ssl.create_default_context(cafile=bundle)


def existing_context(port):
    """One connection on an existing context."""
    context = ssl.create_default_context()
    return lambda: connect(context, port)


def new_context(port):
    """A context, and one connection on it."""
    return lambda: connect(ssl.create_default_context(), port)


def truststore_existing_context(port):
    """One connection on an existing context of truststore's."""
    import truststore

    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return lambda: connect(context, port)


def urlopen(port):
    """``urllib.request.urlopen``, answer read."""
    from urllib.request import urlopen

    def get():
        with urlopen(f"https://127.0.0.1:{port}/", timeout=20) as answer:
            assert answer.read() == b"hello"

    return get


def requests_get(port):
    """``requests.get``, answer read."""
    import requests

    def get():
        assert requests.get(f"https://127.0.0.1:{port}/", timeout=20).content == b"hello"

    return get


def httpx_client(port):
    """The construction of an ``httpx.Client``."""
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
    """Time one of them."""
    runner = pyperf.Runner(add_cmdline_args=lambda command, args: command.extend([args.what, str(args.port)]))
    runner.argparser.add_argument("what", choices=MAKERS)
    runner.argparser.add_argument("port", type=int)
    args = runner.parse_args()
    runner.bench_func(args.what, MAKERS[args.what](args.port))


if __name__ == "__main__":
    main()
