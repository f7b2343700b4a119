"""Diagnosis: the one cause of a failed connection, and how to correct it.

:func:`diagnose` is a pure function of a :class:`Case`: the server's certificates, OpenSSL's
error, the known roots, the files with unused ones, the settings and the time. It performs no I/O. It never overrides
OpenSSL's verdict; the certificates only explain it. The causes are tables, and the first cause
that applies is the result.
"""

from __future__ import annotations

from certhook.cli.check.causes import (
    certificates,
    connection,
    dates,
    form,
    handshake,
    issuers,
    proxies,
    trust,
    unknown,
    unused,
    uses,
)
from certhook.cli.check.causes.case import Case
from certhook.cli.check.causes.cause import Cause, Diagnosis

__all__ = ["CAUSES", "Case", "Cause", "Diagnosis", "diagnose"]

_OTHER = Cause(
    "other",
    "The connection to {host}, port {port}, failed for an unknown reason: {message}.",
    (
        "Show this message to the server's administrator.",
        "For more information, run:\nopenssl s_client -connect {host}:{port} -servername {host}",
    ),
    steps=("name", "connect", "proxy", "starttls", "tls", "verify"),
)

#: All causes, in the order in which they are tried. The last one always applies.
CAUSES = (
    *proxies.CAUSES,
    *connection.CAUSES,
    *handshake.CAUSES,
    *form.CAUSES,
    *dates.CAUSES,
    *certificates.CAUSES,
    *uses.CAUSES,
    *unused.CAUSES,
    *trust.CAUSES,
    *unused.POSSIBLE_CAUSES,
    *issuers.CAUSES,
    *unknown.CAUSES,
    _OTHER,
)


def diagnose(case: Case) -> Diagnosis:
    """Return the cause of the failure of *case*."""
    return next(filter(None, (cause.diagnose(case) for cause in CAUSES)))
