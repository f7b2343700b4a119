"""wrapt's import hooks on ssl: each hook runs once, and certhook wraps ssl once, in any order."""

from __future__ import annotations

from itertools import permutations

import pytest
from runner import BOTH, HOOKED, SYSTEM, expected_lines

SETUP = """
import importlib, os, sys
import wrapt
os.environ.pop("CERTHOOK_DISABLED", None)
sys.modules.pop("ssl", None)  # wrapt 2 imports it, through asyncio
hook_runs, calls = [], []
def hook(module):
    hook_runs.append(module.__name__)
    wrapt.wrap_function_wrapper(module, "create_default_context", wrapper)
def wrapper(wrapped, instance, args, kwargs):
    calls.append(wrapped.__name__)
    return wrapped(*args, **kwargs)
"""
STEPS = {
    "certhook": "import certhook; certhook.install()",
    "wrapt": "wrapt.{}",
    "ssl": "import ssl",
}
REGISTRATIONS = ("register_post_import_hook(hook, 'ssl')", "when_imported('ssl')(hook)")
ORDERS = {", ".join(order): "\n".join(STEPS[step] for step in order) for order in permutations(STEPS)}
ENDING = """
import probe
import ssl
probe.print_verdicts("default", "urllib", "requests")
print(hook_runs, calls[:1], probe.hook_counts())
"""


@pytest.mark.parametrize("registration", REGISTRATIONS, ids=["register", "when_imported"])
@pytest.mark.parametrize("order", ORDERS)
def test_a_hook_on_ssl_runs_once_and_certhook_wraps_ssl_once(run, order, registration) -> None:
    *verdicts, counts = run(SETUP + ORDERS[order].format(registration) + ENDING, hooked=False).output
    assert verdicts == expected_lines("default urllib requests", BOTH)
    assert counts == f"['ssl'] ['create_default_context'] {HOOKED}"


@pytest.mark.parametrize("hook_is_first", [True, False])
def test_a_hook_on_ssl_runs_once_with_the_pth(run, hook_is_first) -> None:
    steps = ["wrapt.register_post_import_hook(hook, 'ssl')", "import ssl"]
    code = "\n".join(steps if hook_is_first else steps[::-1])
    *_, counts = run(SETUP + code + ENDING).output
    assert counts == f"['ssl'] ['create_default_context'] {HOOKED}"


def test_after_a_reload_of_ssl_certhook_is_active_and_hooks_run_as_without_certhook(run) -> None:
    code = f"{SETUP}\nwrapt.register_post_import_hook(hook, 'ssl')\nimport probe, ssl\nimportlib.reload(ssl)\n"
    lines = run(code + "probe.print_verdicts('default')\nprint(hook_runs, calls)\nprint(probe.hook_counts())").output
    stock_code = code.replace("os.environ.pop", "#") + "probe.verdicts('default')\nprint(hook_runs, calls)"
    assert lines == [*expected_lines("default", BOTH), *run(stock_code, hooked=False).output, HOOKED]


def test_uninstall_and_install_work_below_a_wrapper_of_wrapt(run) -> None:
    code = """
wrapt.register_post_import_hook(hook, "ssl")
import probe, certhook
probe.print_verdicts("default")
certhook.uninstall()
probe.print_verdicts("default")
assert calls and set(calls) == {"create_default_context"}
certhook.install()
probe.print_verdicts("default")
assert probe.hook_counts() == (1, 1), probe.hook_counts()
"""
    assert run(SETUP + code).output == [
        *expected_lines("default", BOTH),
        *expected_lines("default", SYSTEM),
        *expected_lines("default", BOTH),
    ]
