"""``certhook trust`` with the commands of Linux distributions, in mount namespaces."""

from __future__ import annotations

import shutil

import pytest
from trust_machine import ALPINE, ANCHORS, ARCH, BUNDLE, DEBIAN, DEBIAN_DIRECTORY, FEDORA, FILE, SUSE


@pytest.fixture(autouse=True)
def commands() -> None:
    for command in ("update-ca-certificates", "trust"):
        if shutil.which(command) is None:
            pytest.skip(f"{command} is not installed")


def test_debian(machine) -> None:
    found = machine.run(DEBIAN, f"""
report(run(["update-ca-certificates"]))
report(both_verify())
report(trust("--yes", "{FILE}"))
report(both_verify())
report(names("{DEBIAN_DIRECTORY}"))
report(trust("--undo", "--yes", "{FILE}"))
report(both_verify())
report(names("{DEBIAN_DIRECTORY}"))
report(names("/etc/ssl/certs"))
""")
    for one in found: print(one)
    assert 0

@pytest.mark.parametrize("tree", [FEDORA, ARCH, SUSE, ALPINE])
def test_all(machine, tree) -> None:
    found = machine.run(tree, f"""
report(both_verify())
report(trust("--yes", "{FILE}"))
report(both_verify())
report(trust("--undo", "--yes", "{FILE}"))
report(both_verify())
report(run(["trust", "anchor", "--store", "{FILE}"]))
report(run(["sh", "-c", "ls -lR /etc/pki"]))
report(trust("--undo", "--yes", "{FILE}"))
""")
    for one in found: print(one)
    assert 0
