"""Real layouts of the operating system's store, at the real paths, by real handshakes.

Each runs in a mount namespace of its own: with the files that a distribution
has, an OpenSSL that looks where they are or elsewhere, and certifi's bundle.
"""

from __future__ import annotations
from certhook._certificates import x509

import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import der
import namespace
import pytest
import support
from namespace import Link, sparse


#: Stands for OPENSSLDIR of the interpreter, the directory that was compiled into its OpenSSL.
OPENSSL = "{OPENSSLDIR}"


class Pem(NamedTuple):
    """A file with the certificates of these authorities, separated by spaces, and *then* this text, with {NAME}s."""

    names: str
    then: bytes = b""


class Indented(NamedTuple):
    """A file with the certificate of this authority, which OpenSSL passes over and p11-kit does not."""

    name: str


class Hashed(NamedTuple):
    """A directory of these certificates in one file each, and the links that ``openssl rehash`` makes to them."""

    names: str


class Trusted(NamedTuple):
    """The certificate of one authority with trust settings, as options of ``openssl x509 -trustout``."""

    name: str
    settings: str


class Der(NamedTuple):
    """The certificate of one authority as DER."""

    name: str


class P11Kit(NamedTuple):
    """A p11-kit object that names one authority: as PEM, its *value*, issuer and *serial* number, or its *key*."""

    name: str
    form: str = "pem"
    attributes: str = "x-distrusted: true"


def _quoted(data: bytes) -> str:
    return "".join(f"%{octet:02x}" for octet in data)


DEBIAN = {
    "/etc/ssl/certs": Hashed("system both"),
    "/etc/ssl/certs/ca-certificates.crt": Pem("system both"),
}
DEBIANS_OWN = {
    **DEBIAN,
    f"{OPENSSL}/certs": Link("/etc/ssl/certs"),
    f"{OPENSSL}/cert.pem": Link("/etc/ssl/certs/ca-certificates.crt"),
}
_FEDORA_BUNDLE = "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"
FEDORA_43 = {
    _FEDORA_BUNDLE: Pem("system both"),
    "/etc/pki/tls/cert.pem": Link(_FEDORA_BUNDLE),
    "/etc/pki/tls/certs/ca-bundle.crt": Link(_FEDORA_BUNDLE),
    "/etc/pki/tls/certs/ca-certificates.crt": Link(_FEDORA_BUNDLE),
    "/etc/ssl/cert.pem": Link("/etc/pki/tls/cert.pem"),
    "/etc/ssl/certs": Link("/etc/pki/tls/certs"),
}
# https://fedoraproject.org/wiki/Changes/droppingOfCertPemFile
FEDORA_44 = {
    _FEDORA_BUNDLE: Pem("system both"),
    "/etc/pki/ca-trust/extracted/pem/directory-hash": Hashed("system both"),
    "/etc/pki/tls/certs": Hashed("system both"),
    "/etc/ssl/certs": Link("/etc/pki/tls/certs"),
}
FEDORA_44_BUNDLE_ALONE = {_FEDORA_BUNDLE: Pem("system both"), "/etc/pki/tls/certs": os.mkdir}
FEDORAS_OWN = {OPENSSL: Link("/etc/pki/tls")}
# What mod_ssl makes there for a web server: a certificate that signed itself.
LOCALHOST = {"/etc/pki/tls/certs/localhost.crt": Pem("stranger")}
ALPINE = {
    "/etc/ssl/cert.pem": Link("certs/ca-certificates.crt"),
    "/etc/ssl/certs": Hashed("system both"),
    "/etc/ssl/certs/ca-certificates.crt": Pem("system both"),
}
SUSE = {
    "/var/lib/ca-certificates/ca-bundle.pem": Pem("system both"),
    "/var/lib/ca-certificates/pem": Hashed("system both"),
    "/etc/ssl/ca-bundle.pem": Link("/var/lib/ca-certificates/ca-bundle.pem"),
    "/etc/ssl/certs": Link("/var/lib/ca-certificates/pem"),
}
ARCH = {
    "/etc/ca-certificates/extracted/tls-ca-bundle.pem": Pem("system both"),
    "/etc/ca-certificates/extracted/cadir": Hashed("system both"),
    "/etc/ssl/cert.pem": Link("../ca-certificates/extracted/tls-ca-bundle.pem"),
    "/etc/ssl/certs/ca-certificates.crt": Link("../../ca-certificates/extracted/tls-ca-bundle.pem"),
    "/etc/ssl/certs/ca-bundle.crt": Link("../../ca-certificates/extracted/tls-ca-bundle.pem"),
}
# The compiled-in directory of distributions whose OpenSSL has OPENSSLDIR=/etc/ssl.
ETC_SSLS_OWN = {OPENSSL: Link("/etc/ssl")}
STORE = "/etc/ssl/certs/ca-certificates.crt"


class Layout(NamedTuple):
    """A tree of files, whom certhook trusts with it, and whom Python does without certhook.

    *warnings* has a pattern for each warning that is to be shown; *bare* is None
    where Python without certhook is not to be asked, as it would wait for ever.
    """

    tree: dict
    trusted: str
    bare: str | None = ""
    warnings: tuple[str, ...] = ()
    variables: dict[str, str] = {}


