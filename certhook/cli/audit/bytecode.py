"""Comparing compiled modules (``.pyc``), which Python executes instead of their sources, with these sources."""

from __future__ import annotations

import importlib.util
import marshal
import os
import re
import sys
import warnings
from types import CodeType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# The size of the header: the magic number, flags, and the time and size or the hash of the source.
_HEADER = 16

_ATTRIBUTES = (
    *("co_argcount", "co_posonlyargcount", "co_kwonlyargcount", "co_flags", "co_name", "co_firstlineno", "co_code"),
    *("co_names", "co_varnames", "co_freevars", "co_cellvars", "co_stacksize", "co_exceptiontable", "co_qualname"),
    # The instructions including the specialized ones, which co_code replaces by the general ones.
    "_co_code_adaptive",
)

#: The directory of compiled modules, next to the source.
DIRECTORY = "__pycache__"


def source_and_level(path: str) -> tuple[str, int] | None:
    """Return the name of the source of the compiled module *path*, and the level of optimization.

    :returns: None if this Python does not execute it: it belongs to another version, or is not in ``__pycache__``
    """
    directory, name = os.path.split(path)
    tag = sys.implementation.cache_tag
    match = re.fullmatch(rf"([^.]+)\.{re.escape(tag or '')}(?:\.opt-([12]))?\.pyc", name)
    if not tag or not match or os.path.basename(directory) != DIRECTORY:
        return None
    return f"{match[1]}.py", int(match[2] or 0)


def is_of_other_version(path: str) -> bool:
    """Return whether *path* is a compiled module of another version of Python."""
    directory, name = os.path.split(path)
    own = f".{sys.implementation.cache_tag}."
    return (
        os.path.basename(directory) == DIRECTORY
        and bool(re.fullmatch(r"[^.]+\.[\w.-]+\.pyc", name))
        and (own not in name)
    )


def compiled_paths(source: str) -> list[str]:
    """Return the paths at which Python searches the compiled module of *source*, for each level of optimization."""
    try:
        return [importlib.util.cache_from_source(source, optimization=level) for level in ("", 1, 2)]
    except NotImplementedError:
        return []


def finding(data: bytes, source: bytes, level: int) -> str:
    """Compare a compiled module with its source.

    :param data: the content of the compiled module
    :param level: the level of optimization
    :returns: the difference as the predicate of a sentence; empty if there is none
    """
    if data[:4] != importlib.util.MAGIC_NUMBER:
        return ""  # Python ignores it.
    try:
        code = marshal.loads(data[_HEADER:])
    except Exception:  # Any of them, for example SystemError.
        return "contains no valid byte code"
    if not isinstance(code, CodeType):
        return "contains no valid byte code"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # A literal may be deprecated.
            expected = compile(source, code.co_filename, "exec", dont_inherit=True, optimize=level)
        is_equal = _facts(code) == _facts(expected)
    except Exception:
        is_equal = False  # For example RecursionError, for nested constants.
    return "" if is_equal else "contains other code than its source"


def _facts(value: Any) -> Any:
    """Return everything in the constant or code object *value* that its execution depends on."""
    if isinstance(value, CodeType):
        return [getattr(value, name, None) for name in _ATTRIBUTES], [_facts(one) for one in value.co_consts]
    if isinstance(value, tuple):
        return tuple([_facts(one) for one in value])
    if isinstance(value, frozenset):
        return frozenset([_facts(one) for one in value])
    # True equals 1, and 0.0 equals -0.0. The text of a large integer is limited.
    return type(value), repr(value) if isinstance(value, (float, complex)) else value
