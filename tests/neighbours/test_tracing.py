"""The hook works under coverage, debuggers and tracers, and their output is the same as without certhook."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from runner import BOTH, BUNDLED, SYSTEM, expected_lines

#: The traced program, which prints its verdicts and whether certhook is active.
PROGRAM = """\
import probe


def main():
    probe.print_verdicts("default", "requests")
    import ssl

    print("hooked", hasattr(ssl.create_default_context, "__certhook__"))
    if ssl.OPENSSL_VERSION_INFO < (0,):
        print("never")


main()
"""
#: The start of each line that the program prints, and its output with and without certhook.
PROGRAM_LINES = ("default ", "requests ", "hooked ")
HOOKED_OUTPUT = [*expected_lines("default requests", BOTH), "hooked True"]
STOCK_OUTPUT = [*expected_lines("default", SYSTEM), *expected_lines("requests", BUNDLED), "hooked False"]

#: A trace function that prints the events of the program; *how* installs it before any import.
TOOL = """
import runpy, sys, threading
calls = []
def tool(frame, event, argument):
    if frame.f_code.co_filename == sys.argv[1]:
        calls.append((event, frame.f_code.co_name, frame.f_lineno))
    return tool
{how}
try:
    runpy.run_path(sys.argv[1], run_name="__main__")
finally:
    sys.settrace(None), sys.setprofile(None)
print(*calls, sep="\\n")
"""
MONITORING = """
import runpy, sys
lines = []
def line(code, number):
    if code.co_filename == sys.argv[1]:
        lines.append(number)
sys.monitoring.use_tool_id(sys.monitoring.DEBUGGER_ID, "tests")
sys.monitoring.register_callback(sys.monitoring.DEBUGGER_ID, sys.monitoring.events.LINE, line)
sys.monitoring.set_events(sys.monitoring.DEBUGGER_ID, sys.monitoring.events.LINE)
runpy.run_path(sys.argv[1], run_name="__main__")
sys.monitoring.set_events(sys.monitoring.DEBUGGER_ID, 0)
print(*lines, sep="\\n")
"""

#: Arguments of the interpreter before the program's path, and a part of the tool's output.
TOOLS = {
    "trace": (("-m", "trace", "--trace", "--ignore-dir", "{libraries}"), "program.py(5): "),
    "pdb": (("-m", "pdb", "-c", "continue"), "The program finished and will be restarted"),
    "pdb, a breakpoint": (("-m", "pdb", "-c", "break 6", "-c", "continue", "-c", "where", "-c", "continue"), "> "),
    "settrace": (("-c", TOOL.format(how="sys.settrace(tool)")), "('line', 'main', 5)"),
    "setprofile": (("-c", TOOL.format(how="sys.setprofile(tool)")), "('call', 'main', 4)"),
    "settrace and setprofile, also in threads": (
        ("-c", TOOL.format(how="sys.settrace(tool); threading.settrace(tool); sys.setprofile(tool)")),
        "('line', 'main', 5)",
    ),
    "monitoring": (("-c", MONITORING), "5"),
}


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("program") / "program.py"
    path.write_text(PROGRAM)
    return path


def compare(run, *arguments: str | Path, **kwargs: object) -> str:
    """Run a tool with and without certhook, check the output of the program, and return the output of the tool."""
    result, stock = run(*arguments, **kwargs), run(*arguments, hooked=False, **kwargs)
    for each, expected in (result, HOOKED_OUTPUT), (stock, STOCK_OUTPUT):
        assert [line for line in each.lines if line.startswith(PROGRAM_LINES)] == expected, each
        each.lines = [line for line in each.lines if not line.startswith(PROGRAM_LINES)]
    assert result == stock
    return "\n".join(result.lines)


@pytest.mark.parametrize("tool", TOOLS)
def test_a_tracing_tool_has_the_same_output_as_without_certhook(run, neighbours, program, tool) -> None:
    if tool == "monitoring" and sys.version_info < (3, 12):
        pytest.skip("sys.monitoring needs Python 3.12")
    arguments, tool_output = TOOLS[tool]
    libraries = ":".join({str(neighbours.parent.parent), sys.base_prefix})
    arguments = [argument.replace("{libraries}", libraries) for argument in arguments]
    assert tool_output in compare(run, *arguments, program)


@pytest.mark.parametrize("options", [(), ("--timid",), ("--branch",)], ids=" ".join)
def test_coverage_measures_the_same_lines_as_without_certhook(run, program, tmp_path, options) -> None:
    settings = {"COVERAGE_FILE": str(tmp_path / "data"), "cwd": tmp_path}
    compare(run, "-m", "coverage", "run", *options, program, **settings)
    report = run("-m", "coverage", "report", "--show-missing", **settings).output
    run("-m", "coverage", "run", *options, program, hooked=False, **settings)
    assert report == run("-m", "coverage", "report", "--show-missing", **settings).output
    (row,) = [line.split() for line in report if line.startswith(str(program))]
    assert (row[1], row[2], row[-1]) == ("8", "1", "10")  # Eight statements; the one in line 10 did not run.


def test_coverage_started_by_its_pth_measures_the_program(run, program, tmp_path) -> None:
    # coverage's .pth file starts it, and is processed before certhook's, in alphabetical order.
    config = tmp_path / "coverage.ini"
    config.write_text(f"[run]\ndata_file = {tmp_path / 'data'}\n")
    compare(run, program, COVERAGE_PROCESS_START=str(config), cwd=tmp_path)
    assert (tmp_path / "data").exists()
    report = run("-m", "coverage", "report", "--data-file", str(tmp_path / "data"), cwd=tmp_path).output
    assert report[2].startswith(str(program))


#: Tests that pytest runs, with rewritten assertions; one of them fails.
TESTS = """
import probe, ssl, pytest
def test_connects(capsys):
    probe.print_verdicts("default")
    assert "stranger:no" in capsys.readouterr().out
def test_fails():
    assert ssl.create_default_context.__name__ == "another"
@pytest.mark.parametrize("name", ["load_default_certs", "load_verify_locations"])
def test_a_patched_method(monkeypatch, name):
    monkeypatch.setattr(ssl.SSLContext, name, lambda *args, **kwargs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        getattr(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), name)()
"""


def test_pytest_has_the_same_output_as_without_certhook(run, tmp_path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    options = ("-p", "no:cacheprovider", "-W", "error", str(tmp_path / "test_it.py"))
    result, stock = (run("-m", "pytest", *options, hooked=hooked, cwd=tmp_path) for hooked in (True, False))
    for each in result, stock:
        # Without the duration, which also changes the width of the last line.
        each.lines = [re.sub(r"^=* (.*) in [0-9.]+s =*$", r"\1", line) for line in each.lines]
    assert result == stock
    assert "E       AssertionError: assert 'create_default_context' == 'another'" in result.lines
    assert result.lines[-1] == "1 failed, 3 passed"
