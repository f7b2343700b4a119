"""Cases for the diagnosis without a server."""

from __future__ import annotations

from typing import Any

from pki import NOW, Issued, chain

from certhook._certificates.anchor import Anchor
from certhook._certificates.x509 import Certificate
from certhook.cli.check.causes import Case
from certhook.cli.check.chain import DISTRUSTED, TRUSTED, Roots
from certhook.cli.check.failure import Failure


def case(code: int, step: str = "verify", **changed: Any) -> Case:
    """Return the case of a failed verification of "shop.example" with OpenSSL's error *code*."""
    sent = tuple(one.certificate for one in chain().sent)
    values = {"host": "shop.example", "port": 443, "protocol": "https", "failure": Failure(step, "text", code)}
    return Case(**{**values, "chain": sent, "roots": Roots([]), "now": NOW, **changed})


def trusting(*roots: Issued) -> Roots:
    """Return roots that are all trusted."""
    return Roots((Anchor(Certificate(root.der)), TRUSTED, ()) for root in roots)


def distrusting(root: Issued, path: str) -> Roots:
    """Return a root that the block list *path* contains, and no source lists."""
    return Roots([(Anchor(Certificate(root.der), (), (path,)), DISTRUSTED, ())])
