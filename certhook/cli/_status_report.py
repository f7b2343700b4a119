"""The result of ``status`` as text: a summary of a few lines, and the details."""

from __future__ import annotations

import os

from certhook._text import presentable, printable
from certhook.cli import _manual, _problem_list, _roots_table, _settings_file, _terminal
from certhook.cli._roots_table import detail_lines, indented
from certhook.cli._terminal import wrapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# The number of private or expired root certificates that the summary names.
_MOST_NAMES = 3
# The number of locations without roots that the report contains. Each platform has fewer.
_MOST_EMPTY = 40

_HOW_TO_ENABLE = (
    "To enable it, run 'pip install certhook', or call certhook.install() in the program. Where pip is not available, "
    "run 'python -m certhook enable'."
)
_HOW_TO_REACH = "'python -m certhook export FILE' writes the trusted root certificates to a file."

_PRIVATE = "Private root certificates (not part of Mozilla's list):"
_EXPIRED = "Expired root certificates:"

#: The starts of lines, and their colours.
MARKS = {
    "Active": _terminal.GOOD,
    "Not active": _terminal.BAD,
    "No problems.": _terminal.GOOD,
    "Problems:": _terminal.BAD,
    "Trusted root certificates:": _terminal.BOLD,
    _PRIVATE: _terminal.BOLD,
    _EXPIRED: _terminal.BAD,
    "Root certificates:": _terminal.BOLD,
    "Sources:": _terminal.BOLD,
    "Distrusted root certificates:": _terminal.BOLD,
    "Locations:": _terminal.BOLD,
    "System-wide settings:": _terminal.BOLD,
    "Variables:": _terminal.BOLD,
    "Client hooks:": _terminal.BOLD,
    "Other software:": _terminal.BOLD,
    "Libraries that certhook does not reach:": _terminal.BOLD,
}


def render(found: dict[str, Any], shows_roots: bool = False) -> list[str]:
    """Return the lines for *found*, the JSON object.

    :param shows_roots: whether to show all facts about each root
    """
    parts = [[*_activation(found), *_trusted(found), *_problems(found)]]
    if shows_roots:
        parts.append(["Root certificates:", *(line for root in found["roots"] for line in detail_lines(root))])
    parts += [_selection(found), _distrusted(found), _locations(found), _store(found)]
    parts += [_settings_file.lines(found["settings_file"]), _environment(found)]
    parts += [_clients(found), _software(found), _unreached(found)]
    if found["problems"]:
        parts.append(["The problems are listed at the beginning."])
    return "\n\n".join("\n".join(part) for part in parts if part).split("\n")


def _activation(found: dict[str, Any]) -> list[str]:
    """Return whether certhook is active, and in which interpreter."""
    state, *instructions = _state(found)
    path = found["executable"] or "an interpreter with an unknown path"
    versions = f"certhook {found['certhook']}, Python {found['python']}, {found['openssl']}"
    lines = [*wrapped(state, then="  ", whole=[found["enabled_by"] or ""]), *wrapped(path, "  ", "  ", [path])]
    return [
        *lines,
        *wrapped(versions, "  ", "  "),
        *(line for text in instructions for line in wrapped(text, "  ", "  ")),
        *([f"  More: {_manual.troubleshooting('certhook-inactive')}"] if instructions else []),
    ]


def _state(found: dict[str, Any]) -> list[str]:
    """Return whether certhook is active, and if it is not, what to do."""
    if found["active"]:
        return [f"Active in this interpreter, enabled by {found['enabled_by']}"]
    if found["disabled"]:
        return ["Not active in this interpreter: CERTHOOK_DISABLED is set"]
    if found["unprocessed_pth"]:
        directory = found["unprocessed_pth"]
        bootstrap = os.path.join(directory, "certhook", "bootstrap")
        text = (
            f"Python processes {os.path.join(directory, 'certhook.pth')} only in a site-packages directory, not in one "
            f"on PYTHONPATH. To enable certhook, add its drop-in: PYTHONPATH={bootstrap}{os.pathsep}{directory}"
        )
        return ["Not active in this interpreter: certhook.pth is not processed", presentable(text)]
    return ["Not active in this interpreter: nothing has enabled certhook", _HOW_TO_ENABLE]


def _trusted(found: dict[str, Any]) -> list[str]:
    """Return the number of roots by source, and the private and the expired roots."""
    counts = ", ".join(f"{source} {count}" for source, count in found["trusted_count_by_source"].items())
    lines = wrapped(f"Trusted root certificates: {found['trusted_count']}{f' ({counts})' if counts else ''}", then="  ")
    if found["private_count"] is None:
        lines += wrapped(f"{_PRIVATE} unknown, because certifi's copy of the list is not available", then="  ")
    else:
        lines += _named(_PRIVATE, found, "private")
    return lines + (_named(_EXPIRED, found, "expired") if found["expired_count"] else [])


def _named(heading: str, found: dict[str, Any], key: str) -> list[str]:
    """Return *heading* with the number of roots that have the attribute *key*, and the names of a few of them."""
    roots = [root for root in found["roots"] if root[key]]
    lines = wrapped(f"{heading} {len(roots) or 'none'}", then="  ")
    if not roots:
        return lines
    names = _roots_table.distinct_names(roots[:_MOST_NAMES])
    others = len(roots) - len(names)
    tail = f", and {others} more" if others else ""
    return [*lines, *wrapped(f"{', '.join(names)}{tail} (see 'certhook list --{key}')", "  ", "  ", names)]


