"""Recognising the files of root certificates that ``certhook env`` and ``certhook run --env`` write.

The variables that name such a file are meant for programs without certhook. A Python program with
certhook inherits them, and they select nothing there: default trust is determined as usual, and
a request for the file is a request for default trust. The file itself is not read.

A file is recognised by its path. Its name contains a checksum of the settings with which it was
written. With other settings, in another directory or under another name, a file is the user's choice.
"""

import os
from binascii import crc32

PREFIX, _SUFFIX = "exported-", ".pem"
_KEY_LENGTH = 16
_HEX = set("0123456789abcdef")
# The last parts of the default directory of stores, on POSIX and on Windows.
_DEFAULT_PARTS = ("Data", "certhook") if os.name == "nt" else ("certhook",)


def file_name(key: str, selection: str) -> str:
    """Return the name of the file for *selection*.

    :param key: hexadecimal digits that distinguish the files of different interpreters
    :param selection: the settings that select roots
    """
    return f"{PREFIX}{key[:_KEY_LENGTH]}-{_checksum(selection)}{_SUFFIX}"


def is_exported(path: str, store_dir: "str | None", selection: "str | None" = None) -> bool:
    """Return whether certhook wrote the file *path*.

    :param store_dir: the value of ``CERTHOOK_STORE_DIR``, None if it is unset
    :param selection: the settings that select roots; None accepts a file that was written with any settings
    """
    directory, name = os.path.split(path)
    if not name.startswith(PREFIX) or not name.endswith(_SUFFIX):
        return False
    key, _, checksum = name[len(PREFIX) : -len(_SUFFIX)].partition("-")
    if len(key) != _KEY_LENGTH or len(checksum) != 8 or not set(key + checksum) <= _HEX:
        return False
    return (selection is None or checksum == _checksum(selection)) and _is_store_directory(directory, store_dir)


def _is_store_directory(directory: str, store_dir: "str | None") -> bool:
    if not os.path.isabs(directory):
        return False
    if store_dir is None:
        # The home directory may differ from that of the process that wrote the file.
        for part in _DEFAULT_PARTS:
            directory, last = os.path.split(directory)
            if os.path.normcase(last) != os.path.normcase(part):
                return False
        return True
    directory = os.path.normcase(directory)
    return directory in (os.path.normcase(store_dir), os.path.normcase(os.path.realpath(store_dir)))


def _checksum(selection: str) -> str:
    return f"{crc32(os.fsencode(selection)):08x}"
