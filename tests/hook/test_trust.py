"""The variables select the trusted roots, as TLS handshakes show."""

from __future__ import annotations

import pytest
import support


@pytest.mark.parametrize(
    ("variables", "trusted"),
    [
        ({"CERTHOOK_SOURCES": "system,bundled"}, {"system", "bundled", "both", "extra"}),
        ({"CERTHOOK_SOURCES": "system"}, {"system", "both", "extra"}),
        ({"CERTHOOK_SOURCES": "bundled"}, {"bundled", "both", "extra"}),
        ({"CERTHOOK_SOURCES": "system,bundled", "CERTHOOK_MODE": "fallback"}, {"system", "both", "extra"}),
        ({"CERTHOOK_SOURCES": "bundled,system", "CERTHOOK_MODE": "fallback"}, {"bundled", "both", "extra"}),
        # SSL_CERT_FILE replaces the system's store, and excludes the bundle unless it is named.
        ({"CERTHOOK_SOURCES": ""}, {"system", "both", "extra"}),
        # A typing error never widens trust.
        ({"CERTHOOK_SOURCES": "", "SSL_CERT_FILE": "/no/such/file", "SSL_CERT_DIR": ""}, {"extra"}),
        ({"CERTHOOK_SOURCES": "", "CERTHOOK_EXTRA_CA_CERTS": ""}, {"system", "both"}),
    ],
)
def test_the_variables_select_the_trusted_roots(installed, servers, machine, locations, variables, trusted) -> None:
    extra = {"CERTHOOK_EXTRA_CA_CERTS": str(machine / "extra.pem")}
    env = support.clean_env(**{**locations, **extra, **variables}, SERVERS=support.server_list(servers))
    done = support.run(installed, support.VERDICTS, env=env)
    assert support.verdicts(done.stdout) == {name: name in trusted for name in support.Authorities.names}
