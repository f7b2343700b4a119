"""Present the changes of ``enable`` and ``disable`` as text and as JSON."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from certhook.cli._terminal import wrapped

if TYPE_CHECKING:
    from typing import Any, Sequence

    from certhook.cli.enable.interpreter import Target
    from certhook.cli.enable.plans import Installation, Removal
    from certhook.cli.enable.pth import Edit

#: The JSON object before the target has been examined. Every key is present even if a later step fails.
NO_CHANGES: dict[str, Any] = {
    "site_packages": None,
    "python": None,
    "nothing_to_do": None,
    "files": [],
    "pth_file": None,
    "pth_lines": [],
    "kept_files": [],
}


def enable_changes(target: Target, plan: Installation | None) -> dict[str, Any]:
    """Return the changes that enable certhook, for JSON."""
    return _changes(target, plan.paths, plan.edit) if plan else _changes(target, None, None)


def disable_changes(target: Target, plan: Removal | None) -> dict[str, Any]:
    """Return the changes that disable certhook, for JSON."""
    return _changes(target, plan.paths, plan.edit) if plan else _changes(target, None, None)


def _changes(target: Target, paths: Sequence[str] | None, edit: Edit | None) -> dict[str, Any]:
    return {
        "nothing_to_do": paths is None,
        "files": [os.path.join(target.site_packages, *path.split("/")) for path in paths or ()],
        "pth_file": target.pth if edit else None,
        "pth_lines": list(edit.lines) if edit else [],
    }


def enable_text(plan: Installation, is_done: bool) -> str:
    """Describe the changes that enable certhook."""
    lines = _heading(plan.target)
    if plan.replaced:
        names = " and ".join(f"{each.name} {each.version}" for each in plan.replaced)
        lines += wrapped(f"{'Replaced' if is_done else 'Would replace'} {names}, installed by an earlier 'enable'.")
    verb = "Added" if is_done else "Would add"
    return "\n".join([*lines, *_files_and_lines(verb, "to", plan.target, plan.paths, plan.edit)])


def disable_text(plan: Removal, is_done: bool) -> str:
    """Describe the changes that disable certhook."""
    verb = "Removed" if is_done else "Would remove"
    lines = [*_heading(plan.target), *_files_and_lines(verb, "from", plan.target, plan.paths, plan.edit)]
    if plan.interrupted:
        text = f"{verb} the directory of an interrupted run: {plan.interrupted}"
        lines += [*wrapped(text, then="  ", whole=[plan.interrupted]), ""]
    if plan.left:
        lines.append(f"{'Kept' if is_done else 'Would keep'}, because of changes after 'enable':")
        lines += [line for path in plan.left for line in wrapped(path, "  ", "    ", [path])]
        lines.append("")
    return "\n".join(lines)


def advice(plan: Removal, left: Sequence[str]) -> str:
    """Explain how to complete the removal when the files *left* were kept."""
    pth = plan.target.pth
    names = [path for path in left if path != pth]
    steps = [f"delete {', '.join(names)}"] if names else []
    if pth in left:
        edits = [each.details.edit for each in plan.distributions if each.details.edit]
        quoted = " and ".join(f"'{line}'" for edit in edits for line in edit.lines)
        steps.append(f"remove the lines {quoted} from {pth}")
    return f"files changed after 'enable' were kept; {' and '.join(steps)}, then run 'disable' again"


def _heading(target: Target) -> list[str]:
    version = f" (Python {'.'.join(map(str, target.version))})" if target.version else ""
    return [*wrapped(f"{target.name}{version}", whole=[target.name]), ""]


def _files_and_lines(verb: str, preposition: str, target: Target, paths: Sequence[str], edit: Edit | None) -> list[str]:
    directory = target.site_packages
    lines = wrapped(f"{verb} {preposition} {directory}:", then="  ", whole=[directory]) if paths else []
    tops = [path.split("/")[0] for path in paths]
    for top in dict.fromkeys(tops):
        count = tops.count(top)
        lines.append(f"  {top}" if top in paths else f"  {top}/  ({count} file{'s' * (count > 1)})")
    lines += [""] if paths else []
    if edit:
        lines += wrapped(f"{verb} these lines {preposition} {target.pth}:", then="  ", whole=[target.pth or ""])
        lines += [f"  {line}" for line in edit.lines]
        lines += wrapped(
            "('import site' makes Python read the .pth files in site-packages at start-up. certhook needs this.)"
        )
        lines.append("")
    return lines
