"""The system-wide settings file: variables narrow it, and never widen it."""

from __future__ import annotations

import os
import ssl
import stat
import sys
import time
import types
from pathlib import Path
from typing import Callable

import pytest
from root_files import ROOTS, bundle, letters_of, problems_of, read, watched_paths

import certhook
from certhook import _config, _patch, cli
from certhook._clients import grpc, wassima
from certhook._config import CLIENT_AUTH, SERVER_AUTH, SETTINGS, VARIABLES, Config
from certhook._public_bundles import BUNDLES, CERTIFI
from certhook._sources import limits, read_trust_set, settings_file
from certhook._state import process
from certhook.cli import main
from certhook.exceptions import CerthookWarning

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")


class File:
    """The settings file of a test."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, text: str | bytes) -> Path:
        """Write the file."""
        self.path.write_bytes(text.encode() if isinstance(text, str) else text)
        self.path.chmod(0o644)
        return self.path


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> File:
    """The settings file of a machine on which the user of the tests is the superuser."""
    directory = tmp_path / "settings"
    directory.mkdir(mode=0o755)
    path = directory / "certhook.conf"
    monkeypatch.setattr(settings_file, "location", lambda: str(path))
    monkeypatch.setattr(settings_file, "_OWNERS", (0, getattr(os, "getuid", int)()))
    return File(path)


@pytest.fixture
def roots(machine: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with the root *a* in the system's store, *b* in the bundle, and files with others."""
    bundle(machine / "first.pem", "a")
    for letter in "bcde":
        bundle(machine / f"{letter}.pem", letter)
    (machine / "certifi").mkdir()
    monkeypatch.setattr("certhook._sources.bundled._read_package", lambda *args, **options: None)
    return machine


def limited(text: str, file: File, **variables: str) -> tuple[Config, list[str]]:
    """Return the settings on a machine with a file, and the names of the variables that exceed it."""
    file(text)
    config, problems = limits.limited(Config(variables), settings_file.load())
    return config, [problem.setting for problem in problems]


