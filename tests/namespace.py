"""Running a command in its own mount namespace, with arbitrary files at the real paths.

This never changes a file of the machine. All mounts are private to the command and disappear
with it. The file system is read-only for the command, except for layers in memory over the
directories in which a test creates files. Each step is verified before the command starts.

Inside the namespace, this file is also the script that prepares it.
"""

from __future__ import annotations

import os
import pickle
import stat
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Callable, Dict, NamedTuple, NoReturn, Union

import measuring

#: The paths of the machine that contain certificates. They are hidden from the command.
HIDDEN = (
    "/etc/ca-certificates",
    "/etc/ca-certificates.conf",
    "/etc/certs",
    "/etc/openssl",
    "/etc/pki",
    "/etc/security/certificates",
    "/etc/ssl",
    "/opt/etc",
    "/usr/lib/ssl",
    "/usr/local/share/ca-certificates",
    "/usr/local/share/certs",
    "/usr/local/share/curl",
    "/usr/local/ssl",
    "/usr/share/ca-certificates",
    "/usr/share/pki",
    "/usr/share/ssl",
    "/usr/ssl",
    "/var/cache/certhook",
    "/var/lib/ca-certificates",
    "/var/ssl",
)


class Link(NamedTuple):
    """A symbolic link."""

    target: str


#: For each absolute path the content of a file, a link, or a function that creates it (``os.mkdir``, ``os.mkfifo``).
Tree = Dict[str, Union[bytes, Link, Callable[[str], None]]]


def sparse(size: int) -> Callable[[str], None]:
    """Return a function that creates a file of *size* bytes without using disk space."""
    return partial(_sparse, size=size)


def _sparse(path: str, size: int) -> None:
    with open(path, "xb") as file:
        file.truncate(size)


def unreadable(content: bytes) -> Callable[[str], None]:
    """Return a function that creates a file without permissions; see *privileged* of :func:`run`."""
    return partial(_unreadable, content=content)


def _unreadable(path: str, content: bytes) -> None:
    Path(path).write_bytes(content)
    os.chmod(path, 0)


def owned(content: bytes, user: int, mode: int) -> Callable[[str], None]:
    """Return a function that creates a file of *user*."""
    return partial(_owned, content=content, user=user, mode=mode)


def _owned(path: str, content: bytes, user: int, mode: int) -> None:
    Path(path).write_bytes(content)
    os.chmod(path, mode)
    os.chown(path, user, user)


def executable(script: str) -> Callable[[str], None]:
    """Return a function that creates an executable file."""
    return partial(_executable, script=script)


def _executable(path: str, script: str) -> None:
    Path(path).write_text(script)
    os.chmod(path, 0o755)


def nothing(path: str) -> None:
    """Create no file: only the directory of *path* becomes writable."""


def inaccessible(path: str) -> None:
    """Remove all permissions from a directory of the tree; see *privileged* of :func:`run`."""
    os.chmod(path, 0)


def unavailable() -> str | None:
    """Return why this process cannot create a mount namespace, None if it can."""
    if not sys.platform.startswith("linux"):
        return "mount namespaces require Linux"
    if os.geteuid() != 0:
        return "mount namespaces require root"
    try:
        done = subprocess.run(["unshare", "-m", "--propagation", "private", "true"], capture_output=True, text=True)
    except FileNotFoundError:
        return "unshare (util-linux) is not installed"
    return f"unshare fails: {done.stderr.strip()}" if done.returncode else None


class _Job(NamedTuple):
    namespace: str
    scratch: str
    tree: Tree
    over: dict[str, bytes | None]
    hidden: tuple[str, ...]
    command: list[str]
    writable: str