def _problems(found: dict[str, Any]) -> list[str]:
    if not found["problems"]:
        return ["No problems."]
    whole = _paths(found)
    shown = _problem_list.first_ones(found["problems"], "status")
    lines = [line for problem in shown for line in wrapped(problem, "  - ", "    ", whole)]
    return [f"Problems: {len(found['problems'])}", *lines]


def _paths(found: dict[str, Any]) -> list[str]:
    """Return the paths that messages may contain, longest first."""
    paths = [location["path"] for location in found["locations"]]
    paths += [part for variable in found["variables"] for part in variable["value"].split(os.pathsep)]
    return sorted(filter(os.path.isabs, paths), key=len, reverse=True)


def _selection(found: dict[str, Any]) -> list[str]:
    """Return the settings that select roots, and their effects."""
    lines = wrapped(f"Sources: {', '.join(found['sources']) or 'none'} (mode: {found['mode']})")
    lines += [f"  {count:4} listed by {source}" for source, count in found["trusted_count_by_source"].items()]
    alone = [root for root in found["roots"] if {listing["source"] for listing in root["listed_by"]} == {"bundled"}]
    if alone and len(found["sources"]) > 1:
        lines.append(f"  {len(alone):4} listed by bundled only")
    return lines + _removed(found)


def _removed(found: dict[str, Any]) -> list[str]:
    """Return a line about removed roots, if a source lists any."""
    trusted = [root for root in found["roots"] if root["removed_in"]]
    file = found["settings_file"]
    is_in_file = any(setting["name"] == "removed" for setting in file["settings"])
    setting = f"removed = {{}} in {file['path']}" if is_in_file else "CERTHOOK_REMOVED={}"
    effects = {
        "adopted": (trusted, "programs that name a public bundle (requests, httpx, pip) do not trust them"),
        "keep": (trusted, f"{setting.format('keep')} includes them everywhere"),
        "drop": (found["excluded"], f"{setting.format('drop')} excludes them"),
    }
    roots, effect = effects[found["removed_mode"]]
    text = f"{len(roots):4} removed from certifi's bundle: {effect}; 'list --removed' shows them"
    return wrapped(text, "  ", "       ") if roots else []


def _distrusted(found: dict[str, Any]) -> list[str]:
    lines = []
    for root in found["distrusted"]:
        lines += [
            *detail_lines(root),
            *(line for path in root["distrusted_by"] for line in indented(f"distrusted by {path}")),
        ]
    return ["Distrusted root certificates:", *lines] if lines else []


def _locations(found: dict[str, Any]) -> list[str]:
    lines = ["Locations:"]
    empty = 0
    for location in found["locations"]:
        empty += not location["root_count"]
        if empty > _MOST_EMPTY and not location["root_count"]:
            continue
        path = location["path"] or "(an empty path)"
        lines += wrapped(f"{location['root_count']:4} {location['source']}: {path}", "  ", "       ", [path])
        lines += indented(location["note"] or "", [path])
    if empty > _MOST_EMPTY:
        lines += wrapped(f"{empty - _MOST_EMPTY} more without a root: 'certhook status --json' lists them", "  ", "  ")
    return lines


def _store(found: dict[str, Any]) -> list[str]:
    if found["store"]:
        store = printable(found["store"])
        lines = wrapped(f"Contexts use the compiled store {store}", then="  ", whole=[store])
        since = found["store_built_at"].replace("T", " ").replace("+00:00", " UTC")
        return lines + wrapped(f"It was built on {since}: {found['store_build_reason']}", "  ", "  ")
    reason = printable(found["eager_reason"])
    return wrapped(f"Root certificates are loaded into each context: {reason}", then="  ")


def _environment(found: dict[str, Any]) -> list[str]:
    lines = []
    for variable in found["variables"]:
        value = variable["value"]
        lines += [*wrapped(f"{variable['name']}={value}", "  ", "    ", [value]), *indented(variable["effect"])]
    return ["Variables:", *lines] if lines else []


def _clients(found: dict[str, Any]) -> list[str]:
    lines = []
    for hook in found["client_hooks"]:
        state = hook["inactive_reason"]
        effect = f"does not use default trust: {state}" if state else "uses default trust"
        lines += [f"  {_name_and_version(hook)}", *indented(effect)]
    return ["Client hooks:", *lines] if lines else []


def _software(found: dict[str, Any]) -> list[str]:
    lines = []
    for software in found["other_software"]:
        lines += [f"  {_name_and_version(software)}", *indented(software["effect"])]
    return ["Other software:", *lines] if lines else []


def _unreached(found: dict[str, Any]) -> list[str]:
    lines = []
    for library in found["unreached_libraries"]:
        variables = [f"{one['name']}={one['value'] or '(not set)'}" for one in library["variables"]]
        texts = [library["remedy"], *variables]
        lines += [f"  {_name_and_version(library)}", *(line for text in texts for line in indented(text))]
    if not lines:
        return []
    return ["Libraries that certhook does not reach:", *lines, *wrapped(_HOW_TO_REACH, "  ", "  ")]


def _name_and_version(entry: dict[str, Any]) -> str:
    return f"{entry['name']} {entry['version'] or ''}".rstrip()
