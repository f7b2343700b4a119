"""Message digests that identify data, also where FIPS restricts hashlib.

With ``fips=yes`` in OpenSSL's configuration and no FIPS provider, or in a FIPS build, hashlib may lack MD5,
SHA-1, and even SHA-256. Identifying data is not a security function, which ``usedforsecurity=False``
declares. Python's own implementations remain, if the interpreter contains them.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Modules with Python's own implementations. Python 3.12 combined _sha256 and _sha512 into _sha2.
_BUILTIN = {"md5": ("_md5",), "sha1": ("_sha1",), "sha256": ("_sha2", "_sha256"), "sha512": ("_sha2", "_sha512")}


def new(algorithm: str, data: bytes = b"") -> Any:
    """Return a hash object of *algorithm* with *data*.

    :raises ValueError: if this Python has no implementation
    """
    parameters = {"usedforsecurity": False} if sys.version_info >= (3, 9) else {}
    # Without an algorithm of OpenSSL, hashlib uses Python's own. It takes longer to import, and needs blake2.
    for module in ("_hashlib", "hashlib"):
        try:
            return __import__(module).new(algorithm, data, **parameters)
        except (ImportError, ValueError) as failure:
            error = failure
    for name in _BUILTIN.get(algorithm, ()):
        try:
            return getattr(__import__(name), algorithm)(data)
        except (ImportError, AttributeError):
            continue
    raise ValueError(f"this Python has no {algorithm} (is it restricted to FIPS algorithms?)") from error


def digest(algorithm: str, data: bytes) -> bytes:
    """Return the digest of *data*."""
    return new(algorithm, data).digest()  # type: ignore[no-any-return]


def hexdigest(algorithm: str, data: bytes) -> str:
    """Return the digest of *data* in lower-case hexadecimal digits."""
    return new(algorithm, data).hexdigest()  # type: ignore[no-any-return]
