"""Settings: the meaning of each value, the report and fallback for an invalid one, and changes of the environment.

Most tests use the fixture *settings*, a fresh copy of the module. Otherwise, mutation tests would not
notice a change of the code that builds the table, which runs when the module is imported.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certhook import _config, _path_values
from certhook.exceptions import CerthookError, ConfigurationError

ROOT = os.path.abspath(os.sep)
ONE, TWO = os.path.join(ROOT, "one.pem"), os.path.join(ROOT, "two.pem")
LIST = os.pathsep.join([ONE, TWO])
CERTIFI, PIP, HTTPLIB2 = "certifi/cacert.pem", "pip/_vendor/certifi/cacert.pem", "httplib2/cacerts.txt"
ACME = "acme_sdk/data/cacert.pem"


@pytest.fixture
def settings() -> ModuleType:
    """A fresh copy of the module, which the test executes."""
    spec = importlib.util.find_spec("certhook._config")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# Defaults.

DEFAULTS = {
    "SSL_CERT_FILE": ("cert_file", None),
    "SSL_CERT_DIR": ("cert_dir", None),
    "NIX_SSL_CERT_FILE": ("nix_cert_file", None),
    "CERTHOOK_DISABLED": ("disabled", False),
    "CERTHOOK_SOURCES": ("sources", ("system", "bundled")),
    "CERTHOOK_MODE": ("mode", "chain"),
    "CERTHOOK_EXTRA_CA_CERTS": ("extra", ()),
    "CERTHOOK_BUNDLE": ("bundle", None),
    "CERTHOOK_ADOPT": ("adopt", None),
    "CERTHOOK_REMOVED": ("removed", "adopted"),
    "CERTHOOK_CLIENTS": ("clients", ("httpcore2", "pyopenssl", "grpc", "wassima")),
    "CERTHOOK_LOAD": ("load", "lazy"),
    "CERTHOOK_NAMED_FILES": ("named_files", True),
    "CERTHOOK_STORE_DIR": ("store_dir", None),
    "CERTHOOK_X509_STRICT": ("x509_strict", True),
    "CERTHOOK_VERIFY": ("verify", None),
    "CERTHOOK_EXPLAIN": ("explain", True),
    "CERTHOOK_ON_ERROR": ("on_error", "warn"),
    "CERTHOOK_DEBUG": ("debug", False),
}
SELECT_ROOTS = {
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NIX_SSL_CERT_FILE",
    "CERTHOOK_SOURCES",
    "CERTHOOK_MODE",
    "CERTHOOK_EXTRA_CA_CERTS",
    "CERTHOOK_BUNDLE",
    "CERTHOOK_ADOPT",
    "CERTHOOK_REMOVED",
}


def assert_defaults(config: object) -> None:
    """Assert that every setting of *config* has its default."""
    assert {name: (attribute, getattr(config, attribute)) for name, (attribute, _) in DEFAULTS.items()} == DEFAULTS
    assert config.problems == []


def test_without_variables_every_setting_has_its_default(settings) -> None:
    config = settings.Config({"PATH": "/bin", "HOME": "/"})
    assert_defaults(config)
    assert not config.overrides_system


def test_the_table_describes_every_setting(settings) -> None:
    assert {setting.name: setting.attribute for setting in settings.SETTINGS} == {
        name: attribute for name, (attribute, _) in DEFAULTS.items()
    }
    assert {setting.name for setting in settings.SETTINGS if setting.selects_roots} == SELECT_ROOTS
    assert (*[setting.name for setting in settings.SETTINGS], "CERTHOOK_CACHE_DIR") == settings.VARIABLES
    assert not any(setting.description[0].isupper() for setting in settings.SETTINGS)


@pytest.mark.parametrize("variable", [name for name in DEFAULTS if name.startswith("CERTHOOK_")])
def test_an_empty_variable_counts_as_unset(settings, variable: str) -> None:
    attribute, default = DEFAULTS[variable]
    config = settings.Config({variable: ""})
    assert (getattr(config, attribute), config.problems) == (default, [])


# Valid values.

VALID = [
    ("SSL_CERT_FILE", ONE, ONE),
    ("SSL_CERT_FILE", "", ""),
    ("SSL_CERT_FILE", "relative.pem", "relative.pem"),
    ("SSL_CERT_DIR", "", ""),
    ("SSL_CERT_DIR", LIST, LIST),
    ("NIX_SSL_CERT_FILE", "", None),
    ("NIX_SSL_CERT_FILE", ONE, ONE),
    ("NIX_SSL_CERT_FILE", LIST, LIST),
    ("NIX_SSL_CERT_FILE", os.path.join(ROOT, "a b"), os.path.join(ROOT, "a b")),
    ("CERTHOOK_BUNDLE", LIST, LIST),
    ("CERTHOOK_EXTRA_CA_CERTS", ONE, (ONE,)),
    ("CERTHOOK_EXTRA_CA_CERTS", f"{os.pathsep}{LIST}{os.pathsep}{os.pathsep}", (ONE, TWO)),
    ("CERTHOOK_EXTRA_CA_CERTS", os.path.join(ROOT, " a b "), (os.path.join(ROOT, " a b "),)),
    ("CERTHOOK_STORE_DIR", TWO, TWO),
    ("CERTHOOK_STORE_DIR", "none", ""),
    ("CERTHOOK_STORE_DIR", " None\t", ""),
    ("CERTHOOK_CLIENTS", "grpc, PyOpenSSL,", ("grpc", "pyopenssl")),
    ("CERTHOOK_CLIENTS", " None ", ()),
    ("CERTHOOK_CLIENTS", "grpc,none", ()),
    ("CERTHOOK_SOURCES", "bundled", ("bundled",)),
    ("CERTHOOK_SOURCES", "bundled,system", ("bundled", "system")),
    ("CERTHOOK_SOURCES", " Bundled ,, SYSTEM\t,", ("bundled", "system")),
    ("CERTHOOK_SOURCES", "system,system", ("system",)),
    ("CERTHOOK_SOURCES", "extra,bundled", ("bundled",)),
    ("CERTHOOK_SOURCES", "extra", ()),
    ("CERTHOOK_SOURCES", " ", ("system", "bundled")),
    ("CERTHOOK_ADOPT", "pip", (PIP,)),
    ("CERTHOOK_ADOPT", "HTTPlib2,certifi , certifi", (HTTPLIB2, CERTIFI)),
    ("CERTHOOK_ADOPT", "botocore", ("botocore/cacert.pem", "botocore/vendored/requests/cacert.pem")),
    ("CERTHOOK_ADOPT", "ibm-botocore", ("ibm_botocore/cacert.pem",)),
    ("CERTHOOK_ADOPT", f"{ACME}, certifi", (ACME, CERTIFI)),
    ("CERTHOOK_ADOPT", f"{CERTIFI},certifi,Acme/CA Roots.PEM", (CERTIFI, "Acme/CA Roots.PEM")),
    ("CERTHOOK_ADOPT", " None ", ()),
    ("CERTHOOK_ADOPT", "certifi,none", ()),
    ("CERTHOOK_MODE", " FALLBACK ", "fallback"),
    ("CERTHOOK_MODE", "chain", "chain"),
    ("CERTHOOK_MODE", " ", "chain"),
    *[("CERTHOOK_REMOVED", word, word.lower()) for word in ("adopted", "Drop", "KEEP")],
    ("CERTHOOK_LOAD", "Eager", "eager"),
    ("CERTHOOK_LOAD", "lazy", "lazy"),
    *[("CERTHOOK_VERIFY", word, "native") for word in ("native", " Native ")],
    ("CERTHOOK_VERIFY", " ", None),
    ("CERTHOOK_ON_ERROR", "Raise", "raise"),
    ("CERTHOOK_ON_ERROR", "warn", "warn"),
    *[("CERTHOOK_DEBUG", word, True) for word in ("1", "true", " YES ", "on")],
    *[("CERTHOOK_DEBUG", word, False) for word in ("0", "false", " No ", "off", " ")],
    *[("CERTHOOK_NAMED_FILES", word, False) for word in ("0", "FALSE", "no", "off")],
    *[("CERTHOOK_X509_STRICT", word, False) for word in ("0", "FALSE", "no", "off")],
    *[("CERTHOOK_X509_STRICT", word, True) for word in ("1", "True", "yes", "on", " ")],
    *[("CERTHOOK_DISABLED", word, True) for word in ("1", "true", "yes", "on", "anything", " 2 ")],
    *[("CERTHOOK_DISABLED", word, False) for word in ("0", "false", " No ", "OFF", " ")],
]


@pytest.mark.parametrize(("variable", "value", "expected"), VALID)
def test_a_valid_value_is_converted(settings, variable: str, value: str, expected: object) -> None:
    config = settings.Config({variable: value})
    assert getattr(config, DEFAULTS[variable][0]) == expected
    assert config.problems == []


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
@pytest.mark.parametrize("value", [ONE, ""])
def test_a_replaced_system_store_excludes_the_bundle_unless_it_is_named(settings, variable: str, value: str) -> None:
    config = settings.Config({variable: value})
    assert (config.overrides_system, config.sources) == (True, ("system",))
    config = settings.Config({variable: value, "CERTHOOK_SOURCES": "system,bundled"})
    assert config.sources == ("system", "bundled")


def test_nix_ssl_cert_file_does_not_exclude_the_bundle(settings) -> None:
    assert settings.Config({"NIX_SSL_CERT_FILE": ONE}).sources == ("system", "bundled")


# Requests for public bundles.


@pytest.fixture
def conda(monkeypatch: pytest.MonkeyPatch) -> str:
    """The OpenSSL directory of an active conda environment."""
    monkeypatch.setenv("CONDA_PREFIX", os.path.join(ROOT, "opt", "conda"))
    return os.path.join(ROOT, "opt", "conda", "ssl")


def test_condas_bundle_in_ssl_cert_file_requests_the_usual_roots(settings, conda) -> None:
    bundle = os.path.join(conda, "cacert.pem")
    config = settings.Config({"SSL_CERT_FILE": bundle, "SSL_CERT_DIR": os.path.join(conda, "certs")})
    assert (config.named, config.overrides_system, config.sources) == (bundle, False, ("system", "bundled"))
    assert settings.Config({"SSL_CERT_FILE": bundle}).named == bundle


@pytest.mark.parametrize(
    "variables",
    [
        {"SSL_CERT_DIR": ONE},
        {"SSL_CERT_DIR": ""},
        {"SSL_CERT_FILE": "{conda}/other.pem"},
        {"SSL_CERT_FILE": "{conda}/../cacert.pem"},
        {"CERTHOOK_ADOPT": "none"},
        {"CERTHOOK_MODE": "fallback"},
        {"CERTHOOK_SOURCES": "system"},
        {"CERTHOOK_BUNDLE": ONE},
    ],
)
def test_other_variables_beside_condas_bundle_are_taken_literally(settings, conda, variables) -> None:
    values = {"SSL_CERT_FILE": os.path.join(conda, "cacert.pem"), **variables}
    config = settings.Config({name: value.format(conda=conda) for name, value in values.items()})
    assert (config.named, config.overrides_system, config.sources) == (None, True, ("system",))


@pytest.mark.parametrize("prefix", ["", "opt/conda"])
def test_a_relative_conda_prefix_names_no_bundle(settings, monkeypatch, prefix: str) -> None:
    monkeypatch.setenv("CONDA_PREFIX", prefix)
    assert settings.Config({"SSL_CERT_FILE": os.path.join(prefix, "ssl", "cacert.pem")}).named is None


def test_a_request_for_a_public_bundle_includes_it_although_variables_replace_the_system_store(settings) -> None:
    config = settings.Config({"SSL_CERT_FILE": ONE})
    request = config.adopting("pip")
    assert (request.requested, request.named, request.overrides_system, request.sources) == (
        "pip",
        "pip",
        True,
        ("system", "bundled"),
    )
    assert (config.requested, config.named, config.sources) == (None, None, ("system",))
    assert config.adopting("pip") is request
    assert config.adopting(None) is config


def test_a_request_for_a_public_bundle_excludes_a_source_that_the_settings_omit(settings) -> None:
    config = settings.Config({"SSL_CERT_FILE": ONE, "CERTHOOK_SOURCES": "system"})
    assert config.adopting("certifi").sources == ("system",)


def test_literal_variables_replace_the_system_store(settings, conda) -> None:
    config = settings.Config({"SSL_CERT_FILE": os.path.join(conda, "cacert.pem")})
    literal = config.literal()
    assert (literal.named, literal.overrides_system, literal.sources) == (None, True, ("system",))
    assert not config.adopting("pip").overrides_system
    assert literal.literal() is literal


# Invalid values.

INVALID = [
    ("CERTHOOK_MODE", "Chained", "fallback", ["'Chained'", "chain or fallback", "using fallback"]),
    ("CERTHOOK_LOAD", "1", "lazy", ["'1'", "lazy or eager", "using lazy"]),
    ("CERTHOOK_VERIFY", "1", None, ["'1'", "native", "OpenSSL verifies"]),
    ("CERTHOOK_ON_ERROR", "ignore", "warn", ["'ignore'", "warn or raise", "using warn"]),
    ("CERTHOOK_DEBUG", "2", False, ["'2'", "0 or 1", "using 0"]),
    ("CERTHOOK_X509_STRICT", "maybe", True, ["'maybe'", "0 or 1", "using 1"]),
    ("CERTHOOK_SOURCES", "Sytem", (), ["'Sytem'", "'sytem'", "system or bundled or extra", "using none"]),
    ("CERTHOOK_SOURCES", "system,x,y,system", ("system",), ["'x'", "using system"]),
    ("CERTHOOK_SOURCES", "bundled,x,system", ("bundled", "system"), ["'x'", "using bundled,system"]),
    ("CERTHOOK_SOURCES", "system;bundled", (), ["'system;bundled'", "separated by commas"]),
    ("CERTHOOK_SOURCES", ",", (), ["','", "''", "using none"]),
    ("CERTHOOK_REMOVED", "none", "drop", ["'none'", "adopted or drop or keep", "using drop"]),
    (
        "CERTHOOK_CLIENTS",
        "requests",
        (),
        ["'requests'", "httpcore2 or pyopenssl or grpc or wassima or none", "using none"],
    ),
    ("CERTHOOK_CLIENTS", "grpc,httpx", ("grpc",), ["'httpx'", "using grpc"]),
    ("CERTHOOK_CLIENTS", ",", (), ["','", "using none"]),
    ("CERTHOOK_ADOPT", "httpx", (), ["'httpx'", "certifi or pip or botocore or httplib2 or ", "or none", "using none"]),
    ("CERTHOOK_ADOPT", "pip,httpx", (PIP,), ["'httpx'", "using pip"]),
    ("CERTHOOK_ADOPT", ",", (), ["','", "''", "using none"]),
    ("CERTHOOK_ADOPT", f"/{ACME},{ACME}", (ACME,), [f"'/{ACME}'", "package/cacert.pem", f"using {ACME}"]),
    *(
        ("CERTHOOK_ADOPT", path, (), [repr(path), "package/cacert.pem", "using none"])
        for path in (
            "../cacert.pem",
            "acme_sdk/../cacert.pem",
            "acme_sdk/./cacert.pem",
            "acme_sdk//cacert.pem",
            "acme_sdk/",
            "acme-sdk/cacert.pem",
            "acme.sdk/cacert.pem",
            "acme_sdk/C:/cacert.pem",
            "acme_sdk/..\\cacert.pem",
        )
    ),
    ("CERTHOOK_EXTRA_CA_CERTS", "corporate.pem", (), ["'corporate.pem'", "relative", "absolute"]),
    ("CERTHOOK_EXTRA_CA_CERTS", "~/corporate.pem", (), ["'~/corporate.pem'", "relative"]),
    ("CERTHOOK_EXTRA_CA_CERTS", f"{ONE}{os.pathsep}b.pem{os.pathsep}{TWO}", (ONE, TWO), ["'b.pem'", "relative"]),
    ("CERTHOOK_BUNDLE", "bundle.pem", "", ["'bundle.pem'", "relative"]),
    ("CERTHOOK_STORE_DIR", "cache", None, ["'cache'", "relative"]),
    ("CERTHOOK_STORE_DIR", ".", None, ["'.'", "relative"]),
    ("NIX_SSL_CERT_FILE", "x.pem", None, ["'x.pem'", "relative"]),
]


@pytest.mark.parametrize(("variable", "value", "expected", "words"), INVALID)
def test_an_invalid_value_is_reported_and_never_widens_trust(settings, variable, value, expected, words) -> None:
    config = settings.Config({variable: value})
    assert getattr(config, DEFAULTS[variable][0]) == expected
    (problem,) = config.problems
    assert isinstance(problem, ConfigurationError) and isinstance(problem, CerthookError)
    assert problem.setting == variable
    assert str(problem) == f"{variable}: {problem.message}"
    assert [word for word in words if word not in problem.message] == []


def test_each_invalid_path_of_a_list_is_reported_and_the_valid_ones_are_kept(settings) -> None:
    value = os.pathsep.join(["a.pem", ONE, os.path.join(".", "b.pem"), TWO])
    config = settings.Config({"CERTHOOK_EXTRA_CA_CERTS": value})
    assert config.extra == (ONE, TWO)
    assert len(config.problems) == 2


def test_an_invalid_list_of_sources_does_not_include_the_bundle(settings) -> None:
    config = settings.Config({"SSL_CERT_FILE": ONE, "CERTHOOK_SOURCES": "everything"})
    assert config.sources == ()


def test_every_invalid_value_is_reported(settings) -> None:
    config = settings.Config(dict.fromkeys(DEFAULTS, "x"))
    valid = {"SSL_CERT_FILE", "SSL_CERT_DIR", "CERTHOOK_DISABLED"}
    assert {problem.setting for problem in config.problems} == set(DEFAULTS) - valid


# URLs and PEM text, parts of which look like paths.

PATHS = [
    "",
    ONE,
    LIST,
    "relative.pem",
    os.path.join(ROOT, "user@host", "one.pem"),
    os.path.join(ROOT, "a b", "ü.pem"),
    f"{ROOT}//one.pem",
    "-----",
    "BEGIN CERTIFICATE",
    "LS0t",
    "lS0tLS1CRUdJT",
]
OTHERS = [
    "https://example.com/ca.pem",
    "file:///one.pem",
    "//user:password@host/ca.pem",
    f"{ONE}{os.pathsep}https://example.com/ca.pem",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
    "-----BEGIN PRIVATE KEY-----",
    f"{ONE}{os.pathsep}-----BEGIN CERTIFICATE-----",
    "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t",
    "x=LS0tLS1CRUdJTg==",
]
PATH_SETTINGS = {
    "NIX_SSL_CERT_FILE": None,
    "CERTHOOK_EXTRA_CA_CERTS": (),
    "CERTHOOK_BUNDLE": "",
    "CERTHOOK_STORE_DIR": None,
}


@pytest.mark.parametrize("value", PATHS)
def test_a_value_without_a_url_and_without_pem_may_be_paths(value: str) -> None:
    assert _path_values.may_be_paths(value)


@pytest.mark.parametrize("value", OTHERS)
def test_a_value_with_a_url_or_pem_does_not_consist_of_paths(value: str) -> None:
    assert not _path_values.may_be_paths(value)


@pytest.mark.parametrize("value", OTHERS)
@pytest.mark.parametrize("variable", PATH_SETTINGS)
def test_no_part_of_a_url_or_of_pem_text_is_used_as_a_path(settings, variable: str, value: str) -> None:
    config = settings.Config({variable: value})
    assert getattr(config, DEFAULTS[variable][0]) == PATH_SETTINGS[variable]
    (problem,) = config.problems
    assert problem.setting == variable
    assert problem.message
    for secret in ("password", "MIIB", "LS0tLS1CRUdJT"):
        assert secret not in str(problem)


# Purposes.


def test_only_server_authentication_has_the_bit_of_servers(settings) -> None:
    bits = [settings.purpose_bit(f"1.3.6.1.5.5.7.3.{number}") for number in (1, 2, 3)]
    assert bits == [settings.SERVER_AUTH, settings.CLIENT_AUTH, settings.CLIENT_AUTH]


# The environment of the process.


@pytest.mark.parametrize("variable", DEFAULTS)
def test_a_change_of_any_variable_is_detected(settings, variable: str, monkeypatch) -> None:
    before = settings.current()
    assert settings.current() is before
    monkeypatch.setenv(variable, "1")
    assert settings.current() is not before
    assert settings.last() is settings.current()
    monkeypatch.delenv(variable)
    assert settings.current() is not before


def test_variables_lists_every_variable_that_the_configuration_reads(settings) -> None:
    class RecordingEnviron(dict):
        def get(self, name: str, default: object = None) -> object:
            self[name] = default
            return default

    environ = RecordingEnviron()
    settings.Config(environ)
    assert set(environ) == set(settings.VARIABLES)


def test_an_unknown_variable_has_no_effect(settings, monkeypatch) -> None:
    before = settings.current()
    monkeypatch.setenv("CERTHOOK_UNKNOWN", "1")
    assert settings.current() is before


def test_last_reads_the_environment_only_if_no_context_has_read_it(settings, monkeypatch) -> None:
    monkeypatch.setenv("CERTHOOK_MODE", "fallback")
    assert settings.last().mode == "fallback"
    monkeypatch.setenv("CERTHOOK_MODE", "chain")
    assert settings.last().mode == "fallback"


def test_a_replaced_os_environ_is_read_and_values_that_are_not_text_are_ignored(settings, monkeypatch) -> None:
    monkeypatch.setattr(os, "environ", {"CERTHOOK_MODE": "fallback", "SSL_CERT_FILE": 5, "CERTHOOK_LOAD": b"eager"})
    config = settings.current()
    assert (config.mode, config.cert_file, config.load, config.problems) == ("fallback", None, "eager", [])


@pytest.mark.skipif(sys.platform == "win32", reason="variables are text on Windows")
def test_a_path_of_arbitrary_bytes_is_kept(settings, monkeypatch) -> None:
    monkeypatch.setenv("CERTHOOK_EXTRA_CA_CERTS", os.fsdecode(b"/\xff\xfe.pem"))
    assert [os.fsencode(path) for path in settings.current().extra] == [b"/\xff\xfe.pem"]


@pytest.fixture
def every_variable(settings, monkeypatch) -> None:
    """Set every variable, most of them to an invalid value."""
    for name in DEFAULTS:
        monkeypatch.setenv(name, ONE)
    assert settings.current().problems
    assert settings.is_disabled()


def test_a_host_may_exclude_the_environment(settings, every_variable, monkeypatch) -> None:
    monkeypatch.setattr(settings.process, "use_environment", False)
    assert_defaults(settings.current())


@pytest.mark.parametrize("is_privileged", [False, True])
def test_a_privileged_process_ignores_the_environment(settings, every_variable, is_privileged, monkeypatch) -> None:
    monkeypatch.setattr(settings, "is_privileged", lambda: is_privileged)
    if is_privileged:
        assert_defaults(settings.current())
    else:
        assert settings.current().cert_file == ONE
    assert settings.is_disabled() is not is_privileged


@pytest.mark.parametrize("value", [None, "", "0", "false", "no", " Off ", " "])
def test_certhook_is_enabled_by_default_and_by_a_negative_value(settings, value: str | None, monkeypatch) -> None:
    if value is not None:
        monkeypatch.setenv("CERTHOOK_DISABLED", value)
    assert settings.is_disabled() is False


@pytest.mark.parametrize("value", ["1", "true", "yes", "on", "anything", " 1 "])
def test_any_other_value_disables_certhook(settings, value: str, monkeypatch) -> None:
    monkeypatch.setenv("CERTHOOK_DISABLED", value)
    assert settings.is_disabled() is True


# Arbitrary environments.

WORDS = st.sampled_from(
    ["", ",", ";", " ", ONE, os.pathsep, "none", "0", "raise", *_config.SOURCES, "certifi", "pip", ACME, "/"]
)
VALUES = st.lists(st.one_of(WORDS, st.text(st.characters(exclude_characters="\0"), max_size=6)), max_size=5).map(
    "".join
)


@given(st.dictionaries(st.sampled_from(_config.VARIABLES), VALUES))
def test_any_environment_results_in_a_configuration_without_additional_trust(environ) -> None:
    config = _config.Config(environ)
    named = {name.strip().lower() for name in environ.get("CERTHOOK_SOURCES", "").split(",")} - {""}
    assert set(config.sources) <= (named or set(_config.SOURCES)) & set(_config.SOURCES)
    if config.overrides_system and "bundled" not in named:
        assert "bundled" not in config.sources
    assert config.adopt is not None or not environ.get("CERTHOOK_ADOPT", "").strip()
    for bundle in config.adopt or ():
        entries = [entry.strip() for entry in environ["CERTHOOK_ADOPT"].split(",")]
        assert bundle in entries or bundle.partition("/")[0] in map(str.lower, entries)
        assert ".." not in bundle.split("/") and not os.path.isabs(bundle)
    assert all(map(os.path.isabs, config.extra))
    assert {problem.setting for problem in config.problems} <= set(environ)
