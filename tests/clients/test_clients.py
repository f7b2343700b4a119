"""The roots that popular Python clients trust: real requests to servers of different CAs, with several layouts.

The CA "system" is only in the operating system's store, "bundled" is only in certifi's bundle, and
"stranger" is in neither.
"""

from __future__ import annotations

import pytest
from client_table import CLIENTS
from layouts import DEBIAN_OPENSSL, FEDORA_43

#: The files of the operating system's store, and the roots of the default trust with these files.
LAYOUTS = {
    "Debian": (DEBIAN_OPENSSL, {"system", "bundled"}),
    "Fedora, another OpenSSL": (FEDORA_43, {"system", "bundled"}),
    "empty container": ({}, {"bundled"}),
}
#: The clients that load a bundle instead of the system's store.
BUNDLE_CLIENTS = [name for name, client in CLIENTS.items() if "system" not in client.stock_roots]


def default_trust(name: str) -> tuple[str, str, str]:
    """Return the case for the default trust and the servers of all CAs."""
    return CLIENTS[name].default, "", "system bundled stranger"


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_trusts_the_roots_of_the_system_and_of_the_bundle(trusted_servers, name, layout) -> None:
    tree, expected = LAYOUTS[layout]
    assert trusted_servers(CLIENTS[name], default_trust(name), tree=tree) == [expected]


@pytest.mark.parametrize("name", CLIENTS)
def test_the_roots_depend_on_the_client_without_certhook(trusted_servers, name) -> None:
    """The comparison with the previous test shows the effect of certhook."""
    expected = set(CLIENTS[name].stock_roots.split())
    assert trusted_servers(CLIENTS[name], default_trust(name), CERTHOOK_DISABLED="1") == [expected]


@pytest.mark.parametrize("name", BUNDLE_CLIENTS)
def test_a_client_trusts_only_its_own_bundle_if_certhook_adopts_no_bundle(trusted_servers, name) -> None:
    expected = set(CLIENTS[name].stock_roots.split())
    assert trusted_servers(CLIENTS[name], default_trust(name), CERTHOOK_ADOPT="none") == [expected]
