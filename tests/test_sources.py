"""The sources: which places are read, in which order, what they give, and what is said of the rest."""

from __future__ import annotations

import importlib
import os
import shutil
import ssl
import subprocess
import sys
import time
import warnings
import zipfile
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Callable

import der
import pytest
import support

from certhook._certificates import names, x509
import certhook
from certhook import _certifi, _config, _files, _loading, _store, _trust
from certhook._config import CLIENT_AUTH, SERVER_AUTH, Config
from certhook._sources import collect, places, system, windows
from certhook._sources.locations import ANY, HASHED, HASHED_OLD
from certhook._sources.collector import Reader
from certhook.exceptions import CerthookWarning, ConfigurationError

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has stores")

ROOTS = {name: der.certificate(der.common_name(name), number) for number, name in enumerate("abcdefgh", 1)}
#: A certificate that the walker accepts and OpenSSL does not: its key is none.
REFUSED = der.certificate(der.common_name("refused"), key=b"\x30\0")


def bundle(path: Path, names: str, **trust: list[str]) -> Path:
    """Write a PEM file of some of the roots, with OpenSSL's trust settings if there are any."""
    path.parent.mkdir(parents=True, exist_ok=True)
    label, settings = ("TRUSTED CERTIFICATE", der.auxiliary(**trust)) if trust else ("CERTIFICATE", b"")
    path.write_bytes(b"".join(der.pem(ROOTS[name] + settings, label) for name in names))
    return path


def hashed(folder: Path, names: str, old: bool = False) -> Path:
    """Make a directory in OpenSSL's layout of some of the roots."""
    folder.mkdir(parents=True, exist_ok=True)
    subject_hash = names.subject_hash_old if old else names.subject_hash
    for name in names:
        bundle(folder / f"{subject_hash(der.common_name(name))}.0", name)
    return folder


def names(reader: Reader) -> str:
    """Which of the roots were found, in their order."""
    known = {certificate: name for name, certificate in ROOTS.items()}
    return "".join(known[anchor.der] for anchor in reader.anchors)


def read(purpose: int = SERVER_AUTH, **variables: object) -> Reader:
    """What the sources give with these variables."""
    return collect(Config({name: str(value) for name, value in variables.items()}), purpose)


def looked_at(reader: Reader) -> list[tuple[str, int]]:
    """The names of the places that were looked at, and how many roots each listed."""
    return [(os.path.basename(place.path), place.count) for place in reader.places]


def complaints(reader: Reader) -> list[tuple[str, str]]:
    """What was wrong: the setting or the name of the path at fault, and the message."""
    return [
        (problem.setting, problem.message)
        if isinstance(problem, ConfigurationError)
        else (os.path.basename(problem.path), problem.message)
        for problem in reader.problems
    ]


