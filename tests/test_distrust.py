"""Distrust: what is matched by it, and what comes of it. Whole systems are in test_layouts.py."""

from __future__ import annotations

import errno
import hashlib
import os
import re
from pathlib import Path

import certifi
import der
import pytest
from hypothesis import given
from hypothesis import strategies as st

from certhook import _files, _trust
from certhook._certificates.anchor import Anchor
from certhook._config import ANY_PURPOSE, CLIENT_AUTH, SERVER_AUTH, Config
from certhook._sources import TrustSet, distrust, windows
from certhook._sources.distrust import Block, Distrust
from certhook._sources.collector import Reader
from certhook._x509 import SERVER_AUTH as SERVER
from certhook._x509 import Certificate
from certhook.exceptions import SourceError

NAME = der.common_name("distrusted")
OTHER_KEY = der._KEY[:-1] + b"\xf4"
BAD = der.certificate(NAME)
GOOD = der.certificate(der.common_name("good"))


def rejected(block: Block, *certificates: bytes) -> list[int]:
    """For which purposes each of *certificates* is rejected, where *block* is distrusted."""
    distrusted = Distrust()
    distrusted.add(block, "the list")
    anchors = [Anchor(certificate) for certificate in certificates]
    for anchor in anchors:
        distrusted.apply(anchor)
        assert anchor.rejected_by == (["the list"] if anchor.rejected else [])
    return [anchor.rejected for anchor in anchors]


def test_a_certificate_and_its_renewed_copies_are_distrusted() -> None:
    renewed = der.certificate(NAME, serial=2)
    assert rejected(Block(ANY_PURPOSE, BAD), BAD, renewed) == [ANY_PURPOSE] * 2


def test_a_copy_is_known_by_its_name_however_that_is_written() -> None:
    printable = der.name([der.attribute(der.element(der.PRINTABLE_STRING, b" Distrusted "))])
    assert rejected(Block(ANY_PURPOSE, BAD), der.certificate(printable)) == [ANY_PURPOSE]


def test_another_name_or_another_key_is_another_ca() -> None:
    assert rejected(Block(ANY_PURPOSE, BAD), GOOD, der.certificate(NAME, serial=2, key=OTHER_KEY)) == [0, 0]


def test_a_purpose_is_distrusted_by_itself() -> None:
    assert rejected(Block(CLIENT_AUTH, BAD), BAD, GOOD) == [CLIENT_AUTH, 0]


def test_an_issuer_and_a_serial_number_name_one_certificate() -> None:
    issuer, serial = Certificate(BAD).issuer, Certificate(BAD).serial
    same, other = der.certificate(NAME, key=OTHER_KEY), der.certificate(NAME, serial=2)
    assert rejected(Block(ANY_PURPOSE, issuer=issuer, serial=serial), BAD, same, other) == [ANY_PURPOSE] * 2 + [0]


@pytest.mark.parametrize("block", [Block(ANY_PURPOSE, b"?"), Block(ANY_PURPOSE), Block(ANY_PURPOSE, issuer=NAME)])
def test_what_names_nothing_is_refused(block) -> None:
    with pytest.raises(ValueError):
        Distrust().add(block, "the list")


KEY_USAGE, REJECT = "2.5.29.37", "1.3.6.1.4.1.3319.6.10.1"
SERVERS, CLIENTS, MAIL, ANY = "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.4", "2.5.29.37.0"


def attached(kind: str, value: bytes, key: bytes, quoted: bool = False) -> bytes:
    """A p11-kit object that attaches an extension to *key*."""
    lines = ["[p11-kit-object-v1]", "class: x-certificate-extension", f"object-id: {kind}"]
    lines.append(f'value: "{escaped(value)}"')
    lines.append(f'public-key-info: "{escaped(key)}"' if quoted else der.pem(key, "PUBLIC KEY").decode())
    return "\n".join(lines).encode()


def escaped(data: bytes) -> str:
    return "".join(f"%{octet:02x}" for octet in data)


