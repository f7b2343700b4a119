"""Block lists of p11-kit: objects, attached extensions, and every form of PEM that p11-kit accepts."""

from __future__ import annotations

import re

import der
import pytest
from der import ANY, CLIENTS, MAIL, SERVERS, escaped
from hypothesis import given
from hypothesis import strategies as st

from certhook._certificates.x509 import Certificate
from certhook._config import ANY_PURPOSE, CLIENT_AUTH, SERVER_AUTH, Config
from certhook._sources import distrust
from certhook._sources.collector import Collector

NAME = der.common_name("distrusted")
BAD = der.certificate(NAME)
GOOD = der.certificate(der.common_name("good"), serial=2, key=der.OTHER_KEY)

KEY_USAGE, REJECT = "2.5.29.37", "1.3.6.1.4.1.3319.6.10.1"


def collect(data: bytes, is_blocklist: bool, path: str = "/list") -> Collector:
    """Return a collector to which the list *data* was added."""
    collector = Collector(Config({}), SERVER_AUTH)
    distrust.add_list(collector, path, data, is_blocklist)
    return collector


def rejected(collector: Collector, certificate: bytes) -> int:
    return collector.blocklist.match(Certificate(certificate))[0]


# Extensions attached to a public key.


def attached(kind: str, value: bytes, key: bytes, quoted: bool = False) -> bytes:
    """Return an object that attaches an extension to *key*, which is PEM or *quoted* in an attribute."""
    lines = ["[p11-kit-object-v1]", "class: x-certificate-extension", *([f"object-id: {kind}"] if kind else [])]
    lines.append(f'value: "{escaped(value)}"')
    lines.append(f'public-key-info: "{escaped(key)}"' if quoted else der.pem(key, "PUBLIC KEY").decode())
    return "\n".join(lines).encode()


@pytest.mark.parametrize("quoted", [False, True], ids=["PEM", "public-key-info"])
@pytest.mark.parametrize("is_blocklist", [False, True], ids=["source", "blocklist"])
@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (KEY_USAGE, der.extension(KEY_USAGE, MAIL), SERVER_AUTH),
        (KEY_USAGE, der.extension(KEY_USAGE), SERVER_AUTH),
        (KEY_USAGE, der.extension(KEY_USAGE, MAIL, SERVERS), 0),
        (KEY_USAGE, der.extension(KEY_USAGE, ANY), 0),
        (REJECT, der.extension(REJECT, MAIL), 0),
        (REJECT, der.extension(REJECT, SERVERS), SERVER_AUTH),
        (REJECT, der.extension(REJECT, CLIENTS), CLIENT_AUTH),
        (REJECT, der.extension(REJECT, ANY), ANY_PURPOSE),
        # p11-kit ignores a certificate with a malformed extension.
        (KEY_USAGE, der.extension(KEY_USAGE, SERVERS)[:-1], ANY_PURPOSE),
        (KEY_USAGE, der.element(der.SEQUENCE, der.object_identifier(SERVERS)), ANY_PURPOSE),
        (REJECT, b"", ANY_PURPOSE),
        # The attribute object-id may be missing, or differ from the type of the extension.
        ("", der.extension(KEY_USAGE, MAIL), SERVER_AUTH),
        ("2.5.29.19", der.extension(REJECT, SERVERS), SERVER_AUTH),
        # This extension does not contain purposes.
        ("2.5.29.19", b"", 0),
    ],
)
def test_an_attached_extension_restricts_every_certificate_with_the_key(
    kind, value, expected, is_blocklist, quoted
) -> None:
    # An extension of another kind distrusts nothing, which is a problem in a block list unless it is a README.
    collector = collect(attached(kind, value, der.KEY, quoted), is_blocklist, "/README")
    assert collector.problems == []
    same_key, other_key = (
        der.certificate(der.common_name("same key"), serial=2),
        der.certificate(NAME, key=der.OTHER_KEY),
    )
    assert [rejected(collector, certificate) for certificate in (BAD, same_key, other_key)] == [expected, expected, 0]


def test_an_attached_extension_without_a_key_is_a_problem() -> None:
    collector = collect(attached(REJECT, der.extension(REJECT, SERVERS), b""), is_blocklist=False)
    (problem,) = collector.problems
    assert "an attached extension contains no public key" in str(problem)
    assert not collector.blocklist.is_complete


# PEM.

