"""Unpack distributions with PyPA's ``installer`` library.

Import this module only where the library is needed: it is an optional dependency.
"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Mapping

import installer
from installer.destinations import WheelDestination
from installer.records import Hash, RecordEntry
from installer.sources import WheelSource
from installer.utils import construct_record_file

from certhook.cli.enable import files
from certhook.cli.enable.installed import INSTALLER

if TYPE_CHECKING:
    from typing import BinaryIO, Iterable, Iterator

    from installer.utils import Scheme

    from certhook.cli.enable.sources import Wheel


def unpack(wheel: Wheel, extra: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files of the installed *wheel* by their paths below site-packages, without scripts and bytecode.

    :param extra: further files for the dist-info directory
    """
    destination = _Memory()
    installer.install(_Source(wheel), destination, {"INSTALLER": INSTALLER, **extra})
    return destination.contents


class _Memory(WheelDestination):
    """Collects the files instead of writing them."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}

    def write_file(
        self, scheme: Scheme, path: str | os.PathLike[str], stream: BinaryIO, is_executable: bool
    ) -> RecordEntry:
        name, content = os.fspath(path), stream.read()
        self.contents[name] = content
        kind, _, value = files.digest(content).partition("=")
        return RecordEntry(name, Hash(kind, value), len(content))

    def finalize_installation(
        self, scheme: Scheme, record_file_path: str, records: Iterable[tuple[Scheme, RecordEntry]]
    ) -> None:
        with construct_record_file(records) as stream:
            self.contents[record_file_path] = stream.read()


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
