"""OpenSSL applies the trust settings of a ``TRUSTED CERTIFICATE`` with certhook as in the files that contain it."""

from __future__ import annotations

import contextlib
import errno
import os
import ssl
from pathlib import Path

import der
import pytest
from oracle import PYTHONS, REJECTED, VERIFIED, Codes, Scenario, pem
from pki import Issued, issue
from root_files import REJECTED_BY_OPENSSL, ROOTS, bundle, read
from support import hashed_name

from certhook import _loading
from certhook._certificates import openssl as openssl_files
from certhook._config import CLIENT_AUTH
from certhook._directory import Directory, temporary
from certhook._sources.trust_set import TrustSet
from certhook.exceptions import CerthookError

ROOT = issue("the root", ca=True)
ISSUING = issue("issuing CA", ROOT, ca=True)
CHAIN = [issue("localhost", ISSUING), ISSUING]
LEAF_OF_ROOT = [issue("localhost", ROOT)]

REJECTS_SERVERS = {"rejected": [der.SERVERS]}
TRUSTS_CLIENTS = {"trusted": [der.CLIENTS]}
TRUSTS_SERVERS = {"trusted": [der.SERVERS]}


def trusted(issued: Issued, **settings: list[str]) -> bytes:
    """Return a ``TRUSTED CERTIFICATE`` with these lists of purposes."""
    return der.pem(issued.der + der.auxiliary(**settings), "TRUSTED CERTIFICATE")


def with_name(issued: Issued) -> bytes:
    """Return a ``TRUSTED CERTIFICATE`` with an alias and a key identifier, and without lists."""
    auxiliary = der.element(der.SEQUENCE, der.element(0x0C, b"alias"), der.element(0x04, b"key"))
    return der.pem(issued.der + auxiliary, "TRUSTED CERTIFICATE")


SCENARIOS = {
    "intermediate rejected": Scenario(CHAIN, ROOT.pem + trusted(ISSUING, **REJECTS_SERVERS)),
    "intermediate rejected, before the root": Scenario(CHAIN, trusted(ISSUING, **REJECTS_SERVERS) + ROOT.pem),
    "intermediate for clients": Scenario(CHAIN, ROOT.pem + trusted(ISSUING, **TRUSTS_CLIENTS)),
    "intermediate for nothing": Scenario(CHAIN, ROOT.pem + trusted(ISSUING, trusted=[])),
    "intermediate rejected for any purpose": Scenario(CHAIN, ROOT.pem + trusted(ISSUING, rejected=[der.ANY])),
    "intermediate rejected for clients": Scenario(CHAIN, ROOT.pem + trusted(ISSUING, rejected=[der.CLIENTS])),
    "intermediate trusted, without the root": Scenario(CHAIN, trusted(ISSUING, **TRUSTS_SERVERS)),
    "intermediate trusted for mail": Scenario(CHAIN, trusted(ISSUING, trusted=[der.MAIL])),
    "intermediate trusted and rejected": Scenario(
        CHAIN, ROOT.pem + trusted(ISSUING, trusted=[der.SERVERS], rejected=[der.SERVERS])
    ),
    "root rejected": Scenario(LEAF_OF_ROOT, trusted(ROOT, **REJECTS_SERVERS)),
    "root for clients": Scenario(LEAF_OF_ROOT, trusted(ROOT, **TRUSTS_CLIENTS)),
    "root trusted": Scenario(LEAF_OF_ROOT, trusted(ROOT, **TRUSTS_SERVERS)),
    "root with a name": Scenario(LEAF_OF_ROOT, with_name(ROOT)),
    "in a directory": Scenario(
        CHAIN,
        hashed={
            hashed_name(ROOT.der): ROOT.pem,
            hashed_name(ISSUING.der): trusted(ISSUING, **REJECTS_SERVERS),
        },
    ),
    "for clients, then without settings": Scenario(LEAF_OF_ROOT, trusted(ROOT, **TRUSTS_CLIENTS) + ROOT.pem),
    "without settings, then for clients": Scenario(LEAF_OF_ROOT, ROOT.pem + trusted(ROOT, **TRUSTS_CLIENTS)),
    "rejected, then without settings": Scenario(LEAF_OF_ROOT, trusted(ROOT, **REJECTS_SERVERS) + ROOT.pem),
    "without settings, then rejected": Scenario(LEAF_OF_ROOT, ROOT.pem + trusted(ROOT, **REJECTS_SERVERS)),
    "file: for clients, directory: without settings": Scenario(
        LEAF_OF_ROOT, trusted(ROOT, **TRUSTS_CLIENTS), {hashed_name(ROOT.der): ROOT.pem}
    ),
    "two of one name": Scenario(LEAF_OF_ROOT, trusted(ROOT, **REJECTS_SERVERS) + issue("the root", ca=True).pem),
}


