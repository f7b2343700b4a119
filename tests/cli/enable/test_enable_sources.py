"""``enable`` copies only distributions that are installed from a wheel and match their ``RECORD``."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
from pathlib import Path

import pytest
import support
from enabling import posix, snapshot

from certhook.cli.check import time_limit
from certhook.cli.enable import sources
from certhook.cli.enable.refusal import Refused


@pytest.fixture
def sample(tmp_path, monkeypatch) -> Path:
    """A directory on the path with the installed distribution ``sample``."""
    packages = tmp_path / "site-packages"
    contents = {
        "sample/__init__.py": b"x = 1\n",
        "sample-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: sample\nVersion: 1.0\n",
        "sample-1.0.dist-info/INSTALLER": b"pip\n",
        "sample-1.0.dist-info/direct_url.json": b"{}",
        "sample-1.0.dist-info/entry_points.txt": b"[console_scripts]\nsample = sample:main\n",
        "../bin/sample": b"#!/bin/sh\n",
    }
    rows = [
        "sample-1.0.dist-info/RECORD,,",
        "sample/__pycache__/__init__.cpython-311.pyc,,",
        *(f"{name},{support.record_hash(content)},{len(content)}" for name, content in contents.items()),
    ]
    for name, content in {**contents, "sample-1.0.dist-info/RECORD": "\n".join(rows).encode()}.items():
        path = packages / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    monkeypatch.syspath_prepend(str(packages))
    return packages


def test_scripts_byte_code_and_bookkeeping_are_left_out(sample) -> None:
    wheel = sources.read_wheel("sample")
    assert (wheel.name, wheel.version, wheel.dist_info) == ("sample", "1.0", "sample-1.0.dist-info")
    metadata = {f"sample-1.0.dist-info/{name}" for name in ("METADATA", "entry_points.txt")}
    assert set(wheel.contents) == {"sample/__init__.py", *metadata}


def test_a_distribution_that_pip_installed_can_be_read() -> None:
    wheel = sources.read_wheel("certifi")
    assert wheel.version == importlib.metadata.version("certifi")
    assert b"BEGIN CERTIFICATE" in wheel.contents["certifi/cacert.pem"]


@posix
def test_links_to_files_are_followed(sample, tmp_path) -> None:
    """uv can install packages as links into its cache."""
    shutil.move(sample / "sample" / "__init__.py", tmp_path / "cached.py")
    (sample / "sample" / "__init__.py").symlink_to(tmp_path / "cached.py")
    assert sources.read_wheel("sample").contents["sample/__init__.py"] == b"x = 1\n"


def change(packages: Path) -> None:
    (packages / "sample" / "__init__.py").write_bytes(b"x = 2\n")


def remove(packages: Path) -> None:
    (packages / "sample-1.0.dist-info" / "entry_points.txt").unlink()


def remove_hash(packages: Path) -> None:
    record = packages / "sample-1.0.dist-info" / "RECORD"
    record.write_text(record.read_text().replace(support.record_hash(b"x = 1\n"), ""))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (change, r"__init__\.py differs from the hash in RECORD; reinstall"),
        (remove_hash, r"__init__\.py differs from the hash in RECORD; reinstall"),
        (remove, r"entry_points\.txt, which RECORD lists, cannot be read"),
    ],
)
def test_a_file_that_does_not_match_the_record_is_refused(damage, message, sample) -> None:
    damage(sample)
    with pytest.raises(Refused, match=message):
        sources.read_wheel("sample")


def unlist(packages: Path) -> None:
    """As for an editable installation."""
    record = packages / "sample-1.0.dist-info" / "RECORD"
    lines = record.read_text().splitlines(keepends=True)
    record.write_text("".join(line for line in lines if not line.startswith("sample/")))


def remove_record(packages: Path) -> None:
    (packages / "sample-1.0.dist-info" / "RECORD").unlink()


def remove_metadata(packages: Path) -> None:
    shutil.rmtree(packages / "sample-1.0.dist-info")


@pytest.mark.parametrize("damage", [unlist, remove_record, remove_metadata])
def test_a_package_that_is_not_installed_from_a_wheel_is_refused(damage, sample) -> None:
    damage(sample)
    with pytest.raises(Refused, match="sample is not installed here from a wheel"):
        sources.read_wheel("sample")


def test_an_installed_package_that_a_source_tree_hides_is_refused(sample, tmp_path, monkeypatch) -> None:
    shutil.copytree(sample / "sample", tmp_path / "source" / "sample")
    monkeypatch.syspath_prepend(str(tmp_path / "source"))
    with pytest.raises(Refused, match=r"sample is not installed here from a wheel \(found: .*source"):
        sources.read_wheel("sample")


def test_a_missing_package_is_refused() -> None:
    with pytest.raises(Refused, match="certhook_missing is not installed here from a wheel .found: nothing"):
        sources.read_wheel("certhook_missing")


@pytest.mark.parametrize("kind", ["source tree", "archive"])
def test_a_certhook_that_is_not_installed_is_refused(kind, source, embeddable, tmp_path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(support.purelib(source) / "certhook", copy / "certhook")
    if kind == "archive":
        copy = Path(shutil.make_archive(str(tmp_path / "certhook"), "zip", copy))
    env = support.clean_env(PYTHONPATH=str(copy), CERTHOOK_DISABLED="1")
    done = support.run_command(source, "-m", "certhook", "enable", embeddable, "--yes", env=env)
    assert (done.returncode, "certhook is not installed here from a wheel" in done.stderr) == (1, True), done.stderr


def test_a_changed_bundle_is_not_installed(certhook, make_source, cas, embeddable) -> None:
    source = make_source(cas.pem("bundled"))
    with open(support.purelib(source) / "certifi" / "cacert.pem", "ab") as file:
        file.write(cas.pem("stranger"))
    before = snapshot(embeddable)
    done = certhook("enable", embeddable, "--yes", python=source)
    assert (done.returncode, "cacert.pem differs from the hash in RECORD" in done.stderr) == (1, True)
    assert snapshot(embeddable) == before


def test_metadata_in_the_working_directory_is_ignored(certhook, embeddable, tmp_path) -> None:
    """A source tree contains it after a build."""
    (tmp_path / "certhook.egg-info").mkdir()
    (tmp_path / "certhook.egg-info" / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: certhook\nVersion: 0\n")
    assert certhook("enable", embeddable, "--yes").returncode == 0


@posix
@pytest.mark.parametrize("name", ["sample-1.0.dist-info/RECORD", "sample-1.0.dist-info/METADATA", "sample/__init__.py"])
def test_a_pipe_is_not_waited_for(name, sample) -> None:
    (sample / name).unlink()
    os.mkfifo(sample / name)

    def read() -> None:
        with pytest.raises(Refused, match=r"is not a regular file|is not installed here from a wheel"):
            sources.read_wheel("sample")

    time_limit.call(read, 10)
