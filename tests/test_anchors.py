"""From bytes to anchors: every whole certificate of a bundle, whatever else is in it, and nothing but these."""

from __future__ import annotations

import base64
import os
import ssl
from pathlib import Path
from time import process_time

import certifi
import der
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from certhook._certificates import pem, x509
from certhook._certificates.anchor import Anchor
from certhook import _config
from certhook._anchors import parse
from certhook._sources import locations

ONE, TWO, THREE = (der.certificate(der.common_name(f"Root {number}"), number) for number in (1, 2, 3))


def ders(data: bytes) -> list[bytes]:
    """The certificates that certhook finds, where it finds nothing wrong."""
    anchors, problems = parse(data)
    assert problems == []
    return [anchor.der for anchor in anchors]


def openssl_ders(path: Path) -> list[bytes]:
    """The certificates that OpenSSL loads from a file; none if it refuses the file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=str(path))
    except ssl.SSLError:
        return []
    # OpenSSL keeps them in the order of their names, and Python shows CA certificates alone.
    return context.get_ca_certs(binary_form=True)


@pytest.fixture(scope="module")
def roots() -> list[bytes]:
    """A few real CA certificates."""
    return ders(Path(certifi.where()).read_bytes())[:5]


# Real bundles, and all the shapes a good one can have.


def public_bundles() -> list[Path]:
    """The real bundles of this machine."""
    files, _ = locations.of()
    return [Path(certifi.where()), *(Path(file) for file in files if os.path.isfile(file))]


@pytest.mark.parametrize("bundle", public_bundles(), ids=str)
def test_a_public_bundle_gives_what_openssl_loads_from_it(bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.pem"
    copy.write_bytes(bundle.read_bytes())
    found = ders(copy.read_bytes())
    assert len(found) > 50
    assert sorted(set(found)) == sorted(openssl_ders(copy))


TWO_BLOCKS = der.pem(ONE) + der.pem(TWO)

SHAPES = {
    "as OpenSSL writes it": TWO_BLOCKS,
    "lines that end as on Windows": TWO_BLOCKS.replace(b"\n", b"\r\n"),
    "lines that end as on old Macs": TWO_BLOCKS.replace(b"\n", b"\r"),
    "lines that end in space": TWO_BLOCKS.replace(b"\n", b" \t\n"),
    "empty lines": TWO_BLOCKS.replace(b"\n", b"\n\n"),
    "no newline at the end": TWO_BLOCKS.rstrip(b"\n"),
    "base64 in one line": der.pem(ONE)
    + b"".join(der.pem(TWO).partition(b"-----\n")[:2])
    # one line of base64, as many a secret store writes it
    + base64.b64encode(TWO)
    + b"\n-----END CERTIFICATE-----\n",
    "UTF-8 with a byte-order mark": b"\xef\xbb\xbf" + TWO_BLOCKS,
    "UTF-16, little-endian": b"\xff\xfe" + TWO_BLOCKS.decode().encode("utf-16-le"),
    "UTF-16, big-endian": b"\xfe\xff" + TWO_BLOCKS.decode().encode("utf-16-be"),
    "UTF-16 from Windows": b"\xff\xfe" + ("# é\r\n" + TWO_BLOCKS.decode().replace("\n", "\r\n")).encode("utf-16-le"),
    "UTF-16 with half a character at its end": b"\xff\xfe" + TWO_BLOCKS.decode().encode("utf-16-le") + b"\n",
    "comments in Latin-1": "# Autorité\n".encode("latin-1").join([b"", der.pem(ONE), der.pem(TWO), b""]),
    "comments in UTF-8": "# 认证\n".encode().join([b"", der.pem(ONE), der.pem(TWO), b""]),
    "bytes of any kind around": bytes(range(256)).join([b"", b"\n" + der.pem(ONE), b"\n" + der.pem(TWO), b""]),
    "text that begins like DER": b"0 is the first serial number\n" + TWO_BLOCKS,
    "dashes around": b"-----\n----- BEGIN -----\n-----END\n" + TWO_BLOCKS + b"-----BEGIN\n-----BEGIN ",
    "the label X509 CERTIFICATE": der.pem(ONE, "X509 CERTIFICATE") + der.pem(TWO, "X509 CERTIFICATE"),
    "the label TRUSTED CERTIFICATE": der.pem(ONE, "TRUSTED CERTIFICATE")
    + der.pem(TWO + der.auxiliary(), "TRUSTED CERTIFICATE"),
    "the END of a block on the line of its base64": TWO_BLOCKS.replace(b"\n-----END", b"-----END"),
    **{
        f"a block of {label} between": der.pem(ONE) + der.pem(THREE, label) + der.pem(TWO)
        for label in ("PRIVATE KEY", "RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "EC PARAMETERS", "X509 CRL", "PKCS7")
    },
    "labels that only look like a certificate's": b"".join(
        [der.pem(ONE)]
        + [der.pem(THREE, label) for label in ("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST", "certificate", "")]
        + [der.pem(TWO)]
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_pem_is_read(shape: str) -> None:
    assert ders(SHAPES[shape]) == [ONE, TWO]


def test_files_that_were_joined_keep_what_each_held() -> None:
    """``cat *.pem`` puts byte-order marks in the middle, and blocks behind one that lacks its newline."""
    marked = b"\xef\xbb\xbf" + der.pem(TWO)
    assert ders(der.pem(ONE) + marked) == [ONE, TWO]


def test_a_block_on_the_end_line_of_another_is_not_lost_in_silence() -> None:
    anchors, problems = parse(der.pem(ONE).rstrip(b"\n") + der.pem(TWO))
    assert anchors[0].der == ONE
    assert len(anchors) + len(problems) == 2


def test_der_is_read_as_it_is() -> None:
    assert ders(ONE) == [ONE]


def test_der_with_trust_settings_is_read() -> None:
    (anchor,), problems = parse(ONE + der.auxiliary([x509.SERVER_AUTH]))
    assert (anchor.der, anchor.trusted, problems) == (ONE, _config.SERVER_AUTH, [])


def test_an_anchor_is_good_for_any_purpose_unless_it_says_otherwise() -> None:
    (anchor,), _ = parse(der.pem(ONE))
    assert (anchor.trusted, anchor.rejected, anchor.listed) == (_config.ANY_PURPOSE, 0, [])


@pytest.mark.parametrize("data", [b"", b"\n", b"no certificate\n", b"\xef\xbb\xbf", b"\xff\xfe", b"\xff\xfe\n"])
def test_a_file_without_a_block_gives_nothing_and_is_not_wrong(data: bytes) -> None:
    assert parse(data) == ([], [])


# What is not trusted.

COMMENTED_OUT = {
    "behind a hash": b"# ",
    "behind a hash alone": b"#",
    "behind space": b"  ",
    "behind a tab": b"\t",
    "behind a quotation mark": b"> ",
    "behind an XML tag": b"<certificate>",
}


@pytest.mark.parametrize("how", COMMENTED_OUT)
def test_what_is_commented_out_is_not_trusted(how: str, tmp_path: Path, roots: list[bytes]) -> None:
    lines = der.pem(roots[1]).splitlines(keepends=True)
    everything = b"".join(COMMENTED_OUT[how] + line for line in lines)
    first_line = COMMENTED_OUT[how] + b"".join(lines)
    for hidden in (everything, first_line):
        bundle = tmp_path / "bundle.pem"
        bundle.write_bytes(der.pem(roots[0]) + hidden + der.pem(roots[2]))
        assert ders(bundle.read_bytes()) == [roots[0], roots[2]]
        assert sorted(openssl_ders(bundle)) == sorted([roots[0], roots[2]])


GOOD = der.pem(THREE)
MIDDLE = GOOD.splitlines(keepends=True)[2]
BASE64 = base64.b64encode(THREE)

BROKEN = {
    "base64 that is cut short": GOOD.replace(MIDDLE, MIDDLE[:20]),
    "base64 that lacks one digit": GOOD.replace(MIDDLE, MIDDLE[1:]),
    "base64 that lacks a line": GOOD.replace(MIDDLE, b""),
    "a character that is not base64": GOOD.replace(MIDDLE, b"!" + MIDDLE[1:]),
    "a null character": GOOD.replace(MIDDLE, b"\0" + MIDDLE[1:]),
    "characters of URL-safe base64": GOOD.replace(MIDDLE, b"-_" + MIDDLE[2:]),
    "characters beyond ASCII": GOOD.replace(MIDDLE, "é".encode() + MIDDLE[2:]),
    "a comment inside": GOOD.replace(MIDDLE, MIDDLE + b"# here\n"),
    "a header inside": GOOD.replace(b"-----\n", b"-----\nProc-Type: 4,ENCRYPTED\n\n", 1),
    "an equals sign in the middle": GOOD.replace(MIDDLE, b"AA==" + MIDDLE[4:]),
    "five equals signs": GOOD.replace(b"\n-----END", b"=====\n-----END"),
    "no END line": GOOD.replace(b"-----END CERTIFICATE-----\n", b""),
    "half an END line": GOOD.replace(b"-----END CERTIFICATE-----\n", b"-----END CERTIF\n"),
    "the END of another label": GOOD.replace(b"END CERTIFICATE", b"END X509 CERTIFICATE"),
    "the END of no label": GOOD.replace(b"END CERTIFICATE", b"END "),
    "the END in lower case": GOOD.replace(b"END CERTIFICATE", b"end certificate"),
    "nothing in it": b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
    "padding only": b"-----BEGIN CERTIFICATE-----\n====\n-----END CERTIFICATE-----\n",
    "text in it": der.pem(b"not a certificate"),
    "DER that is no certificate": der.pem(der.common_name("Root 3")),
    "a certificate and more": der.pem(THREE + b"\0"),
    "two certificates in one": der.pem(THREE + THREE),
    "trust settings under a label that has none": der.pem(THREE + der.auxiliary([x509.SERVER_AUTH])),
    "a certificate that lacks its end": der.pem(THREE[:-1]),
    "trust settings that are none": der.pem(THREE + b"\x30\x01\0", "TRUSTED CERTIFICATE"),
    "two certificates for one with trust settings": der.pem(THREE + ONE, "TRUSTED CERTIFICATE"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_block_is_skipped_and_named_and_the_others_are_kept(how: str) -> None:
    before = b"# a comment\n" + der.pem(ONE)
    anchors, problems = parse(before + BROKEN[how] + der.pem(TWO))
    assert [anchor.der for anchor in anchors] == [ONE, TWO]
    (problem,) = problems
    assert f"line {before.count(bytes([10])) + 1} " in problem


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_the_line_of_a_broken_block_is_right_however_lines_end(newline: bytes) -> None:
    _, (problem,) = parse((b"# a comment\n" + der.pem(b"nothing")).replace(b"\n", newline))
    assert "line 2 " in problem


@pytest.mark.parametrize("label", ["PKCS7", "ENCRYPTED MESSAGE"])
def test_a_block_inside_one_of_another_kind_is_not_trusted(label: str) -> None:
    around = f"-----BEGIN {label}-----\n".encode(), f"-----END {label}-----\n".encode()
    anchors, _ = parse(der.pem(ONE) + around[0] + GOOD + around[1] + der.pem(TWO))
    assert [anchor.der for anchor in anchors] == [ONE, TWO]


def test_nothing_is_trusted_behind_a_block_of_another_kind_that_does_not_end() -> None:
    """What stands there may be inside of it: OpenSSL refuses such a file."""
    anchors, (problem,) = parse(b"#\n-----BEGIN PKCS7-----\n" + der.pem(ONE))
    assert anchors == []
    assert "line 2 " in problem


def test_a_block_that_begins_in_another_is_kept() -> None:
    """The one around it has lost its end."""
    anchors, problems = parse(GOOD.replace(MIDDLE, MIDDLE + der.pem(TWO)))
    assert [anchor.der for anchor in anchors] == [TWO]
    assert len(problems) == 1


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(ONE + b"\0", id="one octet more"),
        pytest.param(ONE + b"\n", id="a newline"),
        pytest.param(ONE + TWO, id="two certificates"),
        pytest.param(ONE + TWO + THREE, id="three certificates"),
        pytest.param(ONE[:-1], id="one octet less"),
        pytest.param(der.common_name("Root"), id="no certificate"),
        pytest.param(der.element(0x30), id="nothing in it"),
    ],
)
def test_der_that_is_not_one_certificate_is_named_and_gives_nothing(data: bytes) -> None:
    anchors, (problem,) = parse(data)
    assert anchors == []
    assert "DER" in problem


# OpenSSL's trust settings.

PURPOSES = {
    "server": x509.SERVER_AUTH,
    "client": x509.CLIENT_AUTH,
    "any": "2.5.29.37.0",
    "email": "1.3.6.1.5.5.7.3.4",
}
PURPOSE_LISTS = (None, (), ("server",), ("client",), ("any",), ("email",), ("server", "client"))


def openssl_trusts(bundle: Path, authority, server_auth: bool) -> bool:
    """Whether OpenSSL, with the roots of *bundle*, completes a handshake with a leaf of *authority*."""
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.issue_cert("localhost").configure_cert(server)
    client.check_hostname = server_auth
    client.verify_mode = ssl.CERT_REQUIRED if server_auth else ssl.CERT_NONE
    if not server_auth:
        authority.issue_cert("localhost").configure_cert(client)
        server.verify_mode = ssl.CERT_REQUIRED
    (client if server_auth else server).load_verify_locations(cafile=str(bundle))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname="localhost"),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(6):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError:
                return False
    return True


@pytest.mark.parametrize("rejected", PURPOSE_LISTS, ids=str)
@pytest.mark.parametrize("trusted", PURPOSE_LISTS, ids=str)
def test_trust_settings_mean_what_they_mean_to_openssl(trusted, rejected, cas, tmp_path: Path) -> None:
    lists = [None if names is None else [PURPOSES[name] for name in names] for names in (trusted, rejected)]
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(der.pem(cas.der("system") + der.auxiliary(*lists), "TRUSTED CERTIFICATE"))
    (anchor,), problems = parse(bundle.read_bytes())
    assert problems == []
    assert anchor.der == cas.der("system")
    for purpose, bit in (("server", _config.SERVER_AUTH), ("client", _config.CLIENT_AUTH)):
        assert bool(anchor.trusted & bit) is openssl_trusts(bundle, cas.system, server_auth=purpose == "server")
        # What a list of trusted purposes leaves out, another file may still list.
        assert bool(anchor.rejected & bit) is bool({purpose, "any"} & set(rejected or ()))


# Any mixture.

JUNK = st.one_of(
    st.sampled_from([*BROKEN.values(), *(der.pem(THREE, label) for label in ("PRIVATE KEY", "X509 CRL", "PKCS7"))]),
    st.sampled_from(
        [b"# \xe9\n", b"\0\n", b"\xff\xfe\n", b"-----\n", b"-----BEGIN \n", b"\xef\xbb\xbf\n", b"\r\n", b"0\n"]
    ),
    # What neither is a block nor makes one of what follows.
    st.binary(max_size=40).map(lambda data: data.replace(b"-", b"") + b"\n"),
    st.sampled_from(list(COMMENTED_OUT.values())).map(lambda prefix: prefix + GOOD),
)


def test_of_a_flood_of_broken_blocks_the_first_are_named_and_the_rest_counted() -> None:
    anchors, problems = parse(b"-----BEGIN CERTIFICATE-----\n" * 5000 + GOOD)
    assert len(anchors) == 1
    assert len(problems) == pem.MOST_PROBLEMS + 1
    assert problems[-1] == f"{5000 - pem.MOST_PROBLEMS} more certificates were skipped"


@settings(max_examples=200)
@given(st.lists(st.one_of(st.integers(0, 30), JUNK), max_size=12), st.booleans())
@example([0, BROKEN["no END line"], 1], True)
def test_of_any_mixture_the_good_ones_are_found_in_their_order(parts: list[int | bytes], windows: bool) -> None:
    whole = {
        part: der.certificate(der.common_name(f"Root {part}"), part + 10) for part in parts if isinstance(part, int)
    }
    # A first line, so that no junk is taken for a byte-order mark or for DER.
    data = b"# a bundle\n" + b"".join(der.pem(whole[part]) if isinstance(part, int) else part for part in parts)
    if windows:
        data = data.replace(b"\n", b"\r\n")
    assert [anchor.der for anchor in parse(data)[0]] == [whole[part] for part in parts if isinstance(part, int)]


@settings(max_examples=300)
@given(st.data())
def test_no_change_of_a_bundle_brings_up_an_anchor_that_was_not_whole_in_it(data: st.DataObject) -> None:
    bundle = bytearray(TWO_BLOCKS + der.pem(THREE + der.auxiliary([x509.SERVER_AUTH]), "TRUSTED CERTIFICATE"))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(bundle) - 1))
        bundle[start : start + data.draw(st.integers(0, 70))] = data.draw(
            st.one_of(
                st.binary(max_size=4),
                st.sampled_from([b"-----BEGIN CERTIFICATE-----\n", b"\n-----END CERTIFICATE-----"]),
            )
        )
    without_space = bytes(bundle).translate(None, b" \t\r\n")
    for anchor in parse(bytes(bundle))[0]:
        # Up to the last group of base64, in which its last octets may stand with what follows.
        assert base64.b64encode(anchor.der)[:-4] in without_space
        x509.Certificate(anchor.der)


@settings(max_examples=300)
@given(st.binary(max_size=200))
@example(b"\xfe\xff\xd8\x00")
@example(b"\x30")
def test_arbitrary_bytes_give_no_anchor_and_no_exception(data: bytes) -> None:
    assert parse(data)[0] == []


# Time.

HOSTILE = {
    "blocks that only begin": b"-----BEGIN CERTIFICATE-----\n",
    "blocks of no known label": b"-----BEGIN MESSAGE-----\n",
    "labels that do not end": b"-----BEGIN " + b"x" * 70 + b"\n",
    "dashes": b"-",
    "blocks that only end": b"-----END CERTIFICATE-----\n",
    "empty blocks": b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
    "blocks that begin behind a space": b" -----BEGIN CERTIFICATE-----\n",
    "empty lines": b"\r\n",
    "labels that begin in a label": b"-----BEGIN -----BEGIN ",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_parsing_takes_linear_time(what: str) -> None:
    """Eight times the input must not take sixty-four times as long: half of that is allowed, for a busy machine."""

    def seconds(size: int) -> float:
        data = HOSTILE[what] * (size // len(HOSTILE[what]))
        started = process_time()
        parse(data)
        return process_time() - started

    small = min(seconds(600_000) for _ in range(3))
    assert seconds(4_800_000) < 32 * max(small, 0.002)


def test_an_anchor_says_who_listed_it() -> None:
    anchor = Anchor(ONE)
    anchor.listed.append(("system", "/some/file.pem"))
    assert repr(anchor) == "<Anchor CN=Root 1, listed by system>"
