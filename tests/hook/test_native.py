"""CERTHOOK_VERIFY=native with a simulated operating system: the verified connections, and attempts to bypass it.

The function of truststore is replaced by :class:`native_system.System`, so that these tests run on every system.
The connections are real.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import os
import ssl
import sys
import threading
from types import ModuleType, SimpleNamespace

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from native_system import Pair, SocketServer, System, server_context

import certhook
from certhook import _config, _native, _native_chain, _native_modes, _state
from certhook.exceptions import CerthookWarning, ConfigurationError

pytestmark = pytest.mark.skipif(sys.version_info < (3, 10), reason="truststore needs Python 3.10")

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture(scope="module")
def authorities() -> dict[str, trustme.CA]:
    """Return CAs: one of the operating system alone, one of certhook's extra file alone, and one of neither."""
    return {name: trustme.CA(organization_name=f"native {name}") for name in ("system", "extra", "stranger")}


@pytest.fixture
def hook(tmp_path, monkeypatch, authorities):
    """Activate certhook as on Windows, with a file of extra roots."""
    extra = tmp_path / "extra.pem"
    extra.write_bytes(authorities["extra"].cert_pem.bytes())
    monkeypatch.setenv("CERTHOOK_VERIFY", "native")
    monkeypatch.setenv("CERTHOOK_EXTRA_CA_CERTS", str(extra))
    monkeypatch.setenv("CERTHOOK_STORE_DIR", str(tmp_path / "stores"))
    monkeypatch.setattr(_config, "NATIVE_PLATFORMS", (sys.platform,))
    monkeypatch.setattr(_native, "_truststore", None)
    was_installed = certhook.is_installed()
    certhook.install()
    yield
    names = "_wrap_socket", "_wrap_bio", "check_hostname"
    for name in names:
        if name in vars(ssl.SSLContext):
            delattr(ssl.SSLContext, name)
    if hasattr(ssl.SSLContext.verify_mode, "__certhook__"):
        ssl.SSLContext.verify_mode = ssl.SSLContext.verify_mode.__certhook__
    _state.wrapped[:] = [one for one in _state.wrapped if one[1] not in (*names, "verify_mode")]
    if not was_installed:
        certhook.uninstall()


@pytest.fixture
def system(hook, monkeypatch, authorities) -> System:
    """Return the simulated operating system, which trusts the CA "system"."""
    found = System()
    found.roots.append(authorities["system"])
    module = ModuleType("truststore._api")
    code = {"found": found}
    # A function, whose parameters certhook checks.
    exec(
        "def verify(ssl_context, cert_chain, server_hostname=None): found(ssl_context, cert_chain, server_hostname)",
        code,
    )
    module._verify_peercerts_impl = code["verify"]
    monkeypatch.setitem(sys.modules, "truststore", ModuleType("truststore"))
    monkeypatch.setitem(sys.modules, "truststore._api", module)
    assert _native.problem() == ""
    found.calls.clear()
    return found


@pytest.fixture
def servers(authorities) -> dict[str, ssl.SSLContext]:
    """Return the context of a server of each CA."""
    return {name: server_context(ca) for name, ca in authorities.items()}


def accepts(client: ssl.SSLContext, server: ssl.SSLContext, host: str | None = "localhost") -> bool:
    """Return whether the client accepts the server, and exchanges data with it."""
    pair = Pair(client, server, host)
    try:
        pair.handshake()
    except ssl.SSLCertVerificationError:
        return False
    pair.client.write(b"request")
    assert pair.complete(lambda: pair.client.read(100)) == b"secret"
    assert pair.received() == b"request"
    return True


# Which servers are verified.


def test_without_the_option_openssl_verifies_servers(system, servers, monkeypatch) -> None:
    monkeypatch.delenv("CERTHOOK_VERIFY")
    context = ssl.create_default_context()
    assert [accepts(context, servers[name]) for name in ("system", "extra", "stranger")] == [False, True, False]
    assert system.calls == []


def plain_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    return context


def certifi_context() -> ssl.SSLContext:
    import certifi

    return ssl.create_default_context(cafile=certifi.where())


