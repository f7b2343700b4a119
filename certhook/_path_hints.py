"""Why the value of a variable is not the intended path, and the remedy. Imported only for paths that do not exist."""

from __future__ import annotations

import os
import re

from certhook._secrets import hidden_kind

_QUOTES = "\"'`\u201c\u201d\u2018\u2019\u00ab\u00bb"
_WHITE_SPACE = {" ": "a space", "\t": "a tab", "\n": "a line break", "\r": "a carriage return", "\xa0": "a space"}
_VARIABLE = re.compile(r"\$\w|\$\{\w|%\w+%")
_WINDOWS_PATH = re.compile(r"[A-Za-z]:[\\/]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")


def explain(value: str, is_list: bool = False) -> str:
    """Return the probable cause and the remedy as a sentence without its period; "" if there is no known cause.

    :param value: the value of a variable, or one of the paths in it
    :param is_list: whether the variable may contain several paths
    """
    if "-----BEGIN" in value:
        return "the value is PEM text; write it to a file, and use the path of the file"
    stripped = value.strip()
    if not stripped:
        return "the value consists of white space; remove the variable" if value else ""
    bare = stripped.strip(_QUOTES).strip()
    if bare != stripped:
        return f"quotation marks are part of the value{_use(bare) or '; remove them'}"
    if stripped != value:
        side, character = ("begins", value[0]) if value[0] != stripped[0] else ("ends", value[-1])
        name = _WHITE_SPACE.get(character, "white space")
        return f"the value {side} with {name}{_use(bare) or '; remove it'}"
    return _explain_text(value) or _explain_separator(value, is_list)


def _explain_text(value: str) -> str:
    if value.startswith("~"):
        return f"~ is not expanded in the value{_use(value)}"
    if _VARIABLE.search(value):
        return "other variables are not expanded in the value; use the path with their values"
    scheme = _SCHEME.match(value)
    if scheme is not None and scheme[1].lower() == "file":
        return f"a path begins without file://{_use(value[scheme.end() :])}"
    if scheme is not None:
        return "a URL is not a path; download the file, and use the path of the file"
    if os.name != "nt" and _WINDOWS_PATH.match(value):
        return "it is a path of Windows; use the path in this system"
    return ""


def _explain_separator(value: str, is_list: bool) -> str:
    # A colon followed by a backslash belongs to a drive of Windows.
    parts = [part for part in re.split(r"[;,\n]\s*|\s+(?=[/\\]|[A-Za-z]:)|:(?=/|[A-Za-z]:[\\/])", value) if part]
    if len(parts) < 2 or not all(map(os.path.isabs, parts)):
        return ""
    if is_list:
        return f"paths are separated by {os.pathsep!r} in this variable"
    return "the value contains several paths, but this variable names one; concatenate the files to one file"


def _use(path: str) -> str:
    """Return the advice to use *path*, if it is absolute after the expansion of ``~``."""
    path = os.path.expanduser(path)
    return f"; use {path}" if os.path.isabs(path) and not hidden_kind(path) else ""
