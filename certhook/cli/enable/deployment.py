"""Install distributions into a target, and remove them.

Distributions are unpacked into the journal and then moved into place, so a file is
either complete or missing. At every moment, the ``RECORD`` files in the target list every
file that was moved there. An interrupted run can therefore be repeated or undone, and its
journal can be deleted. The file that starts certhook is moved into place last,
and removed first.
"""

from __future__ import annotations

import contextlib
import os
from typing import NamedTuple

from certhook._directory import Directory
from certhook.cli.enable import files, journal, pth
from certhook.cli.enable.files import Tree
from certhook.cli.enable.installed import DETAILS, START_FILE, Details, Distribution
from certhook.cli.enable.interpreter import Target
from certhook.cli.enable.plans import Installation, Removal, plan_installation, plan_removal, read_pth, top_entries
from certhook.cli.enable.refusal import Refused


class _Directories(NamedTuple):
    """The open directories of a run.

    :ivar journal: the journal
    :ivar new: in the journal, the distributions to install
    :ivar old: in the journal, the replaced ones
    """

    packages: Directory
    journal: Directory
    new: Directory
    old: Directory


def install(plan: Installation) -> None:
    """Carry out *plan* completely or not at all.

    :raises OSError: if it fails; then the target is as it was before
    :raises Refused: if another ``enable`` is running
    :raises Unprotected: if another user could interfere
    """
    with journal.locked(plan.place) as directory:
        _check_current(plan)
        with journal.started(directory, plan.place, plan.details) as own, contextlib.ExitStack() as stack:
            packages = stack.enter_context(journal.opened_packages(directory, plan.place))
            new, old = (stack.enter_context(own.inner(name, create=files.DIRECTORY_MODE)) for name in ("new", "old"))
            _carry_out(plan, _Directories(packages, own, new, old))


def _check_current(plan: Installation) -> None:
    """Check that the target is as it was when the user saw *plan*."""
    if plan_installation(plan.target) != plan:
        raise Refused(f"{plan.target.site_packages} was changed by another process; run 'enable' again")


def _carry_out(plan: Installation, directories: _Directories) -> None:
    from certhook.cli.enable import staging

    for wheel in plan.wheels:
        details = plan.details if wheel.name == "certhook" else plan.details._replace(edit=None)
        for name, content in staging.unpack(wheel, {DETAILS: details.to_json()}).items():
            files.write(directories.new, name, content)
    with contextlib.ExitStack() as rollback:
        _move_out(plan, directories, rollback)
        _move_in(plan, directories, rollback)
        rollback.pop_all()


def remove(target: Target) -> list[str]:
    """Remove the files that ``enable`` installed in *target*, unless they were changed afterwards.

    :returns: the absolute paths of the changed files, which are kept
    :raises Refused: if an ``enable`` is running
    :raises Unprotected: if another user could interfere
    """
    shown = plan_removal(target)
    if shown is None:
        return []
    with journal.locked(shown.place) as directory:
        # The target may have changed since the user saw the plan.
        plan = plan_removal(target)
        if plan is None:
            return []
        if plan.place != shown.place:
            raise Refused(f"{target.site_packages} was changed by another process; run 'disable' again")
        details = Details(None, plan.place.level)
        with journal.started(directory, plan.place, details) as own, files.opened(target.site_packages) as packages:
            return list(dict.fromkeys([*plan.left, *_remove_files(plan, packages, own)]))


def _move_out(plan: Installation, directories: _Directories, rollback: contextlib.ExitStack) -> None:
    """Move the replaced distributions away, the start file first and each dist-info directory after its files."""
    target, packages, old = plan.target, directories.packages, directories.old
    for name in [START_FILE] if plan.replaced else []:
        _move(name, packages, old, rollback)
    for edit in (distribution.details.edit for distribution in plan.replaced):
        if target.pth and edit and pth.state(edit, read_pth(target.pth)) is pth.State.PRESENT:
            rollback.callback(pth.apply, target.pth, edit, directories.journal)
            pth.undo(target.pth, edit, directories.journal)
    for distribution in reversed(plan.replaced):
        for name in (*sorted(top_entries(distribution.hashes) - {distribution.dist_info}), distribution.dist_info):
            _move(name, packages, old, rollback)


