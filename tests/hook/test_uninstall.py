"""``install()``, ``uninstall()`` and ``is_installed()``."""

from __future__ import annotations

import pytest
import support
from hook_support import disabled_env, run_silently

IMPORT = """
import certhook, ssl
def snapshot():
    return [dict(vars(ssl)), dict(vars(ssl.SSLContext)), list(sys.meta_path)]
"""


def test_is_installed_returns_false_without_a_hook(installed) -> None:
    run_silently(installed, "import certhook; assert not certhook.is_installed()", env=disabled_env())


def test_install_patches_an_imported_ssl(installed) -> None:
    code = """
assert not is_hooked()
certhook.install(use_environment=False)
assert certhook.is_installed()
assert is_hooked() and is_loaded_by(SourceFileLoader)
"""
    run_silently(installed, IMPORT + code, env=disabled_env())


def test_install_loads_no_openssl(installed_unmeasured) -> None:
    code = "import certhook; certhook.install(); assert certhook.is_installed() and '_ssl' not in sys.modules"
    run_silently(installed_unmeasured, code)


def test_install_and_uninstall_work_in_a_python_without_openssl(installed_unmeasured) -> None:
    code = """
sys.modules["_ssl"] = None
import certhook
certhook.uninstall()
certhook.install()
assert certhook.is_installed()
"""
    run_silently(installed_unmeasured, code)


def test_a_second_install_changes_nothing(installed) -> None:
    code = """
before = snapshot()
certhook.install()
assert snapshot() == before and is_hooked()
"""
    run_silently(installed, IMPORT + code)


def test_install_works_after_uninstall(installed) -> None:
    run_silently(
        installed,
        f"{IMPORT}\ncerthook.uninstall(); certhook.install(); assert certhook.is_installed() and is_hooked()",
    )


def test_certhook_disabled_disables_install(installed) -> None:
    code = "certhook.install(); assert not certhook.is_installed() and not is_hooked()"
    run_silently(installed, IMPORT + code, env=disabled_env())


#: A root that only the environment names is trusted if certhook reads the environment.
TRUSTS_ENVIRONMENT = """
import os
with open(os.environ["CERTHOOK_EXTRA_CA_CERTS"]) as file:
    extra = ssl.PEM_cert_to_DER_cert(file.read())
def trusts_environment():
    return extra in [anchor.der for anchor in certhook.trust_set().anchors]
"""


def test_use_environment_false_ignores_the_variables_of_certhook_and_openssl(installed, machine, locations) -> None:
    code = """
assert trusts_environment() and len(certhook.trust_set()) == 4
certhook.install(use_environment=False)
assert certhook.is_installed() and is_hooked()
assert not trusts_environment() and len(certhook.trust_set()) > 50
"""
    env = disabled_env(**locations, CERTHOOK_EXTRA_CA_CERTS=str(machine / "extra.pem"))
    run_silently(installed, IMPORT + TRUSTS_ENVIRONMENT + code, env=env)


def test_use_environment_false_lasts_until_uninstall(installed, machine) -> None:
    code = """
assert trusts_environment()
certhook.install(use_environment=False)
certhook.install()
assert not trusts_environment()
certhook.uninstall()
certhook.install()
assert trusts_environment()
"""
    env = support.clean_env(CERTHOOK_EXTRA_CA_CERTS=str(machine / "extra.pem"))
    run_silently(installed, IMPORT + TRUSTS_ENVIRONMENT + code, env=env)


def test_uninstall_restores_every_function(installed) -> None:
    code = """
before = snapshot()
certhook.install(use_environment=False)
assert snapshot() != before
certhook.uninstall()
assert not certhook.is_installed() and snapshot() == before
certhook.uninstall()
assert snapshot() == before
"""
    run_silently(installed, IMPORT + code, env=disabled_env())


def test_after_uninstall_ssl_equals_that_of_an_interpreter_without_certhook(installed, plain) -> None:
    code = (
        "print(sorted(vars(ssl)), {name: repr(value).split(' at ')[0] for name, value in vars(ssl.SSLContext).items()})"
    )
    expected = support.run(plain, f"import ssl; {code}").stdout
    assert support.run(installed, f"import ssl; {code}").stdout != expected
    assert support.run(installed, f"import ssl, certhook; certhook.uninstall(); {code}").stdout == expected


