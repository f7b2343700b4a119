"""Adoption: who names a public bundle gets default trust, and who names anything else gets just that.

Every public bundle of these tests holds the root of *stranger* and no other one, so
that handshakes tell: a context that trusts *stranger* was given the file that its
caller named, and one that trusts :data:`DEFAULT` was given default trust.
"""

from __future__ import annotations

import _ssl
import datetime
import functools
import importlib
import os
import shutil
import socket
import ssl
import sys
import threading
import types
import warnings
import zipfile
from importlib.machinery import ModuleSpec
from pathlib import Path

import certifi
import der
import namespace
import pytest
import support
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from certhook._certificates import names, x509
import certhook
from certhook import (
    CerthookError,
    CerthookWarning,
    _certifi,
    _config,
    _loading,
    _patch,
    _public_bundles,
    _store,
    _trust,
)

DEFAULT = {"system", "bundled", "both"}
#: What is in the bundles, and what is in the files that callers have of their own.
BUNDLE, OWN = {"stranger"}, {"extra"}

CERTIFIS_CODE = {path.name: path.read_text() for path in Path(certifi.__file__).parent.glob("*.py")}

needs_links = pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")


class Machine:
    """A machine with a system's store, a bundle, and packages that the tests make."""

    def __init__(self, folder: Path, cas: support.Authorities, servers: support.Servers) -> None:
        self.cas = cas
        self.servers = servers
        self.folder = folder
        self.packages = folder / "packages"
        self.own = self.write("own.pem", OWN)
        self.hashed = self.write(f"own/{self.hash_of('extra')}", OWN).parent
        self.system = self.write("system.pem", {"system"})
        self.directory = self.write(f"hashed/{self.hash_of('both')}", {"both"}).parent
        self.bundle = self.write("bundle.pem", {"bundled", "both"})
        self.packages.mkdir()

    def write(self, name: str, roots: set[str]) -> Path:
        """Write a file of roots."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.cas.pem(*sorted(roots)))
        return path

    def hash_of(self, name: str) -> str:
        """The name of the file in which OpenSSL looks for a root."""
        return f"{names.subject_hash(x509.Certificate(self.cas.der(name)).subject)}.0"

    def package(self, owner: str, folder: str = "packages") -> Path:
        """Make a package of the name *owner* with a public bundle, and return the path of that."""
        package, inner = _public_bundles.BUNDLES[owner]
        self.write(f"{folder}/{package}/__init__.py", set())
        bundle = self.write(f"{folder}/{package}/{inner}", BUNDLE)
        if bundle.name == "cacert.pem" and bundle.parent.name == "certifi":
            for name, code in CERTIFIS_CODE.items():
                (bundle.parent / name).write_text(code)
        return bundle

    def trusted(self, context: ssl.SSLContext) -> set[str]:
        """Whose servers *context* accepts, by real handshakes."""
        assert context.verify_mode == ssl.CERT_REQUIRED
        names = set()
        for name in self.cas.names:
            with socket.create_connection(("127.0.0.1", self.servers.port(name)), timeout=60) as raw:
                try:
                    context.wrap_socket(raw, server_hostname="localhost").close()
                except ssl.SSLCertVerificationError:
                    continue
            names.add(name)
        return names

    def accepted(self, context: ssl.SSLContext) -> set[str]:
        """Whose clients a server with *context* accepts, by real handshakes."""
        context.verify_mode = ssl.CERT_REQUIRED
        self.cas.stranger.issue_cert("localhost").configure_cert(context)
        return {name for name in self.cas.names if self._accepts(context, getattr(self.cas, name))}

    def _accepts(self, context: ssl.SSLContext, authority) -> bool:
        of_client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        of_client.check_hostname = False
        of_client.verify_mode = ssl.CERT_NONE
        authority.issue_cert("client@localhost").configure_cert(of_client)
        there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
        client, server = of_client.wrap_bio(back, there), context.wrap_bio(there, back, server_side=True)
        for _ in range(5):
            for side in client, server:
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    pass
                except ssl.SSLCertVerificationError:
                    return False
        return bool(server.getpeercert())


@pytest.fixture
def machine(tmp_path: Path, cas: support.Authorities, servers: support.Servers, monkeypatch: pytest.MonkeyPatch):
    assert hasattr(ssl.SSLContext.load_verify_locations, "__certhook__"), "these tests need an active certhook"
    machine = Machine(tmp_path, cas, servers)
    monkeypatch.setenv("SSL_CERT_FILE", str(machine.system))
    monkeypatch.setenv("SSL_CERT_DIR", str(machine.directory))
    monkeypatch.setenv("CERTHOOK_SOURCES", "system,bundled")
    monkeypatch.setenv("CERTHOOK_BUNDLE", str(machine.bundle))
    monkeypatch.setenv("CERTHOOK_CACHE_DIR", str(tmp_path / "cache"))
    if sys.version_info < (3, 11):
        # Installed beside certifi, and to stay when that goes.
        importlib.import_module("importlib_resources.readers")
    others = [entry for entry in sys.path if not Path(entry, "certifi").exists()]
    monkeypatch.setattr(sys, "path", [str(machine.packages), *others])
    known = _forget_packages()
    yield machine
    _forget_packages()
    sys.modules.update(known)


def _forget_packages() -> dict[str, types.ModuleType]:
    """Make this interpreter forget the packages that have public bundles."""
    importlib.invalidate_caches()
    return {
        name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] in _public_bundles.BUNDLES
    }


def loaded(*args: object, kind: type = ssl.SSLContext, **kwargs: object) -> ssl.SSLContext:
    """A context with just these roots."""
    context = kind(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(*args, **kwargs)
    return context


def count(context: ssl.SSLContext) -> int:
    """How many certificates are in *context*, without what certhook has to say."""
    return _ssl._SSLContext.cert_store_stats(context)["x509"]


# Every way to name a file.


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
    """Has its protocol from an inner context, which comes later, as truststore's has."""

    @property
    def protocol(self):
        return self.inner.protocol


