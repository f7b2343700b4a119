"""truststore, injected before and after certhook is activated: its contexts also get default trust."""

from __future__ import annotations

import sys

import pytest
from runner import BOTH, BUNDLED, HOOKED, INSTALL, NEITHER, STOCK, SYSTEM, expected

pytestmark = pytest.mark.skipif(sys.version_info < (3, 10), reason="truststore needs Python 3.10")

INJECT = "import truststore; truststore.inject_into_ssl()\n"
CLIENTS = "default urllib requests truststore asyncio"
PRINT_VERDICTS = f"import probe; probe.print_verdicts(*{CLIENTS!r}.split())\n"
EXTRACT = "import truststore; truststore.extract_from_ssl()\n"
UNINSTALL = "import certhook; certhook.uninstall()\n"

#: The order of injection and activation, and whether the .pth activates certhook.
ORDERS = {
    "injected": (INJECT, True),
    "injected after import ssl": (f"import ssl\n{INJECT}", True),
    "injected after a request": (f"import probe; probe.verdicts('default', 'requests')\n{INJECT}", True),
    "injected, then install()": (INJECT + INSTALL, False),
    "injected after import ssl, then install()": (f"import ssl\n{INJECT}{INSTALL}", False),
    "install(), then injected": (INSTALL + INJECT, False),
    "injected twice": (INJECT + INJECT, True),
}


@pytest.mark.parametrize("load", ["lazy", "eager"])
@pytest.mark.parametrize("order", ORDERS)
def test_after_injection_in_any_order_every_client_trusts_both(run, order, load) -> None:
    code, hooked = ORDERS[order]
    assert run(code + PRINT_VERDICTS, hooked=hooked, CERTHOOK_LOAD=load).verdicts == expected(CLIENTS, BOTH)


@pytest.mark.parametrize("order", ORDERS)
def test_after_injection_in_any_order_truststores_class_is_in_place_and_wrapped_once(run, order) -> None:
    code, hooked = ORDERS[order]
    code += (
        "import probe, ssl; print(ssl.SSLContext.__module__, type(ssl.create_default_context()) is ssl.SSLContext)\n"
    )
    code += "print(probe.hook_counts())"
    assert run(code, hooked=hooked).output == ["truststore._api True", HOOKED]


@pytest.mark.parametrize("order", ORDERS)
def test_after_extraction_the_original_class_is_in_place_and_every_client_trusts_both(run, order) -> None:
    code, hooked = ORDERS[order]
    code = f"import _ssl\n{code}{EXTRACT}{PRINT_VERDICTS}"
    code += "import ssl; assert ssl.SSLContext.__module__ == 'ssl' and ssl.SSLContext.__mro__[1] is _ssl._SSLContext\n"
    code += "assert type(ssl.create_default_context()) is ssl.SSLContext"
    assert run(code, hooked=hooked).verdicts == expected(CLIENTS, BOTH)


#: The order of extraction and uninstallation.
REMOVALS = {
    "extracted, then uninstalled": EXTRACT + UNINSTALL,
    "uninstalled, then extracted": UNINSTALL + EXTRACT,
    "uninstalled while injected": UNINSTALL,
}


@pytest.mark.parametrize("removal", REMOVALS)
@pytest.mark.parametrize("order", ORDERS)
def test_after_uninstall_every_client_behaves_as_without_certhook(run, order, removal) -> None:
    code, hooked = ORDERS[order]
    after = f"{PRINT_VERDICTS}print('hooked', probe.hook_counts())"
    lines = run(code + REMOVALS[removal] + after, hooked=hooked).output
    stock = run(code.replace(INSTALL, "") + REMOVALS[removal].replace(UNINSTALL, "") + after, hooked=False).output
    assert lines == stock
    assert lines[-1] == f"hooked {STOCK}"
    assert "bundled:yes" not in lines[0], "the output is the same with and without certhook"


#: The location of a machine's store, and the trust of truststore with and without certhook.
STORE = "/etc/ssl/certs/ca-certificates.crt"
LAYOUTS = {
    "OpenSSL's own store": ("{OPENSSLDIR}/cert.pem", BOTH, SYSTEM),
    "a store unknown to OpenSSL": (STORE, BOTH, SYSTEM),
    "a store unknown to OpenSSL and truststore": ("/etc/pki/tls/certs/ca-bundle.crt", BOTH, NEITHER),
    "an empty container": (None, BUNDLED, NEITHER),
}


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("inject", ["", INJECT], ids=["used directly", "injected"])
def test_truststore_gets_default_trust_in_each_layout(machine, cas, neighbours, name, inject) -> None:
    path, trusted, _ = LAYOUTS[name]
    files = {path: cas.pem("system")} if path else {}
    result = machine(neighbours, inject + PRINT_VERDICTS, files)
    assert result.verdicts == expected(CLIENTS, trusted)


@pytest.mark.parametrize("name", LAYOUTS)
def test_without_certhook_truststore_trusts_only_the_store_that_it_finds(machine, cas, neighbours, name) -> None:
    path, _, trusted = LAYOUTS[name]
    files = {path: cas.pem("system")} if path else {}
    result = machine(
        neighbours, f"{INJECT}import probe; probe.print_verdicts('default', 'truststore')", files, CERTHOOK_DISABLED="1"
    )
    assert result.verdicts == expected("default truststore", trusted)
