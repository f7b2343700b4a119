"""OpenSSL applies the trust settings of a ``TRUSTED CERTIFICATE`` with certhook as in the files that contain it."""

from __future__ import annotations

import der
import pytest
from oracle import PYTHONS, REJECTED, VERIFIED, Codes, Scenario
from pki import Issued, issue
from support import hashed_name

ROOT = issue("the root", ca=True)
ISSUING = issue("issuing CA", ROOT, ca=True)
CHAIN = [issue("localhost", ISSUING), ISSUING]
LEAF_OF_ROOT = [issue("localhost", ROOT)]

REJECTS_SERVERS = {"rejected": [der.SERVERS]}
TRUSTS_CLIENTS = {"trusted": [der.CLIENTS]}
TRUSTS_SERVERS = {"trusted": [der.SERVERS]}


def trusted(issued: Issued, **settings: list[str]) -> bytes:
    """Return a ``TRUSTED CERTIFICATE`` with these lists of purposes."""
    return der.pem(issued.der + der.auxiliary(**settings), "TRUSTED CERTIFICATE")


def with_name(issued: Issued) -> bytes:
    """Return a ``TRUSTED CERTIFICATE`` with an alias and a key identifier, and without lists."""
    auxiliary = der.element(der.SEQUENCE, der.element(0x0C, b"alias"), der.element(0x04, b"key"))
    return der.pem(issued.der + auxiliary, "TRUSTED CERTIFICATE")


SCENARIOS = {
    "intermediate rejected": Scenario(CHAIN, ROOT.pem + trusted(ISSUING, **REJECTS_SERVERS)),
    "intermediate rejected, before the root": Scenario(CHAIN, trusted(ISSUING, **REJECTS_SERVERS) + ROOT.pem),
    "intermediate for clients": Scenario(CHAIN, ROOT.pem + trusted(ISSUING, **TRUSTS_CLIENTS)),
    "intermediate for nothing": Scenario(CHAIN, ROOT.pem + trusted(ISSUING, trusted=[])),
    "intermediate rejected for any purpose": Scenario(CHAIN, ROOT.pem + trusted(ISSUING, rejected=[der.ANY])),
    "intermediate rejected for clients": Scenario(CHAIN, ROOT.pem + trusted(ISSUING, rejected=[der.CLIENTS])),
    "intermediate trusted, without the root": Scenario(CHAIN, trusted(ISSUING, **TRUSTS_SERVERS)),
    "intermediate trusted for mail": Scenario(CHAIN, trusted(ISSUING, trusted=[der.MAIL])),
    "intermediate trusted and rejected": Scenario(
        CHAIN, ROOT.pem + trusted(ISSUING, trusted=[der.SERVERS], rejected=[der.SERVERS])
    ),
    "root rejected": Scenario(LEAF_OF_ROOT, trusted(ROOT, **REJECTS_SERVERS)),
    "root for clients": Scenario(LEAF_OF_ROOT, trusted(ROOT, **TRUSTS_CLIENTS)),
    "root trusted": Scenario(LEAF_OF_ROOT, trusted(ROOT, **TRUSTS_SERVERS)),
    "root with a name": Scenario(LEAF_OF_ROOT, with_name(ROOT)),
    "in a directory": Scenario(
        CHAIN,
        hashed={
            hashed_name(ROOT.der): ROOT.pem,
            hashed_name(ISSUING.der): trusted(ISSUING, **REJECTS_SERVERS),
        },
    ),
    "for clients, then without settings": Scenario(LEAF_OF_ROOT, trusted(ROOT, **TRUSTS_CLIENTS) + ROOT.pem),
    "without settings, then for clients": Scenario(LEAF_OF_ROOT, ROOT.pem + trusted(ROOT, **TRUSTS_CLIENTS)),
    "rejected, then without settings": Scenario(LEAF_OF_ROOT, trusted(ROOT, **REJECTS_SERVERS) + ROOT.pem),
    "without settings, then rejected": Scenario(LEAF_OF_ROOT, ROOT.pem + trusted(ROOT, **REJECTS_SERVERS)),
    "file: for clients, directory: without settings": Scenario(
        LEAF_OF_ROOT, trusted(ROOT, **TRUSTS_CLIENTS), {hashed_name(ROOT.der): ROOT.pem}
    ),
    "two of one name": Scenario(LEAF_OF_ROOT, trusted(ROOT, **REJECTS_SERVERS) + issue("the root", ca=True).pem),
}


@pytest.fixture(scope="module")
def codes(tmp_path_factory: pytest.TempPathFactory) -> Codes:
    return Codes(tmp_path_factory.mktemp("settings"), SCENARIOS)


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_the_result_is_that_of_stock_python(name, python, codes) -> None:
    for stock, certhook in codes.of(python, name):
        # A rejection in any location applies, even if OpenSSL ignores the second listing.
        assert certhook == (REJECTED if name == "without settings, then rejected" else stock)


@pytest.mark.parametrize("python", PYTHONS)
def test_stock_python_applies_the_settings(python, codes) -> None:
    """Otherwise, the tests above could not fail."""
    expected = {"intermediate rejected": REJECTED, "intermediate for clients": REJECTED, "root trusted": VERIFIED}
    assert {name: codes.of(python, name)[0][0] for name in expected} == expected
