"""One server, connected to as often as it takes to know how it is with it."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, NamedTuple, Sequence

from certhook.cli.check import contexts, handshake, plaintext
from certhook.cli.check.causes import Case, Diagnosis, diagnose
from certhook.cli.check.certificate import load
from certhook.cli.check.handshake import Peer
from certhook.cli.check.plaintext import Deadline, Failure
from certhook.cli.check.target import Target, proxy_of

if TYPE_CHECKING:
    import ssl

    from cryptography import x509

    from certhook.cli.check.chain import Roots


class Visit(NamedTuple):
    """What was found out about a server.

    :ivar case: what it showed; without a failure if it is verified
    :ivar diagnosis: why it is not verified, if so
    :ivar stock: the failure without certhook, if there is one
    :ivar compared: whether that is known: before TLS, it is the same with certhook and without
    """

    case: Case
    diagnosis: Diagnosis | None
    stock: Failure | None
    compared: bool


def visit(target: Target, roots: Roots, problems: Sequence[Exception], unknown: Sequence[str], timeout: float) -> Visit:
    """Connect to *target* as programs do, with certhook and without, and look closer where that fails.

    :param problems: what is wrong with settings and sources here
    :param unknown: the variables that certhook does not know
    :param timeout: for all of it, in seconds
    :raises CerthookError: with ``CERTHOOK_ON_ERROR=raise``
    """
    deadline, proxy = Deadline(timeout), proxy_of(target)

    def attempt(context: ssl.SSLContext, talk: bool = False) -> tuple[Peer | None, Failure | None]:
        try:
            return handshake.connect(target, context, deadline, proxy, talk), None
        except Failure as failure:
            return None, failure

    context = contexts.as_programs_do()
    peer, failure = attempt(context, talk=True)
    lenient, was_asked, words = False, False, b""
    if failure is not None and failure.step in ("verify", "tls") and failure.reason != "timeout":
        peer, refusal = attempt(contexts.that_accepts_all())
        was_asked = refusal is not None and refusal.was_asked
        if failure.step == "verify" and contexts.is_strict(context):
            other = attempt(contexts.without_strictness(context))[1]
            lenient = other is None or (other.step == "tls" and other.reason != "timeout")
            if other is not None and other.step == "verify":
                failure = other  # which stays, whatever is done about strictness
        elif failure.step == "tls" and peer is None and not target.starttls:
            words = plaintext.first_words(target, deadline, proxy)
    stock, compared = failure, failure is None or failure.step != "tls"
    if failure is None or failure.step == "verify":
        # At last: where a server is slow, its cause matters more.
        stock = attempt(contexts.as_without_certhook())[1]
    case = Case(
        host=target.host,
        port=target.port,
        protocol=target.protocol,
        failure=failure or Failure("", ""),
        chain=read(peer.chain if peer else ()),
        roots=roots,
        now=datetime.now(timezone.utc),
        whole=peer.whole if peer else True,
        lenient=lenient,
        version=peer.version if peer else "",
        was_asked=was_asked,
        words=words,
        proxy=proxy,
        problems=problems,
        unknown=unknown,
    )
    return Visit(case, diagnose(case) if failure else None, stock if compared else None, compared)


def read(chain: Sequence[bytes]) -> list[x509.Certificate]:
    """The certificates of *chain* up to one that cannot be read: behind it, nobody knows who issued whom."""
    read: list[x509.Certificate] = []
    for certificate in map(load, chain):
        if certificate is None:
            break
        read.append(certificate)
    return read