# The system's store.


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose OpenSSL looks at compiled.pem and compiled, and whose well-known places are these four."""
    well_known = (
        (str(tmp_path / "first.pem"), str(tmp_path / "second.pem")),
        ((str(tmp_path / "first"), HASHED), (str(tmp_path / "second"), ANY)),
    )
    compiled_in = str(tmp_path / "compiled.pem"), str(tmp_path / "compiled")
    monkeypatch.setattr(system, "compiled_in", lambda: compiled_in)
    monkeypatch.setattr(places, "_PLACES", ((sys.platform, *well_known),))
    monkeypatch.setattr(locations.of, "__defaults__", (sys.platform,))
    return tmp_path


def read_system(**variables: object) -> Reader:
    return read(CERTHOOK_SOURCES="system", **variables)


@posix
def test_the_compiled_in_places_come_before_the_well_known_ones(machine: Path) -> None:
    bundle(machine / "compiled.pem", "a")
    hashed(machine / "compiled", "b")
    bundle(machine / "first.pem", "c")
    assert names(read_system()) == "ab"


@posix
@pytest.mark.parametrize(
    "make", [lambda folder: bundle(folder / "compiled.pem", "a"), lambda folder: hashed(folder / "compiled", "a")]
)
def test_one_anchor_in_a_compiled_in_place_is_enough(make: Callable, machine: Path) -> None:
    make(machine)
    bundle(machine / "first.pem", "c")
    reader = read_system()
    assert names(reader) == "a"
    assert [name for name, _ in looked_at(reader)] == ["compiled.pem", "compiled"]
    assert reader.problems == []


@posix
def test_a_file_without_a_certificate_and_an_empty_directory_count_as_absent(machine: Path) -> None:
    bundle(machine / "compiled.pem", "")
    hashed(machine / "compiled", "")
    bundle(machine / "first.pem", "")
    bundle(machine / "second.pem", "b")
    hashed(machine / "first", "")
    bundle(machine / "second" / "any.pem", "c")
    reader = read_system()
    assert names(reader) == "bc"
    assert looked_at(reader) == [(n, 0) for n in ("compiled.pem", "compiled", "first.pem")] + [
        ("second.pem", 1),
        ("first", 0),
        ("second", 1),
    ]
    assert all(place.note for place in reader.places if not place.count)
    assert reader.problems == []


@posix
def test_of_the_well_known_places_the_first_file_and_the_first_directory_with_an_anchor_count(machine: Path) -> None:
    bundle(machine / "first.pem", "a")
    bundle(machine / "second.pem", "b")
    hashed(machine / "first", "c")
    bundle(machine / "second" / "any.pem", "d")
    assert names(read_system()) == "ac"


@posix
def test_nothing_need_be_at_any_place(machine: Path) -> None:
    reader = read_system()
    assert (names(reader), reader.problems) == ("", [])
    assert len(reader.places) == 6


@posix
def test_a_well_known_place_that_cannot_be_read_is_named_and_the_next_one_counts(machine: Path) -> None:
    (machine / "first.pem").mkdir()
    bundle(machine / "second.pem", "b")
    reader = read_system()
    assert names(reader) == "b"
    ((name, message),) = complaints(reader)
    assert name == "first.pem"
    assert "a directory" in message


@posix
def test_a_broken_block_is_named_and_the_rest_of_the_file_counts(machine: Path) -> None:
    path = bundle(machine / "compiled.pem", "a")
    path.write_bytes(path.read_bytes() + der.pem(b"broken") + der.pem(ROOTS["b"]))
    reader = read_system()
    assert names(reader) == "ab"
    ((name, message),) = complaints(reader)
    assert name == "compiled.pem"
    assert "line " in message


@posix
def test_nixs_variable_is_one_more_well_known_file(machine: Path) -> None:
    nix = bundle(machine / "nix.pem", "g")
    assert names(read_system(NIX_SSL_CERT_FILE=nix)) == "g"
    bundle(machine / "first.pem", "a")
    assert names(read_system(NIX_SSL_CERT_FILE=nix)) == "a"


# SSL_CERT_FILE and SSL_CERT_DIR.


@pytest.fixture
def full_machine(machine: Path) -> Path:
    """A machine with roots at every place, and some at places that variables can name."""
    bundle(machine / "compiled.pem", "a")
    hashed(machine / "compiled", "b")
    bundle(machine / "first.pem", "c")
    hashed(machine / "first", "d")
    bundle(machine / "named.pem", "e")
    hashed(machine / "named", "f")
    hashed(machine / "other", "g")
    return machine


@posix
def test_each_variable_replaces_its_compiled_in_twin_and_the_other_twin_stays(full_machine: Path) -> None:
    file, directory = full_machine / "named.pem", full_machine / "named"
    assert names(read(SSL_CERT_FILE=file)) == "eb"
    assert names(read(SSL_CERT_DIR=directory)) == "af"
    assert names(read(SSL_CERT_FILE=file, SSL_CERT_DIR=directory)) == "ef"


@posix
def test_the_directories_are_a_list(full_machine: Path) -> None:
    folders = os.pathsep.join(["", str(full_machine / "other"), "", str(full_machine / "named")])
    reader = read(SSL_CERT_FILE=full_machine / "named.pem", SSL_CERT_DIR=folders)
    assert names(reader) == "egf"
    assert reader.problems == []


@posix
@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
@pytest.mark.parametrize("value", ["{}/missing", "{}/empty", "", "missing"])
def test_a_typing_mistake_gives_one_clear_problem_and_never_widens_trust(variable, value, full_machine) -> None:
    for twin in ("compiled.pem", "compiled"):
        (full_machine / twin).rename(full_machine / f"unused {twin}")
    if variable == "SSL_CERT_FILE":
        bundle(full_machine / "empty", "")
    else:
        hashed(full_machine / "empty", "")
    value = value.format(full_machine)
    reader = read(**{variable: value})
    assert names(reader) == ""
    ((setting, message),) = complaints(reader)
    assert setting == variable
    assert value in message


@posix
def test_a_relative_path_is_taken_from_the_working_directory_as_openssl_does(full_machine, monkeypatch) -> None:
    monkeypatch.chdir(full_machine)
    reader = read(SSL_CERT_FILE="named.pem", SSL_CERT_DIR="named")
    assert names(reader) == "ef"
    assert reader.volatile


@pytest.fixture(scope="module")
def stores(cas: support.Authorities, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What SSL_CERT_FILE and SSL_CERT_DIR may point to."""
    folder = tmp_path_factory.mktemp("stores")
    (folder / "file.pem").write_bytes(cas.pem("system", "both"))
    (folder / "crlf.pem").write_bytes(b"# roots\r\n" + cas.pem("system", "extra").replace(b"\n", b"\r\n"))
    (folder / "empty.pem").touch()
    rejecting = der.auxiliary(None, [x509.SERVER_AUTH])
    (folder / "rejected.pem").write_bytes(der.pem(cas.der("system") + rejecting, "TRUSTED CERTIFICATE"))
    for name in ("bundled", "extra", "both", "system"):
        directory = folder / name
        directory.mkdir()
        (directory / f"{names.subject_hash(x509.Certificate(cas.der(name)).subject)}.0").write_bytes(cas.pem(name))
    linked = folder / "linked"
    linked.mkdir()
    for name in ("bundled", "system"):
        (linked / f"{name}.pem").write_bytes(cas.pem(name))
        (linked / f"{names.subject_hash(x509.Certificate(cas.der(name)).subject)}.0").symlink_to(f"{name}.pem")
    (linked / "extra.pem").write_bytes(cas.pem("extra"))
    (linked / "00000000.0").write_bytes(cas.pem("both"))
    (folder / "none").mkdir()
    return folder


