"""The manual describes the verbs, options, exit statuses and variables that exist."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pages
import pytest
import support

from certhook import cli
from certhook._config import VARIABLES
from certhook.cli import _arguments, _completion_scripts

sys.path.insert(0, str(support.ROOT / "tools"))
import diagrams

PARSER, VERBS = cli.build_parser("certhook")
_, LISTED = _completion_scripts.read(PARSER, VERBS)
NAMES = {verb.name for verb in LISTED}
PAGES = sorted(path.relative_to(pages.DOCS).with_suffix("").as_posix() for path in pages.DOCS.rglob("*.rst"))


def source(page: str) -> str:
    """Return the text of a page."""
    return (pages.DOCS / f"{page}.rst").read_text(encoding="utf-8")


def test_every_verb_has_a_section_with_its_description() -> None:
    text = source("reference/commands")
    for name in NAMES:
        assert re.search(rf"\n\.\. _command-{name}:\n\n{name}\n~+\n", text), name
        assert f"\n.. verb:: {name}\n" in text, name
    assert {*re.findall(r"^\.\. verb:: (\S+)$", text, re.MULTILINE)} <= NAMES


def test_the_table_of_exit_statuses_agrees_with_the_help_of_each_verb() -> None:
    rows = re.split(r"\n   \* - ", source("reference/exit-statuses"))[2:]
    listed = {}
    for row in rows:
        verb, *cells = [
            " ".join(cell.split()) for cell in re.split(r"\n     -(?: |$)", row.partition("\n\n")[0], flags=re.M)
        ]
        statuses = {number for number, cell in zip("01", cells) if cell and not cell.startswith("that of the command")}
        listed[verb.strip("`")] = statuses | {*re.findall(r"\*\*(\d+)\*\*", cells[2])} | {"0", "2"} - {""}
    assert listed.keys() == NAMES
    for name, statuses in listed.items():
        (helped,) = re.findall(r"Exit\s+status: (.*)", VERBS.choices[name].epilog or "", re.DOTALL)
        # The first words of a sentence about one status, as in "1 if not", not numbers such as "Python 3".
        expected = {*re.findall(r"(?:^|, | |; )(\d+) (?=if|for|after)", " ".join(helped.split()))}
        common = {"0", "1", "2", "130"}
        assert statuses | common == expected | common, name
        assert expected - {"130"} <= statuses | {"1"}, name


# Assignments, and the programs that may precede certhook.
_PREFIX = r"\s*(?:\w+=\S* +)*(?:sudo (?:-\S+ )*|uv run |uvx |poetry run |pipx run |exec )*"
_CERTHOOK = re.compile(_PREFIX + r"(?:\S*python[\d.]* (?:-I )?-m |\S*/)?certhook(?:\.exe)? ((?:[^#\"]|\"[^\"]*\")*)")


def _certhook_commands() -> list[tuple[str, list[str]]]:
    """Return the pages and the arguments of the commands that start with certhook, in blocks and in the text."""
    found = []
    for page in PAGES:
        lines = [command.command for block in pages.blocks(page, "console") for command in pages.commands(block)]
        lines += re.findall(r"``((?:python (?:-I )?-m )?certhook [^`]+)``", source(page).replace("\n", " "))
        for line in lines:
            for part in re.split(r"\$\(|\)|\||&&|;|\n", line.replace("\\\n", " ")):
                match = _CERTHOOK.match(part)
                if match:
                    found.append((page, match[1].replace('"', "").split()))
    return found


COMMANDS = _certhook_commands()


def test_every_command_of_the_manual_has_a_verb_and_options_that_exist() -> None:
    wrong = []
    assert len(COMMANDS) > 30
    for page, arguments in COMMANDS:
        verb = next((argument for argument in arguments if not argument.startswith("-")), "status")
        # "certhook HOST", and names that stand for any verb.
        if verb in ("VERB", "HOST") or (verb not in NAMES and _arguments.is_host(verb)):
            verb = "check" if verb != "VERB" else "status"
        elif verb not in NAMES:
            wrong.append((page, arguments))
            continue
        options = {flag for one in (*_by_name(verb).options, *_main().options) for flag in one.flags}
        given = [argument.partition("=")[0] for argument in arguments if re.match("--?[a-z]", argument)]
        if verb == "run":  # The rest is another command.
            given = [option for option in given if option in ("--env",)]
        wrong += [(page, arguments, option) for option in given if option not in options]
    assert wrong == []


def _by_name(name: str) -> _completion_scripts.Verb:
    return next(verb for verb in LISTED if verb.name == name)


def _main() -> _completion_scripts.Verb:
    return _completion_scripts.read(PARSER, VERBS)[0]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_mentions_only_variables_that_exist(page) -> None:
    # These are described as typing errors, or belong to the tests.
    others = {"CERTHOOK_EXTRA_CA_CERT", "CERTHOOK_"}
    named = {
        name for name in re.findall(r"\bCERTHOOK_[A-Z0-9_]*", source(page)) if not name.startswith("CERTHOOK_TEST")
    }
    assert named - {*VARIABLES} - others == set()


def test_every_page_is_in_a_table_of_contents() -> None:
    listed = set()
    for page in PAGES:
        for tree in re.findall(r"\.\. toctree::\n((?:   .*\n|\n)+)", source(page)):
            entries = [line.strip() for line in tree.splitlines() if line.strip() and not line.strip().startswith(":")]
            listed.update((Path(page).parent / entry).as_posix() for entry in entries)
    assert listed == {page for page in PAGES if page != "index"}


@pytest.mark.parametrize("name", sorted(diagrams.DIAGRAMS))
def test_a_diagram_is_current_and_names_only_variables_that_exist(name) -> None:
    text = (diagrams.DIRECTORY / name).read_text(encoding="utf-8")
    assert text == diagrams.DIAGRAMS[name](), "run 'python tools/diagrams.py'"
    assert {*re.findall(r">([A-Z_0-9]{9,})<", text)} <= {*VARIABLES}


def test_every_tested_interpreter_is_in_the_table() -> None:
    page = source("reference/interpreters")
    rows = {tuple(re.split("  +", line)[:2]) for line in page.splitlines() if "  store and bundle  " in line}
    modules = [path.read_text(encoding="utf-8") for path in (support.ROOT / "tests" / "embedded").rglob("test_*.py")]
    marked = {pair for text in modules for pair in re.findall(r'mark\.row\("([^"]+)", "([^"]+)"\)', text)}
    assert len(marked) >= 15 and marked <= rows


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_no_table_of_contents_of_its_own(page) -> None:
    """The theme shows the sections beside the page, and an error instead of a second list."""
    assert ".. contents::" not in source(page)
