"""The ``extra`` source: files and directories that ``CERTHOOK_EXTRA_CA_CERTS`` adds."""

from __future__ import annotations

import os

from certhook._sources.locations import ANY
from certhook._sources.reading import read_directory, read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from certhook._sources.collector import Collector

SETTING = "CERTHOOK_EXTRA_CA_CERTS"


def read(collector: Collector) -> None:
    """Read every path in the setting into *collector*."""
    for path in collector.config.extra:
        if os.path.isdir(path):
            read_directory(collector, "extra", path, ANY, SETTING)
        else:
            read_file(collector, "extra", path, SETTING)
