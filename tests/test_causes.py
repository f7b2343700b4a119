"""Each cause that ``certhook check`` knows, shown by a real server, proxy or network, and what a person is told."""

from __future__ import annotations

import socket
import ssl
import sys
import threading
import time
import warnings
from typing import Any, Callable, NamedTuple

import der
import namespace
import pytest
import support
from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID
from lab import STARTTLS, Answered, Lab, assert_cause, open_lab, say_http, told
from pki import BARE, Issued, chain, identifier, issue, rsa_key, with_sha1

from certhook._certificates import x509
from certhook.cli.check.causes import CAUSES

lab = pytest.fixture(open_lab)


class Shown(NamedTuple):
    """A way to meet with a cause.

    :ivar meet: does so in a lab
    :ivar words: what a person reads then, among others
    """

    identifier: str
    meet: Callable[[Lab], Answered]
    words: tuple[str, ...]
    marks: tuple[Any, ...]


SHOWN: list[Shown] = []


def shows(identifier: str, *words: str, marks: tuple[Any, ...] = ()) -> Callable[[Any], Any]:
    """The function meets with the cause *identifier*, and a person is told these *words*."""

    def add(meet: Callable[[Lab], Answered]) -> Callable[[Lab], Answered]:
        SHOWN.append(Shown(identifier, meet, words, marks))
        return meet

    return add


def stranger() -> Issued:
    """A root that vouches for no server here."""
    return issue("another root", ca=True, organization="another")


# On the way to the server.


def without_network(lab: Lab, host: str, *services: str) -> Answered:
    """Ask in a network of its own, where there is nothing, and names are looked up by *services*."""
    lab.as_root()
    code = (
        "import subprocess, sys\n"
        f"command = ['unshare', '-n', sys.executable, '-m', 'certhook', 'check', '--json', {host!r}]\n"
        "sys.exit(subprocess.run(command).returncode)"
    )
    tree: namespace.Tree = {
        "/etc/nsswitch.conf": f"hosts: {' '.join(services)}\n".encode(),
        "/etc/resolv.conf": b"nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
    }
    done = namespace.run(sys.executable, code, tree, support.clean_env(), lab.folder)  # type: ignore[arg-type]
    assert done.returncode == 1, done.stderr
    return told(done.stdout, done.returncode)


@shows("no-name-service", "no name server answers", "in a container", "HTTPS_PROXY")
def no_name_server(lab: Lab) -> Answered:
    return without_network(lab, "shop.invalid", "files", "dns")


@shows("no-such-name", "Nobody knows the name shop.invalid", "typing mistake", "VPN")
def a_name_that_nobody_has(lab: Lab) -> Answered:
    return without_network(lab, "shop.invalid", "files")


@shows("no-connection", "No connection to 127.0.0.1, port 443: Network is unreachable")
def a_network_that_is_down(lab: Lab) -> Answered:
    return without_network(lab, "127.0.0.1", "files")


@shows("no-answer", "does not answer in time", "--timeout 60")
def silence(lab: Lab) -> Answered:
    done = threading.Event()
    lab.stack.callback(done.set)
    lab.trust()
    return lab.ask(lab.listen(lambda raw: done.wait(60)), "--timeout", "0.3")


@shows("no-answer", "It may begin with TLS at once: try smtps://localhost (port 465)")
def a_mail_server_that_begins_with_tls(lab: Lab) -> Answered:
    good = chain()
    lab.trust(good.root)
    return lab.ask(f"smtp://localhost:{lab.serve(good.sent)}", "--timeout", "1")


@shows("refused", "nothing listens at its port")
def nobody_at_the_port(lab: Lab) -> Answered:
    lab.trust()
    return lab.ask(lab.nobody())


@shows("proxy-login", "wants a name and a password", "http://NAME:PASSWORD@127.0.0.1:")
def a_proxy_that_asks_who_is_there(lab: Lab) -> Answered:
    lab.trust()
    lab.proxy(lab.serve(chain().sent), login="")
    return lab.ask("shop.example")


@shows("proxy-login", "does not accept the name and password of HTTPS_PROXY")
def a_proxy_that_knows_another_password(lab: Lab) -> Answered:
    lab.trust()
    lab.proxy(lab.serve(chain().sent), login="name:guess@")
    return lab.ask("shop.example")


