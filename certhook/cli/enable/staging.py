"""Unpack distributions into a directory with PyPA's ``installer`` library.

Import this module only where the library is needed: it is an optional dependency.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Mapping

import installer
from installer.destinations import SchemeDictionaryDestination
from installer.sources import WheelSource

from certhook.cli.enable import files
from certhook.cli.enable.installed import INSTALLER

if TYPE_CHECKING:
    from typing import BinaryIO, Iterator

    from certhook.cli.enable.sources import Wheel


def unpack(wheel: Wheel, directory: str, extra: Mapping[str, bytes]) -> None:
    """Install *wheel* into *directory*, without scripts and bytecode.

    :param extra: further files for the dist-info directory
    """
    destination = SchemeDictionaryDestination(
        {"purelib": directory, "platlib": directory}, interpreter="", script_kind="posix"
    )
    installer.install(_Source(wheel), destination, {"INSTALLER": INSTALLER, **extra})


class _Source(WheelSource):
    """Adapts a :class:`~certhook.cli.enable.sources.Wheel` to the library."""

    def __init__(self, wheel: Wheel) -> None:
        super().__init__(wheel.name, wheel.version)
        self._wheel = wheel

    @property
    def dist_info_dir(self) -> str:
        return self._wheel.dist_info

    @property
    def dist_info_filenames(self) -> list[str]:
        prefix = f"{self.dist_info_dir}/"
        names = [path[len(prefix) :] for path in self._wheel.contents if path.startswith(prefix)]
        # The library generates scripts from this file.
        return [name for name in names if name != "entry_points.txt"]

    def read_dist_info(self, filename: str) -> str:
        return self._wheel.contents[f"{self.dist_info_dir}/{filename}"].decode()

    def get_contents(self) -> Iterator[tuple[tuple[str, str, str], BinaryIO, bool]]:
        for path, content in self._wheel.contents.items():
            yield (path, files.digest(content), str(len(content))), io.BytesIO(content), False
