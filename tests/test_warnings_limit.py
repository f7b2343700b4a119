"""The number of warnings of a process, of lines of a command and of problems in an index is limited."""

from __future__ import annotations

import json
import os
import sys
import threading
import warnings
from pathlib import Path
from typing import Iterator

import pytest
import support

import certhook
from certhook import _warnings
from certhook._config import SERVER_AUTH, Config
from certhook._sources import read_trust_set
from certhook._state import process
from certhook._store import build
from certhook._watch import index_settings
from certhook.cli import _problem_list, main

MANY = 200


@pytest.fixture
def no_warnings() -> Iterator[None]:
    """A process that has not issued any warning."""
    before = process.warnings, process.last_warning
    process.warnings, process.last_warning = set(), [True]
    yield
    process.warnings, process.last_warning = before


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cas) -> dict[str, str]:
    """The variables of an environment with :data:`MANY` paths that do not exist, and one root."""
    for name in [*os.environ]:
        if "CERT" in name or "_CA_" in name:
            monkeypatch.delenv(name)
    (tmp_path / "bundle.pem").write_bytes(cas.pem("bundled"))
    missing = [str(tmp_path / "missing" / f"{number}.pem") for number in range(MANY)]
    variables = {
        "CERTHOOK_BUNDLE": str(tmp_path / "bundle.pem"),
        "CERTHOOK_EXTRA_CA_CERTS": os.pathsep.join(missing),
        "CERTHOOK_SOURCES": "bundled",
        "CERTHOOK_STORE_DIR": "none",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "1000")
    return variables


CONTEXTS = """
import collections, ssl, sys, threading, warnings
warnings.simplefilter("always")
messages = []
warnings.showwarning = lambda message, *args: messages.append(str(message))
def create():
    for _ in range(3):
        ssl.create_default_context()
threads = [threading.Thread(target=create) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
(last,) = [message for message in messages if "not reported as a warning" in message]
print(len(messages), len(set(messages)), last)
"""


def test_a_process_issues_a_limited_number_of_warnings(installed: Path, faulty: dict[str, str]) -> None:
    done = support.run(installed, CONTEXTS, env=support.clean_env(**faulty))
    total, distinct, last = done.stdout.split(" ", 2)
    assert int(total) == int(distinct) == _warnings.MOST + 1
    # Several threads report at the same time, and each counts its own problems.
    count, _, text = last.partition(" ")
    assert 0 < int(count) <= MANY - _warnings.MOST
    assert text.startswith("more problems are not reported as a warning")
    assert "-m certhook status --json' for a list of all problems" in text


def test_the_last_warning_states_the_number_of_the_others(installed: Path, faulty: dict[str, str]) -> None:
    done = support.run(installed, "import ssl; ssl.create_default_context()", env=support.clean_env(**faulty))
    assert done.stderr.count("CerthookWarning: ") == _warnings.MOST + 1
    assert f"CerthookWarning: {MANY - _warnings.MOST} more problems are not reported" in done.stderr


def test_problems_that_change_cause_a_limited_number_of_warnings(no_warnings: None) -> None:
    """A file that changes in a process that runs for a long time has other faults each time."""
    issued: list[str] = []
    start = threading.Barrier(8)

    def report(thread: int) -> None:
        start.wait()
        for number in range(MANY):
            _warnings.warn(f"fault {thread}, {number}")

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *args, **kwargs: issued.append(str(message))
        threads = [threading.Thread(target=report, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(issued) <= _warnings.MOST + 1
    assert [text for text in issued if text.startswith("1 more problem is not reported")]
    assert len(process.warnings) <= _warnings.MOST


def test_warnings_that_are_errors_are_raised_a_limited_number_of_times(no_warnings: None) -> None:
    raised = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in range(MANY):
            try:
                _warnings.warn(f"fault {number}")
            except certhook.CerthookWarning:
                raised += 1
    assert raised == _warnings.MOST + 1


def test_an_index_contains_a_limited_number_of_problems(faulty: dict[str, str], tmp_path: Path) -> None:
    found = read_trust_set(Config(faulty))
    assert len(found.problems) >= MANY
    problems = build._index_problems(found)
    assert len(problems) == 101
    assert problems[-1] == (build.OMITTED, f"{MANY - 100}; 'certhook status --json' lists all problems")
    (tmp_path / "stores").mkdir(0o700)
    build.compile_store(str(tmp_path / "stores"), found, index_settings(found.config, SERVER_AUTH), False, "")
    (index,) = [path for path in (tmp_path / "stores").iterdir() if path.name.startswith("index")]
    assert index.read_bytes().count(b"cannot be read") == 100


@pytest.mark.parametrize("verb", [["status"], ["list"], ["export", "-"]], ids=" ".join)
def test_a_command_prints_a_limited_number_of_problems(
    verb: list[str], faulty: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    main(verb)
    output = "".join(capfd.readouterr())
    problems = [line for line in output.split("\n") if "It adds no roots" in line]
    assert len(problems) == _problem_list.MOST
    assert f"{MANY - _problem_list.MOST} more: 'certhook " in output
    assert len(output.split("\n")) < 250


def test_json_contains_all_problems(faulty: dict[str, str], capfd: pytest.CaptureFixture[str]) -> None:
    main(["status", "--json"])
    assert len(json.loads(capfd.readouterr().out)["problems"]) == MANY


@pytest.mark.skipif(sys.platform == "win32", reason="paths are separated by colons")
def test_a_limited_number_of_relative_paths_is_reported() -> None:
    problems = Config({"CERTHOOK_EXTRA_CA_CERTS": ":".join(f"{number}.pem" for number in range(MANY))}).problems
    assert len(problems) == 101
    assert problems[-1].message == f"{MANY - 100} more relative paths are ignored; use absolute paths"


def test_a_message_contains_a_limited_number_of_paths(faulty: dict[str, str]) -> None:
    found = read_trust_set(Config({**faulty, "CERTHOOK_BUNDLE": os.devnull}))
    assert str(found.problems[-1]).endswith(f" and {MANY + 1 - 10} more")


def test_damaged_blocks_and_unusable_files_cause_a_limited_number_of_lines(
    faulty: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    block = "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n"
    (tmp_path / "many").mkdir()
    for number in range(50):
        (tmp_path / "many" / f"{number}.pem").write_text(block * 100)
    monkeypatch.setenv("CERTHOOK_EXTRA_CA_CERTS", str(tmp_path / "many"))
    main(["list"])
    assert len(capfd.readouterr().err.split("\n")) <= _problem_list.MOST + 5
