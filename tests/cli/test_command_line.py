"""The command line as a whole: help, errors, JSON, and output in any encoding."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
import support

from certhook.cli import _arguments, _terminal, env, main

posix = pytest.mark.skipif(sys.platform == "win32", reason="paths are text on Windows, and there is no sh")

VERBS = (
    "status",
    "check",
    "inspect",
    "trust",
    "list",
    "demo",
    "run",
    "enable",
    "disable",
    "export",
    "env",
    "diff",
    "compile",
    "audit",
    "freezer",
)
#: Verbs that the list in the help omits.
UNLISTED = ("completion", "freeze-bundle")


@posix
def test_a_deleted_working_directory_is_named_as_the_cause(tmp_path, monkeypatch, capsys) -> None:
    (tmp_path / "deleted").mkdir()
    monkeypatch.chdir(tmp_path / "deleted")
    (tmp_path / "deleted").rmdir()
    assert main(["export", "roots.pem"]) == 1
    expected = "certhook: the working directory was deleted; change to another directory\n"
    assert capsys.readouterr().err == expected


# Help.


def test_help_lists_the_verbs_and_options(certhook) -> None:
    done = certhook("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: python -m certhook ")
    for word in (*VERBS, "--json", "--version"):
        assert word in done.stdout


def test_help_groups_the_verbs_by_their_users(certhook) -> None:
    shown = certhook("--help").stdout
    starts = [line.split("  ")[1].strip() if line.startswith("  ") else line for line in shown.splitlines()]
    listed = [start for start in starts if start in VERBS or start.startswith("For ")]
    assert listed == [
        *("For everyone:", "status", "check", "inspect", "trust", "list", "demo"),
        *("For administrators:", "run", "enable", "disable", "export", "env", "diff", "compile", "audit"),
        *("For authors of applications:", "freezer"),
    ]
    assert "freeze-bundle" not in shown


@pytest.mark.parametrize("columns", ["80", "120", "200"])
def test_help_is_as_wide_as_the_terminal(columns, certhook) -> None:
    assert int(columns) - 15 < max(map(len, certhook("--help", COLUMNS=columns).stdout.splitlines())) < int(columns)


@pytest.mark.parametrize("verb", [(), *((verb,) for verb in (*VERBS, *UNLISTED))])
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


def test_a_module_that_cannot_be_imported_causes_no_traceback(monkeypatch, capsys) -> None:
    def run(options: object) -> int:
        import certhook.missing  # noqa: F401

    monkeypatch.setattr(env, "run", run)
    assert main(["env"]) == 1
    message = "a module cannot be imported: No module named 'certhook.missing'; try again, or reinstall certhook"
    assert support.shows(capsys.readouterr().err, message)


@pytest.mark.parametrize(
    "arguments",
    [
        ("enable", "", "--yes"),
        ("disable", "", "--yes"),
        ("env", ""),
        ("export", ""),
        ("freeze-bundle", ""),
        ("freezer", "bundle", ""),
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


@pytest.mark.parametrize(
    ("arguments", "suggestion"),
    [
        ("stats", "unknown verb: stats; did you mean status?"),
        ("chek example.org", "unknown verb: chek; did you mean check?"),
        ("--json LIST", "unknown verb: LIST; did you mean list?"),
        ("status.", "unknown verb: status.; did you mean status?"),
        ("check:", "unknown verb: check:; did you mean check?"),
        ("intranet", "to check a server, use 'python -m certhook check intranet'"),
        ("none.pem", "unknown verb: none.pem, and there is no such file"),
        ("bundle.pem", "is a file; did you mean 'python -m certhook inspect bundle.pem'?"),
        ("--jsno now", "unrecognized arguments: --jsno; did you mean --json?"),
        ("list --privat-roots", "list: error: unrecognized arguments: --privat-roots; did you mean --private?"),
        ("check localhost --timeuot=3", "check: error: unrecognized arguments: --timeuot=3; did you mean --timeout?"),
        ("status --zzz now", "status: error: unrecognized arguments: --zzz now\n"),
    ],
)
def test_similar_verbs_and_options_are_suggested(arguments, suggestion, certhook) -> None:
    done = certhook(*arguments.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert suggestion in done.stderr


# A host instead of a verb.


@pytest.mark.parametrize(
    "word",
    ["example.org", "example.org.", "a.example:8443", "intranet:443", "localhost", "LOCALHOST:1", "::1", "[::1]:443",
     "fe80::1%eth0", "127.0.0.1", "https://intranet/path", "smtp://mail", "bücher.example", "check.example"],
)  # fmt: skip
def test_a_host_is_recognised(word) -> None:
    assert _arguments.is_host(word)


@pytest.mark.parametrize(
    "word",
    [*VERBS, *UNLISTED, "chek", "status.", "list,", "check:", "intranet", "", ".", "1", "a b.c", "./ca.pem", "ca.crt"],
)
def test_a_verb_or_a_misspelled_one_is_no_host(word) -> None:
    assert not _arguments.is_host(word)


@pytest.mark.parametrize("arguments", ["{} --timeout 5", "--json {}", "{} --json"])
def test_a_host_without_a_verb_is_checked(arguments, certhook, tmp_path) -> None:
    host = "unknown.invalid:1"
    words = arguments.format(host).split()
    done, expected = certhook(*words), certhook("check", *words)
    assert (done.returncode, done.stdout, done.stderr) == (expected.returncode, expected.stdout, expected.stderr)
    assert "usage" not in done.stderr
    (tmp_path / host).touch()
    assert "is a file" in certhook(*words).stderr


# JSON.


@pytest.mark.parametrize(
    "arguments, keys",
    [
        ("compile --directory {}/store", {"pruned", "root_count", "store"}),
        ("env bundle.pem", set(env.VARIABLES)),
        ("env --unset", set(env.VARIABLES)),
        ("export {}/roots.pem", {"path", "root_count"}),
        ("freeze-bundle {}/module.py", {"path", "root_count"}),
        ("freezer nuitka", {"path"}),
        ("freezer bundle {}/module.py", {"path", "root_count"}),
    ],
)
def test_the_result_of_a_verb_is_available_as_json(certhook, tmp_path, arguments, keys) -> None:
    done = certhook("--json", *arguments.format(tmp_path).split())
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert set(found) == keys
    for name in {"path", "store"} & keys:
        assert os.path.exists(found[name])
    assert found.get("root_count") in (None, 2, 4)


@pytest.mark.parametrize(
    "arguments",
    [
        "check unknown.invalid:0",
        "compile --directory missing.pem",
        "diff missing.pem missing.pem",
        "enable missing",
        "env missing.pem",
        "export missing/roots.pem",
        "freezer bundle missing/module.py",
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


@pytest.mark.parametrize("verb", [["export"], ["freezer", "bundle"], ["freeze-bundle"]], ids=" ".join)
def test_standard_output_cannot_receive_both_the_file_and_json(certhook, verb) -> None:
    done = certhook(*verb, "-", "--json")
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
    [
        ["--help"],
        ["--version"],
        ["env"],
        ["export", "-"],
        ["freezer", "bundle", "-"],
        ["completion", "fish"],
        ["list"],
        ["status"],
    ],
    ids=" ".join,
)  # fmt: skip
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


@pytest.mark.parametrize(
    ("columns", "expected"), [("", 80), ("120", 120), ("200", 200), ("0", 80), ("-5", 80), ("wide", 80), ("3", 40)]
)
def test_the_variable_columns_sets_the_width_of_the_output(columns, expected, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert _terminal.width() == expected
    lines = _terminal.wrapped("word " * 100, "  ", "    ")
    assert expected - 6 < max(map(len, lines)) < expected


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")
def test_the_output_is_as_wide_as_its_terminal(monkeypatch) -> None:
    import fcntl
    import struct
    import termios

    monkeypatch.delenv("COLUMNS", raising=False)
    terminal, output = os.openpty()
    with open(terminal, "rb"), open(output, "w") as stream:
        assert _terminal.width(stream) == 80
        fcntl.ioctl(output, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 132, 0, 0))
        assert _terminal.width(stream) == 132


@pytest.mark.parametrize(
    "whole",
    [
        "/a/path/" + "deep/" * 30 + "ca.pem",
        "/证书/" + "深" * 60,
        "0123456789abcdef" * 8,
        "'python -m certhook export --format pkcs12 --purpose client trust.p12'",
        "('certhook export FILE; certhook env FILE').",
    ],
)
@pytest.mark.parametrize("count", range(30, 60, 7))
def test_commands_paths_and_fingerprints_are_never_split(whole, count) -> None:
    text = f"{'x' * count} the bundle's file and the users' ones {whole} and other words"
    lines = _terminal.wrapped(text, "  ", "    ")
    assert sum(whole in line for line in lines) == 1
    assert " ".join(map(str.strip, lines)) == text
    assert all(_terminal.columns(line) < 80 or line.strip() == whole for line in lines)


def test_an_apostrophe_does_not_start_a_command() -> None:
    text = "the system's " + "word " * 30 + "of the users' files"
    assert max(map(len, _terminal.wrapped(text))) < 80


def test_a_path_with_spaces_that_is_known_is_not_split() -> None:
    path = "/Library/Application Support/Company Root Certificates/company ca.pem"
    lines = _terminal.wrapped(f"The certificate file {path} cannot be read", whole=[path])
    assert path in lines[1]


def test_lines_of_wide_characters_fit_80_columns() -> None:
    text = "認証局" * 50 + " a " + "認証 " * 40 + "Re\u0301seau"
    lines = _terminal.wrapped(text, "  ", "    ")
    assert max(map(_terminal.columns, lines)) <= 80
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert len(lines) < 8


def test_text_of_wide_characters_is_shortened_by_columns() -> None:
    assert _terminal.cut("認証" * 20, 43) == f"{'認証' * 10}..."
    assert _terminal.cut("a" * 43, 43) == "a" * 43
