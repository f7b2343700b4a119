"""The state of this interpreter: whether certhook is active, and the problems with settings and sources."""

from __future__ import annotations

import os
import ssl
from typing import Any, Iterable, NamedTuple, Sequence

import certhook
from certhook import _api, _config
from certhook._certificates.anchor import Anchor
from certhook._config import PREFIX
from certhook._state import is_privileged
from certhook.cli import _problem_list, _stores
from certhook.cli._terminal import wrapped
from certhook.cli._variables import misspelled, unknown_variables
from certhook.cli.check.chain import known_roots
from certhook.cli.check.probe import LocalTrust
from certhook.exceptions import ConfigurationError

_DISABLED = "CERTHOOK_DISABLED is set"

#: The identifiers of the causes in the state of this interpreter, which are not known before the verdicts.
INACTIVE, SECOND_FAILED = "certhook-inactive", "second-connection-failed"


class State(NamedTuple):
    """The state of this interpreter, which is the same for all servers.

    :ivar local: the trust of this process
    :ivar sources: the configured sources
    :ivar problems: the problems with settings and sources
    :ivar has_invalid_variable: whether a variable of certhook itself is misspelled or has an invalid value
    :ivar inactive_reason: the reason why certhook is not active; empty if it is active
    """

    local: LocalTrust
    sources: Sequence[str]
    problems: Sequence[str]
    has_invalid_variable: bool
    inactive_reason: str


def examine(additional: Sequence[Anchor] = ()) -> State:
    """Examine this interpreter.

    :param additional: the roots of ``--ca``
    :raises CerthookError: with ``CERTHOOK_ON_ERROR=raise``
    """
    config = _config.current()
    _stores.verify(config, "check")
    trust_set = _api.trust_set()
    environ = {} if is_privileged() else os.environ
    unknown = unknown_variables(environ)
    problems = [*misspelled(environ), *map(str, trust_set.problems)]
    return State(
        LocalTrust(known_roots(trust_set, additional), trust_set.problems, unknown, additional),
        config.sources,
        list(dict.fromkeys(problems)),
        bool(unknown) or _has_own(trust_set.problems),
        _inactive_reason(),
    )


def _has_own(problems: Iterable[Exception]) -> bool:
    """Return whether one of *problems* concerns a variable that only certhook reads."""
    return any(isinstance(one, ConfigurationError) and one.setting.startswith(PREFIX) for one in problems)


def _inactive_reason() -> str:
    if certhook.is_installed():
        is_patched = hasattr(ssl.create_default_context, "__certhook__")
        return "" if is_patched else "other software has replaced ssl.create_default_context()"
    return _DISABLED if _config.is_disabled() else "nothing has enabled it ('python -m certhook' shows how to)"


def as_programs_see_it(check: dict[str, Any], state: State) -> None:
    """Make the verdict in *check* that of programs in this interpreter.

    If certhook is not active, the verdict is the one without certhook. The one with certhook becomes additional.
    """
    check["verified_with_certhook"] = check["error_with_certhook"] = None
    if not state.inactive_reason:
        return
    # The verdicts of Python clients are those with certhook.
    check["clients"] = [client for client in check["clients"] if client["name"] == "curl"]
    failure, verified = check["error_without_certhook"], check["verified"]
    check["verified_with_certhook"], check["error_with_certhook"] = verified, check["error"]
    if failure is not None:
        check["verified"], check["error"] = False, failure
    elif check["verified_without_certhook"]:
        check["verified"], check["error"], check["cause"] = True, None, None
    if verified and failure is not None:
        check["cause"] = _inactive_cause(check, state, failure)


def _inactive_cause(check: dict[str, Any], state: State, failure: dict[str, Any]) -> dict[str, Any]:
    """Return the cause of *failure*, which occurred only without certhook."""
    if failure["step"] != "verify":
        sentence = f"The connection with certhook succeeded, but the later one without it failed: {failure['message']}."
        advice = ["Repeat the check: the server may be overloaded, or limit the number of connections."]
        return {"id": SECOND_FAILED, "message": sentence, "advice": advice}
    sentence = (
        f"certhook is not active in this interpreter, because {state.inactive_reason}. With certhook, "
        f"{check['host']} is verified."
    )
    if state.inactive_reason == _DISABLED:
        command = "set CERTHOOK_DISABLED=" if os.name == "nt" else "unset CERTHOOK_DISABLED"
        advice = [f"Unset the variable:\n{command}"]
    else:
        advice = [
            "Install certhook into the Python environment of the program:\npython -m pip install certhook",
            "If pip is not available there, run:\npython -m certhook enable",
        ]
    return {"id": INACTIVE, "message": sentence, "advice": advice}


def report_lines(state: State) -> list[str]:
    """Return the text about the state, which precedes the results; no line if certhook is active without problems."""
    lines = []
    if state.inactive_reason:
        lines += wrapped(
            f"NOT ACTIVE: certhook is not active in this interpreter, because {state.inactive_reason}. The verdicts "
            "are those of programs in this interpreter.",
            then="  ",
        )
    if state.problems:
        lines.append("Problems:")
        shown = _problem_list.first_ones(state.problems, "status")
        lines += [line for problem in shown for line in wrapped(problem, "  ", "    ")]
    return lines
