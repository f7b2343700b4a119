"""The Python examples of the reference and the explanations, and the names that the reference describes."""

from __future__ import annotations

import re

import pages
import pytest
import support

import certhook

PAGES = sorted(
    page.relative_to(pages.DOCS).with_suffix("").as_posix()
    for directory in ("reference", "explanation")
    for page in (pages.DOCS / directory).glob("*.rst")
)
#: The script that verifies an installation has a test of its own.
EXAMPLES = [block for page in PAGES for block in pages.blocks(page, "python") if "import base64" not in block.text]


def test_the_reference_describes_every_public_name() -> None:
    text = (pages.DOCS / "reference" / "api.rst").read_text(encoding="utf-8")
    described = {*re.findall(r"^\.\. (?:auto\w+|py:data):: (\w+)", text, re.MULTILINE)}
    assert described == {*certhook.__all__, "start", "enabled_by"}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda block: f"{block.page}, line {block.line}")
def test_an_example_runs_without_warnings(example, installed) -> None:
    done = support.run_command(installed, "-W", "error", "-c", example.text, env=support.clean_env())
    assert (done.returncode, done.stderr) == (0, "")


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 5