class Subclass(ssl.SSLContext):
    """A class of a program."""

    def wrap_bio(self, *args, **kwargs):
        return super().wrap_bio(*args, **kwargs)


def subclass_context() -> ssl.SSLContext:
    context = Subclass(ssl.PROTOCOL_TLS_CLIENT)
    context.set_default_verify_paths()
    return context


@pytest.mark.parametrize(
    "create",
    [
        lambda: ssl.create_default_context(),
        plain_context,
        certifi_context,
        subclass_context,
        certhook.create_default_context,
    ],
    ids=["create_default_context", "load_default_certs", "certifi", "subclass", "certhook"],
)
def test_the_operating_system_verifies_servers_of_default_trust_and_adopted_requests(system, servers, create) -> None:
    context = create()
    assert isinstance(context, ssl.SSLContext)
    assert [accepts(context, servers[name]) for name in ("system", "extra", "stranger")] == [True, True, False]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_the_systems_own_roots_are_tried_before_others(system, servers) -> None:
    context = ssl.create_default_context()
    accepts(context, servers["system"])
    assert [anchors for _, _, anchors in system.calls] == [0]
    accepts(context, servers["extra"])
    assert [bool(anchors) for _, _, anchors in system.calls] == [False, False, True]


def test_certificates_that_the_caller_adds_are_additional_anchors(system, servers, authorities) -> None:
    context = ssl.create_default_context()
    context.load_verify_locations(cadata=authorities["stranger"].cert_pem.bytes().decode())
    assert [accepts(context, servers[name]) for name in servers] == [True, True, True]


@pytest.mark.parametrize("is_partial", [False, True])
def test_an_intermediate_is_an_anchor_only_with_partial_chains(system, authorities, is_partial) -> None:
    intermediate = authorities["stranger"].create_child_ca()
    context = ssl.create_default_context()
    context.verify_flags &= ~_native_chain._PARTIAL_CHAIN
    if is_partial:
        context.verify_flags |= _native_chain._PARTIAL_CHAIN
    context.load_verify_locations(cadata=intermediate.cert_pem.bytes().decode())
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf = intermediate.issue_cert("localhost")
    with leaf.private_key_pem.tempfile() as key, leaf.cert_chain_pems[0].tempfile() as certificate:
        server.load_cert_chain(certificate, key)
    assert accepts(context, server) is is_partial


def test_the_host_name_is_verified_unless_the_context_disables_it(system, servers) -> None:
    context = ssl.create_default_context()
    assert not accepts(context, servers["system"], "other.example")
    assert not accepts(context, servers["extra"], "other.example")
    context.check_hostname = False
    assert accepts(context, servers["system"], "other.example")
    assert not accepts(context, servers["stranger"], "other.example")


def test_optional_verification_is_required_of_servers_as_in_openssl(system, servers) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_OPTIONAL
    assert not accepts(context, servers["stranger"])
    assert context.verify_mode == ssl.CERT_OPTIONAL


# Revocation.


@pytest.mark.parametrize("name", ["system", "extra"])
def test_a_revoked_certificate_is_rejected(system, servers, authorities, name) -> None:
    system.revoked.append(authorities[name])
    context = ssl.create_default_context()
    assert not accepts(context, servers[name])
    try:
        raise ssl.SSLCertVerificationError  # A program that connects again in its handler of an error.
    except ssl.SSLCertVerificationError as error:
        error.verify_code = 0x80092013
        assert not accepts(context, servers[name])


@pytest.mark.parametrize("name", ["system", "extra"])
def test_a_certificate_with_an_unknown_status_is_rejected_only_if_the_caller_requires_it(
    system, servers, authorities, name
) -> None:
    system.unknown.append(authorities[name])
    context = ssl.create_default_context()
    assert accepts(context, servers[name])
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    assert not accepts(context, servers[name])


