"""Damage of every file of a store is detected after a boot, by commands, and in a failed verification."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Callable, Iterator

import pytest
from store_host import LINK, Host
from store_program import DAMAGES, Program

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs fork")

#: How many builds are interrupted in total; 20 by default, 200 for the release.
INTERRUPTIONS = int(os.environ.get("CERTHOOK_TEST_INTERRUPTIONS", "20"))

#: The kinds of files, and how to find one in the directory of stores.
KINDS: dict[str, Callable[[Host], Path]] = {
    "root": lambda host: host.hashed("system", host.current_store),
    "bundle": lambda host: host.current_store / "cert.pem",
    "manifest": lambda host: host.current_store / "manifest",
    "index": lambda host: host.only_index,
    "link": lambda host: host.link,
}


class Damaged(Host):
    """A host with a program that forks a new process for each expression, and a store that tests damage."""

    program_: Program
    intact: dict

    def damage(self, kind: str, damage: str) -> None:
        DAMAGES[damage](KINDS[kind](self))

    def in_new_process(self, expression: str) -> object:
        return self.program_.child(expression, is_strict=True)

    def assert_intact(self, damage: str = "") -> None:
        found = self.content()
        changed = [name for name in sorted({*found, *self.intact}) if found.get(name) != self.intact.get(name)]
        # Builders that were killed leave hidden files.
        assert not [name for name in changed if name != "0123abcd.0" and name[0] != "."], damage

    def remove_other_stores(self, index: Path) -> None:
        """Remove the stores of other trust sets than that of *index*."""
        for path in self.location.iterdir():
            if path != index and path.name not in self.intact:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    def reset(self) -> None:
        """Delete everything, and build the store again."""
        for path in sorted(self.location.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        assert self.in_new_process("found()") == [TRUSTED, True]


#: The trusted authorities whose servers the programs contact.
TRUSTED = ["system", "both"]


@pytest.fixture
def damaged(tmp_path, cas, servers) -> Iterator[Damaged]:
    # The current environment, because "check" requires another package.
    host = Damaged(Path(sys.executable), tmp_path, cas, servers)
    host.env["SERVERS"] = " ".join(f"{name}:{servers.port(name)}" for name in ("system", "both", "extra", "stranger"))
    with host.program() as program:
        host.program_ = program
        assert host.in_new_process("found()") == [TRUSTED, True]
        host.intact = host.content()
        yield host
        assert program.errors == ""


#: Damage that applies to each kind. A link has neither content nor a mode.
LINK_DAMAGES = [name for name in DAMAGES if name.startswith(("remove", "replace"))]
APPLICABLE = {
    "root": list(DAMAGES),
    "bundle": list(DAMAGES),
    "manifest": list(DAMAGES),
    "index": [name for name in DAMAGES if name not in ("replace by directory", "add file")],
    "link": LINK_DAMAGES,
}

each_kind = pytest.mark.parametrize("kind", KINDS)


@each_kind
def test_damage_is_repaired_by_the_first_process_after_a_boot(damaged, kind) -> None:
    for damage in APPLICABLE[kind]:
        damaged.damage(kind, damage)
        damaged.start_again()
        assert damaged.in_new_process("found()") == [TRUSTED, True], damage
        damaged.assert_intact(damage)


@each_kind
def test_damage_is_repaired_by_the_first_process_after_a_boot_if_the_clock_is_wrong(damaged, kind) -> None:
    """Without a battery, the clock of a device starts in the past."""
    for damage in ("fill with zeros", "flip bit") if kind != "link" else ("remove",):
        damaged.damage(kind, damage)
        os.utime(damaged.only_index, (time.time() + 9999,) * 2)
        assert damaged.in_new_process("found()") == [TRUSTED, True], damage
        damaged.assert_intact(damage)


#: Arguments of commands that verify every checksum; each reads the store before it reports it.
COMMANDS = {
    "status": "certhook('status', '--json')",
    "check": "certhook('check', '--json', 'localhost:' + os.environ['SERVERS'].split()[0].split(':')[1])",
    "export": "(certhook('export', OUT)[0], Path(OUT).read_bytes().decode(), os.unlink(OUT))[:2]",
}


@pytest.mark.parametrize(
    ("command", "kind"),
    [*(("status", kind) for kind in KINDS), ("check", "root"), ("export", "root"), ("export", "bundle")],
)
def test_a_command_detects_damage_that_other_processes_have_not_noticed(damaged, kind, command) -> None:
    """A process has just checked the store, so that a new context checks no checksum."""
    for damage in ("flip bit", "exchange", "remove") if kind != "link" else LINK_DAMAGES:
        index = damaged.only_index
        damaged.damage(kind, damage)
        path = repr(str(damaged.roots / "exported"))
        status, output = damaged.in_new_process(COMMANDS[command].replace("OUT", path))
        if command == "check":
            # That of requests and httpx, which name certifi's bundle.
            damaged.remove_other_stores(index)
        assert damaged.in_new_process("found()") == [TRUSTED, True], damage
        damaged.assert_intact(damage)
        assert status in (0, 1)
        if command == "status":
            assert json.loads(output)["store"], damage
        if command == "check":
            assert status == 0 and json.loads(output)["checks"][0]["verified"], damage
        if command == "export":
            assert output.count("BEGIN CERTIFICATE") == 3, damage


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "index"])
def test_damage_is_repaired_by_a_failed_verification(damaged, kind) -> None:
    """A second program holds the contexts, one for each kind of damage."""
    with damaged.program() as program:
        for number, damage in enumerate(APPLICABLE[kind]):
            if (kind, damage) == ("root", "replace by pipe"):
                damage = "remove"  # Opening a pipe blocks OpenSSL, in stock hashed directories as well.
            program("make()")
            damaged.damage(kind, damage)
            assert program(f"attempt({number}, 'stranger')") is False
            program(f"attempt({number}, 'system')")
            assert program(f"attempt({number}, 'system')") is True, damage
            assert program(f"trusted(contexts[{number}])") == TRUSTED, damage
            assert program(f"roots({number})") == 3, damage
            damaged.assert_intact(damage)
        assert program.errors == ""


@pytest.mark.parametrize("kind", ["bundle", "root", "manifest"])
def test_a_query_of_a_live_context_returns_all_roots_despite_a_damaged_file(damaged, kind) -> None:
    with damaged.program() as program:
        expected = program("sorted(der.hex() for der in ssl.create_default_context().get_ca_certs(True))")
        path = KINDS[kind](damaged)
        intact = path.read_bytes()
        for number, damage in enumerate(("fill with zeros", "truncate", "remove")):
            program("make()")
            damaged.damage(kind, damage)
            assert program(f"sorted(der.hex() for der in contexts[{number}].get_ca_certs(True))") == expected, damage
            path.write_bytes(intact)


# The link.


def test_a_link_to_a_store_of_other_roots_is_corrected(damaged, tmp_path) -> None:
    """For example, from a backup: the older store exists and is complete."""
    with damaged.program(CERTHOOK_EXTRA_CA_CERTS=str(damaged.roots / "extra.pem")) as program:
        program("make()")
    link, other = damaged.named(LINK)
    if other.name + "/" in str(damaged.intact):
        link, other = other, link
    if not any(name.startswith(os.readlink(link)) for name in damaged.intact):
        link, other = other, link
    expected = os.readlink(link)
    link.unlink()
    link.symlink_to(os.readlink(other))
    damaged.start_again()
    assert damaged.in_new_process("found()") == [TRUSTED, True]
    assert os.readlink(link) == expected


def test_a_link_to_a_directory_elsewhere_is_corrected(damaged, tmp_path, cas) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    damaged.hashed("stranger", elsewhere).write_bytes(cas.pem("stranger"))
    link = damaged.link
    link.unlink()
    link.symlink_to(elsewhere)
    assert damaged.in_new_process("found()") == [TRUSTED, True]
    damaged.assert_intact()


def test_a_link_to_a_directory_elsewhere_instead_of_a_store_is_replaced(damaged, tmp_path) -> None:
    """Its parents may be writable by other users."""
    store = damaged.current_store
    store.rename(tmp_path / "moved")
    store.symlink_to(tmp_path / "moved")
    assert damaged.in_new_process("found()") == [TRUSTED, True]
    damaged.assert_intact()


def test_a_directory_instead_of_the_link_is_replaced(damaged, cas) -> None:
    link = damaged.link
    link.unlink()
    link.mkdir()
    damaged.hashed("stranger", link).write_bytes(cas.pem("stranger"))
    assert damaged.in_new_process("found()") == [TRUSTED, True]
    damaged.assert_intact()


# Interrupted builds.

BUILD = "ssl.create_default_context()"
REPAIR = "(make(), setup(), attempts(0, 'system'))"


def prepare_nothing(host: Damaged) -> None:
    """There is no store."""
    for path in sorted(host.location.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


def prepare_update(host: Damaged) -> None:
    """The store is outdated."""
    host.file.write_bytes(host.file.read_bytes() + b"\n")
    certificates = host.cas.pem("system", "extra")
    now = host.file.read_bytes().strip()
    host.file.write_bytes(host.cas.pem("system") if now == certificates.strip() else certificates)


def prepare_damage(host: Damaged) -> None:
    """Files of the store are damaged."""
    for name in ("system", "both"):
        file = host.hashed(name, host.current_store)
        file.write_bytes(bytes(file.stat().st_size))
    host.start_again()


def expected_trust(host: Damaged) -> list[str]:
    return [*TRUSTED, "extra"] if host.cas.pem("extra") in host.file.read_bytes() else TRUSTED


@pytest.mark.parametrize("prepare", [prepare_nothing, prepare_update, prepare_damage])
def test_after_an_interrupted_build_the_next_process_has_the_expected_trust(damaged, prepare) -> None:
    """Each build is killed before one of its changes of the file system; contexts of another process are usable."""
    damaged.write_file(damaged.cas.pem("system"))
    damaged.in_new_process("found()")
    point, step = 1, max(1, round(50 / (INTERRUPTIONS / 3)))
    kills = rounds = 0
    with damaged.program() as live:
        live("make()")
        number = 0
        while kills < INTERRUPTIONS / 3:
            prepare(damaged)
            result = damaged.in_new_process(f"kill_at({point}, {BUILD!r})")
            if result != {"signal": signal.SIGKILL}:
                assert point > 1, "the build changes nothing"
                rounds += 1
                point = 1 + rounds % step
                assert rounds < 50
                continue
            kills += 1
            point += step
            # The live context has lost nothing; at worst, its first verification repairs the store.
            if kills % 5 == 1:
                live(f"attempt({number}, 'both')")
                assert live(f"attempt({number}, 'both')") is True, point
                live("make()")
                number += 1
            assert damaged.in_new_process("found()") == [expected_trust(damaged), True], point
            damaged.start_again()
            assert damaged.in_new_process("found()") == [expected_trust(damaged), True], point
    print(f"{kills} builds were interrupted")


def test_a_repair_in_a_failed_verification_may_be_interrupted(damaged) -> None:
    """The process is killed while it handles the exception."""
    make = "(make(), os.unlink({!r}), kill_at({}, 'attempts(0, \"system\")'))"
    kills = 0
    for point in range(1, 60, max(1, round(120 / INTERRUPTIONS))):
        file = damaged.hashed("system", damaged.current_store)
        result = damaged.in_new_process(make.format(str(file), point))
        kills += result == {"signal": signal.SIGKILL}
        assert damaged.in_new_process("found()") == [TRUSTED, True]
        damaged.assert_intact()
        if result is None:
            break
    print(f"{kills} repairs were interrupted")
    assert kills
