"""The public bundles in certhook's table exist in real packages, which pass them to Python's ssl."""

from __future__ import annotations

import hashlib
import re
import ssl
from pathlib import Path

import certifi
import pytest
import runner

from certhook._public_bundles import BUNDLES
from certhook._sources.removed_roots import REMOVED_ROOTS

#: A requirement that selects a release with the bundle, if the newest one of the package does not contain it.
REQUIREMENTS = {
    "aliyunsdkcore/vendored/requests/packages/certifi/cacert.pem": "aliyun-python-sdk-core",
    "algoliasearch/resources/ca-bundle.crt": "algoliasearch == 1.6.6",
    "botocore/vendored/requests/cacert.pem": "botocore == 1.8.50",
    "conekta/ssl_data/ca_bundle.crt": "conekta == 2.6.1",
    "ibm_botocore/cacert.pem": "ibm-cos-sdk-core >= 2.10",
    "openai/data/ca-certificates.crt": "openai == 0.6.0",
    "pipenv/patched/notpip/_vendor/certifi/cacert.pem": "pipenv == 2021.11.23",
    "pipenv/vendor/certifi/cacert.pem": "pipenv == 2021.11.23",
    "requests/cacert.pem": "requests < 2.16",
    "shotgun_api3/lib/httplib2/python3/cacerts.txt": "shotgun_api3 == 3.2.4",
    "twilio/conf/cacert.pem": "twilio < 6",
    "txclib/cacert.pem": "transifex-client == 0.12.5",
}

#: Files with the roots that a vendor chose for its own servers.
PINS = {
    "braintree": "braintree/ssl/api_braintreegateway_com.ca.crt",
    "coinbase": "coinbase/wallet/ca-coinbase.crt",
    "dropbox == 10.10.0": "dropbox/trusted-certs.crt",
    "duo_client": "duo_client/ca_certs.pem",
    "newrelic == 10.17.0": "newrelic/common/cacert.pem",
    "stripe": "stripe/data/ca-certificates.crt",
}

#: The contexts of requests and urllib3, of httplib2, and of urlopen().
CODE = """
import ssl, sys
import probe

def load_verify_locations(port):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(sys.argv[1])
    return probe.handshake(port, context)

def create_default_context(port):
    return probe.handshake(port, ssl.create_default_context(cafile=sys.argv[1]))

probe.print_verdicts(load_verify_locations, create_default_context)
"""
CLIENTS = "load_verify_locations create_default_context"


@pytest.fixture(scope="session")
def install(once, neighbours, pip_install):
    """Install a requirement without its dependencies in a directory of its own, and return that directory."""

    def install(requirement: str) -> Path:
        with once(f"package-{re.sub('[^a-z0-9]+', '-', requirement)}") as (directory, is_first):
            if is_first:
                options = ("--no-deps", "--prefer-binary", "--no-compile", "--target", directory / "site")
                pip_install(neighbours, *options, requirement)
        return directory / "site"

    return install


@pytest.fixture
def connect(tmp_path, neighbours, run):
    """Return the verdicts of contexts that load *file* of a package in *site*."""

    def connect(site: Path, file: str, **kwargs: object) -> list[tuple[str, dict[str, bool]]]:
        program = tmp_path / "program.py"
        program.write_text(CODE)
        return run(program, site / file, PYTHONPATH=str(site), **kwargs).verdicts

    return connect


def roots(path: Path) -> list[str]:
    blocks = re.findall(b"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", path.read_bytes(), re.DOTALL)
    return [hashlib.sha256(ssl.PEM_cert_to_DER_cert(block.decode())).hexdigest() for block in blocks]


@pytest.mark.parametrize("bundle", BUNDLES)
def test_a_public_bundle_of_a_real_package_is_adopted(install, connect, bundle) -> None:
    site = install(REQUIREMENTS.get(bundle, bundle.partition("/")[0]))
    found = roots(site / bundle)
    mozillas = {*roots(Path(certifi.where())), *REMOVED_ROOTS}
    # httplib2's was created in 2013 without the roots that certifi has removed since.
    assert len(found) >= (70 if bundle.endswith("/cacerts.txt") else 100)
    assert len(mozillas.intersection(found)) > 0.9 * len(found)
    assert connect(site, bundle, hooked=False) == runner.expected(CLIENTS, runner.NEITHER)
    assert connect(site, bundle) == runner.expected(CLIENTS, runner.SYSTEM)


@pytest.mark.parametrize("requirement", PINS)
def test_a_vendors_own_choice_of_roots_is_not_adopted(install, connect, requirement) -> None:
    site = install(requirement)
    assert 0 < len(roots(site / PINS[requirement])) < 50
    assert connect(site, PINS[requirement]) == runner.expected(CLIENTS, runner.NEITHER)
