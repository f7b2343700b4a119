"""A caller that names a public bundle gets default trust; a caller that names other roots gets exactly those."""

from __future__ import annotations

import datetime
import functools
import importlib
import os
import ssl
import sys
import warnings
from pathlib import Path

import pytest
from bundle_machine import BUNDLE, BUNDLES, DEFAULT, OWN, count, loaded
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from certhook import CerthookError, CerthookWarning, _loading, _trust

# Interfaces that accept a file.


class Overriding(ssl.SSLContext):
    def load_verify_locations(self, cafile=None, capath=None, cadata=None) -> None:
        super().load_verify_locations(cafile, capath, cadata)


class InNew(ssl.SSLContext):
    def __new__(cls, path: str) -> InNew:
        context = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(path)
        return context


class InInit(ssl.SSLContext):
    def __new__(cls, path: str) -> InInit:
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(self, path: str) -> None:
        self.load_verify_locations(cafile=path)


class Proxy(ssl.SSLContext):
    """A context like truststore's: its protocol is that of an inner context, which is created later."""

    @property
    def protocol(self):
        return self.inner.protocol


def with_protocol_tls(path: str) -> ssl.SSLContext:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(path)
    return context


def created_unverified(path: str) -> ssl.SSLContext:
    context = ssl._create_unverified_context(cafile=path)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


INTERFACES = {
    "a positional argument": loaded,
    "a keyword argument": lambda path: loaded(cafile=path),
    "None for the other arguments": lambda path: loaded(path, None, cadata=None),
    "bytes": lambda path: loaded(os.fsencode(path)),
    "a Path": lambda path: loaded(Path(path)),
    "create_default_context": lambda path: ssl.create_default_context(cafile=path),
    "create_default_context for servers": lambda path: ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=path),
    "_create_default_https_context": lambda path: ssl._create_default_https_context(cafile=path),
    "_create_unverified_context": created_unverified,
    "PROTOCOL_TLS": with_protocol_tls,
    "a subclass": functools.partial(loaded, kind=type("Subclass", (ssl.SSLContext,), {})),
    "a subclass that overrides the method": functools.partial(loaded, kind=Overriding),
    "a subclass that calls the method in __new__": InNew,
    "a subclass that calls the method in __init__": InInit,
    "a subclass that overrides protocol": functools.partial(loaded, kind=Proxy),
}


@pytest.fixture(params=INTERFACES)
def interface(request: pytest.FixtureRequest):
    return INTERFACES[request.param]


def test_a_caller_that_names_a_public_bundle_gets_default_trust(machine, interface) -> None:
    assert machine.trusted(interface(str(machine.package("certifi")))) == DEFAULT


def test_a_caller_that_names_another_file_gets_its_roots(machine, interface) -> None:
    machine.package("certifi")
    assert machine.trusted(interface(str(machine.own))) == OWN


def test_without_adoption_a_caller_gets_the_roots_in_the_public_bundle(machine, interface, monkeypatch) -> None:
    monkeypatch.setenv("CERTHOOK_ADOPT", "none")
    assert machine.trusted(interface(str(machine.package("certifi")))) == BUNDLE


TEXT_INTERFACES = {
    "a positional argument": lambda text: loaded(None, None, text),
    "a keyword argument": lambda text: loaded(cadata=text),
    "create_default_context": lambda text: ssl.create_default_context(cadata=text),
    "a subclass that overrides the method": lambda text: loaded(cadata=text, kind=Overriding),
}


@pytest.mark.parametrize("interface", TEXT_INTERFACES.values(), ids=TEXT_INTERFACES)
@pytest.mark.parametrize(
    ("change", "trusted"),
    [
        (str, DEFAULT),
        (lambda text: text + "\n", BUNDLE),
        (str.rstrip, BUNDLE),
        (lambda text: f"{text[:-1]} ", BUNDLE),
        (ssl.PEM_cert_to_DER_cert, BUNDLE),
    ],
    ids=["unchanged", "longer", "shorter", "of equal length", "DER"],
)
def test_only_the_exact_text_of_certifi_is_adopted(machine, interface, change, trusted) -> None:
    machine.package("certifi")
    assert machine.trusted(interface(change(importlib.import_module("certifi").contents()))) == trusted


# Settings.


@pytest.mark.parametrize(
    ("value", "adopted"),
    [
        ("", {*BUNDLES}),
        *((owner, {owner}) for owner in BUNDLES),
        (" PIP, Certifi,", {"certifi", "pip"}),
        ("none", set()),
        ("none,certifi", set()),
    ],
)
def test_certhook_adopt_selects_the_packages(machine, monkeypatch, value, adopted) -> None:
    monkeypatch.setenv("CERTHOOK_ADOPT", value)
    for owner in BUNDLES:
        expected = DEFAULT if owner in adopted else BUNDLE
        assert machine.trusted(loaded(str(machine.package(owner)))) == expected, owner
    expected = DEFAULT if "certifi" in adopted else BUNDLE
    assert machine.trusted(loaded(cadata=importlib.import_module("certifi").contents())) == expected


