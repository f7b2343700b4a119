"""Generated PKIs: certificate authorities with equal names, a store with any of their certificates, and a chain.

The strategy :func:`scenarios` draws descriptions, which hypothesis can simplify. :class:`Mint` makes
certificates from them with a few keys, and caches the certificates, because most examples repeat some.
"""

from __future__ import annotations

import datetime
import functools
import hashlib
from typing import Any, NamedTuple, Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import strategies as st

NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0, tzinfo=None)
KEYS = 5
HOST = "localhost"

#: The start and the end of a validity, in days from now.
PERIODS = {"current": (-100, 100), "renewed": (-10, 300), "expired": (-300, -5), "future": (20, 300)}

#: Permitted and excluded names.
CONSTRAINTS = {
    "none": None,
    "permits the host": ([HOST], None),
    "permits another host": (["example.org"], None),
    "excludes the host": (None, [HOST]),
    "excludes another host": (None, ["example.org"]),
}

#: The flaws in the certificate of a CA that VERIFY_X509_STRICT rejects.
FLAWS = ("basic constraints are not critical", "no key usage")


CERTIFICATE_SIGN = x509.KeyUsage(False, False, False, False, False, True, False, False, False)


class Authority(NamedTuple):
    """A name with a key. Several authorities may have one name, and one of them may occur twice."""

    name: str
    key: int
    #: "key": a hash of the key; "name": one of the name, which authorities with one name share; "none"
    identifier: str


class Description(NamedTuple):
    """A certificate. Two equal descriptions are one certificate."""

    subject: Authority
    issuer: Authority
    is_ca: bool
    period: str = "current"
    #: the issuer's key identifier: "issuer's", "wrong" or "none"
    authority_identifier: str = "issuer's"
    constraints: str = "none"
    path_length: int | None = None
    #: "none", or one of FLAWS
    flaw: str = "none"

    @property
    def is_self_issued(self) -> bool:
        return self.subject.name == self.issuer.name

    @property
    def is_stale(self) -> bool:
        """Whether certhook drops it: it is expired and not self-issued."""
        return self.period == "expired" and not self.is_self_issued


class Scenario(NamedTuple):
    """A store and a chain.

    :ivar store: the trusted certificates in the order of the file
    :ivar joined: for each of *store*, whether it is in the same file of a hashed directory as its predecessor
    :ivar owners: for each file of a hashed directory, the index of the certificate that determines its name
    :ivar chain: the certificates that the server sends, its own first
    :ivar has_key: whether the server has the key of its certificate; otherwise, it is a stand-in, which is faster
    """

    store: tuple[Description, ...]
    joined: tuple[bool, ...]
    owners: tuple[int, ...]
    chain: tuple[Description, ...]
    has_key: bool = False

    def files(self) -> list[tuple[Description, list[Description]]]:
        """Return the files of a hashed directory: the certificate that determines the name, and the content."""
        groups: list[list[Description]] = []
        for certificate, joined in zip(self.store, self.joined):
            if joined and groups:
                groups[-1].append(certificate)
            else:
                groups.append([certificate])
        return [(group[owner % len(group)], group) for group, owner in zip(groups, self.owners)]


def dead_ends_last(certificates: Sequence[Description]) -> list[Description]:
    """Return *certificates* with dead ends last: no issuer among them leads from these to a valid self-issued one."""
    complete = {each.subject.name for each in certificates if each.is_self_issued and each.period != "expired"}
    for _ in certificates:
        complete |= {each.subject.name for each in certificates if each.issuer.name in complete}
    return sorted(certificates, key=lambda each: not each.is_self_issued and each.issuer.name not in complete)


