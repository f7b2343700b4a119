"""The metadata of installed distributions are read without waiting for a pipe, and are otherwise those of Python."""

from __future__ import annotations

import importlib.metadata
import os
import zipfile
from pathlib import Path
from typing import Callable

import pytest

from certhook.cli import _libraries, _metadata
from certhook.cli.audit import distributions
from certhook.cli.check import models, time_limit

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes in directories")

FILES = ("METADATA", "PKG-INFO", "RECORD", "entry_points.txt", "direct_url.json")
METADATA = "Metadata-Version: 2.1\nName: pycurl\nVersion: 7.45\n"


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def make_pipes(packages: Path) -> None:
    (packages / "pycurl").mkdir()
    (packages / "pycurl" / "__init__.py").touch()
    (packages / "pycurl-7.45.dist-info").mkdir()
    for name in FILES:
        os.mkfifo(packages / "pycurl-7.45.dist-info" / name)


@posix
@pytest.mark.parametrize(
    "function",
    [
        lambda: models.version_of("pycurl"),
        lambda: _metadata.version("pycurl"),
        lambda: distributions._is_editable("pycurl"),
        lambda: [one for one in _libraries.unreached_libraries() if one["name"] == "pycurl"],
    ],
    ids=["check", "version", "audit", "status"],
)
def test_pipes_in_site_packages_are_not_waited_for(function: Callable[[], object], packages: Path) -> None:
    make_pipes(packages)
    assert not time_limit.call(function, 10)


@posix
def test_a_pipe_on_the_path_is_not_waited_for(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = importlib.metadata.version("pytest")  # It would wait as well.
    os.mkfifo(packages / "pipe")
    monkeypatch.syspath_prepend(str(packages / "pipe"))
    assert time_limit.call(lambda: _metadata.version("pytest"), 10) == expected


def write_egg_info(packages: Path) -> None:
    (packages / "pycurl-7.45.egg-info").write_text(METADATA)


def write_directory(packages: Path) -> None:
    (packages / "PyCurl-7.45.dist-info").mkdir()
    (packages / "PyCurl-7.45.dist-info" / "METADATA").write_bytes(METADATA.encode() + b"Summary: \xff\n")


@pytest.mark.parametrize("write", [write_egg_info, write_directory])
def test_the_version_is_that_in_the_metadata(write: Callable[[Path], None], packages: Path) -> None:
    write(packages)
    assert _metadata.version("pycurl") == "7.45"
    assert _metadata.version("pycurl", [str(packages / "missing")]) is None


def test_the_version_is_read_from_an_archive(packages: Path) -> None:
    with zipfile.ZipFile(packages / "archive.zip", "w") as archive:
        archive.writestr("pycurl-7.45.dist-info/METADATA", METADATA)
    assert _metadata.version("pycurl", [str(packages / "archive.zip")]) == "7.45"


def test_a_distribution_without_metadata_has_no_version(packages: Path) -> None:
    (packages / "pycurl-7.45.dist-info").mkdir()
    assert _metadata.version("pycurl") is None
