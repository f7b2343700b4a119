"""pip-system-certs and certifi-linux, which change by a .pth of their own whom Python or requests trusts."""

from __future__ import annotations

import sys

import pytest
from asking import BOTH, BUNDLED, HOOKED, NOBODY, SYSTEM, expected, run

STORE = "/etc/ssl/certs/ca-certificates.crt"
CLIENTS = "default urllib requests asyncio"
ASK = f"import ask; ask.say(*{CLIENTS!r}.split()); print('hooked', ask.hooked())"

#: pip's own session, of the pip that pip-system-certs brings along.
PIP = """
import ask
def pip(port):
    from pip._internal.network.session import PipSession
    return PipSession().get(f"https://127.0.0.1:{port}/", timeout=20).content
ask.say(pip)
"""

VERSIONS = (
    # Injects pip's copy of truststore while site is at work.
    pytest.param("pip-system-certs", marks=pytest.mark.skipif(sys.version_info < (3, 10), reason="needs Python 3.10")),
    # Wraps requests and pip with wrapt's import hooks.
    "pip-system-certs 4",
)


@pytest.mark.parametrize("version", VERSIONS)
def test_beside_pip_system_certs_every_client_trusts_both_and_nothing_is_printed(environment, places, version) -> None:
    *found, hooked = run(environment(version), ASK, **places).told
    assert hooked == f"hooked {HOOKED}"
    assert found == [f"{client} system:yes bundled:yes stranger:no" for client in CLIENTS.split()]


@pytest.mark.parametrize("version", VERSIONS)
def test_beside_pip_system_certs_pip_trusts_both(environment, places, version) -> None:
    assert run(environment(version), PIP, **places).trusted == [("pip", BOTH)]


@pytest.mark.parametrize("version", VERSIONS)
def test_without_certhook_pip_system_certs_does_not_reach_every_client(environment, places, version) -> None:
    found = run(environment(version), "import ask; ask.say('default', 'urllib')", hooked=False, **places)
    assert found.trusted == expected("default urllib", SYSTEM)


@pytest.mark.parametrize("version", VERSIONS)
def test_beside_pip_system_certs_in_an_empty_container_there_is_the_bundle(machine, environment, version) -> None:
    found = machine(environment(version), f"import ask; ask.say(*{CLIENTS!r}.split())", {})
    assert found.trusted == expected(CLIENTS, BUNDLED)
    stock = machine(environment(version), "import ask; ask.say('default')", {}, CERTHOOK_DISABLED="1")
    assert stock.trusted == expected("default", NOBODY)


def test_beside_certifi_linux_requests_trusts_what_it_says_and_the_others_both(machine, environment, cas) -> None:
    python = environment("certifi-linux")
    code = f"import ask; ask.say(*{CLIENTS!r}.split())\nimport certifi; print(certifi.where())"
    files = {STORE: cas.pem("system")}
    found, stock = machine(python, code, files).told, machine(python, code, files, CERTHOOK_DISABLED="1").told
    # certifi.where() is the system's file now, and so no public bundle: who installs it wants requests to trust that.
    said = "requests system:yes bundled:no stranger:no"
    assert found == [said if name == "requests" else f"{name} {TRUSTS_BOTH}" for name in CLIENTS.split()] + [STORE]
    assert stock == [said if name == "requests" else f"{name} {TRUSTS_NOBODY}" for name in CLIENTS.split()] + [STORE]


TRUSTS_BOTH = "system:yes bundled:yes stranger:no"
TRUSTS_NOBODY = "system:no bundled:no stranger:no"


@pytest.mark.parametrize("hooked", [True, False])
def test_beside_certifi_linux_in_an_empty_container_certifi_fails_as_without_certhook(
    machine, environment, hooked
) -> None:
    code = """
import ask
ask.say("default")
try:
    ask.say("requests")
except FileNotFoundError as error:
    print(error)
"""
    trusted, error = machine(
        environment("certifi-linux"), code, {}, **({} if hooked else {"CERTHOOK_DISABLED": "1"})
    ).told
    assert trusted == f"default system:no bundled:{'yes' if hooked else 'no'} stranger:no"
    assert error.startswith("None of the following cert paths could be found")
