"""``python -m certhook export``: write the trusted root certificates for programs that certhook does not reach."""

from __future__ import annotations

import os
import warnings

from certhook import _config
from certhook._config import CLIENT_AUTH, SERVER_AUTH
from certhook.cli import _exporting, _roots_table, _stores, _terminal, _writing
from certhook.cli._terminal import CommandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Iterable

    from certhook._certificates.anchor import Anchor

_PURPOSES = {"server": SERVER_AUTH, "client": CLIENT_AUTH}
_STANDARD_OUTPUT = "-"


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    parser = _terminal.add_verb(
        verbs,
        "export",
        "write the trusted root certificates to a file, for programs that certhook does not reach",
        (
            "Write the root certificates that are trusted by default to FILE, for programs that certhook does not "
            "reach, such as those that are not written in Python. Root certificates that this system distrusts are "
            "excluded.",
            "FILE is not updated automatically: run the command again after a change of trust. 'certhook env FILE' "
            "prints the settings that make programs use it.",
        ),
        (
            "An existing file is replaced atomically, an exported directory file by file. The command refuses to write "
            "to a symbolic link, a device, a directory with other files, a directory that another user can modify, or "
            "a location that root certificates are read from.",
            "Exit status: 0 if FILE was written, 1 if it was not, 2 for invalid arguments.",
        ),
    )
    text = "the file to write; - for standard output"
    parser.add_argument("file", metavar="FILE", type=_terminal.not_empty, help=text)
    form = parser.add_mutually_exclusive_group()
    text = (
        "pem: for most programs (default); pkcs12: a trust store without a password for Java "
        "(-Djavax.net.ssl.trustStore=FILE); pkcs12 requires the package cryptography"
    )
    form.add_argument("--format", choices=("pem", "pkcs12"), default="pem", help=text)
    text = "write FILE as a directory in OpenSSL's hashed layout, with one file for each root certificate"
    form.add_argument("--directory", action="store_true", help=text)
    text = (
        "the peers that programs verify with FILE: server (default), or client, for servers that verify their clients"
    )
    parser.add_argument("--purpose", choices=_PURPOSES, default="server", help=text)
    _terminal.add_json(parser)
    parser.set_defaults(run=run, usage_error=parser.error)


def run(options: argparse.Namespace) -> int:
    """Export.

    :returns: 0
    :raises CommandError: if there is nothing to write, or it cannot be written
    """
    path = None if options.file == _STANDARD_OUTPUT else os.path.abspath(options.file)
    if path is None and options.directory:
        options.usage_error("a directory cannot be written to standard output; name a directory")
    if path is None and _terminal.wants_json(options):
        options.usage_error("--json prints the result to standard output; name a file")
    _stores.verify(_config.current(), "export")
    anchors, trust_set = _exporting.read_exportable(_config.current(), _PURPOSES[options.purpose])
    if path is not None:
        _writing.refuse_location(path, trust_set)
    if path is not None and options.directory:
        _writing.write_anchors(path, anchors)
    else:
        data = _pkcs12(anchors) if options.format == "pkcs12" else _exporting.commented_pem(anchors)
        if path is None:
            _terminal.show_bytes(data)
            return 0
        _writing.write_file(path, data)
    sentence = f"{_roots_table.counted(len(anchors))} written to {path}"
    _terminal.show_result(options, sentence, path=path, root_count=len(anchors))
    return 0


def _pkcs12(anchors: Iterable[Anchor]) -> bytes:
    """Return *anchors* as a trust store for Java, unencrypted because certificates are public.

    :raises CommandError: if the package cryptography is missing
    """
    try:
        from cryptography.hazmat.primitives.serialization import NoEncryption
        from cryptography.hazmat.primitives.serialization.pkcs12 import PKCS12Certificate, serialize_java_truststore
        from cryptography.x509 import load_der_x509_certificate
    except ImportError:
        requirement = "'cryptography>=45'"
        raise CommandError(f"--format pkcs12 requires the package cryptography: pip install {requirement}") from None
    certificates = []
    for anchor in anchors:
        # Java keeps one entry for each name, ignoring case.
        name = f"{_roots_table.short_name(anchor.subject, 60)} {anchor.sha256[:16]}"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Warnings about certificates that a later cryptography will reject.
                certificate = load_der_x509_certificate(anchor.der)
            certificates.append(PKCS12Certificate(certificate, name.encode()))
        except ValueError as error:
            _terminal.complain(f"{name} was omitted, because the package cryptography rejects it: {error}")
    return serialize_java_truststore(certificates, NoEncryption())
