"""The report of ``python -m certhook status``."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import support


@pytest.mark.parametrize("arguments", [(), ("status",)])
def test_the_report_shows_activation_sources_locations_and_variables(arguments, certhook, status, variables) -> None:
    done = certhook(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert support.shows(done.stdout, f"Active in this interpreter, enabled by {status()['enabled_by']}")
    assert "Trusted root certificates: 4 (bundled 2, extra 1, system 2)\n" in done.stdout
    assert "Sources: system, bundled (mode: chain)\n" in done.stdout
    for line in ("2 listed by bundled", "2 listed by system", "1 listed by extra", "1 listed by bundled only"):
        assert f"     {line}\n" in done.stdout
    assert support.shows(done.stdout, f"2 bundled: {variables['CERTHOOK_BUNDLE']}")
    assert support.shows(done.stdout, f"1 extra: {variables['CERTHOOK_EXTRA_CA_CERTS']}")
    assert support.shows(done.stdout, f"CERTHOOK_BUNDLE={variables['CERTHOOK_BUNDLE']} replaces certifi's bundle")
    assert "\nNo problems.\n\n" in done.stdout


def test_the_option_roots_lists_every_root_in_full(certhook, status) -> None:
    shown = certhook("--roots").stdout
    assert all(f"  {root['subject']}\n       SHA-256 {root['sha256']}\n" in shown for root in status()["roots"])
    assert "SHA-256" not in certhook().stdout


def test_the_first_lines_show_activation_roots_by_source_private_roots_and_problems(certhook, variables) -> None:
    lines = certhook(CERTHOOK_EXTRA_CA_CERT="/pki/ca.pem", COLUMNS="200").stdout.splitlines()[:9]
    assert lines[0].startswith("Active in this interpreter, enabled by ")
    assert lines[3:5] == [
        "Trusted root certificates: 4 (bundled 2, extra 1, system 2)",
        "Private root certificates (not part of Mozilla's list): 4",
    ]
    assert lines[5].endswith(", and 1 more (see 'certhook list --private')")
    assert lines[6:] == [
        "Problems: 1",
        "  - CERTHOOK_EXTRA_CA_CERT has no effect: certhook has no such variable; "
        "did you mean CERTHOOK_EXTRA_CA_CERTS?",
        "",
    ]


@pytest.mark.parametrize("name", ["CERTHOOK_EXTRA_CA_CERT", "CERTHOOK_X", "CERTHOK_MODE", "CERT_HOOK_MODE"])
def test_a_misspelled_variable_is_a_problem(name, certhook, status) -> None:
    assert certhook().returncode == 0
    assert certhook(**{name: "1"}).returncode == 1
    (problem,) = status(**{name: "1"})["problems"]
    assert problem.startswith(f"{name} has no effect: ")


def test_the_report_begins_with_the_problems_and_refers_to_them_at_the_end(certhook, tmp_path: Path) -> None:
    done = certhook(CERTHOOK_EXTRA_CA_CERTS=str(tmp_path / "missing.pem"))
    assert done.returncode == 1
    assert done.stdout.endswith("\nThe problems are listed at the beginning.\n")
    _, _, problems = done.stdout.partition("Problems: 1\n  - ")
    expected = f"CERTHOOK_EXTRA_CA_CERTS: {tmp_path / 'missing.pem'} cannot"
    assert support.squeezed(problems).startswith(support.squeezed(expected))


def test_the_report_explains_why_certhook_is_inactive(certhook, installed: Path) -> None:
    assert "Not active in this interpreter: CERTHOOK_DISABLED is set\n" in certhook(CERTHOOK_DISABLED="1").stdout
    shown = certhook(flags=("-S",), PYTHONPATH=str(support.purelib(installed))).stdout
    assert "Not active in this interpreter: nothing has enabled certhook" in shown
    assert support.shows(shown, "pip install certhook", "python -m certhook enable")
    assert "\n  More: https://certhook.readthedocs.io/en/stable/troubleshooting.html#certhook-inactive\n" in shown


# Layout and colours.


@pytest.mark.parametrize(("arguments", "width"), [((), 80), ((), 120), (("--roots",), 80), (("--roots",), 200)])
def test_the_report_fits_the_terminal_except_for_paths(arguments, width, certhook, metadata, tmp_path) -> None:
    path = metadata(grpcio="1.7", psycopg="3.2", niquests="3.0", pycurl="7.45", pyOpenSSL="25.0", certifi_linux="1.0")
    deep = tmp_path / ("a long name of a directory/" * 5) / "missing.pem"
    done = certhook(*arguments, CERTHOOK_EXTRA_CA_CERTS=str(deep), PYTHONPATH=path, COLUMNS=str(width))
    lines = done.stdout.splitlines()
    assert sum(str(deep) in line for line in lines) == 3  # in the problem, the location and the variable
    assert all(len(line) < width or " " not in line.replace(str(deep), "").strip() for line in lines)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "\033[32mActive\033[0m in this"),
        ({}, "\033[32mNo problems.\033[0m"),
        ({"CERTHOOK_MODE": "both"}, "\033[31mProblems:\033[0m 1"),
        ({"CERTHOOK_DISABLED": "1"}, "\033[31mNot active\033[0m in this"),
    ],
)
def test_colours_mark_the_important_words_and_change_no_text(changed, expected, certhook, on_terminal) -> None:
    shown = on_terminal(**changed)
    assert expected in shown
    for code in ("\033[31m", "\033[32m", "\033[1m", "\033[0m"):
        shown = shown.replace(code, "")
    # A store is built again if a file has just been written, and has a timestamp of a whole second.
    texts = [re.sub(r"\d+-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", text) for text in (shown, certhook(**changed).stdout)]
    assert texts[0] == texts[1]
