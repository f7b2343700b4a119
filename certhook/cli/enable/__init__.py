"""``python -m certhook enable`` and ``disable``: certhook in a Python that pip cannot install into."""

from __future__ import annotations

import argparse
import os
import sys

from certhook.cli import _terminal
from certhook.cli._terminal import wrapped
from certhook.cli.enable import deployment
from certhook.cli.enable.interpreter import Refused, Target, find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from certhook.cli.enable.deployment import Record

_TARGET = "a Python interpreter, or the folder that it is in; this interpreter unless given"
_STATUS = (
    "Exit status: 0 if it is done or nothing is to be done, 1 if it is not done (as with --dry-run), 2 for a TARGET "
    "that is no Python."
)


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add both verbs to the command line."""
    parser = verbs.add_parser(
        "enable",
        help="put certhook into a Python that pip cannot install into, such as an application's own",
        description=(
            "Put certhook, and certifi unless it is there, into a Python that pip cannot install into: an "
            "application's own, or the embeddable one for Windows, whose ._pth file gets the lines that it needs. "
            "What would be changed is shown first."
        ),
        epilog=f"'disable' takes away exactly what was put there. {_STATUS}",
    )
    _add_arguments(parser)
    parser.add_argument("--force", action="store_true", help="also where pip, or the operating system, could do it")
    parser.set_defaults(run=run, verb="enable")
    parser = verbs.add_parser(
        "disable",
        help="take away what 'enable' put there",
        description=(
            "Take away what 'enable' put into a Python. A file that was changed since is left, and named. Where pip "
            "installed certhook, pip uninstalls it; for one process, there is CERTHOOK_DISABLED=1."
        ),
        epilog=_STATUS,
    )
    _add_arguments(parser)
    parser.set_defaults(run=run, verb="disable")


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="TARGET", type=_terminal.not_empty, nargs="?", help=_TARGET)
    parser.add_argument("--yes", action="store_true", help="do it, without asking")
    parser.add_argument("--dry-run", action="store_true", help="only show what would be changed")
    _terminal.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Show what would be changed, and do it if that is wanted.

    :returns: 0 if it is done or nothing is to be done, 1 if it is not done, 2 for a target that is no Python
    """
    as_json = _terminal.wants_json(options)
    found: dict[str, Any] = {"verb": options.verb, "target": options.target or sys.executable, "done": False}
    try:
        if not found["target"]:
            raise Refused("this Python does not know its own path; name a TARGET", 2)
        target = find(found["target"])
        found.update(target=target.name, site_packages=target.folder, python=target.version)
        job = _Enabling(target, options.force) if options.verb == "enable" else _Disabling(target)
        found.update(job.describe())
        if job.nothing:
            found["message"] = f"{target.name}: {job.nothing}; nothing is to be done"
            status = 0
        else:
            if not as_json and (options.dry_run or not options.yes):
                _terminal.show(job.render(is_done=False))
            if options.dry_run or not (options.yes or (not as_json and _agrees())):
                raise Refused("nothing was changed" + ("" if options.dry_run else "; to do it, add --yes"))
            found["left"] = job.do()
            if not as_json and options.yes:
                _terminal.show(job.render(is_done=True))
            found["done"] = not found["left"]
            found["message"], status = job.afterwards(found["left"]), 0 if found["done"] else 1
    except Refused as refusal:
        found["message"], status = str(refusal), refusal.status
    except OSError as failure:
        found["message"], status = f"not done: {failure}", 1
    if as_json:
        _terminal.show_json(found)
    elif status == 0:
        _terminal.show("\n".join(wrapped(found["message"])))
    if status:
        _terminal.complain(found["message"])
    return status