@posix
@pytest.mark.parametrize(
    "variables",
    [
        {"SSL_CERT_FILE": "{}/file.pem"},
        {"SSL_CERT_FILE": "file.pem"},
        {"SSL_CERT_FILE": ""},
        {"SSL_CERT_FILE": "{}/missing.pem"},
        {"SSL_CERT_FILE": "{}/empty.pem"},
        {"SSL_CERT_FILE": "{}/bundled"},
        {"SSL_CERT_FILE": "{}/rejected.pem", "SSL_CERT_DIR": "{}/bundled"},
        {"SSL_CERT_DIR": "{}/bundled"},
        {"SSL_CERT_DIR": "{}/bundled/"},
        {"SSL_CERT_DIR": "bundled"},
        {"SSL_CERT_DIR": ""},
        {"SSL_CERT_DIR": ":"},
        {"SSL_CERT_DIR": ":{0}/bundled::{0}/none:{0}/extra:"},
        {"SSL_CERT_DIR": "{0}/extra:{0}/missing:extra:bundled"},
        {"SSL_CERT_DIR": "{}/linked"},
        {"SSL_CERT_FILE": "{}/crlf.pem", "SSL_CERT_DIR": "{0}/both"},
        {"SSL_CERT_FILE": "", "SSL_CERT_DIR": ""},
    ],
    ids=str,
)
def test_openssls_variables_mean_what_they_mean_to_openssl(variables, stores, plain, installed, servers) -> None:
    values = {name: value.format(stores) for name, value in variables.items()}
    env = support.clean_env(**values, SERVERS=support.server_list(servers))
    stock, ours = (
        support.verdicts(support.run(python, support.VERDICTS, "-W", "ignore", env=env, cwd=str(stores)).stdout)
        for python in (plain, installed)
    )
    assert ours == stock


# Directories.


@posix
def test_of_a_hashed_directory_only_what_openssl_would_find_counts(machine: Path) -> None:
    folder = hashed(machine / "compiled", "a")
    bundle(folder / "b.pem", "b")
    bundle(folder / "00000000.0", "c")
    bundle(folder / f"{names.subject_hash(der.common_name('d'))}.1", "d")
    bundle(folder / f"{names.subject_hash(der.common_name('e'))}.00", "e")
    bundle(folder / f"{names.subject_hash(der.common_name('f'))}.r0", "f")
    bundle(folder / f"{names.subject_hash_old(der.common_name('g'))}.0", "g")
    assert names(read_system()) == "a"


@posix
def test_namesakes_in_a_hashed_directory_all_count_up_to_a_gap(machine: Path) -> None:
    subject = der.common_name("namesake")
    namesakes = [der.certificate(subject, number) for number in range(12)]
    folder = hashed(machine / "compiled", "")
    for number, certificate in enumerate(namesakes):
        (folder / f"{names.subject_hash(subject)}.{number}").write_bytes(der.pem(certificate))
    assert [anchor.der for anchor in read_system().anchors] == namesakes
    (folder / f"{names.subject_hash(subject)}.2").unlink()
    assert [anchor.der for anchor in read_system().anchors] == namesakes[:2]


@posix
def test_a_dangling_link_in_a_hashed_directory_is_a_gap_and_no_problem(machine: Path) -> None:
    folder = hashed(machine / "compiled", "a")
    (folder / f"{names.subject_hash(der.common_name('b'))}.0").symlink_to("gone.pem")
    reader = read_system()
    assert (names(reader), reader.problems) == ("a", [])