ALL = "system bundled both"

LAYOUTS = {
    "Debian's own Python": Layout(DEBIANS_OWN, ALL, "system both"),
    "Debian, another OpenSSL": Layout(DEBIAN, ALL),
    "Debian, another OpenSSL, the file alone": Layout({STORE: Pem("system both")}, ALL),
    "Debian, another OpenSSL, the directory alone": Layout({"/etc/ssl/certs": Hashed("system both")}, ALL),
    "Debian, a certificate more": Layout(
        {**DEBIANS_OWN, "/etc/company.pem": Pem("extra")},
        "system bundled both extra",
        "system both",
        variables={"CERTHOOK_EXTRA_CA_CERTS": "/etc/company.pem"},
    ),
    "Debian, ca-certificates was removed": Layout(
        {f"{OPENSSL}/certs": Link("/etc/ssl/certs"), f"{OPENSSL}/cert.pem": Link(STORE), "/etc/ssl/certs": os.mkdir},
        "bundled both",
    ),
    "Fedora 43's own Python": Layout({**FEDORA_43, **FEDORAS_OWN}, ALL, "system both"),
    "Fedora 43, another OpenSSL": Layout(FEDORA_43, ALL),
    "Fedora 43's own Python, a web server": Layout({**FEDORA_43, **LOCALHOST, **FEDORAS_OWN}, ALL, "system both"),
    "Fedora 43, another OpenSSL, a web server": Layout({**FEDORA_43, **LOCALHOST}, ALL),
    "Fedora 44's own Python": Layout({**FEDORA_44, **FEDORAS_OWN}, ALL, "system both"),
    "Fedora 44, another OpenSSL": Layout(FEDORA_44, ALL),
    "Fedora 44's own Python, a web server": Layout({**FEDORA_44, **LOCALHOST, **FEDORAS_OWN}, ALL, "system both"),
    "Fedora 44, another OpenSSL, a web server": Layout({**FEDORA_44, **LOCALHOST}, ALL),
    "Fedora 44, no hashed directory": Layout({**FEDORA_44_BUNDLE_ALONE, **FEDORAS_OWN}, ALL),
    "Fedora 44, another OpenSSL, no hashed directory": Layout({**FEDORA_44_BUNDLE_ALONE, **LOCALHOST}, ALL),
    "Alpine's own Python": Layout({**ALPINE, **ETC_SSLS_OWN}, ALL, "system both"),
    "Alpine, another OpenSSL": Layout(ALPINE, ALL),
    "Alpine, the file alone": Layout({"/etc/ssl/cert.pem": Pem("system both")}, ALL),
    "SUSE's own Python": Layout({**SUSE, **ETC_SSLS_OWN}, ALL, "system both"),
    "SUSE, another OpenSSL": Layout(SUSE, ALL),
    "Arch's own Python": Layout({**ARCH, **ETC_SSLS_OWN}, ALL, "system both"),
    "Arch, another OpenSSL": Layout(ARCH, ALL),
    "Arch, another OpenSSL, cadir alone": Layout({"/etc/ca-certificates/extracted/cadir": Hashed("system both")}, ALL),
    "an empty /etc/ssl/certs": Layout({"/etc/ssl/certs": os.mkdir}, "bundled both"),
    "an empty file": Layout({STORE: b""}, "bundled both"),
    "an empty file before a full one": Layout({STORE: b"# none\n", "/etc/ssl/cert.pem": Pem("system")}, ALL),
    "nothing at all": Layout({}, "bundled both"),
    "a dangling link": Layout({STORE: Link("/run/gone.pem")}, "bundled both"),
    "a link to itself": Layout({STORE: Link(STORE)}, "bundled both", warnings=(f"{STORE}: cannot be read: Too many",)),
    # Nobody ever writes to it.
    "a FIFO": Layout({STORE: os.mkfifo}, "bundled both", warnings=(f"{STORE}: is a pipe; ",)),
    "a FIFO where OpenSSL looks": Layout(
        {f"{OPENSSL}/cert.pem": os.mkfifo, STORE: Pem("system both")},
        ALL,
        bare=None,  # It would wait for ever.
        warnings=("cert.pem: is a pipe; ",),
    ),
    "a FIFO in the directory": Layout(
        {"/etc/ssl/certs": Hashed("system both"), "/etc/ssl/certs/01234567.0": os.mkfifo},
        ALL,
        warnings=("/etc/ssl/certs/01234567.0: is a pipe; ",),
    ),
    "200 MiB of nothing": Layout(
        {STORE: sparse(200 << 20)}, "bundled both", warnings=(f"{STORE}: is larger than 64 MiB; ",)
    ),
    "a directory in place of the file": Layout(
        {STORE: os.mkdir}, "bundled both", warnings=(f"{STORE}: is a directory; ",)
    ),
    "a directory in place of the file, another file": Layout(
        {STORE: os.mkdir, "/etc/ssl/cert.pem": Pem("system both")}, ALL, warnings=(f"{STORE}: is a directory; ",)
    ),
    "a block that is not base64": Layout(
        {STORE: Pem("system", then=b"-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n{both}")},
        ALL,
        warnings=(f"{STORE}: the certificate at line {{line}} was skipped: it is not base64",),
    ),
    "a block that is no certificate": Layout(
        {STORE: Pem("system", then=b"-----BEGIN CERTIFICATE-----\nMAMCAQA=\n-----END CERTIFICATE-----\n{both}")},
        ALL,
        warnings=(f"{STORE}: the certificate at line {{line}} was skipped: ",),
    ),
    "a block without an end": Layout(
        {STORE: Pem("system", then=b"-----BEGIN CERTIFICATE-----\nMAMC\n{both}")},
        ALL,
        warnings=(f"{STORE}: the certificate at line {{line}} was skipped: its END line is missing",),
    ),
    "a directory without hashes": Layout(
        {"/etc/ssl/certs/system.pem": Pem("system"), "/etc/ssl/certs/both.crt": Pem("both")}, "bundled both"
    ),
    "a wrong hash": Layout(
        {"/etc/ssl/certs": Hashed("system"), "/etc/ssl/certs/01234567.0": Pem("stranger")}, "system bundled both"
    ),
    "numbers that begin at 1": Layout(
        {"/etc/ssl/certs": Hashed("system"), "/etc/ssl/certs/{stranger}.1": Pem("stranger")}, ALL
    ),
    "numbers with a gap": Layout(
        {
            "/etc/ssl/certs": Hashed("system"),
            "/etc/ssl/certs/{stranger}.0": Pem("system"),
            "/etc/ssl/certs/{stranger}.2": Pem("stranger"),
        },
        ALL,
    ),
    "numbers without a gap": Layout(
        {"/etc/ssl/certs/{system}.0": Pem("stranger"), "/etc/ssl/certs/{system}.1": Pem("system")}, ALL
    ),
    "the hashes of OpenSSL 0.9": Layout(
        {"/etc/ssl/certs": Hashed("system"), "/etc/ssl/certs/{stranger:old}.0": Pem("stranger")}, ALL
    ),
    "a list of revoked certificates by its name": Layout(
        {"/etc/ssl/certs": Hashed("system"), "/etc/ssl/certs/{stranger}.r0": Pem("stranger")}, ALL
    ),
    "the file rejects for servers": Layout(
        {STORE: Trusted("both", "-addreject serverAuth"), "/etc/ssl/certs": Hashed("system")}, "system bundled"
    ),
    "the directory rejects for servers": Layout(
        {STORE: Pem("system"), "/etc/ssl/certs/{both}.0": Trusted("both", "-addreject serverAuth")}, "system bundled"
    ),
    "OpenSSL's own file rejects for servers": Layout(
        {
            f"{OPENSSL}/cert.pem": Trusted("both", "-addreject serverAuth"),
            f"{OPENSSL}/certs": Hashed("system"),
        },
        "system bundled",
        "system",
    ),
    "trusted for mail only": Layout(
        {STORE: Trusted("system", "-addtrust emailProtection"), "/etc/ssl/certs": Hashed("both")}, "bundled both"
    ),
    "OpenSSL's own file trusts for mail only": Layout(
        {f"{OPENSSL}/cert.pem": Trusted("system", "-addtrust emailProtection")}, "bundled both"
    ),
    "trusted for servers only": Layout(
        {f"{OPENSSL}/cert.pem": Trusted("system", "-addtrust serverAuth")}, ALL, "system"
    ),
    "rejected for clients": Layout({STORE: Trusted("system", "-addreject clientAuth")}, ALL),
}

