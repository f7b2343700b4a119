"""Fixtures for the command line: root certificates in every source, and ``python -m certhook`` as a subprocess."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import tarfile
from pathlib import Path
from typing import Callable, Iterator

import measuring
import pytest
import roots
import support
from image import Image


@pytest.fixture
def locations(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """A function that writes root certificates to a location for each source, and returns the variables for them."""

    def write(system: bytes, bundle: bytes, extra: bytes, hashed: bytes, hashed_name: str) -> dict[str, str]:
        (tmp_path / "system.pem").write_bytes(system)
        (tmp_path / "bundle.pem").write_bytes(bundle)
        (tmp_path / "extra.pem").write_bytes(extra)
        (tmp_path / "hashed").mkdir()
        (tmp_path / "hashed" / hashed_name).write_bytes(hashed)
        return {
            "SSL_CERT_FILE": str(tmp_path / "system.pem"),
            "SSL_CERT_DIR": str(tmp_path / "hashed"),
            "CERTHOOK_SOURCES": "system,bundled",
            "CERTHOOK_BUNDLE": str(tmp_path / "bundle.pem"),
            "CERTHOOK_EXTRA_CA_CERTS": str(tmp_path / "extra.pem"),
            "CERTHOOK_STORE_DIR": str(tmp_path / "cache"),
        }

    return write


@pytest.fixture
def variables(locations: Callable[..., dict[str, str]], cas: support.Authorities) -> dict[str, str]:
    """Variables with which every authority but *stranger* is trusted, without problems."""
    return locations(
        system=cas.pem("system", "both"),
        bundle=cas.pem("bundled", "both"),
        extra=cas.pem("extra"),
        hashed=cas.pem("both"),
        hashed_name=support.hashed_name(cas.der("both")),
    )


@pytest.fixture
def dated_roots(locations: Callable[..., dict[str, str]]) -> dict[str, str]:
    """Variables with which the root certificates of :data:`roots.ROOTS` are trusted."""
    both = roots.ROOTS["system"]["both"]
    return locations(
        **{file: b"".join(found.values()) for file, found in roots.ROOTS.items()},
        hashed=both,
        hashed_name=support.hashed_name(ssl.PEM_cert_to_DER_cert(both.decode())),
    )


@pytest.fixture
def certhook(installed: Path, variables: dict[str, str], tmp_path: Path):
    """A function that runs ``python -m certhook`` in *tmp_path* with *variables*.

    Keyword arguments in upper case change variables; None unsets one.
    """

    def run(
        *arguments: object,
        python: Path = installed,
        flags: tuple[str, ...] = (),
        prefix: tuple[str, ...] = (),
        encoding: str = "utf-8",
        stdout: int = subprocess.PIPE,
        **changed: str | None,
    ) -> subprocess.CompletedProcess[str]:
        wanted = {name: value for name, value in {**variables, **changed}.items() if value is not None}
        return subprocess.run(
            [*prefix, str(python), *flags, "-m", "certhook", *map(str, arguments)],
            env=support.clean_env(**wanted),
            cwd=str(tmp_path),
            stdout=stdout,
            stderr=subprocess.PIPE,
            encoding=encoding,
            timeout=60,
        )

    return run


@pytest.fixture
def on_terminal(certhook):
    """A function that runs ``python -m certhook`` on a terminal with colours, and returns its output."""
    if os.name == "nt":
        pytest.skip("Windows has no pseudo-terminals")

    def run(*arguments: str, **changed: str | None) -> str:
        terminal, output = os.openpty()
        certhook(*arguments, stdout=output, **{"TERM": "xterm", **changed})
        os.close(output)
        try:
            return b"".join(_read(terminal)).decode().replace("\r\n", "\n")
        finally:
            os.close(terminal)

    return run


def _read(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # Linux reports the end of the output as EIO.
            return
        if not data:
            return
        yield data


@pytest.fixture
def trusted_by(servers: support.Servers):
    """A function that returns the authorities that an interpreter trusts with the given variables."""

    def ask(python: Path, **variables: str) -> set[str]:
        env = support.clean_env(SERVERS=support.server_list(servers), **variables)
        verdicts = support.verdicts(support.run(python, support.VERDICTS, env=env).stdout)
        return {name for name, is_trusted in verdicts.items() if is_trusted}

    return ask


@pytest.fixture
def status(certhook):
    """A function that returns the JSON object of ``python -m certhook --json``."""

    def run(**kwargs) -> dict:
        done = certhook("--json", **kwargs)
        found = json.loads(done.stdout)
        assert done.returncode == (0 if found["active"] and not found["problems"] else 1), done.stderr
        return found

    return run


@pytest.fixture
def metadata(tmp_path: Path):
    """A function that writes the metadata of installed packages, and returns their directory for PYTHONPATH."""

    def write(**versions: str) -> str:
        for name, version in versions.items():
            directory = tmp_path / "packages" / f"{name}-{version}.dist-info"
            directory.mkdir(parents=True)
            (directory / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        return str(tmp_path / "packages")

    return write


@pytest.fixture(scope="module")
def image_python(tmp_path_factory, wheel: Path, pip_install) -> Path:
    """An environment for this module alone, because stores are built in it."""
    python = support.make_environment(tmp_path_factory.mktemp("image") / "environment")
    pip_install(python, wheel)
    support.byte_compile(python)
    measuring.prepare(support.purelib(python))
    return python


@pytest.fixture
def image(image_python: Path, cas: support.Authorities, servers: support.Servers) -> Image:
    image = Image(image_python.parent.parent.parent, image_python, cas, servers)
    image.reset()
    return image


@pytest.fixture
def compiled(image: Image) -> Image:
    """An image with a compiled store."""
    done = image.compile()
    assert (done.returncode, done.stderr) == (0, "")
    return image


@pytest.fixture
def packed(compiled: Image, tmp_path: Path) -> Iterator[Image]:
    """The image after it was packed and unpacked, like the layers of a container image."""
    archive = tmp_path / "layer.tar"
    before = compiled.file.stat()
    with tarfile.open(str(archive), "w", format=tarfile.USTAR_FORMAT) as tar:  # a format with whole seconds
        tar.add(str(compiled.directory), ".")
    original = compiled.directory.with_suffix(".original")
    compiled.directory.rename(original)
    try:
        with tarfile.open(str(archive)) as tar:
            tar.extractall(str(compiled.directory), **({"filter": "tar"} if hasattr(tarfile, "tar_filter") else {}))
        after = compiled.file.stat()
        assert after.st_ino != before.st_ino
        assert after.st_mtime_ns % 10**9 == 0 != before.st_mtime_ns % 10**9
        yield compiled
    finally:
        shutil.rmtree(str(compiled.directory))
        original.rename(compiled.directory)
