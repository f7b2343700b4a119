"""The well-known locations of trusted roots, as data, in the order in which they are tried.

OpenSSL's compiled-in locations come before all of these. Sources: golang/go
``src/crypto/x509/root_{linux,bsd,solaris,aix}.go``, rustls/openssl-probe, curl's
``acinclude.m4``, composer/ca-bundle, truststore, wassima, and the manual pages
update-ca-certificates(8), update-ca-trust(8) and trust(1).
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Tuple

    #: The files, and the directories with their layouts.
    WellKnown = Tuple[Tuple[str, ...], Tuple[Tuple[str, str], ...]]

#: A directory in OpenSSL's hashed layout. Only files named ``<subject hash>.<n>`` are trusted:
#: Fedora's /etc/pki/tls/certs may also contain the certificate of a web server.
HASHED = "hashed"
#: The same layout with the subject hash of OpenSSL before 1.0.0.
HASHED_OLD = "hashed, old"
#: A directory of trusted CA certificates under any names.
ANY = "any"

_LINUX_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Gentoo, Arch, NixOS
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # RHEL 7+, Fedora; the only file of Fedora 44+
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora up to 43, RHEL 6
    "/etc/ssl/ca-bundle.pem",  # SUSE, a link to /var/lib/ca-certificates/ca-bundle.pem
    "/etc/pki/tls/cacert.pem",  # OpenELEC
    "/etc/ssl/cert.pem",  # Alpine, Arch, OpenWRT, Fedora 34 to 43, RHEL 9 and 10
    "/etc/pki/tls/cert.pem",  # older Fedora and RHEL
    "/etc/ssl/certs/ca-bundle.crt",  # RHEL 8
    "/usr/share/ssl/certs/ca-bundle.crt",  # old Red Hat
    "/opt/etc/ssl/certs/ca-certificates.crt",  # Entware
    "/etc/ssl/certs/cacert.pem",  # OpenHarmony
    "/usr/local/share/curl/curl-ca-bundle.crt",  # curl, built from source
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
)
# Added by the user: Android 5+, Android 4.
_ANDROID_USERS = ("/data/misc/user/0/cacerts-added", "/data/misc/keychain/certs-added")

# For each prefix of sys.platform, the files and the directories. The first matching prefix applies.
_PLATFORMS: tuple[tuple[str, tuple[str, ...], tuple[tuple[str, str], ...]], ...] = (
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


def well_known(platform: str) -> WellKnown:
    """Return the well-known files and directories of *platform*; none on Windows, which only has native stores.

    :param platform: a value of ``sys.platform``. It is "linux" on Android before Python 3.13.
    """
    if is_android(platform):
        platform = "android"
    for prefix, files, directories in _PLATFORMS:
        if platform.startswith(prefix):
            return files, directories
    return (), ()


def users_directories(platform: str) -> tuple[tuple[str, str], ...]:
    """Return the directories of CAs that the user added to those of the system, and their layouts."""
    return tuple((path, HASHED_OLD) for path in _ANDROID_USERS) if is_android(platform) else ()


def is_android(platform: str) -> bool:
    """Return whether this is Android, where *platform* is "linux" before Python 3.13."""
    return platform == "android" or (platform.startswith("linux") and hasattr(sys, "getandroidapilevel"))


def is_openssl_of_nixpkgs() -> bool:
    """Return whether OpenSSL is that of nixpkgs, which prefers NIX_SSL_CERT_FILE to SSL_CERT_FILE; others ignore it."""
    import _ssl

    return _ssl.get_default_verify_paths()[1].startswith("/nix/store/")