@pytest.fixture(scope="module")
def codes(tmp_path_factory: pytest.TempPathFactory) -> Codes:
    return Codes(tmp_path_factory.mktemp("settings"), SCENARIOS)


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_the_result_is_that_of_stock_python(name, python, codes) -> None:
    for stock, certhook in codes.of(python, name):
        # A rejection in any location applies, even if OpenSSL ignores the second listing.
        assert certhook == (REJECTED if name == "without settings, then rejected" else stock)


@pytest.mark.parametrize("python", PYTHONS)
def test_stock_python_applies_the_settings(python, codes) -> None:
    """Otherwise, the tests above could not fail."""
    expected = {"intermediate rejected": REJECTED, "intermediate for clients": REJECTED, "root trusted": VERIFIED}
    assert {name: codes.of(python, name)[0][0] for name in expected} == expected


# Merging.


def stored(trust: TrustSet) -> list[tuple[bytes, bytes]]:
    """Return the certificates and the trust settings that OpenSSL reads."""
    return [(anchor.der, anchor.auxiliary) for anchor in trust.stored]


def test_certificates_with_settings_that_reject_the_purpose_are_stored_but_are_not_anchors(machine) -> None:
    (machine / "first.pem").write_bytes(ROOT.pem + trusted(ISSUING, **REJECTS_SERVERS))
    trust = read(CERTHOOK_SOURCES="system")
    assert [anchor.der for anchor in trust.anchors] == [ROOT.der]
    assert [anchor.der for anchor in trust.restricted] == [ISSUING.der]
    assert stored(trust) == [(ROOT.der, b""), (ISSUING.der, der.auxiliary(**REJECTS_SERVERS))]
    for_clients = read(CLIENT_AUTH, CERTHOOK_SOURCES="system")
    assert stored(for_clients) == stored(trust)
    assert (len(for_clients.anchors), for_clients.restricted) == (2, ())


def test_settings_apply_to_a_certificate_that_another_source_lists_without_any(machine) -> None:
    """They apply only if they reject the purpose. If they list other purposes, the other source may trust it."""
    bundled = bundle(machine / "bundle.pem", "a")
    bundle(machine / "first.pem", "a", **REJECTS_SERVERS)
    for sources in ("system,bundled", "bundled,system"):
        trust = read(CERTHOOK_SOURCES=sources, CERTHOOK_BUNDLE=bundled)
        assert (trust.anchors, stored(trust)) == ((), [(ROOTS["a"], der.auxiliary(**REJECTS_SERVERS))])
    bundle(machine / "first.pem", "a", **TRUSTS_CLIENTS)
    for sources in ("system,bundled", "bundled,system"):
        trust = read(CERTHOOK_SOURCES=sources, CERTHOOK_BUNDLE=bundled)
        assert (len(trust.anchors), trust.restricted, stored(trust)) == (1, (), [(ROOTS["a"], b"")])


def test_the_first_settings_in_the_order_of_the_sources_apply(machine) -> None:
    bundled = bundle(machine / "bundle.pem", "a", trusted=[der.SERVERS, der.MAIL])
    bundle(machine / "first.pem", "a", **TRUSTS_SERVERS)
    for sources, expected in (("system,bundled", [der.SERVERS]), ("bundled,system", [der.SERVERS, der.MAIL])):
        trust = read(CERTHOOK_SOURCES=sources, CERTHOOK_BUNDLE=bundled)
        assert stored(trust) == [(ROOTS["a"], der.auxiliary(expected))]


