"""The result of ``audit`` as text."""

from __future__ import annotations

from certhook.cli import _manual, _settings_file, _terminal
from certhook.cli._roots_table import indented
from certhook.cli._terminal import wrapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LIMIT = (
    "This report is printed by the code that it verifies: a modified certhook can print anything. "
    f"{_manual.page('explanation/security')} describes how to verify the files from outside."
)
_NOT_ISOLATED = (
    "Python was started without -I, so PYTHONPATH or the working directory could have replaced the modules that ran. "
    "Use 'python -I -m certhook audit'."
)
_NO_MODES = "Access lists were not examined: on this platform, verify them with the tools of the system."

# The number of problems that the text contains: a RECORD may contain any number of faults.
_MOST_PROBLEMS = 20

#: The starts of lines, and their colours.
MARKS = {
    "VERIFIED": _terminal.GOOD,
    "NOT VERIFIED": _terminal.BAD,
    "Distributions:": _terminal.BOLD,
    "Start-up files:": _terminal.BOLD,
    "Modules that run:": _terminal.BOLD,
    "Compiled stores:": _terminal.BOLD,
    "Locations of root certificates:": _terminal.BOLD,
    "System-wide settings:": _terminal.BOLD,
    "Variables:": _terminal.BOLD,
    "Commands that certhook may start:": _terminal.BOLD,
    "Limits:": _terminal.BOLD,
}


def render(found: dict[str, Any]) -> list[str]:
    """Return the lines for *found*, the JSON object."""
    parts = [
        _summary(found),
        _distributions(found),
        _start_files(found),
        _modules(found),
        _stores(found),
        _locations(found),
        _settings_file.lines(found["settings_file"]),
        _variables(found),
        _commands(found),
        _limits(found),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part).split("\n")


def _summary(found: dict[str, Any]) -> list[str]:
    files = sum(one["verified_file_count"] for one in found["distributions"])
    versions = f"certhook {found['certhook']}, Python {found['python']}"
    executable = wrapped(
        found["executable"] or "an interpreter with an unknown path", "  ", "  ", [found["executable"]]
    )
    if found["verified"]:
        lines = wrapped(f"VERIFIED: {files} files, and no other user can modify them", then="  ")
        return [*lines, *executable, f"  {versions}"]
    lines = [
        f"NOT VERIFIED (problems: {len(found['findings'])}, verified files: {files})",
        *executable,
        f"  {versions}",
    ]
    for problem in found["findings"][:_MOST_PROBLEMS]:
        lines += _problem(problem)
    omitted = len(found["findings"]) - _MOST_PROBLEMS
    return [*lines, f"  - {omitted} more: 'certhook audit --json' lists all of them"] if omitted > 0 else lines


def _problem(problem: dict[str, Any]) -> list[str]:
    path, *others = problem["paths"]
    more = f" (and {problem['path_count'] - 1} more)" if others else ""
    text = f"{path} {problem['finding']}{more}"
    return [*wrapped(text, "  - ", "    ", [path]), *wrapped(f"remedy: {problem['remedy']}", "    ", "    ")]


def _distributions(found: dict[str, Any]) -> list[str]:
    lines = ["Distributions:"]
    for one in found["distributions"]:
        lines.append(f"  {one['name']} {one['version'] or ''}".rstrip())
        lines += indented(f"{one['kind']}, in {one['location']}", [one["location"]])
        lines += indented(f"found by {one['finder']}") if one["finder"] else []
        if one["record"]:
            lines += indented(f"{one['verified_file_count']} files verified with {one['record']}", [one["record"]])
            lines += indented(f"SHA-256 {one['record_sha256']}", [f"SHA-256 {one['record_sha256']}"])
        if one["archive_sha256"]:
            lines += indented(f"SHA-256: {one['archive_sha256']}")
        if one["other_version_count"]:
            lines += indented(
                f"{one['other_version_count']} compiled modules of other versions of Python: not verified"
            )
        for path in one["shadowed"]:
            lines += indented(f"not used: the copy in {path}", [path])
    return lines


def _start_files(found: dict[str, Any]) -> list[str]:
    lines = ["Start-up files:"]
    for file in found["start_files"]:
        lines += wrapped(file["path"], "  ", "    ", [file["path"]])
        lines += [f"    {line}" for line in file["lines"]]
        lines += indented(f"SHA-256 {file['sha256']}", [f"SHA-256 {file['sha256']}"])
        lines += indented(_owner(file)) if file["owner"] else []
    if not found["start_files"]:
        lines.append("  none: certhook starts only where a program calls it")
    lines += indented(f"certhook was enabled in this process by: {found['enabled_by'] or 'nothing'}")
    for path in found["other_start_files"]:
        lines += indented(f"other code that runs at start: {path}", [path])
    return lines


def _owner(entry: dict[str, Any]) -> str:
    return f"owner {entry['owner']}, mode {entry['mode']}" if entry["owner"] else ""


def _modules(found: dict[str, Any]) -> list[str]:
    lines = ["Modules that run:"]
    for stage, modules in found["modules"].items():
        lines.append(f"  {stage}:")
        for module in modules:
            lines += [f"    {module['module']}", f"      SHA-256 {module['sha256'] or 'unknown: there is no file'}"]
    return lines


def _stores(found: dict[str, Any]) -> list[str]:
    lines = ["Compiled stores:"]
    for one in found["stores"]:
        directory = one["directory"] or "no directory"
        lines += wrapped(f"{directory}: {one['state']}", "  ", "    ", [directory])
        lines += indented(_owner(one)) if one.get("owner") else []
        verified = sum(store["verified"] for store in one["stores"])
        if one["stores"]:
            lines += indented(f"the checksums of {verified} of {len(one['stores'])} stores were verified")
        if one["default_store"]:
            state = "current" if one["default_store"]["up_to_date"] else "obsolete: a location has changed"
            lines += indented(f"{one['default_store']['path']}: {state}", [one["default_store"]["path"]])
    return lines


def _locations(found: dict[str, Any]) -> list[str]:
    lines = ["Locations of root certificates:"]
    for one in found["locations"]:
        path = one["path"] or "(an empty path)"
        lines += wrapped(f"{one['root_count']:4} {one['source']}: {path}", "  ", "       ", [path])
        lines += indented(_owner(one)) if one["owner"] else []
    for text in found["source_problems"]:
        lines += indented(f"problem: {text}")
    return lines


def _variables(found: dict[str, Any]) -> list[str]:
    lines = ["Variables:"]
    for one in found["variables"]:
        lines += [*wrapped(f"{one['name']}={one['value']}", "  ", "    ", [one["value"]]), *indented(one["effect"])]
    return lines if found["variables"] else ["Variables: none that affect trust"]


def _commands(found: dict[str, Any]) -> list[str]:
    lines = ["Commands that certhook may start:"]
    for one in found["commands"]:
        lines += [*wrapped(f"{one['verb']}: {one['command']}", "  ", "    "), *indented(one["when"])]
    return lines


def _limits(found: dict[str, Any]) -> list[str]:
    texts = [
        _LIMIT,
        *([] if found["isolated"] else [_NOT_ISOLATED]),
        *([] if found["access_examined"] else [_NO_MODES]),
    ]
    return ["Limits:", *(line for text in texts for line in wrapped(text, "  ", "  "))]
