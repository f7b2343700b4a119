"""Where operating systems keep their trusted roots: data, in the order in which it is tried.

OpenSSL's compiled-in places come before all of these. Collected from golang/go
``src/crypto/x509/root_{linux,bsd,solaris,aix}.go``, rustls/openssl-probe,
curl's ``acinclude.m4``, composer/ca-bundle, truststore, wassima, and the manual
pages update-ca-certificates(8), update-ca-trust(8) and trust(1).
"""

from __future__ import annotations

import sys

#: A directory in OpenSSL's hashed layout: ``<subject hash>.<n>``, everything else in it is not trusted.
#: (Fedora's /etc/pki/tls/certs also holds the certificates of the machine's own web server.)
HASHED = "hashed"
#: The same with the subject hash of OpenSSL before 1.0.0.
HASHED_OLD = "hashed, old"
#: A directory that holds trusted CA certificates and nothing else, under any name.
ANY = "any"

_LINUX_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Gentoo, Arch, NixOS
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # RHEL 7+, Fedora; the only one in Fedora 44+
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora up to 43, RHEL 6
    "/etc/ssl/ca-bundle.pem",  # SUSE: a link to /var/lib/ca-certificates/ca-bundle.pem
    "/etc/pki/tls/cacert.pem",  # OpenELEC
    "/etc/ssl/cert.pem",  # Alpine, Arch, OpenWRT, Fedora 34 to 43, RHEL 9 and 10
    "/etc/pki/tls/cert.pem",  # older Fedora and RHEL
    "/etc/ssl/certs/ca-bundle.crt",  # RHEL 8
    "/usr/share/ssl/certs/ca-bundle.crt",  # old Red Hat
    "/opt/etc/ssl/certs/ca-certificates.crt",  # Entware
    "/etc/ssl/certs/cacert.pem",  # OpenHarmony
    "/usr/local/share/curl/curl-ca-bundle.crt",  # curl, built by hand
    "/nix/var/nix/profiles/default/etc/ssl/certs/ca-bundle.crt",  # Nix on another distribution
)
_LINUX_DIRECTORIES = (
    ("/etc/ssl/certs", HASHED),  # Debian, Ubuntu, Alpine, Arch, SUSE, Gentoo
    ("/etc/pki/tls/certs", HASHED),  # Fedora, RHEL
    ("/etc/ca-certificates/extracted/cadir", HASHED),  # Arch
    ("/etc/security/certificates", HASHED),  # OpenHarmony
)
_ANDROID_FILES = ("/data/data/com.termux/files/usr/etc/tls/cert.pem",)  # Termux
_ANDROID_DIRECTORIES = (
    ("/apex/com.android.conscrypt/cacerts", HASHED_OLD),  # Android 14+
    ("/system/etc/security/cacerts", HASHED_OLD),
    ("/data/misc/keychain/certs-added", HASHED_OLD),  # what the user added
)

#: Start of ``sys.platform`` to the files and the directories, the longest start first.
_PLACES = (
    ("android", _ANDROID_FILES, _ANDROID_DIRECTORIES),
    ("linux", _LINUX_FILES, _LINUX_DIRECTORIES),
    (
        "freebsd",
        (
            "/usr/local/etc/ssl/cert.pem",
            "/etc/ssl/cert.pem",
            "/usr/local/share/certs/ca-root-nss.crt",
        ),
        (
            ("/etc/ssl/certs", HASHED),  # certctl(8)
            ("/usr/local/share/certs", HASHED),
        ),
    ),
    ("dragonfly", ("/usr/local/share/certs/ca-root-nss.crt",), ()),
    ("openbsd", ("/etc/ssl/cert.pem",), ()),
    ("netbsd", ("/etc/openssl/certs/ca-certificates.crt",), (("/etc/openssl/certs", HASHED),)),
    (
        "sunos",
        (
            "/etc/certs/ca-certificates.crt",  # Solaris 11.2+, OpenIndiana
            "/etc/ssl/certs/ca-certificates.crt",  # SmartOS
            "/etc/ssl/cacert.pem",  # OmniOS
        ),
        (("/etc/certs/CA", ANY),),
    ),
    ("aix", ("/var/ssl/certs/ca-bundle.crt",), (("/var/ssl/certs", HASHED),)),
    ("haiku", ("/boot/system/data/ssl/CARootCertificates.pem",), ()),
    ("cygwin", ("/usr/ssl/certs/ca-bundle.crt",), ()),
    (
        "darwin",
        (
            "/etc/ssl/cert.pem",
            "/opt/homebrew/etc/openssl@3/cert.pem",  # Homebrew on Apple silicon
            "/usr/local/etc/openssl@1.1/cert.pem",  # Homebrew on Intel
            "/usr/local/etc/openssl/cert.pem",
            "/opt/local/share/curl/curl-ca-bundle.crt",  # MacPorts
        ),
        (),
    ),
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Tuple

    #: The files, and the directories with their layouts.
    Places = Tuple[Tuple[str, ...], Tuple[Tuple[str, str], ...]]


def of(platform: str = sys.platform) -> Places:
    """The well-known files and directories of *platform*; none on Windows, which has stores instead.

    :param platform: as ``sys.platform``; before Python 3.13, Android is a "linux"
    """
    if platform.startswith("linux") and hasattr(sys, "getandroidapilevel"):
        platform = "android"
    for start, files, directories in _PLACES:
        if platform.startswith(start):
            return files, directories
    return (), ()
