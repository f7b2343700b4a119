"""A command in a mount namespace of its own, with any files at the real paths.

Nothing here can change a file of the machine. Whatever is mounted is private to
the command and gone when it ends; the file system is read-only for it, except
for layers in memory over the directories that the tests lay out. Every step is
checked before the command is started.

This file is also the script that does so, inside the namespace.
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

#: Everything of the machine that has to do with trust, and that a command does not see.
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


#: Absolute paths to what is there: the content of a file, a link, or what makes it (``os.mkdir``, ``os.mkfifo``).
Tree = Dict[str, Union[bytes, Link, Callable[[str], None]]]


def sparse(size: int) -> Callable[[str], None]:
    """A file of *size* bytes that takes no space."""
    return partial(_sparse, size=size)


def _sparse(path: str, size: int) -> None:
    with open(path, "xb") as file:
        file.truncate(size)


def unreadable(content: bytes) -> Callable[[str], None]:
    """A file that its owner may not read; see *capable* of :func:`run`."""
    return partial(_unreadable, content=content)


def _unreadable(path: str, content: bytes) -> None:
    Path(path).write_bytes(content)
    os.chmod(path, 0)


def closed(path: str) -> None:
    """Close a folder, in which other entries of a tree are, to its owner; see *capable* of :func:`run`."""
    os.chmod(path, 0)


def unavailable() -> str | None:
    """Why there can be no namespace here, if so."""
    if not sys.platform.startswith("linux"):
        return "mount namespaces are a thing of Linux"
    if os.geteuid() != 0:
        return "mounting needs root"
    try:
        tried = subprocess.run(["unshare", "-m", "--propagation", "private", "true"], capture_output=True, text=True)
    except FileNotFoundError:
        return "unshare (util-linux) is not installed"
    return f"no mount namespace can be made: {tried.stderr.strip()}" if tried.returncode else None


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
    folder: Path,
    over: dict[str, bytes | None] | None = None,
    hidden: tuple[str, ...] = (),
    capable: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run *code* in an interpreter that sees *tree*, and nothing of what is :data:`HIDDEN` or *hidden*.

    :param env: its environment; compiled stores are in memory, and gone with it
    :param folder: an empty folder of the test's
    :param over: existing paths to the content of the file that is put there, None: an empty directory
    :param capable: False: permissions hold for root as they do for everybody
    """
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    command = [str(python), "-c", code]
    if not capable:
        command = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", *command]
    job = _Job(_namespace(), str(scratch), tree, over or {}, (*HIDDEN, *hidden), command, measuring.directory())
    (folder / "job").write_bytes(pickle.dumps(job))
    # -S: certhook is not to run before the command.
    setup = [sys.executable, "-E", "-S", __file__, str(folder / "job")]
    return subprocess.run(
        ["unshare", "-m", "--propagation", "private", *setup],
        env={**env, "CERTHOOK_CACHE_DIR": str(scratch / "cache"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )


def _namespace() -> str:
    return os.readlink("/proc/self/ns/mnt")


def _inside(job: _Job) -> NoReturn:
    assert _namespace() != job.namespace, "this is not a namespace of its own"
    with open("/proc/self/mountinfo") as file:
        # The optional fields stand between the sixth and a hyphen: "shared:1" where a mount is seen outside.
        shared = [line for line in file if "shared:" in line.split(" - ")[0]]
    assert not shared, f"mounts are seen outside of the namespace: {shared}"
    _mount(job.scratch, "-t", "tmpfs", "-o", "mode=755", "tmpfs")
    if job.writable:
        # A mount of its own, which stays writable, unlike the rest.
        subprocess.run(["mount", "--bind", job.writable, job.writable], check=True)
    # From here on, the machine's own files are safe even from a mistake below.
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


def _mount(target: str, *how: str) -> None:
    before = os.stat(target)
    subprocess.run(["mount", *how, target], check=True)
    after = os.stat(target)
    assert (before.st_dev, before.st_ino) != (after.st_dev, after.st_ino), f"{target} is what it was"


def _lay_out(job: _Job, top: str, upper: str) -> None:
    """Make *upper*, the layer in memory that will lie over the directory *top*."""

    def place(path: str) -> str:
        inside = upper + path[len(top) :]
        parent = os.path.dirname(inside)
        os.makedirs(parent, exist_ok=True)
        assert os.path.realpath(parent) == parent, f"{path} is behind a link of the tree"
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
        os.mknod(place, stat.S_IFCHR)  # A whiteout.


if __name__ == "__main__":
    import namespace

    namespace._inside(pickle.loads(Path(sys.argv[1]).read_bytes()))
