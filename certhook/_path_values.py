"""Parsing the values of variables that contain paths. Imported only if such a variable is set."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, List, Optional, Tuple

    #: Reports an invalid value.
    Refuse = Callable[[str], None]

# The number of relative paths in one variable that are reported.
_MOST = 100


def may_be_paths(value: str) -> bool:
    """Return whether *value* may consist of paths, unlike a URL or PEM text."""
    has_credentials = "//" in value and "@" in value
    return not has_credentials and not any(mark in value for mark in ("://", "-----BEGIN", "LS0tLS1CRUdJT"))


def paths(value: str, refuse: "Refuse", separator: "Optional[str]" = os.pathsep) -> "Tuple[str, ...]":
    """Return the absolute paths in *value*, and report every other part of it."""
    if not may_be_paths(value):
        from certhook._text import shown

        refuse(f"{shown(value)} is not a path{_hint(value) or '; expected the path of a file with certificates'}")
        return ()
    parts = value.split(separator) if separator and not _is_one(value, separator) else [value]
    # The working directory may belong to another user, who must not choose the roots.
    relative = [path for path in parts if path and not os.path.isabs(path)]
    if relative:
        _refuse_relative(relative, value, refuse)
    return tuple([path for path in parts if os.path.isabs(path)])


def _refuse_relative(paths: "List[str]", value: str, refuse: "Refuse") -> None:
    """Report *paths*, parts of *value*, up to a limit."""
    from certhook._secrets import LIMIT, secret_kind
    from certhook._text import shown

    if secret_kind(value) or (len(value) > LIMIT and "@" in value):
        # The separator may have divided a secret.
        refuse(f"{shown(value)} contains a relative path, which is ignored{_hint(value) or '; use absolute paths'}")
        return
    for path in paths[:_MOST]:
        refuse(f"{shown(path)} is a relative path and is ignored{_hint(path) or '; use an absolute path'}")
    if len(paths) > _MOST:
        refuse(f"{len(paths) - _MOST} more relative paths are ignored; use absolute paths")


def _is_one(value: str, separator: str) -> bool:
    """Return whether *value* is one invalid path: quoted as a whole, or with a drive of Windows."""
    is_quoted = value[:1] in ("'", '"') and value.find(value[0], 1) == len(value) - 1
    return is_quoted or (separator == ":" and value[1:3] == ":\\")


def _hint(value: str) -> str:
    """Return the cause of an invalid *value* and the remedy, "" if the cause is unknown."""
    from certhook._path_hints import explain

    hint = explain(value)
    return hint and f": {hint}"


def path(value: str, refuse: "Refuse") -> "Optional[str]":
    """Return an absolute path, "" for an invalid value, None for an empty one."""
    return "".join(paths(value, refuse, separator=None)) if value else None


def path_or_unset(value: str, refuse: "Refuse") -> "Optional[str]":
    """Return an absolute path, None for an empty or invalid value."""
    return path(value, refuse) or None


def directory_or_none(value: str, refuse: "Refuse") -> "Optional[str]":
    """Return "" for ``none``, and None for an empty or invalid value."""
    return "" if value.strip().lower() == "none" else path_or_unset(value, refuse)