def _agrees() -> bool:
    """Ask the person at the terminal, if there is one."""
    if sys.stdin is None or not sys.stdin.isatty() or not sys.stdout.isatty():
        return False
    try:
        return input("Do it? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


class _Enabling:
    """What has to be done to have certhook in *target*.

    :ivar nothing: why nothing has to be done, if so
    """

    def __init__(self, target: Target, force: bool) -> None:
        self.target = target
        self.nothing = ""
        self.old = deployment.read(target)
        if deployment.by_pip(target, "certhook"):
            self.nothing = "pip installed certhook there"
            return
        self.files = deployment.contents(target, self.old)
        self.record = deployment.plan(target, self.files)
        if self.old is None:
            _refuse(target, force)
        elif self.old.files == self.record.files and deployment.is_whole(target, self.old) and not self.record.appended:
            self.nothing = "certhook is enabled there"
        else:
            changed = deployment.changed(target, self.old)
            if changed:
                raise Refused(f"changed since certhook was enabled there: {', '.join(changed)}; run 'disable' first")

    def describe(self) -> dict[str, Any]:
        """What would be changed, for JSON."""
        if self.nothing:
            return _changes(self.target, None, [])
        return _changes(self.target, self.record, [*self.record.files, deployment.RECORD])

    def render(self, is_done: bool) -> str:
        """What would be changed, or was, for a person."""
        lines = _heading(self.target)
        if self.old:
            lines += wrapped(f"What certhook {self.old.version} put there {'was' if is_done else 'would be'} replaced.")
        names = [*self.record.files, deployment.RECORD]
        does = "Added" if is_done else "Would add"
        return "\n".join([*lines, *_rendered(does, "to", self.target, self.record, names)])

    def do(self) -> list[str]:
        """Do it.

        :returns: the files that were left, which are none
        """
        deployment.place(self.target, self.files, self.record, self.old)
        return []

    def afterwards(self, left: list[str]) -> str:
        """What to say when it is done."""
        return f"Done. '{self.target.name} -m certhook' there shows what is trusted; 'disable' undoes it."


class _Disabling:
    """What has to be done to have certhook out of *target*.

    :ivar nothing: why nothing has to be done, if so
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.record: Record | None = deployment.read(target)
        self.nothing = "" if self.record else "certhook was not enabled there"
        if deployment.by_pip(target, "certhook"):
            raise Refused(
                f"pip installed certhook there, so pip removes it: {target.name} -m pip uninstall certhook. "
                "To switch it off for one process, set CERTHOOK_DISABLED=1"
            )
        if self.record is not None:
            self.going = deployment.unchanged(target, self.record)
            self.left = deployment.changed(target, self.record)
            # The record stays as long as anything that it names.
            self.names = [*self.going.files, *([] if self.left else [deployment.RECORD])]

    def describe(self) -> dict[str, Any]:
        """What would be changed, for JSON."""
        return _changes(self.target, self.going, self.names) if self.record else _changes(self.target, None, [])

    def render(self, is_done: bool) -> str:
        """What would be changed, or was, for a person."""
        does = "Removed" if is_done else "Would remove"
        lines = [*_heading(self.target), *_rendered(does, "from", self.target, self.going, self.names)]
        if self.left:
            lines += [f"{'Left' if is_done else 'Would leave'}, because it was changed since:"]
            lines += [*(line for path in self.left for line in wrapped(path, "  ", "    ")), ""]
        return "\n".join(lines)

    def do(self) -> list[str]:
        """Do it.

        :returns: the files that were left
        """
        assert self.record is not None
        return deployment.remove(self.target, self.record)

    def afterwards(self, left: list[str]) -> str:
        """What to say when it is done."""
        if not left:
            return "Done: certhook is not there any more."
        files = [path for path in left if path != self.target.settings]
        advice = [f"delete {', '.join(files)}"] if files else []
        if self.target.settings in left:
            lines = "' and '".join(self.record.appended.strip().splitlines()) if self.record else ""
            advice.append(f"take the lines '{lines}' out of {self.target.settings}")
        return f"not all was removed, because it was changed since; {' and '.join(advice)}, and run 'disable' again"


def _refuse(target: Target, force: bool) -> None:
    """Refuse a *target* that others look after, unless by *force*, or that cannot be written to."""
    folder = target.folder
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    writable = [path for path in (folder, target.settings) if path and not os.access(path, os.W_OK)]
    if writable:
        raise Refused(f"{writable[0]} cannot be written by this user")
    if target.is_managed and not force:
        raise Refused(
            f"{target.name} belongs to the operating system: make a virtual environment of it "
            f"({target.name} -m venv FOLDER), and install certhook there with pip; or use --force"
        )
    if target.has_pip and not force:
        raise Refused(
            f"pip can install there, and keeps it up to date: {target.name} -m pip install certhook. "
            "With --force, it is done all the same, and pip will not know of it"
        )


def _changes(target: Target, record: Record | None, names: list[str]) -> dict[str, Any]:
    return {
        "nothing_to_do": record is None,
        "files": [os.path.join(target.folder, *name.split("/")) for name in names],
        "lines": {target.settings: record.appended.strip().splitlines()} if record and record.appended else {},
    }


def _heading(target: Target) -> list[str]:
    version = f" (Python {'.'.join(map(str, target.version))})" if target.version else ""
    return [*wrapped(f"{target.name}{version}"), ""]


def _rendered(does: str, where: str, target: Target, record: Record, names: list[str]) -> list[str]:
    lines = wrapped(f"{does} {where} {target.folder}:", then="  ") if names else []
    tops = [name.split("/")[0] for name in names]
    for top in dict.fromkeys(tops):
        count = tops.count(top)
        if top == deployment.RECORD:
            lines.append(f"  {top}  (says what was added, for 'disable')")
        else:
            lines.append(f"  {top}" if top in names else f"  {top}/  ({count} file{'s' * (count > 1)})")
    lines += [""] if names else []
    if record.appended:
        lines += wrapped(f"{does} these lines {where} {target.settings}:", then="  ")
        lines += [f"  {line}" for line in record.appended.strip().splitlines()]
        lines += wrapped("('import site' has Python read the .pth files in site-packages when it starts.)")
        lines.append("")
    return lines