def _mostly(value: Any, *others: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for *value* in five of six cases, and otherwise for one of *others*."""
    return st.sampled_from([value] * 5 * len(others) + [*others])


@st.composite
def _authority_certificates(draw: st.DrawFn, subject: Authority, issuer: Authority) -> Description:
    return Description(
        subject,
        issuer,
        True,
        draw(_mostly("current", "renewed", "expired")),
        draw(_mostly("issuer's", "none", "none" if subject == issuer else "wrong")),
        draw(_mostly("none", *CONSTRAINTS)),
        draw(_mostly(None, 0, 1)),
        draw(_mostly("none", *FLAWS)),
    )


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """Draw a PKI of up to six authorities."""
    authority = st.builds(Authority, st.sampled_from("ABC"), st.integers(0, KEYS - 1), _mostly("key", "name", "none"))
    authorities = draw(st.lists(authority, min_size=1, max_size=6))
    last = len(authorities) - 1
    issued: list[Description] = []
    for index, subject in enumerate(authorities):
        # Later authorities issue certificates to earlier ones; the last one is a root.
        if index == last or draw(st.integers(0, 2)) == 2:
            issued.append(draw(_authority_certificates(subject, subject)))
        if index < last:
            issuer = authorities[draw(st.integers(index + 1, last))]
            issued.append(draw(_authority_certificates(subject, issuer)))
        if draw(st.integers(0, 3)) == 3:  # a cross-certificate of any authority
            issuer = authorities[draw(st.integers(0, last))]
            issued.append(draw(_authority_certificates(subject, issuer)))
    for certificate in list(issued):
        if draw(_mostly(False, True)):  # a reissued certificate
            issued.append(certificate._replace(period=draw(st.sampled_from(["current", "renewed", "expired"]))))
    server = Authority("server", draw(st.integers(0, 1)), "key")
    issuer = authorities[draw(_mostly(0, *range(1, last + 1)))] if last else authorities[0]
    leaf = Description(
        server,
        issuer,
        False,
        draw(_mostly("current", "renewed", "expired", "future")),
        draw(_mostly("issuer's", "none", "wrong")),
    )
    issued = list(dict.fromkeys(issued))
    # Mostly roots in the store, mostly other certificates in the chain.
    shuffled = draw(st.permutations([*issued, leaf] if draw(_mostly(False, True)) else issued))
    store = [each for each in shuffled if draw(_mostly(each.is_self_issued, not each.is_self_issued))] or shuffled[:1]
    sent = [each for each in issued if draw(_mostly(not each.is_self_issued, each.is_self_issued))]
    if draw(st.booleans()):
        sent = draw(st.permutations(sent))
    return Scenario(
        tuple(store),
        tuple(draw(_mostly(False, True)) for _ in store),
        tuple(draw(st.integers(0, 3)) for _ in store),
        (leaf, *sent),
        draw(st.integers(0, 9)) == 9,
    )


class Mint:
    """Makes certificates from descriptions."""

    def __init__(self) -> None:
        self._keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(KEYS)]
        self.pem = functools.lru_cache(maxsize=20000)(self._pem)

    def secret(self, authority: Authority) -> bytes:
        """Return the private key of *authority* as PEM."""
        key = self._keys[authority.key]
        return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())

    def _pem(self, described: Description) -> bytes:
        subject, issuer = described.subject, described.issuer
        start, end = (NOW + datetime.timedelta(days=days) for days in PERIODS[described.period])
        key = self._keys[subject.key].public_key()
        # Equal descriptions are equal certificates; others have another serial number.
        serial = int.from_bytes(hashlib.sha256(repr(described).encode()).digest()[:8], "big") | 1
        builder = x509.CertificateBuilder(_name(issuer), _name(subject), key, serial)
        builder = builder.not_valid_before(start).not_valid_after(end)
        for extension, critical in self._extensions(described):
            builder = builder.add_extension(extension, critical)
        return builder.sign(self._keys[issuer.key], hashes.SHA256()).public_bytes(Encoding.PEM)

    def _extensions(self, described: Description) -> list[tuple[x509.ExtensionType, bool]]:
        basic = x509.BasicConstraints(ca=described.is_ca, path_length=described.path_length)
        extensions: list[tuple[x509.ExtensionType, bool]] = [(basic, described.flaw != FLAWS[0])]
        if described.is_ca and described.flaw != FLAWS[1]:
            extensions.append((CERTIFICATE_SIGN, True))
        own = self._identifier(described.subject)
        if own is not None:
            extensions.append((x509.SubjectKeyIdentifier(own), False))
        issuers = self._identifier(described.issuer)
        if described.authority_identifier == "wrong":
            extensions.append((x509.AuthorityKeyIdentifier(b"wrong", None, None), False))
        elif described.authority_identifier == "issuer's" and issuers is not None:
            extensions.append((x509.AuthorityKeyIdentifier(issuers, None, None), False))
        constraints = CONSTRAINTS[described.constraints]
        if constraints is not None:
            permitted, excluded = ([x509.DNSName(name) for name in names] if names else None for names in constraints)
            extensions.append((x509.NameConstraints(permitted, excluded), True))
        if not described.is_ca:
            extensions.append((x509.SubjectAlternativeName([x509.DNSName(HOST)]), False))
        return extensions

    def _identifier(self, authority: Authority) -> bytes | None:
        if authority.identifier == "key":
            return x509.SubjectKeyIdentifier.from_public_key(self._keys[authority.key].public_key()).digest
        return authority.name.encode() * 20 if authority.identifier == "name" else None


def _name(authority: Authority) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, authority.name)])
