"""Containers: root directories of layers, in which the commands of the manual run, and a builder for its Dockerfiles.

There is no Docker daemon in the tests. A container is an overlay file system in a mount namespace: the layers of its
image are read-only, and its changes go to a directory of their own. The commands run in a chroot, with the user, the
variables and the mounts of the container. The network is that of the machine, so that they reach the tests' servers.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Iterator, Mapping, NamedTuple

#: The variables of the official images of Python.
IMAGE_ENVIRON = {"PATH": "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}

#: Mounts the layers and the volumes, and runs a command in the chroot. The arguments are the root directory, the
#: options of the overlays for / and /usr, "ro" or "rw", the user and the group as UID:GID, the working directory,
#: "SOURCE TARGET MODE" of each volume, an empty argument, and the command.
_SCRIPT = """
set -e
root=$1 options=$2 usr=$3 mode=$4 user=$5 directory=$6
shift 6
/usr/bin/mount -t overlay -o "$options" overlay "$root"
/usr/bin/mount -t overlay -o "$usr" overlay "$root/usr"
/usr/bin/mount -t proc proc "$root/proc"
/usr/bin/mount --rbind /dev "$root/dev"
if [ "$mode" = ro ]; then
    /usr/bin/mount -o remount,bind,ro "$root"
    /usr/bin/mount -o remount,bind,ro "$root/usr"
fi
while [ -n "$1" ]; do
    /usr/bin/mount --bind "$1" "$root$2"
    [ "$3" = rw ] || /usr/bin/mount -o remount,bind,ro "$root$2"
    shift 3
done
shift
exec /usr/sbin/chroot --userspec="$user" --groups= "$root" /bin/sh -c 'cd "$0" && exec "$@"' "$directory" "$@"
"""


class Layer(NamedTuple):
    """A layer: the content of / without /usr, and that of /usr, which may be this machine's.

    They are separate because the layers of an overlay may not contain each other.
    """

    root: Path
    usr: Path

    @classmethod
    def create(cls, directory: Path) -> Layer:
        """Create an empty layer in a new directory."""
        layer = cls(directory / "root", directory / "usr")
        for each in layer:
            each.mkdir(parents=True)
            each.chmod(0o755)
        return layer

    def path(self, path: str) -> Path:
        """Return the file of this layer for an absolute path."""
        top, _, rest = path.lstrip("/").partition("/")
        return self.usr / rest if top == "usr" else self.root / path.lstrip("/")


class Volume(NamedTuple):
    """A file or directory that is mounted into a container.

    :ivar writable: whether it is not mounted read-only
    """

    source: Path
    target: str
    writable: bool = False


class Container:
    """A root directory: changes in *directory* over read-only layers.

    :ivar env: the variables of the commands that run in it
    :ivar user: their user and group, ``UID:GID``
    :ivar workdir: their working directory
    :param layers: the layers of its image, the topmost first
    """

    def __init__(self, directory: Path, layers: tuple[Layer, ...], env: Mapping[str, str] = IMAGE_ENVIRON) -> None:
        self.layers = layers
        self.upper = Layer.create(directory / "upper")
        self._work = Layer.create(directory / "work")
        self._mounted = directory / "mounted"
        self._mounted.mkdir()
        self.env = dict(env)
        self.user = "0:0"
        self.workdir = "/"

    def child(self, directory: Path) -> Container:
        """Return a new container of the image that this container represents."""
        child = Container(directory, (self.upper, *self.layers), self.env)
        child.user, child.workdir = self.user, self.workdir
        return child

    def write(self, path: str, content: str, mode: int = 0o644) -> None:
        """Write a file, as root."""
        line = f'mkdir -p "$(dirname "$0")" && cat > "$0" && chmod {mode:o} "$0"'
        done = self.run("/bin/sh", "-c", line, path, user="0:0", workdir="/", input=content)
        assert done.returncode == 0, done.stderr

    def remove(self, path: str) -> None:
        """Remove a file or directory."""
        assert self.run("rm", "-rf", path, user="0:0", workdir="/").returncode == 0

    def exists(self, path: str) -> bool:
        """Return whether the container contains *path*."""
        return self.run("test", "-e", path, user="0:0", workdir="/").returncode == 0

    def run(
        self,
        *command: object,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
        workdir: str | None = None,
        read_only: bool = False,
        volumes: tuple[Volume, ...] = (),
        input: str | None = None,
        timeout: float = 300,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command.

        :param env: variables in addition to those of the container
        :param read_only: whether the root file system is read-only
        :param timeout: the time limit, in seconds
        """

        def overlay(part: str) -> str:
            lower = ":".join(str(getattr(layer, part)) for layer in self.layers)
            return f"lowerdir={lower},upperdir={getattr(self.upper, part)},workdir={getattr(self._work, part)}"

        mounts = [part for volume in volumes for part in (volume.source, volume.target, volume.writable)]
        mounts = [{True: "rw", False: "ro"}.get(part, str(part)) for part in mounts]
        user = self.user if user is None else user
        mode = "ro" if read_only else "rw"
        arguments = [
            self._mounted,
            overlay("root"),
            overlay("usr"),
            mode,
            user,
            workdir or self.workdir,
            *mounts,
            "",
            *command,
        ]
        isolated = ["unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child"]
        return subprocess.run(
            [*isolated, "/bin/sh", "-c", _SCRIPT, "sh", *map(str, arguments)],
            env={**self.env, **(env or {})},
            input=input,
            capture_output=True,
            encoding="utf-8",
            timeout=timeout,
        )

    def shell(self, line: str, **arguments: object) -> subprocess.CompletedProcess[str]:
        """Run a line for a shell; see :meth:`run`."""
        return self.run("/bin/sh", "-c", line, **arguments)


