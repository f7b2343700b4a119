"""Directories in which files are created, replaced and removed: the only package that writes.

A directory is opened once, component by component, and every component is checked before the next one is
opened. Its entries are then accessed through its descriptor, so that another user who replaces a directory on
the way with a link redirects nothing. No entry is written through a link, and permissions do not depend on the umask.

Windows has no such calls: there, entries are accessed by path, and the access list of the directory protects them.
"""

from __future__ import annotations

from certhook._directory.entries import Directory, temporary_name, write
from certhook._directory.opening import open_directory
from certhook._directory.tree import directory_mode, write_directory

__all__ = [
    "Directory",
    "directory_mode",
    "open_directory",
    "temporary_name",
    "write",
    "write_directory",
]
