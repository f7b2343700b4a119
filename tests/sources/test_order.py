"""Certificates with equal names: OpenSSL finds the same one with certhook as in the files that list them."""

from __future__ import annotations

from itertools import count
from typing import Callable

import der
import pytest
from cryptography import x509
from oracle import EXPIRED, PYTHONS, SIGNATURE_FAILURE, VERIFIED, Codes, Scenario, pem
from pki import Issued, issue
from root_files import read
from support import hashed_name

#: CAs that do not identify keys, so that only their order determines which one OpenSSL finds.
NO_KEY_IDS = {x509.SubjectKeyIdentifier: None, x509.AuthorityKeyIdentifier: None}


def sorting(create: Callable[[], Issued], before: Issued) -> Issued:
    """Return a certificate that sorts before *before*, so that the order of the file is not the order of the DER."""
    # Without a limit: any limit is too low for some of the random certificates.
    return next(one for one in iter(create, None) if one.der < before.der)


def number(name: str, n: int) -> str:
    return f"{name[:8]}.{n}"


def cross_certificate() -> dict[str, Scenario]:
    root = issue("the root", ca=True)
    parent = issue("?", ca=True)
    cross = sorting(lambda: issue("the root", parent, ca=True, key=root.key), before=root)
    leaf = issue("localhost", root)
    old = issue("old root", ca=True, days=(-300, -1))
    cross_of_old = issue("the root", old, ca=True, key=root.key)
    name = hashed_name(root.der)
    constraints = {x509.NameConstraints: (x509.NameConstraints(None, [x509.DNSName("localhost")]), True)}
    constrained = issue("the root", ca=True, key=root.key, changed=constraints)
    return {
        "cross-certificate, its expired root, root": Scenario([leaf], pem(cross_of_old, old, root)),
        "cross-certificate, its issuer, constrained root": Scenario([leaf], pem(cross, parent, constrained)),
        "cross-certificate, constrained root": Scenario([leaf], pem(cross, constrained)),
        "root, cross-certificate": Scenario([leaf], pem(root, cross)),
        "cross-certificate, root": Scenario([leaf], pem(cross, root)),
        "directory: root, cross-certificate": Scenario(
            [leaf], hashed={number(name, 0): root.pem, number(name, 1): cross.pem}
        ),
        "file: cross-certificate, directory: root": Scenario([leaf], cross.pem, {name: root.pem}),
    }


def recreated() -> dict[str, Scenario]:
    old = issue("CA", ca=True, changed=NO_KEY_IDS)
    leaf_of_old = issue("localhost", old, changed=NO_KEY_IDS)
    new = sorting(lambda: issue("CA", ca=True, changed=NO_KEY_IDS), before=old)
    leaf = issue("localhost", new, changed=NO_KEY_IDS)
    others = [issue("CA", ca=True, changed=NO_KEY_IDS) for _ in range(11)]
    zero, one = (number(hashed_name(new.der), n) for n in range(2))
    return {
        "new, old": Scenario([leaf], pem(new, old)),
        "old, new": Scenario([leaf], pem(old, new)),
        "old, new; old leaf": Scenario([leaf_of_old], pem(old, new)),
        "new, old; old leaf": Scenario([leaf_of_old], pem(new, old)),
        "directory: new, old": Scenario([leaf], hashed={zero: new.pem, one: old.pem}),
        "directory: old, new": Scenario([leaf], hashed={zero: old.pem, one: new.pem}),
        "file: new, directory: old": Scenario([leaf], new.pem, {zero: old.pem}),
        "new, 11 old ones": Scenario([leaf], pem(new, *others)),
        "third of 12": Scenario([leaf], pem(*others[:2], new, *others[2:])),
    }


