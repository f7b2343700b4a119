"""Install distributions into a target, and remove them.

Distributions are unpacked into a staging directory and then moved into place, so a file is
either complete or missing. At every moment, the ``RECORD`` files in the target list every
file that was moved there. An interrupted run can therefore be repeated or undone, and its
staging directory can be deleted. The file that starts certhook is moved into place last,
and removed first.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import Iterator

from certhook.cli.enable import files, pth
from certhook.cli.enable.installed import DETAILS, START_FILE, Distribution
from certhook.cli.enable.interpreter import Refused, Target
from certhook.cli.enable.plans import (
    STAGE,
    Installation,
    Removal,
    has_stage,
    plan_installation,
    plan_removal,
    top_entries,
)

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


def install(plan: Installation) -> None:
    """Carry out *plan* completely or not at all.

    :raises OSError: if it fails; then the target is as it was before
    :raises Refused: if another ``enable`` is running
    """
    target = plan.target
    os.makedirs(target.site_packages, exist_ok=True)
    try:
        with _exclusive(target):
            _check_current(plan)
            _carry_out(plan)
    finally:
        # Only empty directories are removed.
        _remove_made_directories(target, plan.details.made_directories)


def _check_current(plan: Installation) -> None:
    """Check that the target is as it was when the user saw *plan*."""
    current = plan_installation(plan.target)
    # The details may differ, because the directories may exist now. pth.apply() checks the edit.
    if current is None or current._replace(details=plan.details) != plan:
        raise Refused(f"{plan.target.site_packages} was changed by another process; run 'enable' again")


def _carry_out(plan: Installation) -> None:
    from certhook.cli.enable import staging

    with _new_stage(plan) as (new, old):
        for wheel in plan.wheels:
            details = plan.details if wheel.name == "certhook" else plan.details._replace(edit=None)
            staging.unpack(wheel, new, {DETAILS: details.to_json()})
        with contextlib.ExitStack() as rollback:
            _move_out(plan, old, rollback)
            _move_in(plan, new, rollback)
            rollback.pop_all()


def remove(target: Target) -> list[str]:
    """Remove the files that ``enable`` installed in *target*, unless they were changed afterwards.

    :returns: the absolute paths of the changed files, which are kept
    :raises Refused: if an ``enable`` is running
    """
    with _exclusive(target):
        # The target may have changed since the user saw the plan.
        plan = plan_removal(target)
        if plan is None:
            return []
        if plan.has_stage:
            _discard_stage(target)
        left = list(dict.fromkeys([*plan.left, *_remove_files(plan)]))
    if not left:
        _remove_made_directories(target, plan.made_directories)
    return left


def _move_out(plan: Installation, old: str, rollback: contextlib.ExitStack) -> None:
    """Move the replaced distributions into *old*, the start file first and each dist-info directory after its files."""
    target = plan.target
    for name in [START_FILE] if plan.replaced else []:
        _move(name, target.site_packages, old, rollback)
    for edit in (distribution.details.edit for distribution in plan.replaced):
        if target.pth and edit and pth.state(edit, files.read_path(target.pth)) is pth.State.PRESENT:
            rollback.callback(pth.apply, target.pth, edit)
            pth.undo(target.pth, edit)
    for distribution in reversed(plan.replaced):
        for name in (*sorted(top_entries(distribution.hashes) - {distribution.dist_info}), distribution.dist_info):
            _move(name, target.site_packages, old, rollback)


def _move_in(plan: Installation, new: str, rollback: contextlib.ExitStack) -> None:
    """Move the distributions in *new* into place, each dist-info directory before its files and the start file last."""
    target = plan.target
    for wheel in plan.wheels:
        for name in (wheel.dist_info, *sorted(top_entries(wheel.contents) - {wheel.dist_info, START_FILE})):
            _move(name, new, target.site_packages, rollback)
    if target.pth and plan.edit:
        rollback.callback(pth.undo, target.pth, plan.edit)
        pth.apply(target.pth, plan.edit)
    _move(START_FILE, new, target.site_packages, rollback)


def _move(name: str, source: str, destination: str, rollback: contextlib.ExitStack) -> None:
    """Move an entry of the directory *source*, if there is one, into *destination*."""
    original, moved = os.path.join(source, name), os.path.join(destination, name)
    if os.path.lexists(original):
        # Before the move: KeyboardInterrupt may be raised right after it.
        rollback.callback(_move_back, original, moved)
        os.rename(original, moved)


def _move_back(original: str, moved: str) -> None:
    if os.path.lexists(moved) and not os.path.lexists(original):
        os.rename(moved, original)


def _remove_files(plan: Removal) -> list[str]:
    """Remove the files of *plan*, the bytecode compiled from them, and the directories that are empty then.

    :returns: the absolute paths of the changed files
    """
    root, pth_file = plan.target.site_packages, plan.target.pth
    # Missing files are included: an interrupted run may have left their bytecode and directories.
    hashes = {name: value for each in plan.distributions for name, value in each.hashes.items()}
    metadata = [name for each in plan.distributions for name in _metadata(each)]
    changed = _remove_each(root, [START_FILE], hashes)
    if pth_file and plan.edit:
        pth.undo(pth_file, plan.edit)
    elif pth_file and plan.distributions:
        pth.discard_temporary(pth_file)
    changed += _remove_each(root, sorted({*hashes} - {START_FILE, *metadata}), hashes)
    if not {*_absolute(plan, changed)} - {*plan.left}:
        removable = [name for name in metadata if name.split("/")[0] not in plan.kept_records]
        changed += _remove_each(root, removable, hashes)
    return _absolute(plan, changed)


def _absolute(plan: Removal, names: list[str]) -> list[str]:
    return [os.path.join(plan.target.site_packages, *name.split("/")) for name in names]


def _metadata(distribution: Distribution) -> list[str]:
    """List the files in the dist-info directory in the order of removal.

    ``INSTALLER`` is last, because ``enable`` and ``disable`` recognize the directory by it.
    """
    prefix, installer = f"{distribution.dist_info}/", f"{distribution.dist_info}/INSTALLER"
    names = sorted(name for name in distribution.hashes if name.startswith(prefix) and name != installer)
    return [*names, distribution.record, installer]


def _remove_each(root: str, names: list[str], hashes: dict[str, str]) -> list[str]:
    """Remove the files *names*, their bytecode, and the directories that are empty then.

    :returns: the files that differ from their hashes
    """
    changed = []
    directories = set()
    for name in names:
        if name.endswith(".dist-info/RECORD"):  # It contains no hash of itself.
            files.remove(root, name)
        elif name in hashes and not files.remove_if_unchanged(root, name, hashes[name]):
            changed.append(name)
            continue
        directories |= _parents(name) | _remove_bytecode(root, name)
    for directory in sorted(directories, key=len, reverse=True):
        files.remove_empty_directory(root, directory)
    return changed


def _remove_bytecode(root: str, name: str) -> set[str]:
    """Remove the bytecode compiled from the file *name*.

    :returns: the directory that contained it
    """
    directory, _, file = name.rpartition("/")
    stem, extension = os.path.splitext(file)
    if extension != ".py":
        return set()
    files.remove(root, f"{directory}/{stem}.pyc")
    cache = f"{directory}/__pycache__"
    for compiled in files.names_in(root, cache):
        if compiled.startswith(f"{stem}.") and compiled.endswith(".pyc"):
            files.remove(root, f"{cache}/{compiled}")
    return {cache}


def _parents(name: str) -> set[str]:
    parts = name.split("/")
    return {"/".join(parts[:count]) for count in range(1, len(parts))}


@contextlib.contextmanager
def _exclusive(target: Target) -> Iterator[None]:
    """Hold a lock on the target, which the operating system releases if this process is killed."""
    if fcntl is None or not os.path.isdir(target.site_packages):
        yield
        return
    descriptor = os.open(target.site_packages, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _running(target) from None
        except OSError:
            pass  # The file system has no locks, for example NFS.
        yield
    finally:
        os.close(descriptor)


def _running(target: Target) -> Refused:
    return Refused(f"another 'enable' or 'disable' is changing {target.site_packages}; try again when it has finished")


@contextlib.contextmanager
def _new_stage(plan: Installation) -> Iterator[tuple[str, str]]:
    """Create the staging directory, with a directory for new and one for replaced distributions."""
    stage = os.path.join(plan.target.site_packages, STAGE)
    if has_stage(plan.target):
        _discard_stage(plan.target)
    os.mkdir(stage, 0o700)
    new, old = os.path.join(stage, "new"), os.path.join(stage, "old")
    try:
        # Windows does not delete an open file, so this one also serves as a lock there.
        with open(os.path.join(stage, DETAILS), "xb") as details:
            details.write(plan.details.to_json())
            details.flush()
            os.mkdir(new)
            os.mkdir(old)
            yield new, old
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _discard_stage(target: Target) -> None:
    """Delete the staging directory of an interrupted run."""
    try:
        files.remove(target.site_packages, f"{STAGE}/{DETAILS}")
    except PermissionError:
        if fcntl is None:
            raise _running(target) from None
        raise
    # rmtree() does not follow links.
    shutil.rmtree(os.path.join(target.site_packages, STAGE))


def _remove_made_directories(target: Target, count: int) -> None:
    directory = target.site_packages
    for _ in range(count):
        with contextlib.suppress(OSError):
            os.rmdir(directory)
        directory = os.path.dirname(directory)
