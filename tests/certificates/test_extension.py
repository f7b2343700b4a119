"""The description of a certificate contains its extensions, and no certificate raises an exception."""

from __future__ import annotations

import ipaddress
from types import SimpleNamespace

import certifi
import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st
from pki import Issued, issue

from certhook._certificates import container, extension, pem
from certhook.cli.inspect.certificate import Trust, describe, display_name, lines

HOSTS = ("www.example.org", "*.example.org", "10.0.0.1", "2001:db8::1")
NOTHING = Trust(SimpleNamespace(distrusted=(), blocklisted=(), excluded=(), anchors=()))  # type: ignore[arg-type]


def _purposes(*names: str) -> dict[type[x509.ExtensionType], tuple[x509.ExtensionType, bool]]:
    usages = x509.oid.ExtendedKeyUsageOID
    return {x509.ExtendedKeyUsage: (x509.ExtendedKeyUsage([getattr(usages, name) for name in names]), False)}


@pytest.fixture(scope="module")
def server() -> Issued:
    """A certificate with every kind of host name."""
    return issue("Server", hosts=HOSTS)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_the_extensions_of_public_roots_are_those_that_cryptography_reads() -> None:
    with open(certifi.where(), "rb") as file:
        entries, _ = pem.parse(file.read())
    for entry in entries:
        found = extension.Extensions(entry.der)
        expected = x509.load_der_x509_certificate(entry.der).extensions
        assert found.is_ca == expected.get_extension_for_class(x509.BasicConstraints).value.ca
        assert found.hosts == []
    assert len(entries) > 50


def test_host_names_and_addresses_are_read(server: Issued) -> None:
    found = extension.Extensions(server.der)
    assert set(found.hosts) == {*HOSTS[:2], *(str(ipaddress.ip_address(host)) for host in HOSTS[2:])}
    assert not found.is_ca


@pytest.mark.parametrize(
    "names, expected",
    [
        (("SERVER_AUTH",), "server"),
        (("CLIENT_AUTH",), "client"),
        (("CLIENT_AUTH", "SERVER_AUTH"), "server"),
        (("ANY_EXTENDED_KEY_USAGE",), "server"),
        (("CODE_SIGNING",), "other"),
    ],
)
def test_the_kind_depends_on_the_purposes(names: tuple[str, ...], expected: str) -> None:
    root = issue("Root", ca=True)
    certificate = issue("Name", root, changed=_purposes(*names))
    assert describe(certificate.der, NOTHING)["kind"] == expected


def test_an_intermediate_is_no_root() -> None:
    certificate = issue("Intermediate", issue("Root", ca=True), ca=True)
    assert describe(certificate.der, NOTHING)["kind"] == "CA"


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_modified_certificate_is_described_without_an_exception(server: Issued, data: st.DataObject) -> None:
    changed = bytearray(server.der)
    for _ in range(data.draw(st.integers(1, 6))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    for der in container.valid([bytes(changed)]):
        for line in lines([describe(der, NOTHING)]):
            assert line.isprintable()


@pytest.mark.parametrize(
    "name, expected",
    [
        ("CN=Root,O=Company", "Root (Company)"),
        ("O=Company,CN=Root", "Root (Company)"),
        ("CN=Company Root,O=Company", "Company Root"),
        ("OU=Unit,O=Company", "Company (Unit)"),
        (r"CN=A\, B\+C,O=D", "A, B+C (D)"),
        (r"CN=Root\0A,C=DE", r"Root\0A"),
        ("C=DE", "C=DE"),
        ("", "(no name)"),
        ("#3000", "#3000"),
    ],
)
def test_a_name_is_shown_as_its_common_name_and_organization(name: str, expected: str) -> None:
    assert display_name(name) == expected
