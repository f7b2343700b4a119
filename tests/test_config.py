"""Settings: the meaning of each value, and the report and fallback for an invalid one."""

from __future__ import annotations

import errno
import os
import sys
from typing import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certhook import _config, _state
from certhook._config import SOURCES, Config
from certhook._state import process
from certhook.exceptions import CerthookError, ConfigurationError

#: An absolute path of this platform.
ROOT = os.path.abspath(os.sep)
ONE, TWO = os.path.join(ROOT, "one.pem"), os.path.join(ROOT, "two")

linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="only Linux reports whether a process started with raised privileges"
)

DEFAULTS = {
    "cert_file": None,
    "cert_dir": None,
    "nix_cert_file": None,
    "overrides_system": False,
    "disabled": False,
    "sources": ("system", "bundled"),
    "mode": "chain",
    "extra": (),
    "bundle": None,
    "adopt": ("certifi", "pip", "botocore", "httplib2"),
    "load": "lazy",
    "cache_dir": None,
    "x509_strict": True,
    "on_error": "warn",
    "debug": False,
}


def read(**variables: str) -> Config:
    """Return the configuration for *variables*, all of which are valid."""
    config = Config(variables)
    assert config.problems == []
    return config


def assert_defaults(config: Config) -> None:
    """Assert that every setting of *config* has its default."""
    assert {name: getattr(config, name) for name in DEFAULTS} == DEFAULTS


def test_without_variables_the_defaults_apply() -> None:
    assert_defaults(read(PATH="/bin", HOME="/"))


@pytest.mark.parametrize(
    ("variable", "value", "name", "expected"),
    [
        ("SSL_CERT_FILE", ONE, "cert_file", ONE),
        ("SSL_CERT_FILE", "", "cert_file", ""),
        ("SSL_CERT_FILE", "relative.pem", "cert_file", "relative.pem"),
        ("SSL_CERT_DIR", os.pathsep.join([ONE, TWO]), "cert_dir", os.pathsep.join([ONE, TWO])),
        ("SSL_CERT_DIR", "", "cert_dir", ""),
        ("NIX_SSL_CERT_FILE", ONE, "nix_cert_file", ONE),
        ("NIX_SSL_CERT_FILE", "", "nix_cert_file", None),
        ("CERTHOOK_SOURCES", "bundled", "sources", ("bundled",)),
        ("CERTHOOK_SOURCES", "bundled,system", "sources", ("bundled", "system")),
        ("CERTHOOK_SOURCES", " Bundled , SYSTEM\t,", "sources", ("bundled", "system")),
        ("CERTHOOK_SOURCES", "system,system", "sources", ("system",)),
        ("CERTHOOK_SOURCES", "extra,system", "sources", ("system",)),
        ("CERTHOOK_SOURCES", "extra", "sources", ()),
        ("CERTHOOK_MODE", "fallback", "mode", "fallback"),
        ("CERTHOOK_MODE", " FALLBACK ", "mode", "fallback"),
        ("CERTHOOK_MODE", "chain", "mode", "chain"),
        ("CERTHOOK_EXTRA_CA_CERTS", ONE, "extra", (ONE,)),
        ("CERTHOOK_EXTRA_CA_CERTS", os.pathsep.join([ONE, "", TWO, ""]), "extra", (ONE, TWO)),
        ("CERTHOOK_EXTRA_CA_CERTS", os.path.join(ROOT, " a b "), "extra", (os.path.join(ROOT, " a b "),)),
        ("CERTHOOK_BUNDLE", ONE, "bundle", ONE),
        ("CERTHOOK_ADOPT", "pip", "adopt", ("pip",)),
        ("CERTHOOK_ADOPT", " HTTPlib2 ,certifi,, certifi", "adopt", ("httplib2", "certifi")),
        ("CERTHOOK_ADOPT", " None ", "adopt", ()),
        ("CERTHOOK_ADOPT", "certifi,none", "adopt", ()),
        ("CERTHOOK_LOAD", "Eager", "load", "eager"),
        ("CERTHOOK_LOAD", "lazy", "load", "lazy"),
        ("CERTHOOK_CACHE_DIR", TWO, "cache_dir", TWO),
        ("CERTHOOK_CACHE_DIR", " None ", "cache_dir", ""),
        ("CERTHOOK_ON_ERROR", "raise", "on_error", "raise"),
        ("CERTHOOK_ON_ERROR", "WARN", "on_error", "warn"),
        *(("CERTHOOK_X509_STRICT", value, "x509_strict", False) for value in ("0", "false", "No", " off ")),
        *(("CERTHOOK_X509_STRICT", value, "x509_strict", True) for value in ("1", "TRUE", "yes", "on")),
        *(("CERTHOOK_DEBUG", value, "debug", True) for value in ("1", "true", "YES", " on")),
        *(("CERTHOOK_DEBUG", value, "debug", False) for value in ("0", "false", "no", "off")),
    ],
)
def test_a_valid_value_is_parsed(variable: str, value: str, name: str, expected: object) -> None:
    assert getattr(read(**{variable: value}), name) == expected


