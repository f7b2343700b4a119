"""The anchors that ``CERTHOOK_EXTRA_CA_CERTS`` adds: files, and directories of files."""

from __future__ import annotations

import os

from certhook._sources.locations import ANY
from certhook._sources.reading import read_directory, read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from certhook._sources.collector import Collector

SETTING = "CERTHOOK_EXTRA_CA_CERTS"


def read(collector: Collector) -> None:
    """Read every path that the setting names into *collector*."""
    for path in collector.config.extra:
        if os.path.isdir(path):
            read_directory(collector, "extra", path, ANY, SETTING)
        else:
            read_file(collector, "extra", path, SETTING)