@pytest.mark.parametrize("quoted", [False, True], ids=["PEM", "public-key-info"])
@pytest.mark.parametrize("everything", [False, True], ids=["source", "blocklist"])
@pytest.mark.parametrize(
    "kind, value, expected",
    [
        (KEY_USAGE, der.extension(KEY_USAGE, MAIL), SERVER_AUTH),
        (KEY_USAGE, der.extension(KEY_USAGE), SERVER_AUTH),
        (KEY_USAGE, der.extension(KEY_USAGE, MAIL, SERVERS), 0),
        (KEY_USAGE, der.extension(KEY_USAGE, ANY), 0),
        (REJECT, der.extension(REJECT, MAIL), 0),
        (REJECT, der.extension(REJECT, SERVERS), SERVER_AUTH),
        (REJECT, der.extension(REJECT, CLIENTS), CLIENT_AUTH),
        (REJECT, der.extension(REJECT, ANY), ANY_PURPOSE),
        # p11-kit passes over a certificate with one that it cannot read.
        (KEY_USAGE, der.extension(KEY_USAGE, SERVERS)[:-1], ANY_PURPOSE),
        (KEY_USAGE, der.element(der.SEQUENCE, der.object_identifier(SERVERS)), ANY_PURPOSE),
        (REJECT, b"", ANY_PURPOSE),
        # Of another kind: it says nothing of purposes.
        ("2.5.29.19", b"", 0),
    ],
)
def test_an_extension_that_is_attached_to_a_key_restricts_each_certificate_with_it(
    kind, value, expected, everything, quoted
) -> None:
    reader = Reader(Config({}), SERVER_AUTH)
    other = der.certificate(NAME, key=OTHER_KEY)
    distrust._block(reader, "/README", attached(kind, value, Certificate(BAD).key, quoted), everything)
    assert reader.problems == []
    verdicts = []
    for certificate in (BAD, GOOD, other):  # two with the key, and one with another
        anchor = Anchor(certificate)
        reader.distrust.apply(anchor)
        verdicts.append(anchor.rejected)
    assert verdicts == [expected, expected, 0]


PEM = der.pem(BAD)
LINES = PEM.splitlines(keepends=True)
#: What p11-kit 0.24 takes for a certificate, and OpenSSL does not.
P11_KITS = {
    "indented": b"".join(b"  " + line for line in LINES),
    "behind other text": b"# " + PEM,
    "behind dashes": b"----" + PEM,
    "behind a form feed": b"\f" + PEM,
    "on the last line of another": der.pem(GOOD).rstrip() + PEM,
    "with headers": LINES[0] + b"Proc-Type: 4\nDEK-Info: none\n\n" + b"".join(LINES[1:]),
    "with headers, from Windows": LINES[0] + b"Proc-Type: 4\r\n\r\n" + b"".join(LINES[1:]),
    "vertical tabs": PEM.replace(b"\n", b"\v\n"),
    "in an object, behind a form feed": b"\f[p11-kit-object-v1]\nx-distrusted: true\n" + PEM,
    "with a comment that names an object": b"# see [p11-kit-object-v1]\n" + PEM,
    "in an object, behind such a comment": b"[p11-kit-object-v1]\n# not [p11-kit-object-v1]\nx-distrusted: true\n"
    + PEM,
    "in an object, indented": b"[p11-kit-object-v1]\nclass: certificate\nx-distrusted: true\n" + b"  " + PEM,
}


@pytest.mark.parametrize("form", P11_KITS)
def test_what_p11_kit_takes_for_a_certificate_is_distrusted(form) -> None:
    reader = Reader(Config({}), SERVER_AUTH)
    distrust._block(reader, "/list", P11_KITS[form], everything=True)
    assert reader.problems == [] and BAD in reader.distrust.certificates


@pytest.mark.parametrize("text", [PEM[:-30], b"\t" + PEM[:60] + b"?" + PEM[60:], PEM[:40] + PEM[:99]])
def test_of_a_block_that_is_no_certificate_it_is_not_known_what_it_distrusts(text) -> None:
    reader = Reader(Config({}), SERVER_AUTH)
    distrust._block(reader, "/list", der.pem(GOOD) + text, everything=True)
    assert reader.problems and not reader.distrust.is_known
    assert list(reader.distrust.certificates) == [GOOD]


@pytest.mark.parametrize(
    "text", [re.sub(b"(?m)^", b"# ", PEM), re.sub(b"(?m)^", b"#", PEM), re.sub(b"(?m)^", b"\t#", PEM[:80])]
)
def test_a_block_that_is_commented_out_is_none(text) -> None:
    reader = Reader(Config({}), SERVER_AUTH)
    distrust._block(reader, "/list", der.pem(GOOD) + text, everything=True)
    assert reader.problems == [] and reader.distrust.is_known
    assert list(reader.distrust.certificates) == [GOOD]


