"""Installing roots with the commands of macOS and Windows, which have no directory for them.

This module was tested with recorded commands only, and not yet on a real system.
"""

from __future__ import annotations

import os

from certhook import _digest
from certhook._directory.temporary import TemporaryDirectory
from certhook.cli import _systems
from certhook.cli._terminal import CommandError
from certhook.cli.trust import commands

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Sequence

    from certhook.cli._systems import System
    from certhook.cli.trust.candidates import Candidate

_COPY = "root.pem"


def install(system: System, program: str, roots: Sequence[Candidate], verify: Callable[[], None]) -> None:
    """Add *roots* to the system's store.

    :param program: the absolute path of the command
    :param verify: raises CommandError if the system's store does not list the roots afterwards
    :raises CommandError: if that fails; the roots that were added are removed again
    """
    added: list[Candidate] = []
    try:
        for root in roots:
            _run(system.additions, program, root)
            added.append(root)
        verify()
    except BaseException as error:
        with commands.uninterruptible():
            outcome = _take_back(system, program, roots[: len(added) + 1], added)
        if isinstance(error, (CommandError, OSError)):
            raise CommandError(f"{error}. {outcome}") from None
        raise


def _take_back(system: System, program: str, begun: Sequence[Candidate], added: Sequence[Candidate]) -> str:
    """Remove the roots whose addition has *begun*, and return the outcome for those that were *added*."""
    failures = []
    for root in begun:
        try:
            _run(system.removals, program, root)
        except CommandError as error:
            failures += [str(error)] if root in added else []
    if failures:
        return f"Removing what was added failed, too: {'; '.join(failures)}"
    return "What was added was removed" if added else "Nothing was changed"


def remove(system: System, program: str, roots: Sequence[Candidate]) -> None:
    """Remove *roots* from the system's store.

    :raises CommandError: if that fails
    """
    with commands.uninterruptible():
        for root in roots:
            _run(system.removals, program, root)


def sha1(root: Candidate) -> str:
    """Return the SHA-1 fingerprint, by which these commands identify a certificate."""
    return _digest.hexdigest("sha1", root.anchor.der)


def _run(templates: tuple[tuple[str, ...], ...], program: str, root: Candidate) -> None:
    # The user's file may change after the confirmation; no other user can modify the copy.
    with TemporaryDirectory() as directory:
        directory.create(_COPY, root.pem, 0o600)
        path = os.path.join(directory.path, _COPY)
        for _, *arguments in _systems.filled(templates, path, sha1(root)):
            commands.run(program, arguments)
