"""httpx2 and httpcore2: real requests with each version of httpcore2's default context, and with choices of callers."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import support
from layouts import DEBIAN_OPENSSL, FEDORA_43

#: The first release, which used certifi; one with truststore; and the newest, which loads OpenSSL's paths.
RELEASES = {"2.0": "httpx2==2.0.0", "2.3": "httpx2==2.3.0", "newest": "httpx2"}
LAYOUTS = {"Debian": DEBIAN_OPENSSL, "Fedora, another OpenSSL": FEDORA_43, "empty container": {}}
SERVERS = ("system", "bundled", "extra", "stranger")

#: Prints the servers that the client trusts: synchronously and asynchronously.
PROGRAM = """
import asyncio, json, os, ssl, sys
import httpx2
FILE = os.environ["FILE"]
options = eval(f"dict({os.environ['OPTIONS']})")
async def fetch(url):
    async with httpx2.AsyncClient(timeout=60, **options) as client:
        return await client.get(url)
def is_trusted(request, url):
    try:
        return request(url).text == "hello"
    except httpx2.ConnectError as error:
        assert "unable to get local issuer certificate" in str(error), error
        return False
with httpx2.Client(timeout=60, **options) as client:
    clients = [client.get, lambda url: asyncio.run(fetch(url))]
    trusted = [
        [name for name, port in json.loads(os.environ["PORTS"]).items()
         if is_trusted(request, f"https://localhost:{port}/hello")]
        for request in clients
    ]
print(json.dumps(trusted))
"""


@pytest.fixture(scope="session")
def releases(once, pip_install, wheel) -> dict[str, Path]:
    """The interpreter of an environment with certhook for each of :data:`RELEASES`."""
    pythons = {}
    for name, requirement in RELEASES.items():
        with once(f"httpx2-{name}") as (directory, is_first):
            pythons[name] = support.interpreter_of(directory / "venv")
            if is_first:
                support.make_environment(directory / "venv")
                pip_install(pythons[name], wheel, requirement)
    return pythons


@pytest.fixture
def trusted(machine, releases, ports, cas, tmp_path):
    """A function that returns the servers that httpx2 trusts with the given options and variables."""
    (tmp_path / "private.pem").write_bytes(cas.pem("extra"))
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / support.hashed_name(cas.der("extra"))).write_bytes(cas.pem("extra"))

    def run(release: str, options: str = "", tree: dict = DEBIAN_OPENSSL, **variables: str) -> set[str]:
        python = releases[release]
        bundle = str(support.purelib(python) / "certifi" / "cacert.pem")
        names = {"PRIVATE": str(tmp_path / "private.pem"), "DIRECTORY": str(tmp_path / "private"), "CERTIFI": bundle}
        done = machine.run(
            python,
            PROGRAM,
            tree,
            tmp_path,
            over={bundle: machine.bundle} if os.path.exists(bundle) else {},
            **{name: names.get(value, value) for name, value in variables.items()},
            FILE=names["PRIVATE"],
            OPTIONS=options,
            PORTS=json.dumps({name: ports("https")[name] for name in SERVERS}),
        )
        assert "certhook" not in done.stderr.lower().replace("certhook-tests", ""), done.stderr
        synchronous, asynchronous = json.loads(done.stdout)
        assert synchronous == asynchronous
        return set(synchronous)

    return run


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("release", RELEASES)
def test_httpx2_has_default_trust(trusted, release, layout) -> None:
    tree = LAYOUTS[layout]
    stock = trusted(release, tree=tree, CERTHOOK_DISABLED="1")
    expected = {"bundled", "system"} if tree else {"bundled"}
    assert trusted(release, tree=tree) == expected
    assert stock <= expected
    if release != "2.0":
        assert "bundled" not in stock


#: The options of the client, the variables, and the servers that it trusts without certhook and with it.
CHOICES = {
    "an environment that is ignored": ("trust_env=False", {}, {"system"}, {"system", "bundled"}),
    "a file in a variable": ("", {"SSL_CERT_FILE": "PRIVATE"}, {"extra"}, {"extra"}),
    "a directory in a variable": ("", {"SSL_CERT_DIR": "DIRECTORY"}, {"extra"}, {"extra"}),
    "an ignored file in a variable": ("trust_env=False", {"SSL_CERT_FILE": "PRIVATE"}, {"system"}, {"system"}),
    "an ignored directory in a variable": ("trust_env=False", {"SSL_CERT_DIR": "DIRECTORY"}, {"system"}, {"system"}),
    "an empty variable": ("", {"SSL_CERT_FILE": ""}, {"system"}, {"system"}),
    "the bundle in a variable": ("", {"SSL_CERT_FILE": "CERTIFI"}, {"bundled"}, {"system", "bundled"}),
    "an extra root": ("", {"CERTHOOK_EXTRA_CA_CERTS": "PRIVATE"}, {"system"}, {"system", "bundled", "extra"}),
    "no hook": ("", {"CERTHOOK_CLIENTS": "none"}, {"system"}, {"system"}),
    "a context": ("verify=ssl.create_default_context(cafile=FILE)", {}, {"extra"}, {"extra"}),
    "no verification": ("verify=False", {}, set(SERVERS), set(SERVERS)),
}


@pytest.mark.parametrize("choice", CHOICES)
def test_choices_are_respected(trusted, choice) -> None:
    options, variables, stock, expected = CHOICES[choice]
    assert trusted("newest", options, CERTHOOK_DISABLED="1", **variables) == stock
    assert trusted("newest", options, **variables) == expected