PEM = der.pem(BAD)
LINES = PEM.splitlines(keepends=True)
#: Forms that p11-kit 0.24 accepts and OpenSSL rejects.
FORMS = {
    "indented": b"".join(b"  " + line for line in LINES),
    "after other text": b"# " + PEM,
    "after dashes": b"----" + PEM,
    "after a form feed": b"\f" + PEM,
    "on the last line of another block": der.pem(GOOD).rstrip() + PEM,
    "with dashes that belong to the next block as well": PEM.rstrip() + b"---BEGIN CERTIFICATE",
    "with headers": LINES[0] + b"Proc-Type: 4\nDEK-Info: none\n\n" + b"".join(LINES[1:]),
    "with headers of Windows": LINES[0] + b"Proc-Type: 4\r\n\r\n" + b"".join(LINES[1:]),
    "vertical tabs": PEM.replace(b"\n", b"\v\n"),
    "in an object after a form feed": b"\f[p11-kit-object-v1]\nx-distrusted: true\n" + PEM,
    "after a comment with the first line of an object": b"# see [p11-kit-object-v1]\n" + PEM,
    "in an object with such a comment": b"[p11-kit-object-v1]\n# not [p11-kit-object-v1]\nx-distrusted: true\n" + PEM,
    "in an object, indented": b"[p11-kit-object-v1]\nclass: certificate\nx-distrusted: true\n" + b"  " + PEM,
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_that_p11_kit_accepts_is_distrusted(form: str) -> None:
    collector = collect(FORMS[form], is_blocklist=True)
    assert collector.problems == [] and BAD in collector.blocklist.certificates


@pytest.mark.parametrize("block", [PEM[:-30], b"\t" + PEM[:60] + b"?" + PEM[60:], PEM[:40] + PEM[:99]])
def test_a_malformed_block_makes_the_block_list_incomplete(block: bytes) -> None:
    collector = collect(der.pem(GOOD) + block, is_blocklist=True)
    assert collector.problems and not collector.blocklist.is_complete
    assert list(collector.blocklist.certificates) == [GOOD]


@pytest.mark.parametrize(
    "block", [re.sub(b"(?m)^", b"# ", PEM), re.sub(b"(?m)^", b"#", PEM), re.sub(b"(?m)^", b"\t#", PEM[:80])]
)
def test_a_commented_block_is_ignored(block: bytes) -> None:
    collector = collect(der.pem(GOOD) + block, is_blocklist=True)
    assert collector.problems == [] and collector.blocklist.is_complete
    assert list(collector.blocklist.certificates) == [GOOD]


@pytest.mark.parametrize(("label", "is_complete"), [(b" CERTIFICATE", True), (b" TRUSTED CERTIFICATE", False)])
def test_a_malformed_block_among_anchors_matters_only_if_it_may_contain_trust_settings(label, is_complete) -> None:
    collector = collect(PEM[:-40].replace(b" CERTIFICATE", label), is_blocklist=False, path="/anchors")
    assert collector.blocklist.is_complete == is_complete


# Objects.


@pytest.mark.parametrize("value", ["true", '"%01"'])
def test_an_object_is_distrusted_by_its_attribute(value: str) -> None:
    text = f'[p11-kit-object-v1]\nclass: certificate\nx-distrusted: {value}\nvalue: "{escaped(BAD)}"\n'
    collector = collect(text.encode(), is_blocklist=False)
    assert (rejected(collector, BAD), rejected(collector, GOOD)) == (ANY_PURPOSE, 0)


def test_an_object_without_the_attribute_is_distrusted_only_in_a_block_list() -> None:
    text = f'[p11-kit-object-v1]\nclass: certificate\nvalue: "{escaped(BAD)}"\n'.encode()
    assert rejected(collect(text, is_blocklist=False), BAD) == 0
    assert rejected(collect(text, is_blocklist=True), BAD) == ANY_PURPOSE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'value: "%30"', "an object contains an invalid certificate: unexpected end of data"),
        (b"label: empty", "an entry contains neither a certificate nor an issuer with a serial number"),
    ],
)
def test_an_object_that_identifies_nothing_is_a_problem(text: bytes, message: str) -> None:
    collector = collect(b"[p11-kit-object-v1]\nclass: certificate\n" + text, is_blocklist=True)
    assert message in str(collector.problems[0])
    assert not collector.blocklist.is_complete


PIECES = [
    attached(KEY_USAGE, der.extension(KEY_USAGE, MAIL), b"?"),
    b"[p11-kit-object-v1]\n",
    b"class: certificate\n",
    b"x-distrusted: true\n",
    b"x-distrusted: false\n",
    b'value: "' + escaped(BAD).encode() + b'"\n',
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
def test_only_a_certificate_that_is_complete_in_a_list_is_distrusted(data: bytes, is_blocklist: bool) -> None:
    collector = collect(data, is_blocklist, "/the/list")
    for certificate in (BAD, GOOD):
        forms = (certificate, der.pem(certificate), escaped(certificate).encode())
        assert not rejected(collector, certificate) or any(form in data for form in forms)
    assert all(problem.path == "/the/list" for problem in collector.problems)
