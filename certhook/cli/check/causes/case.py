"""The evidence for the diagnosis of a failed connection."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Dict, Mapping, Sequence

from cryptography import x509

from certhook._secrets import hidden_kind
from certhook._text import printable
from certhook.cli.check.certificate import parse, quoted_name
from certhook.cli.check.chain import Root, Roots, build_path
from certhook.cli.check.failure import Failure
from certhook.cli.check.target import proxy_address
from certhook.cli.check.unused import Unused
from certhook.cli.check.wording import EXAMPLE_FILE, join_first, set_command

#: The values of the placeholders in the sentence and the advice of a cause.
Facts = Dict[str, str]


@dataclass(frozen=True)
class Case:
    """A failed connection to a server, and everything known about the server and this machine.

    :ivar failure: the failure of the connection
    :ivar chain: the certificates that the server sent, its own first; empty if it sent none
    :ivar roots: the known roots
    :ivar chain_is_complete: whether *chain* contains all certificates that the server sent
    :ivar valid_without_strict: whether the server is verified without ``VERIFY_X509_STRICT``
    :ivar version: the TLS version of a connection that accepts every certificate, "" if it failed
    :ivar certificate_requested: whether the server requested a client certificate in that connection
    :ivar reply: the server's reply to a plain HTTP request, or its greeting
    :ivar proxy: the URL of the proxy
    :ivar proxy_variable: the environment variable that names the proxy, "" if it comes from the system's settings
    :ivar problems: the problems with settings and sources
    :ivar unknown_variables: variables that certhook does not support, each with a similar one or ""
    :ivar unused: the files that contain, or may contain, the missing root, and that no source reads
    """

    host: str
    port: int
    protocol: str
    failure: Failure
    chain: Sequence[x509.Certificate]
    roots: Roots
    now: datetime
    chain_is_complete: bool = True
    valid_without_strict: bool = False
    version: str = ""
    certificate_requested: bool = False
    reply: bytes = b""
    proxy: str | None = None
    proxy_variable: str = ""
    problems: Sequence[Exception] = ()
    unknown_variables: Mapping[str, str] = field(default_factory=dict)
    unused: Sequence[Unused] = ()

    @cached_property
    def _path_and_root(self) -> tuple[list[x509.Certificate], Root | None]:
        return build_path(self.chain, self.roots, self.now)

    @property
    def path(self) -> list[x509.Certificate]:
        """The certificates from the server's own to the last known one, which is the root if a source lists it."""
        return self._path_and_root[0]

    @property
    def root(self) -> Root | None:
        """The known root at the end of :attr:`path`, trusted or not."""
        return self._path_and_root[1]

    @property
    def facts(self) -> Facts:
        """The facts that are available to every cause."""
        return {
            "host": self.host,
            "port": str(self.port),
            "protocol": self.protocol,
            "proxy": proxy_address(self.proxy or ""),
            "message": self.failure.text,
            "now": self.now.strftime("%Y-%m-%d %H:%M UTC"),
            **self._remedies(),
        }

    def _remedies(self) -> Facts:
        """Return the commands that trust the root in a file, and that update the public roots of this machine."""
        system, overriding = self.roots.system, self.roots.overriding
        install = system.install_commands(EXAMPLE_FILE) if system else []
        update = [system.elevated(system.package.split())] if system and system.package else []
        paths = [path for path in self.roots.extra if path != EXAMPLE_FILE and not hidden_kind(path)]
        value = os.pathsep.join([*paths, EXAMPLE_FILE])
        value = value if os.name == "nt" else shlex.quote(value)
        commands = "\n".join(install) or f"python -m certhook trust {EXAMPLE_FILE}"
        add = f"install it for all programs on this machine:\n{commands}"
        if overriding:
            settings = " and ".join(overriding)
            verb = "replaces" if len(overriding) == 1 else "replace"
            add = f"add it to the trusted root certificates ({settings} {verb} those of the system):\n"
            add += set_command(f"CERTHOOK_EXTRA_CA_CERTS={value}")
        return {
            "install": commands,
            "add": add,
            "update": "\n".join([*update, "python -m pip install --upgrade certifi"]),
            "extra_value": value,
            "extra_instead": "" if overriding else value,
            "extra_names": self._extra_names(),
        }

    def _extra_names(self) -> str:
        """Return the roots that ``CERTHOOK_EXTRA_CA_CERTS`` adds, each with its file."""
        found = []
        for anchor in self.roots.extra_anchors():
            certificate = parse(anchor.der)
            paths = [path for source, path in anchor.listed_by if source == "extra"]
            if certificate is not None:
                found.append(f"{quoted_name(certificate.subject)} ({printable(paths[0])})")
        return join_first(found, 2)