@shows("proxy-failed", "made no connection to shop.example", "NO_PROXY")
def a_proxy_that_is_not_there(lab: Lab) -> Answered:
    lab.trust()
    lab.patch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{lab.nobody()}")
    return lab.ask("shop.example")


@shows("proxy-failed", "no TLS with it, unable to get local issuer certificate", "'python -m certhook check localhost:")
def a_proxy_that_speaks_tls_and_is_not_verified(lab: Lab) -> Answered:
    lab.trust()
    lab.proxy(lab.serve(chain().sent), sent=chain().sent)
    return lab.ask("shop.example")


@shows("proxy-failed", "502 Bad Gateway")
def a_proxy_that_does_not_get_there(lab: Lab) -> Answered:
    def refuse(raw: socket.socket) -> None:
        raw.recv(1024)
        raw.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")

    lab.trust()
    lab.patch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{lab.listen(refuse)}")
    return lab.ask("shop.example")


def refusing_starttls(scheme: str, says: bytes) -> Callable[[Lab], Answered]:
    def refuse(raw: socket.socket) -> None:
        raw.sendall(says)
        while raw.recv(1024):
            pass

    def meet(lab: Lab) -> Answered:
        lab.trust()
        return lab.ask(f"{scheme}://localhost:{lab.listen(refuse)}")

    return meet


shows("no-starttls", "502 not here", "smtps://localhost (port 465)")(
    refusing_starttls("smtp", b"220 hello\r\n250 hello\r\n502 not here\r\n")
)
shows("no-starttls", "c0 NO not here", "imaps://localhost (port 993)")(
    refusing_starttls("imap", b"* OK hello\r\nc0 NO not here\r\n")
)
shows("no-starttls", "it has no TLS")(refusing_starttls("postgres", b"N"))


# While TLS is being set up.


@shows("client-certificate", "wants a certificate of you", "--cert")
def a_server_for_those_whom_it_knows(lab: Lab) -> Answered:
    return demanding(lab, ssl.TLSVersion.TLSv1_3)


@shows("client-certificate", "wants a certificate of you", "--cert")
def the_same_before_tls_1_3_which_has_no_word_for_it(lab: Lab) -> Answered:
    return demanding(lab, ssl.TLSVersion.TLSv1_2)


def demanding(lab: Lab, version: ssl.TLSVersion) -> Answered:
    good = chain()
    lab.trust(good.root)

    def demand(context: ssl.SSLContext) -> None:
        context.maximum_version = version
        context.load_verify_locations(cadata=good.root.pem.decode())
        context.verify_mode = ssl.CERT_REQUIRED

    return lab.ask(lab.serve(good.sent, demand))


@shows("plain-http", "speaks plain HTTP, without TLS", "443")
def plain_http(lab: Lab) -> Answered:
    lab.trust()
    return lab.ask(lab.listen(say_http))


def answering(*parts: bytes) -> Callable[[Lab], Answered]:
    """A server that answers plain HTTP so, and hangs up on everybody else."""

    def answer(raw: socket.socket) -> None:
        if raw.recv(1024).startswith(b"GET"):
            for part in parts:
                raw.sendall(part)
                time.sleep(0.1)

    def meet(lab: Lab) -> Answered:
        lab.trust()
        return lab.ask(lab.listen(answer))

    return meet


# It may speak of HTTPS, and of what it could speak.
for answer in (
    b"HTTP/1.1 301 Moved Permanently\r\nLocation: https://localhost/\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n<a href='https://shop.example/'>plain HTTP request was sent to HTTPS port</a>",
    b"HTTP/1.1 200 OK\r\nServer: Apache/2.4 (Unix) OpenSSL/3.0\r\n\r\n",
    b"HTTP/1.1 400 Bad Request\r\nServer: Apache/2.4 (Unix) OpenSSL/3.0\r\n\r\n",
):
    shows("plain-http", "speaks plain HTTP, without TLS", "443")(answering(answer))


@shows("unknown-name", "speaks TLS, but serves no host of that name", "typing mistake", "virtual host", "for localhost")
def a_server_that_goes_by_other_names(lab: Lab) -> Answered:
    def refuse(raw: socket.socket) -> None:
        raw.recv(1024)
        raw.sendall(bytes.fromhex("15 0303 0002 02 70"))

    lab.trust()
    return lab.ask(lab.listen(refuse))