@pytest.mark.parametrize("variable", [name for name in _config.VARIABLES if name.startswith("CERTHOOK_")])
def test_an_empty_variable_counts_as_unset(variable: str) -> None:
    assert_defaults(read(**{variable: ""}))


@pytest.mark.parametrize(
    ("variable", "value", "name", "allowed"),
    [
        ("CERTHOOK_LOAD", "1", "load", ["'1'", "lazy", "eager"]),
        ("CERTHOOK_ON_ERROR", "ignore", "on_error", ["'ignore'", "warn", "raise"]),
        ("CERTHOOK_X509_STRICT", "maybe", "x509_strict", ["'maybe'", "0", "1"]),
        ("CERTHOOK_DEBUG", "2", "debug", ["'2'", "0", "1"]),
        ("CERTHOOK_EXTRA_CA_CERTS", "corporate.pem", "extra", ["'corporate.pem'", "relative"]),
        ("CERTHOOK_EXTRA_CA_CERTS", "~/corporate.pem", "extra", ["'~/corporate.pem'", "relative"]),
        ("CERTHOOK_CACHE_DIR", "cache", "cache_dir", ["'cache'", "relative"]),
        ("CERTHOOK_CACHE_DIR", ".", "cache_dir", ["'.'", "relative"]),
        ("NIX_SSL_CERT_FILE", "corporate.pem", "nix_cert_file", ["'corporate.pem'", "relative"]),
    ],
)
def test_an_invalid_value_is_reported_and_the_default_applies(variable, value, name, allowed) -> None:
    config = Config({variable: value})
    assert getattr(config, name) == DEFAULTS[name]
    (problem,) = config.problems
    assert isinstance(problem, ConfigurationError)
    assert isinstance(problem, CerthookError)
    assert problem.setting == variable
    assert str(problem) == f"{variable}: {problem.message}"
    for word in allowed:
        assert word in problem.message


@pytest.mark.parametrize(
    ("variable", "value", "name", "expected", "words"),
    [
        ("CERTHOOK_SOURCES", "sytem", "sources", (), ["'sytem'", "system or bundled or extra", "using none"]),
        ("CERTHOOK_SOURCES", "system;bundled", "sources", (), ["'system;bundled'", "separated by commas"]),
        ("CERTHOOK_SOURCES", ",", "sources", (), ["','", "system or bundled or extra", "using none"]),
        ("CERTHOOK_SOURCES", "certifi,system", "sources", ("system",), ["'certifi'", "using system"]),
        ("CERTHOOK_MODE", "chained", "mode", "fallback", ["'chained'", "chain or fallback", "using fallback"]),
        ("CERTHOOK_ADOPT", "requests", "adopt", (), ["'requests'", "certifi or pip or botocore or httplib2 or none"]),
        ("CERTHOOK_ADOPT", "pip,requests", "adopt", ("pip",), ["'requests'", "using pip"]),
    ],
)
def test_an_invalid_value_never_adds_trust(variable, value, name, expected, words) -> None:
    config = Config({variable: value})
    assert getattr(config, name) == expected
    (problem,) = config.problems
    assert problem.setting == variable
    assert all(word in problem.message for word in words), problem.message


