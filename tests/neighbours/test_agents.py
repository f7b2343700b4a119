"""ddtrace and OpenTelemetry install a sitecustomize and import hooks, which run exactly once next to certhook."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pytest
import support
from runner import BOTH, HOOKED, STOCK, SYSTEM, Result, expected_lines, run

CLIENTS = "default urllib requests"
CODE = f"import probe\nprobe.print_verdicts(*{CLIENTS!r}.split())\nprint('hooked', probe.hook_counts())\n"
#: Variables that disable the export of traces.
NO_EXPORT = {
    "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
    "DD_REMOTE_CONFIGURATION_ENABLED": "false",
    "OTEL_TRACES_EXPORTER": "none",
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
}


class Agent(NamedTuple):
    """A tool that traces requests."""

    #: The script that starts a program with the agent.
    script: str
    #: The directory of the agent's sitecustomize in site-packages.
    directory: str
    #: Code before the requests, which configures the agent.
    before: str
    #: Code after the requests, which prints the number of spans and whether the agent ran.
    after: str


AGENTS = {
    "ddtrace": Agent(
        "ddtrace-run",
        "ddtrace/bootstrap",
        """
import sys
from ddtrace.trace import TraceFilter, tracer
spans = []
class RecordSpans(TraceFilter):
    def process_trace(self, trace):
        spans.extend(span.name for span in trace)
tracer.configure(trace_processors=[RecordSpans()])
""",
        """
print("spans", spans.count("requests.request"))
print("ran", sys.modules["ddtrace.bootstrap.sitecustomize"].loaded)
""",
    ),
    "opentelemetry": Agent(
        "opentelemetry-instrument",
        "opentelemetry/instrumentation/auto_instrumentation",
        """
from opentelemetry import trace
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
spans = InMemorySpanExporter()
trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(spans))
""",
        """
from opentelemetry.instrumentation.requests import RequestsInstrumentor
print("spans", len(spans.get_finished_spans()))
print("ran", RequestsInstrumentor().is_instrumented_by_opentelemetry)
""",
    ),
}

#: One span for each server that requests connected to, including the rejected one.
ONE_SPAN_EACH = ["spans 3", "ran True"]
#: The output with certhook.
EXPECTED = [*expected_lines(CLIENTS, BOTH), f"hooked {HOOKED}", *ONE_SPAN_EACH]


def program(name: str) -> str:
    return AGENTS[name].before + CODE + AGENTS[name].after


def run_with_script(name: str, python: Path, **variables: str) -> Result:
    """Run the program with the script of the agent *name* in the environment of *python*."""
    script = python.with_name(AGENTS[name].script)
    return run(python, script, python, "-c", program(name), **NO_EXPORT, **variables)


def run_with_path(name: str, python: Path, *directories: Path, **variables: str) -> Result:
    """Run the program in the environment of *python* with *directories* on PYTHONPATH."""
    path = os.pathsep.join(map(str, directories))
    return run(python, program(name), **NO_EXPORT, **variables, PYTHONPATH=path)


@pytest.fixture
def directories(environment):
    """Return a function that finds the directories of the drop-in and of an agent in the agent's environment."""

    def find(name: str) -> tuple[Path, Path]:
        packages = support.purelib(environment(name))
        return packages / "certhook" / "bootstrap", packages / AGENTS[name].directory

    return find


@pytest.mark.parametrize("name", AGENTS)
def test_an_agent_started_by_its_script_runs_once_with_the_pth(environment, places, name) -> None:
    assert run_with_script(name, environment(name), **places).output == EXPECTED


@pytest.mark.parametrize("name", AGENTS)
def test_an_agent_started_by_its_script_runs_once_without_certhook(environment, places, name) -> None:
    lines = run_with_script(name, environment(name), **places, CERTHOOK_DISABLED="1").output
    assert lines[:2] == expected_lines("default urllib", SYSTEM)
    assert lines[3:] == [f"hooked {STOCK}", *ONE_SPAN_EACH]


@pytest.mark.parametrize("name", AGENTS)
def test_an_agent_after_the_drop_in_on_the_path_runs_once(without_pth, directories, places, name) -> None:
    result = run_with_path(name, without_pth(name), *directories(name), **places)
    assert result.output == EXPECTED


@pytest.mark.parametrize("name", AGENTS)
def test_an_agent_after_the_drop_in_runs_once_with_the_pth(environment, directories, places, name) -> None:
    result = run_with_path(name, environment(name), *directories(name), **places)
    assert result.output == EXPECTED


def test_ddtrace_before_the_drop_in_runs_the_sitecustomize_of_the_drop_in(without_pth, directories, places) -> None:
    # ddtrace-run and opentelemetry-instrument put their directory first on the path; only ddtrace then runs the next
    # sitecustomize.
    drop_in, agent = directories("ddtrace")
    result = run_with_path("ddtrace", without_pth("ddtrace"), agent, drop_in, **places)
    assert result.output == EXPECTED


@pytest.mark.parametrize("unload", ["0", "1"])
def test_ssl_is_patched_again_after_ddtrace_unloads_modules(environment, places, unload) -> None:
    # ddtrace unloads modules by default if gevent is installed, and its loaders set attributes on the loader they wrap.
    variables = {"DD_UNLOAD_MODULES_FROM_SITECUSTOMIZE": unload}
    result = run_with_script("ddtrace", environment("ddtrace"), **places, **variables)
    assert result.output == EXPECTED