@shows("no-tls", "does not speak TLS", "220 mail.example ESMTP", "smtp://")
def a_mail_server(lab: Lab) -> Answered:
    def greet(raw: socket.socket) -> None:
        raw.sendall(b"220 mail.example ESMTP\r\n")
        raw.recv(1024)

    lab.trust()
    return lab.ask(lab.listen(greet))


@shows("handshake-failed", "broke off")
def a_server_that_hangs_up(lab: Lab) -> Answered:
    lab.trust()
    return lab.ask(lab.listen(lambda raw: raw.recv(1024)))


# What Go, nginx, Apache and Tomcat say to plain HTTP where they speak TLS, in one part or in two.
for parts in (
    [b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"],
    [b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n", b"<h1>The plain HTTP request was sent to HTTPS port</h1>"],
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"You're speaking plain HTTP to an SSL-enabled server port.<br />"],
    [b"HTTP/1.1 400 \r\n\r\nBad Request\r\nThis combination of host and port requires TLS.\r\n"],
):
    shows("handshake-failed", "broke off")(answering(*parts))


before_3_10 = pytest.mark.skipif(sys.version_info < (3, 10), reason="contexts speak old versions before Python 3.10")


@shows("old-tls", "speaks only TLS 1", "TLS 1.2 or 1.3", marks=(before_3_10,))
def an_old_server(lab: Lab) -> Answered:
    def make_old(context: ssl.SSLContext) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1

    good = chain()
    lab.trust(good.root)
    return lab.ask(lab.serve(good.sent, make_old))


refuses_weakness = pytest.mark.skipif(
    getattr(ssl.create_default_context(), "security_level", 2) < 2,
    reason="this Python's contexts accept 1024 bits and SHA-1",
)

# The second Oakley group (RFC 2409), of 1024 bits.
SHORT_PRIME = bytes.fromhex(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF"
)


@shows("weak-handshake", "too weak today", "DH_KEY_TOO_SMALL", marks=(refuses_weakness,))
def a_short_key_of_the_session(lab: Lab) -> Answered:
    numbers = der.element(2, b"\0", SHORT_PRIME), der.element(2, b"\2")
    file = lab.file("dh.pem", der.pem(der.element(der.SEQUENCE, *numbers), "DH PARAMETERS"))

    def weaken(context: ssl.SSLContext) -> None:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("DHE+AES:@SECLEVEL=0")
        context.load_dh_params(file)

    good = chain(key=rsa_key())
    lab.trust(good.root)
    return lab.ask(lab.serve(good.sent, weaken))


no_plain_rsa = pytest.mark.skipif(
    any(cipher["kea"] == "kx-rsa" for cipher in ssl.create_default_context().get_ciphers()),
    reason="contexts offer plain RSA before Python 3.10, and where OpenSSL's own list is used",
)


@shows("weak-handshake", "too weak today", "HANDSHAKE_FAILURE", marks=(no_plain_rsa,))
def a_cipher_of_the_last_century(lab: Lab) -> Answered:
    def weaken(context: ssl.SSLContext) -> None:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("AES128-SHA:@SECLEVEL=0")

    good = chain(key=rsa_key())
    lab.trust(good.root)
    return lab.ask(lab.serve(good.sent, weaken))


@shows("too-many-certificates", "its list of certificates is far too long")
def a_thousand_certificates(lab: Lab) -> Answered:
    good = chain()
    lab.trust(good.root)
    return lab.ask(lab.serve(good.sent + good.sent[1:] * 1000))


# Certificates.

OPENSSL_3 = pytest.mark.skipif(ssl.OPENSSL_VERSION_INFO < (3,), reason="OpenSSL 3 checks the form of certificates")


def careless(kind: type[x509.ExtensionType], value: x509.ExtensionType | None, critical: bool = False, ca: bool = True):
    """A server below a CA, of which one has that extension, or None."""

    def meet(lab: Lab) -> Answered:
        changed = {kind: None if value is None else (value, critical)}
        root = issue("the root", ca=True)
        middle = issue("a careless CA", root, ca=True, changed=changed if ca else None)
        lab.trust(root)
        lab.flags(on=ssl.VERIFY_X509_STRICT)  # as from Python 3.13 on
        port = lab.serve((issue("localhost", middle, changed=None if ca else changed), middle))
        answer = lab.ask(port)
        lab.flags(off=ssl.VERIFY_X509_STRICT)
        assert lab.ask(port)[0]["verified"]
        return answer

    return meet


SIGNS = x509.KeyUsage(True, False, False, False, False, True, False, False, False)
BY_FORM = (
    ('"a careless CA (certhook tests)" fails: it does not say what', careless(x509.KeyUsage, None)),
    ('"a careless CA (certhook tests)" fails: it gives its own key no', careless(x509.SubjectKeyIdentifier, None)),
    ('"a careless CA (certhook tests)" fails: it does not say which', careless(x509.AuthorityKeyIdentifier, None)),
    (
        '"a careless CA (certhook tests)" fails: its mark as a CA need not be',
        careless(x509.BasicConstraints, x509.BasicConstraints(True, None)),
    ),
    (
        '"localhost (certhook tests)" fails: it does not say which key',
        careless(x509.AuthorityKeyIdentifier, None, ca=False),
    ),
    ('"localhost (certhook tests)" fails: its key may sign others\'', careless(x509.KeyUsage, SIGNS, True, ca=False)),
)
for why, meets in BY_FORM:
    shows("strict", why, "CERTHOOK_X509_STRICT=0", marks=(OPENSSL_3,))(meets)


@shows(
    "wrong-clock",
    "clock of this machine is probably wrong",
    "would still be to come",
    "Set the date",
)
def everything_is_still_to_come(lab: Lab) -> Answered:
    root = issue("the root", ca=True, days=(10, 900))
    lab.trust(root)
    return lab.ask(lab.serve((issue("localhost", root, days=(20, 90)),)))


@shows("wrong-clock", "most of the trusted roots would have expired")
def everybody_has_expired(lab: Lab) -> Answered:
    roots = [issue(f"root {number}", ca=True, days=(-900, -9)) for number in range(12)]
    lab.trust(*roots)
    return lab.ask(lab.serve((issue("localhost", roots[0], days=(-90, -20)),)))


def below(**leaf: Any) -> Callable[[Lab], Answered]:
    """A server whose own certificate is made so."""

    def meet(lab: Lab) -> Answered:
        bad = chain(**leaf)
        lab.trust(bad.root)
        return lab.ask(lab.serve(bad.sent))

    return meet


NOT_FOR_SERVERS = {x509.ExtendedKeyUsage: (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)}
UNHEARD_OF = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\0")
shows("expired", "certificate of localhost expired on", "3 days ago", "renew it", "clock")(below(days=(-30, -3)))
shows("not-yet-valid", "is not valid before", "4 days from now", "clock of this machine")(below(days=(5, 30)))
shows("wrong-host", "for one.example, two.example, not for localhost", "use one of these names")(
    below(hosts=("one.example", "two.example"))
)


@shows("address-as-name", "names 127.0.0.1 as the name of a host", "'IP:127.0.0.1'")
def an_address_among_the_names(lab: Lab) -> Answered:
    good = chain(hosts=("127.0.0.1",))
    lab.trust(good.root)
    return lab.ask(f"127.0.0.1:{lab.serve(good.sent)}")


@shows("wrong-host", "The certificate is for shop.example, not for localhost")
def a_server_that_is_named_as_in_the_last_century(lab: Lab) -> Answered:
    good = chain()
    lab.trust(good.root)
    middle = good.sent[1]
    return lab.ask(lab.serve((issue("shop.example", middle, hosts=()), middle)))


shows("wrong-purpose", "The certificate of localhost is not for servers (extended", "get a certificate for localhost")(
    below(changed=NOT_FOR_SERVERS)
)


@shows("wrong-purpose", '"a CA for clients (certhook tests)", a CA above localhost, is', "since", "may not vouch for")
def a_ca_that_is_not_for_servers(lab: Lab) -> Answered:
    root = issue("the root", ca=True)
    middle = issue("a CA for clients", root, ca=True, changed=NOT_FOR_SERVERS)
    lab.trust(root)
    answer = lab.ask(lab.serve((issue("localhost", middle), middle)))
    assert "get a certificate for localhost" not in answer[1]
    return answer


USES = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")  # fmt: skip


def using(*names: str) -> dict[type[x509.ExtensionType], tuple[x509.ExtensionType, bool]]:
    """A key that may be used so alone."""
    return {x509.KeyUsage: (x509.KeyUsage(**{name: name in names for name in USES}), True)}


shows("wrong-key-usage", "its key may be used for nonRepudiation, dataEncipherment alone", "is digitalSignature")(
    below(changed=using("content_commitment", "data_encipherment"))
)


@shows("wrong-key-usage", "its key may be used for keyCertSign, cRLSign alone (key usage)", "It is that of a CA, ")
def a_ca_that_serves_with_its_own_certificate(lab: Lab) -> Answered:
    names = {x509.SubjectAlternativeName: (x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)}
    ca = issue("the root", ca=True, changed=names)
    lab.trust(ca)
    answer = lab.ask(lab.serve((ca,)))
    assert "is digitalSignature" not in answer[1]
    return answer


shows("other", "why is not clear: unhandled critical extension", "openssl s_client -connect localhost:")(
    below(changed={x509.UnrecognizedExtension: (UNHEARD_OF, True)})
)


def between(days: tuple[int, int]) -> Callable[[Lab], Answered]:
    """A server below a CA that is valid then."""

    def meet(lab: Lab) -> Answered:
        root = issue("the root", ca=True, days=(-900, 900))
        old = issue("an old CA", root, ca=True, days=days)
        lab.trust(root)
        return lab.ask(lab.serve((issue("localhost", old), old)))

    return meet


shows("issuer-expired", '"an old CA (certhook tests)", which vouches for localhost, expired on')(between((-30, -3)))
shows("issuer-not-yet-valid", '"an old CA (certhook tests)", which vouches for localhost, is not')(between((2, 30)))


@shows("root-expired", 'The root "an old root (certhook tests)", which', "pip install --upgrade certifi")
def an_old_root(lab: Lab) -> Answered:
    old = issue("an old root", ca=True, days=(-900, -3))
    lab.trust(old)
    return lab.ask(lab.serve((issue("localhost", old),)))


@shows(
    "weak", '"localhost (certhook tests)" has a key that is too short to be safe (1024 bits)', marks=(refuses_weakness,)
)
def a_short_key(lab: Lab) -> Answered:
    return below(key=rsa_key(1024))(lab)


@shows("weak", '"a short CA (certhook tests)" has a key that is too short', marks=(refuses_weakness,))
def a_short_key_of_a_ca(lab: Lab) -> Answered:
    root = issue("the root", ca=True)
    middle = issue("a short CA", root, ca=True, key=rsa_key(1024))
    lab.trust(root)
    return lab.ask(lab.serve((issue("localhost", middle), middle)))


@shows("weak", '"localhost (certhook tests)" is signed in a way that is no', marks=(refuses_weakness,))
def a_weak_signature(lab: Lab) -> Answered:
    root = issue("the root", ca=True, key=rsa_key())
    lab.trust(root)
    answer = lab.ask(lab.serve((with_sha1(issue("localhost", root), root),)))
    assert [link["standing"] for link in answer[0]["chain"]] == [None, "trusted"]
    return answer


@shows("name-constraints", "may not issue certificates for localhost")
def a_ca_below_a_limit_of_names(lab: Lab) -> Answered:
    limits = x509.NameConstraints(permitted_subtrees=[x509.DNSName("corp.example")], excluded_subtrees=None)
    root = issue("the root", ca=True)
    limited = issue("a limited CA", root, ca=True, changed={x509.NameConstraints: (limits, True)})
    lab.trust(root)
    answer = lab.ask(lab.serve((issue("localhost", limited), limited)))
    assert '"a limited CA (certhook tests)" may not' in answer[0]["cause"]["sentence"]
    assert "only for corp.example" in answer[0]["cause"]["sentence"]
    return answer


@shows("name-constraints", "may not issue certificates for wiki.local")
def a_ca_below_a_limit_of_names_of_which_another_is_beyond_it(lab: Lab) -> Answered:
    limits = x509.NameConstraints(permitted_subtrees=[x509.DNSName("localhost")], excluded_subtrees=None)
    root = issue("the root", ca=True)
    limited = issue("a limited CA", root, ca=True, changed={x509.NameConstraints: (limits, True)})
    lab.trust(root)
    return lab.ask(lab.serve((issue("localhost", limited, hosts=("localhost", "wiki.local")), limited)))


@shows("not-a-ca", "may not issue others")
def a_server_that_issued_another_one(lab: Lab) -> Answered:
    root = issue("the root", ca=True)
    no_ca = issue("no CA", root, changed=BARE)
    lab.trust(root)
    lab.flags(off=ssl.VERIFY_X509_STRICT)
    return lab.ask(lab.serve((issue("localhost", no_ca), no_ca)))


@shows("wrong-signature", 'says that "the root (certhook tests)" issued it, but it is not signed', "imitating")
def an_issuer_in_name_only(lab: Lab) -> Answered:
    root, namesake = (issue("the root", ca=True) for _ in range(2))
    claims = {x509.AuthorityKeyIdentifier: (identifier(root.key), False)}
    lab.trust(root)
    return lab.ask(lab.serve((issue("localhost", namesake, changed=claims),)))


# Whom to trust.


def switched_off(**variables: str) -> Callable[[Lab], Answered]:
    """A server whose root is in a file that is named "{}" in these variables."""

    def meet(lab: Lab) -> Answered:
        good = chain()
        path = lab.file("off.pem", good.root.pem)
        lab.trust(stranger(), **{name: value.format(path) for name, value in variables.items()})
        answer = lab.ask(lab.serve(good.sent))
        assert answer[0]["chain"][-1]["standing"] == "off"
        return answer

    return meet


BY_SETTING = (
    (
        switched_off(CERTHOOK_BUNDLE="{}", CERTHOOK_SOURCES="system"),
        ("bundled: ", "left out because of CERTHOOK_SOURCES", "set CERTHOOK_SOURCES=system,bundled"),
    ),
    (
        switched_off(SSL_CERT_FILE="{}", CERTHOOK_SOURCES="extra"),
        ("system: ", "left out because of CERTHOOK_SOURCES"),
    ),
    (
        switched_off(CERTHOOK_BUNDLE="{}"),
        ("bundled: ", "left out because of SSL_CERT_FILE and SSL_CERT_DIR", "set CERTHOOK_SOURCES=system,bundled"),
    ),
    (
        switched_off(CERTHOOK_BUNDLE="{}", CERTHOOK_SOURCES="system,bundled", CERTHOOK_MODE="fallback"),
        ("left out because of CERTHOOK_MODE", "set CERTHOOK_MODE=chain"),
    ),
)
for meets, said in BY_SETTING:
    shows("root-switched-off", '"the root (certhook tests)", which vouches', *said)(meets)


@shows("root-distrusted", '"the root (certhook tests)" vouches for the server, but the administrator')
def a_root_that_is_listed_and_rejected(lab: Lab) -> Answered:
    bad = chain()
    rejected = lab.file("rejected.pem", rejecting(bad.root))
    lab.trust(SSL_CERT_FILE=rejected, CERTHOOK_EXTRA_CA_CERTS=lab.file("company.pem", bad.root.pem))
    answer = lab.ask(lab.serve(bad.sent))
    assert answer[0]["chain"][-1]["distrusted_by"] == [rejected]
    assert (
        f"Only if the administrator says that it is a mistake: take it out of {rejected}"
        in answer[0]["cause"]["advice"]
    )
    return answer


@shows("root-distrusted", "the administrator of this machine distrusts it")
def a_root_that_is_only_rejected(lab: Lab) -> Answered:
    bad = chain()
    rejected = lab.file("rejected.pem", rejecting(bad.root) + stranger().pem)
    lab.trust(SSL_CERT_FILE=rejected)
    answer = lab.ask(lab.serve(bad.sent))
    assert answer[0]["chain"][-1]["distrusted_by"] == [rejected]
    return answer


def rejecting(root: Issued) -> bytes:
    """OpenSSL's PEM of *root* that says not to trust it."""
    return der.pem(root.der + der.auxiliary(None, [x509.SERVER_AUTH]), "TRUSTED CERTIFICATE")


def pointing_nowhere(setting: str) -> Callable[[Lab], Answered]:
    def meet(lab: Lab) -> Answered:
        nowhere = str(lab.folder / "nowhere")
        lab.trust(*([] if setting == "SSL_CERT_FILE" else [stranger()]), **{setting: nowhere})
        answer = lab.ask(lab.serve(chain().sent))
        assert nowhere in answer[0]["cause"]["sentence"]
        return answer

    return meet


for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "CERTHOOK_EXTRA_CA_CERTS"):
    shows("setting-points-nowhere", f"{name} names the roots to trust", f"Correct {name}")(pointing_nowhere(name))


