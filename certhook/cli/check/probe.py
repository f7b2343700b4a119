"""Probing one server: connections with and without certhook, and further ones that help to explain a failure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Mapping, NamedTuple, Sequence

from certhook.cli.check import clients, contexts, handshake, unused
from certhook.cli.check.causes import Case, Diagnosis, diagnose
from certhook.cli.check.causes.issuers import NO_ISSUER
from certhook.cli.check.certificate import parse
from certhook.cli.check.failure import Deadline, Failure
from certhook.cli.check.handshake import Peer
from certhook.cli.check.models import First
from certhook.cli.check.plaintext import plaintext_reply
from certhook.cli.check.proxies import Proxy, find
from certhook.cli.check.target import Target

if TYPE_CHECKING:
    import ssl

    from cryptography import x509

    from certhook._certificates.anchor import Anchor
    from certhook.cli.check.chain import Roots


class LocalTrust(NamedTuple):
    """The trust of this process, which is the same for all servers.

    :ivar roots: the known roots
    :ivar problems: the problems with settings and sources
    :ivar unknown_variables: variables that certhook does not support, each with a similar one or ""
    :ivar additional: the roots of ``--ca``, which only this check trusts
    """

    roots: Roots
    problems: Sequence[Exception]
    unknown_variables: Mapping[str, str]
    additional: Sequence[Anchor] = ()


class Probe(NamedTuple):
    """The result for one server.

    :ivar case: the evidence; its failure is empty if the server is verified
    :ivar diagnosis: the cause of the failure, None if the server is verified
    :ivar stock_failure: the failure without certhook, None if it is verified or was not tried
    :ivar was_compared: whether *stock_failure* is known. Failures before TLS do not depend on certhook.
    :ivar clients: the verdicts of real clients
    :ivar additional: the files of ``--ca``
    """

    case: Case
    diagnosis: Diagnosis | None
    stock_failure: Failure | None
    was_compared: bool
    clients: Sequence[clients.Verdict] = ()
    additional: Sequence[str] = ()


class _Prober:
    """Connects to one server repeatedly within one deadline."""

    def __init__(self, target: Target, timeout: float) -> None:
        self.target = target
        self.deadline = Deadline(timeout)
        self.proxy = find(target)

    def try_context(self, context: ssl.SSLContext, request: bool = False) -> tuple[Peer | None, Failure | None]:
        """Connect with *context*. Return the peer or the failure."""
        try:
            return handshake.connect(self.target, context, self.deadline, self.proxy, request), None
        except Failure as failure:
            return None, failure

    def try_client(self, context: ssl.SSLContext, proxy: Proxy | None) -> Failure | None:
        """Connect with the context and the proxy of a client. Return the failure."""
        try:
            handshake.connect(self.target, context, self.deadline, proxy, request=False)
        except Failure as failure:
            return failure
        return None

    def without_strict(self, context: ssl.SSLContext, failure: Failure) -> tuple[Failure, bool]:
        """Retry a failed verification without the strict check.

        :returns: the failure that remains, and whether the strict check was its only cause
        """
        other = self.try_context(contexts.disable_strict(context))[1]
        if other is None or (other.step == "tls" and other.reason != "timeout"):
            return failure, True
        return (other if other.step == "verify" else failure), False


def probe(target: Target, local: LocalTrust, timeout: float) -> Probe:
    """Connect to *target* with certhook and without it, and diagnose a failure.

    :param timeout: the limit for all connections together, in seconds
    :raises CerthookError: with ``CERTHOOK_ON_ERROR=raise``
    """
    prober = _Prober(target, timeout)
    additional = [anchor.der for anchor in local.additional]
    context = contexts.default_context()
    contexts.add_roots(context, additional)
    flags = context.verify_flags
    peer, failure = prober.try_context(context, request=True)
    valid_without_strict, certificate_requested, reply = False, False, b""
    if failure is not None and failure.step in ("verify", "tls") and failure.reason != "timeout":
        peer, refusal = prober.try_context(contexts.permissive_context())
        certificate_requested = refusal is not None and refusal.certificate_requested
        if failure.step == "verify" and contexts.is_strict(context):
            failure, valid_without_strict = prober.without_strict(context, failure)
            context.verify_flags = flags
        elif failure.step == "tls" and peer is None and not target.starttls:
            reply = plaintext_reply(target, prober.deadline, prober.proxy)
    stock, unreadable = _stock_context(prober.deadline, additional)
    stock_failure, was_compared = failure, failure is None or failure.step != "tls"
    if failure is None or failure.step == "verify":
        # This connection comes last: with a slow server, the time is better spent on the cause.
        stock_failure = unreadable or prober.try_context(stock or context)[1]
    case = Case(
        host=target.host,
        port=target.port,
        protocol=target.protocol,
        failure=failure or Failure("", ""),
        chain=parse_chain(peer.chain if peer else ()),
        roots=local.roots,
        now=datetime.now(timezone.utc),
        chain_is_complete=peer.is_complete if peer else True,
        valid_without_strict=valid_without_strict,
        version=peer.version if peer else "",
        certificate_requested=certificate_requested,
        reply=reply,
        proxy=prober.proxy.url if prober.proxy else None,
        proxy_variable=prober.proxy.variable if prober.proxy else "",
        problems=local.problems,
        unknown_variables=local.unknown_variables,
    )
    if failure is not None and failure.step == "verify" and failure.code in NO_ISSUER:
        case = replace(case, unused=unused.search(case.path, case.roots, prober.deadline))
    leaf = case.chain[0] if case.chain else None
    # The clients are those of this interpreter.
    verdict = (context, failure) if contexts.is_hooked() else (stock or context, stock_failure)
    first = First(target, *verdict, prober.proxy, leaf, additional, prober.deadline)
    return Probe(
        case,
        diagnose(case) if failure else None,
        stock_failure if was_compared else None,
        was_compared,
        clients.compare(first, prober.try_client, prober.deadline),
        list(dict.fromkeys(path for anchor in local.additional for _, path in anchor.listed_by)),
    )


def _stock_context(deadline: Deadline, additional: Sequence[bytes]) -> tuple[ssl.SSLContext | None, Failure | None]:
    """Return the context of Python without certhook, or the failure to read its roots."""
    try:
        stock = contexts.stock_context(deadline)
    except OSError as error:
        return None, Failure("connect", f"the roots cannot be read: {error.strerror or error}", reason="timeout")
    contexts.add_roots(stock, additional)
    return stock, None


def parse_chain(ders: Sequence[bytes]) -> list[x509.Certificate]:
    """Parse certificates up to the first malformed one. The issuers beyond it cannot be determined."""
    chain: list[x509.Certificate] = []
    for certificate in map(parse, ders):
        if certificate is None:
            break
        chain.append(certificate)
    return chain