def of_any_protocol(path: str) -> ssl.SSLContext:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(path)
    return context


def verified_later(path: str) -> ssl.SSLContext:
    context = ssl._create_unverified_context(cafile=path)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


WAYS = {
    "by position": loaded,
    "by name": lambda path: loaded(cafile=path),
    "with nothing besides": lambda path: loaded(path, None, cadata=None),
    "as bytes": lambda path: loaded(os.fsencode(path)),
    "as a Path": lambda path: loaded(Path(path)),
    "create_default_context": lambda path: ssl.create_default_context(cafile=path),
    "create_default_context, for servers": lambda path: ssl.create_default_context(
        ssl.Purpose.SERVER_AUTH, cafile=path
    ),
    "_create_default_https_context": lambda path: ssl._create_default_https_context(cafile=path),
    "_create_unverified_context": verified_later,
    "PROTOCOL_TLS": of_any_protocol,
    "a subclass": functools.partial(loaded, kind=type("Subclass", (ssl.SSLContext,), {})),
    "a subclass with its own method": functools.partial(loaded, kind=Overriding),
    "a subclass, in __new__": InNew,
    "a subclass, in __init__": InInit,
    "a subclass with its own protocol": functools.partial(loaded, kind=Proxy),
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest):
    return WAYS[request.param]


def test_who_names_a_public_bundle_gets_default_trust(machine, way) -> None:
    assert machine.trusted(way(str(machine.package("certifi")))) == DEFAULT


def test_who_names_another_file_gets_that(machine, way) -> None:
    machine.package("certifi")
    assert machine.trusted(way(str(machine.own))) == OWN


def test_without_adoption_a_public_bundle_is_a_file_like_another(machine, way, monkeypatch) -> None:
    monkeypatch.setenv("CERTHOOK_ADOPT", "none")
    assert machine.trusted(way(str(machine.package("certifi")))) == BUNDLE


TEXT_WAYS = {
    "by position": lambda text: loaded(None, None, text),
    "by name": lambda text: loaded(cadata=text),
    "create_default_context": lambda text: ssl.create_default_context(cadata=text),
    "a subclass with its own method": lambda text: loaded(cadata=text, kind=Overriding),
}


@pytest.mark.parametrize("way", TEXT_WAYS.values(), ids=TEXT_WAYS)
@pytest.mark.parametrize(
    ("change", "trusted"),
    [
        (str, DEFAULT),
        (lambda text: text + "\n", BUNDLE),
        (str.rstrip, BUNDLE),
        (lambda text: f"{text[:-1]} ", BUNDLE),
        (ssl.PEM_cert_to_DER_cert, BUNDLE),
    ],
    ids=["itself", "longer", "shorter", "as long", "as DER"],
)
def test_certifis_text_is_adopted_and_no_other_one(machine, way, change, trusted) -> None:
    machine.package("certifi")
    assert machine.trusted(way(change(importlib.import_module("certifi").contents()))) == trusted


# Whose bundles.


@pytest.mark.parametrize(
    ("value", "adopted"),
    [
        ("", {"certifi", "pip", "botocore", "httplib2"}),
        *((owner, {owner}) for owner in _config.PUBLIC_BUNDLES),
        (" PIP, Certifi,", {"certifi", "pip"}),
        ("none", set()),
        ("none,certifi", set()),
    ],
)
def test_certhook_adopt_says_whose_bundles_are_adopted(machine, monkeypatch, value, adopted) -> None:
    monkeypatch.setenv("CERTHOOK_ADOPT", value)
    for owner in _config.PUBLIC_BUNDLES:
        expected = DEFAULT if owner in adopted else BUNDLE
        assert machine.trusted(loaded(str(machine.package(owner)))) == expected, owner
    expected = DEFAULT if "certifi" in adopted else BUNDLE
    assert machine.trusted(loaded(cadata=importlib.import_module("certifi").contents())) == expected


def test_a_value_nobody_understands_adopts_nothing_and_is_named(machine, monkeypatch) -> None:
    monkeypatch.setenv("CERTHOOK_ADOPT", "certify")
    assert machine.trusted(loaded(str(machine.package("certifi")))) == BUNDLE
    with pytest.warns(CerthookWarning, match="CERTHOOK_ADOPT: 'certify' names 'certify'; allowed are certifi or pip"):
        ssl.create_default_context()


