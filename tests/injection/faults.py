"""The faults to inject: for each system call, those that the kernel can report for it, and a short read or write.

A fault occurs once, at one call, or at each call from that one on. If the disk is full or has become
read-only, all calls that modify files fail together.
"""

from __future__ import annotations

import hashlib
import re
from typing import Iterator, NamedTuple

#: The errors of each group of system calls that are plausible on real file systems.
_ERRORS = {
    "open": "EACCES EIO EMFILE EINTR",
    "create": "EACCES EIO EMFILE ENOSPC EROFS",
    "open_directory": "EACCES EIO EMFILE",
    "read": "EIO EINTR",
    "list": "EIO",
    "write": "ENOSPC EIO EINTR",
    "sync": "EIO ENOSPC",
    "close": "EIO EINTR",
    "add": "ENOSPC EIO EACCES EROFS",
    "remove": "EACCES EIO EROFS",
    "change": "EACCES EIO EROFS",
    "examine": "EACCES EIO",
    "lock": "EINTR",
    "descriptor": "EMFILE",
    "start": "EACCES",
}
_GROUPS = {
    "read": "read",
    "pread64": "read",
    "getdents64": "list",
    "getdents": "list",
    "write": "write",
    "pwrite64": "write",
    "fsync": "sync",
    "fdatasync": "sync",
    "close": "close",
    **dict.fromkeys(("mkdir", "mkdirat", "symlink", "symlinkat", "link", "linkat"), "add"),
    **dict.fromkeys(("rename", "renameat", "renameat2"), "add"),
    **dict.fromkeys(("unlink", "unlinkat", "rmdir"), "remove"),
    **dict.fromkeys(("chmod", "fchmod", "fchmodat", "chown", "fchown", "fchownat", "utimensat"), "change"),
    **dict.fromkeys(("stat", "lstat", "fstat", "newfstatat", "statx", "access", "faccessat", "faccessat2"), "examine"),
    **dict.fromkeys(("readlink", "readlinkat"), "examine"),
    "flock": "lock",
    **dict.fromkeys(("pipe", "pipe2", "dup", "dup2", "dup3", "socket", "memfd_create"), "descriptor"),
    **dict.fromkeys(("execve", "execveat"), "start"),
}
#: The groups whose calls modify files.
MODIFYING = {"create", "write", "sync", "add", "remove", "change"}
#: The calls that fail together, and the error: a full disk, and one that has become read-only.
_TOGETHER = {
    "ENOSPC": ("write", "mkdir", "mkdirat", "symlink", "symlinkat", "link", "linkat", "rename", "renameat"),
    "EROFS": ("mkdir", "mkdirat", "symlink", "symlinkat", "link", "linkat", "rename", "renameat", "renameat2", "unlink",
              "unlinkat", "rmdir", "chmod", "fchmod", "fchmodat", "utimensat"),
}  # fmt: skip


_IMPORTED = re.compile(r'\.(py|pyc|so)\b|__pycache__|/certhook/?[">]|site-packages/?[">]')


class Call(NamedTuple):
    """A system call of an operation.

    :ivar name: its name
    :ivar number: its position among the calls with this name, from 1
    :ivar arguments: as text
    :ivar before: the number of earlier calls with each of the names that fail together with it
    """

    name: str
    number: int
    arguments: str
    before: tuple[tuple[str, int], ...]

    @property
    def distinct(self) -> str:
        """The arguments without those that differ if the call is repeated."""
        text = re.sub(r"\{st_.*?\}|0x[0-9a-f]+|\d+(?=<)|\[.*|\"\\\\.*", "", self.arguments)
        text = re.sub(r"[0-9a-f]{8,}", "", text)
        return text.partition(", ")[0] if self.name in ("read", "write", "close", "fstat", "fchmod") else text

    @property
    def group(self) -> str | None:
        """The key of the errors that the call can report; None if no fault is injected."""
        if self.name in ("open", "openat"):
            if "O_CREAT" in self.arguments:
                return "create"
            return "open_directory" if "O_DIRECTORY" in self.arguments else "open"
        if self.name == "fstat" or "AT_EMPTY_PATH" in self.arguments:
            return "list"  # An open file.
        return _GROUPS.get(self.name)

    @property
    def is_import(self) -> bool:
        """Whether the call imports a module; operations of certhook make most of their calls for that."""
        return (
            re.search(r'\.(py|pyc|so|pyd)\b|__pycache__|/certhook/?[">]|site-packages/?[">]', self.arguments)
            is not None
        )

    @property
    def is_modifying(self) -> bool:
        return self.group in MODIFYING


