"""The anchors that ``CERTHOOK_EXTRA_CA_CERTS`` adds: files, and directories of files."""

from __future__ import annotations

import os

from certhook._sources.places import ANY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from certhook._sources.reader import Reader

SETTING = "CERTHOOK_EXTRA_CA_CERTS"


def read(reader: Reader) -> None:
    """Read every path that the setting names into *reader*."""
    for path in reader.config.extra:
        if os.path.isdir(path):
            reader.directory("extra", path, ANY, SETTING)
        else:
            reader.file("extra", path, SETTING)