# The same file by other names, and other files by the same name.


def behind_a_link(machine: Machine) -> Path:
    """Of its folder, as lib64 is one in many environments."""
    bundle = machine.package("certifi")
    (machine.folder / "lib64").symlink_to(machine.packages, target_is_directory=True)
    return machine.folder / "lib64" / bundle.relative_to(machine.packages)


def in_front_of_a_link(machine: Machine) -> Path:
    bundle = machine.package("certifi", "real")
    machine.packages.rmdir()
    machine.packages.symlink_to(machine.folder / "real", target_is_directory=True)
    return bundle


def by_a_detour(machine: Machine) -> Path:
    machine.package("certifi")
    return machine.packages / "certifi" / ".." / "certifi" / "cacert.pem"


def being_a_link(machine: Machine) -> Path:
    """Fedora's certifi is one to the system's bundle."""
    bundle = machine.package("certifi")
    bundle.unlink()
    bundle.symlink_to(machine.write("distribution.pem", BUNDLE))
    return bundle


@needs_links
@pytest.mark.parametrize("name", [behind_a_link, in_front_of_a_link, by_a_detour, being_a_link])
def test_a_public_bundle_is_recognised_by_another_name_of_its_folder(machine, name) -> None:
    assert machine.trusted(loaded(str(name(machine)))) == DEFAULT


def of_the_same_name(machine: Machine) -> Path:
    machine.package("certifi")
    return machine.write("elsewhere/certifi/cacert.pem", BUNDLE)


def of_another_environment(machine: Machine) -> Path:
    machine.package("certifi")
    return machine.package("certifi", "elsewhere")


def in_a_folder_that_is_no_package(machine: Machine) -> Path:
    return machine.write("packages/certifi/cacert.pem", BUNDLE)


def in_a_folder_that_was_imported(machine: Machine) -> Path:
    path = in_a_folder_that_is_no_package(machine)
    assert list(importlib.import_module("certifi").__path__) == [str(path.parent)]
    return path


def beside_a_module(machine: Machine) -> Path:
    machine.write("packages/certifi.py", set())
    return machine.write("packages/certifi/cacert.pem", BUNDLE)


def of_certifi_in_another_package(machine: Machine) -> Path:
    machine.package("certifi")
    return machine.package("certifi", "packages/vendor")


def beside_the_bundle(machine: Machine) -> Path:
    machine.package("certifi")
    return machine.write("packages/certifi/company.pem", BUNDLE)


def of_that_end(machine: Machine) -> Path:
    machine.package("certifi")
    return machine.write("packages/mycertifi/cacert.pem", BUNDLE)


def a_copy(machine: Machine) -> Path:
    copy = machine.folder / "elsewhere" / "certifi" / "cacert.pem"
    copy.parent.mkdir(parents=True)
    shutil.copy(str(machine.package("certifi")), str(copy))
    return copy


def a_hard_link(machine: Machine) -> Path:
    bundle, link = machine.package("certifi"), machine.folder / "elsewhere" / "certifi" / "cacert.pem"
    link.parent.mkdir(parents=True)
    os.link(str(bundle), str(link))
    return link


def a_symbolic_link(machine: Machine) -> Path:
    bundle, link = machine.package("certifi"), machine.folder / "elsewhere" / "certifi" / "cacert.pem"
    link.parent.mkdir(parents=True)
    link.symlink_to(bundle)
    return link


def relative(machine: Machine) -> str:
    machine.package("certifi")
    os.chdir(str(machine.packages))
    return os.path.join("certifi", "cacert.pem")


def relative_with_a_dot(machine: Machine) -> str:
    return os.path.join(".", relative(machine))


def set_by_the_program(machine: Machine) -> str:
    """As programs did before requests had a setting for it."""
    machine.package("certifi")
    importlib.import_module("certifi.core")._CACERT_PATH = str(machine.write("company.pem", BUNDLE))
    machine.write("packages/certifi/cacert.pem", {"extra"})
    return sys.modules["certifi"].where()


OTHERS = [
    of_the_same_name,
    of_another_environment,
    in_a_folder_that_is_no_package,
    in_a_folder_that_was_imported,
    beside_a_module,
    of_certifi_in_another_package,
    beside_the_bundle,
    of_that_end,
    a_copy,
    pytest.param(a_hard_link, marks=needs_links),
    pytest.param(a_symbolic_link, marks=needs_links),
    relative,
    relative_with_a_dot,
    set_by_the_program,
]


@pytest.mark.parametrize("other", OTHERS)
def test_another_file_is_loaded_as_it_is_without_certhook(machine, monkeypatch, other) -> None:
    monkeypatch.chdir(machine.folder)
    path = str(other(machine))
    context, stock = loaded(path), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert _ssl._SSLContext.load_verify_locations(stock, path) is None
    assert _ssl._SSLContext.get_ca_certs(context) == _ssl._SSLContext.get_ca_certs(stock)
    assert machine.trusted(context) == BUNDLE