# The text of the file, the variables, the attribute with its expected value, and whether the variable is reported.
ALL = ("system", "bundled")
CASES = (
    # sources
    ("sources = system", {}, "sources", ("system",), False),
    ("sources = system", {"CERTHOOK_SOURCES": "system"}, "sources", ("system",), False),
    ("sources = system", {"CERTHOOK_SOURCES": "system,bundled"}, "sources", ("system",), True),
    ("sources = system", {"CERTHOOK_SOURCES": "bundled"}, "sources", (), True),
    ("sources = system", {"CERTHOOK_SOURCES": "nonsense"}, "sources", (), False),
    ("sources = system", {"CERTHOOK_SOURCES": "extra"}, "sources", (), False),
    ("sources = system,bundled", {"CERTHOOK_SOURCES": "bundled"}, "sources", ("bundled",), False),
    ("sources = system,bundled", {"CERTHOOK_SOURCES": "bundled,system"}, "sources", ("bundled", "system"), False),
    ("sources = extra", {"CERTHOOK_SOURCES": "system"}, "sources", (), True),
    ("sources = bundled,system", {}, "sources", ("bundled", "system"), False),
    # OpenSSL's variables have the effect that they have on stock Python.
    ("sources = system,bundled", {"SSL_CERT_FILE": "/x.pem"}, "sources", ("system",), False),
    ("sources = bundled", {"SSL_CERT_FILE": "/x.pem"}, "sources", ("system",), False),
    ("sources = extra", {"SSL_CERT_DIR": "/x"}, "sources", ("system",), False),
    ("sources = system", {"SSL_CERT_DIR": "/x", "CERTHOOK_SOURCES": "system,bundled"}, "sources", ("system",), True),
    # With fallback, the second source is used only if the first one is empty: omitting the first would widen trust.
    ("sources = system,bundled\nmode = fallback", {"CERTHOOK_SOURCES": "bundled"}, "sources", (), True),
    ("sources = system,bundled\nmode = fallback", {"CERTHOOK_SOURCES": "system"}, "sources", ("system",), False),
    ("sources = system,bundled\nmode = fallback", {"CERTHOOK_SOURCES": "bundled,system"}, "sources", ALL, True),
    ("mode = fallback\nsources = bundled,system", {"SSL_CERT_FILE": "/x.pem"}, "sources", ("system",), False),
    ("sources = system", {"CERTHOOK_SOURCES": " "}, "sources", ("system",), False),
    # mode
    ("mode = fallback", {}, "mode", "fallback", False),
    ("mode = fallback", {"CERTHOOK_MODE": "fallback"}, "mode", "fallback", False),
    ("mode = fallback", {"CERTHOOK_MODE": "chain"}, "mode", "fallback", True),
    ("mode = chain", {"CERTHOOK_MODE": "fallback"}, "mode", "fallback", False),
    ("mode = chain", {"CERTHOOK_MODE": "nonsense"}, "mode", "fallback", False),
    # removed
    ("removed = adopted", {"CERTHOOK_REMOVED": "keep"}, "removed", "adopted", True),
    ("removed = adopted", {"CERTHOOK_REMOVED": "drop"}, "removed", "drop", False),
    ("removed = drop", {}, "removed", "drop", False),
    ("removed = drop", {"CERTHOOK_REMOVED": "adopted"}, "removed", "drop", True),
    ("removed = keep", {}, "removed", "keep", False),
    ("removed = keep", {"CERTHOOK_REMOVED": "adopted"}, "removed", "adopted", False),
    ("removed = keep", {"CERTHOOK_REMOVED": "keep"}, "removed", "keep", False),
    # extra
    ("extra_ca_certs = {a}", {}, "extra", ("{a}",), False),
    ("extra_ca_certs = {a}:{b}", {"CERTHOOK_EXTRA_CA_CERTS": "{b}"}, "extra", ("{b}",), False),
    ("extra_ca_certs = {a}:{b}", {"CERTHOOK_EXTRA_CA_CERTS": "{a}:{b}"}, "extra", ("{a}", "{b}"), False),
    ("extra_ca_certs = {a}", {"CERTHOOK_EXTRA_CA_CERTS": "{a}:{b}"}, "extra", ("{a}",), True),
    ("extra_ca_certs = {a}", {"CERTHOOK_EXTRA_CA_CERTS": "{b}"}, "extra", (), True),
    ("extra_ca_certs = {a}", {"CERTHOOK_EXTRA_CA_CERTS": "relative"}, "extra", (), False),
    ("extra_ca_certs = {a}", {"CERTHOOK_EXTRA_CA_CERTS": "{a}/../b.pem"}, "extra", (), True),
    ("extra_ca_certs = none", {"CERTHOOK_EXTRA_CA_CERTS": "{a}"}, "extra", (), True),
    # bundle
    ("bundle = {a}", {}, "bundle", "{a}", False),
    ("bundle = {a}", {"CERTHOOK_BUNDLE": "{a}"}, "bundle", "{a}", False),
    ("bundle = {a}", {"CERTHOOK_BUNDLE": "{b}"}, "bundle", "{a}", True),
    ("bundle = {a}", {"CERTHOOK_BUNDLE": "relative"}, "bundle", "", False),
    ("bundle = certifi", {"CERTHOOK_BUNDLE": "{b}"}, "bundle", None, True),
    # adopt
    ("adopt = certifi", {}, "adopt", ("certifi/cacert.pem",), False),
    ("adopt = certifi", {"CERTHOOK_ADOPT": "certifi"}, "adopt", ("certifi/cacert.pem",), False),
    ("adopt = certifi", {"CERTHOOK_ADOPT": "none"}, "adopt", (), False),
    ("adopt = certifi", {"CERTHOOK_ADOPT": "certifi,own/x.pem"}, "adopt", ("certifi/cacert.pem",), True),
    ("adopt = certifi,own/x.pem", {"CERTHOOK_ADOPT": "own/x.pem"}, "adopt", ("own/x.pem",), False),
    ("adopt = none", {"CERTHOOK_ADOPT": "certifi"}, "adopt", (), True),
    ("adopt = none", {"CERTHOOK_ADOPT": "nonsense"}, "adopt", (), False),
    # Settings that the file lacks are governed by variables.
    ("mode = chain", {"CERTHOOK_SOURCES": "bundled"}, "sources", ("bundled",), False),
    ("sources = system", {"CERTHOOK_EXTRA_CA_CERTS": "{a}"}, "extra", ("{a}",), False),
    ("# only a comment", {"CERTHOOK_REMOVED": "keep"}, "removed", "keep", False),
)  # fmt: skip


