"""ddtrace and OpenTelemetry bring a sitecustomize and import hooks: they and certhook run, once each."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pytest
import support
from asking import HOOKED, STOCK, Answer, run

CLIENTS = "import ask\nask.say('default', 'urllib', 'requests')\nprint('hooked', ask.hooked())\n"
QUIET = {
    "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
    "DD_REMOTE_CONFIGURATION_ENABLED": "false",
    "OTEL_TRACES_EXPORTER": "none",
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
}


class Agent(NamedTuple):
    """A tool that traces requests.

    *script* starts a program under it, *folder* has its sitecustomize; *before* and
    *after* are code around the requests, which prints how many it recorded and that it ran.
    """

    script: str
    folder: str
    before: str
    after: str


AGENTS = {
    "ddtrace": Agent(
        "ddtrace-run",
        "ddtrace/bootstrap",
        """
import sys
from ddtrace.trace import TraceFilter, tracer
spans = []
class Keep(TraceFilter):
    def process_trace(self, trace):
        spans.extend(span.name for span in trace)
tracer.configure(trace_processors=[Keep()])
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

BOTH = [f"{client} system:yes bundled:yes stranger:no" for client in ("default", "urllib", "requests")]
#: One span for each server that requests asked, also for the one it refused.
ONCE = ["spans 3", "ran True"]


def program(name: str) -> str:
    return AGENTS[name].before + CLIENTS + AGENTS[name].after


def under_its_script(name: str, python: Path, **variables: str) -> Answer:
    """Run the program by the script of the agent *name* in the environment of *python*."""
    script = python.with_name(AGENTS[name].script)
    return run(python, script, python, "-c", program(name), **QUIET, **variables)


def on_the_path(name: str, python: Path, *folders: Path, **variables: str) -> Answer:
    """Run the program in the environment of *python* with *folders* on PYTHONPATH."""
    path = os.pathsep.join(map(str, folders))
    return run(python, program(name), **QUIET, **variables, PYTHONPATH=path)


@pytest.fixture
def folders(environment):
    """The drop-in's folder, and that of an agent, in the environment of the agent."""

    def find(name: str) -> tuple[Path, Path]:
        packages = support.purelib(environment(name))
        return packages / "certhook" / "bootstrap", packages / AGENTS[name].folder

    return find


@pytest.mark.parametrize("name", AGENTS)
def test_started_by_its_script_it_runs_beside_the_pth(environment, places, name) -> None:
    assert under_its_script(name, environment(name), **places).told == [*BOTH, f"hooked {HOOKED}", *ONCE]


@pytest.mark.parametrize("name", AGENTS)
def test_without_certhook_it_runs_as_often(environment, places, name) -> None:
    found = under_its_script(name, environment(name), **places, CERTHOOK_DISABLED="1").told
    assert found[:2] == [f"{client} system:yes bundled:no stranger:no" for client in ("default", "urllib")]
    assert found[3:] == [f"hooked {STOCK}", *ONCE]


@pytest.mark.parametrize("name", AGENTS)
def test_behind_the_drop_in_on_the_path_it_runs(without_pth, folders, places, name) -> None:
    found = on_the_path(name, without_pth(name), *folders(name), **places)
    assert found.told == [*BOTH, f"hooked {HOOKED}", *ONCE]


@pytest.mark.parametrize("name", AGENTS)
def test_behind_the_drop_in_it_runs_beside_the_pth(environment, folders, places, name) -> None:
    found = on_the_path(name, environment(name), *folders(name), **places)
    assert found.told == [*BOTH, f"hooked {HOOKED}", *ONCE]


def test_before_the_drop_in_ddtrace_goes_on_to_it(without_pth, folders, places) -> None:
    # ddtrace-run puts its folder before all others. opentelemetry-instrument does, too, and does not go on.
    drop_in, folder = folders("ddtrace")
    found = on_the_path("ddtrace", without_pth("ddtrace"), folder, drop_in, **places)
    assert found.told == [*BOTH, f"hooked {HOOKED}", *ONCE]


@pytest.mark.parametrize("unload", ["0", "1"])
def test_where_ddtrace_unloads_what_it_imported_ssl_is_imported_and_patched_again(environment, places, unload) -> None:
    # It does so by itself where gevent is installed, and its loaders set attributes on the one they find.
    variables = {"DD_UNLOAD_MODULES_FROM_SITECUSTOMIZE": unload}
    found = under_its_script("ddtrace", environment("ddtrace"), **places, **variables)
    assert found.told == [*BOTH, f"hooked {HOOKED}", *ONCE]
