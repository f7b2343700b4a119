"""Text from outside: escaping what a terminal would interpret, and removing secrets.

Names in certificates, replies of servers, values of variables and file names may contain
anything. Every such text passes through this module before it is printed or stored.
"""

from __future__ import annotations

import re

#: The longest text that :func:`presentable` returns, in characters.
MAX_LENGTH = 4000

# Compiled when they are first used: compiling takes 1 ms, and most processes escape nothing.
# Keys and certificates that were pasted into a variable, as PEM or as PEM encoded in base64.
_PEM_BEGIN = "(?i)-----BEGIN "
_PEM_END = "(?i)-----END [A-Z0-9 ]+-----"
# Messages quote the value of a variable, so a block without its END line ends at a quotation mark.
_TRUNCATED_PEM = """(?i)-----BEGIN [^'"]*"""
_BASE64_PEM = "(?i)LS0tLS1CRUdJT[A-Z0-9+/=\\s]*"
# The scheme of a URL, also where normalisation reduced "//" to "/"; or "//" alone. A Windows drive has one letter.
_BEFORE_CREDENTIALS = r"""(?i)[a-z][a-z0-9+.-]+:/{1,2}|(?:^|(?<=[\s'"=]))//"""


def printable(text: str, limit: int | None = None) -> str:
    """Return *text* with non-printable characters escaped.

    :param limit: the number of characters of *text* to keep
    """
    kept = text if limit is None else text[:limit]
    if not kept.isprintable():
        kept = "".join([one if one.isprintable() else ascii(one)[1:-1] for one in kept])
    return kept if len(text) <= len(text[:limit]) else f"{kept}..."


def presentable(text: str) -> str:
    """Return *text*, the value of a variable or the name of a file, for a message or a log."""
    text = re.sub(_BASE64_PEM, "(PEM text in base64)", _without_pem(text))
    return printable(without_credentials(text), MAX_LENGTH)


def _without_pem(text: str) -> str:
    """Return *text* without its PEM blocks.

    Everything up to the last END line is removed: a key may be pasted as a concatenation of quoted lines.
    """
    begin = re.search(_PEM_BEGIN, text)
    if begin is not None:
        ends = [match.end() for match in re.compile(_PEM_END).finditer(text, begin.end())]
        if ends:
            text = f"{text[: begin.start()]}(PEM text){text[ends[-1] :]}"
    return re.sub(_TRUNCATED_PEM, "(PEM text)", text)


def without_credentials(text: str) -> str:
    """Return *text* without the user name and password of a URL.

    A password may contain any unescaped character, so everything up to the last ``@`` is removed.
    """
    end = text.rfind("@")
    if end < 0:
        return text
    start = re.compile(_BEFORE_CREDENTIALS).search(text, 0, end)
    return f"{text[: start.end()]}...{text[end:]}" if start else text


def host_and_port(url: str) -> str:
    """Return only the host and port of *url*, a URL with or without its scheme.

    The credentials, path, query and fragment may be secret. A password may contain any unescaped
    character, so everything up to the last ``@`` counts as credentials.
    """
    rest = url.rpartition("@")[2]
    if rest == url:
        rest = re.sub("^[A-Za-z][A-Za-z0-9+.-]*://", "", url)
    return re.split("[/?#]", rest, maxsplit=1)[0]
