"""The Dockerfiles of the page about Docker, built and run in containers without a daemon."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from typing import Callable

import pages
import pytest
import support
from containers import Build, Container

PAGE = "how-to/docker"
SYSTEM, EXTRA, DEBIAN, ALPINE, DISTROLESS = (block.text for block in pages.blocks(PAGE, "docker"))
COMMANDS = [command.command for block in pages.blocks(PAGE, "console") for command in pages.commands(block)]
RUNS = [command for command in COMMANDS if command.startswith("docker run ")]

#: The application of the image: it prints whether urllib and requests verify the servers of the company and of a
#: stranger, and whether the process has read the sources of roots, because it found no store.
APP = """
import os, ssl, sys, urllib.request
import requests
def verified(get, url):
    try:
        return get(url, timeout=20) is not None
    except (OSError, ssl.SSLError) as error:
        assert "CERTIFICATE_VERIFY_FAILED" in str(error), error
        return False
urls = os.environ["URLS"].split()
print(*(verified(get, url) for url in urls for get in (urllib.request.urlopen, requests.get)))
print("certhook._sources" in sys.modules)
"""
#: Its output if exactly the server of the company is verified, through the store of the image.
VERIFIED = "True True False False\nFalse\n"


@pytest.fixture
def context(tmp_path, private_ca, cas) -> Path:
    """The build context of the page."""
    directory = tmp_path / "context"
    directory.mkdir()
    (directory / "company-ca.pem").write_bytes(private_ca)
    (directory / "proxy-ca.pem").write_bytes(cas.pem("stranger"))
    (directory / "app.py").write_text(APP)
    (ignored,) = pages.blocks(PAGE, "text")
    (directory / ".dockerignore").write_text(ignored.text)
    return directory


@pytest.fixture
def builder(slim, context, pip_environ, tmp_path) -> Build:
    """``docker build`` in that context."""
    debian = slim.child(tmp_path / "debian")
    debian.remove("/usr/local")
    # The distroless image has Debian's Python, and the other one installs it.
    images = {"gcr.io/distroless/python3-debian12": debian, "debian:12-slim": debian}
    bases = {"python:3.12-slim": slim, "python:3.11-slim": slim, **images}
    secrets = {"proxy_ca": context / "proxy-ca.pem"}
    return Build(tmp_path / "build", bases, context, secrets, pip_environ)


@pytest.fixture
def docker_run(servers) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command of the page, ``docker run OPTION... IMAGE COMMAND``, in a container of the image."""
    urls = [f"https://localhost:{servers.port(name)}" for name in ("system", "stranger")]

    def run(image: Container, line: str, **variables: str) -> subprocess.CompletedProcess[str]:
        words = shlex.split(line.replace("https://intranet.example", urls[0]))
        assert words[:3] == ["docker", "run", "--rm"]
        options, command = words[3 : words.index("shop")], words[words.index("shop") + 1 :]
        arguments: dict[str, object] = {"user": options[options.index("--user") + 1]} if "--user" in options else {}
        arguments["read_only"] = "--read-only" in options
        assert set(options) <= {"--read-only", "--user", arguments.get("user")}
        return image.run(*command, env={"URLS": " ".join(urls), **variables}, **arguments)

    return run


def test_an_image_with_the_ca_in_the_systems_store(builder, docker_run) -> None:
    image = builder.build(SYSTEM)
    (read_only,) = [line for line in RUNS if "--read-only" in line]
    for line in (f"docker run --rm shop {shlex.join(builder.command)}", read_only):
        done = docker_run(image, line)
        assert (done.stdout, done.stderr) == (VERIFIED, "")
    # With other settings than at build time, the store is not used.
    done = docker_run(image, read_only, CERTHOOK_MODE="fallback")
    assert (done.stdout, done.stderr) == (VERIFIED.replace("\nFalse", "\nTrue"), "")
    # Without certhook, requests does not trust the company's CA.
    done = docker_run(image, read_only, CERTHOOK_DISABLED="1")
    assert done.stdout.splitlines()[0] == "True False False False"

    status, fetch = [line for line in RUNS if line != read_only]
    done = docker_run(image, status)
    assert done.returncode == 0, done.stdout
    assert "Private root certificates (not part of Mozilla's list): 1\n" in done.stdout
    assert support.shows(done.stdout, "Contexts use the compiled store", "/site-packages/certhook-store/trust-")
    assert docker_run(image, fetch).returncode == 0
    assert docker_run(image, fetch, CERTHOOK_SOURCES="bundled").returncode == 1


def test_a_virtual_environment_from_another_stage_keeps_its_store(builder, docker_run, private_ca) -> None:
    image = builder.build(EXTRA)
    run = f"docker run --rm shop {shlex.join(builder.command)}"
    done = docker_run(image, run.replace("--rm", "--rm --read-only"))
    assert (done.stdout, done.stderr) == (VERIFIED, "")
    assert docker_run(image, run, CERTHOOK_DISABLED="1").stdout.splitlines()[0] == "False False False False"
    # The secret is in no layer.
    for stage in builder.stages.values():
        assert not stage.exists("/run/secrets/proxy-ca.pem")
        assert stage.shell("grep -rl 'tests stranger' /app /run /tmp", user="0:0").stdout == ""
    # The same image without a store of the system.
    image.remove("/etc/ssl")
    done = docker_run(image, run)
    assert (done.stdout.splitlines()[0], done.stderr) == ("True True False False", "")
    done = docker_run(image, "docker run --rm shop python -m certhook")
    assert "bundled only" in done.stdout or "listed by bundled" in done.stdout


@pytest.mark.recipe
def test_an_image_of_debian_without_python(builder, docker_run, pip_environ) -> None:
    builder.environ = {**pip_environ, "DEBIAN_FRONTEND": "noninteractive"}
    image = builder.build(DEBIAN)
    fetch = next(line for line in RUNS if "urlopen" in line)
    assert docker_run(image, fetch).returncode == 0


def test_the_lines_for_a_distroless_image_with_debians_python(builder, docker_run) -> None:
    image = builder.build(DISTROLESS)
    run = f"docker run --rm --read-only shop {shlex.join(builder.entrypoint)}"
    done = docker_run(image, run)
    assert (done.stdout, done.stderr) == (VERIFIED, "")
    assert docker_run(image, run, CERTHOOK_DISABLED="1").stdout.splitlines()[0] == "False False False False"


def test_the_commands_for_alpine_are_those_of_its_layout() -> None:
    """``apk`` is not available; the tests of the sources cover Alpine's layout of the store."""
    steps = [line for line in ALPINE.splitlines() if "ca-certificates" in line]
    assert [step.split()[0] for step in steps] == ["COPY", "RUN", "RUN", "RUN"]
    assert "apk add --no-cache ca-certificates && update-ca-certificates" in ALPINE


def test_the_secret_is_named_alike_in_the_dockerfile_and_the_command() -> None:
    (command,) = [command for command in COMMANDS if "--secret" in command]
    assert "id=proxy_ca,src=proxy-ca.pem" in command
    assert "id=proxy_ca,target=/run/secrets/proxy-ca.pem" in EXTRA
