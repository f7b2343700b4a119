"""Causes while TLS is being set up, before any certificate is judged."""

from __future__ import annotations

import re

from certhook.cli._words import printable
from certhook.cli.check.causes.case import Case, Cause, Facts


def _client_certificate(case: Case) -> Facts | None:
    """TLS 1.3 has an alert for it; before, a server that asked for one just breaks off, whoever asks it."""
    told = "ALERT" in case.failure.reason and "CERTIFICATE" in case.failure.reason
    return {} if told or (case.was_asked and not case.version) else None


# What ports of TLS answer to plain HTTP, with the status 400.
_MISDIRECTED = (
    b"client sent an HTTP request to an HTTPS server",  # Go
    b"client sent a plain HTTP request, but this server only speaks HTTPS",  # cheroot
    b"combination of host and port requires TLS",  # Tomcat
    b"plain HTTP request was sent to HTTPS port",  # nginx
    b"speaking plain HTTP to an SSL-enabled server port",  # Apache
)


def _knows_tls(case: Case) -> bool:
    """Whether the server showed that it does speak TLS, by an alert, or in what it says to plain HTTP."""
    words, reason = case.words, case.failure.reason
    told = "ALERT" in reason or (words[:1] in (b"\x15", b"\x16") and words[1:2] == b"\x03")
    refused = re.match(rb"HTTP/[\d.]+ 400\b", words)  # Any other answer may speak of HTTPS as well.
    return bool(case.version or told or (refused and any(text.lower() in words.lower() for text in _MISDIRECTED)))


def _plain_http(case: Case) -> Facts | None:
    return {} if not _knows_tls(case) and case.protocol == "https" and case.words.startswith(b"HTTP/") else None


# OpenSSL's words for bytes that are no TLS; they changed from release to release.
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "UNKNOWN_PROTOCOL")


def _no_tls(case: Case) -> Facts | None:
    if _knows_tls(case) or not (case.failure.reason in _NO_TLS or case.words):
        return None
    text = case.words.split(b"\n")[0].strip()[:40].decode("ascii", "replace")
    readable = text and "\ufffd" not in text and text.isprintable()
    return {"greeting": f" It says {text!r}." if readable else ""}


def _old_version(case: Case) -> Facts | None:
    told = case.version in ("SSLv3", "TLSv1", "TLSv1.1")
    said = any(word in case.failure.reason for word in ("UNSUPPORTED_PROTOCOL", "PROTOCOL_VERSION", "VERSION_TOO"))
    version = case.version.replace("v", " ") if told else "an old version of TLS"
    return {"version": version} if told or said else None


def _too_weak(case: Case) -> Facts | None:
    """OpenSSL says so, or the server agrees with a context only that accepts everything."""
    told = any(word in case.failure.reason for word in ("KEY_TOO_SMALL", "MD_TOO_WEAK", "LEGACY", "RENEGOTIATION"))
    return _reason(case) if told or (case.version and "HANDSHAKE_FAILURE" in case.failure.reason) else None


def _reason(case: Case) -> Facts:
    hint = f" Asked less strictly, it speaks {case.version}." if case.version else ""
    return {"reason": printable(case.failure.reason or case.failure.text), "hint": hint}


_UPDATE = "Whoever runs the server has to bring it up to date: TLS 1.2 or 1.3, with what present software offers."

CAUSES = (
    Cause(
        "client-certificate",
        "{host} wants a certificate of you: it serves only those whom it knows by theirs.",
        (
            "The server itself was verified; nothing is wrong with whom you trust.",
            "Ask whoever runs it for a client certificate with its key, and give both to the program: its option may "
            "be called --cert or cert=; in Python, context.load_cert_chain().",
        ),
        steps=("tls",),
        facts=_client_certificate,
    ),
    Cause(
        "unknown-name",
        "{host}, port {port}, speaks TLS, but serves no host of that name (alert unrecognized_name).",
        (
            "Check the name for a typing mistake, and whether it is the one that the server goes by.",
            "Whoever runs the server has to give it a virtual host, with a certificate, for {host}.",
        ),
        steps=("tls",),
        reasons=("UNRECOGNIZED_NAME",),
    ),
    Cause(
        "plain-http",
        "{host}, port {port}, speaks plain HTTP, without TLS.",
        (
            "Check whether the port is right; the one for https:// usually is 443 or 8443.",
            "If it is meant to be http://, there is nothing to verify: anybody on the way can read and change it.",
        ),
        steps=("tls",),
        facts=_plain_http,
    ),
    Cause(
        "old-tls",
        "{host} speaks only {version}, which is no longer safe.",
        (_UPDATE,),
        steps=("tls",),
        facts=_old_version,
    ),
    Cause(
        "no-tls",
        "{host}, port {port}, does not speak TLS.{greeting}",
        (
            "Check whether the port is right.",
            "Servers for mail and PostgreSQL begin without TLS: ask with smtp://, imap:// or postgres://.",
        ),
        steps=("tls",),
        facts=_no_tls,
    ),
    Cause(
        "weak-handshake",
        "{host} offers only cryptography that is too weak today ({reason}).",
        (_UPDATE,),
        steps=("tls",),
        facts=_too_weak,
    ),
    Cause(
        "too-many-certificates",
        "{host} sends more than any client reads: its list of certificates is far too long ({reason}).",
        ("Whoever runs the server has to send its own certificate and those of the CAs above it, and no others.",),
        steps=("tls",),
        reasons=("EXCESSIVE_MESSAGE_SIZE",),
        facts=_reason,
    ),
    Cause(
        "handshake-failed",
        "{host} broke off while TLS was being set up ({reason}).{hint}",
        (
            "It may want a client certificate, or know no host of that name, or have no cipher in common with this "
            "Python: ask whoever runs it what its log says.",
            "A firewall that breaks connections off looks the same: try from another network.",
        ),
        steps=("tls",),
        facts=_reason,
    ),
)
