"""What a cause is, and the case that it is looked for in."""

from __future__ import annotations

import os
import string
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Callable, Dict, NamedTuple, Sequence

from cryptography import x509

from certhook.cli.check.chain import Root, Roots, climb
from certhook.cli.check.plaintext import Failure
from certhook.cli.check.target import without_login

#: What fills the braces of a sentence.
Facts = Dict[str, str]


@dataclass(frozen=True)
class Case:
    """Everything that there is to judge by.

    :ivar failure: how the connection ended
    :ivar chain: the certificates that the server sent, its own first; none where it showed none
    :ivar whole: whether these are all that it sent
    :ivar lenient: whether it is verified without ``VERIFY_X509_STRICT``
    :ivar version: of TLS, that a context found which accepts all of them; "" if none
    :ivar was_asked: whether that context was asked for a certificate of its own
    :ivar words: what the server said without TLS
    :ivar proxy: the HTTP proxy on the way
    :ivar problems: what is wrong with settings and sources here
    :ivar unknown: the variables that look like certhook's, and that it does not know
    """

    host: str
    port: int
    protocol: str
    failure: Failure
    chain: Sequence[x509.Certificate]
    roots: Roots
    now: datetime
    whole: bool = True
    lenient: bool = False
    version: str = ""
    was_asked: bool = False
    words: bytes = b""
    proxy: str | None = None
    problems: Sequence[Exception] = ()
    unknown: Sequence[str] = ()

    @cached_property
    def _climbed(self) -> tuple[list[x509.Certificate], Root | None]:
        return climb(self.chain, self.roots)

    @property
    def path(self) -> list[x509.Certificate]:
        """The certificates from the server's own to the last that is known, the root if a source here lists it."""
        return self._climbed[0]

    @property
    def root(self) -> Root | None:
        """The root at the end of :attr:`path`, where a source here lists it, trusted or not."""
        return self._climbed[1]

    @property
    def facts(self) -> Facts:
        """What every sentence may name."""
        return {
            "host": self.host,
            "port": str(self.port),
            "protocol": self.protocol,
            "proxy": without_login(self.proxy or ""),
            "message": self.failure.text,
            "now": self.now.strftime("%Y-%m-%d %H:%M UTC"),
        }


def setting(assignment: str) -> str:
    """What a person types to set a variable before a program is started."""
    return f"set {assignment}" if os.name == "nt" else f"export {assignment}"


def no_more(case: Case) -> Facts:
    """Of a cause that the step, the code and the reason show alone."""
    return {}


class Diagnosis(NamedTuple):
    """A cause, as it is told.

    :ivar id: as of the cause
    :ivar sentence: what is wrong
    :ivar advice: what to do, the best first; what is to be typed stands in a line of its own
    """

    id: str
    sentence: str
    advice: tuple[str, ...]


class Cause(NamedTuple):
    """One thing that may be wrong: when it is, and what is said of it.

    :ivar id: a name for programs, which stays
    :ivar sentence: the same for a person, with facts in braces
    :ivar advice: what to do, the best first; one that names a fact which is not known here is left out
    :ivar steps: those at which the connection may have ended
    :ivar codes: those that OpenSSL's verification may have ended with; none: any
    :ivar reasons: words of which the reason of the failure has one; none: any
    :ivar facts: what else fills the braces; None where this is not the cause after all
    """

    id: str
    sentence: str
    advice: tuple[str, ...]
    steps: tuple[str, ...] = ("verify",)
    codes: tuple[int, ...] = ()
    reasons: tuple[str, ...] = ()
    facts: Callable[[Case], Facts | None] = no_more

    def diagnose(self, case: Case) -> Diagnosis | None:
        """Tell this cause, if it is the one of *case*."""
        failure = case.failure
        if failure.step not in self.steps or (self.codes and failure.code not in self.codes):
            return None
        if self.reasons and not any(reason in failure.reason for reason in self.reasons):
            return None
        found = self.facts(case)
        if found is None:
            return None
        known = {**case.facts, **found}
        advice = [text for text in self.advice if all(known.get(name) for name in _named(text))]
        return Diagnosis(self.id, self.sentence.format_map(known), tuple(text.format_map(known) for text in advice))


def _named(text: str) -> list[str]:
    return [name for _, name, _, _ in string.Formatter().parse(text) if name]
