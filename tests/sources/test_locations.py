"""The tables of well-known locations."""

from __future__ import annotations

import sys

import pytest

from certhook._sources.locations import ANY, HASHED, HASHED_OLD, users_directories, well_known


@pytest.mark.parametrize(
    ("platform", "file"),
    [
        ("linux", "/etc/ssl/certs/ca-certificates.crt"),
        ("linux2", "/etc/ssl/certs/ca-certificates.crt"),
        ("android", "/data/data/com.termux/files/usr/etc/tls/cert.pem"),
        ("freebsd14", "/usr/local/etc/ssl/cert.pem"),
        ("dragonfly6", "/usr/local/share/certs/ca-root-nss.crt"),
        ("openbsd7", "/etc/ssl/cert.pem"),
        ("netbsd10", "/etc/openssl/certs/ca-certificates.crt"),
        ("sunos5", "/etc/certs/ca-certificates.crt"),
        ("aix", "/var/ssl/certs/ca-bundle.crt"),
        ("aix7", "/var/ssl/certs/ca-bundle.crt"),
        ("haiku1", "/boot/system/data/ssl/CARootCertificates.pem"),
        ("cygwin", "/usr/ssl/certs/ca-bundle.crt"),
        ("darwin", "/etc/ssl/cert.pem"),
    ],
)
def test_each_platform_has_absolute_locations_without_duplicates(platform: str, file: str) -> None:
    files, directories = well_known(platform)
    assert files[0] == file
    assert all(path.startswith("/") for path in (*files, *(path for path, _ in directories)))
    assert len({*files, *directories}) == len(files) + len(directories)
    assert {layout for _, layout in directories} <= {HASHED, HASHED_OLD, ANY}


@pytest.mark.parametrize("platform", ["win32", "emscripten", "wasi", ""])
def test_other_platforms_have_no_locations(platform: str) -> None:
    assert well_known(platform) == ((), ())


def test_linux_with_an_api_level_is_android(monkeypatch: pytest.MonkeyPatch) -> None:
    """sys.platform is "android" only since Python 3.13."""
    monkeypatch.setattr(sys, "getandroidapilevel", lambda: 24, raising=False)
    assert well_known("linux") == well_known("android")
    assert users_directories("linux") == users_directories("android")


def test_only_android_has_directories_of_users() -> None:
    assert users_directories("android")[0] == ("/data/misc/user/0/cacerts-added", HASHED_OLD)
    assert users_directories("linux") == users_directories("darwin") == ()
