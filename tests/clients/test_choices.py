"""What the callers of clients chose is kept: real requests with each option that a client offers.

All on a Debian where the operating system's store and certifi's bundle are full,
and without certhook too, to show that it is what the client does by itself.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import table
from table import CLIENTS, VARIABLES

EVERYONE = "system bundled extra stranger"

#: The environment, the roots of ``ssl.create_default_context()``, and those that a client trusts by default.
WAYS = {
    "with certhook": ({}, {"system", "bundled"}, lambda client: {"system", "bundled"}),
    "without": ({"CERTHOOK_DISABLED": "1"}, {"system"}, lambda client: set(client.bare.split())),
}


@pytest.fixture
def private(cas, tmp_path) -> Path:
    """A file with a company's own root, and nothing else."""
    file = tmp_path / "company.pem"
    file.write_bytes(cas.pem("extra"))
    return file


@pytest.fixture
def pinned(machine, tmp_path) -> Path:
    """A copy of certifi's bundle, under its name: somebody's choice of these roots, and of no others."""
    file = tmp_path / "certifi" / "cacert.pem"
    file.parent.mkdir()
    file.write_bytes(machine.bundle)
    return file


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", CLIENTS)
def test_the_choices_of_a_caller_are_kept(ask, private, pinned, name, way) -> None:
    client = CLIENTS[name]
    variables, context, default = WAYS[way]
    added = context if client.adds else set()
    # A choice, the file that it names if any, the servers to ask, and those that are trusted.
    expected = (
        (table.UNVERIFIED, "", "stranger", {"stranger"}),
        (table.STOCK, "", "stranger", {"stranger"}),
        (table.FILE, str(private), EVERYONE, {"extra"} | added),
        (table.FILE, str(pinned), "system bundled", {"bundled"} | added),
        (table.CERTIFICATE, "", "demanding", {"demanding"} if "system" in default(client) else set()),
        (table.NO_ROOTS, "", "system bundled", set()),
    )
    offered = [case for case in expected if case[0] in client.choices]
    answers = ask(client, *((client.choices[choice], file, asked) for choice, file, asked, _ in offered), **variables)
    told = [(choice, file, answer) for (choice, file, _, _), answer in zip(offered, answers)]
    assert told == [(choice, file, trusted) for choice, file, _, trusted in offered]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("variable", VARIABLES)
def test_a_variable_that_names_a_file_of_roots_is_obeyed(ask, private, variable, way) -> None:
    client = CLIENTS[VARIABLES[variable]]
    variables, context, _ = WAYS[way]
    trusted = {"extra"} | (context if client.adds else set())
    assert ask(client, ("", "", EVERYONE), **{variable: str(private)}, **variables) == [trusted]


@pytest.mark.parametrize("server", sorted({client.server for client in CLIENTS.values()}))
def test_a_server_that_demands_a_certificate_serves_nobody_without_one(ask, server) -> None:
    """Else that a client shows one would prove nothing."""
    client = next(client for client in CLIENTS.values() if client.server == server)
    with pytest.raises(AssertionError, match="(?s)^demanding: Traceback(?!.*system: Traceback)"):
        ask(client, (client.default, "", "demanding system"))
