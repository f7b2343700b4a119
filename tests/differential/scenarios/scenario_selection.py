"""The scenarios that run: a representative selection and, if requested, a number of random ones.

In the selection, each setting is combined with each kind of request, and each store with its own Python and another
one. The random scenarios are drawn from the product of all layouts, settings and clients.
"""

from __future__ import annotations

import itertools
import os
import random
from typing import Iterator

from scenario_table import CLIENTS, LAYOUTS, LIBRARIES, SETTINGS, STORES, Scenario, is_redundant, look_up

#: The number of random scenarios, also with the libraries in requirements.txt; 0 for all; None for none.
RANDOM = int(os.environ["CERTHOOK_TEST_SCENARIOS"]) if "CERTHOOK_TEST_SCENARIOS" in os.environ else None
#: The clients of the selection that run on each layout in turn.
FAST = ("a default context", "a context as in requests", "a context as in httpx")
#: The clients that run with each setting; others run only with their own variables.
ALL_SETTINGS = FAST[:2]
#: The scenarios of the selection with other clients.
OTHERS = (
    Scenario("Alpine; its own Python", "no variable", "http.client"),
    Scenario("Arch; conda", "no variable", "the bundle as a string"),
    Scenario("Debian 12; its own Python", "SSL_CERT_FILE: a missing file", "the bundle as a string"),
    Scenario("Debian 12; its own Python", "SSL_CERT_DIR: empty", "the bundle as a string"),
    Scenario("Debian 12; its own Python", "CERTHOOK_BUNDLE: an unrelated CA", "the bundle as a string"),
    Scenario("Debian 12; its own Python", "no variable", "urllib"),
    Scenario("Debian 12; conda", "no variable", "a file of the caller"),
    Scenario("Debian 12; its own Python", "CERTHOOK_SOURCES=extra", "a file of the caller"),
    Scenario("Debian 12; its own Python", "no variable", "pip"),
    Scenario("Fedora 44; its own Python", "SSL_CERT_FILE: a missing file", "pip"),
    Scenario("Debian 12; conda", "conda's activation", "pip, legacy-certs"),
)


def _runs(scenario: Scenario) -> bool:
    """Return whether a scenario can run and differs from all others."""
    layout, _, client = look_up(scenario)
    # pip uses functions of the platform.
    return not is_redundant(scenario) and not (client.is_slow and layout.store.platform != "linux")


def _representative_layouts() -> list[str]:
    """Return the names of layouts: for each store its own Python if it has one, and one of the other kinds in turn."""
    layouts: list[str] = []
    for number, (store, facts) in enumerate(STORES.items()):
        names = [name for name in LAYOUTS if name.startswith(f"{store}; ")]
        own = [] if facts.own is None else [names.pop(0)]
        layouts += [*own, names[number % len(names)]]
    return layouts


def _select() -> Iterator[Scenario]:
    layouts = _representative_layouts()
    for number, layout in enumerate(layouts):
        yield Scenario(layout, "no variable", FAST[number % len(FAST)])
    # All values of one variable on one layout, where stock Python runs only once for the settings of certhook.
    by_variable = itertools.groupby(SETTINGS, lambda name: sorted(SETTINGS[name]))
    groups = [(set(variables), list(settings)) for variables, settings in by_variable]
    for number, (client, (variables, settings)) in enumerate(itertools.product(FAST, groups)):
        if client in ALL_SETTINGS or variables <= {*CLIENTS[client].variables}:
            layout = layouts[number * 11 % len(layouts)]
            yield from (Scenario(layout, setting, client) for setting in settings)
    yield from OTHERS


def _draw(number: int) -> list[Scenario]:
    combinations = itertools.product(LAYOUTS, SETTINGS, {**CLIENTS, **LIBRARIES})
    everything = list(filter(_runs, map(Scenario._make, combinations)))
    # The same ones in every xdist worker.
    return random.Random(0).sample(everything, number) if number else everything


def scenarios_by_layout() -> dict[str, list[Scenario]]:
    """Return the scenarios that run, for each layout."""
    chosen = [*filter(_runs, _select()), *([] if RANDOM is None else _draw(RANDOM))]
    by_layout: dict[str, list[Scenario]] = {}
    for scenario in dict.fromkeys(chosen):
        by_layout.setdefault(scenario.layout, []).append(scenario)
    return by_layout
