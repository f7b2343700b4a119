"""The root certificates that other programs get: their selection, and PEM text with comments."""

from __future__ import annotations

from certhook._certificates import openssl
from certhook._sources import read_trust_set
from certhook.cli import _problem_list, _roots_table
from certhook.cli._terminal import CommandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable

    from certhook._certificates.anchor import Anchor
    from certhook._config import Config
    from certhook._sources.trust_set import TrustSet


def read_exportable(config: Config, purpose: int) -> tuple[list[Anchor], TrustSet]:
    """Read the trust set for *purpose*, and print its problems.

    :returns: the anchors that OpenSSL accepts, in the order of a compiled store, because OpenSSL uses the first one
        of several with equal names; and the trust set
    :raises CommandError: if there are none, or it is unknown which ones the administrator excludes
    """
    trust_set = read_trust_set(config, purpose)
    # OpenSSL and many programs stop reading a file at a certificate that OpenSSL rejects.
    anchors, problems = _roots_table.accepted_by_openssl(trust_set)
    order = {anchor.der: position for position, anchor in enumerate(trust_set.stored)}
    anchors = sorted((anchor for anchor in anchors if anchor.der in order), key=lambda anchor: order[anchor.der])
    _problem_list.complain_of(problems, "status")
    if not trust_set.distrust_is_known:
        # Programs that read the file do not check again which certificates are excluded.
        raise CommandError("nothing was written: the file might contain roots that the administrator excludes")
    if not anchors:
        raise CommandError("nothing was written: there is no trusted root certificate")
    return anchors, trust_set


def commented_pem(anchors: Iterable[Anchor]) -> bytes:
    """Return *anchors* as PEM text, each with its name and sources in a comment."""
    return b"\n".join(_comment(anchor) + openssl.to_pem(anchor.der) for anchor in anchors)


def _comment(anchor: Anchor) -> bytes:
    # certifi and many other readers expect ASCII. Dashes could be read as the start of a certificate.
    subject = anchor.subject.replace("--", r"-\2D")
    escaped = "".join(c if c.isascii() else "".join(f"\\{octet:02X}" for octet in c.encode()) for c in subject)
    return f"# {escaped}\n# Listed by: {', '.join(anchor.sources)}\n".encode("ascii")
