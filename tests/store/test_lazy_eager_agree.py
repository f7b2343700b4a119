"""A context with a compiled store trusts and returns the same roots as a context into which they were loaded."""

from __future__ import annotations

import der
import pki
import pytest
from cryptography import x509
from store_machine import DEFAULT, LOADED_BY_NEW, ROOTS_OF_NEW, TRUSTED_BY_NEW

both_loads = pytest.mark.parametrize("load", ["lazy", "eager"])

#: Expressions that request trust for a context *c*.
VERIFY_CLIENTS, VERIFY_SERVERS = "c.load_default_certs(ssl.Purpose.CLIENT_AUTH)", "c.load_default_certs()"


@pytest.mark.parametrize("extra", [False, True])
@both_loads
def test_both_trust_the_same_authorities(machine, load, extra) -> None:
    variables = {"CERTHOOK_EXTRA_CA_CERTS": str(machine.roots / "extra.pem")} if extra else {}
    expected = {*DEFAULT, "extra"} if extra else DEFAULT
    assert machine.trusted(CERTHOOK_LOAD=load, **variables) == expected


def test_only_an_eager_context_has_loaded_its_roots(machine) -> None:
    assert machine.ask(LOADED_BY_NEW) == 0
    assert machine.ask(LOADED_BY_NEW, CERTHOOK_LOAD="eager") == 3


# Queries.


def test_both_return_the_same_roots(machine) -> None:
    """Even if a file contains duplicates and a certificate that is not a CA."""
    leaf = der.pem(der.certificate(der.common_name("not a CA")))
    (machine.roots / "system.pem").write_bytes(machine.cas.pem("system", "extra", "system") + leaf)
    roots, _, counts = eager = machine.ask(ROOTS_OF_NEW, CERTHOOK_LOAD="eager")
    assert len(roots) == 4
    assert counts["x509"] == 5
    assert machine.ask(ROOTS_OF_NEW) == eager


def test_every_query_loads_the_roots_if_it_is_the_first(machine) -> None:
    roots, names, counts = machine.ask(ROOTS_OF_NEW, CERTHOOK_LOAD="eager")
    assert machine.ask("ssl.create_default_context().cert_store_stats()") == counts
    assert machine.ask("sorted(map(repr, ssl.create_default_context().get_ca_certs()))") == names
    assert machine.ask("sorted(map(bytes.hex, ssl.create_default_context().get_ca_certs(True)))") == roots


def test_a_handshake_does_not_change_the_result_of_a_query(machine) -> None:
    expected = machine.ask(ROOTS_OF_NEW, CERTHOOK_LOAD="eager")
    with machine.start() as program:
        program("make()")
        for _ in range(2):
            assert set(program("trusted(contexts[0])")) == DEFAULT
            assert program("described(contexts[0])") == expected


def test_roots_of_the_caller_are_added(machine) -> None:
    path = str(machine.roots / "extra.pem")
    with machine.start() as program:
        program("make()")
        program(f"contexts[0].load_verify_locations({path!r})")
        assert set(program("trusted(contexts[0])")) == {*DEFAULT, "extra"}
        assert program("contexts[0].cert_store_stats()['x509_ca']") == 4


def test_threads_that_query_a_context_at_the_same_time_all_get_its_roots(machine) -> None:
    query = "pool.map(lambda _: len(context.get_ca_certs()), range(8))"
    pool = "__import__('concurrent.futures').futures.ThreadPoolExecutor(8)"
    with machine.start() as program:
        program(f"[pool := {pool}, make()][1:]")
        for _ in range(20):
            assert program(f"[context := ssl.create_default_context(), list({query})][1]") == [3] * 8


def test_a_query_returns_all_roots_even_if_a_file_was_just_truncated(machine) -> None:
    with machine.start() as program:
        program("make()")
        file = machine.hashed("system", machine.store)
        file.write_bytes(file.read_bytes()[:100])
        assert program("len(contexts[0].get_ca_certs())") == 3


def test_a_context_follows_an_update_like_one_with_a_hashed_directory(machine) -> None:
    with machine.start() as program:
        program("make()")
        machine.file.unlink()
        assert set(program(TRUSTED_BY_NEW)) == DEFAULT - {"system"}
        assert set(program("trusted(contexts[0])")) == DEFAULT - {"system"}
        assert program("described(contexts[0])") == program(ROOTS_OF_NEW)


