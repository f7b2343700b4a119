"""Completion of the command line in real shells."""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Callable

import pytest
import support

SHELLS = ("bash", "zsh", "fish")
VERBS = {
    *("status", "check", "inspect", "trust", "list", "demo"),
    *("run", "enable", "disable", "export", "env", "diff", "compile", "audit", "freezer"),
}

#: A command line, results that it has among others, and words that no result may be.
CASES = [
    ("certhook ", VERBS, {"freeze-bundle", "certificate.pem"}),
    ("certhook li", {"list"}, {"check"}),
    ("certhook --json dif", {"diff"}, {"check"}),
    ("certhook list --pri", {"--private"}, {"--removed"}),
    ("certhook list --only ", {"system", "bundled", "extra"}, {"certificate.pem"}),
    ("certhook export --format pk", {"pkcs12"}, {"pem"}),
    ("certhook freezer cx", {"cx_freeze"}, {"nuitka"}),
    ("certhook completion ", {"bash", "zsh", "fish"}, {"certificate.pem"}),
    ("certhook export certif", {"certificate.pem"}, VERBS),
    ("certhook inspect certif", {"certificate.pem"}, VERBS),
    ("certhook check --pe", {"--pem"}, {"--json"}),
    ("certhook diff certificate.pem oth", {"other.pem"}, VERBS),
    ("certhook run certhook-te", {"certhook-test-command"}, VERBS),
]

_BASH = """\
COMP_WORDS=({words})
COMP_CWORD={index}
_certhook
[ ${{#COMPREPLY[@]}} = 0 ] && COMPREPLY=($(compgen -o default -- "{last}"))
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def complete(installed: Path, tmp_path: Path) -> Callable[[str, str], set[str]]:
    """A function that returns what a shell offers for a command line; it skips the test if there is no such shell."""
    home = tmp_path / "home"
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "certhook-test-command").symlink_to("/bin/true")
    for name in ("certificate.pem", "other.pem"):
        (home / name).touch()
    env = support.clean_env(HOME=str(home), TERM="xterm", LANG="C.UTF-8", XDG_CONFIG_HOME=str(home))
    env["PATH"] = os.pathsep.join([str(home / "bin"), str(installed.parent), "/usr/bin", "/bin"])

    def run(shell: str, line: str) -> set[str]:
        if shutil.which(shell) is None:
            pytest.skip(f"{shell} is not installed")
        if shell == "zsh":
            return _zsh(line, env, home)
        script = subprocess.check_output(["certhook", "completion", shell], env=env).decode()
        if shell == "bash":
            *before, last = line.split(" ")
            words = " ".join(map(repr, [*before, last]))
            code = script + _BASH.format(words=words, index=len(before), last=last)
        else:
            code = f"{script}\ncomplete -C '{line}'"
        done = subprocess.run([shell, "-c", code], env=env, cwd=home, capture_output=True)
        assert done.stderr == b""
        return {offer.split("\t")[0] for offer in done.stdout.decode().splitlines()}

    return run


def _zsh(line: str, env: dict[str, str], directory: Path) -> set[str]:
    """Press the tabulator key in an interactive zsh, and return the words that it adds or lists."""
    terminal, end = os.openpty()
    setup = (
        "PS1='>''> '; stty cols 500 rows 200; autoload -U compinit; compinit -u -D; setopt no_always_last_prompt; "
        "unsetopt zle_bracketed_paste; zstyle ':completion:*' verbose no; "
        'eval "$(certhook completion zsh)"; print REA"DY"\n'
    )
    shell = subprocess.Popen(["zsh", "-f", "-i"], env=env, cwd=directory, stdin=end, stdout=end, stderr=end)
    os.close(end)
    try:
        os.write(terminal, setup.encode())
        # After the prompt, the shell edits the line.
        _read_until(terminal, rb"READY\r(?s:.)*>> ")
        os.write(terminal, f"{line}\t".encode())
        time.sleep(0.5)
        # Control-U deletes the line.
        os.write(terminal, b"\x15print DO'NE'\n")
        shown = _read_until(terminal, rb"DONE\r").decode()
    finally:
        shell.kill()
        shell.wait()
        os.close(terminal)
    words = re.split(r"\s+", re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\x07", " ", shown))
    return {*words} - {*line.split(" ")}


def _read_until(terminal: int, pattern: bytes) -> bytes:
    data = b""
    while not re.search(pattern, data):
        assert select.select([terminal], [], [], 20)[0], data
        data += os.read(terminal, 65536)
    return data


@pytest.mark.skipif(os.name == "nt", reason="Windows has none of these shells")
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("line", "offered", "excluded"), CASES, ids=[line for line, _, _ in CASES])
def test_a_shell_completes_verbs_options_values_and_files(shell, line, offered, excluded, complete) -> None:
    found = complete(shell, line)
    assert found >= offered
    assert not found & excluded


def test_an_unknown_shell_is_refused(certhook) -> None:
    done = certhook("completion", "tcsh")
    assert (done.returncode, done.stdout) == (2, "")
    assert "bash" in done.stderr


@pytest.mark.parametrize("shell", SHELLS)
def test_the_scripts_do_not_depend_on_the_width_of_the_terminal(shell, certhook) -> None:
    assert certhook("completion", shell, COLUMNS="60").stdout == certhook("completion", shell, COLUMNS="200").stdout
