"""Faults at every system call of certhook's operations: trust is correct, or reduced with an explanation."""

from __future__ import annotations

import os

import pytest
from injection.injecting import FEW, broken_promises

#: The most faults of each operation; 0 for every planned one.
MOST = int(os.environ.get("CERTHOOK_TEST_INJECTIONS", "600"))
#: Each operation is tested in parts, by several processes.
PARTS = 4


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("operation", FEW)
def test_a_fault_at_any_system_call_breaks_no_promise(inject, operation: str, part: int) -> None:
    done = inject(operation, count=MOST, part=part, parts=PARTS)
    assert sum(each["injected"] for each in done["results"]) > len(done["results"]) * 0.9
    assert not broken_promises(done)