@pytest.mark.parametrize(("text", "variables", "attribute", "expected", "is_reported"), CASES)
def test_a_variable_narrows_the_file_and_is_reported_if_it_allows_more(
    text, variables, attribute, expected, is_reported, file, tmp_path
) -> None:
    paths = {"a": str(tmp_path / "a.pem"), "b": str(tmp_path / "b.pem")}

    def fill(value: object) -> object:
        if isinstance(value, tuple):
            return tuple(map(fill, value))
        return value.replace(":{", os.pathsep + "{").format(**paths) if isinstance(value, str) else value

    config, exceeded = limited(fill(text), file, **{name: fill(value) for name, value in variables.items()})
    assert getattr(config, attribute) == fill(expected)
    variable = next(setting.name for setting in SETTINGS if setting.attribute == attribute)
    assert exceeded == ([variable] if is_reported else [])
    # Without the variables, the file adds roots, but never beyond itself.
    assert settings_file.load().problems == []


def test_the_cases_cover_every_setting_of_the_file() -> None:
    attributes = {setting.attribute for setting in limits.NAMES.values()}
    assert attributes == {attribute for _, _, attribute, _, _ in CASES}
    assert set(limits.NAMES) == {"sources", "mode", "extra_ca_certs", "bundle", "adopt", "removed"}


def width(config: Config) -> dict[str, set[object]]:
    """Return what each setting allows, as sets: a setting is narrower than another if its set is a subset."""
    orders = {"mode": ("fallback", "chain"), "removed": ("drop", "adopted", "keep")}
    found = {name: set(order[: order.index(getattr(config, name)) + 1]) for name, order in orders.items()}
    adopt = BUNDLES if config.adopt is None else config.adopt
    bundle = set() if config.bundle == "" else {config.bundle}
    return {**found, "sources": set(config.sources), "extra": set(config.extra), "adopt": set(adopt), "bundle": bundle}


VALUES = {
    "sources": ("system", "bundled", "system,bundled", "bundled,system", "extra", "nonsense"),
    "mode": ("chain", "fallback", "nonsense"),
    "extra_ca_certs": ("/a.pem", "/b.pem", "/a.pem:/b.pem", "relative", "none"),
    "bundle": ("/a.pem", "/b.pem", "relative"),
    "adopt": ("certifi", "certifi,own/x.pem", "own/x.pem", "none", "nonsense"),
    "removed": ("keep", "adopted", "drop", "nonsense"),
}


@posix
@pytest.mark.parametrize("name", VALUES)
def test_no_value_of_a_variable_widens_any_value_in_the_file(name: str, file: File) -> None:
    setting = limits.NAMES[name]
    for text in VALUES[name]:
        alone = width(limited(f"{name} = {text}", file)[0])[setting.attribute]
        for value in VALUES[name]:
            both = width(limited(f"{name} = {text}", file, **{setting.name: value})[0])[setting.attribute]
            assert both <= alone, (text, value)


