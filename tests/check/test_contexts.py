"""The contexts for a check."""

from __future__ import annotations

import ssl
from typing import Any

from lab import Lab

from certhook.cli.check.contexts import stock_context
from certhook.cli.check.failure import Deadline


def test_the_stock_context_does_not_use_a_replacement_of_the_context_class(lab: Lab) -> None:
    """truststore.inject_into_ssl() replaces ssl.SSLContext."""

    class Replacement(ssl.SSLContext):
        def load_default_certs(self, purpose: Any = None) -> None:
            raise AssertionError

    lab.trust()
    lab.patch.setattr(ssl, "SSLContext", Replacement)
    context = stock_context(Deadline(60))
    assert not isinstance(context, Replacement)
    assert context.cert_store_stats()["x509"] == 0
