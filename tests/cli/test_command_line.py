"""The command line as a whole: help, errors, JSON, and output in any encoding."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
import support

from certhook.cli import _terminal, env

posix = pytest.mark.skipif(sys.platform == "win32", reason="paths are text on Windows, and there is no sh")

VERBS = ("status", "check", "trust", "run", "enable", "disable", "list", "diff", "export", "env", "compile", "freezer",
         "freeze-bundle")  # fmt: skip


# Help.


def test_help_lists_the_verbs_and_options(certhook) -> None:
    done = certhook("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: python -m certhook ")
    for word in (*VERBS, "--json", "--version"):
        assert word in done.stdout


@pytest.mark.parametrize("verb", [(), *((verb,) for verb in VERBS)])
def test_help_describes_a_verb_and_its_exit_status_in_80_columns(verb, certhook) -> None:
    shown = certhook(*verb, "--help").stdout
    _, description, *_ = shown.split("\n\n")
    assert description.endswith((".", ":"))
    assert "Exit status: " in " ".join(shown.split())
    assert max(map(len, shown.splitlines())) < 80


def test_the_version_is_printed(certhook) -> None:
    import certhook as package

    done = certhook("--version")
    assert (done.returncode, done.stdout) == (0, f"certhook {package.__version__}\n")


def test_the_command_and_the_module_are_equivalent(installed) -> None:
    command = installed.parent / ("certhook.exe" if os.name == "nt" else "certhook")
    for start, name in (([str(command)], "certhook"), ([str(installed), "-m", "certhook"], "python -m certhook")):
        for arguments, status in ((["--help"], 0), (["check"], 2)):
            done = support.run_command(*start, *arguments)
            assert done.returncode == status
            assert (done.stdout or done.stderr).startswith(f"usage: {name} ")


@pytest.mark.parametrize(
    ("module", "expected"),
    [("certhook.cli.diff", "certhook: stopped\n"), ("certhook.cli._terminal", ""), ("json", "")],
)
def test_an_interrupt_during_start_up_causes_no_traceback(module: str, expected: str) -> None:
    code = (
        "import runpy, sys\n"
        f"class Stop:\n def find_spec(name, path, target=None):\n  if name == {module!r}: raise KeyboardInterrupt\n"
        "sys.modules.pop('json', None); sys.meta_path.insert(0, Stop)\n"
        "runpy.run_module('certhook', run_name='__main__')"
    )
    done = support.run(sys.executable, code, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", expected)


# Invalid arguments.


@pytest.mark.parametrize(
    "arguments",
    [
        ("enable", "", "--yes"),
        ("disable", "", "--yes"),
        ("env", ""),
        ("export", ""),
        ("freeze-bundle", ""),
        ("compile", "--directory", ""),
        ("diff", "", ""),
        ("trust", ""),
    ],
)
def test_an_empty_argument_is_refused(arguments, certhook, tmp_path) -> None:
    before = sorted(tmp_path.iterdir())
    done = certhook(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(": must not be empty\n")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("arguments", [("stats",), ("--yaml",), ("status", "now")])
def test_an_unknown_argument_is_refused(arguments, certhook) -> None:
    done = certhook(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert arguments[-1] in done.stderr


# JSON.


@pytest.mark.parametrize(
    "arguments, keys",
    [
        ("compile --directory {}/store", {"removed", "roots", "store"}),
        ("env bundle.pem", set(env.VARIABLES)),
        ("env --unset", set(env.VARIABLES)),
        ("export {}/roots.pem", {"path", "roots"}),
        ("freeze-bundle {}/module.py", {"path", "roots"}),
        ("freezer nuitka", {"path"}),
    ],
)
def test_the_result_of_a_verb_is_available_as_json(certhook, tmp_path, arguments, keys) -> None:
    done = certhook("--json", *arguments.format(tmp_path).split())
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert set(found) == keys
    for name in {"path", "store"} & keys:
        assert os.path.exists(found[name])
    assert found.get("roots") in (None, 2, 4)


@pytest.mark.parametrize(
    "arguments",
    [
        "check unknown.invalid:0",
        "compile --directory missing.pem",
        "diff missing.pem missing.pem",
        "enable missing",
        "env missing.pem",
        "export missing/roots.pem",
        "freeze-bundle missing/module.py",
        "trust missing.pem",
        "trust --undo missing.pem",
    ],
)
def test_a_failure_has_the_same_message_and_exit_status_with_json(certhook, tmp_path, arguments) -> None:
    (tmp_path / "missing.pem").symlink_to(tmp_path / "nowhere")
    text, as_json = certhook(*arguments.split()), certhook("--json", *arguments.split())
    assert (as_json.returncode, as_json.stderr) == (text.returncode, text.stderr)
    assert as_json.returncode and as_json.stderr.startswith("certhook: ")
    assert not as_json.stdout or json.loads(as_json.stdout)["message"] in as_json.stderr


@pytest.mark.parametrize("verb", ["export", "freeze-bundle"])
def test_standard_output_cannot_receive_both_the_file_and_json(certhook, verb) -> None:
    done = certhook(verb, "-", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "name a file" in done.stderr


@pytest.mark.parametrize("arguments", [("--json",), ("status", "--json"), ("--json", "status")])
def test_the_option_json_may_precede_or_follow_the_verb(arguments, certhook) -> None:
    assert json.loads(certhook(*arguments).stdout)["active"]


# Output.


@posix
@pytest.mark.parametrize("arguments", [(), ("--json",)])
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", "utf-8:strict", "cp1252", "utf-16"])
def test_a_path_of_any_bytes_is_printed_in_any_encoding(encoding: str, arguments, certhook, tmp_path: Path) -> None:
    path = os.path.join(str(tmp_path), os.fsdecode("认证 ".encode() + b"\xff.pem"))
    codec = encoding.partition(":")[0]
    done = certhook(*arguments, encoding=codec, PYTHONIOENCODING=encoding, CERTHOOK_EXTRA_CA_CERTS=path)
    assert "Traceback" not in done.stderr
    assert done.returncode == 1
    assert support.shows(done.stdout, tmp_path, "No such file or directory")


@posix
def test_control_characters_in_paths_are_escaped(certhook, tmp_path, cas) -> None:
    path = tmp_path / "\033[2J.pem"
    path.write_bytes(cas.pem("extra"))
    listed = certhook("list", "--details", "--only", "extra", CERTHOOK_EXTRA_CA_CERTS=str(path))
    assert "\033" not in listed.stdout and support.shows(listed.stdout, r"\x1b[2J.pem")
    failed = certhook("diff", path, "missing\033[2J.pem")
    assert "\033" not in failed.stderr and r"missing\x1b[2J.pem" in failed.stderr


@posix
@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["env"], ["export", "-"], ["freeze-bundle", "-"], ["list"], ["status"]],
    ids=" ".join,
)
@pytest.mark.parametrize("output", ["a closed pipe", "no standard output", "a full disk"])
def test_unusable_standard_output_causes_no_traceback(arguments, output, certhook) -> None:
    if output == "a full disk" and not os.path.exists("/dev/full"):
        pytest.skip("/dev/full does not exist")
    changed = {"SSL_CERT_FILE": None, "SSL_CERT_DIR": None, "CERTHOOK_SOURCES": "bundled"}
    if output == "no standard output":
        done = certhook(*arguments, prefix=("sh", "-c", 'exec "$@" >&-', "sh"), **changed)
    else:
        if output == "a closed pipe":
            reader, writer = os.pipe()
            os.close(reader)
        else:
            writer = os.open("/dev/full", os.O_WRONLY)
        done = certhook(*arguments, stdout=writer, **changed)
        os.close(writer)
    if output == "no standard output" and arguments[0] in ("--help", "--version"):
        assert "Traceback" not in done.stderr  # argparse prints to standard error instead.
    elif output == "a full disk":
        message = "certhook: standard output cannot be written: No space left on device\n"
        assert (done.returncode, done.stderr) == (1, message)
    else:
        assert (done.returncode, done.stderr) == (0, "")


def test_only_a_terminal_gets_colours(certhook, on_terminal) -> None:
    assert "\033" not in certhook(TERM="xterm").stdout
    assert "\033" in on_terminal()
    assert "\033" not in on_terminal(TERM="dumb")
    assert "\033" not in on_terminal(NO_COLOR="1")


def test_lines_of_wide_characters_fit_80_columns() -> None:
    text = "認証局" * 50 + " a " + "認証 " * 40 + "Re\u0301seau"
    lines = _terminal.wrapped(text, "  ", "    ")
    assert max(map(_terminal.columns, lines)) <= 80
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert len(lines) < 8


def test_text_of_wide_characters_is_shortened_by_columns() -> None:
    assert _terminal.cut("認証" * 20, 43) == f"{'認証' * 10}..."
    assert _terminal.cut("a" * 43, 43) == "a" * 43