def not_critical() -> dict[str, Scenario]:
    old = issue("CA", ca=True, changed={x509.BasicConstraints: (x509.BasicConstraints(True, None), False)})
    new = issue("CA", ca=True, key=old.key)  # longer, so that it sorts after the old one
    leaf = issue("localhost", old)
    return {
        "reissued, not critical": Scenario([leaf], pem(new, old)),
        "not critical, reissued": Scenario([leaf], pem(old, new)),
    }


def several_in_one_file() -> dict[str, Scenario]:
    root = issue("R", ca=True)
    issuing = issue("issuing CA", root, ca=True)
    leaf = issue("localhost", issuing)
    other = issue("other", ca=True, changed=NO_KEY_IDS)
    recreated = issue("other", ca=True, changed=NO_KEY_IDS)
    first = next(
        one for one in (issue(f"{n}", ca=True) for n in count()) if hashed_name(one.der) < hashed_name(other.der)
    )
    name, earlier = hashed_name(issuing.der), hashed_name(first.der)
    return {
        "hashed file: issuing CA, root": Scenario([leaf], hashed={name: pem(issuing, root)}),
        "hashed file: root, issuing CA": Scenario([leaf], hashed={name: pem(root, issuing)}),
        "hashed file with a subject of another file": Scenario(
            [issue("localhost", other, changed=NO_KEY_IDS)],
            hashed={earlier: pem(first, recreated), hashed_name(other.der): other.pem},
        ),
        "hashed file without its subject": Scenario([leaf], hashed={hashed_name(other.der): pem(issuing, root)}),
    }


def expired_intermediate() -> dict[str, Scenario]:
    root = issue("R", ca=True)
    expired = issue("issuing CA", root, ca=True, days=(-300, -1))
    renewed = issue("issuing CA", root, ca=True, key=expired.key)
    leaf = issue("localhost", renewed)
    return {
        "expired intermediate, renewed one sent": Scenario([leaf, renewed], pem(expired, root)),
        "expired intermediate, nothing sent": Scenario([leaf], pem(expired, root)),
        "expired intermediate, renewed one": Scenario([leaf], pem(expired, renewed, root)),
        "expired root, renewed one": Scenario(
            [leaf, renewed], pem(issue("R", ca=True, key=root.key, days=(-300, -1)), root)
        ),
        "expired root": Scenario([leaf, renewed], pem(issue("R", ca=True, key=root.key, days=(-300, -1)))),
    }


def added_location() -> dict[str, Scenario]:
    """A location that only certhook reads contains CAs with the names of those that stock Python finds."""
    root = issue("R", ca=True)
    issuing = issue("issuing CA", root, ca=True)
    leaf = issue("localhost", issuing)
    # A certificate of the same CA from an issuer that no location contains.
    from_unknown = issue("issuing CA", issue("?", ca=True), ca=True, key=issuing.key)
    old, recreated = (issue("CA", ca=True, changed=NO_KEY_IDS) for _ in range(2))
    direct = issue("localhost", old, changed=NO_KEY_IDS)
    not_critical = issue("N", ca=True, changed={x509.BasicConstraints: (x509.BasicConstraints(True, None), False)})
    reissued = issue("N", ca=True, key=not_critical.key)
    for_clients = der.pem(issuing.der + der.auxiliary([der.CLIENTS]), "TRUSTED CERTIFICATE")
    return {
        "added: a certificate of the sent CA that leads to no root": Scenario(
            [leaf, issuing], root.pem, added=from_unknown.pem
        ),
        "added: a certificate of a listed CA that leads to no root": Scenario(
            [leaf], pem(issuing, root), added=from_unknown.pem
        ),
        "added: a root of the same name": Scenario([direct], old.pem, added=recreated.pem),
        "added: an older certificate of the root": Scenario(
            [issue("localhost", reissued)], reissued.pem, added=not_critical.pem
        ),
        "added: the sent CA, trusted for clients": Scenario([leaf, issuing], root.pem, added=for_clients),
    }


GROUPS = (cross_certificate, recreated, not_critical, several_in_one_file, expired_intermediate, added_location)
SCENARIOS = {name: scenario for group in GROUPS for name, scenario in group().items()}