def add_mount_point(container: Container, path: str, is_directory: bool = True) -> None:
    """Create the target of a volume, as container runtimes do."""
    command = 'mkdir -p "$0"' if is_directory else 'mkdir -p "$(dirname "$0")" && touch "$0"'
    assert container.run("/bin/sh", "-c", command, path, user="0:0", workdir="/").returncode == 0


class Instruction(NamedTuple):
    """An instruction of a Dockerfile."""

    name: str
    value: str


def instructions(dockerfile: str) -> Iterator[Instruction]:
    """Return the instructions of a Dockerfile."""
    joined = re.sub(r"\\\n\s*", "", "\n".join(re.sub(r"^\s*#.*", "", line) for line in dockerfile.splitlines()))
    for line in filter(None, map(str.strip, joined.splitlines())):
        name, _, value = line.partition(" ")
        yield Instruction(name.upper(), value.strip())


class Build:
    """``docker build``: the instructions of a Dockerfile, carried out in containers.

    :param bases: the container that represents each image that FROM may name
    :param context: the build context
    :param secrets: the file of each ``--secret``
    :param environ: variables of the machine, such as the settings of pip, that only RUN sees
    """

    def __init__(
        self,
        directory: Path,
        bases: Mapping[str, Container],
        context: Path,
        secrets: Mapping[str, Path] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = directory
        self.bases = bases
        self.context = context
        self.secrets = secrets or {}
        self.environ = environ or {}
        self.stages: dict[str, Container] = {}
        self.command: list[str] = []

    def build(self, dockerfile: str) -> Container:
        """Build an image and return a container that represents it; :attr:`command` is its CMD."""
        stage: Container | None = None
        for name, value in instructions(dockerfile):
            if name == "FROM":
                image, _, alias = value.partition(" AS ")
                base = self.stages.get(image) or self.bases[image]
                stage = base.child(self.directory / f"stage{len(self.stages)}")
                self.stages[alias or str(len(self.stages))] = stage
                continue
            assert stage is not None
            getattr(self, f"_{name.lower()}")(stage, value)
        assert stage is not None
        return stage

    def _expand(self, stage: Container, text: str) -> str:
        return re.sub(r"\$\{?(\w+)\}?", lambda match: stage.env.get(match[1], ""), text)

    def _env(self, stage: Container, value: str) -> None:
        for pair in shlex.split(value):
            name, _, content = pair.partition("=")
            stage.env[name] = self._expand(stage, content)

    def _workdir(self, stage: Container, value: str) -> None:
        stage.workdir = self._expand(stage, value)
        add_mount_point(stage, stage.workdir)

    def _user(self, stage: Container, value: str) -> None:
        assert re.fullmatch(r"\d+:\d+", value), f"USER {value}: use numbers, as Kubernetes requires"
        stage.user = value

    def _cmd(self, stage: Container, value: str) -> None:
        self.command = json.loads(value)

    def _entrypoint(self, stage: Container, value: str) -> None:
        self.entrypoint = json.loads(value)

    def _copy(self, stage: Container, value: str) -> None:
        *words, target = shlex.split(self._expand(stage, value))
        source_stage = None
        if words[0].startswith("--from="):
            source_stage = self.stages[words.pop(0)[len("--from=") :]]
        assert not words[0].startswith("--"), words
        target = target if target.startswith("/") else os.path.join(stage.workdir, target)
        for word in words:
            copied = self.directory / "copied"
            shutil.rmtree(copied, ignore_errors=True)
            copied.mkdir()
            if source_stage is None:
                assert not self._is_ignored(word), f".dockerignore excludes {word}"
                shutil.copy(self.context / word, copied)
                (copied / word).chmod(0o644)
            else:
                add_mount_point(source_stage, "/mnt")
                volumes = (Volume(copied, "/mnt", writable=True),)
                # A copy of a directory consists of its content.
                line = f"if [ -d {word} ]; then cp -a {word}/. /mnt/ && touch /mnt/.d; else cp -a {word} /mnt/; fi"
                done = source_stage.shell(line, user="0:0", workdir="/", volumes=volumes)
                assert done.returncode == 0, done.stderr
            add_mount_point(stage, "/mnt")
            is_directory = (copied / ".d").exists()
            (copied / ".d").unlink() if is_directory else None
            if is_directory:
                line = f"mkdir -p {target} && cp -a /mnt/. {target}/"
            elif target.endswith(("/", "/.")):
                line = f"mkdir -p {target} && cp -a /mnt/* {target}"
            else:
                line = f"mkdir -p $(dirname {target}) && cp -a /mnt/* {target}"
            volumes = (Volume(copied, "/mnt"),)
            done = stage.shell(f"{line}", user="0:0", workdir="/", volumes=volumes)
            assert done.returncode == 0, done.stderr

    def _is_ignored(self, name: str) -> bool:
        file = self.context / ".dockerignore"
        ignored = False
        for pattern in file.read_text().split() if file.exists() else ():
            if fnmatch.fnmatch(name, pattern.lstrip("!")):
                ignored = not pattern.startswith("!")
        return ignored

    def _run(self, stage: Container, value: str) -> None:
        volumes = []
        while value.startswith("--mount="):
            mount, _, value = value.partition(" ")
            settings = dict(part.split("=", 1) for part in mount[len("--mount=") :].split(","))
            assert settings["type"] == "secret", mount
            target = settings.get("target", f"/run/secrets/{settings['id']}")
            if settings["id"] in self.secrets:
                add_mount_point(stage, target, is_directory=False)
                volumes.append(Volume(self.secrets[settings["id"]], target))
        command = json.loads(value) if value.startswith("[") else ["/bin/sh", "-c", value]
        done = stage.run(*command, env=self.environ, volumes=tuple(volumes))
        for volume in volumes:
            # As after a build, neither the secret nor its target remains.
            stage.run("rm", "-f", volume.target, user="0:0", workdir="/")
        assert done.returncode == 0, f"RUN {value}\n{done.stdout}\n{done.stderr}"