@posix
def test_androids_directories_are_named_by_the_old_hash(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = hashed(machine / "cacerts", "ab", old=True)
    hashed(folder, "c")
    monkeypatch.setattr(places, "_PLACES", ((sys.platform, (), ((str(folder), HASHED_OLD),)),))
    assert sorted(names(read_system())) == ["a", "b"]


def test_the_extra_source_takes_files_and_directories(tmp_path: Path) -> None:
    folder = hashed(tmp_path / "extra", "b")
    for name, file in [("c", "c.pem"), ("d", "d.CRT"), ("e", "e.cer")]:
        bundle(folder / file, name)
    (folder / "f.der").write_bytes(ROOTS["f"])
    file = bundle(tmp_path / "file without an extension", "a")
    reader = read(
        CERTHOOK_SOURCES="system",
        SSL_CERT_FILE="",
        SSL_CERT_DIR="",
        CERTHOOK_EXTRA_CA_CERTS=f"{file}{os.pathsep}{folder}",
    )
    assert sorted(names(reader)) == list("abcdef")
    assert {source for anchor in reader.anchors for source, _ in anchor.listed} == {"extra"}


@pytest.fixture
def nothing_else(machine: Path) -> dict[str, object]:
    """Variables for a machine without any root."""
    return {"CERTHOOK_SOURCES": "system"}


@posix
def test_of_an_extra_directory_other_files_hidden_ones_and_subdirectories_are_left_alone(
    nothing_else, tmp_path
) -> None:
    folder = tmp_path / "extra"
    for file in ("README", "c.pem.bak", ".d.pem", ".e.crt", "sub/f.pem", "sub.pem/g.pem"):
        bundle(folder / file, "b")
    bundle(folder / "a.pem", "a")
    reader = read(CERTHOOK_EXTRA_CA_CERTS=folder, **nothing_else)
    assert names(reader) == "a"
    assert [path for anchor in reader.anchors for _, path in anchor.listed] == [str(folder / "a.pem")]


@posix
@pytest.mark.parametrize("what", ["missing", "empty file", "empty directory"])
def test_an_extra_path_that_gives_nothing_is_named_with_its_setting(what: str, nothing_else, tmp_path: Path) -> None:
    bundle(tmp_path / "empty file", "")
    hashed(tmp_path / "empty directory", "")
    reader = read(CERTHOOK_EXTRA_CA_CERTS=tmp_path / what, **nothing_else)
    ((setting, message),) = complaints(reader)
    assert setting == "CERTHOOK_EXTRA_CA_CERTS"
    assert str(tmp_path / what) in message


# The tables.


@pytest.mark.parametrize(
    ("platform", "file"),
    [
        ("linux", "/etc/ssl/certs/ca-certificates.crt"),
        ("linux2", "/etc/ssl/certs/ca-certificates.crt"),
        ("android", "/data/data/com.termux/files/usr/etc/tls/cert.pem"),
        ("freebsd14", "/usr/local/etc/ssl/cert.pem"),
        ("dragonfly6", "/usr/local/share/certs/ca-root-nss.crt"),
        ("openbsd7", "/etc/ssl/cert.pem"),
        ("netbsd10", "/etc/openssl/certs/ca-certificates.crt"),
        ("sunos5", "/etc/certs/ca-certificates.crt"),
        ("aix", "/var/ssl/certs/ca-bundle.crt"),
        ("aix7", "/var/ssl/certs/ca-bundle.crt"),
        ("haiku1", "/boot/system/data/ssl/CARootCertificates.pem"),
        ("cygwin", "/usr/ssl/certs/ca-bundle.crt"),
        ("darwin", "/etc/ssl/cert.pem"),
    ],
)
def test_every_platform_has_its_places(platform: str, file: str) -> None:
    files, directories = locations.of(platform)
    assert files[0] == file
    assert all(path.startswith("/") for path in (*files, *(path for path, _ in directories)))
    assert len({*files, *directories}) == len(files) + len(directories)
    assert {layout for _, layout in directories} <= {HASHED, HASHED_OLD, ANY}


@pytest.mark.parametrize("platform", ["win32", "emscripten", "wasi", ""])
def test_other_platforms_have_none(platform: str) -> None:
    assert locations.of(platform) == ((), ())


def test_before_python_3_13_android_is_a_linux_with_an_api_level(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "getandroidapilevel", lambda: 24, raising=False)
    assert locations.of("linux") == locations.of("android")


@posix
def test_openssls_compiled_in_places_are_this_interpreters() -> None:
    paths = ssl.get_default_verify_paths()
    assert system.compiled_in() == (paths.openssl_cafile, paths.openssl_capath)


# Chain and fallback.


@pytest.fixture
def three_sources(machine: Path) -> dict[str, object]:
    """Variables for a machine with a root in each source, and one in all."""
    bundle(machine / "first.pem", "ah")
    return {
        "CERTHOOK_BUNDLE": bundle(machine / "bundle.pem", "hb"),
        "CERTHOOK_EXTRA_CA_CERTS": bundle(machine / "extra.pem", "ch"),
    }


@posix
@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "ahbc"),
        ({"CERTHOOK_SOURCES": "bundled,system"}, "hbac"),
        ({"CERTHOOK_SOURCES": "system"}, "ahc"),
        ({"CERTHOOK_SOURCES": "bundled"}, "hbc"),
        ({"CERTHOOK_MODE": "fallback"}, "ahc"),
        ({"CERTHOOK_MODE": "fallback", "CERTHOOK_SOURCES": "bundled,system"}, "hbc"),
    ],
)
def test_the_sources_are_chained_or_stand_in_for_each_other(variables, expected: str, three_sources) -> None:
    assert names(read(**{**three_sources, **variables})) == expected


@posix
def test_fallback_goes_on_where_a_source_gives_nothing(three_sources, machine: Path) -> None:
    bundle(machine / "first.pem", "")
    assert names(read(CERTHOOK_MODE="fallback", **three_sources)) == "hbc"


@posix
def test_fallback_reads_the_extra_source_also_where_no_other_gives_anything(machine: Path) -> None:
    extra = bundle(machine / "extra.pem", "c")
    empty = bundle(machine / "bundle.pem", "")
    assert names(read(CERTHOOK_MODE="fallback", CERTHOOK_EXTRA_CA_CERTS=extra, CERTHOOK_BUNDLE=empty)) == "c"


@posix
def test_an_anchor_is_there_once_and_says_everyone_who_listed_it(three_sources, machine: Path) -> None:
    reader = read(**three_sources)
    (anchor,) = (anchor for anchor in reader.anchors if anchor.der == ROOTS["h"])
    assert anchor.listed == [
        ("system", str(machine / "first.pem")),
        ("bundled", str(machine / "bundle.pem")),
        ("extra", str(machine / "extra.pem")),
    ]
    assert [count for name, count in looked_at(reader) if name in ("first.pem", "bundle.pem", "extra.pem")] == [2, 2, 2]


@posix
def test_an_anchor_of_a_directory_says_in_which_file_it_is(machine: Path) -> None:
    folder = hashed(machine / "compiled", "a")
    (anchor,) = read_system().anchors
    assert anchor.listed == [("system", str(folder / f"{names.subject_hash(der.common_name('a'))}.0"))]


@posix
@pytest.mark.parametrize("mode", ["chain", "fallback"])
def test_the_bundle_is_never_read_for_clients(mode: str, three_sources, machine: Path) -> None:
    reader = read(CLIENT_AUTH, CERTHOOK_MODE=mode, **three_sources)
    assert names(reader) == "ahc"
    assert "bundle.pem" not in dict(looked_at(reader))
    assert names(read(CLIENT_AUTH, **{**three_sources, "CERTHOOK_SOURCES": "bundled"})) == "ch"