# What an administrator distrusts is not trusted, whichever source lists it.
_BLOCKLIST = "/etc/pki/ca-trust/source/blocklist"
_FOR_MAIL = f"""class: x-certificate-extension
object-id: 2.5.29.37
value: "{_quoted(der.extension("2.5.29.37", "1.3.6.1.5.5.7.3.4"))}\""""
_BUNDLED_DISTRUSTED = {
    "Fedora, PEM": (FEDORA_44, {f"{_BLOCKLIST}/bundled.pem": Pem("bundled")}),
    "Fedora, DER": (FEDORA_44, {f"{_BLOCKLIST}/bundled.crt": Der("bundled")}),
    "Fedora, of the vendor's": (FEDORA_44, {"/usr/share/pki/ca-trust-source/blocklist/a": Pem("bundled")}),
    "Fedora, by its old name": (FEDORA_44, {"/etc/pki/ca-trust/source/blacklist/a.pem": Pem("bundled")}),
    "Fedora, a link": (FEDORA_44, {f"{_BLOCKLIST}/a": Link("/etc/bad.pem"), "/etc/bad.pem": Pem("bundled")}),
    "Fedora, rejected for servers": (
        FEDORA_44,
        {"/etc/pki/ca-trust/source/a.pem": Trusted("bundled", "-addreject serverAuth")},
    ),
    "Fedora, p11-kit with PEM": (FEDORA_44, {"/etc/pki/ca-trust/source/a.p11-kit": P11Kit("bundled")}),
    "Fedora, p11-kit with a value": (FEDORA_44, {"/etc/pki/ca-trust/source/a.p11-kit": P11Kit("bundled", "value")}),
    "Fedora, p11-kit with a number": (FEDORA_44, {"/etc/pki/ca-trust/source/a.p11-kit": P11Kit("bundled", "serial")}),
    "Fedora, p11-kit with an extension": (
        FEDORA_44,
        {"/etc/pki/ca-trust/source/a.p11-kit": P11Kit("bundled", "key", _FOR_MAIL)},
    ),
    "Fedora, a hidden file": (FEDORA_44, {f"{_BLOCKLIST}/.bundled.pem": Pem("bundled")}),
    "Fedora, rejected among the anchors": (
        FEDORA_44,
        {"/etc/pki/ca-trust/source/anchors/a.pem": Trusted("bundled", "-addreject serverAuth")},
    ),
    "Fedora, an object among the anchors": (
        FEDORA_44,
        {"/etc/pki/ca-trust/source/anchors/a.p11-kit": P11Kit("bundled", "value", 'x-distrusted: "%01"')},
    ),
    "Fedora, trusted for mail alone": (
        FEDORA_44,
        {"/etc/pki/ca-trust/source/a.pem": Trusted("bundled", "-addtrust emailProtection")},
    ),
    "Fedora, p11-kit in the list": (FEDORA_44, {f"{_BLOCKLIST}/a.p11-kit": P11Kit("bundled", "value", "")}),
    "SUSE": (SUSE, {"/etc/pki/trust/blocklist/bundled.pem": Pem("bundled")}),
    "SUSE, of the vendor's": (SUSE, {"/usr/share/pki/trust/blocklist/bundled.pem": Pem("bundled")}),
    "Arch": (ARCH, {"/etc/ca-certificates/trust-source/blocklist/bundled.crt": Pem("bundled")}),
    "Arch, of the vendor's": (ARCH, {"/usr/share/ca-certificates/trust-source/blocklist/a": Pem("bundled")}),
    "Debian": (
        DEBIAN,
        {
            "/etc/ca-certificates.conf": b"# here\nmozilla/system.crt\n!mozilla/bundled.crt\n!mozilla/gone.crt\n",
            "/usr/share/ca-certificates/mozilla/system.crt": Pem("system"),
            "/usr/share/ca-certificates/mozilla/bundled.crt": Pem("bundled"),
        },
    ),
    "Alpine": (
        ALPINE,
        {
            "/etc/ca-certificates.conf": b"!mozilla/bundled.crt",
            "/usr/share/ca-certificates/mozilla/bundled.crt": Pem("bundled"),
        },
    ),
}
LAYOUTS.update(
    {
        f"distrusted: {name}": Layout({**system, **distrusted}, "system both")
        for name, (system, distrusted) in _BUNDLED_DISTRUSTED.items()
    }
)
# Certifi's bundle says of each root what Mozilla calls it, by which Debian names its file.
_LABELLED = {"/etc/bundle.pem": Pem("stranger", b'# Label: "The root (of this test)"\n# Serial: 1\n{bundled}')}
_GONE = {
    **DEBIAN,
    **_LABELLED,
    "/etc/ca-certificates.conf": b"!mozilla/The_root_=of_this_test=.crt\n!mozilla/stranger.crt\n",
}
_DESELECTED = {
    "/etc/ca-certificates.conf": b"!mozilla/both.crt\n!mozilla/bundled.crt\r\n",
    "/usr/share/ca-certificates/mozilla/both.crt": Pem("both"),
    "/usr/share/ca-certificates/mozilla/bundled.crt": Pem("bundled"),
}
LAYOUTS.update(
    {
        "distrusted: deselected, but for the administrator's own copy": Layout(
            {**DEBIAN, **_DESELECTED, "/usr/local/share/ca-certificates/company/both.crt": Pem("both")}, "system both"
        ),
        "distrusted: deselected, and no copy under a name that counts": Layout(
            {**DEBIAN, **_DESELECTED, "/usr/local/share/ca-certificates/both.pem": Pem("both")}, "system"
        ),
        "distrusted: deselected, and the file is gone": Layout(
            _GONE,
            "system both stranger",
            variables={"CERTHOOK_BUNDLE": "/etc/bundle.pem"},
            warnings=("is not trusted: /etc/ca-certificates.conf distrusts it",),
        ),
        "distrusted: deselected, the file is gone, and the system's store has it": Layout(
            {**_GONE, STORE: Pem("system bundled")},
            "system both stranger",
            variables={"CERTHOOK_BUNDLE": "/etc/bundle.pem"},
            warnings=("is not trusted: /etc/ca-certificates.conf distrusts it",),
        ),
        "distrusted: deselected, and the file is gone, but for the administrator's own copy": Layout(
            {**_GONE, "/usr/local/share/ca-certificates/bundled.crt": Pem("bundled")},
            "system both stranger bundled",
            variables={"CERTHOOK_BUNDLE": "/etc/bundle.pem"},
        ),
        "distrusted: in the system's store and in the bundle": Layout(
            {**FEDORA_44, f"{_BLOCKLIST}/a.pem": Pem("both system")}, "bundled"
        ),
        "distrusted: named by a variable": Layout(
            {**DEBIAN, "/etc/company.pem": Pem("extra"), f"{_BLOCKLIST}/a.pem": Pem("extra")},
            ALL,
            variables={"CERTHOOK_EXTRA_CA_CERTS": "/etc/company.pem"},
            warnings=(f"is not trusted: {_BLOCKLIST}/a.pem distrusts it",),
        ),
        "distrusted: nothing is, it is only a source": Layout(
            {
                **FEDORA_44,
                "/etc/pki/ca-trust/source/README": b"Put your certificates in anchors.",
                "/etc/pki/ca-trust/source/a.p11-kit": P11Kit("bundled", attributes="trusted: true"),
                "/etc/pki/ca-trust/source/b.pem": Pem("bundled"),
                "/etc/pki/ca-trust/source/c.pem": Trusted("bundled", "-addreject emailProtection"),
                "/etc/pki/ca-trust/source/anchors/d.pem": Pem("system"),
                f"{_BLOCKLIST}/README": b"Put what you distrust here.",
            },
            ALL,
        ),
        "distrusted: PEM, and an object behind it": Layout(
            {**FEDORA_44, f"{_BLOCKLIST}/a": Pem("bundled", b"[p11-kit-object-v1]\nclass: certificate\n{both}")},
            "system",
        ),
        "distrusted: what an editor left": Layout({**FEDORA_44, f"{_BLOCKLIST}/.a.pem.swp": b"b0VIM 9.0"}, ALL),
        "distrusted: a file that names nothing": Layout(
            {**FEDORA_44, f"{_BLOCKLIST}/a.pem": b"bundled", f"{_BLOCKLIST}/b.pem": Pem("bundled")},
            "system both",
            warnings=(f"{_BLOCKLIST}/a.pem: names nothing to distrust; ",),
        ),
        "distrusted: a FIFO": Layout(
            {**FEDORA_44, f"{_BLOCKLIST}/a.pem": os.mkfifo},
            "system both",
            warnings=(f"{_BLOCKLIST}/a.pem: is a pipe; ", "bundled: is left out, since it may have what this "),
        ),
        "distrusted: a FIFO, and there is no store": Layout(
            {f"{_BLOCKLIST}/a.pem": os.mkfifo},
            "bundled both",
            warnings=(f"{_BLOCKLIST}/a.pem: is a pipe; ",),
        ),
        "distrusted: indented": Layout(
            {**FEDORA_44, f"{_BLOCKLIST}/a.pem": Indented("bundled")},
            "system both",
        ),
    }
)
# What Python does without certhook is the same as without the list.
COMPARED = [name for name, layout in LAYOUTS.items() if layout.bare is not None and "distrusted" not in name]

