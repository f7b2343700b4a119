"""The advice for a distrusted root, followed on a Debian machine with the real update-ca-certificates(8)."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import certifi
import namespace
import pytest
import support
from lab import Lab, assert_cause, parse_output
from namespace import Link
from pki import Chain, Issued, chain, issue

_MOZILLAS = "/usr/share/ca-certificates/mozilla"

# Checks the server, then follows the second advice: deletes the "!" in the line, and runs the command.
_FOLLOW_ADVICE = r"""
import json, os, re, subprocess, sys

def check():
    command = [sys.executable, "-m", "certhook", "check", "--json", os.environ["SERVER"]]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout

results = [check()]
advice = json.loads(results[0][1])["checks"][0]["cause"]["advice"][1]
text, command = advice.split("\n")
(line,), path = re.findall("'(!.*?)'(?: at| in)", text.replace("delete the '!'", "")), "/etc/ca-certificates.conf"
assert path in text
with open(path) as file:
    content = file.read()
assert line + "\n" in content
with open(path, "w") as file:
    file.write(content.replace(line + "\n", line[1:] + "\n"))
os.environ["TMPDIR"] = os.path.dirname(os.environ["CERTHOOK_STORE_DIR"])
subprocess.run(command.split(), check=True, stdout=subprocess.DEVNULL)
results.append(check())
print(json.dumps(results))
"""


@pytest.fixture
def layouts(tmp_path: Path) -> Path:
    reason = namespace.unavailable()
    if reason is None and shutil.which("update-ca-certificates", path=os.environ["PATH"] + ":/usr/sbin") is None:
        reason = "update-ca-certificates is not installed"
    if reason is not None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    return tmp_path / "machine"


def follow(server: int, good: Chain, other: Issued, directory: Path) -> list[tuple[int, str]]:
    """Check *server* on a machine that deselects its root, follow the advice, and check it again."""
    directory.mkdir()
    names = {"The_Root.crt": good.root, "Other_Root.crt": other}
    tree: namespace.Tree = {f"{_MOZILLAS}/{name}": root.pem for name, root in names.items()}
    tree["/etc/ca-certificates.conf"] = b"# comment\n!mozilla/The_Root.crt\nmozilla/Other_Root.crt\n"
    tree["/etc/ca-certificates/update.d"] = os.mkdir
    tree["/etc/ssl/certs/ca-certificates.crt"] = other.pem
    tree["/usr/local/share/ca-certificates"] = os.mkdir
    tree["/usr/lib/ssl/certs"] = Link("/etc/ssl/certs")
    tree["/etc/os-release"] = b"ID=debian\n"
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    env = support.clean_env(SERVER=f"localhost:{server}", PATH=path)
    over = {certifi.where(): good.root.pem + other.pem}
    done = namespace.run(Path(sys.executable), _FOLLOW_ADVICE, tree, env, directory, over=over)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_following_the_advice_for_a_deselected_root_helps(lab: Lab, layouts: Path) -> None:
    good, other = chain(), issue("other", ca=True, organization="other")
    before, after = follow(lab.serve(good.sent), good, other, layouts)
    result = parse_output(before[1], before[0])
    assert_cause(
        result,
        "root-distrusted",
        "by a line in /etc/ca-certificates.conf",
        "delete the '!' at the start of the line '!mozilla/The_Root.crt' in /etc/ca-certificates.conf",
        "update-ca-certificates",
    )
    assert parse_output(after[1], after[0])[0]["verified"]