FAULTS = {
    "sorces = system": "line 1: 'sorces' is not a setting; did you mean sources?",
    "CERTHOOK_SOURCES = system": "line 1: 'CERTHOOK_SOURCES' is not a setting; did you mean sources?",
    "Sources = system": "line 1: 'Sources' is not a setting; did you mean sources?",
    "\n\nload = eager": "line 3: load cannot be set in this file; set the variable CERTHOOK_LOAD",
    "disabled = 1": "line 1: disabled cannot be set in this file; set the variable CERTHOOK_DISABLED",
    "ssl_cert_file = /x": "line 1: SSL_CERT_FILE cannot be set in this file; set the variable SSL_CERT_FILE",
    "unknown = 1": "line 1: 'unknown' is not a setting (sources, mode, extra_ca_certs, bundle, adopt, removed)",
    "system": "line 1: 'system' is not 'name = value'",
    "sources =": "line 1: sources has no value; remove the line",
    "sources = system, bundeld": "line 1: sources: 'system, bundeld' contains 'bundeld' (expected system or bundled",
    "mode = chian": "line 1: mode: invalid value 'chian' (expected chain or fallback); using fallback",
    "mode = chain # all": "a comment needs a line of its own",
    "extra_ca_certs = ca.pem": "line 1: extra_ca_certs: 'ca.pem' is a relative path and is ignored; use an absolute",
    "mode = chain\nmode = fallback": "line 2: mode: mode is already set in line 1; remove one of these lines",
}


@pytest.mark.parametrize("text", FAULTS)
def test_a_fault_is_reported_with_its_line_and_no_variable_widens_the_defaults(text, file, tmp_path) -> None:
    file(text)
    found = settings_file.load()
    assert found.state == limits.USED
    (problem,) = found.problems
    assert problem.path == str(file.path)
    assert FAULTS[text] in problem.message
    wide = {
        "CERTHOOK_EXTRA_CA_CERTS": str(tmp_path / "a.pem"),
        "CERTHOOK_BUNDLE": str(tmp_path / "b.pem"),
        "CERTHOOK_ADOPT": "own/x.pem",
        "CERTHOOK_REMOVED": "keep",
    }
    config, exceeded = limits.limited(Config(wide), found)
    assert (config.extra, config.bundle, config.adopt, config.removed) == ((), None, (), "adopted")
    assert exceeded and {problem.setting for problem in exceeded} == set(wide)
    assert config.mode == ("fallback" if "mode" in text else "chain")


def test_the_other_lines_of_a_file_with_a_fault_count(file: File) -> None:
    config, _ = limited("nonsense\nsources = system\n\xff = \ud7ff\nmode = fallback\n", file)
    assert (config.sources, config.mode) == (("system",), "fallback")
    assert len(settings_file.load().problems) == 2


def test_of_two_lines_with_the_same_name_both_limit_trust(file: File) -> None:
    config, _ = limited("bundle = /a.pem\nbundle = /b.pem\nsources = system\nsources = bundled\n", file)
    assert (config.bundle, config.sources) == ("", ())


@pytest.mark.parametrize(
    "text",
    ["sources = system\n", "\ufeffsources=system", "  sources  =  system  \r\n", "# x\r\n\r\nsources = SYSTEM\r\n"],
)
def test_white_space_comments_and_line_ends_have_no_effect(text: str, file: File) -> None:
    config, exceeded = limited(text, file)
    assert (config.sources, exceeded) == (("system",), [])
    assert settings_file.load().problems == []


def test_any_content_is_reported_without_an_exception(file: File) -> None:
    started = time.monotonic()
    for content in (
        b"x=1\n" * 16000,
        b"\0\xff\xfe" * 100,
        os.urandom(4096),
        b"=\n" * 1000,
        b"a" * 65537,
        b"sources = \x1b[2J",
    ):
        file(content)
        problems = settings_file.load().problems
        assert 1 <= len(problems) <= 20
        assert all(problem.message.isprintable() for problem in problems)
    assert time.monotonic() - started < 5


# Who may have written the file.


def state() -> tuple[str, str]:
    """Return the state of the file, and the message about it."""
    found = settings_file.load()
    assert found.state == limits.USED or not found.limits
    return found.state, "".join(problem.message for problem in found.problems)


