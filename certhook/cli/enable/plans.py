"""Plan the changes to a target, before anything is written."""

from __future__ import annotations

import os
from typing import Iterable, Mapping, NamedTuple

from certhook.cli.enable import files, installed, pth
from certhook.cli.enable.installed import DETAILS, Details, Distribution
from certhook.cli.enable.interpreter import Refused, Target
from certhook.cli.enable.sources import Wheel, read_wheel

#: In site-packages: the directory in which distributions are unpacked.
STAGE = ".certhook-enable"


class Installation(NamedTuple):
    """The changes that enable certhook.

    :ivar wheels: the distributions to install, in this order
    :ivar replaced: the distributions of an earlier ``enable``
    """

    target: Target
    wheels: tuple[Wheel, ...]
    replaced: tuple[Distribution, ...]
    details: Details

    @property
    def paths(self) -> tuple[str, ...]:
        """The files to install, below site-packages."""
        paths: list[str] = []
        for wheel in self.wheels:
            paths += [*wheel.contents, *(f"{wheel.dist_info}/{name}" for name in ("INSTALLER", DETAILS, "RECORD"))]
        return tuple(paths)

    @property
    def edit(self) -> pth.Edit | None:
        """The edit of the ``._pth`` file to apply."""
        return self.details.edit


class Removal(NamedTuple):
    """The changes that disable certhook.

    :ivar distributions: the distributions that ``enable`` installed
    :ivar paths: the files to remove, below site-packages
    :ivar left: the absolute paths of the files that were changed after ``enable``, which are kept
    :ivar kept_records: the dist-info directories of distributions with such files, which are kept as well
    :ivar edit: the edit of the ``._pth`` file to undo
    :ivar has_stage: whether an interrupted ``enable`` left the directory :data:`STAGE`
    :ivar made_directories: how many directories ``enable`` created, see :class:`~.installed.Details`
    """

    target: Target
    distributions: tuple[Distribution, ...]
    paths: tuple[str, ...]
    left: tuple[str, ...]
    kept_records: frozenset[str]
    edit: pth.Edit | None
    has_stage: bool
    made_directories: int


def has_stage(target: Target) -> bool:
    """Return whether an ``enable`` is running, or was interrupted."""
    return os.path.lexists(os.path.join(target.site_packages, STAGE))


def plan_installation(target: Target) -> Installation | None:
    """Plan how to enable certhook in *target*.

    :returns: None if it is enabled
    :raises Refused: if a file is in the way, or certhook here is not installed from a wheel
    """
    found = installed.find(target.site_packages)
    names = [name for name in installed.NAMES if name != "certifi" or not _has_own_certifi(target, found)]
    wheels = tuple(map(read_wheel, names))
    verified = [installed.verify(target.site_packages, distribution) for distribution in found.values()]
    replaced = tuple(found.values())
    edit = _plan_edit(target, replaced)
    if (
        edit == _applied_edit(target, replaced)
        and not has_stage(target)
        and not any(each.changed or each.missing for each in verified)
        and {wheel.name: wheel.hashes() for wheel in wheels} == {each.name: _hashes(each) for each in replaced}
    ):
        return None
    _refuse_changed(target, replaced, verified)
    _refuse_foreign(target, wheels, replaced)
    return Installation(target, wheels, replaced, Details(edit, _made_directories(target, replaced)))


def plan_removal(target: Target) -> Removal | None:
    """Plan how to disable certhook in *target*.

    :returns: None if it is not enabled
    """
    found = tuple(installed.find(target.site_packages).values())
    if not found and not has_stage(target):
        return None
    paths: list[str] = []
    left: list[str] = []
    kept = set()
    for each in found:
        verified = installed.verify(target.site_packages, each)
        changed = _absolute(target, verified.changed) + _changed_pth(target, each)
        removed = [*verified.unchanged, *([each.record] if _exists(target, each.record) else [])]
        if changed:
            kept.add(each.dist_info)
            removed = [name for name in removed if not name.startswith(f"{each.dist_info}/")]
        paths += removed
        left += changed
    edit, made = _applied_edit(target, found), _recorded_directories(target, found)
    return Removal(target, found, tuple(paths), tuple(left), frozenset(kept), edit, has_stage(target), made)


def _has_own_certifi(target: Target, found: Mapping[str, Distribution]) -> bool:
    """Return whether *target* has a certifi that ``enable`` did not install."""
    has_package = "certifi" not in found and _exists(target, "certifi")
    return has_package or installed.is_installed_otherwise(target.site_packages, "certifi")