def test_uninstall_after_a_reload_restores_every_function(installed) -> None:
    code = """
importlib.reload(ssl)
assert is_hooked()
certhook.uninstall()
assert not any(hasattr(value, "__certhook__") for owner in (ssl, ssl.SSLContext) for value in vars(owner).values())
"""
    run_silently(installed, IMPORT + code)


def test_uninstall_before_the_import_of_ssl_prevents_patching(installed) -> None:
    run_silently(installed, "import certhook; certhook.uninstall(); assert not is_hooked()")


# Other tools wrap the functions that certhook has wrapped. In the following programs, default trust is one
# root with certhook, and no root without it.

WRAP_METHOD = """
import functools
def count_roots():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    getattr(context, METHOD)()
    return len(context.get_ca_certs())
calls = []
def plain(function):
    def wrapper(*args, **kwargs):
        calls.append(function)
        return function(*args, **kwargs)
    return wrapper
def with_functools(function):
    return functools.wraps(function)(plain(function))
assert count_roots() == 1
foreign_wrapper = WRAPPER(getattr(ssl.SSLContext, METHOD))
setattr(ssl.SSLContext, METHOD, foreign_wrapper)
assert count_roots() == 1 and len(calls) == 1
"""


@pytest.fixture
def one_root_env(machine) -> dict[str, str]:
    """Return an environment in which default trust is one root with certhook, and no root without it."""
    return support.clean_env(
        SSL_CERT_FILE=str(machine / "none"),
        SSL_CERT_DIR=str(machine / "none"),
        CERTHOOK_BUNDLE=str(machine / "extra.pem"),
        CERTHOOK_SOURCES="bundled",
        CERTHOOK_LOAD="eager",  # get_ca_certs() returns loaded roots even without certhook.
    )


@pytest.fixture(params=["load_default_certs", "set_default_verify_paths"])
def wrapped_method(request: pytest.FixtureRequest, installed, one_root_env):
    """Return a function that runs code after another tool has wrapped the method."""

    def run(wrapper: str, code: str, *flags: str) -> None:
        prelude = f"METHOD = {request.param!r}\n{IMPORT}{WRAP_METHOD.replace('WRAPPER', wrapper)}"
        run_silently(installed, prelude + code, *flags, env=one_root_env)

    return run


WRAPPERS = pytest.mark.parametrize("wrapper", ["plain", "with_functools"])


@WRAPPERS
def test_uninstall_keeps_a_foreign_wrapper(wrapped_method, wrapper) -> None:
    code = """
certhook.uninstall()
assert getattr(ssl.SSLContext, METHOD) is foreign_wrapper
assert count_roots() == 0 and len(calls) == 2
"""
    wrapped_method(wrapper, code)


@WRAPPERS
def test_a_second_install_keeps_a_foreign_wrapper(wrapped_method, wrapper) -> None:
    code = """
certhook.install()
assert getattr(ssl.SSLContext, METHOD) is foreign_wrapper
assert count_roots() == 1 and len(calls) == 2
"""
    wrapped_method(wrapper, code)


@WRAPPERS
def test_install_after_uninstall_works_inside_a_foreign_wrapper(wrapped_method, wrapper) -> None:
    wrapped_method(wrapper, "certhook.uninstall(); certhook.install(); assert count_roots() == 1")


@WRAPPERS
def test_install_after_uninstall_loads_no_bundled_root_for_client_authentication(wrapped_method, wrapper) -> None:
    code = """
certhook.uninstall()
certhook.install()
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
assert context.get_ca_certs() == []
"""
    # certhook warns that there are no roots for this purpose.
    wrapped_method(wrapper, code, "-W", "ignore")


def test_uninstall_restores_the_original_after_a_foreign_wrapper_was_removed(wrapped_method) -> None:
    code = """
certhook_wrapper = calls[0]
certhook.uninstall()
certhook.install()
setattr(ssl.SSLContext, METHOD, certhook_wrapper)
assert count_roots() == 1
certhook.uninstall()
assert count_roots() == 0 and not hasattr(getattr(ssl.SSLContext, METHOD), "__certhook__")
"""
    wrapped_method("with_functools", code)