def test_an_invalid_bundle_is_not_replaced_by_certifis_bundle() -> None:
    config = Config({"CERTHOOK_BUNDLE": "bundle.pem"})
    assert config.bundle == ""
    assert [problem.setting for problem in config.problems] == ["CERTHOOK_BUNDLE"]


def test_the_valid_paths_of_a_list_are_kept_and_each_invalid_one_is_reported() -> None:
    value = os.pathsep.join(["a.pem", ONE, os.path.join(".", "b.pem"), TWO])
    config = Config({"CERTHOOK_EXTRA_CA_CERTS": value})
    assert config.extra == (ONE, TWO)
    assert len(config.problems) == 2


def test_every_invalid_value_is_reported() -> None:
    variables = {"CERTHOOK_SOURCES": "x", "CERTHOOK_MODE": "x", "CERTHOOK_ON_ERROR": "x", "CERTHOOK_BUNDLE": "x"}
    assert {problem.setting for problem in Config(variables).problems} == set(variables)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
@pytest.mark.parametrize("value", [ONE, ""])
def test_a_variable_that_replaces_the_system_store_excludes_the_bundle(variable: str, value: str) -> None:
    config = read(**{variable: value})
    assert config.overrides_system
    assert config.sources == ("system",)


def test_the_bundle_is_included_with_ssl_cert_file_if_the_sources_name_it() -> None:
    assert read(SSL_CERT_FILE=ONE, CERTHOOK_SOURCES="system,bundled").sources == ("system", "bundled")


def test_an_invalid_list_of_sources_does_not_include_the_bundle() -> None:
    assert Config({"SSL_CERT_FILE": ONE, "CERTHOOK_SOURCES": "everything"}).sources == ()


def test_nix_ssl_cert_file_does_not_exclude_the_bundle() -> None:
    assert read(NIX_SSL_CERT_FILE=ONE).sources == ("system", "bundled")


# The process environment.


def test_an_unchanged_environment_returns_the_same_object(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CERTHOOK_MODE", "fallback")
    assert _config.current() is _config.current()


@pytest.mark.parametrize("variable", _config.VARIABLES)
def test_a_change_of_any_variable_is_detected(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = _config.current()
    monkeypatch.setenv(variable, "1")
    during = _config.current()
    monkeypatch.delenv(variable)
    after = _config.current()
    assert before is not during is not after


def test_variables_lists_every_variable_that_the_configuration_reads() -> None:
    class RecordingEnviron(dict):
        def get(self, name: str, default: object = None) -> object:
            self[name] = default
            return default

    environ = RecordingEnviron()
    Config(environ)
    assert set(environ) == set(_config.VARIABLES)


def test_an_unknown_variable_has_no_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    before = _config.current()
    monkeypatch.setenv("CERTHOOK_UNKNOWN", "1")
    assert _config.current() is before


def test_a_replaced_os_environ_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"CERTHOOK_MODE": "fallback"})
    assert _config.current().mode == "fallback"


@pytest.mark.skipif(sys.platform == "win32", reason="variables are text on Windows")
def test_a_path_of_arbitrary_bytes_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    path = os.fsdecode(b"/\xff\xfe.pem")
    monkeypatch.setenv("CERTHOOK_EXTRA_CA_CERTS", path)
    assert [os.fsencode(path) for path in _config.current().extra] == [b"/\xff\xfe.pem"]


@pytest.fixture
def every_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _config.VARIABLES:
        monkeypatch.setenv(name, ONE)
    monkeypatch.setenv("CERTHOOK_DISABLED", "1")
    assert _config.current().problems
    assert _config.is_disabled()


def test_a_host_can_exclude_the_environment(every_variable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "use_environment", False)
    assert_defaults(_config.current())
    assert _config.current().problems == []


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this platform has no set-uid")
@pytest.mark.parametrize("identity", ["geteuid", "getegid"])
def test_a_set_uid_or_set_gid_process_reads_no_variable(every_variable, identity, monkeypatch) -> None:
    """On a system that does not report whether a process started with raised privileges."""
    monkeypatch.setattr(process, "at_secure", "unknown")
    other = getattr(os, identity)() + 1
    monkeypatch.setattr(os, identity, lambda: other)
    assert_defaults(_config.current())
    assert not _config.is_disabled()


