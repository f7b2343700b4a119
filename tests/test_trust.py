"""The trust set: which root is trusted because of which variable, by real handshakes."""

from __future__ import annotations

from pathlib import Path

import pytest
import support


@pytest.fixture
def places(tmp_path: Path, cas: support.Authorities) -> dict[str, str]:
    """Variables that stand for a system's store and a bundle of the tests' own."""
    (tmp_path / "system.pem").write_bytes(cas.pem("system", "both"))
    (tmp_path / "bundle.pem").write_bytes(cas.pem("bundled", "both"))
    (tmp_path / "extra.pem").write_bytes(cas.pem("extra"))
    return {
        "SSL_CERT_FILE": str(tmp_path / "system.pem"),
        "SSL_CERT_DIR": str(tmp_path / "none"),
        "CERTHOOK_BUNDLE": str(tmp_path / "bundle.pem"),
        "CERTHOOK_EXTRA_CA_CERTS": str(tmp_path / "extra.pem"),
    }


@pytest.mark.parametrize(
    ("variables", "trusted"),
    [
        ({"CERTHOOK_SOURCES": "system,bundled"}, {"system", "bundled", "both", "extra"}),
        ({"CERTHOOK_SOURCES": "system"}, {"system", "both", "extra"}),
        ({"CERTHOOK_SOURCES": "bundled"}, {"bundled", "both", "extra"}),
        ({"CERTHOOK_SOURCES": "system,bundled", "CERTHOOK_MODE": "fallback"}, {"system", "both", "extra"}),
        ({"CERTHOOK_SOURCES": "bundled,system", "CERTHOOK_MODE": "fallback"}, {"bundled", "both", "extra"}),
        # SSL_CERT_FILE says what to trust: the bundle stays out unless it is named.
        ({}, {"system", "both", "extra"}),
        # A typing mistake never widens trust.
        ({"SSL_CERT_FILE": "/no/such/file"}, {"extra"}),
        ({"CERTHOOK_EXTRA_CA_CERTS": ""}, {"system", "both"}),
    ],
)
def test_variables_decide(installed, servers, places, variables, trusted) -> None:
    env = support.clean_env(**{**places, **variables}, SERVERS=support.server_list(servers))
    done = support.run(installed, support.VERDICTS, env=env)
    assert support.verdicts(done.stdout) == {name: name in trusted for name in support.Authorities.names}