@pytest.mark.parametrize("code", [-67843, -25318, -67818, -67602, -67820])
def test_on_macos_the_system_decides_about_revocation_and_unknown_roots_are_tried_with_other_anchors(
    system, monkeypatch, code
) -> None:
    """With the error codes of macOS; the code has not been tested on macOS."""
    calls = []

    def verify(ssl_context, cert_chain, server_hostname=None) -> None:
        calls.append((bool(ssl_context.verify_flags & ssl.VERIFY_CRL_CHECK_CHAIN), bool(ssl_context.anchors)))
        if not ssl_context.anchors:
            error = ssl.SSLCertVerificationError("rejected")
            error.verify_code = code
            raise error

    monkeypatch.setattr(_native_chain, "sys", SimpleNamespace(platform="darwin"))
    policy = _native_chain.Policy(ssl.create_default_context(), _config.current(), True, "localhost")
    is_unknown = code in (-67843, -25318, -67818)
    with contextlib.nullcontext() if is_unknown else pytest.raises(ssl.SSLCertVerificationError):
        _native_chain._verify_with_system(verify, policy, [b"a certificate"])
    assert calls == [(False, False), (False, True)][: 1 + is_unknown]


# Choices of the caller.


def unverified(context: ssl.SSLContext) -> None:
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE


def test_the_system_is_not_asked_if_the_caller_disables_verification(system, servers) -> None:
    context = ssl.create_default_context()
    unverified(context)
    assert accepts(context, servers["stranger"])
    assert system.calls == []
    context.verify_mode = ssl.CERT_REQUIRED
    assert not accepts(context, servers["stranger"])


def test_a_private_file_is_verified_by_openssl(system, servers, authorities) -> None:
    context = ssl.create_default_context(cadata=authorities["stranger"].cert_pem.bytes().decode())
    assert [accepts(context, servers[name]) for name in ("system", "stranger")] == [False, True]
    assert system.calls == []


def test_a_directory_of_the_caller_is_used_by_openssl(system, servers, authorities, tmp_path) -> None:
    import support

    (tmp_path / "roots").mkdir()
    pem = authorities["stranger"].cert_pem.bytes()
    (tmp_path / "roots" / support.hashed_name(ssl.PEM_cert_to_DER_cert(pem.decode()))).write_bytes(pem)
    context = ssl.create_default_context()
    context.load_verify_locations(capath=str(tmp_path / "roots"))
    assert [accepts(context, servers[name]) for name in ("system", "stranger")] == [False, True]
    assert system.calls == []


def test_clients_are_verified_by_openssl(system, authorities) -> None:
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authorities["extra"].issue_cert("localhost").configure_cert(server)
    server.load_default_certs(ssl.Purpose.CLIENT_AUTH)
    server.verify_mode = ssl.CERT_REQUIRED
    other = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    other.load_default_certs()
    assert [_state.markers_of(one).native for one in (server, other)] == [None, None]
    client = ssl.create_default_context()
    for name, is_accepted in (("extra", True), ("system", False)):
        authorities[name].issue_cert("client").configure_cert(client)
        system.calls.clear()
        pair = Pair(client, server)
        if is_accepted:
            pair.handshake()
        else:
            with pytest.raises(ssl.SSLError):
                pair.handshake()
                pair.server.do_handshake()
        assert all(host == "localhost" for host, _, _ in system.calls)


@pytest.mark.filterwarnings("ignore:ssl.PROTOCOL_TLS")
def test_a_context_for_both_sides_verifies_clients_with_openssl(system, authorities) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS)
    context.load_default_certs()
    context.verify_mode = ssl.CERT_REQUIRED
    authorities["extra"].issue_cert("localhost").configure_cert(context)
    client = ssl.create_default_context()
    authorities["stranger"].issue_cert("client").configure_cert(client)
    pair = Pair(client, context)
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get"):
        pair.handshake()
        pair.server.do_handshake()


# Distrust.


def distrust(monkeypatch, *pems: bytes) -> None:
    from certhook._certificates.x509 import Certificate
    from certhook._config import ANY_PURPOSE
    from certhook._sources import distrust as module
    from certhook._sources.blocklist import BlocklistEntry

    def read(collector) -> None:
        for pem in pems:
            certificate = Certificate(ssl.PEM_cert_to_DER_cert(pem.decode()))
            collector.blocklist.add(BlocklistEntry(ANY_PURPOSE, certificate), "a list")

    monkeypatch.setattr(module, "read", read)