# First by compiled store, then with every anchor loaded: slower, never different.
BOTH_WAYS = f"""
import os
for way in "lazy", "eager":
    os.environ["CERTHOOK_LOAD"] = way
    exec({support.VERDICTS!r})
"""


def _openssl(*arguments: str, given: bytes = b"") -> str:
    return subprocess.run(["openssl", *arguments], input=given, check=True, stdout=subprocess.PIPE).stdout.decode()


class Machine:
    """Runs interpreters on a machine with files of its own."""

    def __init__(self, cas, servers, installed, plain, folder: Path) -> None:
        self.cas = cas
        self.servers = servers
        self.installed = installed
        self.plain = plain
        self.folder = folder
        self.hashes = {name: self._hash(name, "-subject_hash") for name in cas.names}
        self.hashes.update({f"{name}:old": self._hash(name, "-subject_hash_old") for name in cas.names})
        where = "import ssl; print(ssl.get_default_verify_paths().openssl_cafile)"
        self.openssldir = os.path.dirname(support.run(plain, where).stdout.strip())
        self.certifi = support.purelib(installed) / "certifi"
        self.bundle = (self.certifi / "cacert.pem").read_bytes() + cas.pem("bundled", "both")

    def _hash(self, name: str, which: str) -> str:
        return _openssl("x509", "-noout", which, given=self.cas.pem(name)).strip()

    def tree(self, described: dict) -> namespace.Tree:
        """The files that *described* describes."""
        tree = {}
        for path, entry in described.items():
            path = path.replace(OPENSSL, self.openssldir)
            path = re.sub(r"\{(.+?)\}", lambda match: self.hashes[match[1]], path)
            if isinstance(entry, Pem):
                then = re.sub(rb"\{(\w+)\}", lambda match: self.cas.pem(match[1].decode()), entry.then)
                tree[path] = self.cas.pem(*entry.names.split()) + then
            elif isinstance(entry, Trusted):
                command = ("x509", "-trustout", *entry.settings.split())
                tree[path] = _openssl(*command, given=self.cas.pem(entry.name)).encode()
            elif isinstance(entry, Indented):
                tree[path] = self.cas.pem(entry.name).replace(b"-----BEGIN", b"  -----BEGIN")
            elif isinstance(entry, Der):
                tree[path] = self.cas.der(entry.name)
            elif isinstance(entry, P11Kit):
                tree[path] = self._p11_kit(entry)
            elif isinstance(entry, Hashed):
                tree.update(self._rehashed(path, entry.names.split()))
            else:
                tree[path] = entry
        return tree

    def _p11_kit(self, entry: P11Kit) -> bytes:
        certificate = x509.Certificate(self.cas.der(entry.name))
        named = {
            "pem": self.cas.pem(entry.name).decode(),
            "value": f'value: "{_quoted(certificate.der)}"',
            "key": der.pem(certificate.key, "PUBLIC KEY").decode(),
            "serial": f'issuer: "{_quoted(certificate.issuer)}"\nserial-number: "{_quoted(certificate.serial)}"',
        }
        lines = ["[p11-kit-object-v1]", 'label: "of the tests"', "class: certificate", entry.attributes]
        return "\n".join(["# written by hand", *lines, named[entry.form], ""]).encode()

    def _rehashed(self, path: str, names: list[str]) -> namespace.Tree:
        folder = self.folder / "+".join(names)
        if not folder.exists():
            folder.mkdir()
            for name in names:
                (folder / f"{name}.pem").write_bytes(self.cas.pem(name))
            _openssl("rehash", str(folder))
        return {
            f"{path}/{file.name}": Link(os.readlink(file)) if file.is_symlink() else file.read_bytes()
            for file in folder.iterdir()
        }

    def run(self, python: Path, code: str, described: dict, folder: Path, over=None, capable=True, **variables: str):
        """Run *code* on a machine with the files of *described*; a non-empty standard output shows that it ran."""
        if over is None:
            over = {str(self.certifi / "cacert.pem"): self.bundle}
        env = support.clean_env(**variables, SERVERS=support.server_list(self.servers))
        done = namespace.run(
            python, code, self.tree(described), env, folder, over=over, hidden=(self.openssldir,), capable=capable
        )
        assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done