@shows("no-roots", "Nobody is trusted here", "ca-certificates", "'pip install certifi'")
def nobody_is_trusted(lab: Lab) -> Answered:
    lab.trust(SSL_CERT_FILE="")
    return lab.ask(lab.serve(chain().sent))


@shows("no-roots", "If whoever set SSL_CERT_FILE and SSL_CERT_DIR to nothing did not mean that: unset it")
def nobody_is_to_be_trusted(lab: Lab) -> Answered:
    lab.trust(SSL_CERT_FILE="")
    return lab.ask(lab.serve(chain().sent))


@shows("setting-not-understood", "since CERTHOOK_SOURCES was not understood", "'sytem'", "Correct CERTHOOK_SOURCES")
def a_source_that_is_mistyped(lab: Lab) -> Answered:
    lab.trust(stranger(), CERTHOOK_SOURCES="sytem")
    return lab.ask(lab.serve(chain().sent))


@shows("root-made-anew", "A root of that name is trusted here (", "with another key")
def a_root_that_was_made_anew(lab: Lab) -> Answered:
    old, new = chain(), chain()
    lab.trust(old.root)
    return lab.ask(lab.serve(new.sent))


@shows("root-made-anew", "A root of that name is trusted here (", "somebody imitates it")
def a_server_straight_below_a_root_that_was_made_anew(lab: Lab) -> Answered:
    lab.trust(issue("the root", ca=True))
    return lab.ask(lab.serve((issue("localhost", issue("the root", ca=True)),)))


