"""The guide to pipx, with its two backends, uv and pip."""

from __future__ import annotations

import ensurepip

import pytest
import recipes

pytestmark = pytest.mark.recipe

FETCH = "fetchapp https://intranet.example"
REJECTED = "CERTIFICATE_VERIFY_FAILED"


@pytest.fixture
def run(tools_network, home, tools, uv):
    """Return a function that runs a script, with uv on PATH if *with_uv*."""

    def run(script: str, fails: bool = False, with_uv: bool = True, **variables: object) -> str:
        path = [home / ".local" / "bin", tools, *([uv] if with_uv else [])]
        method = tools_network.fail if fails else tools_network.succeed
        return method(script, home, *path, timeout=300, **variables)

    return run


def test_an_application_with_certhook(run):
    install, inject, fetch = recipes.script("pipx", "pipx inject fetchapp").splitlines()
    itself = recipes.script("pipx", "UV_SYSTEM_CERTS")
    assert "invalid peer certificate: UnknownIssuer" in run(install, fails=True)
    run(f"{itself}\n{install}")
    assert REJECTED in run(fetch, fails=True)
    output = run(f"{itself}\n{inject}\n{fetch}")
    assert output.endswith("hello\n\n")
    run(f"{itself}\npipx upgrade fetchapp\n{fetch}")
    assert "Name: certhook" in run(f"{itself}\n{recipes.script('pipx', 'runpip')}")


def test_both_at_once(run):
    install, execute = recipes.script("pipx", "--preinstall").splitlines()
    run(f"{install}\n{FETCH}\n{execute}", UV_SYSTEM_CERTS=1)
    assert REJECTED in run(execute.replace("--with certhook ", ""), fails=True, UV_SYSTEM_CERTS=1)


def test_the_shared_pip(run):
    install = f"pipx install fetchapp; pipx inject fetchapp certhook; {FETCH}"
    # pipx creates it with the pip that this Python bundles.
    if tuple(map(int, ensurepip.version().split(".")[:2])) < (24, 2):
        assert "No matching distribution found for fetchapp" in run(install, fails=True, with_uv=False)
    run(f"{recipes.script('pipx', 'upgrade-shared')}\n{install}", with_uv=False)
