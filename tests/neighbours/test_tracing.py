"""Coverage, debuggers and tracers: the hook works under them, and they say what they say without certhook."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

#: What is traced: a program that asks, and says whom it trusts and whether certhook acts.
PROGRAM = """\
import ask


def main():
    ask.say("default", "requests")
    import ssl

    print("hooked", hasattr(ssl.create_default_context, "__certhook__"))
    if ssl.OPENSSL_VERSION_INFO < (0,):
        print("never")


main()
"""
#: What the program prints itself, in between.
SAID = ("default ", "requests ", "hooked ")
TRUSTED = ("default system:yes bundled:yes stranger:no", "requests system:yes bundled:yes stranger:no", "hooked True")
STOCK = ("default system:yes bundled:no stranger:no", "requests system:no bundled:yes stranger:no", "hooked False")

#: A tool that is told of each call and shows those of the program, by *how*, before anything is imported.
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

#: Arguments of the interpreter, without the program's path, and a line of what the tool has to say.
TOOLS = {
    "trace": (("-m", "trace", "--trace", "--ignore-dir", "{libraries}"), "program.py(5): "),
    "pdb": (("-m", "pdb", "-c", "continue"), "The program finished and will be restarted"),
    "pdb, a breakpoint": (("-m", "pdb", "-c", "break 6", "-c", "continue", "-c", "where", "-c", "continue"), "> "),
    "settrace": (("-c", TOOL.format(how="sys.settrace(tool)")), "('line', 'main', 5)"),
    "setprofile": (("-c", TOOL.format(how="sys.setprofile(tool)")), "('call', 'main', 4)"),
    "both, in threads too": (
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


def both_ways(run, *arguments: str | Path, **kwargs: object) -> str:
    """What a tool said besides what the program did, which is checked, with certhook and without the same."""
    found, stock = run(*arguments, **kwargs), run(*arguments, hooked=False, **kwargs)
    for answer, trusted in (found, TRUSTED), (stock, STOCK):
        assert tuple(line for line in answer.lines if line.startswith(SAID)) == trusted, answer
        answer.lines = [line for line in answer.lines if not line.startswith(SAID)]
    assert found == stock
    return "\n".join(found.lines)


@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_that_traces_says_what_it_says_without_certhook(run, neighbours, program, tool) -> None:
    if tool == "monitoring" and sys.version_info < (3, 12):
        pytest.skip("sys.monitoring needs Python 3.12")
    arguments, says = TOOLS[tool]
    libraries = ":".join({str(neighbours.parent.parent), sys.base_prefix})
    arguments = [argument.replace("{libraries}", libraries) for argument in arguments]
    assert says in both_ways(run, *arguments, program)


@pytest.mark.parametrize("options", [(), ("--timid",), ("--branch",)], ids=" ".join)
def test_coverage_measures_what_it_measures_without_certhook(run, program, tmp_path, options) -> None:
    data = {"COVERAGE_FILE": str(tmp_path / "data"), "cwd": tmp_path}
    both_ways(run, "-m", "coverage", "run", *options, program, **data)
    found = run("-m", "coverage", "report", "--show-missing", **data).told
    run("-m", "coverage", "run", *options, program, hooked=False, **data)
    assert found == run("-m", "coverage", "report", "--show-missing", **data).told
    (row,) = [line.split() for line in found if line.startswith(str(program))]
    assert (row[1], row[2], row[-1]) == ("8", "1", "10")  # Eight statements, of which the one in line 10 did not run.


def test_coverage_in_every_process_measures_what_it_measures_without_certhook(run, program, tmp_path) -> None:
    # coverage's own .pth starts it, before certhook's in the order of their names.
    config = tmp_path / "coverage.ini"
    config.write_text(f"[run]\ndata_file = {tmp_path / 'data'}\n")
    both_ways(run, program, COVERAGE_PROCESS_START=str(config), cwd=tmp_path)
    assert (tmp_path / "data").exists()
    report = run("-m", "coverage", "report", "--data-file", str(tmp_path / "data"), cwd=tmp_path).told
    assert report[2].startswith(str(program))


#: Tests that pytest runs, with what it rewrites: one fails.
TESTS = """
import ask, ssl, pytest
def test_asks(capsys):
    ask.say("default")
    assert "stranger:no" in capsys.readouterr().out
def test_fails():
    assert ssl.create_default_context.__name__ == "another"
@pytest.mark.parametrize("name", ["load_default_certs", "load_verify_locations"])
def test_a_patched_method(monkeypatch, name):
    monkeypatch.setattr(ssl.SSLContext, name, lambda *args, **kwargs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        getattr(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), name)()
"""


def test_pytest_says_what_it_says_without_certhook(run, tmp_path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    options = ("-p", "no:cacheprovider", "-W", "error", str(tmp_path / "test_it.py"))
    found, stock = (run("-m", "pytest", *options, hooked=hooked, cwd=tmp_path) for hooked in (True, False))
    for answer in found, stock:
        # How long it took, which also decides how wide the last line is.
        answer.lines = [re.sub(r"^=* (.*) in [0-9.]+s =*$", r"\1", line) for line in answer.lines]
    assert found == stock
    assert "E       AssertionError: assert 'create_default_context' == 'another'" in found.lines
    assert found.lines[-1] == "1 failed, 3 passed"