@shows("self-signed", "vouches for itself")
def a_server_that_vouches_for_itself_where_a_path_is_wrong_too(lab: Lab) -> Answered:
    lab.trust(stranger(), CERTHOOK_EXTRA_CA_CERTS=str(lab.folder / "nowhere"))
    return lab.ask(lab.serve((issue("localhost"),)))


@shows("missing-intermediate", "does not send the certificate of")
def an_intermediate_that_is_missing_where_a_path_is_wrong_too(lab: Lab) -> Answered:
    good = chain()
    lab.trust(good.root, SSL_CERT_DIR=str(lab.folder / "nowhere"))
    return lab.ask(lab.serve((good.sent[0], good.root)))


@shows("self-signed", "vouches for itself", "CERTHOOK_EXTRA_CA_CERTS", "not from this connection")
def a_server_that_vouches_for_itself(lab: Lab) -> Answered:
    lab.trust(stranger())
    return lab.ask(lab.serve((issue("localhost"),)))


@shows("not-a-root", '"the middle (certhook tests)" is trusted here, but it is no root')
def an_intermediate_that_is_trusted(lab: Lab) -> Answered:
    good = chain()
    lab.trust(good.sent[1])
    lab.flags(off=getattr(ssl, "VERIFY_X509_PARTIAL_CHAIN", 0))  # as before Python 3.13
    return lab.ask(lab.serve(good.sent))


