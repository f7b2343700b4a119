"""Recognising passwords, tokens and keys in values of variables, in arguments and in messages.

A variable for a path may contain a URL with a password, a token, or a key, because it was confused with another one.
:func:`hidden_kind` decides whether such a value may be shown. It has the whole value, and therefore decides reliably.
:func:`without_secrets` removes secrets from a message, in which the start and the end of a value are not known.

Every pattern has a limited length, so that the time is proportional to the length of the text.
"""

from __future__ import annotations

import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: Stands for credentials in commands that certhook recommends.
PLACEHOLDER = "NAME:PASSWORD"
#: The length of the longest value that is shown, in characters: that of the longest path.
LIMIT = 4096
# The length of the longest message that is processed.
_MAX_MESSAGE = 1 << 16
# Text is decoded repeatedly, because a program may have encoded encoded text.
_MAX_FORMS = 5

# Patterns are compiled when they are first used: compiling takes 1 ms, and most processes need none.

# Keys and certificates that were pasted, as PEM or as PEM encoded in base64 at each of the three offsets.
_PEM = "(?i)-{4,5} ?BEGIN "
_PEM_BEGIN, _PEM_END = "(?i)-----BEGIN ", "(?i)-----END [A-Z0-9 ]{1,64}-----"
# Messages quote the value of a variable, so a block without its END line ends at a quotation mark.
_TRUNCATED_PEM = """(?i)-----BEGIN [^'"]*"""
_BASE64_PEM = r"(?i)(?:LS0tLS1CRUdJT|0tLS0tQkVHSU4|tLS0tLUJFR0lO)[A-Z0-9+/=\s]*"
# DER as Python decodes it in a variable: SEQUENCE with a length of several bytes.
_DER = "^0[\udc80-\udc84\x80-\x84]"

# Tokens of well-known services, JSON Web Tokens, and the values of the header Authorization.
_TOKEN = (
    r"(?<![A-Za-z0-9])(?:gh[oprsu]_\w{10,}|github_pat_\w{10,}|gl(?:agent|cbt|dt|ft|imt|pat|ptt|rt|soat)-[\w-]{10,}"
    r"|A(?:KIA|SIA|ROA|IDA)[0-9A-Z]{12,}|eyJ[\w-]{8,}[\w.-]*|xox[a-z]-[\w-]{8,}|sk_(?:live|test)_\w{8,}"
    # Hosts and files have names such as sk-region-1-proxy and hf_root_ca.
    r"|sk-(?=[\w-]{0,60}[A-Z])[\w-]{20,}|npm_(?=[A-Za-z0-9]{30})\w+|hf_(?=[A-Za-z0-9]{16})\w+"
    r"|pypi-AgE[\w-]{12,}|AIza[\w-]{20,}|ya29\.[\w-]{8,}|SG\.[\w.-]{16,}|dop_v1_\w{16,}"
    r"|hvs\.[\w-]{16,}|dckr_pat_[\w-]{10,})"
)
_HEADER = (
    r"(?i:\bbearer)\s{1,4}(?=[a-z]{0,60}[^a-z\s,;:)])[\w.~+/=-]{6,}"
    r"|\b[Bb]asic\s{1,4}(?=[A-Za-z+/]{0,60}[0-9=])[A-Za-z0-9+/]{6,}={0,2}"
)
_SECRET_NAME = (
    r"(?i:pass(?:word|wd|phrase|code)?|pwd|token|secret|api[-_]?key|(?:access|account|private|shared|secret)[-_]?key"
    r"|access[-_]?key[-_]?id|signature|sig|credentials?|authorization|auth|jwt)"
)
# In a list of paths, a colon is followed by a slash.
_ASSIGNMENT = rf"{_SECRET_NAME}[\"']?\s{{0,4}}[=:]\s{{0,4}}[^/\\\s]"
# In a message, a colon belongs to the sentence.
_ASSIGNMENT_IN_MESSAGE = rf"({_SECRET_NAME}=)[^\s'\"&;,]{{1,4096}}"
_PARAMETER = r"[?&;#][\w.-]{1,40}="

