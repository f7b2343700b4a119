"""Pyodide in node.js: as in browsers, its ssl module is a stub without TLS.

A program may import ssl and create contexts, which some libraries do when they are imported.
certhook must not change their behaviour and must not print anything.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import support
from embedded_support import IMPORT_AUTO, MACHINE_ENVIRON

#: Starts Python, mounts the directory PACKAGES at MOUNT_POINT or, if that is empty, at site-packages, and runs CODE.
START = """
const {loadPyodide} = await import("pyodide");
const python = await loadPyodide({
    env: {HOME: "/home", ...JSON.parse(process.env.VARIABLES)},
    fsInit: async (FS, {sitePackages}) => {
        const mountPoint = process.env.MOUNT_POINT || sitePackages;
        FS.mkdirTree(mountPoint);
        FS.mount(FS.filesystems.NODEFS, {root: process.env.PACKAGES}, mountPoint);
    },
});
python.runPython(process.env.CODE);
"""

#: Prints the state of a default context and the error for an attempt to use TLS.
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
    tls = "available"
observed = [attributes, context.get_ca_certs(), context.cert_store_stats(), ssl.get_default_verify_paths(), tls]
import certhook
print(json.dumps([certhook.is_installed(), observed]))
"""


@pytest.fixture(scope="session")
def run_in_pyodide(once, node_python):
    """Run code in Pyodide with a directory of packages, and parse its output as JSON."""
    node, npm = (node_python.with_name(name) for name in ("node", "npm"))
    with once("pyodide") as (directory, is_first):
        if is_first:
            command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "pyodide"]
            subprocess.run(command, check=True, env=MACHINE_ENVIRON, cwd=directory, timeout=600)

    def run(packages: Path, mount_point: str, code: str, **variables: str):
        settings = {"PACKAGES": str(packages), "MOUNT_POINT": mount_point, "VARIABLES": json.dumps(variables)}
        env = support.clean_env(**settings, CODE=code)
        command = [node, "--input-type=module", "--eval", START]
        done = subprocess.run(command, env=env, cwd=directory, capture_output=True, encoding="utf-8", timeout=120)
        assert (done.returncode, done.stderr) == (0, ""), f"{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)

    return run


#: The mount point of the packages, and the code that enables certhook.
LOCATIONS = {
    "certhook in site-packages": ("", ""),
    "certhook.auto": ("/packages", f"import sys\nsys.path.append('/packages')\n{IMPORT_AUTO}"),
}


@pytest.mark.parametrize("name", LOCATIONS)
def test_certhook_does_not_change_the_ssl_stub_of_pyodide(run_in_pyodide, packages, name) -> None:
    mount_point, prelude = LOCATIONS[name]
    was_installed, stock = run_in_pyodide(packages, mount_point, prelude + CODE, CERTHOOK_DISABLED="1")
    assert (was_installed, stock[-1]) == (False, "SSL is not supported in Pyodide")
    assert run_in_pyodide(packages, mount_point, prelude + CODE) == [True, stock]
