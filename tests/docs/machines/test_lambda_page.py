"""The commands of the page about AWS Lambda, in its layout: a layer in /opt, read-only except /tmp, without a home."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import stat
import subprocess
import zipfile
from pathlib import Path
from typing import Callable

import pages
import pytest
from containers import Build, Container, Volume, add_mount_point

PAGE = "how-to/lambda"
COMMANDS = [command.command for block in pages.blocks(PAGE, "console") for command in pages.commands(block)]
(HANDLER,) = (block.text for block in pages.blocks(PAGE, "python"))
(VARIABLES,) = (block.text for block in pages.blocks(PAGE, "json"))
(DOCKERFILE,) = (block.text for block in pages.blocks(PAGE, "docker"))

#: The user of a function.
USER = "993:990"
#: Calls the handler as Lambda's runtime does: the function and the layers come first on the path. Prints the result,
#: and whether the process has read the sources of roots, because it found no store.
RUNTIME = """
import importlib, json, os, sys
version = "python{}.{}".format(*sys.version_info)
sys.path[:0] = [os.environ["LAMBDA_TASK_ROOT"], "/opt/python/lib/" + version + "/site-packages", "/opt/python"]
module, _, name = os.environ["_HANDLER"].rpartition(".")
try:
    result = getattr(importlib.import_module(module), name)({"url": os.environ["URL"]}, None)
except OSError as error:
    assert "CERTIFICATE_VERIFY_FAILED" in str(error), error
    result = "not verified"
print(json.dumps([result, "certhook._sources" in sys.modules]))
"""


class Function:
    """A function in a container with the layout of Lambda."""

    def __init__(self, image: Container, directory: Path) -> None:
        image.write("/var/runtime/bootstrap.py", RUNTIME)
        for path in ("/opt/python", "/var/task"):
            add_mount_point(image, path)
        self.image = image
        self.temporary = directory / "tmp"
        self.temporary.mkdir()
        self.temporary.chmod(0o777)

    def call(self, port: int, volumes: tuple[Volume, ...] = (), **variables: str) -> object:
        """Call the handler with the URL of a server; *variables* are those of the function."""
        env = {
            "LAMBDA_TASK_ROOT": "/var/task",
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
            "PYTHONPATH": "/var/runtime",
            "_HANDLER": "app.handler",
            "URL": f"https://localhost:{port}",
            **variables,
        }
        volumes = (Volume(self.temporary, "/tmp", writable=True), *volumes)
        command = ("/usr/local/bin/python", "/var/runtime/bootstrap.py")
        done = self.image.run(*command, env=env, user=USER, read_only=True, workdir="/var/task", volumes=volumes)
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)


@pytest.fixture
def function(slim, tmp_path) -> Function:
    image = slim.child(tmp_path / "lambda")
    image.write("/var/task/app.py", HANDLER)
    return Function(image, tmp_path)


@pytest.fixture
def work(tmp_path, private_ca, pip_environ, slim) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Run a line of the page in the directory in which the layer is built, ``tmp_path / "work"``."""
    if not shutil.which("zip"):
        pytest.skip("zip is not installed")
    directory = tmp_path / "work"
    directory.mkdir()
    (directory / "company-ca.pem").write_bytes(private_ca)
    machine = slim.child(tmp_path / "machine")
    add_mount_point(machine, "/work")
    add_mount_point(machine, "/opt/python")

    def run(line: str) -> None:
        if line.startswith("docker run "):
            # The container of Lambda's image, in which the directory of the layer is a volume.
            words = shlex.split(line.replace('"$PWD/python:/opt/python"', f"{directory}/python:/opt/python"))
            volume = words[words.index("--volume") + 1].split(":")
            env = dict(words[index + 1].split("=", 1) for index, word in enumerate(words) if word == "--env")
            assert words[words.index("--entrypoint") + 1] == "python"
            (image,) = [word for word in words if word.startswith("public.ecr.aws/lambda/python:")]
            command = ("python", *words[words.index(image) + 1 :])
            mounted = (Volume(Path(volume[0]), volume[1], writable=True),)
            done = machine.run(*command, env=env, volumes=mounted)
        else:
            mounted = (Volume(directory, "/work", writable=True),)
            done = machine.shell(line, env=pip_environ, workdir="/work", volumes=mounted)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"

    return run


def deploy(directory: Path, target: Path) -> Volume:
    """Return the volume of a layer, extracted from layer.zip with its links, and with all times reset."""
    with zipfile.ZipFile(directory / "layer.zip") as archive:
        for entry in archive.infolist():
            mode = entry.external_attr >> 16
            if stat.S_ISLNK(mode):
                (target / entry.filename).parent.mkdir(parents=True, exist_ok=True)
                (target / entry.filename).symlink_to(archive.read(entry).decode())
            else:
                extracted = Path(archive.extract(entry, target))
                extracted.chmod(stat.S_IMODE(mode))
                os.utime(extracted, (1, 1))
    return Volume(target / "python", "/opt/python")


def variables() -> dict[str, str]:
    """Return the variables of the function."""
    (update,) = [command for command in COMMANDS if "update-function-configuration" in command]
    assert update.endswith("--environment file://environment.json")
    return json.loads(VARIABLES)["Variables"]


BUILD, COMPILE = COMMANDS[:3], COMMANDS[5]


def test_the_layer_adds_the_ca_to_a_function(function, work, servers, tmp_path) -> None:
    *install, archive = BUILD
    assert [line.split()[0] for line in BUILD] == ["pip", "cp", "zip"]
    assert COMPILE.startswith("docker run ")
    for line in (*install, archive):
        work(line)
    layer = (deploy(tmp_path / "work", tmp_path / "opt"),)
    company, stranger = servers.port("system"), servers.port("stranger")
    assert function.call(company) == ["not verified", False]
    assert function.call(company, layer, CERTHOOK_EXTRA_CA_CERTS="/opt/python/company-ca.pem")[0] == "not verified"
    assert function.call(company, layer, **variables()) == [{"status": 200}, True]
    assert function.call(stranger, layer, **variables())[0] == "not verified"
    assert list(function.temporary.iterdir()) == []

    # With the compiled store in the layer, the sources are not read.
    (tmp_path / "work" / "layer.zip").unlink()
    for line in (COMPILE, archive):
        work(line)
    layer = (deploy(tmp_path / "work", tmp_path / "compiled"),)
    assert function.call(company, layer, **variables()) == [{"status": 200}, False]
    assert function.call(stranger, layer, **variables())[0] == "not verified"


def test_the_container_image(slim, pip_environ, private_ca, servers, tmp_path) -> None:
    context = tmp_path / "context"
    context.mkdir()
    (context / "company-ca.pem").write_bytes(private_ca)
    (context / "app.py").write_text(HANDLER)
    base = slim.child(tmp_path / "base")
    base.env["LAMBDA_TASK_ROOT"] = base.workdir = "/var/task"
    add_mount_point(base, "/var/task")
    build = Build(tmp_path / "build", {"public.ecr.aws/lambda/python:3.12": base}, context, environ=pip_environ)
    function = Function(build.build(DOCKERFILE), tmp_path)
    assert build.command == ["app.handler"]
    assert function.call(servers.port("system")) == [{"status": 200}, False]
    assert function.call(servers.port("stranger"))[0] == "not verified"
    assert function.call(servers.port("system"), CERTHOOK_DISABLED="1")[0] == "not verified"