@pytest.mark.parametrize("owner", _config.PUBLIC_BUNDLES)
def test_a_bundle_of_a_package_that_cannot_be_imported_is_a_file_like_another(machine, owner) -> None:
    assert machine.trusted(loaded(str(machine.package(owner, "elsewhere")))) == BUNDLE


# A bundle that is no file.


class InMemory:
    """A finder and loader of certifi, its code and its bundle, from memory; and what reads its resources."""

    def __init__(self, bundle: bytes) -> None:
        self.bundle = bundle

    def find_spec(self, name, path=None, target=None) -> ModuleSpec | None:
        if name not in ("certifi", "certifi.core"):
            return None
        return ModuleSpec(name, self, origin="memory", is_package=name == "certifi")

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: types.ModuleType) -> None:
        exec(CERTIFIS_CODE["__init__.py" if module.__name__ == "certifi" else "core.py"], vars(module))

    def get_resource_reader(self, name: str) -> InMemory:
        return self

    def open_resource(self, resource: str):
        import io

        if resource != "cacert.pem":
            raise FileNotFoundError(resource)
        return io.BytesIO(self.bundle)

    def resource_path(self, resource: str) -> str:
        raise FileNotFoundError(resource)

    def is_resource(self, name: str) -> bool:
        return name == "cacert.pem"

    def contents(self) -> list[str]:
        return ["cacert.pem"]