@posix
def test_a_source_that_fails_does_not_stop_the_others(three_sources, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(reader: Reader) -> None:
        raise RuntimeError("a fault of certhook's own")

    monkeypatch.setattr(system, "read", fail)
    reader = read(**three_sources)
    assert names(reader) == "hbc"
    assert complaints(reader) == [("system", 'could not be read: RuntimeError("a fault of certhook\'s own")')]


@posix
def test_bad_settings_are_among_the_problems(three_sources) -> None:
    reader = read(**{**three_sources, "CERTHOOK_MODE": "both"})
    assert [setting for setting, _ in complaints(reader)] == ["CERTHOOK_MODE"]


# Purposes.


@posix
@pytest.mark.parametrize(
    ("settings", "servers", "clients"),
    [
        ({"trusted": [x509.SERVER_AUTH]}, "a", ""),
        ({"trusted": [x509.CLIENT_AUTH]}, "", "a"),
        ({"trusted": []}, "", ""),
        ({"rejected": [x509.SERVER_AUTH]}, "", "a"),
        ({"rejected": ["2.5.29.37.0"]}, "", ""),
        ({"trusted": ["2.5.29.37.0"]}, "a", "a"),
    ],
    ids=str,
)
def test_trust_settings_decide_for_whom_an_anchor_is(settings, servers: str, clients: str, machine: Path) -> None:
    bundle(machine / "first.pem", "a", **settings)
    assert names(read(SERVER_AUTH, CERTHOOK_SOURCES="system")) == servers
    assert names(read(CLIENT_AUTH, CERTHOOK_SOURCES="system")) == clients


@posix
@pytest.mark.parametrize("sources", ["system,bundled", "bundled,system"])
def test_what_one_source_rejects_is_left_out_whoever_else_lists_it(sources: str, machine: Path) -> None:
    bundle(machine / "first.pem", "a", rejected=[x509.SERVER_AUTH])
    reader = read(CERTHOOK_SOURCES=sources, CERTHOOK_BUNDLE=bundle(machine / "bundle.pem", "ab"))
    assert names(reader) == "b"


@posix
def test_what_one_place_does_not_list_for_servers_another_may(machine: Path) -> None:
    bundle(machine / "first.pem", "a", trusted=[x509.CLIENT_AUTH])
    assert names(read(CERTHOOK_BUNDLE=bundle(machine / "bundle.pem", "a"))) == "a"


# The bundle.


@pytest.fixture
def no_certifi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An interpreter that never heard of certifi, and a folder on its path."""
    folder = tmp_path / "path"
    folder.mkdir()

    def forget() -> None:
        for module in [name for name in sys.modules if name.partition(".")[0] == "certifi"]:
            del sys.modules[module]
        importlib.invalidate_caches()

    known = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "certifi"}
    if sys.version_info < (3, 11):
        # Installed beside certifi, and to stay when that goes.
        importlib.import_module("importlib_resources.readers")
    # In one step: undone one after the other, the second would put back what the first left.
    rest = [entry for entry in sys.path if not Path(entry, "certifi").exists()]
    monkeypatch.setattr(sys, "path", [str(folder), *rest])
    monkeypatch.setattr(_certifi, "__file__", str(tmp_path / "site" / "certhook" / "_certifi.py"))
    forget()
    yield folder
    forget()
    sys.modules.update(known)


def package(folder: Path, init: str = "") -> Path:
    """Make a package certifi in *folder*."""
    folder = folder / "certifi"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(init)
    return folder


def read_bundled(**variables: object) -> Reader:
    return read(CERTHOOK_SOURCES="bundled", **variables)


def test_certifis_bundle_is_read_from_disk_without_importing_certifi(no_certifi: Path) -> None:
    path = bundle(package(no_certifi, "raise SystemExit") / "cacert.pem", "ab")
    reader = read_bundled()
    assert names(reader) == "ab"
    assert reader.anchors[0].listed == [("bundled", str(path))]
    assert "certifi" not in sys.modules


def test_certifis_bundle_is_read_where_certifi_is_imported_already(no_certifi: Path) -> None:
    bundle(package(no_certifi) / "cacert.pem", "ab")
    importlib.import_module("certifi")
    assert names(read_bundled()) == "ab"


def test_the_bundle_of_the_package_counts_where_a_distribution_has_certifi_name_another(no_certifi: Path) -> None:
    """Debian's certifi says that it is the system's file, and has the bundle all the same."""
    folder = package(no_certifi, "def where():\n    return '/no/such/file'\n")
    bundle(folder / "cacert.pem", "ab")
    assert names(read_bundled()) == "ab"


def test_the_file_that_certifi_names_counts_where_a_distribution_took_the_bundle_out(no_certifi, tmp_path) -> None:
    """Fedora's certifi has no bundle of its own, which is nothing to warn of."""
    other = bundle(tmp_path / "other.pem", "ab")
    package(no_certifi, f"def where():\n    return {str(other)!r}\n")
    reader = read_bundled()
    assert names(reader) == "ab"
    assert reader.problems == []


def test_certifis_bundle_is_read_from_a_zip(no_certifi: Path) -> None:
    archive = no_certifi / "application.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("certifi/__init__.py", "")
        file.writestr("certifi/cacert.pem", der.pem(ROOTS["a"]))
    sys.path.insert(0, str(archive))
    importlib.invalidate_caches()
    reader = read_bundled()
    assert names(reader) == "a"
    assert reader.problems == []
    assert str(archive) in reader.inputs.near  # so that a change of it is seen


class InMemory:
    """A finder and loader of a certifi that is on no disk."""

    def find_spec(self, name, path=None, target=None) -> ModuleSpec | None:
        if name != "certifi":
            return None
        spec = ModuleSpec(name, self, origin="memory", is_package=True)
        spec.submodule_search_locations.append(os.path.join(os.sep, "memory", "certifi"))
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module) -> None:
        pass