@shows("missing-intermediate", 'does not send the certificate of "the middle (certhook tests)"')
def only_the_server_s_own(lab: Lab) -> Answered:
    good = chain()
    lab.trust(good.root)
    assert lab.ask(lab.serve(good.sent))[0]["verified"]
    return lab.ask(lab.serve(good.sent[:1]))


@shows("missing-intermediate", "fullchain.pem", "not sent by the server")
def the_root_but_not_what_is_between(lab: Lab) -> Answered:
    good = chain()
    lab.trust(good.root)
    return lab.ask(lab.serve((good.sent[0], good.root)))


@shows("missing-intermediate", "is to be had at http://ca.example/middle.crt")
def what_is_missing_has_an_address(lab: Lab) -> Answered:
    place = x509.UniformResourceIdentifier("http://ca.example/middle.crt")
    access = x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, place)])
    good = chain(changed={x509.AuthorityInformationAccess: (access, False)})
    lab.trust(good.root)
    return lab.ask(lab.serve(good.sent[:1]))


def inspected(by: str, host: str) -> Callable[[Lab], Answered]:
    """A host that the root *by* vouches for, through a proxy."""

    def meet(lab: Lab) -> Answered:
        inspector = issue(by, ca=True, organization=by)
        lab.trust(stranger())
        lab.proxy(lab.serve((issue(host, inspector, hosts=(host,)), inspector)))
        return lab.ask(host)

    return meet


