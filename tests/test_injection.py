"""A selection of the faults that the environment ``injection`` injects at the system calls of certhook's operations."""

from __future__ import annotations

import pytest
from injection.injecting import FEW, broken_promises, inject, injection_machine  # noqa: F401


@pytest.mark.parametrize("operation", FEW)
def test_after_a_fault_trust_is_correct_or_reduced_with_an_explanation(inject, operation: str) -> None:  # noqa: F811
    done = inject(operation, count=FEW[operation])
    assert sum(each["injected"] for each in done["results"]) > FEW[operation] * 0.9
    assert not broken_promises(done)
