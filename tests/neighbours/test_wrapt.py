"""wrapt's import hooks on ssl: each fires once for its owner, and certhook wraps once, whoever came first."""

from __future__ import annotations

from itertools import permutations

import pytest
from asking import BOTH, HOOKED, expected

SETUP = """
import importlib, os, sys
import wrapt
os.environ.pop("CERTHOOK_DISABLED", None)
sys.modules.pop("ssl", None)  # wrapt 2 has imported it, for asyncio
fired, calls = [], []
def hook(module):
    fired.append(module.__name__)
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
import ask
import ssl
ask.say("default", "urllib", "requests")
print(fired, calls[:1], ask.hooked())
"""


@pytest.mark.parametrize("registration", REGISTRATIONS, ids=["register", "when_imported"])
@pytest.mark.parametrize("order", ORDERS)
def test_a_hook_on_ssl_fires_once_and_certhook_wraps_once(run, order, registration) -> None:
    *trusted, counted = run(SETUP + ORDERS[order].format(registration) + ENDING, hooked=False).told
    assert trusted == [f"{client} system:yes bundled:yes stranger:no" for client in ("default", "urllib", "requests")]
    assert counted == f"['ssl'] ['create_default_context'] {HOOKED}"


@pytest.mark.parametrize("hook_is_first", [True, False])
def test_beside_the_pth_a_hook_on_ssl_fires_once(run, hook_is_first) -> None:
    steps = ["wrapt.register_post_import_hook(hook, 'ssl')", "import ssl"]
    code = "\n".join(steps if hook_is_first else steps[::-1])
    *_, counted = run(SETUP + code + ENDING).told
    assert counted == f"['ssl'] ['create_default_context'] {HOOKED}"


def test_after_a_reload_hooks_are_as_without_certhook_and_certhook_is_back(run) -> None:
    code = f"{SETUP}\nwrapt.register_post_import_hook(hook, 'ssl')\nimport ask, ssl\nimportlib.reload(ssl)\n"
    found = run(code + "ask.say('default')\nprint(fired, calls)\nprint(ask.hooked())").told
    stock = run(code.replace("os.environ.pop", "#") + "ask.answers('default')\nprint(fired, calls)", hooked=False).told
    assert found == ["default system:yes bundled:yes stranger:no", *stock, HOOKED]


def test_uninstalled_under_wrapts_wrapper_both_step_aside(run) -> None:
    code = """
wrapt.register_post_import_hook(hook, "ssl")
import ask, certhook
ask.say("default")
certhook.uninstall()
ask.say("default")
assert calls and set(calls) == {"create_default_context"}
certhook.install()
ask.say("default")
assert ask.hooked() == (1, 1), ask.hooked()
"""
    both, alone, again = run(SETUP + code).trusted
    assert [both, again] == expected("default default", BOTH)
    assert alone == ("default", {**BOTH, "bundled": False})
