"""The PEM reader returns every valid certificate in a file that OpenSSL accepts, and reports every malformed one."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path
from time import process_time

import certifi
import der
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from certhook._certificates import pem, x509
from certhook._config import ANY_PURPOSE, CLIENT_AUTH, SERVER_AUTH

ONE, TWO, THREE = (der.certificate(der.common_name(f"Root {number}"), number) for number in (1, 2, 3))


def ders(data: bytes) -> list[bytes]:
    """Return the certificates in *data*, which is expected to be well-formed."""
    entries, problems = pem.parse(data)
    assert problems == []
    return [entry.der for entry in entries]


def openssl_ders(path: Path) -> list[bytes]:
    """Return the certificates that OpenSSL loads from a file, in the order of their names; none if it rejects it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=str(path))
    except ssl.SSLError:
        return []
    return context.get_ca_certs(binary_form=True)


@pytest.fixture(scope="module")
def roots() -> list[bytes]:
    """Some real CA certificates: Python lists only CA certificates of a context."""
    return ders(Path(certifi.where()).read_bytes())[:5]


# Well-formed files.


def test_a_public_bundle_contains_the_certificates_that_openssl_loads(public_bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.pem"
    copy.write_bytes(public_bundle.read_bytes())
    found = ders(copy.read_bytes())
    assert len(found) > 50
    assert sorted(set(found)) == sorted(openssl_ders(copy))


TWO_BLOCKS = der.pem(ONE) + der.pem(TWO)

WELL_FORMED = {
    "the format of OpenSSL": TWO_BLOCKS,
    "line endings of Windows": TWO_BLOCKS.replace(b"\n", b"\r\n"),
    "line endings of Mac OS 9": TWO_BLOCKS.replace(b"\n", b"\r"),
    "trailing white space": TWO_BLOCKS.replace(b"\n", b" \t\n"),
    "empty lines": TWO_BLOCKS.replace(b"\n", b"\n\n"),
    "no final newline": TWO_BLOCKS.rstrip(b"\n"),
    "base64 in one line, as in many secret stores": der.pem(ONE)
    + b"".join(der.pem(TWO).partition(b"-----\n")[:2])
    + base64.b64encode(TWO)
    + b"\n-----END CERTIFICATE-----\n",
    "UTF-8 with a byte-order mark": b"\xef\xbb\xbf" + TWO_BLOCKS,
    "UTF-16, little-endian": b"\xff\xfe" + TWO_BLOCKS.decode().encode("utf-16-le"),
    "UTF-16, big-endian": b"\xfe\xff" + TWO_BLOCKS.decode().encode("utf-16-be"),
    "UTF-16 of Windows": b"\xff\xfe" + ("# é\r\n" + TWO_BLOCKS.decode().replace("\n", "\r\n")).encode("utf-16-le"),
    "UTF-16 with an incomplete last character": b"\xff\xfe" + TWO_BLOCKS.decode().encode("utf-16-le") + b"\n",
    "comments in Latin-1": "# Autorité\n".encode("latin-1").join([b"", der.pem(ONE), der.pem(TWO), b""]),
    "comments in UTF-8": "# 认证\n".encode().join([b"", der.pem(ONE), der.pem(TWO), b""]),
    "arbitrary bytes around": bytes(range(256)).join([b"", b"\n" + der.pem(ONE), b"\n" + der.pem(TWO), b""]),
    "text that begins like DER": b"0 is the first serial number\n" + TWO_BLOCKS,
    "dashes around": b"-----\n----- BEGIN -----\n-----END\n" + TWO_BLOCKS + b"-----BEGIN\n-----BEGIN ",
    "the label X509 CERTIFICATE": der.pem(ONE, "X509 CERTIFICATE") + der.pem(TWO, "X509 CERTIFICATE"),
    "the label TRUSTED CERTIFICATE": der.pem(ONE, "TRUSTED CERTIFICATE")
    + der.pem(TWO + der.auxiliary(), "TRUSTED CERTIFICATE"),
    "END on the last line of base64": TWO_BLOCKS.replace(b"\n-----END", b"-----END"),
    **{
        f"a {label} block between": der.pem(ONE) + der.pem(THREE, label) + der.pem(TWO)
        for label in ("PRIVATE KEY", "RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "EC PARAMETERS", "X509 CRL", "PKCS7")
    },
    "similar labels": b"".join(
        [der.pem(ONE)]
        + [der.pem(THREE, label) for label in ("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST", "certificate", "")]
        + [der.pem(TWO)]
    ),
}


@pytest.mark.parametrize("form", WELL_FORMED)
def test_every_form_of_pem_is_read(form: str) -> None:
    assert ders(WELL_FORMED[form]) == [ONE, TWO]


def test_a_byte_order_mark_between_concatenated_files_is_ignored() -> None:
    assert ders(der.pem(ONE) + b"\xef\xbb\xbf" + der.pem(TWO)) == [ONE, TWO]


def test_a_block_after_a_file_without_a_final_newline_is_read_or_reported() -> None:
    entries, problems = pem.parse(der.pem(ONE).rstrip(b"\n") + der.pem(TWO))
    assert entries[0].der == ONE
    assert len(entries) + len(problems) == 2


def test_der_is_read() -> None:
    assert ders(ONE) == [ONE]


def test_der_with_trust_settings_is_read() -> None:
    (entry,), problems = pem.parse(ONE + der.auxiliary([x509.SERVER_AUTH]))
    assert (entry.der, entry.trusted, problems) == (ONE, SERVER_AUTH, [])
    assert entry.auxiliary == der.auxiliary([x509.SERVER_AUTH])


def test_an_entry_has_the_lists_of_purposes_of_its_trust_settings() -> None:
    settings = der.auxiliary([x509.CLIENT_AUTH], [x509.SERVER_AUTH])
    (rejected, alone), _ = pem.parse(der.pem(ONE + settings, "TRUSTED CERTIFICATE") + der.pem(ONE))
    assert (rejected.trusted, rejected.rejected, rejected.auxiliary) == (CLIENT_AUTH, SERVER_AUTH, settings)
    assert alone.auxiliary == b""


def test_a_certificate_without_trust_settings_is_trusted_for_every_purpose() -> None:
    (entry,), _ = pem.parse(der.pem(ONE))
    assert (entry.trusted, entry.rejected) == (ANY_PURPOSE, 0)


@pytest.mark.parametrize("data", [b"", b"\n", b"no certificate\n", b"\xef\xbb\xbf", b"\xff\xfe", b"\xff\xfe\n"])
def test_a_file_without_a_block_contains_no_certificate_and_no_problem(data: bytes) -> None:
    assert pem.parse(data) == ([], [])


# Malformed files.

COMMENTS = {
    "a hash and a space": b"# ",
    "a hash": b"#",
    "spaces": b"  ",
    "a tab": b"\t",
    "a quotation mark": b"> ",
    "an XML tag": b"<certificate>",
}


@pytest.mark.parametrize("prefix", COMMENTS)
def test_a_commented_block_is_ignored(prefix: str, tmp_path: Path, roots: list[bytes]) -> None:
    lines = der.pem(roots[1]).splitlines(keepends=True)
    all_lines = b"".join(COMMENTS[prefix] + line for line in lines)
    first_line = COMMENTS[prefix] + b"".join(lines)
    for commented in (all_lines, first_line):
        bundle = tmp_path / "bundle.pem"
        bundle.write_bytes(der.pem(roots[0]) + commented + der.pem(roots[2]))
        assert ders(bundle.read_bytes()) == [roots[0], roots[2]]
        assert sorted(openssl_ders(bundle)) == sorted([roots[0], roots[2]])


GOOD = der.pem(THREE)
MIDDLE = GOOD.splitlines(keepends=True)[2]

MALFORMED = {
    "truncated base64": GOOD.replace(MIDDLE, MIDDLE[:20]),
    "a missing base64 digit": GOOD.replace(MIDDLE, MIDDLE[1:]),
    "a missing base64 line": GOOD.replace(MIDDLE, b""),
    "a character outside base64": GOOD.replace(MIDDLE, b"!" + MIDDLE[1:]),
    "a null character": GOOD.replace(MIDDLE, b"\0" + MIDDLE[1:]),
    "URL-safe base64": GOOD.replace(MIDDLE, b"-_" + MIDDLE[2:]),
    "a non-ASCII character": GOOD.replace(MIDDLE, "é".encode() + MIDDLE[2:]),
    "a comment inside": GOOD.replace(MIDDLE, MIDDLE + b"# here\n"),
    "a header": GOOD.replace(b"-----\n", b"-----\nProc-Type: 4,ENCRYPTED\n\n", 1),
    "an equals sign inside": GOOD.replace(MIDDLE, b"AA==" + MIDDLE[4:]),
    "too much padding": GOOD.replace(b"\n-----END", b"=====\n-----END"),
    "no END line": GOOD.replace(b"-----END CERTIFICATE-----\n", b""),
    "half an END line": GOOD.replace(b"-----END CERTIFICATE-----\n", b"-----END CERTIF\n"),
    "END with another label": GOOD.replace(b"END CERTIFICATE", b"END X509 CERTIFICATE"),
    "END without a label": GOOD.replace(b"END CERTIFICATE", b"END "),
    "END in lower case": GOOD.replace(b"END CERTIFICATE", b"end certificate"),
    "an empty block": b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
    "only padding": b"-----BEGIN CERTIFICATE-----\n====\n-----END CERTIFICATE-----\n",
    "text": der.pem(b"not a certificate"),
    "DER of another type": der.pem(der.common_name("Root 3")),
    "a trailing byte": der.pem(THREE + b"\0"),
    "two certificates": der.pem(THREE + THREE),
    "trust settings under another label": der.pem(THREE + der.auxiliary([x509.SERVER_AUTH])),
    "a truncated certificate": der.pem(THREE[:-1]),
    "malformed trust settings": der.pem(THREE + b"\x30\x01\0", "TRUSTED CERTIFICATE"),
    "a certificate instead of trust settings": der.pem(THREE + ONE, "TRUSTED CERTIFICATE"),
}


@pytest.mark.parametrize("fault", MALFORMED)
def test_a_malformed_block_is_skipped_and_reported_with_its_line(fault: str) -> None:
    before = b"# a comment\n" + der.pem(ONE)
    entries, problems = pem.parse(before + MALFORMED[fault] + der.pem(TWO))
    assert [entry.der for entry in entries] == [ONE, TWO]
    (problem,) = problems
    assert problem.startswith(f"the certificate at line {before.count(bytes([10])) + 1} was skipped: ")


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_the_line_of_a_malformed_block_is_correct_for_every_line_ending(newline: bytes) -> None:
    _, (problem,) = pem.parse((b"# a comment\n" + der.pem(b"nothing")).replace(b"\n", newline))
    assert "line 2 " in problem


@pytest.mark.parametrize("label", ["PKCS7", "ENCRYPTED MESSAGE"])
def test_a_certificate_inside_another_block_is_ignored(label: str) -> None:
    begin, end = f"-----BEGIN {label}-----\n".encode(), f"-----END {label}-----\n".encode()
    entries, _ = pem.parse(der.pem(ONE) + begin + GOOD + end + der.pem(TWO))
    assert [entry.der for entry in entries] == [ONE, TWO]


def test_the_file_is_ignored_after_another_block_without_an_end() -> None:
    """A certificate there may be inside the other block. OpenSSL rejects such a file."""
    entries, (problem,) = pem.parse(b"#\n-----BEGIN PKCS7-----\n" + der.pem(ONE))
    assert entries == []
    assert "line 2 " in problem


def test_a_block_inside_a_certificate_block_without_an_end_is_read() -> None:
    entries, problems = pem.parse(GOOD.replace(MIDDLE, MIDDLE + der.pem(TWO)))
    assert [entry.der for entry in entries] == [TWO]
    assert len(problems) == 1


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(ONE + b"\0", id="a trailing byte"),
        pytest.param(ONE + b"\n", id="a trailing newline"),
        pytest.param(ONE + TWO, id="two certificates"),
        pytest.param(ONE + TWO + THREE, id="three certificates"),
        pytest.param(ONE[:-1], id="a missing byte"),
        pytest.param(der.common_name("Root"), id="another type"),
        pytest.param(der.element(0x30), id="an empty sequence"),
    ],
)
def test_der_that_is_not_a_single_certificate_is_reported(data: bytes) -> None:
    entries, (problem,) = pem.parse(data)
    assert entries == []
    assert problem.startswith("not a single DER certificate: ")