@pytest.fixture(scope="module")
def machine(root, cas, servers, installed, plain, tmp_path_factory) -> Machine:
    machine = Machine(cas, servers, installed, plain, tmp_path_factory.mktemp("machine"))
    if machine.openssldir in ("/etc/ssl", "/etc/pki/tls"):
        pytest.skip(f"{machine.openssldir} is OpenSSL's own here: it cannot be another OpenSSL's too")
    return machine


def expected(names: str) -> dict[str, bool]:
    return {name: name in names.split() for name in support.Authorities.names}


def lines_of(done: subprocess.CompletedProcess[str]) -> list[dict[str, bool]]:
    return [support.verdicts(line) for line in done.stdout.splitlines()]


def warnings_of(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The messages of the warnings on standard error, on which nothing else may be."""
    # Since Python 3.13, the line that the warning is about follows, indented, for code of "-c" too.
    lines = [line for line in done.stderr.splitlines() if not line.startswith("  ")]
    assert all("CerthookWarning: " in line for line in lines), done.stderr
    return [line.partition("CerthookWarning: ")[2] for line in lines]


@pytest.mark.parametrize("name", LAYOUTS)
def test_certhook_trusts_the_systems_roots_and_the_bundles(machine, tmp_path, name) -> None:
    layout = LAYOUTS[name]
    done = machine.run(machine.installed, BOTH_WAYS, layout.tree, tmp_path, **layout.variables)
    assert lines_of(done) == [expected(layout.trusted)] * 2
    line = machine.cas.pem("system").count(b"\n") + 1
    shown = warnings_of(done)
    assert len(shown) == len(layout.warnings), shown
    for message, pattern in zip(shown, layout.warnings):
        assert pattern.format(line=line) in message


# Each place of a Linux distribution, by itself.
WELL_KNOWN_FILES = (
    STORE,
    _FEDORA_BUNDLE,
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/ssl/cert.pem",
    "/etc/pki/tls/cert.pem",
    "/etc/ssl/certs/ca-bundle.crt",
    "/usr/share/ssl/certs/ca-bundle.crt",
    "/opt/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/certs/cacert.pem",
    "/usr/local/share/curl/curl-ca-bundle.crt",
)
WELL_KNOWN_DIRECTORIES = (
    "/etc/ssl/certs",
    "/etc/pki/tls/certs",
    "/etc/ca-certificates/extracted/cadir",
    "/etc/security/certificates",
)


@pytest.mark.parametrize("path", WELL_KNOWN_FILES)
def test_each_well_known_file_is_found(machine, tmp_path, path) -> None:
    done = machine.run(machine.installed, BOTH_WAYS, {path: Pem("system")}, tmp_path)
    assert (lines_of(done), warnings_of(done)) == ([expected(ALL)] * 2, [])


@pytest.mark.parametrize("path", WELL_KNOWN_DIRECTORIES)
def test_each_well_known_directory_is_found(machine, tmp_path, path) -> None:
    tree = {path: Hashed("system"), f"{path}/localhost.crt": Pem("stranger")}
    done = machine.run(machine.installed, BOTH_WAYS, tree, tmp_path)
    assert (lines_of(done), warnings_of(done)) == ([expected(ALL)] * 2, [])


@pytest.mark.parametrize("folder", ["/etc/ssl/untrusted", "/usr/share/certs/untrusted", "/usr/local/etc/ssl/untrusted"])
def test_what_freebsd_distrusts_is_not_trusted(machine, tmp_path, folder) -> None:
    """FreeBSD's layout, on Linux with its name."""
    as_freebsd = f'import sys\nsys.platform = "freebsd14"\n{BOTH_WAYS}'
    tree = {"/usr/local/share/certs/ca-root-nss.crt": Pem("system both")}
    done = machine.run(machine.installed, as_freebsd, tree, tmp_path)
    assert (lines_of(done), warnings_of(done)) == ([expected(ALL)] * 2, [])
    (tmp_path / "distrusting").mkdir()
    done = machine.run(
        machine.installed, as_freebsd, {**tree, f"{folder}/a.crt": Pem("bundled")}, tmp_path / "distrusting"
    )
    assert (lines_of(done), warnings_of(done)) == ([expected("system both")] * 2, [])


@pytest.mark.parametrize("name", COMPARED)
def test_without_certhook_python_trusts_what_its_openssl_finds(machine, tmp_path, name) -> None:
    layout = LAYOUTS[name]
    done = machine.run(machine.plain, support.VERDICTS, layout.tree, tmp_path, over={}, **layout.variables)
    assert lines_of(done) == [expected(layout.bare)]


def without_certifi(machine: Machine) -> dict[str, None]:
    """An empty directory, which is no package, in the place of certifi."""
    return {str(machine.certifi): None}


def test_nothing_and_no_bundle_verifies_nobody_and_says_so(machine, tmp_path) -> None:
    done = machine.run(machine.installed, BOTH_WAYS, {}, tmp_path, over=without_certifi(machine))
    assert lines_of(done) == [expected("")] * 2
    bundle, clear = sorted(warnings_of(done))
    assert bundle.startswith("certifi: is not installed; 'pip install certifi'")
    assert clear.startswith("no trusted root was found, so no server can be verified.")
    assert all(place in clear for place in (machine.openssldir, STORE, "/etc/ssl/certs"))


def test_without_a_bundle_the_systems_roots_are_trusted(machine, tmp_path) -> None:
    done = machine.run(machine.installed, BOTH_WAYS, DEBIAN, tmp_path, over=without_certifi(machine))
    assert lines_of(done) == [expected("system both")] * 2
    (shown,) = warnings_of(done)
    assert shown.startswith("certifi: is not installed; ")


UNREADABLE = {
    "the file": ({STORE: namespace.unreadable(b"?")}, STORE),
    "a file of the directory": (
        {"/etc/ssl/certs": Hashed("both"), "/etc/ssl/certs/{system}.0": namespace.unreadable(b"?")},
        "/etc/ssl/certs/",
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_permissions_hide_is_named_and_left_out(machine, tmp_path, name) -> None:
    tree, path = UNREADABLE[name]
    done = machine.run(machine.installed, BOTH_WAYS, tree, tmp_path, capable=False)
    assert lines_of(done) == [expected("bundled both")] * 2
    (shown,) = warnings_of(done)
    assert shown.startswith(path)
    assert ": cannot be read: Permission denied. Run '" in shown


# Without the rights that root has over files, once cold and once warm, with them, and without them again.
PROCESSES = f"""
import subprocess, sys
code = {support.VERDICTS!r} + "print('certhook._sources' in __import__('sys').modules)"
without = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
for command in (without, without, [], without):
    command = [*command, sys.executable, "-W", "ignore", "-c", code]
    sys.stdout.write(subprocess.check_output(command, encoding="utf-8"))
"""


def test_a_list_that_one_process_may_not_read_holds_for_one_that_may(machine, tmp_path) -> None:
    """The first leaves no index for the second, which has the same cache; and it does without the bundle."""
    tree = {STORE: Pem("system both"), f"{_BLOCKLIST}/a.pem": namespace.unreadable(machine.cas.pem("system"))}
    lines = machine.run(machine.installed, PROCESSES, tree, tmp_path).stdout.splitlines()
    assert [support.verdicts(line) for line in lines[::2]] == [
        expected("system both"),
        expected("system both"),
        expected("bundled both"),
        expected("bundled both"),  # What is known of it is no secret.
    ]
    assert lines[1::2] == ["True", "False", "True", "False"]


def test_a_folder_of_lists_that_may_not_be_entered_is_named_once(machine, tmp_path) -> None:
    folder = _BLOCKLIST.rpartition("/")[0]
    tree = {STORE: Pem("system both"), f"{folder}/blocklist/a.pem": Pem("system"), folder: namespace.closed}
    done = machine.run(machine.installed, support.VERDICTS, tree, tmp_path, capable=False)
    assert lines_of(done) == [expected("system both")]
    assert [shown.partition(":")[0] for shown in warnings_of(done)] == [folder, "bundled"]


# One line of verdicts before and one after the update of a running program.
UPDATED = f"""
import os
verdicts = {support.VERDICTS!r}
exec(verdicts)
exec(os.environ["UPDATE"])
exec(verdicts)
"""

# The layout, the update, and whom the program trusts before and afterwards.
UPDATES = {
    "the file is replaced": (
        {STORE: Pem("system"), f"{STORE}.new": Pem("system stranger")},
        f"os.rename('{STORE}.new', '{STORE}')",
        (ALL, f"{ALL} stranger"),
    ),
    "the file is overwritten": (
        {STORE: Pem("stranger"), "/etc/new.pem": Pem("system stranger")},
        f"open('{STORE}', 'wb').write(open('/etc/new.pem', 'rb').read())",
        ("bundled both stranger", f"{ALL} stranger"),
    ),
    "a root leaves the file": (
        {STORE: Pem("system stranger"), f"{STORE}.new": Pem("system")},
        f"os.rename('{STORE}.new', '{STORE}')",
        (f"{ALL} stranger", ALL),
    ),
    "a link to the file is turned": (
        {STORE: Link("/etc/old.pem"), "/etc/old.pem": Pem("system"), "/etc/new.pem": Pem("stranger")},
        f"os.symlink('/etc/new.pem', '/etc/link'); os.rename('/etc/link', '{STORE}')",
        (ALL, "bundled both stranger"),
    ),
    "a hashed link is added": (
        {"/etc/ssl/certs": Hashed("system"), "/etc/stranger.pem": Pem("stranger")},
        "os.symlink('/etc/stranger.pem', '/etc/ssl/certs/{stranger}.0')",
        (ALL, f"{ALL} stranger"),
    ),
    "a hashed link is taken away": (
        {"/etc/ssl/certs": Hashed("system stranger")},
        "os.unlink('/etc/ssl/certs/{stranger}.0')",
        (f"{ALL} stranger", ALL),
    ),
    "a store comes into being": (
        {"/etc/new.pem": Pem("system")},
        "os.makedirs('/etc/ssl/certs'); os.rename('/etc/new.pem', '/etc/ssl/certs/ca-certificates.crt')",
        ("bundled both", ALL),
    ),
    "OpenSSL's own place comes into being": (
        {STORE: Pem("system"), "/etc/new.pem": Pem("stranger")},
        "os.symlink('/etc/new.pem', '{OPENSSLDIR}/cert.pem')",
        (ALL, "bundled both stranger"),
    ),
    "a root is distrusted": (
        {STORE: Pem("system"), "/etc/bad.pem": Pem("bundled")},
        f"os.makedirs('{_BLOCKLIST}'); os.rename('/etc/bad.pem', '{_BLOCKLIST}/bad.pem')",
        (ALL, "system both"),
    ),
    "a root is distrusted in a list that is there": (
        {STORE: Pem("system"), f"{_BLOCKLIST}/bad.pem": Pem("extra"), "/etc/bad.pem": Pem("bundled")},
        f"open('{_BLOCKLIST}/bad.pem', 'ab').write(open('/etc/bad.pem', 'rb').read())",
        (ALL, "system both"),
    ),
    "a root is distrusted no more": (
        {STORE: Pem("system"), f"{_BLOCKLIST}/bad.pem": Pem("bundled")},
        f"os.unlink('{_BLOCKLIST}/bad.pem')",
        ("system both", ALL),
    ),
    "a root is deselected": (
        {
            STORE: Pem("system"),
            "/etc/ca-certificates.conf": b"mozilla/bundled.crt",
            "/etc/new.conf": b"!mozilla/bundled.crt",
            "/usr/share/ca-certificates/mozilla/bundled.crt": Pem("bundled"),
        },
        "os.rename('/etc/new.conf', '/etc/ca-certificates.conf')",
        (ALL, "system both"),
    ),
    "the store is taken away": ({STORE: Pem("system")}, f"os.unlink('{STORE}')", (ALL, "bundled both")),
}


@pytest.mark.parametrize("way", ["lazy", "eager"])
@pytest.mark.parametrize("name", UPDATES)
def test_the_next_context_of_a_running_program_sees_an_update(machine, tmp_path, name, way) -> None:
    tree, update, trusted = UPDATES[name]
    update = update.format(OPENSSLDIR=machine.openssldir, **machine.hashes)
    tree = {OPENSSL: os.mkdir, **tree}
    done = machine.run(machine.installed, UPDATED, tree, tmp_path, CERTHOOK_LOAD=way, UPDATE=update)
    assert lines_of(done) == [expected(names) for names in trusted]
    assert warnings_of(done) == []


def test_a_namespace_changes_nothing_outside(machine, tmp_path) -> None:
    code = """
import os
for place in "/etc", "/usr", "/var", os.environ["FOLDER"]:
    try:
        open(place + "/certhook-tests", "w").close()
        print(place)
    except OSError as error:
        print(error.strerror)
"""
    tree = {"/etc/pki/tls/cert.pem": b"", "/usr/share/ssl/certs": os.mkdir, "/var/lib/x": b""}
    done = machine.run(machine.installed, code, tree, tmp_path, FOLDER=str(tmp_path))
    assert done.stdout.split("\n")[:4] == ["/etc", "/usr", "/var", "Read-only file system"]
    left = [f"{place}/certhook-tests" for place in ("/etc", "/usr", "/var", tmp_path)]
    assert not any(map(os.path.exists, left))
    assert not os.path.exists("/var/lib/x")