@pytest.mark.filterwarnings("ignore::certhook.CerthookWarning")
@pytest.mark.parametrize("name", ["system", "extra"])
def test_a_distrusted_root_is_rejected_although_the_system_accepts_it(
    system, servers, authorities, monkeypatch, name
) -> None:
    system.roots.append(authorities["extra"])
    distrust(monkeypatch, authorities[name].cert_pem.bytes())
    context = ssl.create_default_context()
    other = {"system": "extra", "extra": "system"}[name]
    assert (accepts(context, servers[name]), accepts(context, servers[other])) == (False, True)


def test_a_root_that_the_caller_loads_is_rejected_if_it_is_distrusted(
    system, servers, authorities, monkeypatch
) -> None:
    pem = authorities["stranger"].cert_pem.bytes()
    distrust(monkeypatch, pem)
    context = ssl.create_default_context()
    context.load_verify_locations(cadata=pem.decode())
    assert not accepts(context, servers["stranger"])
    # The server may omit the certificate that its root issued, and the system may download it.
    policy = _native_chain.Policy(context, _config.current(), True, "localhost")
    assert ssl.PEM_cert_to_DER_cert(pem.decode()) not in _native_chain._additional_anchors(policy)


def test_a_distrusted_server_certificate_is_rejected(system, authorities, monkeypatch) -> None:
    leaf = authorities["extra"].issue_cert("localhost")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(server)
    context = ssl.create_default_context()
    assert accepts(context, server)
    distrust(monkeypatch, leaf.cert_chain_pems[0].bytes())
    assert not accepts(context, server)


@pytest.mark.parametrize(("name", "is_accepted"), [("extra", True), ("system", False)])
def test_a_ca_that_a_distrusted_one_also_certified_is_accepted_if_it_is_an_anchor_itself(
    system, authorities, monkeypatch, name, is_accepted
) -> None:
    distrust(monkeypatch, authorities["stranger"].cert_pem.bytes())
    leaf = authorities[name].issue_cert("localhost").cert_chain_pems[0].bytes()
    ders = [ssl.PEM_cert_to_DER_cert(pem.decode()) for pem in (leaf, cross_certificate(authorities, name))]
    policy = _native_chain.Policy(ssl.create_default_context(), _config.current(), True, "localhost")
    with contextlib.nullcontext() if is_accepted else pytest.raises(ssl.SSLCertVerificationError, match="distrusts"):
        _native_chain._reject_distrusted(policy, ders)


def cross_certificate(authorities: dict[str, trustme.CA], name: str) -> bytes:
    """Return a certificate for the CA *name* that the CA "stranger" issued, as PEM."""
    subject, issuer = (x509.load_pem_x509_certificate(authorities[one].cert_pem.bytes()) for one in (name, "stranger"))
    builder = x509.CertificateBuilder(
        issuer_name=issuer.subject, subject_name=subject.subject, public_key=subject.public_key()
    )
    builder = builder.serial_number(1).not_valid_before(subject.not_valid_before_utc)
    key = serialization.load_pem_private_key(authorities["stranger"].private_key_pem.bytes(), None)
    signed = builder.not_valid_after(subject.not_valid_after_utc).sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


# Ways around the verification.


