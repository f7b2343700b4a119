"""The certificates of a server as PEM, with comments."""

from __future__ import annotations

import ssl

from certhook.cli.check.causes import Case
from certhook.cli.check.certificate import display_name, to_der
from certhook.cli.check.target import Target


def pem_text(target: Target, case: Case, choice: str) -> str:
    """Return certificates of *case* as PEM, "" if there are none.

    :param choice: "sent" for those that the server sent, or "path" for those from the server's own to the root
    """
    blocks = []
    for certificate in case.chain if choice == "sent" else case.path:
        comment = f"# {target.text}: {display_name(certificate.subject)}"
        blocks.append(f"{comment}\n{ssl.DER_cert_to_PEM_cert(to_der(certificate))}")
    return "".join(blocks)
