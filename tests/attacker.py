"""Another user of the machine, who attacks the commands that root runs in directories that this user can change."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import Iterator

import support

ATTACKER = 54321

# In an endless loop, makes the path a directory, a link to the victim's directory, and nothing.
_SWAP = """
import os, random, sys, time
path, victim, other = sys.argv[1:]
def attempt(function, *args):
    try:
        function(*args)
    except OSError:
        pass
print("ready", flush=True)
while True:
    for step in ((os.symlink, victim, path), (os.unlink, path), (os.rename, other, path), (os.rename, path, other)):
        attempt(*step)
        time.sleep(random.random() / 4000)
"""


def as_attacker(*capabilities: str) -> list[str]:
    """Return the prefix of a command that runs it as the attacker, with *capabilities*."""
    ids = [f"--reuid={ATTACKER}", f"--regid={ATTACKER}", "--clear-groups"]
    caps = [f"--{kind}-caps={','.join(f'+{name}' for name in capabilities)}" for kind in ("inh", "ambient")]
    return ["setpriv", *ids, *(caps if capabilities else [])]


@contextlib.contextmanager
def swapping(path: Path, victim: Path, other: Path) -> Iterator[None]:
    """Let the attacker swap *path* between nothing, a link to *victim*, and the directory *other* of the attacker."""
    command = [
        *as_attacker("dac_read_search"),
        sys.executable,
        "-I",
        "-S",
        "-c",
        _SWAP,
        *map(str, (path, victim, other)),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=support.clean_env()) as attack:
        try:
            assert attack.stdout.readline() == b"ready\n"
            yield
            assert attack.poll() is None
        finally:
            attack.kill()
