"""The next context of a running program detects an update of the operating system's store."""

from __future__ import annotations

import os

import pytest
import support
from layouts import ALL, BLOCKLIST, STORE
from linux_machine import OPENSSL, Hashed, Pem, expected, verdicts_of, warnings_of
from namespace import Link

# Prints the verdicts of one context before and of one after the update.
UPDATED = f"""
import os
verdicts = {support.VERDICTS!r}
exec(verdicts)
from certhook import _watch
_watch.INTERVAL = 0  # Every context checks the inputs.
exec(os.environ["UPDATE"])
exec(verdicts)
"""

#: The files, the code of the update, and the authorities that are trusted before and after it.
UPDATES = {
    "the file is replaced": (
        {STORE: Pem("system"), f"{STORE}.new": Pem("system stranger")},
        f"os.rename('{STORE}.new', '{STORE}')",
        (ALL, f"{ALL} stranger"),
    ),
    "the file is overwritten": (
        {STORE: Pem("stranger"), "/etc/new.pem": Pem("system stranger")},
        f"os.system('cat /etc/new.pem > {STORE}')",
        ("bundled both stranger", f"{ALL} stranger"),
    ),
    "a root is removed from the file": (
        {STORE: Pem("system stranger"), f"{STORE}.new": Pem("system")},
        f"os.rename('{STORE}.new', '{STORE}')",
        (f"{ALL} stranger", ALL),
    ),
    "a link to the file is replaced": (
        {STORE: Link("/etc/old.pem"), "/etc/old.pem": Pem("system"), "/etc/new.pem": Pem("stranger")},
        f"os.symlink('/etc/new.pem', '/etc/link'); os.rename('/etc/link', '{STORE}')",
        (ALL, "bundled both stranger"),
    ),
    "a link is added to a hashed directory": (
        {"/etc/ssl/certs": Hashed("system"), "/etc/stranger.pem": Pem("stranger")},
        "os.symlink('/etc/stranger.pem', '/etc/ssl/certs/{stranger}.0')",
        (ALL, f"{ALL} stranger"),
    ),
    "a link is removed from a hashed directory": (
        {"/etc/ssl/certs": Hashed("system stranger")},
        "os.unlink('/etc/ssl/certs/{stranger}.0')",
        (f"{ALL} stranger", ALL),
    ),
    "a store is created": (
        {"/etc/new.pem": Pem("system")},
        "os.makedirs('/etc/ssl/certs'); os.rename('/etc/new.pem', '/etc/ssl/certs/ca-certificates.crt')",
        ("bundled both", ALL),
    ),
    "the compiled-in file is created": (
        {STORE: Pem("system"), "/etc/new.pem": Pem("stranger")},
        "os.symlink('/etc/new.pem', '{OPENSSLDIR}/cert.pem')",
        (ALL, f"{ALL} stranger"),
    ),
    "a block list is created": (
        {STORE: Pem("system"), "/etc/bad.pem": Pem("bundled")},
        f"os.makedirs('{BLOCKLIST}'); os.rename('/etc/bad.pem', '{BLOCKLIST}/bad.pem')",
        (ALL, "system both"),
    ),
    "a root is added to a file of a block list": (
        {STORE: Pem("system"), f"{BLOCKLIST}/bad.pem": Pem("extra"), "/etc/bad.pem": Pem("bundled")},
        f"os.system('cat /etc/bad.pem >> {BLOCKLIST}/bad.pem')",
        (ALL, "system both"),
    ),
    "a file is removed from a block list": (
        {STORE: Pem("system"), f"{BLOCKLIST}/bad.pem": Pem("bundled")},
        f"os.unlink('{BLOCKLIST}/bad.pem')",
        ("system both", ALL),
    ),
    "a root is deselected": (
        {
            STORE: Pem("system"),
            "/etc/ca-certificates.conf": b"mozilla/bundled.crt",
            "/etc/new.conf": b"!mozilla/bundled.crt",
            "/usr/share/ca-certificates/mozilla/bundled.crt": Pem("bundled"),
        },
        "os.rename('/etc/new.conf', '/etc/ca-certificates.conf')",
        (ALL, "system both"),
    ),
    "the store is removed": ({STORE: Pem("system")}, f"os.unlink('{STORE}')", (ALL, "bundled both")),
}


@pytest.mark.parametrize("load", ["lazy", "eager"])
@pytest.mark.parametrize("name", UPDATES)
def test_the_next_context_of_a_running_program_detects_an_update(linux, tmp_path, name: str, load: str) -> None:
    tree, update, trusted = UPDATES[name]
    update = update.format(OPENSSLDIR=linux.openssldir, **linux.hashes)
    tree = {OPENSSL: os.mkdir, **tree}
    done = linux.run(linux.installed, UPDATED, tree, tmp_path, CERTHOOK_LOAD=load, UPDATE=update)
    assert verdicts_of(done) == [expected(names) for names in trusted]
    assert warnings_of(done) == []
