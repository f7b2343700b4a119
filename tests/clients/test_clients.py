"""The roots that popular Python clients trust: real requests to servers of different CAs, with several layouts.

The CA "system" is only in the operating system's store, "bundled" is only in certifi's bundle, and
"stranger" is in neither. certhook's table of libraries states the expected roots.
"""

from __future__ import annotations

import re
from pathlib import Path

import client_table
import pytest
from client_table import CLIENTS, library_of, stock_roots
from layouts import DEBIAN, FEDORA_43

from certhook.cli._library_table import ADOPTION, DEFAULT, HOOK, LIBRARIES, OPTION

#: The files of the operating system's store, and the roots of the default trust with these files. The interpreter's
#: OpenSSL belongs to none of these systems.
LAYOUTS = {
    "Debian": (DEBIAN, {"system", "bundled"}),
    "Fedora": (FEDORA_43, {"system", "bundled"}),
    "empty container": ({}, {"bundled"}),
}
REACHED = (DEFAULT, ADOPTION, HOOK)
#: The layouts of a client: Debian's, and one of the others in turn.
LAYOUTS_OF = {
    name: ("Debian", "Fedora" if number % 2 else "empty container") for number, name in enumerate(sorted(CLIENTS))
}
#: Libraries with a TLS implementation of their own, which test_run_env.py tests.
NATIVE = client_table.native_libraries()


def clients_with(*mechanisms: str) -> list[str]:
    return [name for name in CLIENTS if library_of(name).mechanism in mechanisms]


def default_trust(name: str) -> tuple[str, str, str]:
    """Return the case for the default trust and the servers of all CAs."""
    return CLIENTS[name].default, "", "system bundled stranger"


@pytest.mark.parametrize(
    ("name", "layout"), [(name, layout) for name in clients_with(*REACHED) for layout in LAYOUTS_OF[name]]
)
def test_a_client_trusts_the_roots_of_the_system_and_of_the_bundle(trusted_servers, name, layout) -> None:
    tree, expected = LAYOUTS[layout]
    assert trusted_servers(name, default_trust(name), tree=tree) == [expected]


@pytest.mark.parametrize("name", CLIENTS)
def test_the_roots_depend_on_the_client_without_certhook(trusted_servers, name) -> None:
    """The comparison with the previous test shows the effect of certhook."""
    expected = stock_roots(name)
    assert trusted_servers(name, default_trust(name), CERTHOOK_DISABLED="1") == [expected]


@pytest.mark.parametrize(
    ("name", "layout"),
    [(name, layout) for name in CLIENTS if name not in clients_with(*REACHED) for layout in LAYOUTS_OF[name]],
)
def test_a_client_that_certhook_does_not_reach_is_unchanged(trusted_servers, name, layout) -> None:
    tree, _ = LAYOUTS[layout]
    stock = trusted_servers(name, default_trust(name), tree=tree, CERTHOOK_DISABLED="1")
    assert trusted_servers(name, default_trust(name), tree=tree) == stock


@pytest.mark.parametrize("name", clients_with(ADOPTION))
def test_a_client_trusts_only_its_own_bundle_if_certhook_adopts_no_bundle(trusted_servers, name) -> None:
    expected = stock_roots(name)
    assert trusted_servers(name, default_trust(name), CERTHOOK_ADOPT="none") == [expected]


@pytest.mark.parametrize("name", clients_with(HOOK))
def test_a_client_with_a_hook_trusts_only_its_own_roots_without_the_hook(trusted_servers, name) -> None:
    expected = stock_roots(name)
    # The request of requests is adopted, whether or not it uses pyOpenSSL.
    variables = {"CERTHOOK_CLIENTS": "none", "CERTHOOK_ADOPT": "none"}
    assert trusted_servers(name, default_trust(name), **variables) == [expected]


@pytest.mark.parametrize("variable", ["CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
@pytest.mark.parametrize("name", clients_with(OPTION))
def test_no_variable_reaches_a_client_that_has_only_an_option(trusted_servers, cas, tmp_path, name, variable) -> None:
    file = tmp_path / "stranger.pem"
    file.write_bytes(cas.pem("stranger"))
    variables = {variable: str(file), "CERTHOOK_DISABLED": "1"}
    assert trusted_servers(name, default_trust(name), **variables) == [stock_roots(name)]


def test_every_library_in_the_table_is_tested() -> None:
    tested = {library_of(name).name for name in CLIENTS}
    assert tested | {library.name for library in NATIVE} == {library.name for library in LIBRARIES}
    text = Path(__file__).with_name("test_run_env.py").read_text(encoding="utf-8").lower()
    names = [library.project.lower() for library in NATIVE]
    assert [name for name in names if not {name, name.replace("-", "_")} & set(re.findall(r"[\w-]+", text))] == []