for by, host in (("mitmproxy", "www.shop.org"), ("the company", "pypi.org")):
    words = (f"{host} is a public name", f'comes from "{by}"', "probably looks into", "ask its IT", "do not go on")
    shows("inspection", *words)(inspected(by, host))
shows("root-unknown", '"mitmproxy" vouches')(inspected("mitmproxy", "git.corp"))  # a private name


def unknown(root_is_sent: bool) -> Callable[[Lab], Answered]:
    def meet(lab: Lab) -> Answered:
        bad = chain()
        lab.trust(stranger())
        answer = lab.ask(lab.serve((*bad.sent, *([bad.root] if root_is_sent else []))))
        assert answer[0]["cause"]["sentence"].startswith('"the root (certhook tests)" vouches')
        return answer

    return meet


shows(
    "root-unknown", "vouches for the server, and it is not among the authorities that are trusted here", "ask its IT"
)(unknown(root_is_sent=False))
shows(
    "root-unknown", "vouches for the server, and it is not among the authorities that are trusted here", "do not go on"
)(unknown(root_is_sent=True))


@shows("root-unknown", "CERTHOOK_EXTRA_CA_CERT (is CERTHOOK_EXTRA_CA_CERTS meant?), CERTHOOK_X", "correct its name")
def a_variable_whose_name_is_mistyped(lab: Lab) -> Answered:
    good = chain()
    lab.trust(stranger(), CERTHOOK_EXTRA_CA_CERT=lab.file("company.pem", good.root.pem), CERTHOOK_X="1")
    return lab.ask(lab.serve(good.sent))


