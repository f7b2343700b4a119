"""Causes in the TLS handshake that do not concern the server's certificates."""

from __future__ import annotations

import re

from certhook._text import printable
from certhook.cli.check.causes.case import Case, Facts
from certhook.cli.check.causes.cause import Cause
from certhook.cli.check.wording import MAX_LENGTH


def _client_certificate(case: Case) -> Facts | None:
    """TLS 1.3 has an alert for this. In earlier versions, a server that requested a certificate only disconnects."""
    has_alert = "ALERT" in case.failure.reason and "CERTIFICATE" in case.failure.reason
    return {} if has_alert or (case.certificate_requested and not case.version) else None


# Replies of TLS ports to plain HTTP, with the status 400.
_TLS_REQUIRED = (
    b"client sent an HTTP request to an HTTPS server",  # Go
    b"client sent a plain HTTP request, but this server only speaks HTTPS",  # cheroot
    b"combination of host and port requires TLS",  # Tomcat
    b"plain HTTP request was sent to HTTPS port",  # nginx
    b"speaking plain HTTP to an SSL-enabled server port",  # Apache
)


def _supports_tls(case: Case) -> bool:
    """Return whether an alert, a connection, or a reply to plain HTTP shows that the server supports TLS."""
    reply, reason = case.reply, case.failure.reason
    has_alert = "ALERT" in reason or (reply[:1] in (b"\x15", b"\x16") and reply[1:2] == b"\x03")
    is_refusal = re.match(rb"HTTP/[\d.]+ 400\b", reply)  # A page with another status may contain these texts as well.
    requires_tls = is_refusal and any(text.lower() in reply.lower() for text in _TLS_REQUIRED)
    return bool(case.version or has_alert or requires_tls)


def _plain_http(case: Case) -> Facts | None:
    return {} if not _supports_tls(case) and case.protocol == "https" and case.reply.startswith(b"HTTP/") else None


# OpenSSL's reasons for data that is not TLS, in different releases.
_NOT_TLS = (
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "RECORD_LAYER_FAILURE",
    "PACKET_LENGTH_TOO_LONG",
    "UNKNOWN_PROTOCOL",
)


def _no_tls(case: Case) -> Facts | None:
    if _supports_tls(case) or not (case.failure.reason in _NOT_TLS or case.reply):
        return None
    text = case.reply.split(b"\n")[0].strip()[:40].decode("ascii", "replace")
    is_readable = text and "\ufffd" not in text and text.isprintable()
    return {"greeting": f" It sent {text!r}." if is_readable else ""}


def _old_version(case: Case) -> Facts | None:
    is_old = case.version in ("SSLv3", "TLSv1", "TLSv1.1")
    is_refused = any(
        word in case.failure.reason for word in ("UNSUPPORTED_PROTOCOL", "PROTOCOL_VERSION", "VERSION_TOO")
    )
    version = case.version.replace("v", " ") if is_old else "an old version of TLS"
    return {"version": version} if is_old or is_refused else None


def _weak_handshake(case: Case) -> Facts | None:
    """OpenSSL reports weak parameters, or only the context that accepts everything completes the handshake."""
    is_weak = any(word in case.failure.reason for word in ("KEY_TOO_SMALL", "MD_TOO_WEAK", "LEGACY", "RENEGOTIATION"))
    return _reason(case) if is_weak or (case.version and "HANDSHAKE_FAILURE" in case.failure.reason) else None


def _reason(case: Case) -> Facts:
    hint = f" Without these requirements, the connection uses {case.version}." if case.version else ""
    return {"reason": printable(case.failure.reason or case.failure.text, MAX_LENGTH), "hint": hint}


_UPDATE = "Ask the server's administrator to enable TLS 1.2 or 1.3 with current cipher suites."

CAUSES = (
    Cause(
        "client-certificate",
        "{host} requires a client certificate, which identifies the program that connects. The server's own "
        "certificate was verified.",
        (
            "Get a client certificate and its private key from the server's administrator, and pass both to the "
            "program: often with the option --cert or cert=, in Python code with context.load_cert_chain().",
        ),
        steps=("tls",),
        facts=_client_certificate,
    ),
    Cause(
        "unknown-name",
        "{host}, port {port}, uses TLS, but the server is not configured for this name (alert unrecognized_name).",
        (
            "Check the spelling of the name, and ask for the official name of the server: it may reject an alias.",
            "Ask the server's administrator to configure a virtual host with a certificate for {host}.",
        ),
        steps=("tls",),
        reasons=("UNRECOGNIZED_NAME",),
    ),
    Cause(
        "plain-http",
        "{host}, port {port}, uses plain HTTP without TLS.",
        (
            "Check the port: https:// usually uses 443 or 8443.",
            "If the server is intended for http://, there is no certificate to check. Do not send secrets: others on "
            "the network can read and change all data.",
        ),
        steps=("tls",),
        facts=_plain_http,
    ),
    Cause(
        "old-tls",
        "{host} supports only {version}, which is no longer secure.",
        (_UPDATE,),
        steps=("tls",),
        facts=_old_version,
    ),
    Cause(
        "no-tls",
        "{host}, port {port}, does not use TLS.{greeting}",
        (
            "Check the port: the server may use TLS on another one.",
            "Mail servers and PostgreSQL may switch to TLS later (STARTTLS). To check such a server, put smtp://, "
            "imap:// or postgres:// before its name.",
        ),
        steps=("tls",),
        facts=_no_tls,
    ),
    Cause(
        "weak-handshake",
        "{host} supports only keys or encryption algorithms that are too weak ({reason}).",
        (_UPDATE,),
        steps=("tls",),
        facts=_weak_handshake,
    ),
    Cause(
        "too-many-certificates",
        "{host} sends more certificates than TLS clients accept ({reason}).",
        ("Ask the server's administrator to send only the server's certificate and those of its intermediate CAs.",),
        steps=("tls",),
        reasons=("EXCESSIVE_MESSAGE_SIZE",),
        facts=_reason,
    ),
    Cause(
        "handshake-failed",
        "The TLS handshake with {host} failed ({reason}).{hint}",
        (
            "Ask the server's administrator for the error in its log. The server may require a client certificate, may "
            "not be configured for this name, or may have no encryption algorithm in common with this Python.",
            "A firewall may interrupt the connection: try another network.",
        ),
        steps=("tls",),
        facts=_reason,
    ),
)
