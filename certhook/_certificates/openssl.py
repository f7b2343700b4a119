"""Certificates in the forms that OpenSSL reads, PEM text and hashed directories, and its verdict on them."""

from __future__ import annotations

import _ssl
import binascii
import os
from functools import partial

from certhook import _digest
from certhook._certificates import names, x509
from certhook._state import context_class_of
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from typing import Callable, Iterable, Sequence

    from certhook._certificates.x509 import Certificate
    from certhook.exceptions import CerthookError

# Not the context's own method, which a subclass may override and certhook wraps.
_load = _ssl._SSLContext.load_verify_locations


def to_pem(der: bytes, auxiliary: bytes = b"") -> bytes:
    """Encode a certificate as PEM (:rfc:`7468`).

    :param auxiliary: OpenSSL's trust settings as DER, empty if there are none
    """
    text = binascii.b2a_base64(der + auxiliary, newline=False)
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    label = b"TRUSTED CERTIFICATE" if auxiliary else b"CERTIFICATE"
    return b"\n".join([b"-----BEGIN %s-----" % label, *lines, b"-----END %s-----" % label, b""])


def hashed_names(certificates: Iterable[Certificate]) -> dict[str, bytes]:
    """Return the DER of *certificates* by the names of their files in a hashed directory.

    For one subject hash, OpenSSL opens the files 0, 1, 2, ... and stops at the first one that it
    rejects. Certificates that it rejects are therefore omitted if another one has the same hash.
    OpenSSL prefers the first of several certificates with the same subject.
    """
    by_hash: dict[str, list[bytes]] = {}
    for certificate in certificates:
        try:
            name = names.hash_of_subject(certificate)
        except ValueError:
            continue  # OpenSSL cannot decode this name either.
        by_hash.setdefault(name, []).append(certificate.der)
    files = {}
    for name, ders in sorted(by_hash.items()):
        for number, der in enumerate(_accepted(ders) if len(ders) > 1 else ders):
            files[f"{name}.{number}"] = der
    return files


def _accepted(ders: list[bytes]) -> list[bytes]:
    return [*load_one_by_one(new_context(), ders, problems=[])]


def load_one_by_one(
    context: ssl.SSLContext, anchors: Iterable[bytes], problems: list[CerthookError]
) -> tuple[bytes, ...]:
    """Load each of *anchors* that OpenSSL accepts into *context*.

    :param anchors: certificates as DER, each followed by OpenSSL's trust settings, if it has any
    :param problems: a problem is appended for each rejected certificate
    :returns: the certificates that were loaded
    """
    loaded = []
    for anchor in anchors:
        try:
            load_certificates(context, [anchor])
        except _ssl.SSLError as error:
            name = f"the certificate with SHA-256 {_digest.hexdigest('sha256', anchor)}"
            problems.append(SourceError(name, f"is ignored because OpenSSL rejects it: {error}"))
        else:
            loaded.append(anchor)
    return tuple(loaded)


def load_certificates(context: ssl.SSLContext, certificates: Iterable[bytes]) -> None:
    """Load certificates into *context*.

    :param certificates: certificates as DER, each followed by OpenSSL's trust settings, if it has any
    :raises SSLError: if OpenSSL rejects one of them; it may have loaded others
    :raises OSError: if one of them has trust settings, and no temporary file can be created
    """
    parts = list(map(split, certificates))
    if any(auxiliary for _, auxiliary in parts):
        load_through_file(partial(load_file, context), _joined_pem(parts))
        return
    # Python before 3.12 misreads an unrelated error in OpenSSL's queue, such as one in openssl.cnf, as a
    # rejection. The failing call empties the queue. The second attempt uses PEM, because every call with DER
    # fails in some releases of OpenSSL, such as 3.0.21 (cpython#151504).
    try:
        _load(context, cadata=b"".join([der for der, _ in parts]))
    except _ssl.SSLError:
        _load(context, cadata=_joined_pem(parts).decode())


def without_settings(certificates: Sequence[bytes], error: OSError, problems: list[CerthookError]) -> tuple[bytes, ...]:
    """Return the certificates that can be loaded without a file and without widening trust.

    Without its trust settings, a rejected certificate would be trusted. If it were missing, a server could send
    it, and OpenSSL would continue with its issuer.

    :param problems: a problem is appended for the omitted certificates
    """
    parts = list(map(split, certificates))
    are_roots = all(names.is_self_issued(x509.Certificate(der)) for der, auxiliary in parts if auxiliary)
    kept = tuple([der for der, auxiliary in parts if are_roots and not auxiliary])
    message = (
        f"{len(parts) - len(kept)} certificates are ignored, because OpenSSL reads trust settings only from a file, "
        f"and no temporary file can be created: {error}"
    )
    problems.append(SourceError("TRUSTED CERTIFICATE", message))
    return kept


def _joined_pem(parts: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join([to_pem(*part) for part in parts])


def split(data: bytes) -> tuple[bytes, bytes]:
    """Return the certificate at the start of *data*, DER, and the trust settings that follow it, which may be empty."""
    _, _, end = x509.read(data, 0, len(data))
    return data[:end], data[end:]


def load_through_file(load: Callable[[str], object], data: bytes) -> None:
    """Call *load* with the path of a temporary file that contains *data*, and that no other user can access.

    :raises OSError: if it cannot be created
    """
    descriptor = _create_in_memory()
    if descriptor is None:
        from certhook._directory.temporary import TemporaryDirectory

        with TemporaryDirectory() as directory:
            directory.create("certificates.pem", data, 0o600)
            load(os.path.join(directory.path, "certificates.pem"))
        return
    try:
        # Not open(), which is missing at shutdown, and which pyfakefs replaces.
        while data:
            data = data[os.write(descriptor, data) :]
        load(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def _create_in_memory() -> int | None:
    """Return the descriptor of a new file in memory, None if that is not possible."""
    if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd"):
        try:
            return os.memfd_create("certhook")
        except OSError:
            pass  # The kernel or a sandbox does not support it.
    return None


def load_file(context: ssl.SSLContext, path: str) -> None:
    """Load a PEM file into *context*.

    :raises OSError: if it cannot be read, or if OpenSSL rejects it twice, as in :func:`load_certificates`
    """
    try:
        _load(context, cafile=path)
    except _ssl.SSLError:
        _load(context, cafile=path)


def new_context() -> ssl.SSLContext:
    """Return an empty context of the standard library's class, to test whether OpenSSL accepts certificates."""
    # A module of certhook must not keep ssl alive at shutdown; see certhook._state.wrapped.
    import ssl

    return context_class_of(ssl)(ssl.PROTOCOL_TLS_CLIENT)  # type: ignore[no-any-return]
