"""The README: its length, links, examples and pictures."""

from __future__ import annotations

import configparser
import html
import re
import subprocess
import sys
from pathlib import Path

import pytest
import support
from layouts import DEBIAN
from linux_machine import LinuxMachine
from pages import DOCS

README = (support.ROOT / "README.rst").read_text(encoding="utf-8")
TERMINAL = DOCS / "_static" / "terminal.txt"
MANUAL = "https://certhook.readthedocs.io/en/stable/"

#: Prints the status, or the exception with its notes, for ADDRESS.
FETCH = """
import traceback, urllib.request
try:
    with urllib.request.urlopen(ADDRESS) as response:
        print(response.status, response.reason)
except OSError as error:
    lines = "".join(traceback.format_exception_only(type(error.reason), error.reason))
    print("...", lines, sep="\\n", end="")
"""


@pytest.fixture(scope="module")
def machine(root, cas, servers, installed: Path, plain: Path, tmp_path_factory) -> LinuxMachine:
    return LinuxMachine(cas, servers, installed, plain, tmp_path_factory.mktemp("machine"))


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 170
    assert max(map(len, README.splitlines())) <= 120


def test_every_link_to_the_manual_has_a_page() -> None:
    pages = re.findall(rf"^\.\. _.+: {re.escape(MANUAL)}(\S*?)\.html$", README, re.MULTILINE)
    assert len(pages) >= 10
    assert [page for page in pages if not (DOCS / f"{page}.rst").is_file()] == []


def test_every_picture_is_in_the_repository_and_has_an_absolute_address() -> None:
    start = "https://raw.githubusercontent.com/certhook/certhook/main/"
    pictures = re.findall(r"^\.\. image:: (\S+)$", README, re.MULTILINE)
    assert len(pictures) == 2
    assert [path for path in pictures if not path.startswith(start)] == []
    assert [path for path in pictures if not (support.ROOT / path[len(start) :]).is_file()] == []


def test_every_address_belongs_to_the_project() -> None:
    metadata = configparser.ConfigParser(interpolation=None)
    metadata.read(support.ROOT / "setup.cfg", encoding="utf-8")
    urls = dict(line.split(" = ") for line in metadata["metadata"]["project_urls"].strip().splitlines())
    known = (urls["Documentation"], urls["Source"], "https://raw.githubusercontent.com/certhook/certhook/main/")
    addresses = re.findall(r"https://[^\s>`]+", README)
    assert [address for address in addresses if not address.startswith(known)] == []


@pytest.mark.parametrize("index", range(3))
def test_the_picture_shows_the_output_of_real_programs(machine: LinuxMachine, tmp_path: Path, index: int) -> None:
    shown = TERMINAL.read_text(encoding="utf-8").split("$ python fetch.py ")[1:][index]
    host, _, lines = shown.partition("\n")
    python = machine.plain if index == 0 else machine.installed
    authority = "stranger" if index == 2 else "system"
    code = f"ADDRESS = 'https://localhost:{machine.servers.port(authority)}'\n{FETCH}"
    output = machine.run(python, code, DEBIAN, tmp_path).stdout

    name = host.partition("//")[2]
    output = output.replace(f"localhost:{machine.servers.port(authority)}", name).replace("of localhost", f"of {name}")
    output = output.replace(str(machine.installed), "/srv/app/.venv/bin/python")
    output = re.sub(r'"Testing CA #\S+"', '"Other CA"', output)
    assert _without_numbers(output) == _without_numbers(lines.partition("\n$ ")[0].rstrip("\n") + "\n")


def _without_numbers(text: str) -> str:
    """Remove the numbers that depend on the versions of OpenSSL and certifi."""
    return re.sub(r"\d+(?= (system|bundled))|(?<=_ssl\.c:)\d+", "N", text)


def test_the_picture_is_drawn_from_the_text() -> None:
    drawn = (DOCS / "_static" / "terminal.svg").read_text(encoding="utf-8")
    lines = re.findall(r"<text[^>]*clip-path[^>]*>(.*?)</text>", drawn)
    shown = html.unescape(" ".join(lines)).replace("\xa0", " ")
    assert shown.split() == TERMINAL.read_text(encoding="utf-8").split()


def test_the_readme_renders_on_the_package_index(tmp_path: Path) -> None:
    rendered = tmp_path / "README.html"
    subprocess.run(
        [sys.executable, "-m", "readme_renderer", str(support.ROOT / "README.rst"), "-o", str(rendered)], check=True
    )
    text = rendered.read_text(encoding="utf-8")
    assert "<img" in text and "<table" in text and "system-message" not in text
