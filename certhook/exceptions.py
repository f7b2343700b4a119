"""The exceptions and warnings of certhook.

A :class:`ConfigurationError` describes an invalid environment variable; a
:class:`SourceError` describes a file, a directory or a store that cannot be used. certhook
continues with everything that could be read, and issues each error as a
:class:`CerthookWarning`. With ``CERTHOOK_ON_ERROR=raise``, it raises the error instead.
"""

from __future__ import annotations

from certhook._text import presentable, shown_path

__all__ = ["CerthookError", "CerthookWarning", "ConfigurationError", "SourceError"]


class CerthookError(Exception):
    """Base class of all exceptions that certhook raises."""

    __module__ = "certhook"


class ConfigurationError(CerthookError):
    """A setting has a value that is invalid or cannot be used.

    :ivar setting: the name of the environment variable
    :ivar message: the finding and the remedy
    """

    __module__ = "certhook"

    setting: str
    message: str

    def __init__(self, setting: str, message: str) -> None:
        message = presentable(message)
        super().__init__(setting, message)
        self.setting = setting
        self.message = message

    def __str__(self) -> str:
        return f"{self.setting}: {self.message}"


class SourceError(CerthookError):
    """A source of anchors, or a block list, cannot be read completely.

    :ivar path: the file, directory or store; a description if the path may contain a secret
    :ivar message: the finding and the remedy
    """

    __module__ = "certhook"

    path: str
    message: str

    def __init__(self, path: str, message: str) -> None:
        message = presentable(message)
        path = shown_path(path)
        super().__init__(path, message)
        self.path = path
        self.message = message

    def __str__(self) -> str:
        return f"{presentable(self.path)}: {self.message}"


class CerthookWarning(UserWarning):
    """A setting or a source is wrong, and certhook continued without it."""

    __module__ = "certhook"
