"""The tables of the comparison, with the real packages."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pages
import pytest
import support

PAGE = "explanation/comparison"
SOURCES = ("system", "bundled", "stranger")

PROGRAM = r"""
import sys
imported = "ssl" in sys.modules
import asyncio, json, os, ssl, time, urllib.request
if sys.argv[1:] == ["truststore"]:
    import truststore
    truststore.inject_into_ssl()
import certifi, requests

def default(port):
    urllib.request.urlopen(f"https://localhost:{port}/", timeout=20).close()

def streams(port):
    async def connect():
        _, writer = await asyncio.open_connection("localhost", port, ssl=ssl.create_default_context())
        writer.close()
    asyncio.run(connect())

def client(port):
    requests.get(f"https://localhost:{port}/", timeout=20)

def named(port):
    context = ssl.create_default_context(cafile=certifi.where())
    urllib.request.urlopen(f"https://localhost:{port}/", timeout=20, context=context).close()

def is_verified(connect, port):
    try:
        connect(int(port))
    except Exception as error:
        assert "CERTIFICATE_VERIFY_FAILED" in str(error), repr(error)
        return False
    return True

servers = dict(pair.split(":") for pair in os.environ["SERVERS"].split())
verified = {each.__name__: [name for name, port in servers.items() if is_verified(each, port)]
            for each in (default, streams, client, named)}

def cost():
    start = time.process_time()
    for _ in range(5):
        ssl.create_default_context()
    return time.process_time() - start

print(json.dumps({
    "verified": verified,
    "imported": imported,
    "is_replaced": ssl.SSLContext.__module__ != "ssl",
    "seconds": min(cost() for _ in range(3)),
}))
"""


@pytest.fixture(scope="module")
def found(
    tmp_path_factory: pytest.TempPathFactory, wheel: Path, pip_install, cas, servers
) -> dict[str, dict[str, Any]]:
    """The results of the program in each environment. The system's store contains as many roots as certifi's bundle."""
    directory = tmp_path_factory.mktemp("comparison")
    pythons = {}
    packages = {
        "certhook": (wheel, "requests", "truststore"),
        "pip-system-certs": ("requests", "truststore>=0.10", "pip-system-certs"),
    }
    for name, requirements in packages.items():
        pythons[name] = support.make_environment(directory / name)
        pip_install(pythons[name], *requirements)
        bundle = support.purelib(pythons[name]) / "certifi" / "cacert.pem"
        public = bundle.read_bytes()
        support.replace_recorded(support.purelib(pythons[name]), "certifi/cacert.pem", public + cas.pem("bundled"))
    (directory / "system.pem").write_bytes(public + cas.pem("system"))
    variables = {
        "SSL_CERT_FILE": str(directory / "system.pem"),
        "CERTHOOK_SOURCES": "system,bundled",
        "CERTHOOK_STORE_DIR": str(directory / "stores"),
        "SERVERS": " ".join(f"{name}:{servers.port(name)}" for name in SOURCES),
    }
    runs = {
        "Python alone": ("certhook", [], {"CERTHOOK_DISABLED": "1"}),
        "with truststore, injected by the program": ("certhook", ["truststore"], {"CERTHOOK_DISABLED": "1"}),
        "with pip-system-certs": ("pip-system-certs", [], {}),
        "with certhook": ("certhook", [], {}),
    }
    results = {}
    for title, (environment, arguments, changed) in runs.items():
        command = [str(pythons[environment]), "-W", "error", "-c", PROGRAM, *arguments]
        env = support.clean_env(**variables, **changed)
        done = subprocess.run(command, env=env, capture_output=True, encoding="utf-8", timeout=120)
        assert done.returncode == 0, done.stderr
        results[title] = json.loads(done.stdout)
    return results


def tables() -> list[dict[str, list[str]]]:
    """Return the rows of each table of the page: the other cells by the first one."""
    source = (pages.DOCS / f"{PAGE}.rst").read_text(encoding="utf-8")
    found = []
    for part in source.split(".. list-table::")[1:]:
        rows = re.findall(r"^   \* -(.*\n(?:     .*\n)+)", part, re.MULTILINE)
        cells = [[" ".join(cell.split()) for cell in re.split(r"^     - ", row, flags=re.MULTILINE)] for row in rows]
        found.append({first: others for first, *others in cells})
    return found


def test_each_environment_verifies_the_servers_in_the_table(found) -> None:
    expected = tables()[0]
    assert set(expected) == {"environment", *found}
    for title, result in found.items():
        verified = result["verified"]
        assert verified["default"] == verified["streams"], title
        columns = [verified["default"], verified["client"], verified["named"]]
        assert [", ".join(column).replace("bundled", "bundle") for column in columns] == expected[title], title


def test_the_properties_in_the_table_are_those_of_the_packages(found) -> None:
    order = ["with certhook", "with truststore, injected by the program", "with pip-system-certs"]
    properties = tables()[1]
    imports = [found[title]["imported"] for title in order]
    assert imports == [False, False, True]
    assert [cell.startswith("yes") for cell in properties["imports ``ssl`` at interpreter start"][:3]] == imports
    replaced = [found[title]["is_replaced"] for title in order]
    assert [cell == "yes" for cell in properties["replaces ``ssl.SSLContext``"][:3]] == replaced


def test_the_costs_of_contexts_have_the_stated_ratios(found) -> None:
    stock = found["Python alone"]["seconds"]
    assert found["with certhook"]["seconds"] < stock / 10
    for title in ("with truststore, injected by the program", "with pip-system-certs"):
        assert 0.3 < found[title]["seconds"] / stock < 3, title