def read_pth(path: str) -> bytes:
    """Read a ``._pth`` file.

    :raises Refused: if it cannot be read, or is a link or a FIFO
    """
    try:
        return files.read_path(path)
    except OSError as error:
        reason = "is a symbolic link" if os.path.islink(path) else f"cannot be read: {error.strerror}"
        raise Refused(f"{path} {reason}; a regular file is required") from None


def _hashes(distribution: Distribution) -> dict[str, str]:
    return {name: value for name, value in distribution.hashes.items() if not name.endswith(f"/{DETAILS}")}


def _applied_edit(target: Target, replaced: tuple[Distribution, ...]) -> pth.Edit | None:
    """Return the edit of an earlier ``enable``, if the ``._pth`` file still contains it."""
    for edit in (distribution.details.edit for distribution in replaced):
        if target.pth and edit and pth.state(edit, read_pth(target.pth)) is pth.State.PRESENT:
            return edit
    return None


def _plan_edit(target: Target, replaced: tuple[Distribution, ...]) -> pth.Edit | None:
    """Plan the edit of the ``._pth`` file, starting from its content before an earlier edit."""
    if not target.pth:
        return None
    content, applied = read_pth(target.pth), _applied_edit(target, replaced)
    return pth.plan(pth.without(applied, content) if applied else content)


def _absolute(target: Target, names: Iterable[str]) -> list[str]:
    return [os.path.join(target.site_packages, *name.split("/")) for name in names]


def _changed_pth(target: Target, distribution: Distribution) -> list[str]:
    """Return the ``._pth`` file if it was changed after the edit of an earlier ``enable``."""
    edit = distribution.details.edit
    if target.pth and edit and pth.state(edit, read_pth(target.pth)) is pth.State.CHANGED:
        return [target.pth]
    return []


def _refuse_changed(target: Target, replaced: tuple[Distribution, ...], verified: list[installed.Verified]) -> None:
    changed = [path for each in verified for path in _absolute(target, each.changed)]
    changed += [path for distribution in replaced for path in _changed_pth(target, distribution)]
    if changed:
        raise Refused(f"files were changed after 'enable': {', '.join(changed)}; run 'disable' first")


def _refuse_foreign(target: Target, wheels: tuple[Wheel, ...], replaced: tuple[Distribution, ...]) -> None:
    """Refuse to overwrite, or to remove with a replaced directory, a file that ``enable`` did not install."""
    known = {name for distribution in replaced for name in (*distribution.hashes, distribution.record)}
    former = top_entries(known) | {distribution.dist_info for distribution in replaced}
    planned = top_entries(name for wheel in wheels for name in wheel.contents)
    foreign = sorted(name for name in planned - former if _exists(target, name))
    for top in sorted(former):
        foreign += [name for name in _walk(target.site_packages, top) if name not in known]
    if foreign:
        raise Refused(f"{_absolute(target, foreign)[0]} exists and was not installed by 'enable'; move it away first")


def top_entries(names: Iterable[str]) -> set[str]:
    """Return the first component of each of *names*."""
    return {name.split("/")[0] for name in names}


def _walk(root: str, top: str) -> list[str]:
    """List the files below the directory *top*, and links to directories, without bytecode."""
    found = []
    for directory, inner, names in os.walk(os.path.join(root, top)):
        parts = os.path.relpath(directory, root).split(os.sep)
        links = [name for name in inner if os.path.islink(os.path.join(directory, name))]
        found += ["/".join([*parts, name]) for name in (*names, *links) if not name.endswith(".pyc")]
    return found


def _exists(target: Target, name: str) -> bool:
    return os.path.lexists(os.path.join(target.site_packages, name))


def _made_directories(target: Target, replaced: tuple[Distribution, ...]) -> int:
    """Count the directories that have to be created, or were created by an earlier ``enable``."""
    count, directory = 0, target.site_packages
    while count < 2 and not os.path.isdir(directory):
        directory = os.path.dirname(directory)
        count += 1
    return max(count, _recorded_directories(target, replaced))


def _recorded_directories(target: Target, distributions: tuple[Distribution, ...]) -> int:
    try:
        interrupted = installed.read_details(target.site_packages, STAGE)
    except (OSError, ValueError):
        interrupted = Details()
    return max(details.made_directories for details in (interrupted, *(each.details for each in distributions)))
