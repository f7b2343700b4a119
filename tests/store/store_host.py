"""A machine of :mod:`store_machine` whose stores, links and indexes the tests examine."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

import pki
import support
from store_machine import Machine
from store_program import Program

DIGEST = re.compile("[0-9a-f]{40}")
LINK = re.compile("trust-[0-9a-f]{16}")
INDEX = re.compile("index-[0-9a-f]{8}")


class Host(Machine):
    """A machine with a directory of stores, which no other test uses."""

    def __init__(self, python: Path, directory: Path, cas: support.Authorities, servers: support.Servers) -> None:
        super().__init__(python, directory, cas, servers)
        self.location = directory / "stores"
        self.env["CERTHOOK_STORE_DIR"] = str(self.location)
        # Shorter than the others, so that it can replace each of them.
        (directory / "other.pem").write_bytes(pki.issue("o", ca=True, organization="o").pem)

    def program(self, *flags: str, prefix: tuple[str, ...] = (), **variables: str | None) -> Program:
        """Start a program; a value of None removes a variable."""
        env = {name: value for name, value in {**self.env, **variables}.items() if value is not None}
        return Program(self.python, env, prefix, flags)

    def named(self, pattern: re.Pattern[str]) -> list[Path]:
        """Return the paths in the directory of stores with such a name, sorted."""
        found = sorted(self.location.iterdir()) if self.location.is_dir() else []
        return [path for path in found if pattern.fullmatch(path.name)]

    @property
    def link(self) -> Path:
        (link,) = self.named(LINK)
        return link

    @property
    def current_store(self) -> Path:
        """The store to which the only link points."""
        return self.location / os.readlink(self.link)

    @property
    def only_index(self) -> Path:
        (index,) = self.named(INDEX)
        return index

    def start_again(self) -> None:
        """Set the time of the latest check of every index to one before the latest boot."""
        before = time.time() - time.monotonic() - 3600
        for index in self.named(INDEX):
            os.utime(index, (before, before), follow_symlinks=False)

    def content(self) -> dict[str, Any]:
        """Return the content, the mode or the target of everything but the indexes."""
        found: dict[str, Any] = {}
        for path in self.location.rglob("*"):
            if INDEX.fullmatch(path.name):
                continue
            name = str(path.relative_to(self.location))
            if path.is_symlink():
                found[name] = os.readlink(path)
            elif path.is_file():
                found[name] = (path.read_bytes(), path.stat().st_mode)
            else:
                found[name] = path.stat().st_mode
        return found


def copy_certifi(directory: Path, bundle: bytes) -> str:
    """Create the package certifi in *directory*, and return the directory."""
    package = directory / "certifi"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        "import os\ndef where():\n    return os.path.join(os.path.dirname(__file__), 'cacert.pem')\n"
    )
    (package / "cacert.pem").write_bytes(bundle)
    return str(directory)
