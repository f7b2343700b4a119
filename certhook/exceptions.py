"""Exceptions and the warning category of certhook.

A :class:`ConfigurationError` describes an invalid variable, a :class:`SourceError`
a file, directory or store that could not be read. certhook collects both, continues
with the remaining input, and reports each as a :class:`CerthookWarning`. It raises
them only with ``CERTHOOK_ON_ERROR=raise``.
"""

from __future__ import annotations

import re

__all__ = ["CerthookError", "CerthookWarning", "ConfigurationError", "SourceError"]


class CerthookError(Exception):
    """Base class of all exceptions that certhook raises."""

    __module__ = "certhook"


# Secrets that a variable may contain by mistake: a private key, as PEM or as base64 of PEM.
_SECRETS = (
    (re.compile("-----BEGIN .*(-----END [A-Z0-9 ]+-----|$)", re.DOTALL | re.IGNORECASE), "(PEM text)"),
    (re.compile("LS0tLS1CRUdJT[A-Z0-9+/=\\s]*", re.IGNORECASE), "(PEM text in base64)"),
)
_LONGEST = 4000


def presentable(text: str) -> str:
    """Return *text*, from a variable or a file, in a form that is safe for terminals and logs.

    Keys and credentials are replaced, characters that are not printable are escaped, and long
    text is truncated.
    """
    for secret, instead in _SECRETS:
        text = secret.sub(instead, text)
    text = _without_login(text)
    if not text.isprintable():
        text = "".join([one if one.isprintable() else ascii(one)[1:-1] for one in text])
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


# The start of a URL: a scheme, also with a single slash (a URL normalised as a path), or "//" alone. A
# Windows drive letter does not match.
_BEFORE_LOGIN = re.compile(r"""[a-z][a-z0-9+.-]+:/{1,2}|(?:^|(?<=[\s'"=]))//""", re.IGNORECASE)


def _without_login(text: str) -> str:
    """Return *text* without the credentials of a URL, which may contain any character: up to the last ``@``."""
    end = text.rfind("@")
    start = _BEFORE_LOGIN.search(text, 0, max(end, 0))
    return f"{text[: start.end()]}...{text[end:]}" if start else text


class ConfigurationError(CerthookError):
    """The value of a setting is invalid or cannot be applied.

    :param setting: name of the environment variable
    :param message: the finding and the remedy
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
    """A source of anchors could not be read, entirely or in part.

    :param path: the file, directory or store
    :param message: the finding and the remedy
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
    """A setting or a source is invalid, and certhook continues without it."""

    __module__ = "certhook"