def attempts(pair: Pair) -> dict[str, object]:
    client = pair.client
    return {
        "do_handshake": client.do_handshake,
        "read": lambda: client.read(100),
        "read into": lambda: client.read(100, bytearray(100)),
        "write": lambda: client.write(b"request"),
        "other": lambda: client._sslobj.verify_client_post_handshake(),
    }


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("first", ["do_handshake", "read", "read into", "write", "other"])
def test_no_method_exchanges_data_with_an_unverified_server(system, authorities, version, first) -> None:
    context = ssl.create_default_context()
    pair = Pair(context, server_context(authorities["stranger"], version))
    with pytest.raises(ssl.SSLCertVerificationError, match="CERTIFICATE_VERIFY_FAILED") as raised:
        pair.complete(attempts(pair)[first])
    assert (raised.value.reason, raised.value.verify_code) == ("CERTIFICATE_VERIFY_FAILED", 0x800B0109)
    for name, attempt in attempts(pair).items():
        with pytest.raises(ssl.SSLCertVerificationError):
            pair.complete(attempt)
        assert pair.received() == b"", name
    assert pair.client.session is None


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("first", ["do_handshake", "read", "read into", "write"])
def test_each_method_verifies_the_server_first(system, authorities, version, first) -> None:
    pair = Pair(ssl.create_default_context(), server_context(authorities["system"], version))
    pair.complete(attempts(pair)[first])
    assert [call[0] for call in system.calls] == ["localhost"]
    assert pair.client.version() == version.name.replace("_", ".")
    assert pair.client.getpeercert()["subject"]
    pair.client.write(b"request")
    assert len(system.calls) == 1


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("is_late", [False, True])
def test_sockets_exchange_no_data_with_an_unverified_server(system, authorities, version, is_late) -> None:
    context = ssl.create_default_context()
    for name, is_accepted in (("system", True), ("stranger", False)):
        server = SocketServer(server_context(authorities[name], version))
        try:
            secured = context.wrap_socket(
                server.client, server_hostname="localhost", do_handshake_on_connect=not is_late
            )
            with secured:
                secured.sendall(b"request")
                assert secured.recv(100) == b"secret"
        except ssl.SSLCertVerificationError:
            pass
        assert server.finish() == (b"request" if is_accepted else b"")


def test_a_socket_without_blocking_is_verified_at_the_end_of_the_handshake(system, authorities) -> None:
    import select

    context = ssl.create_default_context()
    server = SocketServer(server_context(authorities["stranger"]))
    server.client.setblocking(False)
    secured = context.wrap_socket(server.client, server_hostname="localhost", do_handshake_on_connect=False)
    with secured, pytest.raises(ssl.SSLCertVerificationError):
        while True:
            try:
                secured.do_handshake()
                break
            except ssl.SSLWantReadError:
                select.select([secured], [], [], 20)
    assert server.finish() == b""


def test_asyncio_verifies_servers(system, servers) -> None:
    async def connect(name: str) -> bytes:
        async def answer(reader, writer) -> None:
            writer.write(await reader.read(100))
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=servers[name])
        port = server.sockets[0].getsockname()[1]
        try:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=ssl.create_default_context(), server_hostname="localhost"
            )
            writer.write(b"request")
            data = await reader.read(100)
            writer.close()
            return data
        finally:
            server.close()

    assert asyncio.run(connect("system")) == b"request"
    assert asyncio.run(connect("extra")) == b"request"
    with pytest.raises(ssl.SSLCertVerificationError, match="operating system"):
        asyncio.run(connect("stranger"))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_resumed_session_is_verified_again(system, authorities, version) -> None:
    context = ssl.create_default_context()
    intermediate = authorities["system"].create_child_ca()
    server = server_context(intermediate, version)
    pair = Pair(context, server).handshake()
    pair.complete(lambda: pair.client.read(100))
    resumed = Pair(context, server, session=pair.client.session).handshake()
    assert resumed.client.session_reused
    assert len(system.calls) == 2
    system.roots.clear()
    with pytest.raises(ssl.SSLCertVerificationError):
        Pair(context, server, session=pair.client.session).handshake()
    context.check_hostname = True
    system.roots.append(authorities["system"])
    with pytest.raises(ssl.SSLCertVerificationError):
        Pair(context, server, "other.example", session=pair.client.session).handshake()


def test_a_server_without_a_certificate_is_rejected(system) -> None:
    policy = _native_chain.Policy(ssl.create_default_context(), _config.current(), True, "localhost")
    with pytest.raises(ssl.SSLCertVerificationError, match="no certificate"):
        _native_chain.verify(lambda *_: None, policy, [])


