"""The files of block lists on Linux and FreeBSD: which ones are read, their effect, and the problems reported."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import der
import pytest
from der import ANY, CLIENTS, MAIL, SERVERS

from certhook import _files
from certhook._certificates.pem import MOST_PROBLEMS
from certhook._certificates.x509 import Certificate
from certhook._config import ANY_PURPOSE, CLIENT_AUTH, SERVER_AUTH, Config
from certhook._sources import debian, distrust
from certhook._sources.blocklist import identity
from certhook._sources.collector import Collector
from certhook.exceptions import SourceError

BAD = Certificate(der.certificate(der.common_name("bad")))
RENEWED = Certificate(der.certificate(der.common_name("bad"), serial=2))
OTHER = Certificate(der.certificate(der.common_name("other"), serial=3, key=der.OTHER_KEY))
OBJECT = b"[p11-kit-object-v1]\n"
DISTRUSTED = OBJECT + b"x-distrusted: true\n" + der.pem(BAD.der)


class Recorder:
    """Records the paths that are watched."""

    def __init__(self) -> None:
        self.watched: list[str] = []
        self.members: list[str] = []
        self.failures: list[object] = []
        self.limits: list[int] = []

    def watch(self, path: str) -> None:
        self.watched.append(path)

    def watch_member(self, path: str) -> None:
        self.members.append(path)

    def read_failed(self, error: object) -> None:
        self.failures.append(error)

    def depends_on_time(self, timestamp: int, now: float) -> None:
        self.limits.append(timestamp)


@pytest.fixture
def collector() -> Collector:
    collector = Collector(Config({}), SERVER_AUTH)
    collector.recorder = Recorder()
    return collector


@pytest.fixture
def linux(tmp_path: Path, monkeypatch) -> Path:
    """A directory with the locations of a Linux system, none of which exists."""
    monkeypatch.setattr(distrust.sys, "platform", "linux")
    for name in ("DESELECTED", "CERTIFICATES", "LOCAL"):
        monkeypatch.setattr(debian, name, str(tmp_path / name.lower()))
    monkeypatch.setattr(distrust, "P11_KIT", (str(tmp_path / "one"), str(tmp_path / "two")))
    return tmp_path


def write(path: Path, data: bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return str(path)


def lists(collector: Collector, certificate: Certificate = BAD, purposes: int = ANY_PURPOSE) -> set[str]:
    """The paths that distrust *certificate*, which they do for *purposes*."""
    found, paths = collector.blocklist.match(certificate)
    assert found == (purposes if paths else 0)
    return set(paths)


def assert_complete(collector: Collector) -> None:
    assert collector.problems == []
    assert collector.blocklist.is_complete


def test_a_system_without_block_lists_distrusts_nothing(linux, collector) -> None:
    distrust.read(collector)
    assert lists(collector) == set()
    assert_complete(collector)


# Debian.


@pytest.mark.parametrize(
    "line", [b"!mozilla/bad.crt", b" !mozilla/bad.crt ", b"!  mozilla/bad.crt", b"x.crt\n!mozilla/bad.crt\r"]
)
def test_a_deselected_file_is_distrusted_by_the_configuration(linux, collector, line: bytes) -> None:
    write(linux / "certificates" / "mozilla" / "bad.crt", der.pem(BAD.der))
    path = write(linux / "deselected", b"# roots\n" + line + b"\n")
    distrust.read(collector)
    assert lists(collector) == lists(collector, RENEWED) == {path}
    assert lists(collector, OTHER) == set()
    assert_complete(collector)


@pytest.mark.parametrize(
    "line", [b"mozilla/bad.crt", b"#!mozilla/bad.crt", b"!mozilla/bad.crt\0", b"!", b"!mozilla/", b"x!bad"]
)
def test_any_other_line_distrusts_nothing(linux, collector, line: bytes) -> None:
    write(linux / "certificates" / "mozilla" / "bad.crt", der.pem(BAD.der))
    write(linux / "deselected", line + b"\n")
    distrust.read(collector)
    assert lists(collector) == set()
    assert collector.blocklist.removed_labels == {}
    assert_complete(collector)


def test_a_deselected_file_of_mozilla_that_no_longer_exists_is_identified_by_its_label(linux, collector) -> None:
    path = write(linux / "deselected", b"!mozilla/Gone \xc3\xa9.crt\n!other/gone.crt\n!gone.crt\n!mozilla/a/b.crt\n")
    distrust.read(collector)
    assert collector.blocklist.removed_labels == {b"Gone \xc3\xa9.crt": path}
    assert_complete(collector)


@pytest.mark.parametrize("name", ["own.crt", "directory/own.crt"])
def test_a_ca_of_the_administrator_remains_trusted(linux, collector, name: str) -> None:
    write(linux / "local" / name, der.pem(RENEWED.der))
    write(linux / "certificates" / "both.crt", der.pem(BAD.der) + der.pem(OTHER.der))
    path = write(linux / "deselected", b"!both.crt\n")
    distrust.read(collector)
    assert lists(collector) == set()
    assert lists(collector, OTHER) == {path}
    assert collector.blocklist.exempt == {identity(BAD)}
    assert_complete(collector)


def test_a_ca_in_another_selected_file_remains_trusted(linux, collector) -> None:
    """An older certificate of the same CA, with the same subject and key, is deselected."""
    write(linux / "certificates" / "old.crt", der.pem(BAD.der) + der.pem(OTHER.der))
    write(linux / "certificates" / "mozilla" / "new.crt", der.pem(RENEWED.der))
    path = write(linux / "deselected", b"!old.crt\nmozilla/new.crt\n")
    distrust.read(collector)
    assert (lists(collector), lists(collector, OTHER)) == (set(), {path})
    assert collector.blocklist.exempt == {identity(BAD)}
    assert str(linux / "certificates" / "mozilla" / "new.crt") in collector.recorder.members
    assert_complete(collector)


@pytest.mark.parametrize(
    "line",
    [
        b"a.crt",
        b"  a.crt\t",
        b"/a.crt",
        b"mozilla/../a.crt",
        b"#\\\na.crt",
        b"c d.crt",
    ],
)
def test_a_selected_and_deselected_file_is_selected(linux, collector, line: bytes) -> None:
    (linux / "certificates" / "mozilla").mkdir(parents=True)
    write(linux / "certificates" / "a.crt", der.pem(BAD.der))
    write(linux / "certificates" / "c d.crt", der.pem(BAD.der))
    write(linux / "deselected", b"\n#\n!a.crt\n" + line + b"\n!a.crt\n")
    distrust.read(collector)
    assert lists(collector) == set()
    assert_complete(collector)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"a.crt", id="no line feed"),
        pytest.param(b"a.crt\r\n", id="a line of Windows"),
        pytest.param(b"a.crt\\\n", id="continued"),
        pytest.param(b"a.\\\ncrt\n", id="continued inside"),
        pytest.param(b"\\a.crt\n", id="a backslash, which only older versions of the script remove"),
        pytest.param(b"a.crt # comment\n", id="a comment"),
        pytest.param(b"#a.crt\n", id="commented out"),
        pytest.param(b" #a.crt\n", id="commented out after a space"),
        pytest.param(b" !a.crt\n", id="deselected after a space"),
        pytest.param(b"missing.crt\ndirectory\nder.crt\nindented.crt\nclients.crt\n", id="files without the CA"),
    ],
)
def test_a_line_that_selects_nothing_exempts_nothing(linux, collector, text: bytes) -> None:
    files = linux / "certificates"
    write(files / "a.crt", der.pem(BAD.der))
    (files / "directory").mkdir()
    # OpenSSL ignores these in Debian's bundle.
    write(files / "der.crt", BAD.der)
    write(files / "indented.crt", b" " + der.pem(BAD.der))
    write(files / "clients.crt", der.pem(BAD.der + der.auxiliary([CLIENTS]), "TRUSTED CERTIFICATE"))
    path = write(linux / "deselected", b"!a.crt\n" + text)
    distrust.read(collector)
    assert lists(collector) == {path}
    assert_complete(collector)


def test_without_a_deselected_file_no_selected_file_is_read(linux, collector) -> None:
    write(linux / "certificates" / "a.crt", der.pem(BAD.der))
    write(linux / "deselected", b"a.crt\n!\n! \n")
    distrust.read(collector)
    assert collector.recorder.members == []


@pytest.mark.skipif(os.name != "posix", reason="Windows has no /dev/null")
@pytest.mark.parametrize("name", ["deselected", "certificates/a.crt", "one/blocklist/a.pem"])
def test_a_file_that_dev_null_masks_does_not_exist(linux, collector, name: str) -> None:
    """As systemd masks units: /dev/null is mounted over a file or linked from its place."""
    write(linux / "deselected", b"!a.crt\n")
    path = linux / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        path.unlink()
    path.symlink_to("/dev/null")
    distrust.read(collector)
    assert lists(collector) == set()
    assert_complete(collector)


def test_cas_of_all_files_of_the_administrator_and_all_selected_files_remain_trusted(linux, collector) -> None:
    cas = [Certificate(der.certificate(der.common_name(name))) for name in "abcd"]
    write(linux / "local" / "a.crt", der.pem(cas[0].der))
    write(linux / "local" / "b.crt", der.pem(cas[1].der))
    write(linux / "certificates" / "c.crt", der.pem(cas[2].der))
    write(linux / "certificates" / "d.crt", der.pem(cas[3].der))
    write(linux / "certificates" / "all.crt", b"".join(der.pem(ca.der) for ca in [*cas, BAD]))
    path = write(linux / "deselected", b"!all.crt\nc.crt\nd.crt\n")
    distrust.read(collector)
    assert [lists(collector, ca) for ca in [*cas, BAD]] == [set(), set(), set(), set(), {path}]
    # The system's store also contains them. They are not parsed again.
    assert set(collector.certificates.by_der) == {ca.der for ca in cas}


def test_links_to_directories_of_the_administrators_cas_are_followed(linux, collector) -> None:
    write(linux / "elsewhere" / "own.crt", der.pem(BAD.der))
    (linux / "local").mkdir()
    (linux / "local" / "link").symlink_to(linux / "elsewhere")
    assert debian.local_identities(collector) == {identity(BAD)}


@pytest.mark.parametrize("name", ["deselected", "certificates/a.crt"])
def test_an_unreadable_file_of_debian_leaves_the_block_list_incomplete(linux, collector, name: str) -> None:
    write(linux / "deselected", b"!a.crt\n")
    path = linux / name
    if path.exists():
        path.unlink()
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(path.name)
    distrust.read(collector)
    assert problems(collector) == [str(path)]
    assert not collector.blocklist.is_complete


def test_files_with_another_suffix_are_not_cas_of_the_administrator(linux, collector) -> None:
    write(linux / "local" / "own.pem", der.pem(BAD.der))
    write(linux / "local" / "own.crt.bak", der.pem(BAD.der))
    write(linux / "certificates" / "bad.crt", der.pem(BAD.der))
    path = write(linux / "deselected", b"!bad.crt\n")
    distrust.read(collector)
    assert lists(collector) == {path}
    assert not collector.blocklist.exempt


def test_the_administrators_cas_are_read_only_if_a_file_is_deselected(linux, collector) -> None:
    write(linux / "local" / "own.crt", der.pem(BAD.der))
    write(linux / "deselected", b"x.crt\n")
    distrust.read(collector)
    assert not collector.blocklist.exempt
    assert str(linux / "local") not in collector.recorder.watched


def test_an_unreadable_ca_of_the_administrator_does_not_hide_the_others(linux, collector) -> None:
    (linux / "local" / "a.crt").mkdir(parents=True)
    (linux / "local" / "b.crt").symlink_to("b.crt")
    write(linux / "local" / "c.crt", der.pem(BAD.der))
    assert debian.local_identities(collector) == {identity(BAD)}
    assert [type(error).__name__ for error in collector.recorder.failures] == ["OSError"]


def test_every_file_of_debian_is_watched(linux, collector) -> None:
    write(linux / "local" / "inner" / "own.crt", der.pem(OTHER.der))
    write(linux / "certificates" / "a.crt", der.pem(BAD.der))
    write(linux / "deselected", b"!a.crt\n!mozilla/b.crt\n")
    debian.read_deselected(collector)
    local = [str(linux / "local"), str(linux / "local"), str(linux / "local" / "inner")]
    assert collector.recorder.watched == [str(linux / "deselected"), *local]
    names = [("certificates", "a.crt"), ("local", "inner", "own.crt"), ("certificates", "mozilla", "b.crt")]
    assert collector.recorder.members == [str(linux.joinpath(*name)) for name in names]


def test_other_files_are_read_only_if_a_bundle_contains_a_deselected_root_without_a_file(linux, collector) -> None:
    """There are hundreds of them, and every release of Debian deselects roots that it removed."""
    write(linux / "local" / "own.crt", der.pem(BAD.der))
    write(linux / "deselected", b"!mozilla/Bad.crt\nselected.crt\n")
    debian.read_deselected(collector)
    collector.block_labelled(b'# Label: "Other"\n' + der.pem(OTHER.der))
    assert collector.recorder.watched == [str(linux / "deselected")]
    assert collector.recorder.members == [str(linux / "certificates" / "mozilla" / "Bad.crt")]
    collector.block_labelled(b'# Label: "Bad"\n' + der.pem(BAD.der))
    assert collector.blocklist.match(BAD) == (0, [])
    assert str(linux / "local") in collector.recorder.watched
    assert collector.recorder.members[1:] == [
        str(linux / "local" / "own.crt"),
        str(linux / "certificates" / "selected.crt"),
    ]


# p11-kit.


@pytest.mark.parametrize("directory", ["one", "one/anchors", "two", "two/anchors"])
def test_outside_of_block_lists_only_marked_certificates_are_distrusted(linux, collector, directory: str) -> None:
    path = write(linux / directory / "list.p11-kit", DISTRUSTED + OBJECT + der.pem(OTHER.der))
    write(linux / directory / "anchor.pem", der.pem(OTHER.der))
    distrust.read(collector)
    assert lists(collector) == {path}
    assert lists(collector, OTHER) == set()
    assert_complete(collector)


@pytest.mark.parametrize("directory", ["one/blocklist", "one/blacklist", "two/blocklist", "two/blacklist"])
def test_in_block_lists_every_certificate_is_distrusted(linux, collector, directory: str) -> None:
    first = write(linux / directory / "a.pem", der.pem(BAD.der) + der.pem(OTHER.der))
    second = write(linux / directory / "b.p11-kit", OBJECT + der.pem(OTHER.der))
    distrust.read(collector)
    assert (lists(collector), lists(collector, OTHER)) == ({first}, {first, second})
    assert_complete(collector)


def test_a_certificate_in_a_block_list_may_begin_within_a_line(linux, collector) -> None:
    path = write(linux / "one" / "blocklist" / "list", b"  " + der.pem(BAD.der))
    distrust.read(collector)
    assert lists(collector) == {path}
    assert_complete(collector)


def test_certificates_before_the_first_object_belong_to_the_list(linux, collector) -> None:
    path = write(linux / "one" / "blocklist" / "list", der.pem(OTHER.der) + DISTRUSTED)
    distrust.read(collector)
    assert lists(collector) == lists(collector, OTHER) == {path}


@pytest.mark.parametrize(
    ("trusted", "rejected", "purposes"),
    [
        # Without a list of trusted uses, p11-kit distrusts for every purpose.
        (None, None, ANY_PURPOSE),
        (None, [SERVERS], ANY_PURPOSE),
        (None, [MAIL], ANY_PURPOSE),
        ([], None, ANY_PURPOSE),
        ([MAIL], [MAIL], ANY_PURPOSE),
        ([SERVERS], [SERVERS], ANY_PURPOSE),
        ([SERVERS], None, 0),
        ([SERVERS, MAIL], [MAIL], 0),
        ([SERVERS, MAIL], [SERVERS], SERVER_AUTH),
        ([ANY], None, 0),
        ([ANY], [CLIENTS], CLIENT_AUTH),
        ([CLIENTS], None, SERVER_AUTH),
        ([MAIL], [CLIENTS], ANY_PURPOSE),
    ],
)
def test_openssls_trust_settings_distrust_for_their_purposes(
    linux, collector, trusted, rejected, purposes: int
) -> None:
    data = der.pem(BAD.der + der.auxiliary(trusted, rejected), "TRUSTED CERTIFICATE")
    path = write(linux / "one" / "anchors" / "bad.pem", data)
    distrust.read(collector)
    # p11-kit attaches the settings to the key.
    same_key = Certificate(der.certificate(der.common_name("same key"), serial=4))
    assert lists(collector, BAD, purposes) == lists(collector, same_key, purposes) == ({path} if purposes else set())
    assert lists(collector, OTHER) == set()
    assert list(collector.blocklist.certificates) == ([BAD.der] if purposes else [])
    assert_complete(collector)


def test_directories_in_a_directory_are_not_read(linux, collector) -> None:
    write(linux / "one" / "blocklist" / "inner" / "bad.pem", der.pem(BAD.der))
    path = write(linux / "one" / "blocklist" / "z.pem", der.pem(OTHER.der))
    distrust.read(collector)
    assert (lists(collector), lists(collector, OTHER)) == (set(), {path})
    assert_complete(collector)


def test_the_block_lists_of_a_directory_count_whatever_access_returns(linux, collector, monkeypatch) -> None:
    """access() checks the permissions of the real user, and Linux reports other errors as well."""
    path = write(linux / "one" / "blocklist" / "bad.pem", der.pem(BAD.der))
    monkeypatch.setattr(distrust.os, "access", lambda path, mode: False)
    distrust.read(collector)
    assert lists(collector) == {path}
    assert_complete(collector)


def test_every_directory_and_file_of_p11_kit_is_watched(linux, collector) -> None:
    path = write(linux / "one" / "blocklist" / "bad.pem", der.pem(BAD.der))
    distrust.read(collector)
    directories = [str(linux / name) for name in ("one", "one/anchors", "one/blocklist", "one/blacklist", "two")]
    assert set(directories) | {path, str(linux / "deselected")} <= set(collector.recorder.watched)
    assert collector.recorder.members == [path]


# Problems.


def problems(collector: Collector) -> list[str]:
    """The paths of the problems, each of which gives a reason."""
    assert [problem for problem in collector.problems if "None" in str(problem)] == []
    return [problem.path for problem in collector.problems]


def test_a_file_of_a_block_list_that_distrusts_nothing_is_a_problem(linux, collector) -> None:
    path = write(linux / "one" / "blocklist" / "list", b"text\n")
    distrust.read(collector)
    assert problems(collector) == [path]
    assert "nothing" in str(collector.problems[0])
    assert collector.blocklist.is_complete


def test_a_certificate_in_a_deselected_file_may_begin_within_a_line(linux, collector) -> None:
    write(linux / "certificates" / "a.crt", b"  " + der.pem(BAD.der))
    path = write(linux / "deselected", b"!a.crt\n")
    distrust.read(collector)
    assert lists(collector) == {path}
    assert_complete(collector)


def test_a_malformed_certificate_in_a_deselected_file_leaves_the_block_list_incomplete(linux, collector) -> None:
    path = write(linux / "certificates" / "a.crt", der.pem(OTHER.der) + der.pem(b"text"))
    write(linux / "deselected", b"!a.crt\n")
    distrust.read(collector)
    assert problems(collector) == [path]
    assert "the certificate at line 8 was skipped: element exceeds" in str(collector.problems[0])
    assert not collector.blocklist.is_complete
    assert lists(collector, OTHER) == {str(linux / "deselected")}


def test_a_deselected_file_that_contains_nothing_is_a_problem(linux, collector) -> None:
    path = write(linux / "certificates" / "a.crt", b"text\n")
    write(linux / "deselected", b"!a.crt\n")
    distrust.read(collector)
    assert problems(collector) == [path]


@pytest.mark.parametrize("directory", ["one", "one/anchors"])
def test_a_file_outside_of_block_lists_may_distrust_nothing(linux, collector, directory: str) -> None:
    write(linux / directory / "list", b"text\n")
    write(linux / directory / "broken.pem", der.pem(b"text"))
    distrust.read(collector)
    assert_complete(collector)


@pytest.mark.parametrize(
    ("directory", "data"),
    [
        ("one/blocklist", der.pem(b"text")),
        ("one/blocklist", OBJECT),
        ("one/anchors", der.pem(b"text", "TRUSTED CERTIFICATE")),
        ("one", OBJECT + b"x-distrusted: true\n"),
    ],
)
def test_an_entry_that_identifies_nothing_leaves_the_block_list_incomplete(linux, collector, directory, data) -> None:
    path = write(linux / directory / "list", data + DISTRUSTED)
    distrust.read(collector)
    assert set(problems(collector)) == {path}
    assert not collector.blocklist.is_complete
    assert lists(collector) == {path}


def test_a_problem_names_the_line_of_a_malformed_block(linux, collector) -> None:
    write(linux / "one" / "blocklist" / "list", b"#\n" + der.pem(b"text"))
    distrust.read(collector)
    assert ["line 2 " in str(problem) for problem in collector.problems if "nothing" not in str(problem)] == [True]


def test_problems_of_one_file_are_limited(linux, collector) -> None:
    write(linux / "one" / "blocklist" / "list", OBJECT * (MOST_PROBLEMS + 5) + DISTRUSTED)
    distrust.read(collector)
    assert len(collector.problems) == MOST_PROBLEMS


@pytest.mark.parametrize("name", ["README", "Readme.md", ".hidden"])
def test_documentation_in_a_block_list_is_not_a_problem(linux, collector, name: str) -> None:
    write(linux / "one" / "blocklist" / name, b"text\n" + der.pem(b"text"))
    distrust.read(collector)
    assert_complete(collector)


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(5, "Input/output error")])
def test_an_unreadable_directory_leaves_the_block_list_incomplete(linux, collector, error, monkeypatch) -> None:
    listdir = os.listdir

    def refuse(path: str) -> list[str]:
        if path == str(linux / "one"):
            raise error
        return listdir(path)

    path = write(linux / "two" / "list", DISTRUSTED)
    monkeypatch.setattr(distrust.os, "listdir", refuse)
    distrust.read(collector)
    assert problems(collector) == [str(linux / "one")]
    assert error.strerror in str(collector.problems[0])
    assert not collector.blocklist.is_complete
    assert collector.recorder.failures == [error]
    assert lists(collector) == {path}


def test_a_file_in_place_of_a_directory_is_not_a_problem(linux, collector) -> None:
    write(linux / "one", DISTRUSTED)
    distrust.read(collector)
    assert lists(collector) == set()
    assert_complete(collector)


def test_a_link_to_a_missing_file_is_not_a_problem(linux, collector) -> None:
    (linux / "one" / "blocklist").mkdir(parents=True)
    (linux / "one" / "blocklist" / "a.pem").symlink_to("missing")
    (linux / "one" / "blocklist" / "b.pem").symlink_to(write(linux / "file", b"") + "/missing")
    distrust.read(collector)
    assert_complete(collector)


@pytest.fixture(params=[PermissionError(13, "Permission denied"), OSError(5, "Input/output error")])
def refuse(request, monkeypatch):
    """A function that makes a path unreadable, and returns the error."""

    def refuse(refused: str) -> OSError:
        def refusing(function, failure):
            def call(path: str):
                if path == refused:
                    raise failure from request.param
                return function(path)

            return call

        reading = refusing(_files.read, SourceError(refused, "cannot be read: test"))
        monkeypatch.setattr(_files, "read", reading)
        monkeypatch.setattr(distrust.os, "listdir", refusing(os.listdir, request.param))
        return request.param

    return refuse


@pytest.mark.parametrize("directory", ["one", "one/blocklist", "two/blacklist"])
def test_an_unreadable_file_leaves_the_block_list_incomplete(linux, collector, refuse, directory: str) -> None:
    path = write(linux / directory / "a.pem", b"")
    other = write(linux / directory / "b.pem", DISTRUSTED)
    error = refuse(path)
    distrust.read(collector)
    assert problems(collector) == [path]
    assert not collector.blocklist.is_complete
    assert collector.recorder.failures == [error]
    assert lists(collector) == {other}


@pytest.fixture
def debug_lines(collector, capfd):
    """A function that returns the lines that the collector writes to standard error."""
    collector.config = Config({"CERTHOOK_DEBUG": "1"})
    return lambda: capfd.readouterr().err.splitlines()


@pytest.mark.parametrize("name", ["one/anchors/a.pem", "one/anchors"])
def test_unreadable_anchors_are_ignored(linux, collector, refuse, debug_lines, name: str) -> None:
    """They add trust, and the system's store contains their effect."""
    write(linux / "one" / "anchors" / "a.pem", DISTRUSTED)
    other = write(linux / "two" / "anchors" / "b.pem", DISTRUSTED)
    path = str(linux / name)
    error = refuse(path)
    distrust.read(collector)
    assert_complete(collector)
    assert [line for line in debug_lines() if f"{path} is ignored: it cannot be read: " in line]
    # A process that may read them has another result.
    assert collector.recorder.failures == [error]
    assert path in collector.recorder.watched
    assert lists(collector) == {other}