def raising(number: int) -> Callable[..., None]:
    """Return a function that raises the :exc:`OSError` with this error number."""

    def fail(*args: object, **kwargs: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@linux
@pytest.mark.parametrize("identity", ["geteuid", "getegid"])
def test_a_daemon_that_switched_its_user_keeps_its_variables(every_variable, identity, monkeypatch) -> None:
    other = getattr(os, identity)() + 1
    monkeypatch.setattr(os, identity, lambda: other)
    assert _state.ids_differ() and not _state.is_privileged()
    assert _config.current().mode == "fallback"


@linux
def test_without_access_to_proc_the_c_library_reports_the_privileges(monkeypatch) -> None:
    monkeypatch.setattr(_state, "open", raising(errno.EACCES), raising=False)
    assert _state._query_at_secure() == "no"
    monkeypatch.setitem(sys.modules, "ctypes", None)
    assert _state._query_at_secure() == "yes"


@linux
def test_a_process_without_free_descriptors_reads_no_variables_until_it_can_check_its_privileges(monkeypatch) -> None:
    """The caller of a set-uid program can limit its number of open files, so that /proc cannot be read."""
    with monkeypatch.context() as patch:
        patch.setattr(_state, "open", raising(errno.EMFILE), raising=False)
        assert _state._query_at_secure() == "no"  # from the C library
        patch.setitem(sys.modules, "ctypes", None)
        assert _state.is_privileged() and process.at_secure == ""
    assert not _state.is_privileged() and process.at_secure == "no"


@linux
def test_without_proc_and_the_c_library_the_identities_decide(monkeypatch) -> None:
    monkeypatch.setattr(_state, "open", raising(errno.ENOENT), raising=False)
    monkeypatch.setitem(sys.modules, "ctypes", None)
    assert _state._query_at_secure() == "unknown"


def test_a_value_in_a_replaced_os_environ_that_is_not_text_is_ignored(monkeypatch) -> None:
    monkeypatch.setattr(os, "environ", {"SSL_CERT_FILE": 5, "CERTHOOK_MODE": "fallback"})
    assert (_config.current().cert_file, _config.current().mode) == (None, "fallback")


@pytest.mark.parametrize("value", ["1", "true", "yes", "on", "anything", " 1 "])
def test_any_value_except_a_negative_one_disables_certhook(value: str, monkeypatch) -> None:
    monkeypatch.setenv("CERTHOOK_DISABLED", value)
    assert _config.is_disabled()


@pytest.mark.parametrize("value", ["", "0", "false", "No", "OFF", " 0 ", " "])
def test_a_negative_value_does_not_disable_certhook(value: str, monkeypatch) -> None:
    monkeypatch.setenv("CERTHOOK_DISABLED", value)
    assert not _config.is_disabled()


def test_certhook_is_enabled_by_default() -> None:
    assert not _config.is_disabled()


WORDS = st.sampled_from(["", ",", ";", " ", ONE, os.pathsep, "none", "0", "raise", *SOURCES, *_config.PUBLIC_BUNDLES])
VALUES = st.lists(st.one_of(WORDS, st.text(st.characters(exclude_characters="\0"), max_size=6)), max_size=5).map(
    "".join
)


@given(st.dictionaries(st.sampled_from(_config.VARIABLES), VALUES))
def test_any_environment_results_in_a_configuration_without_additional_trust(environ) -> None:
    config = Config(environ)
    named = {name.strip().lower() for name in environ.get("CERTHOOK_SOURCES", "").split(",")} - {""}
    assert set(config.sources) <= (named or set(SOURCES)) & set(SOURCES)
    if config.overrides_system and "bundled" not in named:
        assert "bundled" not in config.sources
    adopted = {name.strip().lower() for name in environ.get("CERTHOOK_ADOPT", "").split(",")} - {""}
    assert set(config.adopt) <= (adopted or set(_config.PUBLIC_BUNDLES))
    assert all(map(os.path.isabs, config.extra))
    assert {problem.setting for problem in config.problems} <= set(environ)