class Renegotiating:
    """A TLS 1.2 connection whose server presents another certificate when it renegotiates."""

    def __init__(self, ders: list[bytes]) -> None:
        self.ders = ders

    def do_handshake(self) -> None:
        pass

    def version(self) -> str:
        return "TLSv1.2"

    def getpeercert(self, binary: bool) -> bytes:
        return self.ders[0]

    def get_unverified_chain(self) -> list[bytes]:
        return self.ders[:1]

    def read(self, *args) -> bytes:
        del self.ders[0]
        return b"data"

    write = read


@pytest.mark.parametrize("method", ["read", "write"])
def test_another_certificate_after_a_renegotiation_is_verified(system, authorities, method) -> None:
    leaves = [authorities[name].issue_cert("localhost") for name in ("system", "system", "stranger")]
    ders = [ssl.PEM_cert_to_DER_cert(leaf.cert_chain_pems[0].bytes().decode()) for leaf in leaves]
    policy = _native_chain.Policy(ssl.create_default_context(), _config.current(), True, "localhost")
    connection = _native.Connection(Renegotiating(ders), policy, system)
    connection.do_handshake()
    assert getattr(connection, method)(1) == b"data"
    for _ in range(2):
        with pytest.raises(ssl.SSLCertVerificationError):
            getattr(connection, method)(1)


@pytest.mark.parametrize("error", [OSError("no library"), ValueError(), NotImplementedError()])
def test_an_error_during_the_verification_rejects_the_server(system, servers, monkeypatch, error) -> None:
    def fail(*args) -> None:
        raise error

    monkeypatch.setattr(System, "__call__", fail)
    assert not accepts(ssl.create_default_context(), servers["system"])


def test_an_interrupted_verification_is_repeated(system, servers, monkeypatch) -> None:
    pair = Pair(ssl.create_default_context(), servers["stranger"])
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):

        def interrupt(*args) -> None:
            raise KeyboardInterrupt

        patch.setattr(System, "__call__", interrupt)
        pair.handshake()
    for attempt in attempts(pair).values():
        with pytest.raises(ssl.SSLCertVerificationError):
            pair.complete(attempt)
    assert pair.received() == b""


def test_a_copied_marker_does_not_disable_openssls_verification(system, servers) -> None:
    marked, other = ssl.create_default_context(), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for duplicate in (dict(vars(marked)), copy.copy(vars(marked)), copy.deepcopy(vars(marked))):
        vars(other).update(duplicate)
        system.calls.clear()
        assert not accepts(other, servers["system"])
        assert system.calls == []


def test_after_uninstallation_openssl_verifies_servers(system, servers) -> None:
    context = ssl.create_default_context()
    kept = ssl.SSLContext._wrap_bio
    certhook.uninstall()
    try:
        assert not accepts(context, servers["system"])
        ssl.SSLContext._wrap_bio = kept
        assert not accepts(context, servers["system"])
    finally:
        del ssl.SSLContext._wrap_bio
        certhook.install()
    assert system.calls == []


def test_the_public_function_verifies_natively_without_the_hook(system, servers) -> None:
    certhook.uninstall()
    try:
        context = certhook.create_default_context()
        assert "_wrap_bio" not in vars(ssl.SSLContext)
        assert [accepts(context, servers[name]) for name in ("system", "extra", "stranger")] == [True, True, False]
    finally:
        certhook.install()


# The time during which OpenSSL's verification is disabled.


@pytest.mark.parametrize("step", [0, 1, 2])
def test_after_an_interruption_the_next_connection_is_verified(system, servers, monkeypatch, step) -> None:
    """A signal handler raises an exception while a connection is created, or while the context is restored."""
    context = ssl.create_default_context()
    real, calls = _native_modes._verify_mode, []

    class Interrupted:
        __get__ = real.__get__

        @staticmethod
        def __set__(one, value) -> None:
            calls.append(value)
            if step == len(calls):
                raise KeyboardInterrupt
            real.__set__(one, value)

    monkeypatch.setattr(_native_modes, "_verify_mode", Interrupted())
    with pytest.raises((KeyboardInterrupt, ssl.SSLError)):
        Pair(context, servers["stranger"]).handshake()
    assert calls
    assert not accepts(context, servers["stranger"])
    assert accepts(context, servers["system"])
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


