"""The program that injects faults: it runs in a mount namespace, and prints its results as JSON."""

from __future__ import annotations

import json
import time
from typing import Any

from injection import faults, operations, processes
from injection.faults import Fault
from injection.operations import OPERATIONS, Operation


def main(text: str) -> None:
    """Inject faults into one operation.

    :param text: the job as JSON: the operation, the number of faults, and the part of them
    """
    job: dict[str, Any] = json.loads(text)
    operations.learn_trust()
    operation = OPERATIONS[job["operation"]]()
    learn = getattr(operation, "learn", None)
    if learn is not None:
        learn()
    for name in operations.AUTHORITIES:
        operations.SERVERS[name]
    calls, counts = enumerate_calls(operation)
    planned = faults.plan(calls, *counts)
    chosen = faults.spread(planned, job["count"]) if job["count"] else planned
    chosen = chosen[job["part"] :: job["parts"]]
    if "only" in job:
        chosen = [fault for fault in planned if str(fault).startswith(job["only"])]
    results = []
    end = time.monotonic() + job["seconds"]
    for fault in chosen:
        if time.monotonic() > end:
            break
        results.append(inject(operation, fault))
    print(json.dumps({"calls": len(calls), "counts": counts, "planned": len(planned), "results": results}))


def enumerate_calls(operation: Operation) -> tuple[list[faults.Call], tuple[int, int]]:
    """Return the calls of *operation*, and the number of its reads and writes, without a fault."""
    for _ in range(2):  # The first process finds files that are not in the cache of the kernel.
        operation.reset()
        ended = processes.run(operation.act, operation.prepare, ["--decode-fds=path", "--trace=all"])
        problems = operation.problems(ended, None)
        assert not problems, f"without a fault: {problems} {ended._replace(trace='')}"
    return faults.parse(ended.trace), ended.counts


def inject(operation: Operation, fault: Fault) -> dict[str, Any]:
    """Inject *fault* into *operation*, and return the broken promises."""
    start = time.monotonic()
    operation.reset()
    if fault.kind.startswith("short"):
        ended = processes.run(operation.act, operation.prepare, short=fault)
        is_injected = True
    else:
        ended = processes.run(operation.act, operation.prepare, fault.options)
        is_injected = ended.was_injected
    problems = operation.problems(ended, fault)
    result = {
        "kind": fault.kind,
        "occurrence": fault.occurrence,
        "fault": str(fault),
        "injected": is_injected,
        "problems": problems,
        "seconds": time.monotonic() - start,
    }
    if problems:
        result["errors"] = ended.errors[-3000:]
        result["result"] = repr(ended.result)[:3000]
        result["trace"] = "\n".join(line for line in ended.trace.splitlines() if "INJECTED" in line)[:1500]
    return result
