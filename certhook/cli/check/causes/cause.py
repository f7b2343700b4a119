"""A possible cause of a failed connection: its conditions, its description, and how to correct it."""

from __future__ import annotations

import string
from typing import Callable, NamedTuple

from certhook.cli.check.causes.case import Case, Facts


class Diagnosis(NamedTuple):
    """A cause that applies to a case, with the facts of the case.

    :ivar id: the identifier of the cause
    :ivar sentence: the finding
    :ivar advice: the remedies, the best first; a command is on a line of its own
    """

    id: str
    sentence: str
    advice: tuple[str, ...]


def no_facts(case: Case) -> Facts:
    """Return no facts, for a cause that the step, the code and the reason determine."""
    return {}


class Cause(NamedTuple):
    """A possible cause.

    :ivar id: a stable identifier for programs
    :ivar sentence: the finding, with placeholders in braces
    :ivar advice: the remedies, the best first; a remedy with an unknown or empty fact is omitted
    :ivar steps: the steps in which the connection may have failed
    :ivar codes: the possible codes of OpenSSL's verification or of a proxy; empty for any code
    :ivar reasons: substrings, one of which the failure's reason contains; empty for any reason
    :ivar facts: returns the values of further placeholders, or None if the cause does not apply
    """

    id: str
    sentence: str
    advice: tuple[str, ...]
    steps: tuple[str, ...] = ("verify",)
    codes: tuple[int, ...] = ()
    reasons: tuple[str, ...] = ()
    facts: Callable[[Case], Facts | None] = no_facts

    def diagnose(self, case: Case) -> Diagnosis | None:
        """Return the diagnosis if this cause applies to *case*."""
        failure = case.failure
        if failure.step not in self.steps or (self.codes and failure.code not in self.codes):
            return None
        if self.reasons and not any(reason in failure.reason for reason in self.reasons):
            return None
        found = self.facts(case)
        if found is None:
            return None
        facts = {**case.facts, **found}
        advice = [text for text in self.advice if all(facts.get(name) for name in _placeholders(text))]
        return Diagnosis(self.id, self.sentence.format_map(facts), tuple(text.format_map(facts) for text in advice))


def _placeholders(text: str) -> list[str]:
    return [name for _, name, _, _ in string.Formatter().parse(text) if name]
