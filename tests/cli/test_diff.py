"""``python -m certhook diff``: the differences of two sets of root certificates."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
import support
from cryptography.hazmat.primitives.asymmetric import ec
from roots import KEY, LONG_NAME, NOW, ROOTS, distrusted, root

from certhook.cli import _terminal


@pytest.fixture
def variables(dated_roots: dict[str, str]) -> dict[str, str]:
    return dated_roots


def write(path: Path, *roots: bytes) -> str:
    """Write a file of root certificates, and return its name."""
    path.write_bytes(b"".join(roots))
    return path.name


def test_the_system_store_is_compared_with_the_bundle(certhook) -> None:
    done = certhook("diff")
    assert (done.returncode, done.stderr) == (1, "")
    blocks = [block.splitlines() for block in done.stdout.split("\n\n")]
    assert [lines[0] for lines in blocks] == ["In both: 1", "Only in the system's store: 1", "Only in the bundle: 3"]
    assert [line.rpartition("  ")[0].strip() for line in blocks[1][1:]] == ["Sys, Inc."]
    assert [line.rpartition("  ")[0].strip() for line in blocks[2][1:]] == [LONG_NAME, "Bündled", "Expired"]
    assert blocks[2][-1].endswith(" expired")


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_names_that_do_not_fit_the_terminal_are_continued(columns, certhook) -> None:
    shown = certhook("diff", COLUMNS=str(columns)).stdout
    assert max(map(len, shown.splitlines())) < columns
    assert all(word in shown for word in LONG_NAME.split())


@pytest.mark.parametrize("sources", ["system", "bundled", "extra"])
def test_the_comparison_does_not_depend_on_the_selected_sources(certhook, sources) -> None:
    assert certhook("diff", CERTHOOK_SOURCES=sources).stdout == certhook("diff").stdout


def test_the_order_of_roots_makes_no_difference(certhook, tmp_path) -> None:
    write(tmp_path / "bundle.pem", ROOTS["system"]["both"], ROOTS["system"]["system"])
    done = certhook("diff")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "the system's store and the bundle contain the same 2 root certificates\n"


def test_a_renewed_root_is_a_different_certificate_of_the_same_ca(certhook, tmp_path) -> None:
    old, new = root("Renewed", 10), root("Renewed", 4000)
    namesake = root("Renewed", 10, ec.generate_private_key(KEY.curve))
    done = certhook("diff", "--json", write(tmp_path / "a.pem", old, namesake), write(tmp_path / "b.pem", new))
    found = json.loads(done.stdout)
    assert done.returncode == 1
    (pair,) = found["renewed"]
    for side, days in (("a", 10), ("b", 4000)):
        assert [one["not_after"] for one in pair[side]] == [(NOW + timedelta(days)).isoformat()]
    # A root with the same name and another key belongs to another CA.
    assert [one["subject"] for one in found["only_a"]] == ["CN=Renewed"]
    shown = certhook("diff", "a.pem", "b.pem").stdout
    assert "Same name and key, different certificate: 1\n  Renewed\n" in shown
    assert f"last day {(NOW + timedelta(4000)).date()}, in b.pem" in shown


def test_a_file_and_a_directory_are_compared(certhook, tmp_path, cas) -> None:
    (tmp_path / "directory").mkdir()
    write(tmp_path / "directory" / "a.crt", cas.pem("system"))
    write(tmp_path / "directory" / support.hashed_name(cas.der("both")), cas.pem("both"))
    write(tmp_path / "two.pem", cas.pem("both", "system"))
    assert certhook("diff", "directory", "two.pem").returncode == 0
    found = json.loads(certhook("diff", "--json", "directory", "bundle.pem").stdout)
    assert list(found) == ["a", "b", "in_both_count", "only_a", "only_b", "renewed", "problems"]
    assert (found["a"], found["b"], found["in_both_count"]) == ("directory", "bundle.pem", 0)
    assert (len(found["only_a"]), len(found["only_b"])) == (2, 4)


def test_a_distrusted_root_is_marked_with_the_file_that_distrusts_it(certhook, tmp_path) -> None:
    write(tmp_path / "system.pem", ROOTS["system"]["system"], distrusted(ROOTS["system"]["system"]))
    shown = certhook("diff").stdout
    assert " *Sys, Inc." in shown
    assert support.shows(shown, f"* distrusted by {tmp_path / 'system.pem'}")


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_a_file_without_roots_cannot_be_compared(certhook, tmp_path, content, arguments) -> None:
    if content is not None:
        write(tmp_path / "a.pem", content)
    done = certhook("diff", *arguments, "a.pem", "bundle.pem")
    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing was compared: no root certificate was found in a.pem (" in done.stderr


def test_a_partly_unreadable_file_is_compared_and_reported(certhook, tmp_path) -> None:
    broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    done = certhook("diff", write(tmp_path / "a.pem", broken, ROOTS["system"]["both"]), "bundle.pem")
    assert done.returncode == 2
    assert "In both: 1\n" in done.stdout
    assert "a.pem" in done.stderr and "line 1" in done.stderr
    found = certhook("diff", "--json", "a.pem", "bundle.pem")
    assert (found.returncode, found.stderr) == (2, "")
    (problem,) = json.loads(found.stdout)["problems"]
    assert "line 1" in problem


def test_a_single_file_is_refused(certhook) -> None:
    done = certhook("diff", "bundle.pem")
    assert (done.returncode, done.stdout) == (2, "")
    assert "expected two files or directories, but only bundle.pem was given" in done.stderr


def test_names_of_wide_characters_are_aligned_with_the_dates(certhook, tmp_path) -> None:
    write(tmp_path / "a.pem", root("Both", 2000), root("認証局", 2000))
    write(tmp_path / "b.pem", root("Other", 2000))
    day = f"{NOW + timedelta(2000):%Y-%m-%d}"
    rows = [line.partition(day)[0] for line in certhook("diff", "a.pem", "b.pem").stdout.splitlines() if day in line]
    assert [_terminal.columns(row) for row in rows] == [10, 10, 9]  # two tables


def test_headings_are_bold_on_a_terminal(certhook, on_terminal) -> None:
    shown = on_terminal("diff")
    for heading in ("In both:", "Only in the system's store:", "Only in the bundle:"):
        assert f"\033[1m{heading}\033[0m " in shown
    assert shown.replace("\033[1m", "").replace("\033[0m", "") == certhook("diff", COLUMNS="80").stdout
