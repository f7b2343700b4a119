"""What certhook raises and warns with.

A :class:`ConfigurationError` is the fault of who set a variable, a
:class:`SourceError` that of a file, a directory or a store. Both are first of
all collected, next to whatever else could be read, and shown as a
:class:`CerthookWarning`; they are raised only where ``CERTHOOK_ON_ERROR=raise``
asks for it.
"""

from __future__ import annotations

import re

__all__ = ["CerthookError", "CerthookWarning", "ConfigurationError", "SourceError"]


class CerthookError(Exception):
    """Base class of everything that certhook raises."""

    __module__ = "certhook"


# What may stand in a variable by mistake, and is nobody's to see: a key, also encoded once more.
_SECRETS = (
    (re.compile("-----BEGIN .*(-----END [A-Z0-9 ]+-----|$)", re.DOTALL | re.IGNORECASE), "(PEM text)"),
    (re.compile("LS0tLS1CRUdJT[A-Z0-9+/=\\s]*", re.IGNORECASE), "(PEM text in base64)"),
)
_LONGEST = 4000


def presentable(text: str) -> str:
    """*text*, which may have anything in it that was in a variable or a file, for a terminal or a log."""
    for secret, instead in _SECRETS:
        text = secret.sub(instead, text)
    text = _without_login(text)
    if not text.isprintable():
        text = "".join([one if one.isprintable() else ascii(one)[1:-1] for one in text])
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


# A scheme, also where the URL was taken for a path, or what follows one; a drive of Windows is none.
_BEFORE_LOGIN = re.compile(r"""[a-z][a-z0-9+.-]+:/{1,2}|(?:^|(?<=[\s'"=]))//""", re.IGNORECASE)


def _without_login(text: str) -> str:
    """*text* without a name and a password in a URL. These may have any character in them, so up to the last ``@``."""
    end = text.rfind("@")
    start = _BEFORE_LOGIN.search(text, 0, max(end, 0))
    return f"{text[: start.end()]}...{text[end:]}" if start else text


class ConfigurationError(CerthookError):
    """A setting whose value cannot be understood or followed.

    :param setting: the environment variable's name
    :param message: what was found, and what would be right
    """

    __module__ = "certhook"

    def __init__(self, setting: str, message: str) -> None:
        message = presentable(message)
        super().__init__(setting, message)
        self.setting = setting
        self.message = message

    def __str__(self) -> str:
        return f"{self.setting}: {self.message}"


class SourceError(CerthookError):
    """A source of anchors that could not be read, wholly or in part.

    :param path: the file, directory or store at fault
    :param message: what was found, and what would be right
    """

    __module__ = "certhook"

    def __init__(self, path: str, message: str) -> None:
        message = presentable(message)
        super().__init__(path, message)
        self.path = path
        self.message = message

    def __str__(self) -> str:
        return f"{presentable(self.path)}: {self.message}"


class CerthookWarning(UserWarning):
    """A setting or a source is at fault, and certhook went on without it."""

    __module__ = "certhook"
