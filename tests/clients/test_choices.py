"""certhook respects the choices of callers: real requests with each TLS option of each client.

All tests run on Debian with a system store and certifi's bundle. They also run without certhook
to show that the result is the client's own behaviour.
"""

from __future__ import annotations

from pathlib import Path

import client_model
import der
import pytest
from client_table import CLIENTS, VARIABLES, stock_roots

WITH_CERTIFICATE = {name: client for name, client in CLIENTS.items() if client_model.CERTIFICATE in client.choices}
ALL_SERVERS = "system bundled extra stranger"

#: The variables, the roots of ``ssl.create_default_context()``, and the roots that a client trusts by default.
MODES = {
    "with certhook": ({}, {"system", "bundled"}, lambda name: {"system", "bundled"}),
    "without certhook": ({"CERTHOOK_DISABLED": "1"}, {"system"}, stock_roots),
}


@pytest.fixture
def private_bundle(cas, tmp_path) -> Path:
    """A bundle that contains only a company's private root."""
    file = tmp_path / "company.pem"
    file.write_bytes(cas.pem("extra"))
    return file


@pytest.fixture
def many_roots(private_bundle, tmp_path) -> Path:
    """A bundle that also contains so many other roots that certhook compiles a store for its second use."""
    file = tmp_path / "many.pem"
    roots = b"".join(der.pem(der.root(f"other {number}", number + 1)) for number in range(40))
    file.write_bytes(roots + private_bundle.read_bytes())
    return file


@pytest.fixture
def certifi_copy(machine, tmp_path) -> Path:
    """A copy of certifi's bundle with the same file name. A caller that names it chooses exactly these roots."""
    file = tmp_path / "certifi" / "cacert.pem"
    file.parent.mkdir()
    file.write_bytes(machine.bundle)
    return file


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", [name for name, client in CLIENTS.items() if client.choices])
def test_the_choices_of_a_caller_are_respected(
    trusted_servers, private_bundle, many_roots, certifi_copy, name, mode
) -> None:
    client = CLIENTS[name]
    variables, context_roots, default_roots = MODES[mode]
    added = context_roots if client.adds_system_roots else set()
    # The choice, the value of FILE, the servers, and the servers that the client trusts.
    expected = (
        (client_model.UNVERIFIED, "", "stranger", {"stranger"}),
        (client_model.STOCK, "", "stranger", {"stranger"}),
        (client_model.FILE, str(private_bundle), ALL_SERVERS, {"extra"} | added),
        (client_model.FILE, str(many_roots), ALL_SERVERS, {"extra"} | added),
        (client_model.FILE, str(certifi_copy), "system bundled", {"bundled"} | added),
        (client_model.CERTIFICATE, "", "demanding", {"demanding"} if "system" in default_roots(name) else set()),
        (client_model.NO_ROOTS, "", "system bundled", set()),
    )
    offered = [case for case in expected if case[0] in client.choices]
    cases = [(client.choices[choice], file, servers) for choice, file, servers, _ in offered]
    results = trusted_servers(name, *cases, **variables)
    found = [(choice, file, result) for (choice, file, _, _), result in zip(offered, results)]
    assert found == [(choice, file, trusted) for choice, file, _, trusted in offered]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("bundle", ["private_bundle", "many_roots"])
@pytest.mark.parametrize("variable", VARIABLES)
def test_a_variable_that_names_a_bundle_is_respected(trusted_servers, request, variable, bundle, mode) -> None:
    name = VARIABLES[variable]
    client = CLIENTS[name]
    variables, context_roots, _ = MODES[mode]
    expected = {"extra"} | (context_roots if client.adds_system_roots else set())
    variables = {variable: str(request.getfixturevalue(bundle)), **variables}
    assert trusted_servers(name, ("", "", ALL_SERVERS), **variables) == [expected]


@pytest.mark.parametrize("server", sorted({client.server for client in WITH_CERTIFICATE.values()}))
def test_a_demanding_server_rejects_clients_without_a_certificate(trusted_servers, server) -> None:
    """Otherwise, a successful request would not prove that the client sent its certificate."""
    name = next(name for name, client in WITH_CERTIFICATE.items() if client.server == server)
    with pytest.raises(AssertionError, match="(?s)^demanding: Traceback(?!.*system: Traceback)"):
        trusted_servers(name, (CLIENTS[name].default, "", "demanding system"))
