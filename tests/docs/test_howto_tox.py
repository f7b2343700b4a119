"""The guide to tox: its configuration, and the variables that tox passes."""

from __future__ import annotations

import pages
import pytest

pytestmark = pytest.mark.recipe

FETCH = "import requests; print(requests.get('https://intranet.example').text)"


@pytest.fixture
def run(tools_network, home, tools, tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    first, *_ = pages.blocks("how-to/tox", "ini")
    (project / "tox.ini").write_text(first.text)
    (project / "fetch.py").write_text(FETCH)

    def run(script: str, fails: bool = False, **variables: object) -> str:
        method = tools_network.fail if fails else tools_network.succeed
        return method(script, home, tools, cwd=project, timeout=300, **variables)

    run.file = project / "tox.ini"
    return run


def test_the_environment_has_certhook(run):
    output = run("tox run")
    assert "Active in this interpreter" in output and "hello" in output
    # The first command stops the run.
    assert "hello" not in run("tox run", fails=True, CERTHOOK_DISABLED=1)
    run.file.write_text(run.file.read_text().replace("    certhook\n", "").replace("    python -m certhook\n", ""))
    assert "CERTIFICATE_VERIFY_FAILED" in run("tox run", fails=True)


def test_variables(run):
    passed = run("tox config -e py -k pass_env").split()
    assert {"CERTHOOK_*", "SSL_CERT_DIR"} <= set(passed)
    run.file.write_text("[tox]\n")
    defaults = set(run("tox config -e py -k pass_env").split())
    assert {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_*", "https_proxy"} <= defaults
    assert not {"CERTHOOK_*", "SSL_CERT_DIR"} & defaults
    addition = pages.blocks("how-to/tox", "ini")[1]
    run.file.write_text(addition.text)
    output = run("tox config -e py -k set_env")
    assert f"CERTHOOK_EXTRA_CA_CERTS={run.file.parent}/tests/company-root.pem" in output
