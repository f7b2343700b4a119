"""truststore, injected before and after certhook acts: its contexts have default trust, the chain, too."""

from __future__ import annotations

import sys

import pytest
from asking import BOTH, BUNDLED, HOOKED, NOBODY, STOCK, SYSTEM, expected

pytestmark = pytest.mark.skipif(sys.version_info < (3, 10), reason="truststore needs Python 3.10")

INJECT = "import truststore; truststore.inject_into_ssl()\n"
# What the .pth does, later: the program starts with certhook switched off.
INSTALL = "import os; os.environ.pop('CERTHOOK_DISABLED', None)\nimport certhook; certhook.install()\n"
CLIENTS = "default urllib requests truststore asyncio"
ASK = f"import ask; ask.say(*{CLIENTS!r}.split())\n"
EXTRACT = "import truststore; truststore.extract_from_ssl()\n"
UNINSTALL = "import certhook; certhook.uninstall()\n"

#: The order in which things happen, and whether the .pth acts.
ORDERS = {
    "injected": (INJECT, True),
    "injected after import ssl": (f"import ssl\n{INJECT}", True),
    "injected after a request": (f"import ask; ask.answers('default', 'requests')\n{INJECT}", True),
    "injected, then install()": (INJECT + INSTALL, False),
    "injected after import ssl, then install()": (f"import ssl\n{INJECT}{INSTALL}", False),
    "install(), then injected": (INSTALL + INJECT, False),
    "injected twice": (INJECT + INJECT, True),
}


@pytest.mark.parametrize("way", ["lazy", "eager"])
@pytest.mark.parametrize("order", ORDERS)
def test_injected_in_any_order_every_client_trusts_both(run, order, way) -> None:
    code, hooked = ORDERS[order]
    assert run(code + ASK, hooked=hooked, CERTHOOK_LOAD=way).trusted == expected(CLIENTS, BOTH)


@pytest.mark.parametrize("order", ORDERS)
def test_injected_in_any_order_the_class_is_truststores_and_the_wrappers_are_there_once(run, order) -> None:
    code, hooked = ORDERS[order]
    code += "import ask, ssl; print(ssl.SSLContext.__module__, type(ssl.create_default_context()) is ssl.SSLContext)\n"
    code += "print(ask.hooked())"
    assert run(code, hooked=hooked).told == ["truststore._api True", HOOKED]


@pytest.mark.parametrize("order", ORDERS)
def test_extracted_the_class_is_the_standard_librarys_and_every_client_trusts_both(run, order) -> None:
    code, hooked = ORDERS[order]
    code = f"import _ssl\n{code}{EXTRACT}{ASK}"
    code += "import ssl; assert ssl.SSLContext.__module__ == 'ssl' and ssl.SSLContext.__mro__[1] is _ssl._SSLContext\n"
    code += "assert type(ssl.create_default_context()) is ssl.SSLContext"
    assert run(code, hooked=hooked).trusted == expected(CLIENTS, BOTH)


#: What is done, and then is the same as without certhook.
UNDONE = {
    "extracted, then uninstalled": EXTRACT + UNINSTALL,
    "uninstalled, then extracted": UNINSTALL + EXTRACT,
    "uninstalled while injected": UNINSTALL,
}


@pytest.mark.parametrize("undone", UNDONE)
@pytest.mark.parametrize("order", ORDERS)
def test_uninstalled_everything_is_as_without_certhook(run, order, undone) -> None:
    code, hooked = ORDERS[order]
    after = f"{ASK}print('hooked', ask.hooked())"
    found = run(code + UNDONE[undone] + after, hooked=hooked).told
    told = run(code.replace(INSTALL, "") + UNDONE[undone].replace(UNINSTALL, "") + after, hooked=False).told
    assert found == told
    assert found[-1] == f"hooked {STOCK}"
    assert "bundled:yes" not in found[0], "so that this can tell with certhook from without"


#: The files of a machine, and whom truststore trusts on it with certhook and without.
STORE = "/etc/ssl/certs/ca-certificates.crt"
LAYOUTS = {
    "OpenSSL's own store": ("{OPENSSLDIR}/cert.pem", BOTH, SYSTEM),
    "a store that OpenSSL does not know": (STORE, BOTH, SYSTEM),
    "a store that neither OpenSSL nor truststore knows": ("/etc/pki/tls/certs/ca-bundle.crt", BOTH, NOBODY),
    "an empty container": (None, BUNDLED, NOBODY),
}


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("inject", ["", INJECT], ids=["by its class", "injected"])
def test_truststore_finds_default_trust_in_each_layout(machine, cas, neighbours, name, inject) -> None:
    path, trusted, _ = LAYOUTS[name]
    files = {path: cas.pem("system")} if path else {}
    found = machine(neighbours, inject + ASK, files)
    assert found.trusted == expected(CLIENTS, trusted)


@pytest.mark.parametrize("name", LAYOUTS)
def test_without_certhook_truststore_trusts_the_store_it_finds_alone(machine, cas, neighbours, name) -> None:
    path, _, trusted = LAYOUTS[name]
    files = {path: cas.pem("system")} if path else {}
    found = machine(neighbours, f"{INJECT}import ask; ask.say('default', 'truststore')", files, CERTHOOK_DISABLED="1")
    assert found.trusted == expected("default truststore", trusted)
