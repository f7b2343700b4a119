"""Fixtures for the pages about containers and hosts: a base image, packages for pip, and a private CA."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import support
from containers import Container, Layer

#: Whether tests that take minutes, or download an operating system, are run.
RECIPES = bool(os.environ.get("CERTHOOK_TEST_RECIPES"))

#: The packages of the official slim images that the tests' Python needs.
_PACKAGES = (
    "ca-certificates,libbz2-1.0,libexpat1,libffi8,liblzma5,libncursesw6,libreadline8,libsqlite3-0,libssl3,"
    "libuuid1,netbase,zlib1g,curl,python3-pip,python3-venv,zip"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Make the tests in containers recipes if these consist of a minimal Debian, which has to be downloaded."""
    for item in items if RECIPES else ():
        if "image_layers" in getattr(item, "fixturenames", ()):
            item.add_marker("recipe")


@pytest.fixture(scope="session")
def wheelhouse(once, request) -> Path:
    """A directory with the wheels that the commands of the pages install."""
    with once("wheelhouse") as (directory, is_first):
        wheels = directory / "wheels"
        if is_first:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(wheels)]
            extra = f"{request.getfixturevalue('wheel')}[check,enable]"
            subprocess.run([*command, extra, "requests"], check=True, env=support.MACHINE_ENVIRON, timeout=300)
            for path in (directory, wheels, *wheels.iterdir()):
                path.chmod(0o755)
    return wheels


@pytest.fixture(scope="session")
def pip_environ() -> dict[str, str]:
    """The settings with which pip finds the wheelhouse, and nothing else."""
    quiet = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore", "PIP_NO_CACHE_DIR": "1"}
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels", "PIP_CONFIG_FILE": os.devnull, **quiet}


def _copy_python(local: Path) -> None:
    """Copy the base interpreter of the tests and pip to /usr/local of a layer, as in the official images."""
    base, version = Path(sys.base_prefix), "python{}.{}".format(*sys.version_info)
    ignored = shutil.ignore_patterns("test", "tests", "idlelib", "tkinter", "site-packages", "*.a")
    (local / "bin").mkdir(parents=True)
    for name in ("lib", "include"):
        shutil.copytree(base / name, local / name, symlinks=True, ignore=ignored)
    shutil.copy(base / "bin" / version, local / "bin")
    for each in (base / "lib" / version / "site-packages").glob("pip*"):
        shutil.copytree(each, local / "lib" / version / "site-packages" / each.name)
    # The script contains the path of the original interpreter.
    pip = f"#!/usr/local/bin/{version}\nimport sys\nfrom pip._internal.cli.main import main\nsys.exit(main())\n"
    for name in ("pip", "pip3"):
        (local / "bin" / name).write_text(pip)
        (local / "bin" / name).chmod(0o755)
    for name in ("python", "python3"):
        (local / "bin" / name).symlink_to(version)


def _debootstrap(directory: Path) -> Path:
    """Create a minimal Debian 12 in a directory that CERTHOOK_TEST_CACHE keeps."""
    cache = os.environ.get("CERTHOOK_TEST_CACHE")
    system = Path(cache or directory) / "bookworm-slim"
    marker = system.with_name(f"{system.name}.made")
    if not marker.exists():
        shutil.rmtree(system, ignore_errors=True)
        command = ["debootstrap", "--variant=minbase", f"--include={_PACKAGES}", "bookworm", str(system)]
        isolated = ["unshare", "--mount", "--propagation=private", *command]
        subprocess.run(isolated, check=True, env=support.MACHINE_ENVIRON, stdout=subprocess.DEVNULL, timeout=900)
        marker.touch()
    return system


def _this_machine(directory: Path) -> Layer:
    """Return a layer with this machine's /usr and a copy of its /etc, without settings of pip."""
    layer = Layer.create(directory)
    for name in ("bin", "lib", "lib32", "lib64", "libx32", "sbin"):
        if os.path.islink(f"/{name}"):
            (layer.root / name).symlink_to(os.readlink(f"/{name}"))
    for name in ("dev", "home", "mnt", "opt", "proc", "root", "run", "srv", "tmp", "usr", "var"):
        (layer.root / name).mkdir()
    (layer.root / "root").chmod(0o700)
    (layer.root / "tmp").chmod(0o1777)
    ignored = shutil.ignore_patterns("pip", "pip.conf")
    shutil.copytree("/etc", layer.root / "etc", symlinks=True, ignore=ignored)
    return Layer(layer.root, Path("/usr"))


@pytest.fixture(scope="session")
def image_layers(root, once, request) -> tuple[Layer, ...]:
    """The layers of a slim image of Python: its interpreter in /usr/local and wheels in /wheels, over Debian.

    Debian is this machine's, or a minimal one with CERTHOOK_TEST_RECIPES=1.
    """
    if not RECIPES and not os.path.exists("/etc/debian_version"):
        pytest.skip("this machine does not run Debian")
    wheelhouse = request.getfixturevalue("wheelhouse")
    with once("image") as (directory, is_first):
        layer, setup = Layer(directory / "layer" / "root", directory / "layer" / "usr"), directory / "setup"
        debian = Layer(directory / "debian" / "root", Path("/usr"))
        if RECIPES:
            system = _debootstrap(directory)
            debian = Layer(system, system / "usr")
        if is_first:
            Layer.create(directory / "layer")
            if not RECIPES:
                _this_machine(directory / "debian")
            _copy_python(layer.path("/usr/local"))
            # The image contains nothing of this machine's /usr/local.
            os.setxattr(layer.path("/usr/local"), "trusted.overlay.opaque", b"y")
            shutil.copytree(wheelhouse, layer.path("/wheels"))
            container = Container(setup, (layer, debian))
            line = "mkdir -p /usr/local/share/ca-certificates && ldconfig && update-ca-certificates --fresh"
            done = container.shell(line)
            assert done.returncode == 0, done.stderr
        return (Layer(setup / "upper" / "root", setup / "upper" / "usr"), layer, debian)


@pytest.fixture(scope="session")
def slim(image_layers, tmp_path_factory) -> Container:
    """The image ``python:3.12-slim``."""
    return Container(tmp_path_factory.mktemp("slim"), image_layers)


@pytest.fixture
def private_ca(cas) -> bytes:
    """The root of a company, which only the tests' containers trust."""
    return cas.pem("system")


@pytest.fixture(scope="session")
def shop(image_layers, once, pip_environ, cas, tmp_path_factory) -> Container:
    """An image with certhook and requests. certifi's bundle also contains the root of the authority *bundled*."""
    with once("shop") as (directory, is_first):
        upper = directory / "built" / "upper"
        if is_first:
            image = Container(directory / "built", image_layers)
            done = image.shell("pip install --quiet 'certhook[check]' requests", env=pip_environ)
            assert done.returncode == 0, done.stderr
            version = "python{}.{}".format(*sys.version_info)
            packages = image.upper.path(f"/usr/local/lib/{version}/site-packages")
            bundle = (packages / "certifi" / "cacert.pem").read_bytes() + cas.pem("bundled")
            support.replace_recorded(packages, "certifi/cacert.pem", bundle)
    return Container(tmp_path_factory.mktemp("shop"), (Layer(upper / "root", upper / "usr"), *image_layers))
