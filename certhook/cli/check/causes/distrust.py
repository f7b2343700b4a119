"""How to end the distrust of a root, depending on the file that distrusts it."""

from __future__ import annotations

import os
import shlex

from certhook import _files
from certhook._certificates import pem
from certhook._sources import debian
from certhook._sources.blocklist import identity
from certhook._text import printable
from certhook.cli.check.wording import EXAMPLE_FILE, join_first
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from certhook._certificates.anchor import Anchor
    from certhook.cli._systems import System


def remedy(anchor: Anchor, system: System | None) -> str:
    """Return how to end the distrust of *anchor*: a phrase, and the command on the next line if there is one."""
    path = next(iter(anchor.distrusted_by), "")
    command = f":\n{system.refresh_command()}" if system and system.refresh else " the command that updates the store"
    if path == debian.DESELECTED:
        lines = _deselecting_lines(anchor)
        if lines:
            shown = join_first([f"'!{printable(name)}'" for name in lines])
            phrase = f"delete the '!' at the start of the line {shown} in {path}"
        else:
            phrase = f"delete the line of this CA in {path}, which starts with '!'"
        return f"{phrase}, and run{command}"
    if anchor.auxiliary and path in [listed for _, listed in anchor.listed_by]:
        source = path if os.name == "nt" else shlex.quote(path)
        return (
            f"write the certificate to another file without its trust settings, and use that file instead of "
            f"{printable(path)}:\nopenssl x509 -in {source} -out {EXAMPLE_FILE}"
        )
    others = [one for one in anchor.distrusted_by if one != debian.DESELECTED]
    shown = " and ".join(map(printable, dict.fromkeys(others)))
    if system is not None and any(os.path.dirname(one).endswith(("/blocklist", "/blacklist")) for one in others):
        return f"delete the file {shown}, and run{command}"
    return f"remove the certificate from {shown}"


def _deselecting_lines(anchor: Anchor) -> list[str]:
    """Return the names of the files of this CA that Debian's configuration deselects."""
    try:
        content = _files.read(debian.DESELECTED)
    except SourceError:
        return []
    wanted, found = identity(anchor.certificate), []
    for line in content.split(b"\n"):
        name = os.fsdecode(line.strip()[1:].strip())
        if not line.strip().startswith(b"!") or not name or "\0" in name:
            continue
        try:
            entries = pem.parse(_files.read(f"{debian.CERTIFICATES}/{name}"), lenient=True)[0]
        except SourceError:
            continue  # An upgrade removed the file.
        if wanted in [identity(entry.certificate) for entry in entries]:
            found.append(name)
    return found
