"""The known roots and the paths to them."""

from __future__ import annotations

import time

from cases import trusting
from lab import Lab
from pki import NOW, chain, issue

from certhook import _api, _config
from certhook._certificates.anchor import Anchor
from certhook._certificates.x509 import Certificate
from certhook._sources import read_trust_set
from certhook.cli.check.chain import TRUSTED, Roots, build_path, known_roots


def test_finding_all_known_roots_does_not_change_trust(lab: Lab) -> None:
    lab.trust(chain().root)
    before = [anchor.der for anchor in _api.trust_set().anchors]
    known_roots(_api.trust_set())
    assert [anchor.der for anchor in read_trust_set(_config.current()).anchors] == before


def test_a_trusted_certificate_replaces_another_one_of_the_same_root() -> None:
    root = issue("the root", ca=True)
    renewed = issue("the root", ca=True, key=root.key, days=(-1, 900))
    leaf = issue("shop.example", root)
    path, found = build_path([leaf.certificate, root.certificate], trusting(renewed), NOW)
    assert path == [leaf.certificate, renewed.certificate]
    assert found is not None and found.certificate == renewed.certificate


def test_a_path_has_a_maximum_length(lab: Lab) -> None:
    """By name, each of these certificates may have issued every other one. Trying all paths takes quadratic time."""
    cas = [issue("a CA", ca=True)]
    for _ in range(150):
        cas.append(issue("a CA", cas[-1], ca=True))
    lab.trust_unrelated()
    result, text = lab.check(lab.serve((issue("localhost", cas[-1]), *cas)), "--timeout", "60")
    assert not result["verified"] and 2 < len(result["chain"]) <= 21
    assert len(text) < 10000


def test_many_roots_with_the_name_of_the_issuer_do_not_delay_the_check() -> None:
    other = issue("the root", ca=True).der
    # Only the signatures differ, which are not verified.
    others = [Anchor(Certificate(other[:-2] + number.to_bytes(2, "big"))) for number in range(8000)]
    sent, root = chain()
    roots = Roots((anchor, TRUSTED, ()) for anchor in (*others, Anchor(Certificate(root.der))))
    start = time.process_time()
    _, found = build_path([one.certificate for one in sent], roots, NOW)
    assert time.process_time() - start < 0.5
    assert found is not None and found.certificate == root.certificate