@pytest.mark.parametrize(
    "text", [b"Put -----BEGIN CERTIFICATE----- here", b"0 files", b"-----BEGIN TRUSTED CERTIFICATE-----"]
)
@pytest.mark.parametrize("name", ["README", "readme.txt", ".a.pem.swp"])
def test_what_nobody_means_to_be_read_is_no_fault(name, text) -> None:
    reader = Reader(Config({}), SERVER_AUTH)
    for everything in (True, False):
        distrust._block(reader, f"/{name}", text, everything)
    assert reader.problems == [] and reader.distrust.is_known


@pytest.mark.parametrize("line", ["!", "!mozilla/", "! ", "!/"])
def test_a_line_that_deselects_nothing_is_passed_over(line, tmp_path, monkeypatch) -> None:
    (tmp_path / "conf").write_text(f"{line}\n")
    monkeypatch.setattr(distrust, "DESELECTED", str(tmp_path / "conf"))
    reader = Reader(Config({}), SERVER_AUTH)
    distrust._read_deselected(reader)
    assert reader.problems == [] and reader.distrust.is_known


def test_what_the_administrator_added_and_cannot_be_read_distrusts_nobody(tmp_path, monkeypatch) -> None:
    def refuse(path: str) -> bytes:
        raise SourceError(path, "cannot be read: Permission denied") from PermissionError(errno.EACCES, "")

    monkeypatch.setattr(distrust, "LOCAL", str(tmp_path))
    monkeypatch.setattr(_files, "read", refuse)
    (tmp_path / "own.crt").touch()
    reader = Reader(Config({}), SERVER_AUTH)
    assert distrust._local(reader) == set()
    assert reader.problems == [] and reader.distrust.is_known and not reader.closed


def test_where_anchors_are_only_what_carries_trust_settings_may_distrust() -> None:
    for label, known in ((b" CERTIFICATE", True), (b" TRUSTED CERTIFICATE", False)):
        reader = Reader(Config({}), SERVER_AUTH)
        distrust._block(reader, "/anchors", PEM[:-40].replace(b" CERTIFICATE", label), everything=False)
        assert reader.distrust.is_known == known


def test_links_that_lead_in_circles_end(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(distrust, "LOCAL", str(tmp_path))
    for name in "abc":
        (tmp_path / name).symlink_to(".")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "own.crt").write_bytes(PEM)
    assert distrust._local(Reader(Config({}), SERVER_AUTH)) == {distrust.identity(Certificate(BAD))}


def test_an_attached_extension_without_a_key_is_a_problem() -> None:
    reader = Reader(Config({}), SERVER_AUTH)
    distrust._block(reader, "/list", attached(REJECT, der.extension(REJECT, SERVERS), b""), False)
    assert ["names no public key" in str(problem) for problem in reader.problems] == [True]
    assert not reader.distrust.is_known


PIECES = [
    attached(KEY_USAGE, der.extension(KEY_USAGE, MAIL), b"?"),
    b"[p11-kit-object-v1]\n",
    b"class: certificate\n",
    b"x-distrusted: true\n",
    b"x-distrusted: false\n",
    b'value: "' + b"".join(b"%%%02x" % octet for octet in BAD) + b'"\n',
    b'issuer: "%30%00"\n',
    b'serial-number: "%02%01%01"\n',
    b'value: "%"\n',
    der.pem(BAD),
    der.pem(GOOD),
    der.pem(BAD)[:-40],
    BAD,
    b"#",
]


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=12)), max_size=8).map(b"".join), st.booleans())
def test_of_whatever_a_list_holds_only_what_is_whole_in_it_is_distrusted(data, everything) -> None:
    reader = Reader(Config({}), SERVER_AUTH)
    distrust._block(reader, "/the/list", data, everything)
    named = {certificate: named_in(data, certificate) for certificate in (BAD, GOOD)}
    for certificate, whole in named.items():
        anchor = Anchor(certificate)
        reader.distrust.apply(anchor)
        assert not anchor.rejected or whole
    assert all(problem.path == "/the/list" for problem in reader.problems)


def named_in(data: bytes, certificate: bytes) -> bool:
    quoted = b"".join(b"%%%02x" % octet for octet in certificate)
    return any(form in data for form in (certificate, der.pem(certificate), quoted))


