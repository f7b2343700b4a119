"""The layouts of the operating system's store on Linux distributions, and the servers that are trusted with each."""

from __future__ import annotations

import os
from typing import NamedTuple

import der
from linux_machine import OPENSSL, Der, Hashed, Indented, P11Kit, Pem, Trusted
from namespace import Link, sparse

DEBIAN = {
    "/etc/ssl/certs": Hashed("system both"),
    "/etc/ssl/certs/ca-certificates.crt": Pem("system both"),
}
DEBIAN_OPENSSL = {
    **DEBIAN,
    f"{OPENSSL}/certs": Link("/etc/ssl/certs"),
    f"{OPENSSL}/cert.pem": Link("/etc/ssl/certs/ca-certificates.crt"),
}
FEDORA_BUNDLE = "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"
FEDORA_43 = {
    FEDORA_BUNDLE: Pem("system both"),
    "/etc/pki/tls/cert.pem": Link(FEDORA_BUNDLE),
    "/etc/pki/tls/certs/ca-bundle.crt": Link(FEDORA_BUNDLE),
    "/etc/pki/tls/certs/ca-certificates.crt": Link(FEDORA_BUNDLE),
    "/etc/ssl/cert.pem": Link("/etc/pki/tls/cert.pem"),
    "/etc/ssl/certs": Link("/etc/pki/tls/certs"),
}
# https://fedoraproject.org/wiki/Changes/droppingOfCertPemFile
FEDORA_44 = {
    FEDORA_BUNDLE: Pem("system both"),
    "/etc/pki/ca-trust/extracted/pem/directory-hash": Hashed("system both"),
    "/etc/pki/tls/certs": Hashed("system both"),
    "/etc/ssl/certs": Link("/etc/pki/tls/certs"),
}
FEDORA_44_ONLY_BUNDLE = {FEDORA_BUNDLE: Pem("system both"), "/etc/pki/tls/certs": os.mkdir}
FEDORA_OPENSSL = {OPENSSL: Link("/etc/pki/tls")}
# The self-signed certificate that mod_ssl creates for a web server.
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
# Distributions whose OpenSSL is compiled with OPENSSLDIR=/etc/ssl.
ETC_SSL_OPENSSL = {OPENSSL: Link("/etc/ssl")}
STORE = "/etc/ssl/certs/ca-certificates.crt"


class Layout(NamedTuple):
    """Files, and the authorities that are trusted with them, separated by spaces.

    :ivar tree: the files; see :meth:`linux_machine.LinuxMachine.tree`
    :ivar trusted: the authorities that Python with certhook trusts
    :ivar bare: the authorities that Python without certhook trusts, None if it would block
    :ivar warnings: a part of each warning
    :ivar variables: environment variables
    """

    tree: dict
    trusted: str
    bare: str | None = ""
    warnings: tuple[str, ...] = ()
    variables: dict[str, str] = {}


ALL = "system bundled both"

