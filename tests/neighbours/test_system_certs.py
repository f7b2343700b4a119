"""pip-system-certs and certifi-linux, which change trust in Python or requests with a .pth file."""

from __future__ import annotations

import sys

import pytest
from runner import BOTH, BUNDLED, HOOKED, NEITHER, SYSTEM, expected, expected_lines, run

STORE = "/etc/ssl/certs/ca-certificates.crt"
CLIENTS = "default urllib requests asyncio"
CODE = f"import probe; probe.print_verdicts(*{CLIENTS!r}.split())"

#: The session of pip, which pip-system-certs requires.
PIP = """
import probe
def pip(port):
    from pip._internal.network.session import PipSession
    return PipSession().get(f"https://127.0.0.1:{port}/", timeout=20).content
probe.print_verdicts(pip)
"""

VERSIONS = (
    # Injects pip's copy of truststore while site runs.
    pytest.param("pip-system-certs", marks=pytest.mark.skipif(sys.version_info < (3, 10), reason="needs Python 3.10")),
    # Wraps requests and pip with wrapt's import hooks.
    "pip-system-certs 4",
)


@pytest.mark.parametrize("version", VERSIONS)
def test_with_pip_system_certs_every_client_trusts_both_and_prints_nothing(environment, places, version) -> None:
    *verdicts, hooked = run(environment(version), f"{CODE}; print('hooked', probe.hook_counts())", **places).output
    assert hooked == f"hooked {HOOKED}"
    assert verdicts == expected_lines(CLIENTS, BOTH)


@pytest.mark.parametrize("version", VERSIONS)
def test_with_pip_system_certs_pip_trusts_both(environment, places, version) -> None:
    assert run(environment(version), PIP, **places).verdicts == [("pip", BOTH)]


@pytest.mark.parametrize("version", VERSIONS)
def test_without_certhook_pip_system_certs_does_not_reach_every_client(environment, places, version) -> None:
    result = run(
        environment(version), "import probe; probe.print_verdicts('default', 'urllib')", hooked=False, **places
    )
    assert result.verdicts == expected("default urllib", SYSTEM)


@pytest.mark.parametrize("version", VERSIONS)
def test_with_pip_system_certs_an_empty_container_has_the_bundle(machine, environment, version) -> None:
    result = machine(environment(version), CODE, {})
    assert result.verdicts == expected(CLIENTS, BUNDLED)
    stock = machine(environment(version), "import probe; probe.print_verdicts('default')", {}, CERTHOOK_DISABLED="1")
    assert stock.verdicts == expected("default", NEITHER)


def test_with_certifi_linux_requests_trusts_its_file_and_the_other_clients_both(machine, environment, cas) -> None:
    python = environment("certifi-linux")
    code = f"{CODE}\nimport certifi; print(certifi.where())"
    files = {STORE: cas.pem("system")}
    # certifi.where() returns the system's file, which is not a public bundle and therefore not adopted.
    for variables, trust in ({}, BOTH), ({"CERTHOOK_DISABLED": "1"}, NEITHER):
        *verdicts, path = machine(python, code, files, **variables).output
        assert path == STORE
        trust_by_client = [(client, SYSTEM if client == "requests" else trust) for client in CLIENTS.split()]
        assert verdicts == [line for each in trust_by_client for line in expected_lines(*each)]


@pytest.mark.parametrize("hooked", [True, False])
def test_with_certifi_linux_in_an_empty_container_certifi_fails_as_without_certhook(
    machine, environment, hooked
) -> None:
    code = """
import probe
probe.print_verdicts("default")
try:
    probe.print_verdicts("requests")
except FileNotFoundError as error:
    print(error)
"""
    variables = {} if hooked else {"CERTHOOK_DISABLED": "1"}
    verdicts, error = machine(environment("certifi-linux"), code, {}, **variables).output
    assert [verdicts] == expected_lines("default", BUNDLED if hooked else NEITHER)
    assert error.startswith("None of the following cert paths could be found")