#: Scenarios that certhook verifies and stock Python refuses, some of them only without partial chains.
BETTER = (
    "cross-certificate, root",
    "cross-certificate, its expired root, root",
    "file: cross-certificate, directory: root",
    "expired intermediate, renewed one sent",
)

#: Scenarios that are refused for another reason: OpenSSL finds no issuer of the certificate that stock Python uses.
OTHER_CODE = ("cross-certificate, constrained root",)


@pytest.fixture(scope="module")
def codes(tmp_path_factory: pytest.TempPathFactory) -> Codes:
    return Codes(tmp_path_factory.mktemp("order"), SCENARIOS)


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_the_result_is_that_of_stock_python(name, python, codes) -> None:
    for stock, certhook in codes.of(python, name):
        if name in BETTER:
            assert certhook == VERIFIED
        elif name in OTHER_CODE:
            assert (certhook == VERIFIED) == (stock == VERIFIED)
        elif stock == EXPIRED and "intermediate" in name:
            assert certhook != VERIFIED
        else:
            assert certhook == stock


@pytest.mark.parametrize("python", PYTHONS)
def test_the_order_of_the_file_matters_to_stock_python(python, codes) -> None:
    """Otherwise, the tests above could not fail."""
    assert [codes.of(python, name)[1] for name in ("new, old", "old, new")] == [
        (VERIFIED,) * 2,
        (SIGNATURE_FAILURE,) * 2,
    ]


def test_expired_certificates_that_are_not_self_issued_are_listed_separately(machine, monkeypatch) -> None:
    root = issue("R", ca=True)
    expired = issue("issuing CA", root, ca=True, days=(-300, -1))
    valid = issue("issuing CA", root, ca=True)
    (machine / "first.pem").write_bytes(pem(expired, valid, root))
    (machine / "second.pem").write_bytes(pem(expired))
    trust = read(CERTHOOK_SOURCES="system")
    assert [anchor.der for anchor in trust.anchors] == [valid.der, root.der]
    assert sorted(anchor.der for anchor in trust.stored) == sorted([valid.der, root.der])
    (only,) = trust.expired
    assert (only.der, only.listed_by) == (expired.der, (("system", str(machine / "first.pem")),))


def test_the_note_of_a_location_with_only_expired_certificates_states_the_reason(machine) -> None:
    expired = issue("issuing CA", issue("R", ca=True), ca=True, days=(-300, -1))
    (machine / "first.pem").write_bytes(pem(expired))
    trust = read(CERTHOOK_SOURCES="system")
    (location,) = (one for one in trust.locations if one.path == str(machine / "first.pem"))
    assert (location.count, location.note) == (
        0,
        "lists only expired certificates that are not self-issued, which are ignored",
    )


def test_the_trust_set_is_read_again_when_the_first_certificate_expires_unless_all_are_self_issued(machine) -> None:
    def deadlines(*issued: Issued) -> list[str]:
        (machine / "first.pem").write_bytes(pem(*issued))
        return [name for kind, name, *_ in read(CERTHOOK_SOURCES="system").snapshot.rare if kind == "deadline"]

    def end(issued: Issued) -> str:
        return str(int(issued.certificate.not_valid_after_utc.timestamp()))

    root, other, expired = (issue(f"R{days}", ca=True, days=(-300, days)) for days in (40, 5, -1))
    valid = [issue("issuing CA", root, ca=True, days=(-30, days)) for days in (30, 10, 20)]
    # The clock may be set back before the end of an expired one.
    assert deadlines(root, *valid, expired) == [end(valid[1]), end(expired)]
    assert deadlines(root, *valid, expired, other) == [end(other), end(expired)]
    assert deadlines(root, other, expired) == []
    assert deadlines(expired, issue("issuing CA", expired, ca=True, days=(-30, -1))) == [end(expired)]