def _move_in(plan: Installation, directories: _Directories, rollback: contextlib.ExitStack) -> None:
    """Move the new distributions into place, each dist-info directory before its files and the start file last."""
    target, new, packages = plan.target, directories.new, directories.packages
    for wheel in plan.wheels:
        for name in (wheel.dist_info, *sorted(top_entries(wheel.contents) - {wheel.dist_info, START_FILE})):
            _move(name, new, packages, rollback)
    if target.pth and plan.edit:
        rollback.callback(pth.undo, target.pth, plan.edit, directories.journal)
        pth.apply(target.pth, plan.edit, directories.journal)
    _move(START_FILE, new, packages, rollback)


def _move(name: str, source: Directory, destination: Directory, rollback: contextlib.ExitStack) -> None:
    """Move an entry of *source*, if there is one, to *destination*."""
    if source.exists(name):
        # Before the move: KeyboardInterrupt may be raised right after it.
        rollback.callback(_move_back, name, source, destination)
        source.rename(name, name, destination)


def _move_back(name: str, source: Directory, destination: Directory) -> None:
    if destination.exists(name) and not source.exists(name):
        destination.rename(name, name, source)


def _remove_files(plan: Removal, packages: Tree, own: Directory) -> list[str]:
    """Remove the files of *plan*, the bytecode compiled from them, and the directories that are empty then.

    :param own: the journal
    :returns: the absolute paths of the changed files
    """
    # Missing files are included: an interrupted run may have left their bytecode and directories.
    hashes = {name: value for each in plan.distributions for name, value in each.hashes.items()}
    metadata = [name for each in plan.distributions for name in _metadata(each)]
    changed = _remove_each(packages, [START_FILE], hashes)
    if plan.target.pth and plan.edit:
        pth.undo(plan.target.pth, plan.edit, own)
    changed += _remove_each(packages, sorted({*hashes} - {START_FILE, *metadata}), hashes)
    if not {*map(packages.absolute, changed)} - {*plan.left}:
        for names in map(_metadata, plan.distributions):
            removable = [name for name in names if name.split("/")[0] not in plan.kept_records]
            left = _remove_each(packages, removable[:-2], hashes)
            # Without RECORD and INSTALLER, the verb could not be repeated.
            changed += left or _remove_each(packages, removable[-2:], hashes)
    return [*map(packages.absolute, changed)]


def _metadata(distribution: Distribution) -> list[str]:
    """List the files in the dist-info directory in the order of removal.

    ``INSTALLER`` is last, because ``enable`` and ``disable`` recognize the directory by it.
    """
    prefix, installer = f"{distribution.dist_info}/", f"{distribution.dist_info}/INSTALLER"
    names = sorted(name for name in distribution.hashes if name.startswith(prefix) and name != installer)
    return [*names, distribution.record, installer]


def _remove_each(packages: Tree, names: list[str], hashes: dict[str, str]) -> list[str]:
    """Remove the files *names*, their bytecode, and the directories that are empty then.

    :returns: the files that differ from their hashes
    """
    changed = []
    directories = set()
    for name in names:
        if name.endswith(".dist-info/RECORD"):  # It contains no hash of itself.
            packages.remove(name)
        elif name in hashes and not packages.remove_if_unchanged(name, hashes[name]):
            changed.append(name)
            continue
        directories |= _parents(name) | _remove_bytecode(packages, name)
    for directory in sorted(directories, key=len, reverse=True):
        packages.remove_empty_directory(directory)
    return changed


def _remove_bytecode(packages: Tree, name: str) -> set[str]:
    """Remove the bytecode compiled from the file *name*.

    :returns: the directory that contained it
    """
    directory, _, file = name.rpartition("/")
    stem, extension = os.path.splitext(file)
    if extension != ".py":
        return set()
    packages.remove(f"{directory}/{stem}.pyc")
    cache = f"{directory}/__pycache__"
    for compiled in packages.names(cache):
        if compiled.startswith(f"{stem}.") and compiled.endswith(".pyc"):
            packages.remove(f"{cache}/{compiled}")
    return {cache}


def _parents(name: str) -> set[str]:
    parts = name.split("/")
    return {"/".join(parts[:count]) for count in range(1, len(parts))}