def bind(path: Path) -> None:
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as listening:
        listening.bind(str(path))


@pytest.mark.parametrize("directory", ["one", "one/anchors", "one/blocklist"])
@pytest.mark.parametrize(
    "create", [os.mkfifo, bind, lambda path: path.symlink_to(path.name), lambda path: path.symlink_to("/dev/zero")]
)
def test_a_path_that_is_not_a_regular_file_is_ignored(
    linux, collector, debug_lines, create, monkeypatch, directory: str
) -> None:
    other = write(linux / directory / "b.pem", DISTRUSTED)
    monkeypatch.chdir(linux / directory)  # The path of a socket is limited to about 100 bytes.
    create(Path("a"))
    distrust.read(collector)
    assert_complete(collector)
    assert (
        len([line for line in debug_lines() if f"{linux / directory / 'a'} is ignored: it is not a file" in line]) == 1
    )
    assert collector.recorder.failures == []
    assert str(linux / directory / "a") in collector.recorder.watched
    assert lists(collector) == {other}


def test_a_file_that_is_too_large_is_ignored_only_among_anchors(linux, collector) -> None:
    for name in ("anchors", "blocklist"):
        (linux / "one" / name).mkdir(parents=True)
        with open(linux / "one" / name / "a.pem", "wb") as file:
            file.truncate(_files.LIMIT + 1)
    distrust.read(collector)
    assert problems(collector) == [str(linux / "one" / "blocklist" / "a.pem")]
    assert not collector.blocklist.is_complete