# The scheme of a URL, also where normalisation reduced "//" to "/"; or "//" alone. A Windows drive has one letter.
_BEFORE_CREDENTIALS = r"""(?i)[a-z][a-z0-9+.-]{1,30}:/{1,2}|(?:^|(?<=[\s'"=]))//"""
# The end of an absolute path in a list of paths, and the start of the next one.
_BETWEEN_PATHS = r"(?i)(?<=[\w/\\.-])(?!https?:|s?ftps?:|s3:|gs:|ssh:|socks[45]?[ah]?:)[a-z][a-z0-9+.-]{0,30}:/(?!/)"
# A URL without credentials before other text that contains "@", such as an e-mail address: its host has a domain.
_WHOLE_URL = (
    r"""(?i)(?:[a-z0-9-]{1,63}\.){1,9}[a-z]{2,24}(?::\d{1,5}(?=[/:,;)]))?(?:/[^\s@:'"]{0,1000})?[:,;)'"]{0,3}\s"""
)
# The "@" in the names of formulae of Homebrew, as in /opt/homebrew/etc/openssl@3/cert.pem.
_FORMULA = r"[/\\][\w.+-]{1,40}[/\\][a-z][a-z0-9+-]{0,40}@\d{1,3}(?:\.\d{1,3})?(?=[/\\\s'\",;]|:\s|:/(?!/)|:?$)"
# A URL that was made an absolute path. In a list of paths, any name may precede a colon.
_URL_AS_PATH = (
    r"(?i)/(?:https?|s?ftps?|s3|gs|ssh|socks[45]?[ah]?|postgres(?:ql)?|mysql|rediss?|amqps?|mongodb)[^/:]{0,9}:/"
)
# The colon between user and password. A colon before a slash separates paths, or follows the drive of Windows.
_BEFORE_PASSWORD = r":(?![/\\])"

# A user and a password, and an encoded URL, in a message.
_LOGIN = r"(?<![\w.:%+-])(?!mailto:|email:)[\w.%+-]{1,64}:(?![/\\])[^\s/@'\"]{1,256}@"
_ENCODED_URL = r"(?i)(?<![a-z0-9])[a-z][a-z0-9+.-]{1,30}%(?:25){0,3}3A%(?:25){0,3}2F[^\s'\"/]{0,4096}"

# A word or a small number.
_WORD = r"(?:[A-Za-z]?[a-z]{0,19}|[A-Z]{1,16})\d{0,3}"
# The characters of relative paths, of paths with variables, and of quoted paths.
_PATH_CHARACTERS = r"""[\w\s.,+~$%{}()\[\]/\\:;"'`<>\u201c\u201d\u2018\u2019\u00ab\u00bb-]+"""
_PATH_MARKS = r"""[/\\]|^["'\s]*[~$%]|\.[A-Za-z0-9]{1,10}["'\s]*$"""


def hidden_kind(value: str) -> str:
    """Return a description of *value*, such as "a URL", if it may be secret; "" if it may be shown.

    :param value: a path or a list of paths, or another value of a variable or an argument
    """
    if len(value) > LIMIT:
        return "text"
    if not value.strip():
        return ""
    if _exists(value) or all(map(_exists, value.split(os.pathsep))):
        return ""  # An ordinary part of a path is not secret.
    return secret_kind(value) or _kind_of_text(value)


def hidden_path_kind(path: str) -> str:
    """Return :func:`hidden_kind` of *path*, an absolute path or one of certhook's own names."""
    if len(path) <= LIMIT and (_exists(path) or not os.path.isabs(path)):
        return "" if os.path.isabs(path) else secret_kind(path)
    return "a URL" if re.search(_URL_AS_PATH, path) else hidden_kind(path)


def secret_kind(text: str) -> str:
    """Return the kind of secret in *text*: a key, a token, a URL or a password; "" if none is recognised."""
    for form in _forms(text[: 2 * LIMIT]):
        if re.search(_PEM, form) or re.search(_BASE64_PEM, form):
            return "PEM text"
        if re.search(_DER, form):
            return "DER"
        if ("://" in form and not _is_file(form)) or has_credentials(form):
            return "a URL"
        if re.search(_TOKEN, form) or re.search(_HEADER, form):
            return "a token"
        if re.search(_ASSIGNMENT, form) or re.search(_PARAMETER, form):
            return "text with parameters"
    return ""


def _is_file(text: str) -> bool:
    """Return whether *text* is the URL of a local file, which :mod:`certhook._path_hints` explains."""
    return text[:8].lower() == "file:///" and "://" not in text[8:]


def has_credentials(text: str) -> bool:
    """Return whether *text* contains a user and a password before a host."""
    end = _end_of_credentials(text)
    if end < 0:
        return False
    return _start_of_credentials(text, end) >= 0 or re.compile(_BEFORE_PASSWORD).search(text, 0, end) is not None


def _end_of_credentials(text: str) -> int:
    """Return the position of the last "@" that may follow credentials, -1 if there is none."""
    end = text.rfind("@")
    if end < 0 or not text[end + 1 : end + 2].isdecimal():
        return end
    formulae = {text.index("@", match.start(), match.end()) for match in re.compile(_FORMULA).finditer(text)}
    while end in formulae:
        end = text.rfind("@", 0, end)
    return end


def _start_of_credentials(text: str, end: int) -> int:
    """Return the position of the credentials before *end*, after a scheme; -1 if there are none."""
    colon = max((match.start() for match in re.compile(_BEFORE_PASSWORD).finditer(text, 0, end)), default=-1)
    for match in re.compile(_BEFORE_CREDENTIALS).finditer(text, 0, end):
        is_path = re.compile(_BETWEEN_PATHS).match(text, match.start()) and colon < match.end()
        is_whole = text[match.end() - 2 : match.end()] == "//" and re.compile(_WHOLE_URL).match(text, match.end(), end)
        if not is_path and not is_whole:
            return match.end()
    return -1