@pytest.mark.parametrize("inner", ["cacert.pem", "data/roots.txt", "lib/CA Roots/All.crt"])
def test_certhook_adopt_selects_any_file_of_a_package(machine, monkeypatch, inner) -> None:
    bundle = str(machine.package("acme_sdk", inner=inner))
    other = str(machine.package("acme_sdk", inner=f"other/{inner}"))
    assert machine.trusted(loaded(bundle)) == BUNDLE
    monkeypatch.setenv("CERTHOOK_ADOPT", f"acme_sdk/{inner}")
    assert machine.trusted(loaded(bundle)) == DEFAULT
    assert machine.trusted(loaded(other)) == BUNDLE
    assert machine.trusted(loaded(str(machine.package("acme_sdk", "elsewhere", inner)))) == BUNDLE


def test_an_invalid_value_of_certhook_adopt_adopts_nothing_and_is_reported(machine, monkeypatch) -> None:
    monkeypatch.setenv("CERTHOOK_ADOPT", "certify")
    assert machine.trusted(loaded(str(machine.package("certifi")))) == BUNDLE
    message = r"CERTHOOK_ADOPT: 'certify' contains 'certify' \(expected certifi or pip or .*\); using none"
    with pytest.warns(CerthookWarning, match=message):
        ssl.create_default_context()


@pytest.mark.parametrize(
    ("variables", "trusted"),
    [
        ({}, DEFAULT),
        ({"CERTHOOK_SOURCES": "system"}, {"system", "both"}),
        ({"CERTHOOK_SOURCES": "bundled"}, {"bundled", "both"}),
        ({"CERTHOOK_SOURCES": ""}, DEFAULT),  # SSL_CERT_FILE excludes the bundle only from default trust.
        ({"CERTHOOK_MODE": "fallback"}, {"system", "both"}),
        ({"CERTHOOK_EXTRA_CA_CERTS": "{own}"}, DEFAULT | OWN),
        ({"CERTHOOK_BUNDLE": ""}, {"system", "both"} | BUNDLE),
        ({"CERTHOOK_LOAD": "eager"}, DEFAULT),
        ({"CERTHOOK_STORE_DIR": "none"}, DEFAULT),
    ],
)
def test_the_settings_of_default_trust_apply(machine, monkeypatch, variables, trusted) -> None:
    bundle = str(machine.package("certifi"))
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(own=machine.own))
    context = loaded(bundle)
    is_loaded = variables.keys() & {"CERTHOOK_LOAD", "CERTHOOK_STORE_DIR"}
    assert count(context) == (3 if is_loaded else 0)
    assert machine.trusted(context) == trusted