def dated(timestamp: float) -> bytes:
    """Return an object with a certificate that is distrusted from *timestamp* on, 398 days after its distrust date."""
    date = datetime.fromtimestamp(timestamp, timezone.utc) - timedelta(days=398)
    lines = f'trusted: true\nnss-server-distrust-after: "{date:%y%m%d%H%M%S}Z"\n'
    return OBJECT + lines.encode() + der.pem(BAD.der)


def test_a_root_with_a_distrust_date_is_distrusted_398_days_later(linux, collector) -> None:
    since = int(time.time()) - 60
    path = write(linux / "one" / "bundle.p11-kit", dated(since))
    distrust.read(collector)
    assert lists(collector, BAD, SERVER_AUTH) == lists(collector, RENEWED, SERVER_AUTH) == {path}
    assert collector.recorder.limits == [since]
    assert_complete(collector)


def test_a_root_with_a_distrust_date_is_trusted_until_398_days_later(linux, collector) -> None:
    later = int(time.time()) + 3600
    write(linux / "one" / "bundle.p11-kit", dated(later))
    distrust.read(collector)
    assert lists(collector) == set()
    assert collector.recorder.limits == [later]
    assert_complete(collector)


def test_a_later_object_is_distrusted_although_an_earlier_one_is_not_yet(linux, collector) -> None:
    path = write(linux / "one" / "bundle.p11-kit", dated(time.time() + 3600) + DISTRUSTED)
    distrust.read(collector)
    assert lists(collector) == {path}


