"""Stock Python as the oracle: each scenario runs without and with certhook, with real handshakes.

The assertions are only the promises: a server that stock Python verifies is verified with certhook,
unless its root is excluded; a root that certhook trusts is listed by a configured source and not
excluded; if both refuse a server for the same root, the verify codes are equal.
"""

from __future__ import annotations

import pytest
from scenario_selection import scenarios_by_layout

SCENARIOS = scenarios_by_layout()


@pytest.mark.parametrize("layout", SCENARIOS)
def test_certhook_trusts_no_less_than_stock_python_and_only_configured_roots(scenario_machine, layout: str) -> None:
    violations = scenario_machine.violations(scenario_machine.results(SCENARIOS[layout]))
    assert not violations, "\n" + "\n".join(violations)
