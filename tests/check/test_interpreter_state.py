"""The state of the interpreter comes first: whether certhook is active, and problems with settings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
import support
from lab import Lab
from pki import Chain, chain

DISABLED = {"CERTHOOK_DISABLED": "1"}


def check(*arguments: str, flags: tuple[str, ...] = (), **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *flags, "-m", "certhook", "check", *arguments]
    return support.run_command(*command, env=support.clean_env(**variables))


def check_json(*arguments: str, **variables: str) -> tuple[dict[str, Any], dict[str, Any], int]:
    """Return the whole object, the result of the only server, and the exit status."""
    done = check("--json", *arguments, **variables)
    found = json.loads(done.stdout)
    (result,) = found["checks"]
    return found, result, done.returncode


@pytest.fixture
def good() -> Chain:
    return chain()


@pytest.fixture
def target(lab: Lab, good: Chain) -> str:
    return f"localhost:{lab.serve(good.sent)}"


@pytest.fixture
def only_certhook(lab: Lab, good: Chain) -> dict[str, str]:
    """Variables with which a server is verified only with certhook."""
    return {"CERTHOOK_EXTRA_CA_CERTS": lab.write("extra.pem", good.root.pem)}


@pytest.fixture
def both(lab: Lab, good: Chain) -> dict[str, str]:
    """Variables with which a server is verified with certhook and without it."""
    return {"SSL_CERT_FILE": lab.write("system.pem", good.root.pem)}


def test_a_server_is_not_verified_if_only_an_inactive_certhook_verifies_it(
    target: str, only_certhook: dict[str, str]
) -> None:
    assert check(target, **only_certhook).returncode == 0
    done = check(target, **only_certhook, **DISABLED)
    lines = done.stdout.splitlines()
    assert done.returncode == 1
    assert lines[0].startswith("NOT ACTIVE: certhook is not active in this interpreter")
    assert [line for line in lines if line.startswith(f"NOT VERIFIED: localhost, port {target[10:]}")]
    assert "With certhook: verified" in lines and not [line for line in lines if line.startswith("VERIFIED")]
    found, result, status = check_json(target, **only_certhook, **DISABLED)
    assert (found["active"], found["inactive_reason"], status) == (False, "CERTHOOK_DISABLED is set", 1)
    assert (result["verified"], result["verified_without_certhook"], result["verified_with_certhook"]) == (
        False,
        False,
        True,
    )
    assert result["cause"]["id"] == "certhook-inactive"
    assert result["cause"]["advice"] == [
        "Unset the variable:\n" + ("set CERTHOOK_DISABLED=" if os.name == "nt" else "unset CERTHOOK_DISABLED")
    ]
    assert result["error"] == result["error_without_certhook"]


def test_the_verdicts_of_python_clients_are_not_those_with_certhook(target: str, only_certhook: dict[str, str]) -> None:
    _, active, _ = check_json(target, **only_certhook)
    assert {"urllib", "requests", "httpx"} <= {client["name"] for client in active["clients"]}
    _, inactive, _ = check_json(target, **only_certhook, **DISABLED)
    assert {client["name"] for client in inactive["clients"]} <= {"curl"}


def test_the_state_precedes_the_verdict_of_a_server_that_is_verified_anyway(target: str, both: dict[str, str]) -> None:
    done = check(target, **both, **DISABLED)
    assert done.returncode == 0
    assert done.stdout.startswith("NOT ACTIVE: ")
    assert done.stdout.index("NOT ACTIVE") < done.stdout.index("\nVERIFIED: ")
    assert "With certhook: also verified" in done.stdout and "Without certhook" not in done.stdout


def test_a_server_that_certhook_would_refuse_is_verified_as_programs_see_it(
    target: str, both: dict[str, str], lab: Lab
) -> None:
    variables = {**both, "CERTHOOK_SOURCES": "bundled"}
    assert check(target, **variables).returncode == 1
    found, result, status = check_json(target, **variables, **DISABLED)
    assert (found["active"], result["verified"], result["verified_with_certhook"], status) == (False, True, False, 0)
    assert (result["cause"], result["error"]) == (None, None)
    assert "With certhook: not verified: " in " ".join(check(target, **variables, **DISABLED).stdout.split())


def test_a_server_that_is_not_verified_in_either_way_has_its_own_cause(target: str) -> None:
    _, result, status = check_json(target, **DISABLED)
    _, active, _ = check_json(target)
    assert (result["verified"], result["verified_with_certhook"], status) == (False, False, 1)
    assert result["cause"] == active["cause"]
    assert active["verified_with_certhook"] is None and active["error_with_certhook"] is None


def test_an_uninstalled_clone_is_not_active(target: str, only_certhook: dict[str, str]) -> None:
    # With -S, Python processes no .pth file.
    path = os.pathsep.join([str(support.ROOT), *(path for path in sys.path if path)])
    done = check(target, flags=("-S",), PYTHONPATH=path, **only_certhook)
    assert done.returncode == 1
    text = " ".join(done.stdout.split())
    assert text.startswith("NOT ACTIVE: certhook is not active in this interpreter, because nothing has enabled it")
    assert "python -m pip install certhook" in text


def test_a_failure_before_tls_does_not_depend_on_certhook(lab: Lab) -> None:
    _, result, _ = check_json(f"localhost:{lab.closed_port()}", **DISABLED)
    assert result["cause"]["id"] == "refused"


def test_a_second_connection_that_fails_is_not_attributed_to_certhook(
    lab: Lab, good: Chain, only_certhook: dict[str, str]
) -> None:
    import socket

    from lab import answer_tls

    connections: list[int] = []

    def once(context: Any, raw: socket.socket) -> None:
        connections.append(1)
        if len(connections) == 1:
            answer_tls(context, raw)

    port = lab.serve(good.sent, handler=once)
    _, result, status = check_json(f"localhost:{port}", **only_certhook, **DISABLED)
    assert (result["verified"], status) == (False, 1)
    assert result["cause"]["id"] == "second-connection-failed"


# Problems with settings.


def test_a_misspelled_variable_is_a_problem(target: str, both: dict[str, str]) -> None:
    done = check(target, **both, CERTHOOK_EXTRA_CA_CERT="ca.pem")
    text = " ".join(done.stdout.split())
    sentence = (
        "CERTHOOK_EXTRA_CA_CERT has no effect: certhook has no such variable; did you mean CERTHOOK_EXTRA_CA_CERTS?"
    )
    assert done.returncode == 1
    assert text.startswith(f"Problems: {sentence} VERIFIED: ")
    found, result, status = check_json(target, **both, CERTHOOK_EXTRA_CA_CERT="ca.pem")
    assert (found["problems"], result["verified"], status) == ([sentence], True, 1)


@pytest.mark.parametrize("value", ["chian", "fall-back"])
def test_an_invalid_value_of_an_own_variable_is_a_problem(value: str, target: str, both: dict[str, str]) -> None:
    found, result, status = check_json(target, **both, CERTHOOK_MODE=value)
    assert (len(found["problems"]), result["verified"], status) == (1, True, 1)


def test_a_variable_of_other_programs_does_not_change_the_exit_status(target: str, both: dict[str, str]) -> None:
    found, result, status = check_json(target, **both, SSL_CERT_DIR="/missing")
    assert (len(found["problems"]), result["verified"], status) == (1, True, 0)


def test_problems_with_settings_are_shown_once(target: str, both: dict[str, str]) -> None:
    done = check(target, target, target, **both, CERTHOOK_MODE="chian", CERTHOOK_MOED="chain")
    assert done.stdout.count("chian") == 1 and done.stdout.count("CERTHOOK_MOED") == 1
    assert done.stdout.count("Problems:") == 1 and done.stderr == ""