@posix
def test_a_file_of_another_user_is_ignored(file: File, monkeypatch) -> None:
    file("mode = fallback")
    assert state() == ("used", "")
    monkeypatch.setattr(settings_file, "_OWNERS", (0,))
    if os.getuid() == 0:
        os.chown(file.path, 54321, 0)
    status, message = state()
    assert status == "ignored"
    assert "belongs to user" in message and "run 'chown root" in message


@posix
@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_a_file_that_another_user_can_modify_is_ignored(mode: int, file: File) -> None:
    file("mode = fallback").chmod(mode)
    assert state() == (
        "ignored",
        f"is ignored, because it is writable by other users (mode {mode:o}); run 'chmod go-w {file.path}'",
    )


@posix
@pytest.mark.parametrize("mode", [0o775, 0o757])
def test_a_file_in_a_directory_that_another_user_can_modify_is_ignored_until_that_is_corrected(mode, file) -> None:
    directory = file("mode = fallback").parent
    directory.chmod(mode)
    watched: list[str] = []
    found = settings_file.load(watched.append)
    assert found.state == "ignored" and not found.limits
    assert f"{directory} is writable by other users" in found.problems[0].message
    assert watched == [str(file.path), str(directory)]
    directory.chmod(mode | stat.S_ISVTX)  # Only the owner of a file can remove or rename it.
    assert state() == ("used", "")


@posix
def test_the_state_is_determined_again_if_a_link_may_get_another_owner(file: File, roots: Path, monkeypatch) -> None:
    """Its signature is that of its target, which a change of its owner leaves unchanged."""
    target = file("sources = system").rename(file.path.parent / "target")
    file.path.symlink_to(target)
    assert not read().volatile
    real = settings_file._check
    owned = os.stat_result((stat.S_IFLNK | 0o777, 1, 1, 1, 54322, 0, 0, 0, 0, 0))

    def check(path: str, status: os.stat_result) -> None:
        real(path, owned if stat.S_ISLNK(status.st_mode) else status)

    monkeypatch.setattr(settings_file, "_check", check)
    trust = read()
    assert trust.volatile and not trust.snapshot.is_provisional
    assert "run 'chown -h root " in problems_of(trust)[0][1]


@posix
def test_the_state_is_determined_again_if_the_file_is_corrected_while_it_is_checked(file, roots, monkeypatch) -> None:
    path = file("sources = system")
    path.chmod(0o666)
    assert not read().volatile
    real = settings_file._refuse

    def refuse(*arguments: object) -> None:
        path.chmod(0o644)
        real(*arguments)

    monkeypatch.setattr(settings_file, "_refuse", refuse)
    assert read().volatile


@posix
def test_no_portable_store_is_built_while_the_file_is_ignored(file: File, roots: Path, tmp_path: Path, capsys) -> None:
    """It does not depend on the owner of the file, and would remain in use after a correction."""
    path = file("sources = system")
    path.chmod(0o666)
    directory = tmp_path / "stores"
    assert cli.main(["compile", "--directory", str(directory)]) == 1
    assert f"the store was not built: {path} is ignored, because it is writable" in capsys.readouterr().err
    assert not directory.exists()


@posix
def test_links_of_the_superuser_are_followed_and_their_targets_verified(file, tmp_path, monkeypatch) -> None:
    target = tmp_path / "target"
    target.write_text("mode = fallback\n")
    target.chmod(0o644)
    file.path.symlink_to("../target")
    assert state() == ("used", "")
    target.chmod(0o666)
    assert state()[0] == "ignored"
    target.unlink()
    assert state()[0] == "used"  # A fault: variables cannot exceed the defaults.
    file.path.unlink()
    file.path.symlink_to(file.path)
    assert "cannot be read" in state()[1]


@posix
@pytest.mark.parametrize("create", [os.mkdir, os.mkfifo], ids=["directory", "pipe"])
def test_anything_but_a_file_is_a_fault_and_never_blocks(
    create: Callable[[str], None], file: File, roots: Path
) -> None:
    create(str(file.path))
    file.path.chmod(0o644)
    status, message = state()
    assert status == "used"
    assert message.startswith("cannot be read: it is a ") and "expected a file" in message
    assert not read().volatile