@pytest.fixture
def listed(tmp_path: Path, monkeypatch) -> Path:
    """A directory of distrust, read on every system as it is on FreeBSD."""
    folder = tmp_path / "untrusted"
    folder.mkdir()
    (tmp_path / "bundle.pem").write_bytes(der.pem(BAD) + der.pem(GOOD))
    monkeypatch.setattr(distrust, "UNTRUSTED", (str(folder), str(tmp_path / "none")))
    monkeypatch.setattr(distrust.sys, "platform", "freebsd14")
    monkeypatch.setenv("CERTHOOK_BUNDLE", str(tmp_path / "bundle.pem"))
    monkeypatch.setenv("CERTHOOK_SOURCES", "bundled")
    return folder


def read() -> TrustSet:
    return _trust.trust_set()


def ders(anchors: tuple[Anchor, ...]) -> list[bytes]:
    return [anchor.der for anchor in anchors]


def test_a_trust_set_says_what_was_taken_from_it_and_by_what(listed) -> None:
    assert (ders(read().anchors), read().removed) == ([BAD, GOOD], ())
    (listed / "bad.crt").write_bytes(BAD)
    trust = read()
    assert (ders(trust.anchors), ders(trust.removed)) == ([GOOD], [BAD])
    assert trust.removed[0].rejected_by == [str(listed / "bad.crt")]
    assert trust.removed[0].sha256 == hashlib.sha256(BAD).hexdigest()
    assert trust.places[0].count == 1


def test_a_trust_set_tells_of_what_is_distrusted_and_in_no_source(listed) -> None:
    unlisted = der.certificate(der.common_name("unlisted"))
    for number, certificate in enumerate((BAD, unlisted)):
        (listed / f"{number}.crt").write_bytes(certificate)
    trust = read()
    assert (ders(trust.removed), ders(trust.rejected)) == ([BAD], [unlisted])
    assert trust.rejected[0].rejected_by == [str(listed / "1.crt")]
    assert trust.rejected[0].listed == []


def test_a_trust_set_tells_of_what_a_source_lists_only_to_reject_it(listed, tmp_path) -> None:
    rejecting = der.pem(BAD + der.auxiliary(None, [SERVER]), "TRUSTED CERTIFICATE")
    (tmp_path / "bundle.pem").write_bytes(rejecting + der.pem(GOOD))
    trust = read()
    assert (ders(trust.anchors), ders(trust.removed), ders(trust.rejected)) == ([GOOD], [], [BAD])
    assert trust.rejected[0].rejected_by == [str(tmp_path / "bundle.pem")]


def test_a_bundle_that_somebody_named_is_said_to_have_no_effect(listed) -> None:
    (listed / "bad.crt").write_bytes(BAD)
    (problem,) = read().problems
    assert str(problem).startswith(f"{listed.parent / 'bundle.pem'}: the certificate with SHA-256 ")
    assert str(problem).endswith(f" is not trusted: {listed / 'bad.crt'} distrusts it")


@pytest.mark.parametrize("number", [errno.EIO, errno.EMFILE])
@pytest.mark.parametrize("function", ["listdir", "open"])
def test_a_list_that_cannot_be_read_now_is_read_again_for_the_next_context(
    listed, monkeypatch, function, number
) -> None:
    """A store that was made without it must not outlive the moment."""
    (listed / "bad.crt").write_bytes(BAD)
    real = getattr(os, function)

    def fail(path, *arguments, **keywords):
        if str(path).startswith(str(listed)):
            raise OSError(number, os.strerror(number))
        return real(path, *arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(os, function, fail)
        trust = read()
    assert trust.volatile and not trust.distrust_is_known
    assert any("what it distrusts is not known" in str(problem) for problem in trust.problems)
    assert not read().volatile and read().distrust_is_known


def test_fallback_goes_on_where_all_of_a_source_is_distrusted(listed, monkeypatch, tmp_path) -> None:
    (tmp_path / "system.pem").write_bytes(der.pem(GOOD))
    (tmp_path / "bundle.pem").write_bytes(der.pem(BAD))
    (listed / "bad.crt").write_bytes(BAD)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "system.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", "")
    monkeypatch.setenv("CERTHOOK_SOURCES", "bundled,system")
    monkeypatch.setenv("CERTHOOK_MODE", "fallback")
    assert ders(read().anchors) == [GOOD]


def test_a_place_that_is_not_there_is_watched_where_it_would_begin(tmp_path) -> None:
    reader = Reader(Config({}), SERVER_AUTH)
    for path in ("a/b/c", "a/d", "e"):
        reader.watch(str(tmp_path / path))
    assert list(reader.inputs.near) == [str(tmp_path / "a"), str(tmp_path / "e")]
    (tmp_path / "a").mkdir()
    assert not reader.inputs.is_current(deep=False)


