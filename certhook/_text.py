"""Untrusted text: escaping the characters that a terminal would interpret, and hiding secrets.

Names in certificates, replies of servers, values of variables and file names may contain
anything. Every such text passes through this module before it is printed or stored:
:func:`shown` and :func:`shown_path` a value or a path, :func:`presentable` a message.
"""

from __future__ import annotations

import re

from certhook._secrets import hidden_kind, hidden_path_kind, is_host, is_token, secret_kind, without_secrets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable

#: The longest text that :func:`presentable` returns, in characters.
MAX_LENGTH = 4000
# Shorter parts of a password are also parts of other words.
_SHORTEST = 3
_SCHEME = "^[A-Za-z][A-Za-z0-9+.-]{0,30}://"


def printable(text: str, limit: int | None = None) -> str:
    """Return *text* with non-printable characters escaped.

    :param limit: the number of characters of *text* to keep
    """
    kept = text if limit is None else text[:limit]
    if not kept.isprintable():
        kept = "".join([one if one.isprintable() else ascii(one)[1:-1] for one in kept])
    return kept if len(text) <= len(text[:limit]) else f"{kept}..."


def presentable(text: str) -> str:
    """Return *text*, a message, for a warning or a log.

    It may contain an error of the operating system or of a library, and therefore values that :func:`shown` would
    describe. The recognised secrets in it are removed.
    """
    return printable(without_secrets(text), MAX_LENGTH)


def shown(value: str) -> str:
    """Return *value*, the value of a variable or an argument, in quotation marks; a description if it may be secret."""
    kind = hidden_kind(value)
    return _description(kind, value) if kind else repr(value)


def shown_entry(entry: str, value: str) -> str:
    """Return *entry*, one of the entries of *value*, like :func:`shown`, unless *value* as a whole may be secret."""
    return "an unknown name" if hidden_kind(value) else shown(entry)


def shown_value(value: str) -> str:
    """Return *value* like :func:`shown`, without quotation marks and with escapes."""
    kind = hidden_kind(value)
    return _description(kind, value) if kind else printable(value)


def shown_path(path: str) -> str:
    """Return *path*, which is absolute, unchanged; a description if it does not exist and may contain a secret."""
    kind = hidden_path_kind(path)
    return _description(kind, path) if kind else path


def _description(kind: str, value: str) -> str:
    return f"({kind}, {len(value)} characters)"


def quoted_path(path: str) -> str:
    """Return *path* as an argument of a command that is itself in single quotation marks in a message."""
    if re.fullmatch(r"[\w@%+=:,./-]+", path, re.ASCII):
        return path
    return '"' + re.sub(r'([\\"$`])', r"\\\1", path) + '"'


def host_and_port(url: str) -> str:
    """Return only the host and port of *url*, a URL with or without its scheme.

    The credentials, path, query and fragment may be secret. A password may contain any unescaped
    character, so everything up to the last ``@`` counts as credentials.
    """
    rest = url.rpartition("@")[2]
    if rest == url:
        rest = re.sub(_SCHEME, "", url)
    host = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    name, colon, port = host.partition(":")
    if colon and not port.isdigit() and not re.fullmatch(r"\[.*|[0-9A-Fa-f:.]+(%\w+)?", host):
        host = f"{name}:..."  # Perhaps a user and a password without a host.
    is_certain = rest == url or not re.search("[/?#]", re.sub(_SCHEME, "", url).rpartition("@")[0])
    is_shown = (is_certain or is_host(host)) and not (is_token(host) or secret_kind(host))
    return host if is_shown else "..."


def shown_scheme(scheme: str) -> str:
    """Return a phrase for *scheme*, that of an unusable URL. It may be a part of a password."""
    return f"the scheme {scheme}://" if re.fullmatch(r"[a-z]{2,5}\d?[a-z]?", scheme) else "its scheme"


def without_parts(text: str, urls: Iterable[str]) -> str:
    """Return *text*, a message about a connection, without the credentials in *urls*.

    Proxies and libraries repeat an invalid URL, or parts of it. Each part that does not belong to its host is removed.
    """
    from base64 import b64encode
    from urllib.parse import unquote

    for url in urls:
        host = host_and_port(url)
        text = text.replace(url, host)
        secret: set[str] = set()
        for form in (url, unquote(url)):
            login = re.sub(_SCHEME, "", form).rpartition("@")[0]
            encoded = b64encode(login.encode("utf-8", "surrogateescape")).decode("ascii")
            secret.update((login, login.partition(":")[2], encoded, *re.split(r"[\s:/@?#&=;%\\]", login)))
        public = {"", *re.split("[:.]", host)}
        for part in sorted(secret - public, key=len, reverse=True):
            if len(part) >= _SHORTEST:
                text = text.replace(part, "...")
    return text