def test_a_file_that_is_too_large_is_a_fault_until_it_changes(file: File, roots: Path) -> None:
    file("#" * 70000)
    assert state() == ("used", "cannot be read: File too large")
    assert not read().snapshot.is_provisional


@posix
def test_a_file_without_permission_to_read_it_is_a_fault(file: File, monkeypatch) -> None:
    file("mode = chain")
    monkeypatch.setattr("certhook._directory.entries.Directory.read", raising(PermissionError(13, "Permission denied")))
    assert state() == ("used", "cannot be read: Permission denied")


@pytest.mark.parametrize("error", [OSError(24, "Too many open files"), PermissionError(13, "Permission denied")])
def test_a_file_that_cannot_be_read_excludes_the_bundle(error, file: File, roots: Path, monkeypatch) -> None:
    file("sources = system")
    variables = {"CERTHOOK_BUNDLE": str(roots / "b.pem")}
    assert letters_of(read(**variables)) == "a"
    monkeypatch.setattr("certhook._directory.entries.Directory.read", raising(error))
    trust = read(**variables)
    assert letters_of(trust) == "a"
    assert [message for path, message in problems_of(trust) if path == "bundled"] == [
        f"is excluded, because {file.path}, which may exclude it, cannot be read"
    ]


def raising(error: Exception) -> Callable[..., None]:
    def fail(*args: object, **options: object) -> None:
        raise error

    return fail


def test_an_internal_error_never_widens_trust(file: File, roots: Path, monkeypatch) -> None:
    monkeypatch.setattr(settings_file, "_content", raising(RuntimeError("broken")))
    trust = read(CERTHOOK_EXTRA_CA_CERTS=roots / "c.pem")
    assert letters_of(trust) == "a"
    assert trust.volatile and "RuntimeError" in problems_of(trust)[0][1]


# Trust sets.


def test_without_a_file_variables_are_not_limited_and_the_file_is_an_input(file: File, roots: Path) -> None:
    trust = read(CERTHOOK_EXTRA_CA_CERTS=roots / "c.pem", CERTHOOK_BUNDLE=roots / "b.pem")
    assert letters_of(trust) == "abc"
    assert trust.problems == ()
    assert str(file.path) in watched_paths(trust)
    assert trust.snapshot.is_current(thorough=True)
    file("sources = system")
    assert not trust.snapshot.is_current(thorough=False)


def test_the_file_selects_the_roots(file: File, roots: Path) -> None:
    file(f"extra_ca_certs = {roots / 'c.pem'}\nbundle = {roots / 'b.pem'}\n")
    assert letters_of(read()) == "abc"
    file(f"extra_ca_certs = {roots / 'c.pem'}\nbundle = {roots / 'b.pem'}\nmode = fallback")
    assert letters_of(read()) == "ac"
    file(f"sources = bundled\nbundle = {roots / 'b.pem'}\n")
    trust = read(CERTHOOK_SOURCES="system,bundled", CERTHOOK_BUNDLE=roots / "d.pem")
    assert letters_of(trust) == "b"
    settings = [setting for setting, _ in problems_of(trust)]
    assert settings == ["CERTHOOK_BUNDLE", "CERTHOOK_SOURCES"]
    for setting, message in problems_of(trust):
        assert f"in line {2 if 'BUNDLE' in setting else 1} of {file.path} allows" in message


def test_ssl_cert_file_replaces_the_systems_store_as_on_stock_python(file: File, roots: Path) -> None:
    file(f"sources = bundled\nbundle = {roots / 'b.pem'}\n")
    trust = read(SSL_CERT_FILE=roots / "d.pem")
    assert letters_of(trust) == "d"
    assert trust.problems == ()