def run(
    python: Path,
    code: str,
    tree: Tree,
    env: dict[str, str],
    directory: Path,
    over: dict[str, bytes | None] | None = None,
    hidden: tuple[str, ...] = (),
    privileged: bool = True,
    timeout: float = 60,
) -> subprocess.CompletedProcess[str]:
    """Run *code* in an interpreter that sees the files of *tree*, and neither :data:`HIDDEN` nor *hidden* ones.

    :param env: the environment variables; compiled stores are built in memory
    :param directory: an empty directory
    :param over: the new content of existing files, None for an empty directory
    :param privileged: whether root may ignore permissions
    :param timeout: the time limit, in seconds
    """
    scratch = directory / "scratch"
    scratch.mkdir(exist_ok=True)
    command = [str(python), "-c", code]
    if not privileged:
        command = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", *command]
    job = _Job(_namespace(), str(scratch), tree, over or {}, (*HIDDEN, *hidden), command, measuring.directory())
    (directory / "job").write_bytes(pickle.dumps(job))
    # -S: certhook must not run before the command.
    setup = [sys.executable, "-E", "-S", __file__, str(directory / "job")]
    return subprocess.run(
        ["unshare", "-m", "--propagation", "private", *setup],
        env={**env, "CERTHOOK_STORE_DIR": str(scratch / "cache"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        encoding="utf-8",
        timeout=timeout,
    )


def _namespace() -> str:
    return os.readlink("/proc/self/ns/mnt")


def _inside(job: _Job) -> NoReturn:
    assert _namespace() != job.namespace, "the process is not in a new namespace"
    with open("/proc/self/mountinfo") as file:
        # Optional fields precede a hyphen. "shared:1" marks a mount that is visible outside.
        shared = [line for line in file if "shared:" in line.split(" - ")[0]]
    assert not shared, f"mounts are visible outside of the namespace: {shared}"
    _mount(job.scratch, "-t", "tmpfs", "-o", "mode=755", "tmpfs")
    if job.writable:
        # A separate mount, which stays writable.
        subprocess.run(["mount", "--bind", job.writable, job.writable], check=True)
    # From here on, the files of the machine are read-only.
    subprocess.run(["mount", "-o", "remount,bind,ro", "/"], check=True)
    assert os.statvfs("/").f_flag & os.ST_RDONLY
    os.mkdir(f"{job.scratch}/cache")
    for number, (path, content) in enumerate(job.over.items()):
        prepared = f"{job.scratch}/over{number}"
        if content is None:
            os.mkdir(prepared)
        else:
            Path(prepared).write_bytes(content)
        _mount(path, "--bind", prepared)
    for top in sorted({_top(path) for path in (*job.tree, *job.hidden) if path in job.tree or os.path.lexists(path)}):
        upper, work = f"{job.scratch}{top}/upper", f"{job.scratch}{top}/work"
        os.makedirs(upper)
        os.makedirs(work)
        _lay_out(job, top, upper)
        _mount(top, "-t", "overlay", "-o", f"lowerdir={top},upperdir={upper},workdir={work}", "overlay")
    os.execvp(job.command[0], job.command)


def _top(path: str) -> str:
    return "/" + path.split("/")[1]


def _mount(target: str, *options: str) -> None:
    before = os.stat(target)
    subprocess.run(["mount", *options, target], check=True)
    after = os.stat(target)
    assert (before.st_dev, before.st_ino) != (after.st_dev, after.st_ino), f"{target} was not mounted"


def _lay_out(job: _Job, top: str, upper: str) -> None:
    """Create *upper*, the layer in memory over the directory *top*."""

    def place(path: str) -> str:
        inside = upper + path[len(top) :]
        parent = os.path.dirname(inside)
        os.makedirs(parent, exist_ok=True)
        assert os.path.realpath(parent) == parent, f"{path} is below a link in the tree"
        return inside

    for path in job.hidden:
        if _top(path) == top and os.path.lexists(path) and not isinstance(job.tree.get(path), (Link, bytes)):
            _hide(path, place(path))
    for path, entry in job.tree.items():
        if _top(path) != top:
            continue
        if isinstance(entry, Link):
            os.symlink(entry.target, place(path))
        elif isinstance(entry, bytes):
            Path(place(path)).write_bytes(entry)
        elif entry is not os.mkdir or not os.path.isdir(place(path)):
            entry(place(path))


def _hide(path: str, place: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        os.makedirs(place, exist_ok=True)
        os.setxattr(place, "trusted.overlay.opaque", b"y")
    else:
        os.mknod(place, stat.S_IFCHR)  # a whiteout


if __name__ == "__main__":
    import namespace

    namespace._inside(pickle.loads(Path(sys.argv[1]).read_bytes()))