class WithGetData(InMemory):
    def get_data(self, path: str) -> bytes:
        assert path == os.path.join(os.sep, "memory", "certifi", "cacert.pem")
        return der.pem(ROOTS["a"])


class WithResourceReader(InMemory):
    def get_resource_reader(self, name: str) -> WithResourceReader:
        return self

    def open_resource(self, resource: str):
        import io

        if resource != "cacert.pem":
            raise FileNotFoundError(resource)
        return io.BytesIO(der.pem(ROOTS["a"]))

    def resource_path(self, resource: str) -> str:
        raise FileNotFoundError(resource)

    def is_resource(self, name: str) -> bool:
        return name == "cacert.pem"

    def contents(self) -> list[str]:
        return ["cacert.pem"]


@pytest.mark.parametrize("loader", [WithGetData, WithResourceReader])
def test_certifis_bundle_is_read_from_memory(loader, no_certifi: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", [loader(), *sys.meta_path])
    reader = read_bundled()
    assert names(reader) == "a"
    assert reader.problems == []


def test_a_certifi_without_a_bundle_is_named(no_certifi: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", [InMemory(), *sys.meta_path])
    ((name, message),) = complaints(read_bundled())
    assert name == "certifi"
    assert "cacert.pem" in message
    assert "CERTHOOK_BUNDLE" in message


def test_a_certifi_that_is_not_installed_is_named_with_what_to_do(no_certifi: Path) -> None:
    ((name, message),) = complaints(read_bundled())
    assert name == "certifi"
    assert "pip install certifi" in message
    assert "CERTHOOK_SOURCES=system" in message


def test_a_folder_that_happens_to_be_called_certifi_is_not_certifi(no_certifi: Path) -> None:
    bundle(no_certifi / "certifi" / "cacert.pem", "a")
    reader = read_bundled()
    assert names(reader) == ""
    assert len(reader.problems) == 1


def test_a_certifi_that_comes_to_the_path_later_is_found_then(plain: Path, installed: Path, tmp_path: Path) -> None:
    shutil.copytree(support.purelib(installed) / "certhook", tmp_path / "certhook")
    code = """
import certhook.auto, ssl, sys
first = ssl.create_default_context()
sys.path.append(sys.argv[1])
second = ssl.create_default_context()
import certifi
third = ssl.create_default_context(cafile=certifi.where())
print(*(len(context.get_ca_certs()) > 50 for context in (first, second, third)))
"""
    command = [str(plain), "-W", "ignore", "-c", code, str(support.purelib(installed))]
    env = support.clean_env(CERTHOOK_SOURCES="bundled", PYTHONPATH=str(tmp_path))
    done = subprocess.run(command, env=env, cwd=os.sep, capture_output=True, encoding="utf-8", timeout=60)
    assert (done.stdout, done.stderr) == ("False True True\n", "")


def test_the_drop_in_finds_the_certifi_beside_it(no_certifi: Path, tmp_path: Path) -> None:
    bundle(package(tmp_path / "site") / "cacert.pem", "a")
    assert names(read_bundled()) == "a"


def test_another_bundle_can_be_named(tmp_path: Path) -> None:
    reader = read_bundled(CERTHOOK_BUNDLE=bundle(tmp_path / "bundle.pem", "ab"))
    assert names(reader) == "ab"
    assert [anchor.listed for anchor in reader.anchors] == [[("bundled", str(tmp_path / "bundle.pem"))]] * 2


@pytest.mark.parametrize("value", ["{}/missing.pem", "{}/empty.pem", "{}", "relative.pem"])
def test_a_bundle_that_gives_nothing_is_named_and_not_replaced_by_certifis(value: str, tmp_path: Path) -> None:
    bundle(tmp_path / "empty.pem", "")
    reader = read_bundled(CERTHOOK_BUNDLE=value.format(tmp_path))
    assert names(reader) == ""
    ((setting, message),) = complaints(reader)
    assert setting == "CERTHOOK_BUNDLE"
    assert value.format(tmp_path) in message


def test_a_link_to_what_is_not_there_yet_is_watched(tmp_path, monkeypatch) -> None:
    name = f"{names.subject_hash(x509.Certificate(ROOTS['a']).subject)}.0"
    (tmp_path / "hashed").mkdir()
    (tmp_path / "hashed" / name).symlink_to(tmp_path / "elsewhere" / "a.pem")
    reader = Reader(Config({"SSL_CERT_DIR": str(tmp_path / "hashed"), "SSL_CERT_FILE": ""}), SERVER_AUTH)
    system.read(reader)
    assert names(reader) == "" and reader.inputs.is_current(deep=False)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.pem").write_bytes(der.pem(ROOTS["a"]))
    assert not reader.inputs.is_current(deep=False)


def test_what_changed_within_a_tick_of_the_file_systems_clock_is_waited_for(tmp_path, monkeypatch) -> None:
    """Another change in that tick would look the same, and a root that it distrusts would be trusted for ever."""
    slept: list[float] = []
    now, changed = 1_700_000_000_000_000_000, [0]
    monkeypatch.setattr("certhook._sources.collector.time_ns", lambda: now + int(sum(slept) * 1e9))
    monkeypatch.setattr("certhook._sources.collector.sleep", slept.append)
    monkeypatch.setattr("certhook._sources.collector.signature", lambda path: (changed[0], 1, 1, 1))
    cases = [
        (now - 5_000_001, [0.014999999], False),  # 5 ms ago
        (now - 1_000_000_001, [], False),  # a second ago
        (now - 1_000_000_000, [], True),  # on a clock of whole seconds
        (now - 3_000_000_000, [], False),
        (now + 5_000_000, [], False),  # the clock of somebody else, who is ahead
    ]
    for changed[0], waited, volatile in cases:
        slept.clear()
        reader = Reader(Config({}), SERVER_AUTH)
        reader.watch(str(tmp_path))
        assert (slept, reader.volatile) == (pytest.approx(waited), volatile)


# Windows, by what its stores gave when they were recorded.


def read_windows(purpose: int = SERVER_AUTH, **stores: object) -> Reader:
    def enumerate_store(name: str):
        entries = stores.get(name, [])
        if isinstance(entries, Exception):
            raise entries
        return entries

    reader = Reader(Config({}), purpose)
    windows.read(reader, enumerate_store)
    return reader


def test_windows_ca_and_root_stores_are_read() -> None:
    reader = read_windows(CA=[(ROOTS["a"], "x509_asn", True)], ROOT=[(ROOTS["b"], "x509_asn", True)])
    assert sorted(names(reader)) == ["a", "b"]
    assert [anchor.listed for anchor in reader.anchors if anchor.der == ROOTS["b"]] == [
        [("system", "Windows ROOT store")]
    ]
    assert not reader.volatile


@pytest.mark.parametrize(
    ("trust", "servers", "clients"),
    [
        (True, "a", "a"),
        (False, "", ""),
        (frozenset(), "", ""),
        (frozenset({x509.SERVER_AUTH}), "a", ""),
        (frozenset({x509.CLIENT_AUTH, "1.3.6.1.5.5.7.3.4"}), "", "a"),
        ({x509.SERVER_AUTH, x509.CLIENT_AUTH}, "a", "a"),
    ],
)
def test_windows_says_for_which_purposes_a_root_is_trusted(trust, servers: str, clients: str) -> None:
    entries = [(ROOTS["a"], "x509_asn", trust)]
    assert names(read_windows(SERVER_AUTH, ROOT=entries)) == servers
    assert names(read_windows(CLIENT_AUTH, ROOT=entries)) == clients


def test_of_windows_stores_other_encodings_are_passed_over_and_broken_entries_named() -> None:
    entries = [(b"any", "pkcs_7_asn", True), (b"broken", "x509_asn", True), (ROOTS["a"], "x509_asn", True)]
    reader = read_windows(ROOT=entries)
    assert names(reader) == "a"
    assert [name for name, _ in complaints(reader)] == ["Windows ROOT store"]


def test_a_windows_store_that_may_not_be_read_is_named_and_the_other_counts() -> None:
    reader = read_windows(CA=PermissionError(13, "Access is denied"), ROOT=[(ROOTS["a"], "x509_asn", True)])
    assert names(reader) == "a"
    ((name, message),) = complaints(reader)
    assert name == "Windows CA store"
    assert "Access is denied" in message
    assert reader.volatile


# What OpenSSL refuses.


def loaded() -> int:
    """How many roots a context has that is given default trust."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    certhook.load_default_certs(context)
    _loading.load_whole(context)
    return context.cert_store_stats()["x509"]


def test_a_certificate_that_openssl_refuses_is_skipped_named_once_and_the_others_are_loaded(
    monkeypatch, tmp_path
) -> None:
    path = bundle(tmp_path / "bundle.pem", "ab")
    path.write_bytes(der.pem(ROOTS["a"]) + der.pem(REFUSED) + der.pem(ROOTS["b"]))
    monkeypatch.setenv("CERTHOOK_SOURCES", "bundled")
    monkeypatch.setenv("CERTHOOK_BUNDLE", str(path))
    monkeypatch.setenv("CERTHOOK_LOAD", "eager")
    with pytest.warns(CerthookWarning, match="OpenSSL refuses") as caught:
        assert loaded() == 2
    assert len(caught) == 1
    assert loaded() == 2
    assert len(_trust.current(_config.current(), SERVER_AUTH).problems) == 1


# What was read is kept as long as it looks the same.


@pytest.fixture(params=["eager", "lazy"])
def inputs(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Variables that name bundle.pem, the directory more, and late.pem, which is not there yet."""
    bundle(tmp_path / "bundle.pem", "ab")
    bundle(tmp_path / "more" / "c.pem", "c")
    for path in (tmp_path / "bundle.pem", tmp_path / "more" / "c.pem", tmp_path / "more"):
        # As if all that had been there for long: file systems do not count every nanosecond.
        os.utime(path, (10**9, 10**9))
    more = [str(tmp_path / "more"), str(tmp_path / "late.pem")]
    monkeypatch.setenv("CERTHOOK_SOURCES", "bundled")
    monkeypatch.setenv("CERTHOOK_BUNDLE", str(tmp_path / "bundle.pem"))
    monkeypatch.setenv("CERTHOOK_EXTRA_CA_CERTS", os.pathsep.join(more))
    monkeypatch.setenv("CERTHOOK_LOAD", request.param)
    monkeypatch.setenv("CERTHOOK_CACHE_DIR", str(tmp_path / "cache"))
    warnings.simplefilter("ignore", CerthookWarning)
    assert loaded() == 3
    return tmp_path


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that are read from now on."""
    paths: list[str] = []
    really_read = _files.read

    def read(path: str) -> bytes:
        paths.append(path)
        return really_read(path)

    monkeypatch.setattr(_files, "read", read)
    return paths


def test_no_file_is_read_twice_while_nothing_changes(inputs: Path, reads: list[str]) -> None:
    assert [loaded() for _ in range(3)] == [3, 3, 3]
    assert reads == []


def change_bundle(folder: Path) -> None:
    bundle(folder / "bundle.pem", "abd")


def replace_bundle(folder: Path) -> None:
    os.replace(bundle(folder / "new.pem", "de"), folder / "bundle.pem")


def remove_bundle(folder: Path) -> None:
    (folder / "bundle.pem").unlink()


def add_to_directory(folder: Path) -> None:
    bundle(folder / "more" / "d.pem", "d")


def remove_from_directory(folder: Path) -> None:
    (folder / "more" / "c.pem").unlink()


def come_late(folder: Path) -> None:
    bundle(folder / "late.pem", "def")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (change_bundle, 4),
        (replace_bundle, 3),
        (remove_bundle, 1),
        (add_to_directory, 4),
        (remove_from_directory, 2),
        (come_late, 6),
    ],
)
def test_a_change_is_seen_by_the_next_context(change, expected: int, inputs: Path, reads: list[str]) -> None:
    change(inputs)
    assert loaded() == expected
    assert reads
    del reads[:]
    assert loaded() == expected
    assert reads == []


def test_a_file_of_a_directory_that_is_overwritten_is_seen_when_every_file_is_looked_at(inputs, monkeypatch) -> None:
    for look in ("LINKED_LOOK_EVERY", "DEEP_LOOK_EVERY"):
        monkeypatch.setattr(_store, look, -1)
    bundle(inputs / "more" / "c.pem", "cd")
    assert loaded() == 4


def test_a_changed_variable_is_seen_by_the_next_context(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CERTHOOK_EXTRA_CA_CERTS")
    assert loaded() == 2


def test_the_directory_that_a_link_leads_to_is_watched_as_well(inputs: Path) -> None:
    """Kubernetes changes a mounted directory by changing what a link in it leads to."""
    for release, names_ in (("..1", "d"), ("..2", "def")):
        bundle(inputs / "more" / release / "ca.pem", names_)
    (inputs / "more" / "..data").symlink_to("..1")
    (inputs / "more" / "ca.pem").symlink_to("..data/ca.pem")
    assert loaded() == 4
    (inputs / "more" / "..new").symlink_to("..2")
    os.utime(inputs / "more", (10**9, 10**9))
    assert loaded() == 4
    os.replace(inputs / "more" / "..new", inputs / "more" / "..data")
    assert loaded() == 6


def test_each_link_on_the_way_to_a_file_is_watched(inputs: Path) -> None:
    for name, names_ in (("one.pem", "d"), ("two.pem", "def")):
        bundle(inputs / "elsewhere" / "files" / name, names_)
    middle = inputs / "elsewhere" / "middle.pem"
    middle.symlink_to("files/one.pem")
    (inputs / "more" / "ca.pem").symlink_to("../elsewhere/middle.pem")
    assert loaded() == 4
    middle.unlink()
    middle.symlink_to("files/two.pem")
    time.sleep(_store.LINKED_LOOK_EVERY)
    assert loaded() == 6


def test_the_bundles_of_two_drop_ins_are_not_mistaken_for_each_other(no_certifi, tmp_path, monkeypatch) -> None:
    """Where certifi is not installed, each drop-in has one beside it, and their users have one cache."""
    monkeypatch.setenv("CERTHOOK_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("CERTHOOK_SOURCES", "bundled")
    found = []
    for place, names_ in (("one", "ab"), ("two", "c")):
        bundle(tmp_path / place / "certifi" / "cacert.pem", names_)
        monkeypatch.setattr(_certifi, "__file__", str(tmp_path / place / "certhook" / "_certifi.py"))
        _trust.forget()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        certhook.load_default_certs(context)
        found.append(context.cert_store_stats()["x509"])
    assert found == [2, 1]


def test_nothing_at_all_is_one_problem_that_says_where_certhook_looked(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CERTHOOK_SOURCES", "bundled")
    monkeypatch.setenv("CERTHOOK_BUNDLE", str(bundle(tmp_path / "bundle.pem", "")))
    trust = _trust.trust_set()
    assert len(trust) == 0
    assert str(trust.problems[-1]).startswith("no trusted root was found")
    assert str(tmp_path / "bundle.pem") in str(trust.problems[-1])


def test_the_trust_set_is_public_and_says_everything(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CERTHOOK_SOURCES", "bundled")
    monkeypatch.setenv("CERTHOOK_BUNDLE", str(bundle(tmp_path / "bundle.pem", "ab")))
    trust = certhook.trust_set()
    assert isinstance(trust, certhook.TrustSet)
    assert [anchor.der for anchor in trust.anchors] == [ROOTS["a"], ROOTS["b"]]
    assert [(place.source, place.path, place.count) for place in trust.places] == [
        ("bundled", str(tmp_path / "bundle.pem"), 2)
    ]
    assert trust.problems == []
    assert len(certhook.trust_set(ssl.Purpose.CLIENT_AUTH)) == 0
