"""The program of the page about C programs is compiled with its command, and connects as the page promises."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pages
import pytest
import support

PAGE = "how-to/c-hosts"
COMPILE, RUN, FREEZE = (each for block in pages.blocks(PAGE, "console") for each in pages.commands(block))
(SOURCE,) = (block.text for block in pages.blocks(PAGE, "c"))


@pytest.fixture
def host(installed, servers, cas, tmp_path):
    """Compile the program with the commands of the page, and run it."""
    if shutil.which("gcc") is None or not (Path(sys.base_prefix) / "bin" / "python3-config").exists():
        pytest.fail("no compiler") if os.environ.get("CI") else pytest.skip("no compiler")
    (tmp_path / ".venv").symlink_to(installed.parent.parent)
    (tmp_path / "company-ca.pem").write_bytes(cas.pem("system"))
    libraries = f"{sys.base_prefix}/lib"

    def run(line: str, **variables: str) -> subprocess.CompletedProcess[str]:
        env = {**support.clean_env(LD_LIBRARY_PATH=libraries), **variables}
        env["PATH"] = f"{sys.base_prefix}/bin:{env['PATH']}"
        return subprocess.run(
            ["sh", "-c", line], env=env, cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=120
        )

    def make(source: str) -> None:
        (tmp_path / "host.c").write_text(source.replace("intranet.example", f"localhost:{servers.port('system')}"))
        done = run(COMPILE.command.replace("gcc ", "gcc -Wall -Werror "))
        assert (done.returncode, done.stderr) == (0, "")

    make(SOURCE)
    run.make = make
    return run


def test_the_host_verifies_a_server_with_a_private_ca(host, tmp_path) -> None:
    extra = {"CERTHOOK_EXTRA_CA_CERTS": str(tmp_path / "company-ca.pem")}
    done = host(RUN.command, **extra)
    assert (done.returncode, done.stdout, done.stderr) == (0, RUN.output, "")
    done = host(RUN.command, **extra, CERTHOOK_DISABLED="1")
    assert done.returncode == 1
    assert "unable to get local issuer certificate" in done.stderr


def test_a_host_with_site_needs_no_call(host, tmp_path) -> None:
    without_call = re.sub(r" *int failed = .*\n", "    int failed = 0;\n", SOURCE)
    without_call = re.sub(r" */\* argv\[2\].*\n.*\n.*\n", "", without_call)
    assert "certhook" not in re.sub(r"/\*.*?\*/", "", without_call)
    extra = {"CERTHOOK_EXTRA_CA_CERTS": str(tmp_path / "company-ca.pem")}
    host.make(without_call.replace("site_import = 0", "site_import = 1"))
    assert host(RUN.command, **extra).stdout == RUN.output
    host.make(without_call)
    assert "unable to get local issuer certificate" in host(RUN.command, **extra).stderr


def test_the_host_prints_the_report_of_the_embedded_interpreter(host) -> None:
    page = (pages.DOCS / f"{PAGE}.rst").read_text(encoding="utf-8")
    code = re.search(r"run ``(import certhook.cli; .+?)``", page)[1]
    host.make(re.sub(r"import urllib.request.*?\);", lambda match: f'{code}");', SOURCE, flags=re.DOTALL))
    done = host(RUN.command)
    assert done.stdout.startswith("Active in this interpreter")


def test_the_frozen_bundle(host, tmp_path, installed) -> None:
    done = host(FREEZE.command.replace("python", str(installed), 1))
    assert done.returncode == 0
    assert "-----BEGIN CERTIFICATE-----" in (tmp_path / "certhook_bundle.py").read_text()


def test_the_table_of_pyconfig_is_that_of_the_tests() -> None:
    """``tests/embedded/test_pyconfig.py`` runs these combinations with every version of Python."""
    source = (support.ROOT / "tests" / "embedded" / "pyconfig_host.py").read_text(encoding="utf-8")
    tested = re.findall(r"Combination\((\w+), (\w+), (\w+), pth=(\w+), user=(\w+), drop_in=(\w+)\)", source)
    page = (pages.DOCS / f"{PAGE}.rst").read_text(encoding="utf-8")
    table = re.search(r"``site_import``  certhook.*?\n=.*?\n(.*?)\n=", page, re.DOTALL)[1]
    rows = []
    for line in table.splitlines():
        cells = [line[:19].strip(), line[21:33].strip(), line[35:50].strip(), line[52:].strip()]
        if cells[0]:
            rows.append(cells)
        else:
            rows[-1][3] += f" {cells[3]}"
    documented = {}
    for environment, isolated, site, enabled in rows:
        for key in [(e, i, site) for e in environment.split(" or ") for i in isolated.split(" or ")]:
            documented[key] = ("installation" in enabled, "user" in enabled, "PYTHONPATH" in enabled)
    number = {"True": "1", "False": "0"}
    assert documented == {
        tuple(number[value] for value in key): tuple(value == "True" for value in ways)
        for *key, pth, user, drop_in in tested
        for ways in [(pth, user, drop_in)]
    }
    assert len(documented) == 8
