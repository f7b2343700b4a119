"""The manual page: it is generated from the help texts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import manual_page
import pytest
import support


def test_the_manual_page_is_up_to_date() -> None:
    expected = manual_page.text()
    assert manual_page.FILE.read_text(encoding="utf-8") == expected, "run 'python tests/manual_page.py'"


@pytest.mark.parametrize(
    "command",
    [("man", "--warnings", "-E", "UTF-8", "-l"), ("mandoc", "-T", "utf8", "-W", "warning")],
    ids=lambda command: command[0],
)
def test_the_manual_page_is_rendered_without_warnings(command) -> None:
    program = shutil.which(command[0])
    if program is None:
        pytest.skip(f"{command[0]} is not installed")
    env = support.clean_env(MANWIDTH="80", MANROFFOPT="-c", TERM="dumb", PATH=os.environ["PATH"])
    done = subprocess.run([program, *command[1:], str(manual_page.FILE)], env=env, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    # Bold letters are printed twice.
    shown = " ".join(re.sub(r".\x08", "", done.stdout.decode()).split())
    for words in ("SYNOPSIS", "CERTHOOK_EXTRA_CA_CERTS", "FOR ADMINISTRATORS", "certhook list"):
        assert words in shown