# Other systems.


@pytest.mark.parametrize("platform", ["android", "linux"])
def test_cas_that_the_user_of_android_disabled_are_distrusted(tmp_path, collector, monkeypatch, platform: str) -> None:
    monkeypatch.setattr(distrust.sys, "platform", platform)
    monkeypatch.setattr(distrust.sys, "getandroidapilevel", lambda: 34, raising=False)
    monkeypatch.setattr(distrust, "REMOVED", (str(tmp_path / "none"), str(tmp_path / "removed")))
    path = write(tmp_path / "removed" / "0d69c7e1.0", BAD.der)
    distrust.read(collector)
    assert (lists(collector), lists(collector, OTHER)) == ({path}, set())
    assert_complete(collector)


def test_the_directories_of_systems_are_the_documented_ones() -> None:
    """certctl(8) of FreeBSD 12 to 15, and TrustedCertificateStore of Android."""
    freebsd = {
        "/usr/share/certs/untrusted",
        "/usr/local/share/certs/untrusted",
        "/etc/ssl/untrusted",
        "/etc/ssl/blacklisted",
    }
    assert freebsd < set(distrust.UNTRUSTED)
    assert "/data/misc/user/0/cacerts-removed" in distrust.REMOVED


def test_each_directory_of_freebsd_is_a_block_list(tmp_path: Path, collector, monkeypatch) -> None:
    monkeypatch.setattr(distrust.sys, "platform", "freebsd14")
    monkeypatch.setattr(distrust, "UNTRUSTED", (str(tmp_path / "a"), str(tmp_path / "none"), str(tmp_path / "b")))
    paths = {write(tmp_path / name / "bad.pem", der.pem(BAD.der)) for name in "ab"}
    distrust.read(collector)
    assert lists(collector) == paths
    assert_complete(collector)
    empty = write(tmp_path / "a" / "empty.pem", b"")
    distrust.read(collector)
    assert problems(collector) == [empty]


def test_another_unix_has_no_block_lists(linux, collector, monkeypatch) -> None:
    write(linux / "one" / "blocklist" / "bad.pem", der.pem(BAD.der))
    monkeypatch.setattr(distrust, "UNTRUSTED", (str(linux / "one" / "blocklist"),))
    monkeypatch.setattr(distrust.sys, "platform", "sunos5")
    distrust.read(collector)
    assert lists(collector) == set()


def test_a_native_store_replaces_the_files(linux, collector, monkeypatch) -> None:
    class Native:
        calls: list[Collector] = []

        @classmethod
        def read_distrusted(cls, collector: Collector) -> None:
            cls.calls.append(collector)

    write(linux / "one" / "blocklist" / "bad.pem", der.pem(BAD.der))
    monkeypatch.setattr(distrust, "native_store", lambda: Native)
    distrust.read(collector)
    assert Native.calls == [collector]
    assert lists(collector) == set()