def test_a_path_in_the_file_that_does_not_exist_is_reported_as_the_files(file: File, roots: Path) -> None:
    file(f"extra_ca_certs = {roots / 'missing.pem'}\n")
    ((path, message),) = problems_of(read())
    assert path == file.path.name
    assert message.startswith(f"extra_ca_certs: {roots / 'missing.pem'} cannot be read")
    assert message.endswith("remove it from the file")


def test_a_public_bundle_that_the_file_excludes_is_not_adopted(file: File) -> None:
    request = Config({}).adopting("certifi/cacert.pem")
    file("adopt = botocore")
    trust = read_trust_set(request)
    assert trust.is_reduced and not trust.anchors
    file("adopt = certifi")
    trust = read_trust_set(request)
    assert not trust.is_reduced and trust.anchors
    # A request for another purpose, and default trust, are not affected.
    file("adopt = none")
    assert read_trust_set(Config({})).anchors


@pytest.mark.parametrize("text", ["adopt = none", "sources = system", "mode = fallback", "bundle = {}"])
def test_ssl_cert_file_with_a_public_bundle_has_its_stock_meaning_if_the_file_excludes_adoption(
    text, file, roots
) -> None:
    import certifi

    config = Config({"SSL_CERT_FILE": certifi.where()})
    assert config.named is not None
    file(text.format(roots / "b.pem"))
    trust = read_trust_set(config)
    assert trust.config.overrides_system and trust.config.named is None
    assert {source for anchor in trust.anchors for source in anchor.sources} == {"system"}
    assert [location.path for location in trust.locations][0] == certifi.where()


@pytest.mark.parametrize("purpose", [SERVER_AUTH, CLIENT_AUTH])
def test_the_file_limits_every_purpose(purpose: int, file: File, roots: Path) -> None:
    file("extra_ca_certs = none")
    assert letters_of(read_trust_set(Config({"CERTHOOK_EXTRA_CA_CERTS": str(roots / "c.pem")}), purpose)) == "a"


def test_processes_without_variables_read_the_file(file: File, roots: Path, monkeypatch) -> None:
    file(f"extra_ca_certs = {roots / 'c.pem'}\nsources = extra")
    monkeypatch.setenv("CERTHOOK_EXTRA_CA_CERTS", str(roots / "d.pem"))
    monkeypatch.setattr(process, "use_environment", False)
    assert letters_of(certhook.trust_set()) == "c"
    monkeypatch.setattr(process, "use_environment", True)
    monkeypatch.setattr(process, "at_secure", "yes")
    assert letters_of(read_trust_set(_config.current())) == "c"


def test_the_name_of_a_setting_in_the_file_is_that_of_its_variable() -> None:
    for name, setting in limits.NAMES.items():
        assert setting.name == f"CERTHOOK_{name.upper()}" in VARIABLES
        assert setting.selects_roots


@pytest.mark.parametrize(
    ("platform", "expected"),
    [("linux", "/etc/certhook.conf"), ("darwin", "/Library/Application Support/certhook/certhook.conf")],
)
@posix
def test_the_location_of_the_file(platform: str, expected: str, monkeypatch) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    settings_file.location.cache_clear()
    try:
        assert settings_file.location() == expected
    finally:
        settings_file.location.cache_clear()


def test_on_windows_the_registry_locates_the_file_and_no_variable_does(monkeypatch) -> None:
    class Registry:
        KEY_READ, KEY_WOW64_64KEY, HKEY_LOCAL_MACHINE = 1, 2, 3
        value: object = "/Programs"

        def OpenKey(self, *arguments: object) -> object:
            assert arguments == (3, r"SOFTWARE\Microsoft\Windows\CurrentVersion", 0, 3)
            return open(os.devnull)

        def QueryValueEx(self, key: object, name: str) -> tuple[object, int]:
            assert name == "ProgramFilesDir"
            return self.value, 1

    registry = Registry()
    monkeypatch.setitem(sys.modules, "winreg", registry)
    monkeypatch.setenv("ProgramFiles", "/users")
    assert settings_file._program_files() == "/Programs"
    for registry.value in (7, "relative"):
        assert settings_file._program_files() == r"C:\Program Files"