LAYOUTS = {
    "Debian's own Python": Layout(DEBIAN_OPENSSL, ALL, "system both"),
    "Debian, another OpenSSL": Layout(DEBIAN, ALL),
    "Debian, another OpenSSL, only the file": Layout({STORE: Pem("system both")}, ALL),
    "Debian, another OpenSSL, only the directory": Layout({"/etc/ssl/certs": Hashed("system both")}, ALL),
    "Debian, an extra certificate": Layout(
        {**DEBIAN_OPENSSL, "/etc/company.pem": Pem("extra")},
        "system bundled both extra",
        "system both",
        variables={"CERTHOOK_EXTRA_CA_CERTS": "/etc/company.pem"},
    ),
    "Debian without ca-certificates": Layout(
        {f"{OPENSSL}/certs": Link("/etc/ssl/certs"), f"{OPENSSL}/cert.pem": Link(STORE), "/etc/ssl/certs": os.mkdir},
        "bundled both",
    ),
    "Fedora 43's own Python": Layout({**FEDORA_43, **FEDORA_OPENSSL}, ALL, "system both"),
    "Fedora 43, another OpenSSL": Layout(FEDORA_43, ALL),
    "Fedora 43's own Python, a web server": Layout({**FEDORA_43, **LOCALHOST, **FEDORA_OPENSSL}, ALL, "system both"),
    "Fedora 43, another OpenSSL, a web server": Layout({**FEDORA_43, **LOCALHOST}, ALL),
    "Fedora 44's own Python": Layout({**FEDORA_44, **FEDORA_OPENSSL}, ALL, "system both"),
    "Fedora 44, another OpenSSL": Layout(FEDORA_44, ALL),
    "Fedora 44's own Python, a web server": Layout({**FEDORA_44, **LOCALHOST, **FEDORA_OPENSSL}, ALL, "system both"),
    "Fedora 44, another OpenSSL, a web server": Layout({**FEDORA_44, **LOCALHOST}, ALL),
    "Fedora 44, no hashed directory": Layout({**FEDORA_44_ONLY_BUNDLE, **FEDORA_OPENSSL}, ALL),
    "Fedora 44, another OpenSSL, no hashed directory": Layout({**FEDORA_44_ONLY_BUNDLE, **LOCALHOST}, ALL),
    "Alpine's own Python": Layout({**ALPINE, **ETC_SSL_OPENSSL}, ALL, "system both"),
    "Alpine, another OpenSSL": Layout(ALPINE, ALL),
    "Alpine, only the file": Layout({"/etc/ssl/cert.pem": Pem("system both")}, ALL),
    "SUSE's own Python": Layout({**SUSE, **ETC_SSL_OPENSSL}, ALL, "system both"),
    "SUSE, another OpenSSL": Layout(SUSE, ALL),
    "Arch's own Python": Layout({**ARCH, **ETC_SSL_OPENSSL}, ALL, "system both"),
    "Arch, another OpenSSL": Layout(ARCH, ALL),
    "Arch, another OpenSSL, only cadir": Layout({"/etc/ca-certificates/extracted/cadir": Hashed("system both")}, ALL),
    "an empty /etc/ssl/certs": Layout({"/etc/ssl/certs": os.mkdir}, "bundled both"),
    "an empty file": Layout({STORE: b""}, "bundled both"),
    "an empty file before another one": Layout({STORE: b"# none\n", "/etc/ssl/cert.pem": Pem("system")}, ALL),
    "no store": Layout({}, "bundled both"),
    "a dangling link": Layout({STORE: Link("/run/gone.pem")}, "bundled both"),
    "a link to itself": Layout({STORE: Link(STORE)}, "bundled both", warnings=(f"{STORE}: cannot be read: Too many",)),
    "a FIFO": Layout({STORE: os.mkfifo}, "bundled both", warnings=(f"{STORE}: is a pipe; ",)),
    "a FIFO as the compiled-in file": Layout(
        {f"{OPENSSL}/cert.pem": os.mkfifo, STORE: Pem("system both")},
        ALL,
        bare=None,
        warnings=("cert.pem: is a pipe; ",),
    ),
    "a FIFO in the directory": Layout(
        {"/etc/ssl/certs": Hashed("system both"), "/etc/ssl/certs/01234567.0": os.mkfifo},
        ALL,
        warnings=("/etc/ssl/certs/01234567.0: is a pipe; ",),
    ),
    "200 MiB of null characters": Layout(
        {STORE: sparse(200 << 20)}, "bundled both", warnings=(f"{STORE}: is larger than 64 MiB; ",)
    ),
    "a directory instead of the file": Layout(
        {STORE: os.mkdir}, "bundled both", warnings=(f"{STORE}: is a directory; ",)
    ),
    "a directory instead of the file, another file": Layout(
        {STORE: os.mkdir, "/etc/ssl/cert.pem": Pem("system both")}, ALL, warnings=(f"{STORE}: is a directory; ",)
    ),
    "a block of invalid base64": Layout(
        {STORE: Pem("system", text=b"-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n{both}")},
        ALL,
        warnings=(f"{STORE}: the certificate at line {{line}} was skipped: invalid base64",),
    ),
    "a block that is not a certificate": Layout(
        {STORE: Pem("system", text=b"-----BEGIN CERTIFICATE-----\nMAMCAQA=\n-----END CERTIFICATE-----\n{both}")},
        ALL,
        warnings=(f"{STORE}: the certificate at line {{line}} was skipped: not an X.509 certificate",),
    ),
    "a block without an end": Layout(
        {STORE: Pem("system", text=b"-----BEGIN CERTIFICATE-----\nMAMC\n{both}")},
        ALL,
        warnings=(f"{STORE}: the certificate at line {{line}} was skipped: the END line is missing",),
    ),
    "a directory without hashes": Layout(
        {"/etc/ssl/certs/system.pem": Pem("system"), "/etc/ssl/certs/both.crt": Pem("both")}, "bundled both"
    ),
    "a wrong hash": Layout(
        {"/etc/ssl/certs": Hashed("system"), "/etc/ssl/certs/01234567.0": Pem("stranger")}, "system bundled both"
    ),
    "numbers that start at 1": Layout(
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
    "subject hashes of OpenSSL 0.9": Layout(
        {"/etc/ssl/certs": Hashed("system"), "/etc/ssl/certs/{stranger:old}.0": Pem("stranger")}, ALL
    ),
    "a certificate with the name of a revocation list": Layout(
        {"/etc/ssl/certs": Hashed("system"), "/etc/ssl/certs/{stranger}.r0": Pem("stranger")}, ALL
    ),
    "a certificate in the file is rejected for servers": Layout(
        {STORE: Trusted("both", "-addreject serverAuth"), "/etc/ssl/certs": Hashed("system")}, "system bundled"
    ),
    "a certificate in the directory is rejected for servers": Layout(
        {STORE: Pem("system"), "/etc/ssl/certs/{both}.0": Trusted("both", "-addreject serverAuth")}, "system bundled"
    ),
    "a certificate in the compiled-in file is rejected for servers": Layout(
        {
            f"{OPENSSL}/cert.pem": Trusted("both", "-addreject serverAuth"),
            f"{OPENSSL}/certs": Hashed("system"),
        },
        "system bundled",
        "system",
    ),
    "trusted only for mail": Layout(
        {STORE: Trusted("system", "-addtrust emailProtection"), "/etc/ssl/certs": Hashed("both")}, "bundled both"
    ),
    "trusted only for mail in the compiled-in file": Layout(
        {f"{OPENSSL}/cert.pem": Trusted("system", "-addtrust emailProtection")}, "bundled both"
    ),
    "trusted only for servers": Layout(
        {f"{OPENSSL}/cert.pem": Trusted("system", "-addtrust serverAuth")}, ALL, "system"
    ),
    "rejected for clients": Layout({STORE: Trusted("system", "-addreject clientAuth")}, ALL),
}

# The block lists of distributions, each with a root of the bundle.
BLOCKLIST = "/etc/pki/ca-trust/source/blocklist"
_FOR_MAIL = f"""class: x-certificate-extension
object-id: 2.5.29.37
value: "{der.escaped(der.extension("2.5.29.37", "1.3.6.1.5.5.7.3.4"))}\""""
_DISTRUST_AFTER = 'trusted: true\nnss-server-distrust-after: "{}0101000000Z"'
_BUNDLED_DISTRUSTED = {
    "Fedora, PEM": (FEDORA_44, {f"{BLOCKLIST}/bundled.pem": Pem("bundled")}),
    "Fedora, DER": (FEDORA_44, {f"{BLOCKLIST}/bundled.crt": Der("bundled")}),
    "Fedora, list of the vendor": (FEDORA_44, {"/usr/share/pki/ca-trust-source/blocklist/a": Pem("bundled")}),
    "Fedora, old name of the directory": (FEDORA_44, {"/etc/pki/ca-trust/source/blacklist/a.pem": Pem("bundled")}),
    "Fedora, a link": (FEDORA_44, {f"{BLOCKLIST}/a": Link("/etc/bad.pem"), "/etc/bad.pem": Pem("bundled")}),
    "Fedora, rejected for servers": (
        FEDORA_44,
        {"/etc/pki/ca-trust/source/a.pem": Trusted("bundled", "-addreject serverAuth")},
    ),
    "Fedora, without a list of trusted uses": (
        FEDORA_44,
        {"/etc/pki/ca-trust/source/anchors/a.pem": Trusted("bundled", "-addreject emailProtection")},
    ),
    "Fedora, with a name but without a list of trusted uses": (
        FEDORA_44,
        {"/etc/pki/ca-trust/source/anchors/a.pem": Trusted("bundled", "-setalias name")},
    ),
    "Fedora, with a distrust date": (
        FEDORA_44,
        {"/usr/share/pki/ca-trust-source/a.p11-kit": P11Kit("bundled", attributes=_DISTRUST_AFTER.format("20"))},
    ),
    "Fedora, p11-kit with PEM": (FEDORA_44, {"/etc/pki/ca-trust/source/a.p11-kit": P11Kit("bundled")}),
    "Fedora, p11-kit with a value": (FEDORA_44, {"/etc/pki/ca-trust/source/a.p11-kit": P11Kit("bundled", "value")}),
    "Fedora, p11-kit with a serial number": (
        FEDORA_44,
        {"/etc/pki/ca-trust/source/a.p11-kit": P11Kit("bundled", "serial")},
    ),
    "Fedora, p11-kit with an extension": (
        FEDORA_44,
        {"/etc/pki/ca-trust/source/a.p11-kit": P11Kit("bundled", "key", _FOR_MAIL)},
    ),
    "Fedora, a hidden file": (FEDORA_44, {f"{BLOCKLIST}/.bundled.pem": Pem("bundled")}),
    "Fedora, rejected among the anchors": (
        FEDORA_44,
        {"/etc/pki/ca-trust/source/anchors/a.pem": Trusted("bundled", "-addreject serverAuth")},
    ),
    "Fedora, an object among the anchors": (
        FEDORA_44,
        {"/etc/pki/ca-trust/source/anchors/a.p11-kit": P11Kit("bundled", "value", 'x-distrusted: "%01"')},
    ),
    "Fedora, trusted only for mail": (
        FEDORA_44,
        {"/etc/pki/ca-trust/source/a.pem": Trusted("bundled", "-addtrust emailProtection")},
    ),
    "Fedora, p11-kit in the block list": (FEDORA_44, {f"{BLOCKLIST}/a.p11-kit": P11Kit("bundled", "value", "")}),
    "SUSE": (SUSE, {"/etc/pki/trust/blocklist/bundled.pem": Pem("bundled")}),
    "SUSE, list of the vendor": (SUSE, {"/usr/share/pki/trust/blocklist/bundled.pem": Pem("bundled")}),
    "Arch": (ARCH, {"/etc/ca-certificates/trust-source/blocklist/bundled.crt": Pem("bundled")}),
    "Arch, list of the vendor": (ARCH, {"/usr/share/ca-certificates/trust-source/blocklist/a": Pem("bundled")}),
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
# certifi's bundle contains Mozilla's label of each root, from which Debian derives the name of its file.
_LABELLED = {"/etc/bundle.pem": Pem("stranger", b'# Label: "The root (of this test)"\n# Serial: 1\n{bundled}')}
_REMOVED = {
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
        "deselected, but selected in another file": Layout(
            {
                **DEBIAN_OPENSSL,
                **_DESELECTED,
                "/etc/ca-certificates.conf": b"!mozilla/both.crt\n!mozilla/bundled.crt\nmozilla/new.crt\n",
                "/usr/share/ca-certificates/mozilla/new.crt": Pem("both"),
            },
            "system both",
            "system both",
        ),
        "a configuration that /dev/null masks": Layout(
            {**DEBIAN_OPENSSL, "/etc/ca-certificates.conf": Link("/dev/null")}, ALL, "system both"
        ),
        "distrusted: deselected, but added locally": Layout(
            {**DEBIAN, **_DESELECTED, "/usr/local/share/ca-certificates/company/both.crt": Pem("both")}, "system both"
        ),
        "distrusted: deselected, and added locally with another suffix": Layout(
            {**DEBIAN, **_DESELECTED, "/usr/local/share/ca-certificates/both.pem": Pem("both")}, "system"
        ),
        "distrusted: deselected, and the file was removed": Layout(
            _REMOVED,
            "system both stranger",
            variables={"CERTHOOK_BUNDLE": "/etc/bundle.pem"},
            warnings=("is not trusted, because /etc/ca-certificates.conf distrusts it",),
        ),
        "distrusted: deselected, the file was removed, and the system's store contains the root": Layout(
            {**_REMOVED, STORE: Pem("system bundled")},
            "system both stranger",
            variables={"CERTHOOK_BUNDLE": "/etc/bundle.pem"},
            warnings=("is not trusted, because /etc/ca-certificates.conf distrusts it",),
        ),
        "distrusted: deselected, and the file was removed, but added locally": Layout(
            {**_REMOVED, "/usr/local/share/ca-certificates/bundled.crt": Pem("bundled")},
            "system both stranger bundled",
            variables={"CERTHOOK_BUNDLE": "/etc/bundle.pem"},
        ),
        "distrusted: in the system's store and in the bundle": Layout(
            {**FEDORA_44, f"{BLOCKLIST}/a.pem": Pem("both system")}, "bundled"
        ),
        "distrusted: a root of the extra source": Layout(
            {**DEBIAN, "/etc/company.pem": Pem("extra"), f"{BLOCKLIST}/a.pem": Pem("extra")},
            ALL,
            variables={"CERTHOOK_EXTRA_CA_CERTS": "/etc/company.pem"},
            warnings=(f"is not trusted, because {BLOCKLIST}/a.pem distrusts it",),
        ),
        "distrusted: nothing, since the files are not in a block list": Layout(
            {
                **FEDORA_44,
                "/etc/pki/ca-trust/source/README": b"Put your certificates in anchors.",
                "/etc/pki/ca-trust/source/a.p11-kit": P11Kit("bundled", attributes="trusted: true"),
                "/etc/pki/ca-trust/source/b.pem": Pem("bundled"),
                "/etc/pki/ca-trust/source/c.pem": Trusted("bundled", "-addtrust serverAuth -addreject emailProtection"),
                "/etc/pki/ca-trust/source/d.p11-kit": P11Kit("bundled", attributes=_DISTRUST_AFTER.format("49")),
                "/etc/pki/ca-trust/source/anchors/d.pem": Pem("system"),
                f"{BLOCKLIST}/README": b"Put distrusted certificates here.",
            },
            ALL,
        ),
        "distrusted: PEM and an object in one file": Layout(
            {**FEDORA_44, f"{BLOCKLIST}/a": Pem("bundled", b"[p11-kit-object-v1]\nclass: certificate\n{both}")},
            "system",
        ),
        "distrusted: nothing, in the temporary file of an editor": Layout(
            {**FEDORA_44, f"{BLOCKLIST}/.a.pem.swp": b"b0VIM 9.0"}, ALL
        ),
        "distrusted: a file without a certificate": Layout(
            {**FEDORA_44, f"{BLOCKLIST}/a.pem": b"bundled", f"{BLOCKLIST}/b.pem": Pem("bundled")},
            "system both",
            warnings=(f"{BLOCKLIST}/a.pem: distrusts nothing; ",),
        ),
        "distrusted: a FIFO": Layout({**FEDORA_44, f"{BLOCKLIST}/a.pem": os.mkfifo}, ALL),
        "distrusted: indented": Layout(
            {**FEDORA_44, f"{BLOCKLIST}/a.pem": Indented("bundled")},
            "system both",
        ),
    }
)
#: The layouts for comparison with Python without certhook, which ignores block lists.
COMPARED_LAYOUTS = [name for name, layout in LAYOUTS.items() if layout.bare is not None and "distrusted" not in name]
