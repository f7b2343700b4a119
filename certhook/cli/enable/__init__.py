"""``python -m certhook enable`` and ``disable``: certhook for a Python that pip cannot install into."""

from __future__ import annotations

import argparse
import os
import sys

from certhook._text import printable, shown_path
from certhook.cli import _terminal
from certhook.cli._terminal import CommandError
from certhook.cli.enable import deployment, files, installed, plans, report
from certhook.cli.enable.interpreter import Target, find_target
from certhook.cli.enable.refusal import Refused

#: The exit status if nothing was changed, and the changes were shown.
UNCHANGED = 3

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_STATUS = (
    "Exit status: 0 if the change was made or is not necessary, 1 if it was not made, 3 if it was only shown (with "
    "--dry-run, or without confirmation), 2 if TARGET is not a working Python"
)


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add both verbs to the command line."""
    parser = verbs.add_parser(
        "enable",
        help="install certhook into a Python without pip, such as one that an application contains",
        description=(
            "Install certhook, and certifi unless it is present, into a Python without pip, such as one that an "
            "application contains. If this Python has a ._pth file, like the embeddable Python for Windows, the "
            "necessary lines are appended to that file. The changes are shown before they are made. An interpreter, a "
            "package or a directory that another user can modify is not run, copied or changed."
        ),
        epilog=f"'disable' undoes the changes. {_STATUS} or the package 'installer' is missing.",
    )
    _add_arguments(parser)
    parser.add_argument(
        "--force", action="store_true", help="also change a Python that has pip or that the operating system manages"
    )
    parser.set_defaults(run=run, verb="enable")
    parser = verbs.add_parser(
        "disable",
        help="remove the files that 'enable' installed",
        description=(
            "Remove the files that 'enable' installed. Files that were changed since then are kept and listed. If pip "
            "installed certhook, use 'pip uninstall certhook' instead. Set CERTHOOK_DISABLED=1 to disable certhook in "
            "one process."
        ),
        epilog=f"{_STATUS}.",
    )
    _add_arguments(parser)
    parser.set_defaults(run=run, verb="disable")


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    text = "a Python interpreter or the directory that contains it (default: this interpreter)"
    parser.add_argument("target", metavar="TARGET", type=_terminal.not_empty, nargs="?", help=text)
    parser.add_argument("--yes", action="store_true", help="make the changes without confirmation")
    parser.add_argument("--dry-run", action="store_true", help="only show the changes")
    _terminal.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Show the changes, and make them if the user agrees.

    :returns: 0 if they were made or are not necessary, 1 if they were not made, 3 if they were only shown, 2 for a
        usage error
    """
    # Each step adds its results, so that JSON output contains them even if a later step fails.
    target = shown_path(options.target or sys.executable)
    results: dict[str, Any] = {"verb": options.verb, "target": target, "changed": False, **report.NO_CHANGES}
    try:
        results["message"] = (_enable if options.verb == "enable" else _disable)(options, results)
        status = 0
    except CommandError as failure:
        results["message"], status = str(failure), failure.exit_status
    except OSError as error:
        results["message"], status = f"'{options.verb}' failed: {error}", 1
    if _terminal.wants_json(options):
        _terminal.show_json(results)
    elif status == 0:
        _terminal.show(
            "\n".join(_terminal.wrapped(_printable(results["message"]), whole=[_printable(results["target"])]))
        )
    if status:
        _terminal.complain(_printable(results["message"]))
    return status


def _enable(options: argparse.Namespace, results: dict[str, Any]) -> str:
    try:
        import installer  # noqa: F401
    except ImportError as error:
        raise Refused(f"'enable' requires the package installer ({error}): pip install 'certhook[enable]'", 2) from None
    target = _find(options, results)
    by_pip = _is_installed_otherwise(target)
    plan = None if by_pip else plans.plan_installation(target)
    results.update(report.enable_changes(target, plan))
    if plan is None:
        reason = "pip installed certhook" if by_pip else "certhook is enabled"
        return f"{target.name}: {reason}; no change is necessary"
    if not plan.replaced:
        _refuse_unsuitable(target, options.force)
    _confirm(options, report.enable_text(plan, is_done=False))
    deployment.install(plan)
    results["changed"] = True
    _show_done(options, report.enable_text(plan, is_done=True))
    return f"Done. To see the trusted root certificates, run '{target.name} -m certhook'. 'disable' undoes the changes."


def _disable(options: argparse.Namespace, results: dict[str, Any]) -> str:
    target = _find(options, results)
    if _is_installed_otherwise(target):
        raise Refused(
            f"pip installed certhook in {target.site_packages}; to remove it, run {target.name} -m pip uninstall "
            "certhook. To disable it in one process, set CERTHOOK_DISABLED=1"
        )
    plan = plans.plan_removal(target)
    results.update(report.disable_changes(target, plan))
    if plan is None:
        return f"{target.name}: certhook is not enabled; no change is necessary"
    _confirm(options, report.disable_text(plan, is_done=False))
    results.update(kept_files=deployment.remove(target), changed=True)
    _show_done(options, report.disable_text(plan, is_done=True))
    if results["kept_files"]:
        raise Refused(report.advice(plan, results["kept_files"]))
    return "Done. certhook is disabled."


def _find(options: argparse.Namespace, results: dict[str, Any]) -> Target:
    if not results["target"]:
        raise Refused("the path of this interpreter is unknown; name a TARGET", 2)
    target = find_target(results["target"])
    results.update(
        target=target.name,
        site_packages=target.site_packages,
        python=".".join(map(str, target.version)) if target.version else None,
    )
    return target


def _is_installed_otherwise(target: Target) -> bool:
    with files.opened(target.site_packages) as packages:
        return installed.is_installed_otherwise(packages, "certhook")


def _refuse_unsuitable(target: Target, force: bool) -> None:
    """Refuse a *target* that is not writable, has pip, or is managed by the operating system.

    :param force: accept a target with pip, or one that the operating system manages
    """
    for path in (files.nearest_directory(target.site_packages), target.pth):
        if path and not os.access(path, os.W_OK):
            raise Refused(f"{path} is not writable for this user; run 'enable' as its owner")
    if target.is_managed and not force:
        raise Refused(
            f"the operating system manages {target.name}; create a virtual environment ({target.name} -m venv "
            "DIRECTORY) and install certhook there with pip, or use --force"
        )
    if target.has_pip and not force:
        raise Refused(
            f"{target.name} has pip, which also updates certhook; run {target.name} -m pip install certhook, or use "
            "--force"
        )


def _confirm(options: argparse.Namespace, text: str) -> None:
    """Show the changes and ask for confirmation, unless *options* make this unnecessary.

    :raises Refused: if the changes must not be made
    """
    as_json = _terminal.wants_json(options)
    if not as_json and (options.dry_run or not options.yes):
        _terminal.show(_printable(text))
    if options.dry_run:
        raise Refused("nothing was changed", UNCHANGED)
    if not options.yes and (as_json or not _agrees()):
        raise Refused("nothing was changed; to make the changes, add --yes", UNCHANGED)


def _agrees() -> bool:
    """Ask the user for confirmation; without a terminal, the answer is no."""
    if sys.stdin is None or not sys.stdin.isatty() or not sys.stdout.isatty():
        return False
    try:
        return input("Make these changes? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _show_done(options: argparse.Namespace, text: str) -> None:
    if options.yes and not _terminal.wants_json(options):
        _terminal.show(_printable(text))


def _printable(text: str) -> str:
    """Escape control characters: another user may have chosen the names of the files."""
    return "\n".join(printable(line) for line in text.split("\n"))