def test_with_a_missing_ssl_cert_file_a_request_keeps_its_bundle_and_the_file_is_reported(machine, monkeypatch) -> None:
    bundle = str(machine.package("certifi"))
    monkeypatch.setenv("SSL_CERT_FILE", str(machine.directory / "missing.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", "")
    monkeypatch.setenv("CERTHOOK_SOURCES", "")
    with pytest.warns(CerthookWarning) as caught:
        context = loaded(bundle)
    assert "missing.pem" in str(caught[0].message)
    assert machine.trusted(context) == {"bundled", "both"}  # CERTHOOK_BUNDLE replaces the bundle.
    monkeypatch.setenv("CERTHOOK_ON_ERROR", "raise")
    with pytest.raises(CerthookError, match="missing.pem"):
        loaded(bundle)


# Repeated calls, and queries.


@pytest.mark.parametrize("load", ["lazy", "eager"])
def test_naming_a_public_bundle_again_has_no_effect(machine, monkeypatch, load) -> None:
    monkeypatch.setenv("CERTHOOK_LOAD", load)
    bundle = str(machine.package("certifi"))
    context = loaded(bundle)
    before = count(context), dict(vars(context))
    calls = []
    if load == "lazy":
        for module in (_loading, _trust):
            monkeypatch.setattr(module, "_load", lambda *args, **kwargs: calls.append(kwargs))
    for _ in range(3):
        context.load_verify_locations(bundle)
        context.load_default_certs()
    assert (count(context), dict(vars(context)), calls) == (*before, [])
    assert machine.trusted(context) == DEFAULT


@pytest.mark.parametrize("with_own", [False, True])
def test_a_context_with_a_store_returns_the_same_roots_as_a_loaded_one(machine, monkeypatch, with_own) -> None:
    bundle = str(machine.package("certifi"))

    def answers() -> list[object]:
        own = machine.own.read_text() if with_own else None
        context = loaded(bundle, capath=str(machine.own_hashed), cadata=own)
        roots = [sorted(context.get_ca_certs(binary_form), key=repr) for binary_form in (True, False)]
        found = [context.cert_store_stats(), *roots]
        assert machine.trusted(context) == DEFAULT | OWN
        return found

    lazy = answers()
    monkeypatch.setenv("CERTHOOK_LOAD", "eager")
    assert answers() == lazy
    assert lazy[0]["x509"] == len(lazy[1]) == 3 + with_own


# Further roots of the caller.


@pytest.mark.parametrize(
    "arguments",
    [
        lambda machine, file, text: {"cafile": file, "capath": str(machine.own_hashed)},
        lambda machine, file, text: {"cafile": file, "cadata": machine.own.read_text()},
        lambda machine, file, text: {"cafile": str(machine.own), "cadata": text},
        lambda machine, file, text: {"capath": str(machine.own_hashed), "cadata": text},
        lambda machine, file, text: {"cafile": file, "capath": str(machine.own_hashed), "cadata": text},
        lambda machine, file, text: {"cafile": str(machine.own), "capath": str(machine.own_hashed), "cadata": text},
    ],
    ids=["directory", "text", "file, certifi's text", "directory, certifi's text", "directory, both", "all"],
)
@pytest.mark.parametrize(
    "load",
    [loaded, lambda **named: loaded(named.get("cafile"), named.get("capath"), named.get("cadata"))],
    ids=["keywords", "positional"],
)
def test_further_roots_of_the_caller_are_trusted_as_well(machine, load, arguments) -> None:
    file = str(machine.package("certifi"))
    named = arguments(machine, file, importlib.import_module("certifi").contents())
    assert machine.trusted(load(**named)) == DEFAULT | OWN


@pytest.mark.parametrize(
    "order", ["cafile public", "capath public", "public cafile", "public capath", "public cafile public"]
)
@pytest.mark.parametrize("load", ["lazy", "eager"])
def test_a_certificate_of_the_caller_does_not_hide_a_root_with_the_same_name(machine, monkeypatch, order, load) -> None:
    """OpenSSL searches directories only for subjects without a loaded certificate."""
    monkeypatch.setenv("CERTHOOK_LOAD", load)
    pem = with_the_same_name(machine.cas.der("system"))
    machine.own.write_bytes(machine.cas.pem(*OWN) + pem)
    (machine.own_hashed / machine.hashed_name("system")).write_bytes(pem)
    locations = {"cafile": machine.own, "capath": machine.own_hashed, "public": machine.package("certifi")}
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for step in order.split():
        context.load_verify_locations(**{"cafile" if step == "public" else step: str(locations[step])})
    assert machine.trusted(context) == DEFAULT | OWN


def with_the_same_name(certificate: bytes) -> bytes:
    """Return another root with the name of *certificate* and its own key, as PEM."""
    name = x509.load_der_x509_certificate(certificate).subject
    key = ec.generate_private_key(ec.SECP256R1())
    start = datetime.datetime(2020, 1, 1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start.replace(2049))
    for extension, critical in [
        (x509.BasicConstraints(ca=True, path_length=None), True),
        # OpenSSL distinguishes certificates with one name by it.
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
    ]:
        builder = builder.add_extension(extension, critical)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


# A finder that creates contexts.


def test_a_finder_that_creates_a_context_does_not_cause_infinite_recursion(machine, monkeypatch) -> None:
    """A finder that imports from a server creates contexts."""
    bundle = str(machine.package("certifi"))
    contexts = []

    class Finder:
        calls = 0

        def find_spec(self, name, path=None, target=None) -> None:
            if name == "certifi" and self.calls < 5:
                self.calls += 1
                contexts.append(ssl.create_default_context(cafile=bundle))

    finder = Finder()
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    assert machine.trusted(loaded(bundle)) == DEFAULT
    assert 0 < finder.calls < 5
    assert [machine.trusted(context) for context in contexts] == [BUNDLE] * finder.calls


def test_a_request_for_another_package_includes_certifis_bundle(machine, monkeypatch) -> None:
    bundle = machine.package("pusher")
    machine.package("certifi").write_bytes(machine.cas.pem("bundled"))
    for name in ("CERTHOOK_BUNDLE", "CERTHOOK_SOURCES", "SSL_CERT_DIR"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("SSL_CERT_FILE", str(machine.system))
    assert machine.trusted(loaded(str(bundle))) == BUNDLE | {"system"}  # SSL_CERT_FILE excludes certifi's.
    monkeypatch.setenv("SSL_CERT_FILE", str(machine.packages / "certifi" / "cacert.pem"))
    assert machine.trusted(loaded(str(bundle))) >= BUNDLE | {"bundled"}
