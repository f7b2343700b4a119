"""A client: code that fetches "hello" from a loopback server, and the TLS options that callers can set."""

from __future__ import annotations

from typing import NamedTuple

# The choices. The expressions for the arguments of fetch() can use two names: FILE, the path of a bundle, and
# PAIR, the path of a file with a private key and a client certificate.
UNVERIFIED = "no verification"
FILE = "the roots in a file"
CERTIFICATE = "a client certificate"
NO_ROOTS = "a context without roots"
STOCK = "no context"


class Client(NamedTuple):
    """A client.

    :ivar code: the code that defines ``fetch``
    :ivar server: the protocol of the server
    :ivar choices: the keyword arguments of ``fetch`` for each choice that it offers
    :ivar default: the keyword arguments of ``fetch`` for the default trust
    :ivar adds_system_roots: whether it adds the operating system's roots to the roots of a file
    :ivar library: the library in certhook's table; empty if the client has its name, with or without details
    :ivar refusal: the text of its error for a server with an untrusted root
    """

    code: str
    server: str = "https"
    choices: dict[str, str] = {}
    default: str = ""
    adds_system_roots: bool = False
    library: str = ""
    refusal: str = "unable to get local issuer certificate"


def contexts(keyword: str) -> dict[str, str]:
    """Return the choices of a client that accepts a context as the argument *keyword*."""
    return {
        UNVERIFIED: f"{keyword}=ssl._create_unverified_context()",
        FILE: f"{keyword}=ssl.create_default_context(cafile=FILE)",
        CERTIFICATE: f"{keyword}=with_certificate(ssl.create_default_context())",
        NO_ROOTS: f"{keyword}=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)",
    }
