"""Plan the changes to a target, before anything is written."""

from __future__ import annotations

from typing import Iterable, Mapping, NamedTuple

from certhook.cli import _protection
from certhook.cli.enable import files, installed, journal, pth
from certhook.cli.enable.files import Tree
from certhook.cli.enable.installed import DETAILS, Details, Distribution
from certhook.cli.enable.interpreter import Target
from certhook.cli.enable.journal import Place
from certhook.cli.enable.refusal import Refused
from certhook.cli.enable.sources import Wheel, read_wheel

# The record that version 0.1.0 wrote, instead of a dist-info directory.
_FORMER_RECORD = "certhook-enabled.json"


class Installation(NamedTuple):
    """The changes that enable certhook.

    :ivar wheels: the distributions to install, in this order
    :ivar replaced: the distributions of an earlier ``enable``
    :ivar place: where the journal is
    """

    target: Target
    wheels: tuple[Wheel, ...]
    replaced: tuple[Distribution, ...]
    details: Details
    place: Place

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
    :ivar place: where the journal is
    :ivar interrupted: the path of the journal that an interrupted run left, empty if there is none
    """

    target: Target
    distributions: tuple[Distribution, ...]
    paths: tuple[str, ...]
    left: tuple[str, ...]
    kept_records: frozenset[str]
    edit: pth.Edit | None
    place: Place
    interrupted: str


def plan_installation(target: Target) -> Installation | None:
    """Plan how to enable certhook in *target*.

    :returns: None if it is enabled
    :raises Refused: if a file is in the way, or certhook here is not installed from a wheel
    :raises Unprotected: if another user could interfere
    """
    with files.opened(target.site_packages) as packages:
        _refuse_former(target, packages)
        found = installed.find(packages)
        names = [name for name in installed.NAMES if name != "certifi" or not _has_own_certifi(packages, found)]
        wheels = tuple(map(read_wheel, names))
        verified = [installed.verify(packages, distribution) for distribution in found.values()]
        replaced = tuple(found.values())
        edit = _plan_edit(target, replaced)
        place, interrupted = _find_place(target, replaced)
        if (
            edit == _applied_edit(target, replaced)
            and not interrupted
            and not any(each.changed or each.missing for each in verified)
            and {wheel.name: wheel.hashes() for wheel in wheels} == {each.name: _hashes(each) for each in replaced}
        ):
            return None
        _refuse_changed(target, packages, replaced, verified)
        _refuse_foreign(packages, wheels, replaced)
        return Installation(target, wheels, replaced, Details(edit, place.level), place)


def plan_removal(target: Target) -> Removal | None:
    """Plan how to disable certhook in *target*.

    :returns: None if it is not enabled
    :raises Unprotected: if another user could interfere
    """
    with files.opened(target.site_packages) as packages:
        _refuse_former(target, packages)
        found = tuple(installed.find(packages).values())
        place, interrupted = _find_place(target, found)
        if not found and not interrupted:
            return None
        paths: list[str] = []
        left: list[str] = []
        kept = set()
        for each in found:
            verified = installed.verify(packages, each)
            changed = [*map(packages.absolute, verified.changed), *_changed_pth(target, each)]
            removed = [*verified.unchanged, *([each.record] if packages.exists(each.record) else [])]
            if changed:
                kept.add(each.dist_info)
                removed = [name for name in removed if not name.startswith(f"{each.dist_info}/")]
            paths += removed
            left += changed
        edit = _applied_edit(target, found)
        return Removal(target, found, tuple(paths), tuple(left), frozenset(kept), edit, place, interrupted)


def _find_place(target: Target, distributions: tuple[Distribution, ...]) -> tuple[Place, str]:
    """Find the directory of the journal.

    :returns: it, and the path of the journal that an interrupted run left
    """
    recorded = max((each.details.made_directories for each in distributions), default=0)
    return journal.find(target.site_packages, recorded)


def _has_own_certifi(packages: Tree, found: Mapping[str, Distribution]) -> bool:
    """Return whether the target has a certifi that ``enable`` did not install."""
    has_package = "certifi" not in found and packages.exists("certifi")
    return has_package or installed.is_installed_otherwise(packages, "certifi")


def read_pth(path: str) -> bytes:
    """Read a ``._pth`` file.

    :raises Refused: if it cannot be read, or is a link or a FIFO
    :raises Unprotected: if another user could interfere
    """
    try:
        with pth.File(path) as file:
            _protection.check(path, file.status(), False)
            return file.read()
    except OSError as error:
        raise Refused(f"{path} {pth.explain(error)}; a regular file is required") from None


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


def _changed_pth(target: Target, distribution: Distribution) -> list[str]:
    """Return the ``._pth`` file if it was changed after the edit of an earlier ``enable``."""
    edit = distribution.details.edit
    if target.pth and edit and pth.state(edit, read_pth(target.pth)) is pth.State.CHANGED:
        return [target.pth]
    return []


def _refuse_former(target: Target, packages: Tree) -> None:
    """Refuse a target that version 0.1.0 has changed: its own copy of certhook can undo that.

    :raises Refused: if there is a record of that version
    """
    if packages.exists(_FORMER_RECORD):
        raise Refused(
            f"certhook 0.1.0 changed this Python ({packages.absolute(_FORMER_RECORD)}); to undo that, run its own "
            f"copy of certhook: {target.name} -m certhook disable --yes"
        )


def _refuse_changed(
    target: Target, packages: Tree, replaced: tuple[Distribution, ...], verified: list[installed.Verified]
) -> None:
    changed = [packages.absolute(name) for each in verified for name in each.changed]
    changed += [path for distribution in replaced for path in _changed_pth(target, distribution)]
    if changed:
        raise Refused(f"files were changed after 'enable': {', '.join(changed)}; run 'disable' first")


def _refuse_foreign(packages: Tree, wheels: tuple[Wheel, ...], replaced: tuple[Distribution, ...]) -> None:
    """Refuse to overwrite, or to remove with a replaced directory, a file that ``enable`` did not install."""
    known = {name for distribution in replaced for name in (*distribution.hashes, distribution.record)}
    former = top_entries(known) | {distribution.dist_info for distribution in replaced}
    planned = top_entries(name for wheel in wheels for name in wheel.contents)
    foreign = sorted(name for name in planned - former if packages.exists(name))
    for top in sorted(former):
        foreign += [name for name in packages.walk(top) if name not in known and not name.endswith(".pyc")]
    if foreign:
        path = packages.absolute(foreign[0])
        raise Refused(f"{path} exists and was not installed by 'enable'; move it away first")


def top_entries(names: Iterable[str]) -> set[str]:
    """Return the first component of each of *names*."""
    return {name.split("/")[0] for name in names}