@pytest.fixture
def inside(monkeypatch, system):
    """Return a function that makes another one run while OpenSSL's verification of a context is disabled."""

    def run(action) -> None:
        real = _native_modes._verify_mode

        class Spy:
            __get__ = real.__get__

            @staticmethod
            def __set__(one, value) -> None:
                real.__set__(one, value)
                if value == ssl.CERT_NONE:
                    monkeypatch.setattr(_native_modes, "_verify_mode", real)
                    action(one)

        monkeypatch.setattr(_native_modes, "_verify_mode", Spy())

    return run


def test_a_signal_handler_that_connects_meanwhile_verifies_its_server(servers, inside) -> None:
    context, results = ssl.create_default_context(), []
    inside(lambda one: results.append(accepts(one, servers["stranger"])))
    assert not accepts(context, servers["stranger"])
    assert results == [False]


def test_another_thread_that_connects_meanwhile_verifies_its_server(servers, inside) -> None:
    context, results = ssl.create_default_context(), []
    threads = []

    def connect(one) -> None:
        threads.append(threading.Thread(target=lambda: results.append(accepts(context, servers["stranger"]))))
        threads[0].start()
        threads[0].join(0.2)

    inside(connect)
    assert not accepts(context, servers["stranger"])
    threads[0].join()
    assert results == [False]


def test_stricter_settings_of_another_thread_are_kept(servers, inside) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_OPTIONAL
    inside(lambda one: _native_modes._check_hostname.__set__(one, True))  # Not through the property.
    accepts(context, servers["system"])
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_other_threads_do_not_notice_that_verification_is_disabled(system, servers, inside) -> None:
    """``http.client`` reads check_hostname, and sets it to this value before Python 3.12."""
    context = ssl.create_default_context()
    established = Pair(context, servers["system"]).handshake()
    results = []

    def observe() -> None:
        results.append((context.verify_mode, context.check_hostname, bool(established.client.getpeercert())))
        context.check_hostname = context.check_hostname

    def start(one) -> None:
        thread = threading.Thread(target=observe)
        thread.start()
        threads.append(thread)
        thread.join(0.2)

    threads = []
    inside(start)
    assert accepts(context, servers["system"])
    threads[0].join()
    assert results == [(ssl.CERT_REQUIRED, True, True)]
    assert not accepts(context, servers["system"], "other.example")


def test_a_choice_of_another_thread_is_kept(servers, inside) -> None:
    context = ssl.create_default_context()
    threads = []

    def start(one) -> None:
        threads.append(threading.Thread(target=unverified, args=(one,)))
        threads[0].start()
        threads[0].join(0.2)

    inside(start)
    assert accepts(context, servers["system"])
    threads[0].join()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_NONE, False)


def test_uninstalling_restores_a_context_if_its_connection_was_interrupted(system, servers, monkeypatch) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    context = ssl.create_default_context()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(_native_modes, "restore", lambda: interrupt() if _native_modes.disabled else None)
        accepts(context, servers["stranger"])
    certhook.uninstall()
    try:
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
        assert not accepts(context, servers["stranger"])
        assert type(ssl.SSLContext.verify_mode) is property
        assert "check_hostname" not in vars(ssl.SSLContext)
    finally:
        certhook.install()