def test_many_malformed_blocks_are_counted_after_the_first_ones() -> None:
    entries, problems = pem.parse(b"-----BEGIN CERTIFICATE-----\n" * 5000 + GOOD)
    assert len(entries) == 1
    assert len(problems) == pem.MOST_PROBLEMS + 1
    assert problems[-1] == f"{5000 - pem.MOST_PROBLEMS} more certificates were skipped"


# OpenSSL's trust settings.

PURPOSES = {
    "server": x509.SERVER_AUTH,
    "client": x509.CLIENT_AUTH,
    "any": x509.ANY_EXTENDED_KEY_USAGE,
    "email": "1.3.6.1.5.5.7.3.4",
}
PURPOSE_LISTS = (None, (), ("server",), ("client",), ("any",), ("email",), ("server", "client"))


def openssl_trusts(bundle: Path, authority, server_auth: bool) -> bool:
    """Return whether OpenSSL, with the roots in *bundle*, completes a handshake with a leaf of *authority*."""
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.issue_cert("localhost").configure_cert(server)
    client.check_hostname = server_auth
    client.verify_mode = ssl.CERT_REQUIRED if server_auth else ssl.CERT_NONE
    if not server_auth:
        authority.issue_cert("localhost").configure_cert(client)
        server.verify_mode = ssl.CERT_REQUIRED
    (client if server_auth else server).load_verify_locations(cafile=str(bundle))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    peers = [
        client.wrap_bio(to_client, to_server, server_hostname="localhost"),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(6):
        for peer in peers:
            try:
                peer.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError:
                return False
    return True


@pytest.mark.parametrize("rejected", PURPOSE_LISTS, ids=str)
@pytest.mark.parametrize("trusted", PURPOSE_LISTS, ids=str)
def test_trust_settings_have_the_same_effect_as_in_openssl(trusted, rejected, cas, tmp_path: Path) -> None:
    lists = [None if names is None else [PURPOSES[name] for name in names] for names in (trusted, rejected)]
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(der.pem(cas.der("system") + der.auxiliary(*lists), "TRUSTED CERTIFICATE"))
    (entry,), problems = pem.parse(bundle.read_bytes())
    assert problems == []
    assert entry.der == cas.der("system")
    for purpose, bit in (("server", SERVER_AUTH), ("client", CLIENT_AUTH)):
        assert bool(entry.trusted & bit) is openssl_trusts(bundle, cas.system, server_auth=purpose == "server")
        # A purpose that the trusted list omits is not rejected: another file may list it.
        assert bool(entry.rejected & bit) is bool({purpose, "any"} & set(rejected or ()))


# Arbitrary files.

JUNK = st.one_of(
    st.sampled_from([*MALFORMED.values(), *(der.pem(THREE, label) for label in ("PRIVATE KEY", "X509 CRL", "PKCS7"))]),
    st.sampled_from(
        [b"# \xe9\n", b"\0\n", b"\xff\xfe\n", b"-----\n", b"-----BEGIN \n", b"\xef\xbb\xbf\n", b"\r\n", b"0\n"]
    ),
    # Without dashes, it can neither begin a block nor change the next one.
    st.binary(max_size=40).map(lambda data: data.replace(b"-", b"") + b"\n"),
    st.sampled_from(list(COMMENTS.values())).map(lambda prefix: prefix + GOOD),
)


@settings(max_examples=200)
@given(st.lists(st.one_of(st.integers(0, 30), JUNK), max_size=12), st.booleans())
@example([0, MALFORMED["no END line"], 1], True)
def test_valid_blocks_are_found_in_their_order_in_any_mixture(parts: list[int | bytes], windows: bool) -> None:
    valid = {
        part: der.certificate(der.common_name(f"Root {part}"), part + 10) for part in parts if isinstance(part, int)
    }
    # The first line prevents junk from being interpreted as a byte-order mark or as DER.
    data = b"# a bundle\n" + b"".join(der.pem(valid[part]) if isinstance(part, int) else part for part in parts)
    if windows:
        data = data.replace(b"\n", b"\r\n")
    assert [entry.der for entry in pem.parse(data)[0]] == [valid[part] for part in parts if isinstance(part, int)]


@settings(max_examples=300)
@given(st.data())
def test_a_modified_bundle_never_contains_a_certificate_that_is_not_complete_in_it(data: st.DataObject) -> None:
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
    for entry in pem.parse(bytes(bundle))[0]:
        # Trust settings may share the last group of base64 digits.
        assert base64.b64encode(entry.der)[:-4] in without_space
        x509.Certificate(entry.der)


@settings(max_examples=300)
@given(st.binary(max_size=200))
@example(b"\xfe\xff\xd8\x00")
@example(b"\x30")
def test_arbitrary_bytes_contain_no_certificate_and_raise_no_exception(data: bytes) -> None:
    assert pem.parse(data)[0] == []


HOSTILE = {
    "BEGIN without END": b"-----BEGIN CERTIFICATE-----\n",
    "BEGIN with an unknown label": b"-----BEGIN MESSAGE-----\n",
    "labels without an end": b"-----BEGIN " + b"x" * 70 + b"\n",
    "dashes": b"-",
    "END without BEGIN": b"-----END CERTIFICATE-----\n",
    "empty blocks": b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
    "indented BEGIN": b" -----BEGIN CERTIFICATE-----\n",
    "empty lines": b"\r\n",
    "BEGIN inside a label": b"-----BEGIN -----BEGIN ",
}


@pytest.mark.parametrize("pattern", HOSTILE)
def test_parsing_takes_linear_time(pattern: str) -> None:
    """Quadratic time would be 64 times as long for an input of eight times the size; the limit is 32 times."""

    def seconds(size: int) -> float:
        data = HOSTILE[pattern] * (size // len(HOSTILE[pattern]))
        started = process_time()
        pem.parse(data)
        return process_time() - started

    small = min(seconds(300_000) for _ in range(3))
    assert seconds(2_400_000) < 32 * max(small, 0.002)


def test_a_known_certificate_is_not_parsed_again() -> None:
    known = pem.Known()
    (one,), _ = pem.parse(der.pem(ONE), known=known)
    assert known.by_der == {ONE: one.certificate}
    entries, _ = pem.parse(TWO_BLOCKS, known=known)
    assert entries[0].certificate is one.certificate
    assert list(known.by_der) == [ONE, TWO]


def test_trust_settings_are_read_for_a_known_certificate() -> None:
    known = pem.Known()
    pem.parse(der.pem(ONE), known=known)
    settings = der.auxiliary(rejected=[x509.SERVER_AUTH])
    (entry,), _ = pem.parse(der.pem(ONE + settings, "TRUSTED CERTIFICATE"), known=known)
    assert entry.rejected == SERVER_AUTH
    assert list(known.by_der) == [ONE]