def test_a_context_that_was_queried_keeps_its_roots_after_an_update(machine) -> None:
    with machine.start() as program:
        before = program("[make(), described(contexts[0])][1]")
        machine.file.unlink()
        assert set(program(TRUSTED_BY_NEW)) == DEFAULT - {"system"}
        assert set(program("trusted(contexts[0])")) == DEFAULT
        assert program("described(contexts[0])") == before


# Roots with equal names.


@pytest.mark.parametrize("is_first", [False, True], ids=["expired root second", "expired root first"])
def test_an_expired_root_does_not_hide_the_renewed_one(machine, is_first) -> None:
    roots = [der.pem(pki.expired_namesake(machine.cas.system, 2)), machine.cas.pem("system")]
    if not is_first:
        roots.reverse()
    (machine.roots / "system.pem").write_bytes(b"".join(roots))
    assert machine.trusted(CERTHOOK_LOAD="eager") == DEFAULT
    assert machine.trusted() == DEFAULT
    first = machine.hashed("system", machine.store).read_bytes()
    assert first == roots[0]


def test_both_use_the_same_one_of_two_valid_roots(machine) -> None:
    """One of them may not issue certificates for the server, because of its name constraints."""
    constraints = (x509.NameConstraints(None, [x509.DNSName("localhost")]), True)
    constrained = [pki.namesake(machine.cas.system, serial, (2001, 2099), constraints) for serial in (2, 3)]
    plain = pki.namesake(machine.cas.system, 5, (2001, 2099))
    for one in constrained:
        for order in ((one, plain), (plain, one)):
            machine.write_file(b"".join(map(der.pem, order)))
            assert machine.trusted(CERTHOOK_LOAD="lazy") == machine.trusted(CERTHOOK_LOAD="eager")


@pytest.mark.parametrize(
    "requests",
    [
        (VERIFY_CLIENTS, VERIFY_SERVERS),
        (VERIFY_SERVERS, VERIFY_CLIENTS),
        (VERIFY_SERVERS, VERIFY_CLIENTS, VERIFY_SERVERS),
    ],
)
def test_a_context_for_two_purposes_has_the_roots_of_both(machine, requests) -> None:
    """The expired root, trusted for both purposes, does not hide the renewed one, which only the bundle contains."""
    machine.write_file(der.pem(pki.expired_namesake(machine.cas.system, 2)))
    (machine.roots / "bundled.pem").write_bytes(machine.cas.pem("system"))
    expression = f"[c := ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), {', '.join(requests)}, trusted(c), described(c)][-2:]"
    lazy, eager = (machine.ask(expression, CERTHOOK_LOAD=load) for load in ("lazy", "eager"))
    assert lazy[0] == eager[0] == ["system", "both"]
    # OpenSSL 3.6 adds one of two certificates with equal names once more if it is loaded again.
    assert lazy[1][0] == sorted({*eager[1][0]})


@both_loads
def test_a_second_request_after_an_update_adds_the_new_roots(machine, load) -> None:
    machine.write_file(der.pem(pki.expired_namesake(machine.cas.system, 2)))
    with machine.start(CERTHOOK_LOAD=load) as program:
        program("make()")
        assert set(program("trusted(contexts[0])")) == {"both", "bundled"}
        machine.file.write_bytes(machine.cas.pem("system"))
        program("contexts[0].load_default_certs()")
        assert set(program("trusted(contexts[0])")) == DEFAULT


# Without the hook.


def test_a_context_returns_the_same_roots_after_uninstall(machine) -> None:
    with machine.start() as program:
        program("make()")
        program("__import__('certhook').uninstall()")
        assert program("described(contexts[0])") == machine.ask(ROOTS_OF_NEW, CERTHOOK_LOAD="eager")
        # The caller's expired root does not hide the renewed one.
        (machine.roots / "old.pem").write_bytes(der.pem(pki.expired_namesake(machine.cas.system, 2)))
        program(f"contexts[0].load_verify_locations({str(machine.roots / 'old.pem')!r})")
        assert set(program("trusted(contexts[0])")) == DEFAULT