def test_a_socket_that_needs_a_host_name_is_not_created_without_one_by_a_race(system) -> None:
    context = ssl.create_default_context()
    server = SocketServer(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    with pytest.raises(ValueError, match="check_hostname requires server_hostname"):
        context._wrap_socket(server.client, False, None)
    server.finish()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX only")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_process_verifies_servers_although_another_thread_created_a_connection(servers, inside) -> None:
    context = ssl.create_default_context()
    results = []

    def fork(one) -> None:
        def run() -> None:
            child = os.fork()
            if child == 0:
                is_restored = context.verify_mode == ssl.CERT_REQUIRED and context.check_hostname
                os._exit(1 if accepts(context, servers["stranger"]) or not is_restored else 0)
            results.append(os.waitpid(child, 0)[1])

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()

    inside(fork)
    assert not accepts(context, servers["stranger"])
    assert results == [0]


def test_threads_share_a_context(system, servers) -> None:
    context, results = ssl.create_default_context(), []

    def connect(name: str) -> None:
        results.extend((name, accepts(context, servers[name])) for _ in range(20))

    threads = [threading.Thread(target=connect, args=(name,)) for name in ("system", "extra", "stranger")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(results) == {("system", True), ("extra", True), ("stranger", False)}
    assert len(results) == 60
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


# Settings, and truststore's absence.


@pytest.mark.filterwarnings("ignore::certhook.CerthookWarning")
@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"SSL_CERT_FILE": "{extra}"}, "SSL_CERT_FILE"),
        ({"SSL_CERT_DIR": os.sep}, "SSL_CERT_DIR"),
        ({"CERTHOOK_SOURCES": "bundled"}, "CERTHOOK_SOURCES"),
        ({"CERTHOOK_SOURCES": "bundled,system", "CERTHOOK_MODE": "fallback"}, "CERTHOOK_MODE"),
        ({"CERTHOOK_REMOVED": "drop"}, "CERTHOOK_REMOVED"),
    ],
)
def test_openssl_verifies_servers_if_a_setting_excludes_roots_of_the_system(
    system, servers, monkeypatch, variables, reason
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(extra=os.environ["CERTHOOK_EXTRA_CA_CERTS"]))
    context = ssl.create_default_context()
    assert [accepts(context, servers[name]) for name in ("system", "extra", "stranger")] == [False, True, False]
    assert system.calls == []
    assert reason in _native.obstacle(_config.current())


def accept_everything(ssl_context, cert_chain, server_hostname=None) -> None:
    pass


def changed(ssl_context, chain) -> None:
    raise ssl.SSLCertVerificationError


UNUSABLE = {
    "missing": (None, "pip install certhook"),
    "broken": (ModuleType("truststore._api"), "cannot be used"),
    "other parameters": (changed, "unknown"),
    "accepts everything": (accept_everything, "no trusted root"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_without_a_usable_truststore_openssl_verifies_servers_and_a_warning_contains_the_remedy(
    hook, servers, monkeypatch, case
) -> None:
    module, words = UNUSABLE[case]
    if callable(module):
        function, module = module, ModuleType("truststore._api")
        module._verify_peercerts_impl = function
    if module is None:

        def missing(name: str) -> None:
            raise ModuleNotFoundError("No module named 'truststore'", name="truststore")

        monkeypatch.setattr(_native, "import_module", missing)
    else:
        monkeypatch.setattr(_native, "import_module", lambda name: module)
    with pytest.warns(CerthookWarning, match=words):
        context = ssl.create_default_context()
    assert [accepts(context, servers[name]) for name in ("system", "extra", "stranger")] == [False, True, False]
    monkeypatch.setenv("CERTHOOK_ON_ERROR", "raise")
    with pytest.raises(ConfigurationError, match="CERTHOOK_VERIFY"):
        ssl.create_default_context()


def test_an_interrupted_import_of_truststore_is_repeated(system, servers, monkeypatch) -> None:
    monkeypatch.setattr(_native, "_truststore", None)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):

        def interrupt(name: str) -> None:
            raise KeyboardInterrupt

        patch.setattr(_native, "import_module", interrupt)
        ssl.create_default_context()
    assert accepts(ssl.create_default_context(), servers["system"])


def test_on_other_systems_the_setting_imports_nothing(hook, monkeypatch) -> None:
    monkeypatch.setattr(_config, "NATIVE_PLATFORMS", ("win32", "darwin"))

    def fail(*args) -> None:
        raise AssertionError

    monkeypatch.setattr(_native, "attach", fail)
    assert _state.markers_of(ssl.create_default_context()).native is None