def test_a_further_context_looks_at_few_places_for_distrust(monkeypatch) -> None:
    """On a system that knows of only one way to distrust, each of the others is one path or none."""
    monkeypatch.setattr(distrust.sys, "platform", "linux")
    monkeypatch.setattr(distrust.os.path, "lexists", lambda path: path in ("/", "/etc", "/usr", "/usr/share"))
    reader = Reader(Config({}), SERVER_AUTH)
    distrust.read(reader)
    assert list(reader.inputs.near) == [
        "/etc/ca-certificates.conf",
        "/etc/pki",
        "/usr/share/pki",
        "/etc/ca-certificates",
        "/usr/share/ca-certificates",
    ]


def test_windows_disallowed_store_is_distrust() -> None:
    def enumerate_store(name: str) -> list[tuple[bytes, str, bool]]:
        return {
            "Disallowed": [(BAD, "x509_asn", True), (b"?", "pkcs_7_asn", True)],
            "ROOT": [(BAD, "x509_asn", True)],
        }.get(name, [(GOOD, "x509_asn", True)])

    reader = Reader(Config({}), SERVER_AUTH)
    windows.read_disallowed(reader, enumerate_store)
    windows.read(reader, enumerate_store)
    assert [anchor.der for anchor in reader.anchors] == [GOOD]
    assert [anchor.rejected_by for anchor in reader.removed] == [["Windows Disallowed store"]]
    assert reader.problems == []


def test_a_disallowed_store_that_cannot_be_read_is_a_problem() -> None:
    def enumerate_store(name: str) -> list[tuple[bytes, str, bool]]:
        raise OSError(5, "Access is denied")

    reader = Reader(Config({}), SERVER_AUTH)
    windows.read_disallowed(reader, enumerate_store)
    assert [str(problem) for problem in reader.problems] == [
        "Windows Disallowed store: cannot be read: Access is denied; what it distrusts is not known"
    ]


@pytest.mark.parametrize(
    ("label", "name"),
    [
        (b"Bad Root (Class 1), Ltd.", "Bad_Root_=Class_1=__Ltd..crt"),
        (rb"F\u0151tan\xfas\xedtv\xe1ny A/B", "Főtanúsítvány_A_B.crt"),
        (rb"a\d \\ \u12", "a\\d_\\\\_\\u12.crt"),
    ],
)
def test_what_debian_deselected_and_has_no_more_is_known_by_its_label(label, name) -> None:
    distrusted = Distrust()
    distrusted.gone = {name.encode(): "the list"}
    comments = b"# Serial: 1\r\n# MD5 Fingerprint: 00\n"
    distrusted.add_labelled(
        b'# Label: "%s"\n%s%s\n# Label: "Good"\n%s' % (label, comments, der.pem(BAD), der.pem(GOOD))
    )
    assert list(distrusted.certificates) == [BAD]


@pytest.mark.parametrize(
    "data", [b'# Label: "\\u12"\n' + der.pem(BAD), b'# Label: "a"\n' * 9 + b"-----BEGIN CERTIFICATE-----"]
)
def test_labels_that_make_no_sense_name_nobody(data) -> None:
    distrusted = Distrust()
    distrusted.gone = {b"a.crt": "the list"}
    distrusted.add_labelled(data)
    assert not distrusted.certificates


@given(
    st.lists(st.sampled_from([b'# Label: "', b"a", b'"', b"\\", b"u12", b"\n", b"# ", der.pem(BAD), der.pem(BAD)[:99]]))
)
def test_whatever_is_in_a_bundle_only_whole_certificates_below_the_label_are_distrusted(parts) -> None:
    distrusted = Distrust()
    distrusted.gone = {b"a.crt": "the list"}
    distrusted.add_labelled(b"".join(parts))
    assert set(distrusted.certificates) <= {BAD}


def test_certifis_labels_are_read() -> None:
    text = Path(certifi.where()).read_bytes()
    distrusted = Distrust()
    distrusted.gone = {b"ISRG_Root_X1.crt": "the list"}
    distrusted.add_labelled(text)
    (found,) = distrusted.certificates
    assert hashlib.sha256(found).hexdigest() == "96bcec06264976f37460779acf28c5a7cfe8a3c0aae11a8ffcee05c0bddf08c6"