def from_memory(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    monkeypatch.setattr(sys, "meta_path", [InMemory(machine.cas.pem(*BUNDLE)), *sys.meta_path])
    return importlib.import_module("certifi")


def from_a_zip(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    return importlib.import_module(zipped("certifi", machine, monkeypatch))


def pips_from_a_zip(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    return importlib.import_module(zipped("pip", machine, monkeypatch) + "._vendor.certifi")


def zipped(owner: str, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> str:
    """Put the package of *owner* into an archive on the path."""
    machine.package(owner, "unpacked")
    archive, unpacked = machine.folder / "library.zip", machine.folder / "unpacked"
    vendored = CERTIFIS_CODE["core.py"].replace('"certifi"', '"pip._vendor.certifi"')
    with zipfile.ZipFile(str(archive), "w") as file:
        for path in unpacked.rglob("*.*"):
            code = vendored if owner == "pip" and path.name == "core.py" else path.read_text()
            file.writestr(path.relative_to(unpacked).as_posix(), code)
        if owner == "pip":
            file.writestr("pip/_vendor/__init__.py", "")
    shutil.rmtree(str(unpacked))
    monkeypatch.setattr(sys, "path", [str(archive), *sys.path])
    return owner


ARCHIVED = [from_memory, from_a_zip, pips_from_a_zip]


@pytest.fixture
def temporary(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where certifi unpacks to."""
    folder = machine.folder / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.mark.parametrize("archived", ARCHIVED)
def test_the_file_that_certifi_unpacks_is_adopted(machine, monkeypatch, temporary, archived) -> None:
    module = archived(machine, monkeypatch)
    assert Path(module.where()).parent == temporary
    assert machine.trusted(loaded(module.where())) == DEFAULT
    monkeypatch.setenv("CERTHOOK_ADOPT", "none")
    assert machine.trusted(loaded(module.where())) == BUNDLE


@pytest.mark.parametrize("archived", ARCHIVED)
def test_the_file_that_a_program_names_in_its_place_is_not(machine, monkeypatch, temporary, archived) -> None:
    module = archived(machine, monkeypatch)
    unpacked = module.where()
    monkeypatch.setattr(sys.modules[f"{module.__name__}.core"], "_CACERT_PATH", str(machine.own))
    assert module.where() == str(machine.own)
    assert machine.trusted(loaded(module.where())) == OWN
    assert machine.trusted(loaded(unpacked)) == BUNDLE


@pytest.mark.parametrize("archived", ARCHIVED[:2])
def test_certifis_text_is_adopted_where_it_is_no_file(machine, monkeypatch, archived) -> None:
    module = archived(machine, monkeypatch)
    assert machine.trusted(loaded(cadata=machine.cas.pem(*BUNDLE).decode())) == DEFAULT
    assert machine.trusted(loaded(cadata=machine.cas.pem(*OWN).decode())) == OWN
    assert module.__name__ == "certifi"


# Roots of the caller's own besides.


@pytest.mark.parametrize(
    "name",
    [
        lambda machine, file, text: {"cafile": file, "capath": str(machine.hashed)},
        lambda machine, file, text: {"cafile": file, "cadata": machine.own.read_text()},
        lambda machine, file, text: {"cafile": str(machine.own), "cadata": text},
        lambda machine, file, text: {"capath": str(machine.hashed), "cadata": text},
        lambda machine, file, text: {"cafile": file, "capath": str(machine.hashed), "cadata": text},
        lambda machine, file, text: {"cafile": str(machine.own), "capath": str(machine.hashed), "cadata": text},
    ],
    ids=["directory", "text", "file, certifi's text", "directory, certifi's text", "directory, both", "all"],
)
@pytest.mark.parametrize("how", [loaded, lambda **named: loaded(*map(named.get, _patch._LOCATIONS))])
def test_what_is_named_besides_is_trusted_too(machine, how, name) -> None:
    file = str(machine.package("certifi"))
    named = name(machine, file, importlib.import_module("certifi").contents())
    assert machine.trusted(how(**named)) == DEFAULT | OWN


@pytest.mark.parametrize(
    "order", ["cafile public", "capath public", "public cafile", "public capath", "public cafile public"]
)
@pytest.mark.parametrize("load", ["lazy", "eager"])
def test_a_namesake_of_the_callers_hides_no_root(machine, monkeypatch, order, load) -> None:
    """OpenSSL asks a directory only for names of which it has no certificate yet."""
    monkeypatch.setenv("CERTHOOK_LOAD", load)
    pem = namesake(machine.cas.der("system"))
    machine.own.write_bytes(machine.cas.pem(*OWN) + pem)
    (machine.hashed / machine.hash_of("system")).write_bytes(pem)
    locations = {"cafile": machine.own, "capath": machine.hashed, "public": machine.package("certifi")}
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for step in order.split():
        context.load_verify_locations(**{"cafile" if step == "public" else step: str(locations[step])})
    assert machine.trusted(context) == DEFAULT | OWN


def namesake(certificate: bytes) -> bytes:
    """Another root of the same name, with a key of its own, as PEM."""
    name = x509.load_der_x509_certificate(certificate).subject
    key = ec.generate_private_key(ec.SECP256R1())
    start = datetime.datetime(2020, 1, 1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start.replace(2049))
    for extension, critical in [
        (x509.BasicConstraints(ca=True, path_length=None), True),
        # By which OpenSSL tells namesakes apart.
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
    ]:
        builder = builder.add_extension(extension, critical)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


# A context of a server, which verifies clients.


def servers_own(path: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_verify_locations(path)
    return context


def named_later(path: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_verify_locations(path)
    return context


SERVERS = {
    "PROTOCOL_TLS_SERVER": servers_own,
    "for clients": lambda path: ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=path),
    "for clients, by name": lambda path: ssl.create_default_context(purpose=ssl.Purpose.CLIENT_AUTH, cafile=path),
    "for clients, by its number": lambda path: ssl.create_default_context(
        ssl._ASN1Object(ssl.Purpose.CLIENT_AUTH.oid), cafile=path
    ),
    "for clients, the file later": named_later,
    "text": lambda path: ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=Path(path).read_text()),
}


@pytest.mark.parametrize("server", SERVERS.values(), ids=SERVERS)
def test_a_servers_context_adopts_nothing(machine, server) -> None:
    """Whoever verifies clients by Mozilla's roots did not ask for the operating system's."""
    context = server(str(machine.package("certifi")))
    assert machine.accepted(context) == BUNDLE
    assert context.get_ca_certs(True) == [machine.cas.der(*BUNDLE)]


def test_a_servers_context_that_could_not_be_made_leaves_clients_alone(machine) -> None:
    with pytest.raises(FileNotFoundError):
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(machine.folder / "nothing"))
    assert machine.trusted(ssl.create_default_context(cafile=str(machine.package("certifi")))) == DEFAULT


def test_a_server_made_in_one_thread_leaves_clients_of_another_alone(machine) -> None:
    bundle = str(machine.package("certifi"))
    contexts = []

    class Meanwhile:
        def __fspath__(self) -> str:
            thread = threading.Thread(target=lambda: contexts.append(ssl.create_default_context(cafile=bundle)))
            thread.start()
            thread.join()
            return bundle

    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=Meanwhile())
    assert [machine.trusted(context) for context in contexts] == [DEFAULT] * len(contexts)
    assert contexts
    assert machine.accepted(server) == BUNDLE


def test_a_server_made_while_a_server_is_made_leaves_the_outer_one_a_server(machine) -> None:
    bundle = str(machine.package("certifi"))

    class Meanwhile:
        def __fspath__(self) -> str:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            return bundle

    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=Meanwhile())
    assert machine.accepted(server) == BUNDLE


# What default trust is.


@pytest.mark.parametrize(
    ("variables", "trusted"),
    [
        ({}, DEFAULT),
        ({"CERTHOOK_SOURCES": "system"}, {"system", "both"}),
        ({"CERTHOOK_SOURCES": "bundled"}, {"bundled", "both"}),
        ({"CERTHOOK_SOURCES": ""}, {"system", "both"}),  # SSL_CERT_FILE says what to trust.
        ({"CERTHOOK_MODE": "fallback"}, {"system", "both"}),
        ({"CERTHOOK_EXTRA_CA_CERTS": "{own}"}, DEFAULT | OWN),
        ({"CERTHOOK_BUNDLE": ""}, {"system", "both"} | BUNDLE),
        ({"CERTHOOK_LOAD": "eager"}, DEFAULT),
        ({"CERTHOOK_CACHE_DIR": "none"}, DEFAULT),
    ],
)
def test_the_settings_of_default_trust_hold(machine, monkeypatch, variables, trusted) -> None:
    bundle = str(machine.package("certifi"))
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(own=machine.own))
    context = loaded(bundle)
    is_loaded = variables.keys() & {"CERTHOOK_LOAD", "CERTHOOK_CACHE_DIR"}
    assert count(context) == (3 if is_loaded else 0)
    assert machine.trusted(context) == trusted


def test_a_mistyped_ssl_cert_file_leaves_nobody_to_trust(machine, monkeypatch) -> None:
    bundle = str(machine.package("certifi"))
    monkeypatch.setenv("SSL_CERT_FILE", str(machine.folder / "mistyped.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", "")
    monkeypatch.setenv("CERTHOOK_SOURCES", "")
    with pytest.warns(CerthookWarning) as shown:
        context = loaded(bundle)
    assert "mistyped.pem" in str(shown[0].message)
    assert machine.trusted(context) == set()
    monkeypatch.setenv("CERTHOOK_ON_ERROR", "raise")
    with pytest.raises(CerthookError, match="mistyped.pem"):
        loaded(bundle)


@pytest.mark.parametrize("load", ["lazy", "eager"])
def test_a_second_time_does_nothing_more(machine, monkeypatch, load) -> None:
    monkeypatch.setenv("CERTHOOK_LOAD", load)
    bundle = str(machine.package("certifi"))
    context = loaded(bundle)
    before = count(context), dict(vars(context))
    calls = []
    if load == "lazy":
        monkeypatch.setattr(_context, "_load", lambda *args, **kwargs: calls.append(kwargs))
    for _ in range(3):
        context.load_verify_locations(bundle)
        context.load_default_certs()
    assert (count(context), dict(vars(context)), calls) == (*before, [])
    assert machine.trusted(context) == DEFAULT


@pytest.mark.parametrize("with_own", [False, True])
def test_the_roots_it_has_are_those_of_a_loaded_context(machine, monkeypatch, with_own) -> None:
    bundle = str(machine.package("certifi"))

    def described() -> list[object]:
        context = loaded(bundle, capath=str(machine.hashed), cadata=machine.own.read_text() if with_own else None)
        told = [context.cert_store_stats(), *(sorted(context.get_ca_certs(form), key=repr) for form in (True, False))]
        assert machine.trusted(context) == DEFAULT | OWN
        return told

    lazy = described()
    monkeypatch.setenv("CERTHOOK_LOAD", "eager")
    assert described() == lazy
    assert lazy[0]["x509"] == len(lazy[1]) == 3 + with_own


# Where certhook itself fails.


def fail(*args: object, **kwargs: object) -> None:
    raise RuntimeError("a fault")


@pytest.mark.parametrize(
    ("sources", "trusted", "message"),
    [
        ("system,bundled", BUNDLE, "the context has what Python gives without it"),
        ("bundled", BUNDLE, "the context has what Python gives without it"),
        ("system", set(), "the context has no roots"),
        ("", set(), "the context has no roots"),
    ],
)
@pytest.mark.parametrize("where", [(_trust, "give"), (_store, "own_folder")])
def test_a_fault_loads_the_bundle_only_if_it_is_a_source(
    machine, monkeypatch, where, sources, trusted, message
) -> None:
    bundle = str(machine.package("certifi"))
    monkeypatch.setenv("CERTHOOK_BUNDLE", "")
    monkeypatch.setenv("CERTHOOK_SOURCES", sources)
    monkeypatch.setattr(*where, fail)
    with pytest.warns(CerthookWarning, match=rf"certhook failed, {message}: RuntimeError\('a fault'\)"):
        context = loaded(bundle)
    assert machine.trusted(context) == trusted


def test_a_fault_does_not_bring_back_the_bundle_that_another_one_replaces(machine, monkeypatch) -> None:
    bundle = str(machine.package("certifi"))
    monkeypatch.setattr(_trust, "give", fail)
    with pytest.warns(CerthookWarning, match="the context has no roots"):
        context = loaded(bundle)
    assert machine.trusted(context) == set()


@pytest.mark.parametrize("fault", ["in it", "it is gone"])
def test_what_cannot_be_told_to_be_public_is_loaded(machine, monkeypatch, fault) -> None:
    bundle = str(machine.package("certifi"))
    if fault == "in it":
        monkeypatch.setattr(_adopt, "is_public_file", fail)
    else:
        monkeypatch.setitem(sys.modules, "certhook._public_bundles", None)
    with pytest.warns(CerthookWarning, match="certhook failed, roots are loaded as they were named: "):
        context = loaded(bundle)
    assert machine.trusted(context) == BUNDLE


@pytest.mark.parametrize("owner", ["pip", "botocore", "httplib2"])
def test_without_certifi_the_other_bundles_are_loaded(machine, monkeypatch, owner) -> None:
    """Default trust without a bundle has less than what was asked for."""
    monkeypatch.setattr(_certifi, "__file__", str(machine.folder / "site" / "certhook" / "_certifi.py"))
    monkeypatch.setenv("CERTHOOK_BUNDLE", "")
    assert machine.trusted(loaded(str(machine.package(owner)))) == BUNDLE


def test_a_finder_that_makes_a_context_is_not_asked_for_ever(machine, monkeypatch) -> None:
    """One that imports from a server does."""
    bundle = str(machine.package("certifi"))
    contexts = []

    class Finder:
        asked = 0

        def find_spec(self, name, path=None, target=None) -> None:
            if name == "certifi" and self.asked < 5:
                self.asked += 1
                contexts.append(ssl.create_default_context(cafile=bundle))

    finder = Finder()
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    assert machine.trusted(loaded(bundle)) == DEFAULT
    assert finder.asked == 1
    assert [machine.trusted(context) for context in contexts] == [BUNDLE]


# Mistakes of the caller's.


class Failing:
    def __fspath__(self) -> str:
        raise LookupError("no path")


MISTAKES = {
    "nothing": lambda path: ((), {}),
    "nothing by name": lambda path: ((), {"cafile": None, "capath": None, "cadata": None}),
    "twice": lambda path: ((path,), {"cafile": path}),
    "the directory twice": lambda path: ((path, None), {"capath": None}),
    "too many": lambda path: ((path, None, None, None), {}),
    "an unknown name": lambda path: ((path,), {"path": path}),
    "an unknown name besides": lambda path: ((), {"cafile": path, "path": path}),
    "a number as directory": lambda path: ((path, 1), {}),
    "an empty directory": lambda path: ((path,), {"capath": ""}),
    "a null character in the directory": lambda path: ((path,), {"capath": "\0"}),
    "a number as text": lambda path: ((path,), {"cadata": 1}),
    "an empty text": lambda path: ((path,), {"cadata": ""}),
    "a text of nothing": lambda path: ((path,), {"cadata": "nothing"}),
    "bytes of nothing": lambda path: ((path,), {"cadata": b"nothing"}),
    "a text beyond ASCII": lambda path: ((path,), {"cadata": "\xe9"}),
    "no file": lambda path: (("/no/such/certifi/cacert.pem",), {}),
    "no file, certifi's text": lambda path: (("/no/such/file",), {"cadata": Path(path).read_text()}),
    "a directory as file": lambda path: ((os.path.dirname(path),), {}),
    "a number as file": lambda path: ((1,), {}),
    "a list as file": lambda path: (([path],), {}),
    "a null character": lambda path: ((f"\0{path}",), {}),
    "a null character at the end": lambda path: ((f"{path}\0",), {}),
    "a null character, in bytes": lambda path: ((b"\0" + os.fsencode(path),), {}),
    "a path that fails": lambda path: ((Failing(),), {}),
}


def outcome(load, *args: object, **kwargs: object) -> tuple[object, ...]:
    try:
        return load(*args, **kwargs)
    except Exception as error:
        return type(error), error.args


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_the_same_exception_and_gives_no_default_trust(machine, mistake) -> None:
    args, kwargs = mistake(str(machine.package("certifi")))
    context, stock = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    expected = outcome(_ssl._SSLContext.load_verify_locations, stock, *args, **kwargs)
    assert expected is not None
    assert outcome(context.load_verify_locations, *args, **kwargs) == expected
    assert not machine.trusted(context) & DEFAULT


# ssl.get_default_verify_paths()


@pytest.fixture
def places(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where OpenSSL's own file and directory would be: nothing is there, and SSL_CERT_* are not set."""
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.delenv("SSL_CERT_DIR")
    folder = machine.folder / "openssl"
    paths = ("SSL_CERT_FILE", str(folder / "cert.pem"), "SSL_CERT_DIR", str(folder / "certs"))
    monkeypatch.setattr(_ssl, "get_default_verify_paths", lambda: paths)
    return folder


def stock_paths() -> tuple[str | None, ...]:
    return ssl.get_default_verify_paths.__certhook__()


@pytest.mark.parametrize("there", [None, "certs", "certs/own.pem", "certs/snakeoil.pem"])
def test_where_openssl_finds_no_root_the_default_paths_are_those_of_the_store(machine, places, there) -> None:
    if there == "certs":
        (places / there).mkdir(parents=True)
    elif there:
        machine.write(f"openssl/{there}", OWN)
    paths, stock = ssl.get_default_verify_paths(), stock_paths()
    assert stock.cafile is None
    assert paths == stock._replace(cafile=paths.cafile, capath=paths.capath)
    assert os.path.dirname(paths.cafile) == paths.capath

    everyone = {anchor.der for anchor in certhook.trust_set().anchors}
    blocks = Path(paths.cafile).read_text().split("-----END CERTIFICATE-----\n")
    assert blocks.pop() == ""
    found = [ssl.PEM_cert_to_DER_cert(block + "-----END CERTIFICATE-----\n") for block in blocks]
    assert set(found) == everyone
    assert len(found) == len(everyone)
    for named in {"cafile": paths.cafile}, {"capath": paths.capath}:
        assert machine.trusted(loaded(**named)) == {"bundled", "both"}


def test_a_file_that_openssl_would_not_load_is_not_among_the_default_paths(machine, places, tmp_path) -> None:
    refused = der.pem(der.certificate(der.common_name("refused"), key=der.element(der.SEQUENCE)))
    with open(machine.bundle, "ab") as bundle:
        bundle.write(refused)
    paths = ssl.get_default_verify_paths()
    assert paths.cafile is None
    assert machine.trusted(loaded(capath=paths.capath)) == {"bundled", "both"}


def test_where_openssl_finds_a_file_the_default_paths_are_its_own(machine, places) -> None:
    machine.write("openssl/cert.pem", OWN)
    assert ssl.get_default_verify_paths() == stock_paths()
    assert ssl.get_default_verify_paths().cafile == str(places / "cert.pem")


def test_where_openssl_finds_a_hashed_directory_the_default_paths_are_its_own(machine, places) -> None:
    machine.write(f"openssl/certs/{machine.hash_of('extra')}", OWN)
    assert ssl.get_default_verify_paths() == stock_paths()
    assert ssl.get_default_verify_paths().capath == str(places / "certs")


@pytest.mark.parametrize(
    "variables",
    [
        {"SSL_CERT_FILE": "/no/such/file"},
        {"SSL_CERT_DIR": "/no/such/directory"},
        {"SSL_CERT_FILE": ""},
        {"CERTHOOK_CACHE_DIR": "none"},
        {"CERTHOOK_LOAD": "eager"},
    ],
)
def test_there_is_nothing_to_fill_into_the_default_paths(places, monkeypatch, variables) -> None:
    monkeypatch.delenv("CERTHOOK_SOURCES")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert ssl.get_default_verify_paths() == stock_paths()
    assert ssl.get_default_verify_paths()[:2] == (None, None)


def test_where_certhook_fails_the_default_paths_are_pythons(places, monkeypatch) -> None:
    monkeypatch.setattr(_trust, "store_in_place_of", fail)
    with pytest.warns(CerthookWarning, match="certhook failed, the paths are Python's own: RuntimeError"):
        assert ssl.get_default_verify_paths() == stock_paths()


# Processes of their own: certifi as pip installs it, and machines that have no roots.

ASKED = (
    support.VERDICTS
    + """
import certifi
servers = [server.split(":") for server in os.environ["SERVERS"].split()]
def tell(context):
    print(*(f"{name}:{verdict(port, context)}" for name, port in servers))
tell(ssl.create_default_context(cafile=certifi.where()))
tell(ssl.create_default_context(cadata=certifi.contents()))
"""
)
NOBODY: set[str] = set()


def answers(output: str) -> list[set[str]]:
    """The names of those that are trusted, a set for each line."""
    return [{name for name, word in support.verdicts(line).items() if word} for line in output.splitlines()]


@pytest.mark.parametrize(
    ("variables", "before", "trusted"),
    [
        ({}, "", [DEFAULT, DEFAULT, DEFAULT]),
        ({"CERTHOOK_DISABLED": "1"}, "", [{"system", "both"}, NOBODY, NOBODY]),
        ({}, "import certhook, ssl; certhook.uninstall()\n", [{"system", "both"}, NOBODY, NOBODY]),
    ],
    ids=["installed", "disabled", "uninstalled"],
)
def test_certifi_as_it_is_installed(machine, installed, variables, before, trusted) -> None:
    env = support.clean_env(
        SSL_CERT_FILE=str(machine.system),
        SSL_CERT_DIR=str(machine.directory),
        CERTHOOK_SOURCES="system,bundled",
        CERTHOOK_BUNDLE=str(machine.bundle),
        SERVERS=support.server_list(machine.servers),
        **variables,
    )
    assert answers(support.run(installed, before + ASKED, env=env).stdout) == trusted


#: As truststore does: what OpenSSL finds if its paths exist, and nothing otherwise.
PATHS = (
    ASKED
    + """
paths = ssl.get_default_verify_paths()
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
if paths.cafile or paths.capath and os.listdir(paths.capath):
    context.set_default_verify_paths()
tell(context)
for location in {"cafile": paths.cafile}, {"capath": paths.capath}:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if any(location.values()):
        context.load_verify_locations(**location)
    tell(context)
"""
)


@pytest.mark.parametrize(
    ("tree", "trusted"),
    [
        ({}, {"bundled", "both"}),
        ({"/etc/ssl/certs": os.mkdir}, {"bundled", "both"}),
        ({"/etc/ssl/certs/ca-certificates.crt": "system"}, DEFAULT),
        ({"/etc/ssl/certs": os.mkdir, "/etc/pki/tls/cert.pem": "system"}, DEFAULT),
    ],
    ids=["nothing", "an empty directory", "Debian, another OpenSSL", "Fedora, another OpenSSL"],
)
def test_a_container_whose_openssl_finds_no_root(machine, installed, tmp_path, tree, trusted) -> None:
    reason = namespace.unavailable()
    if reason and os.environ.get("CI") and sys.platform.startswith("linux"):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    where = "import _ssl; print(_ssl.get_default_verify_paths()[1])"
    openssldir = os.path.dirname(support.run(installed, where).stdout.strip())
    tree = {path: machine.cas.pem(entry) if isinstance(entry, str) else entry for path, entry in tree.items()}
    bundle = support.purelib(installed) / "certifi" / "cacert.pem"
    env = support.clean_env(SERVERS=support.server_list(machine.servers))
    over = {str(bundle): machine.bundle.read_bytes()}
    done = namespace.run(installed, PATHS, tree, env, tmp_path, over=over, hidden=(openssldir,))
    assert (done.stderr, done.returncode) == ("", 0)
    assert answers(done.stdout) == [trusted] * 6