@shows("self-signed", "CERTHOOK_EXTRA_CERTS (is CERTHOOK_EXTRA_CA_CERTS meant?)")
def a_mistyped_variable_that_was_to_trust_a_server_itself(lab: Lab) -> Answered:
    own = issue("localhost")
    lab.trust(stranger(), CERTHOOK_EXTRA_CERTS=lab.file("own.pem", own.pem))
    return lab.ask(lab.serve((own,)))


# The tests.


def test_every_cause_is_shown_by_something_real() -> None:
    assert {shown.identifier for shown in SHOWN} == {cause.id for cause in CAUSES}
    assert len({cause.id for cause in CAUSES}) == len(CAUSES)


@pytest.mark.parametrize(
    "shown",
    [pytest.param(shown, marks=shown.marks, id=f"{shown.identifier}-{number}") for number, shown in enumerate(SHOWN)],
)
def test_the_cause_of_a_failure_is_told(shown: Shown, lab: Lab) -> None:
    assert_cause(shown.meet(lab), shown.identifier, *shown.words)


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.id)
def test_no_advice_is_to_stop_verifying(cause: Any) -> None:
    advice = " ".join(cause.advice).lower()
    assert advice
    for word in ("verify=false", "cert_none", "--insecure", "-k ", "unverified", "disable", "ignore"):
        assert word not in advice
    if "extra_ca_certs" in advice:  # Whoever adds a root is told whom to ask for it, before.
        assert "ask" in advice or "whoever" in advice or "its disk" in advice


@pytest.mark.parametrize("scheme", STARTTLS)
@pytest.mark.parametrize(
    "identifier, leaf", [("expired", {"days": (-30, -3)}), ("wrong-host", {"hosts": ("a.example",)})]
)
def test_the_same_holds_behind_starttls(scheme, identifier, leaf, lab: Lab) -> None:
    bad = chain(**leaf)
    lab.trust(bad.root)
    assert_cause(lab.ask(f"{scheme}://localhost:{lab.serve(bad.sent, answer=STARTTLS[scheme])}"), identifier)


@pytest.mark.parametrize(
    "identifier, leaf", [("expired", {"days": (-30, -3)}), ("wrong-host", {"hosts": ("a.example",)})]
)
def test_the_same_holds_behind_a_proxy(identifier, leaf, lab: Lab) -> None:
    bad = chain(**{"hosts": ("shop.example",), **leaf})
    lab.trust(bad.root)
    lab.proxy(lab.serve(bad.sent))
    assert_cause(lab.ask("shop.example"), identifier, "through the proxy 127.0.0.1:")
