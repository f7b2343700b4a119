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

#: The requirements that select a release with the bundle, if the newest one of its package does not contain it.
REQUIREMENTS = {
    "aliyunsdkcore/vendored/requests/packages/certifi/cacert.pem": "aliyun-python-sdk-core",
    "algoliasearch/resources/ca-bundle.crt": "algoliasearch == 1.6.6",
    "conekta/ssl_data/ca_bundle.crt": "conekta == 2.6.1",
    "grpc/_cython/_credentials/roots.pem": "grpcio",
    "ibm_botocore/cacert.pem": "ibm-cos-sdk-core >= 2.10",
    "openai/data/ca-certificates.crt": "openai == 0.6.0",
    "requests/cacert.pem": "requests < 2.16",
    "twilio/conf/cacert.pem": "twilio < 6",
    "txclib/cacert.pem": "transifex-client == 0.12.5",
}

#: The requirements that select old releases, if the newest release contains another bundle.
OLD_REQUIREMENTS = {
    "botocore/vendored/requests/cacert.pem": "botocore == 1.8.50",
    "pipenv/patched/notpip/_vendor/certifi/cacert.pem": "pipenv == 2021.11.23",
    "pipenv/vendor/certifi/cacert.pem": "pipenv == 2021.11.23",
    "shotgun_api3/lib/httplib2/python3/cacerts.txt": "shotgun_api3 == 3.2.4",
}

#: Files with the roots that a vendor chose for its own servers.
PINS = {
    "braintree/ssl/api_braintreegateway_com.ca.crt": "braintree",
    "coinbase/wallet/ca-coinbase.crt": "coinbase",
    "dropbox/trusted-certs.crt": "dropbox == 10.10.0",
    "duo_client/ca_certs.pem": "duo_client",
    "newrelic/common/cacert.pem": "newrelic == 10.17.0",
    "stripe/data/ca-certificates.crt": "stripe",
}

#: Loads each file like requests and urllib3 do, and like httplib2 and urlopen() do.
CODE = """
import ssl, sys
import probe

def by_method(path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(path)
    return context

for file in sys.argv[2:]:
    for make in by_method, lambda path: ssl.create_default_context(cafile=path):
        context = make(f"{sys.argv[1]}/{file}")
        client = lambda port: probe.handshake(port, context)
        client.__name__ = file
        probe.print_verdicts(client)
"""


@pytest.fixture(scope="session")
def sites(once, neighbours, pip_install):
    """Install the packages without dependencies, and return the directory of the newest releases and of old ones."""
    newest = {REQUIREMENTS.get(file, file.partition("/")[0]) for file in BUNDLES if file not in OLD_REQUIREMENTS}
    requirements = {"newest": newest.union(PINS.values()), "old": set(OLD_REQUIREMENTS.values())}
    with once("public-bundles") as (directory, is_first):
        for name in requirements if is_first else ():
            options = ("--no-deps", "--prefer-binary", "--no-compile", "--target", directory / name)
            pip_install(neighbours, *options, *sorted(requirements[name]))
    return directory / "newest", directory / "old"


@pytest.fixture(scope="session")
def path_of(sites):
    """Return the path of a file in :data:`BUNDLES` or :data:`PINS`."""
    return lambda file: sites[file in OLD_REQUIREMENTS] / file


@pytest.fixture(scope="session")
def verdicts(sites, run, tmp_path_factory):
    """For each file, the verdicts of the contexts that load it, with certhook and without."""
    program = tmp_path_factory.mktemp("program") / "program.py"
    program.write_text(CODE)
    found = {True: {}, False: {}}
    newest = [file for file in (*BUNDLES, *PINS) if file not in OLD_REQUIREMENTS]
    for site, files in zip(sites, (newest, list(OLD_REQUIREMENTS))):
        for hooked, trust_by_file in found.items():
            result = run(program, site, *files, hooked=hooked, PYTHONPATH=str(site))
            for file, trust in result.verdicts:
                trust_by_file.setdefault(file, []).append(trust)
    return found


def roots(path: Path) -> list[str]:
    blocks = re.findall(b"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", path.read_bytes(), re.DOTALL)
    return [hashlib.sha256(ssl.PEM_cert_to_DER_cert(block.decode())).hexdigest() for block in blocks]


@pytest.mark.parametrize("bundle", BUNDLES)
def test_a_public_bundle_of_a_real_package_is_adopted(path_of, verdicts, bundle) -> None:
    found = roots(path_of(bundle))
    mozillas = {*roots(Path(certifi.where())), *REMOVED_ROOTS}
    # httplib2's was created in 2013 without the roots that certifi has removed since.
    assert len(found) >= (70 if bundle.endswith("/cacerts.txt") else 90)
    assert len(mozillas.intersection(found)) > 0.9 * len(found)
    assert verdicts[False][bundle] == [runner.NEITHER] * 2
    assert verdicts[True][bundle] == [runner.SYSTEM] * 2


@pytest.mark.parametrize("pin", PINS)
def test_a_vendors_own_choice_of_roots_is_not_adopted(path_of, verdicts, pin) -> None:
    assert 0 < len(roots(path_of(pin))) < 50
    assert verdicts[True][pin] == [runner.NEITHER] * 2