@pytest.mark.parametrize(("text", "letters"), [("extra_ca_certs = none", "a"), ("sorces = system", "a"), ("", "da")])
def test_the_variable_of_nixpkgs_adds_no_roots_that_the_file_excludes(text, letters, file, roots, monkeypatch) -> None:
    file(text)
    trust = read(NIX_SSL_CERT_FILE=roots / "d.pem")
    assert letters_of(trust) == letters
    assert ("NIX_SSL_CERT_FILE" in dict(problems_of(trust))) == bool(text)
    file(f"extra_ca_certs = {roots / 'd.pem'}")
    assert "d" in letters_of(read(NIX_SSL_CERT_FILE=roots / "d.pem"))
    # Stock Python obeys it in nixpkgs.
    file(text)
    monkeypatch.setattr(limits, "is_openssl_of_nixpkgs", lambda: True)
    assert "d" in letters_of(read(NIX_SSL_CERT_FILE=roots / "d.pem"))


@pytest.mark.parametrize(("text", "kept"), [("sources = system", "c"), ("sources = bundled", "b"), ("", "bc")])
def test_the_certificates_that_wassima_collects_do_not_exceed_the_file(text, kept, file, roots) -> None:
    file(text)
    module = types.SimpleNamespace(fallback_der_certificates=lambda: [ROOTS["b"]])
    own = [ROOTS["b"], ROOTS["c"]]
    omitted = wassima._omitted(module, Config({}), own, own)
    assert set(own) - omitted == {ROOTS[letter] for letter in kept}


@pytest.mark.parametrize("is_readable", [True, False])
def test_a_file_that_cannot_be_read_excludes_the_bundle_of_wassima(is_readable, file, roots, monkeypatch) -> None:
    file("mode = chain")
    if not is_readable:
        monkeypatch.setattr("certhook._directory.entries.Directory.read", raising(OSError(5, "Input/output error")))
    module = types.SimpleNamespace(fallback_der_certificates=lambda: [ROOTS["b"]])
    own = [ROOTS["b"], ROOTS["c"]]
    assert wassima._omitted(module, Config({}), own, own) == (set() if is_readable else {ROOTS["b"]})


@pytest.mark.parametrize("is_readable", [True, False])
def test_nothing_is_exported_if_the_file_cannot_be_read(is_readable, file, roots, monkeypatch, capsys) -> None:
    file("mode = chain")
    if not is_readable:
        monkeypatch.setattr("certhook._directory.entries.Directory.read", raising(OSError(5, "Input/output error")))
    assert main(["export", "-"]) == (not is_readable)
    printed = capsys.readouterr()
    assert ("BEGIN CERTIFICATE" in printed.out) == is_readable
    assert ("might contain roots that the administrator excludes" in printed.err) == (not is_readable)


@pytest.mark.parametrize(("text", "is_permitted"), [("sources = system", False), ("sources = bundled", True)])
def test_after_an_internal_error_no_program_has_roots_that_the_file_excludes(text, is_permitted, file) -> None:
    file(text)
    loaded: list[object] = []
    with pytest.warns(CerthookWarning, match="internal error"):
        _patch._fall_back(ssl.create_default_context(), loaded.append, "bundled", CERTIFI, RuntimeError())
    assert bool(loaded) == is_permitted
    with pytest.warns(CerthookWarning, match="internal error"):
        assert (grpc._fall_back(Config({}), RuntimeError()) is None) == is_permitted
    with pytest.warns(CerthookWarning, match="internal error"):
        own = wassima._fall_back(types.ModuleType("wassima"), Config({}), [b""], RuntimeError())
    assert not own


def test_an_internal_error_of_the_file_breaks_no_program(monkeypatch) -> None:
    config = Config({})
    monkeypatch.setattr(settings_file, "effective", raising(RuntimeError("broken")))
    assert _config.effective(config) is config