class Fault(NamedTuple):
    """A fault, and the call at which it occurs first.

    :ivar kind: "kill", an error, "short read" or "short write"
    :ivar call: the name of the system call
    :ivar number: its position among the calls with this name, from 1
    :ivar persists: whether it also occurs at later calls
    :ivar others: for further calls that fail as well, the number of their first failure
    :ivar at: the arguments of the call, for messages
    """

    kind: str
    call: str
    number: int
    persists: bool = False
    others: tuple[tuple[str, int], ...] = ()
    at: str = ""

    @property
    def options(self) -> list[str]:
        """The options of strace that inject the fault."""
        effect = "signal=SIGKILL" if self.kind == "kill" else f"error={self.kind}"
        # A call that is interrupted every time would never end, on any machine.
        step = {True: "+2" if self.kind == "EINTR" else "+", False: ""}[self.persists]
        # Other architectures lack some of the calls that fail together, which a question mark permits.
        calls = ((self.call, self.number), *((f"?{name}", number) for name, number in self.others))
        names = ",".join(name for name, _ in calls)
        return [f"--trace={names}", *(f"--inject={name}:{effect}:when={first}{step}" for name, first in calls)]

    @property
    def occurrence(self) -> str:
        return "persistent" if self.persists else "once"

    def __str__(self) -> str:
        together = " with " + ", ".join(name for name, _ in self.others) if self.others else ""
        return f"{self.kind} ({self.occurrence}) at {self.call} {self.number}{together}: {self.at[:160]}"


_LINE = re.compile(r"^(?:\d+ +)?(\w+)\((.*?)\)? += (-?\w+|\?)")


def parse(trace: str) -> list[Call]:
    """Return the calls in the output of strace."""
    counts: dict[str, int] = {}
    calls = []
    for line in trace.splitlines():
        match = _LINE.match(line)
        if match is None or match[1] not in _GROUPS and match[1] not in ("open", "openat"):
            continue
        before = tuple((name, counts.get(name, 0)) for name in sorted({*_TOGETHER["ENOSPC"], *_TOGETHER["EROFS"]}))
        counts[match[1]] = counts.get(match[1], 0) + 1
        calls.append(Call(match[1], counts[match[1]], match[2], before))
    return [call for call in calls if call.group is not None]


def faults_of(call: Call) -> Iterator[Fault]:
    """Return every fault to inject at *call*."""
    at = call.arguments
    yield Fault("kill", call.name, call.number, at=at)
    for kind in _ERRORS[call.group or ""].split():
        yield Fault(kind, call.name, call.number, at=at)
        if kind in _TOGETHER and call.name in _TOGETHER[kind]:
            others = tuple(
                (name, count + 1) for name, count in call.before if name in _TOGETHER[kind] and name != call.name
            )
            yield Fault(kind, call.name, call.number, True, others, at)
        elif call.group not in ("create", "close"):
            yield Fault(kind, call.name, call.number, True, at=at)


def short_faults(reads: int, writes: int) -> Iterator[Fault]:
    """Return the short reads and writes of an operation with this number of both."""
    for kind, count in (("short read", reads), ("short write", writes)):
        for number in range(1, count + 1):
            yield Fault(kind, kind.split()[1], number, persists=number % 4 == 0)


def plan(calls: list[Call], reads: int, writes: int) -> list[Fault]:
    """Return the faults of the complete environment for an operation.

    Every call that modifies a file gets every fault; each other one a fault in turn, and a third of them is killed or
    gets a persistent one as well. Of calls that are repeated with the same arguments, the first and the last count.
    """
    positions: dict[tuple[str, str], list[Call]] = {}
    for call in calls:
        positions.setdefault((call.name, call.distinct), []).append(call)
    planned: list[Fault] = []
    ends = (
        call for same in positions.values() for call in (same[:1] if same[0].is_import else {*same[:1], *same[-1:]})
    )
    for position, call in enumerate(sorted(ends, key=calls.index)):
        faults = list(faults_of(call))
        if call.is_modifying:
            planned += faults
            continue
        once = [fault for fault in faults[1:] if not fault.persists]
        planned.append(once[position % len(once)])
        others = [fault for fault in faults if fault.persists] + faults[:1]
        if position % 3 == 0:
            planned.append(others[position // 3 % len(others)])
    return [*planned, *short_faults(reads, writes)]


def spread(faults: list[Fault], count: int) -> list[Fault]:
    """Return *count* of *faults*, the same each time: the kinds in turn, and the calls at even distances."""
    kinds: dict[tuple[str, bool], list[Fault]] = {}
    for fault in faults:
        kinds.setdefault((fault.kind, fault.persists), []).append(fault)
    chosen: list[Fault] = []
    rounds = dict.fromkeys(kinds, 0)
    for each in kinds.values():
        each.sort(key=lambda fault: hashlib.sha256(repr((fault.call, fault.number)).encode()).digest())
    while len(chosen) < min(count, len(faults)):
        for key in sorted(kinds):
            if rounds[key] < len(kinds[key]) and len(chosen) < count:
                chosen.append(kinds[key][rounds[key]])
                rounds[key] += 1
    return chosen
