"""The command curl, which has roots, variables and proxies of its own: a real request."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from typing import NamedTuple
from urllib.request import getproxies

from certhook._text import presentable, without_parts
from certhook.cli.check.failure import Deadline, Failure
from certhook.cli.check.target import Target

#: The variables that select curl's roots.
VARIABLES = ("CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")

# Exit codes (curl(1)).
_PROXY_CODES, _NAME_CODE, _CONNECT_CODE, _TIMEOUT_CODE = (5, 97), 6, 7, 28
_VERIFY_CODES = (51, 60, 77, 82, 83, 90, 91)
_TLS_CODES = (35, 53, 54, 58, 59, 66, 80)
# The time of a request, in seconds, because a server may delay the reply to an unknown client.
_MAX_TIME = 5.0


class Command(NamedTuple):
    """The installed curl."""

    path: str
    version: str


@functools.lru_cache(maxsize=1)
def find() -> Command | None:
    """Return the first curl on PATH, None if there is none or it does not run."""
    # A relative entry of PATH, and on Windows also the working directory, may belong to another user.
    directories = filter(os.path.isabs, os.get_exec_path())
    path = next(filter(None, (shutil.which(os.path.join(directory, "curl")) for directory in directories)), None)
    if path is None:
        return None
    try:
        found = re.match(r"curl (\S+)", _run([path, "-q", "--version"], 5.0)[1])
    except (OSError, subprocess.SubprocessError):
        return None
    return Command(path, found[1]) if found else None


def connect(command: Command, target: Target, deadline: Deadline) -> None:
    """Send a HEAD request to *target*, without the settings in the user's ``.curlrc``.

    :raises Failure: if curl does not verify the server or does not reach it
    """
    try:
        seconds = min(deadline.left(), _MAX_TIME)
        arguments = ["-q", "-sS", "-g", "-I", "-o", os.devnull, "-w", "%{time_appconnect}"]
        arguments += ["--proto", "=https", "--max-time", f"{seconds:.3f}"]
        if target.address is not None:
            arguments += ["--connect-to", f"::{target.shown_address}"]
        url = f"https://{target.ascii_host}:{target.port}/"
        code, output, message = _run([command.path, *arguments, url], seconds + 1)
    except (OSError, subprocess.SubprocessError) as error:
        raise Failure("connect", "timed out", reason="timeout") from error
    # The time until the end of the handshake is zero if it failed. A later failure, such as an empty reply, is HTTP's.
    if code not in (*_VERIFY_CODES, *_TLS_CODES) and re.search("[1-9]", output):
        return
    text = _without_secrets(re.sub(r"^curl: \(\d+\) ", "", message.strip().partition("\n")[0])) or f"exit status {code}"
    if code in _VERIFY_CODES:
        raise Failure("verify", text)
    is_proxy = code in _PROXY_CODES or "proxy" in text.lower() or "CONNECT" in text
    steps = {_NAME_CODE: "name", _CONNECT_CODE: "connect", _TIMEOUT_CODE: "connect"}
    reason = "timeout" if code == _TIMEOUT_CODE else ""
    raise Failure("proxy" if is_proxy else steps.get(code, "tls"), text, reason=reason)


def _run(command: list[str], seconds: float) -> tuple[int, str, str]:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False)
    return done.returncode, done.stdout.decode("ascii", "replace"), done.stderr.decode("utf-8", "replace")


def _without_secrets(text: str) -> str:
    """Return *text*, a message of curl, without the credentials in the variables for proxies."""
    text = without_parts(text, filter(None, getproxies().values()))
    return "the address of the proxy is invalid" if "@" in text else presentable(text)
