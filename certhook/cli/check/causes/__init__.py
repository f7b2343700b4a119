"""Why a server was not verified: the one cause, in plain words, and what to do.

Pure: from what the server showed, what OpenSSL said, what is trusted here, the
settings and the time, to a :class:`Diagnosis`. Nothing is read or asked. OpenSSL's
verdict is never doubted; the certificates only say what is behind it. The causes
are tables, tried in order; the first that applies ends the search.
"""

from __future__ import annotations

from certhook.cli.check.causes import certificates, handshake, reaching, trust
from certhook.cli.check.causes.case import Case, Cause, Diagnosis

__all__ = ["CAUSES", "Case", "Cause", "Diagnosis", "diagnose"]

_OTHER = Cause(
    "other",
    "The connection to {host}, port {port}, failed, and why is not clear: {message}.",
    (
        "Show this to whoever runs the server.",
        "More can be seen with: openssl s_client -connect {host}:{port} -servername {host}",
    ),
    steps=("name", "connect", "proxy", "starttls", "tls", "verify"),
)

#: All of them, in the order in which they are tried. The last one always applies.
CAUSES = (*reaching.CAUSES, *handshake.CAUSES, *certificates.CAUSES, *trust.CAUSES, _OTHER)


def diagnose(case: Case) -> Diagnosis:
    """The one cause of *case*."""
    return next(filter(None, (cause.diagnose(case) for cause in CAUSES)))