def test_expired_certificates_that_settings_reject_are_still_stored(machine) -> None:
    """A program may ignore the time."""
    expired = issue("issuing CA", ROOT, ca=True, days=(-300, -1))
    (machine / "first.pem").write_bytes(ROOT.pem + trusted(expired, **REJECTS_SERVERS))
    trust = read(CERTHOOK_SOURCES="system")
    assert [anchor.der for anchor in trust.restricted] == [expired.der]
    assert trust.expired == ()


# Loading into a context.

ANCHORS = (ROOT.der, ISSUING.der + der.auxiliary(**REJECTS_SERVERS))


def verify_code(context: ssl.SSLContext, tmp_path: Path) -> int:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (tmp_path / "chain.pem").write_bytes(CHAIN[0].secret + pem(*CHAIN))
    server.load_cert_chain(tmp_path / "chain.pem")
    incoming, outgoing, received, sent = (ssl.MemoryBIO() for _ in range(4))
    client = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    for _ in range(2):
        with contextlib.suppress(ssl.SSLWantReadError):
            try:
                client.do_handshake()
            except ssl.SSLCertVerificationError as error:
                return error.verify_code
        received.write(outgoing.read())
        with contextlib.suppress(ssl.SSLWantReadError):
            if not sent.pending:
                peer = server.wrap_bio(received, sent, server_side=True)
                peer.do_handshake()
        incoming.write(sent.read())
    return VERIFIED


@pytest.mark.parametrize("memory", ["in memory", "refused", "without /proc"])
def test_settings_are_loaded_through_a_file_that_is_removed(memory, monkeypatch, tmp_path: Path) -> None:
    created: list[str] = []
    create = Directory.create

    def recorded(directory: Directory, name: str, data: bytes, mode: int) -> None:
        create(directory, name, data, mode)
        path = os.path.join(directory.path, name)
        created.extend([path, directory.path])
        assert os.path.dirname(directory.path) == str(tmp_path)
        if os.name == "posix":
            assert os.stat(path).st_mode & 0o777 == 0o600
            assert os.stat(directory.path).st_mode & 0o777 == 0o700

    def refused(name: str) -> int:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(Directory, "create", recorded)
    if memory == "refused":
        monkeypatch.setattr(os, "memfd_create", refused, raising=False)
    elif memory == "without /proc":
        monkeypatch.setattr(os.path, "isdir", lambda path: False)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    descriptors = set(os.listdir("/dev/fd")) if os.path.exists("/dev/fd") else set()
    assert _loading.load_anchors(context, ANCHORS, []) == ANCHORS
    if descriptors:
        assert len(os.listdir("/dev/fd")) == len(descriptors)
    assert (len(created) == 0) == (memory == "in memory" and hasattr(os, "memfd_create"))
    assert not any(map(os.path.exists, created))
    assert verify_code(context, tmp_path) == REJECTED


@pytest.mark.parametrize(
    ("anchors", "kept"),
    [
        ((*ANCHORS, ROOTS["a"]), 0),
        ((ROOT.der + der.auxiliary(**REJECTS_SERVERS), ISSUING.der), 1),
    ],
    ids=["intermediate rejected", "root rejected"],
)
def test_without_a_file_nothing_is_trusted_that_the_settings_reject(anchors, kept, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(openssl_files, "_create_in_memory", lambda: None)
    monkeypatch.setattr(temporary, "_candidates", list)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    problems: list[CerthookError] = []
    assert len(_loading.load_anchors(context, anchors, problems)) == kept
    assert context.cert_store_stats()["x509"] == kept
    (problem,) = map(str, problems)
    assert f"{len(anchors) - kept} certificates are ignored" in problem
    assert "No usable temporary directory found" in problem


def test_a_certificate_that_openssl_rejects_does_not_prevent_settings_from_being_applied(tmp_path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    problems: list[CerthookError] = []
    assert _loading.load_anchors(context, (REJECTED_BY_OPENSSL, *ANCHORS), problems) == ANCHORS
    assert len(problems) == 1
    assert verify_code(context, tmp_path) == REJECTED
