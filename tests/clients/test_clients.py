"""Whom the clients trust that Python's users have: real requests, by which root the server was given, and by layout.

"system" is a root of the operating system's store alone, "bundled" one of
certifi's bundle alone, and "stranger" one that is in neither.
"""

from __future__ import annotations

import pytest
from table import CLIENTS, NIQUESTS
from test_layouts import DEBIANS_OWN, FEDORA_43

#: The files of the operating system's store, and the roots that default trust has with them.
LAYOUTS = {
    "Debian": (DEBIANS_OWN, {"system", "bundled"}),
    "Fedora, another OpenSSL": (FEDORA_43, {"system", "bundled"}),
    "an empty container": ({}, {"bundled"}),
}
NAMES_A_BUNDLE = [name for name, client in CLIENTS.items() if "system" not in client.bare]


def default(name: str) -> tuple[str, str, str]:
    """A case: default trust, and a server for each place that a root can be in."""
    return CLIENTS[name].default, "", "system bundled stranger"


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_trusts_the_systems_roots_and_the_bundles(ask, name, layout) -> None:
    tree, trusted = LAYOUTS[layout]
    assert ask(CLIENTS[name], default(name), tree=tree) == [trusted]


@pytest.mark.parametrize("name", CLIENTS)
def test_without_certhook_it_depends_on_the_client(ask, name) -> None:
    """What certhook adds is the difference to the above."""
    assert ask(CLIENTS[name], default(name), CERTHOOK_DISABLED="1") == [set(CLIENTS[name].bare.split())]


@pytest.mark.parametrize("name", NAMES_A_BUNDLE)
def test_adopting_no_bundle_leaves_a_client_what_it_names(ask, name) -> None:
    assert ask(CLIENTS[name], default(name), CERTHOOK_ADOPT="none") == [set(CLIENTS[name].bare.split())]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_client_that_gathers_roots_itself_keeps_to_them(ask, layout) -> None:
    """niquests reads the files of the system; its bundle is a copy of its own, and only used where these are none."""
    tree, trusted = LAYOUTS[layout]
    case = ("", "", "system bundled stranger")
    assert ask(NIQUESTS, case, tree=tree, where="niquests") == [trusted - {"bundled"}]
