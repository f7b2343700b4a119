"""The default tests on the Pythons of Debian sid; the ``sid`` environment of tox runs this script.

It creates sid with debootstrap, and in it runs tox with the environments that the command line names, by default
those of all its Pythons. Arguments after ``--`` are passed on to the tests::

    tox run -e sid -- py315 -- -n 2 tests/test_config.py

It requires root. The machine does not change: sid is in a directory, and the mounts and processes in it are its own
and end with the script. The next run uses the same sid; ``--new`` creates it again.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

PYTHONS = {"py314": "python3.14", "py315": "python3.15"}
#: What the tests need, as in .ci/run, and a compiler for packages that have no wheel for these Pythons yet.
PACKAGES = (
    *("ca-certificates", "e2fsprogs", "erofs-utils", "fish", "gcc", "git", "libc6-dev", "libcap2-bin", "libffi-dev"),
    *("man-db", "mandoc", "openssl", "p11-kit", "squashfs-tools", "strace", "util-linux", "valgrind", "zsh"),
    *(f"{python}-{kind}" for python in PYTHONS.values() for kind in ("dev", "venv")),
)
#: Where sid has a copy of the project, tox, and a copy of the roots with which this machine reaches its registries.
PROJECT, TOX, ROOTS = "/opt/project", "/opt/tox", "/opt/roots.pem"
#: The variables with which pip and other tools find these roots.
ROOT_VARIABLES = ("CURL_CA_BUNDLE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
#: Mounts what a system needs, and runs a command in it. Its arguments are the directory of the system and the command.
ENTER = """
set -eu
system=$1; shift
mount --bind "$system" "$system"
mount -t proc proc "$system/proc"
mount -t sysfs -o ro sysfs "$system/sys"
mount --rbind /dev "$system/dev"
mount -t tmpfs tmpfs "$system/run"
touch "$system/etc/resolv.conf"
mount --bind /etc/resolv.conf "$system/etc/resolv.conf"
exec chroot "$system" "$@"
"""


def main() -> int:
    """Run the environments that the command line names, and return the exit status of tox."""
    before, separator, after = _split(sys.argv[1:])
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("environment", nargs="*", metavar="ENVIRONMENT", help=" or ".join(PYTHONS))
    parser.add_argument("--directory", type=Path, default=Path("sid"), help="where sid is created")
    parser.add_argument("--new", action="store_true", help="create sid again")
    arguments = parser.parse_args(before)
    unknown = set(arguments.environment) - set(PYTHONS)
    if unknown:
        parser.error(f"not a Python of sid: {', '.join(sorted(unknown))}")
    if os.geteuid() != 0:
        parser.error("mounting requires root")
    system = arguments.directory.resolve()
    if arguments.new:
        shutil.rmtree(system, ignore_errors=True)
    if not Path(f"{system}{TOX}/bin/tox").exists():
        create(system)
    copy_project(system)
    environments = ",".join(arguments.environment or PYTHONS)
    command = [f"{TOX}/bin/tox", "run", "-c", f"{PROJECT}/tox.ini", "--workdir", "/opt/work", "-e", environments]
    return enter(system, *command, *separator, *after).returncode


def _split(arguments: list[str]) -> tuple[list[str], list[str], list[str]]:
    """Split *arguments* at the first ``--``."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:end], arguments[end : end + 1], arguments[end + 1 :]


def create(system: Path) -> None:
    """Create sid in *system*, and tox in it."""
    shutil.rmtree(system, ignore_errors=True)
    system.mkdir(parents=True)
    include = f"--include={','.join(PACKAGES)}"
    isolated = ("unshare", "--mount", "--propagation=private")
    subprocess.run([*isolated, "debootstrap", "--variant=minbase", include, "sid", str(system)], check=True)
    roots = os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
    shutil.copyfile(roots, f"{system}{ROOTS}")
    enter(system, next(iter(PYTHONS.values())), "-m", "venv", TOX).check_returncode()
    enter(system, f"{TOX}/bin/python", "-m", "pip", "install", "--quiet", "tox").check_returncode()


def copy_project(system: Path) -> None:
    """Copy the sources of the project into *system*, without the results of builds and tests."""
    target = Path(f"{system}{PROJECT}")
    shutil.rmtree(target, ignore_errors=True)
    ignored = shutil.ignore_patterns(".git", ".*_cache", ".tox", ".venv", "__pycache__", "build", "*.egg-info", "dist")
    shutil.copytree(ROOT, target, symlinks=True, ignore=ignored)


def enter(system: Path, *command: str) -> subprocess.CompletedProcess[bytes]:
    """Run *command* in *system*, with the settings of this machine for registries."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(("CERTHOOK_TEST_", "PIP_"))}
    env = {
        **kept,
        **dict.fromkeys(ROOT_VARIABLES, ROOTS),
        **{name: os.environ[name] for name in ("CI", "TERM") if name in os.environ},
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    }
    # The process namespace ends every process that a test leaves behind.
    isolated = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation=private")
    return subprocess.run([*isolated, "sh", "-c", ENTER, "enter", str(system), *command], env=env)


if __name__ == "__main__":
    sys.exit(main())
