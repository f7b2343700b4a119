"""The guide to pip: with an old version and the newest one, behind a proxy that inspects TLS."""

from __future__ import annotations

from pathlib import Path

import pages
import pytest
import recipes
import support

#: The last version before pip uses the operating system's store, and one after it.
OLD, NEW = "==24.1.2", ">=24.2"
REJECTED = "CERTIFICATE_VERIFY_FAILED"
HELLO = "python -m pip install --force-reinstall hello"
WAYS = ("--cert /etc", "PIP_CERT=/path", "PYTHONPATH=$PWD")


def commands(containing: str, network) -> str:
    return recipes.script("pip", containing, ROOT=str(network.root_file))


@pytest.fixture
def old(own_environment) -> Path:
    """The directory of the commands of an environment with an old pip."""
    return own_environment(OLD).parent


@pytest.fixture
def hooked(network, home, old) -> Path:
    """The same, with certhook."""
    network.succeed(commands("--cert /etc", network), home, old)
    return old


@pytest.mark.parametrize("way", WAYS)
def test_first_installation_behind_an_inspecting_proxy(way, network, home, old, tmp_path):
    clone = tmp_path / "clone"
    support.copy_sources(support.ROOT, clone)
    assert REJECTED in network.fail("python -m pip install certhook", home, old)
    network.succeed(commands(way, network), home, old, cwd=clone)
    network.succeed(HELLO, home, old)


def test_installation_and_verification(network, home, hooked):
    # The first command of the page, once certhook is active: it adds cryptography.
    assert "VERIFIED: pypi.org" in network.succeed(commands("check pypi.org", network), home, hooked)


def test_new_pip_needs_no_first_step(network, home, own_environment):
    python = own_environment(NEW)
    network.succeed("python -m pip install certhook", home, python.parent)


def test_a_setting_replaces_the_roots_until_it_is_removed(network, home, hooked, own_environment, tmp_path):
    import trustme

    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    for variable in "PIP_CERT", "REQUESTS_CA_BUNDLE":
        assert REJECTED in network.fail(HELLO, home, hooked, **{variable: other})
    network.succeed(f"python -m pip config set global.cert {other}", home, hooked)
    assert REJECTED in network.fail(HELLO, home, hooked)
    remedy = commands("config unset", network)
    output = network.succeed(f"{remedy}\n{HELLO}", home, hooked, REQUESTS_CA_BUNDLE=other)
    assert f"global.cert='{other}'" in output
    # A new pip adds the file.
    network.succeed(HELLO, home, own_environment(NEW).parent, PIP_CERT=other)


def test_pip_runs_in_the_other_interpreter(network, home, hooked, own_environment):
    other = own_environment(OLD)
    assert REJECTED in network.fail(f"python -m pip --python {other} install hello", home, hooked)
    network.succeed(commands("--cert /etc", network), home, other.parent)
    network.succeed(f"python -m pip --python {other} install hello", home, hooked)


BACKEND = """
import sys

def build_wheel(directory, *arguments):
    print("certhook is active:", "certhook" in sys.modules)
    with open(directory + "/built-1.0-py3-none-any.whl", "wb") as file:
        file.write({wheel!r})
    return "built-1.0-py3-none-any.whl"
"""


def test_builds_from_source(network, home, hooked, own_environment, tmp_path):
    import package_index

    source = tmp_path / "source"
    source.mkdir()
    code = BACKEND.format(wheel=package_index.wheel("built", "1.0"))
    (source / "backend.py").write_text(code)
    settings = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    (source / "pyproject.toml").write_text(settings)
    build = f"python -m pip install --verbose {source}"
    assert "certhook is active: True" in network.succeed(build, home, hooked)
    drop_in = support.ROOT / "certhook" / "bootstrap"
    without = own_environment(OLD).parent
    assert "certhook is active: False" in network.succeed(build, home, without, PYTHONPATH=drop_in)


def test_a_proxy_with_a_password(network, home, hooked):
    script = commands("HTTPS_PROXY", network).replace("pip install", "pip install --force-reinstall --no-deps")
    network.succeed(script, home, hooked)
    output = network.fail(script.replace("p%40ss", "wrong"), home, hooked, PIP_RETRIES=1)
    assert "407 Proxy Authentication Required" in output


def test_every_command_is_run():
    tested = ("check pypi.org", *WAYS, "config unset", "HTTPS_PROXY")
    assert [recipes.block("pip", each).line for each in tested] == [
        block.line for block in pages.blocks("how-to/pip", "console")
    ]