def _forms(text: str) -> list[str]:
    """Return *text* as it is and decoded: from JSON, from full-width characters, and from URL encoding."""
    forms = [text.replace("\\/", "/")]
    if not text.isascii():
        import unicodedata

        forms.append(unicodedata.normalize("NFKC", forms[-1]))
    if "%" in text:
        from urllib.parse import unquote

        while len(forms) < _MAX_FORMS and unquote(forms[-1]) != forms[-1]:
            forms.append(unquote(forms[-1]))
    return forms


def _exists(path: str) -> bool:
    try:
        return os.path.isabs(path) and os.path.lexists(path)
    except (OSError, ValueError):
        return False


def _kind_of_text(value: str) -> str:
    bare = value.strip().strip("\"'`").strip()
    bare = bare[7:] if _is_file(bare) else bare
    if re.fullmatch(r"/(?:nix|gnu)/store/[0-9a-z]{32}(?:-[\w.+-]{1,200})?/?", bare):
        return ""  # a hash
    if os.path.isabs(bare):
        # The last part, which may be a whole value after a directory.
        last = re.split(r"[/\\]", bare)[-1]
        return "a token" if "." not in last and _is_random(last) else ""
    if "@" in bare:
        return "an address"
    visible = "".join([character for character in bare if character.isprintable() or character.isspace()])
    if len(visible) < 0.75 * len(bare):
        return "binary data"
    bare = visible  # A file name may contain a few control characters, which are escaped.
    if _is_random(bare):
        return "a token"
    if all(re.fullmatch(_WORD, word) for word in re.split(r"[\s,;._+-]", bare.rstrip(":"))):
        return ""
    is_path = re.search(_PATH_MARKS, bare) and re.fullmatch(_PATH_CHARACTERS, bare)
    return "" if is_path else "text"


def _is_random(text: str) -> bool:
    """Return whether *text* contains many changes between small and capital letters and digits, like a token."""
    for run in re.findall("[A-Za-z0-9]{16,4096}", text):
        kinds = [1 if one.isdigit() else 2 if one.isupper() else 3 for one in run]
        changes = sum(first != second for first, second in zip(kinds, kinds[1:]))
        if changes >= 0.35 * len(run):
            return True
    return False


def without_secrets(text: str) -> str:
    """Return *text*, a message, without the secrets that are recognised in it.

    Of a longer message than any of certhook's, only the start is returned, up to a URL that may not be complete.
    """
    if len(text) > _MAX_MESSAGE:
        text = text[:_MAX_MESSAGE]
        start = re.search(_BEFORE_CREDENTIALS, text)
        text = f"{text[: start.start()] if start else text.rpartition(' ')[0]}..."
    if "-" in text or "LS0t" in text or "tLS0t" in text or "0tLS0" in text:
        text = re.sub(_BASE64_PEM, "(PEM text in base64)", _without_pem(text))
    return without_passwords(text)


def without_passwords(text: str) -> str:
    """Return *text*, a line, without passwords and tokens. PEM text is not changed."""
    if "-----BEGIN " in text:
        return text
    # A recommended command, whose URL follows others in the sentence.
    parts = text.split(f"{PLACEHOLDER}@")
    return f"{PLACEHOLDER}@".join(map(_without_passwords, parts))


def _without_passwords(text: str) -> str:
    text = without_credentials(text)
    if "@" in text:
        text = re.sub(_LOGIN, "...@", text)
    if "%" in text:
        text = re.sub(_ENCODED_URL, "...", text)
    if "=" in text:
        text = re.sub(_ASSIGNMENT_IN_MESSAGE, r"\1...", text)
    return re.sub(f"{_TOKEN}|{_HEADER}", "...", text)


def without_passwords_in(found: Any) -> Any:
    """Return *found*, an object for JSON, without the passwords and tokens in its texts.

    Encoded text is too late: a password may end with the backslash before a quotation mark.
    """
    if isinstance(found, str):
        return found if "-----BEGIN " in found else "\n".join(map(without_passwords, found.split("\n")))
    if isinstance(found, dict):
        return {without_passwords_in(key): without_passwords_in(value) for key, value in found.items()}
    return list(map(without_passwords_in, found)) if isinstance(found, (list, tuple)) else found


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
    end = _end_of_credentials(text)
    if end >= 0:
        start = _start_of_credentials(text, end)
        if start >= 0 and text[start:end] != PLACEHOLDER:
            return f"{text[:start]}...{text[end:]}"
    return text


def is_host(text: str) -> bool:
    """Return whether *text* has the form of a host, with or without a port."""
    return bool(re.fullmatch(r"(?:\[[0-9A-Fa-f:.%\w]{2,64}\]|[\w.%-]{1,253})(?::\d{0,5})?", text))


def is_token(text: str) -> bool:
    """Return whether *text*, which may be a host, is a token. Names of hosts in a domain may look random."""
    return bool(re.search(_TOKEN, text)) or ("." not in text and _is_random(text))
