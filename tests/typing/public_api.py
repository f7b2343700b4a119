"""The types of the public API. mypy checks this file against the installed package; nothing runs it."""

from __future__ import annotations

import ssl
from datetime import datetime
from pathlib import Path
from typing import List, Optional, Tuple

from typing_extensions import assert_type

import certhook

assert_type(certhook.__version__, str)


def the_hook_is_installed_and_removed() -> None:
    # None of the functions that change something returns a value.
    certhook.install()
    certhook.install(use_environment=False)
    certhook.uninstall()
    certhook.start()
    certhook.start("an embedding application")
    assert_type(certhook.is_installed(), bool)
    assert_type(certhook.enabled_by, Optional[str])
    certhook.install(False)  # type: ignore[call-arg, misc, unused-ignore]
    certhook.install(use_environment=None)  # type: ignore[arg-type]


def a_context_is_loaded(context: ssl.SSLContext) -> None:
    certhook.load_default_certs(context)
    certhook.load_default_certs(context, ssl.Purpose.CLIENT_AUTH)
    certhook.load_default_certs(context, purpose=ssl.Purpose.SERVER_AUTH)
    certhook.load_default_certs(context, purpose=None)
    certhook.load_default_certs(None)  # type: ignore[arg-type]
    certhook.load_default_certs(context, "SERVER_AUTH")  # type: ignore[arg-type]


def a_context_is_created() -> None:
    assert_type(certhook.create_default_context(), ssl.SSLContext)
    assert_type(certhook.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.SSLContext)
    certhook.create_default_context(purpose=ssl.Purpose.SERVER_AUTH, cafile="own.pem", capath=None, cadata=None)
    certhook.create_default_context(cafile=b"own.pem", capath=Path("own"), cadata=b"")
    certhook.create_default_context(cadata="own")
    certhook.create_default_context(ssl.Purpose.SERVER_AUTH, "own.pem")  # type: ignore[misc, call-arg, unused-ignore]
    certhook.create_default_context("SERVER_AUTH")  # type: ignore[arg-type]
    certhook.create_default_context(cafile=1)  # type: ignore[arg-type]


def a_trust_set_is_read() -> None:
    trust = certhook.trust_set()
    assert_type(trust, certhook.TrustSet)
    assert_type(certhook.trust_set(ssl.Purpose.CLIENT_AUTH), certhook.TrustSet)
    assert_type(certhook.trust_set(purpose=None), certhook.TrustSet)
    assert_type(len(trust), int)
    assert_type(trust.anchors, Tuple[certhook.Anchor, ...])
    assert_type(trust.distrusted, Tuple[certhook.Anchor, ...])
    assert_type(trust.blocklisted, Tuple[certhook.Anchor, ...])
    assert_type(trust.locations, Tuple[certhook.Location, ...])
    assert_type(trust.problems, Tuple[certhook.CerthookError, ...])
    assert_type(trust.distrust_is_known, bool)
    for anchor in trust.anchors:
        assert_type(anchor, certhook.Anchor)
    certhook.trust_set("SERVER_AUTH")  # type: ignore[arg-type]


def an_anchor_is_described(anchor: certhook.Anchor) -> None:
    assert_type(anchor.der, bytes)
    assert_type(anchor.sha256, str)
    assert_type(anchor.subject, str)
    assert_type(anchor.validity, Optional[Tuple[datetime, datetime]])
    assert_type(anchor.sources, List[str])
    assert_type(anchor.listed_by, Tuple[Tuple[str, str], ...])
    assert_type(anchor.distrusted_by, Tuple[str, ...])
    anchor.der = b""  # type: ignore[misc]
    anchor.sha256 = ""  # type: ignore[misc]


def a_location_is_described(location: certhook.Location) -> None:
    assert_type(location.source, str)
    assert_type(location.path, str)
    assert_type(location.note, str)
    assert_type(location.count, int)
    assert_type(location.ders, "set[bytes]")
    location.count = 1  # type: ignore[misc]


def problems_are_exceptions() -> None:
    setting = certhook.ConfigurationError("CERTHOOK_MODE", "invalid value")
    assert_type(setting.setting, str)
    assert_type(setting.message, str)
    source = certhook.SourceError("/etc/ssl/cert.pem", "cannot be read")
    assert_type(source.path, str)
    assert_type(source.message, str)
    errors: list[certhook.CerthookError] = [setting, source]
    exceptions: list[Exception] = [*errors, certhook.CerthookWarning("a message")]
    assert_type(len(exceptions), int)
