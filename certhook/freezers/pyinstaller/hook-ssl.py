"""PyInstaller's hook for ``ssl``: a program that imports it has certhook in it, and certifi's bundle.

What certhook imports lazily is named here; what is for the command line, for building and for
starting an interpreter with :mod:`site` stays out. Nothing of the build machine's trust goes along.
"""

from __future__ import annotations

from PyInstaller.utils.hooks import collect_data_files, collect_submodules  # type: ignore[import-untyped]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LEFT_OUT = ("certhook.__main__", "certhook.bootstrap", "certhook.cli", "certhook.freezers", "certhook.run")


def _is_needed(name: str) -> bool:
    return not name.startswith(_LEFT_OUT)


def hook(hook_api: Any) -> None:
    """Add the modules and the bundle, unless ``--exclude-module certhook`` was given."""
    if "certhook" not in hook_api.analysis.excludes:
        hook_api.add_imports("certifi", *collect_submodules("certhook", filter=_is_needed))
        hook_api.add_datas(collect_data_files("certifi"))
