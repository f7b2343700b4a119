"""OpenSSL's ``X509_STORE`` of a context of pyOpenSSL, through the functions that the package ``cryptography`` exports.

The methods of pyOpenSSL's contexts cannot be used, because a context that has been used for a connection rejects
changes. OpenSSL itself allows them.
"""

from __future__ import annotations

import os

from certhook._certificates.openssl import load_through_file, split, to_pem, without_settings
from certhook._loading import load_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable

    from certhook.exceptions import CerthookError


class X509Store:
    """The store of the ``SSL_CTX`` *context*, or a new one that replaces it later.

    :param lib: the functions of OpenSSL
    :param ffi: the functions of cffi
    """

    def __init__(self, lib: Any, ffi: Any, context: Any, is_new: bool = False) -> None:
        self._lib = lib
        self._ffi = ffi
        self._context = context
        self._handle = lib.X509_STORE_new() if is_new else lib.SSL_CTX_get_cert_store(context)
        if self._handle == ffi.NULL:
            raise MemoryError("OpenSSL has no X509_STORE")

    def install(self) -> Any:
        """Replace the store of the context by this one, which is new, and return the previous one.

        The previous one is freed with the returned object. Connections in other threads may still read it.
        """
        previous = self._lib.SSL_CTX_get_cert_store(self._context)
        self._lib.X509_STORE_up_ref(previous)
        self._lib.SSL_CTX_set_cert_store(self._context, self._handle)
        return self._ffi.gc(previous, self._lib.X509_STORE_free)

    def load_locations(self, file: Any, directory: Any = None) -> bool:
        """Load a file and add a hashed directory, each of which may be None. Return whether OpenSSL accepts them."""
        paths = [self._ffi.NULL if path is None else os.fsencode(path) for path in (file, directory)]
        is_accepted: bool = self._lib.X509_STORE_load_locations(self._handle, *paths) == 1
        if not is_accepted:
            self._lib.ERR_clear_error()
        return is_accepted

    def load_compiled_store(self, store: str) -> None:
        """Load every certificate of a compiled store.

        :raises OSError: if it does not exist
        """
        load_files(store, self.load_locations)

    def load_anchors(self, anchors: Iterable[bytes], problems: list[CerthookError]) -> None:
        """Load certificates, each followed by OpenSSL's trust settings if it has any.

        :param problems: a problem is appended if the settings cannot be loaded
        """
        parts = list(map(split, anchors))
        ders = tuple([der for der, _ in parts])
        settings = b"".join([to_pem(*part) for part in parts if part[1]])
        if settings:
            try:
                load_through_file(self._load_settings, settings)
                ders = tuple([der for der, auxiliary in parts if not auxiliary])
            except OSError as error:
                ders = without_settings([der + auxiliary for der, auxiliary in parts], error, problems)
        for der in ders:
            self._add(der)

    def _load_settings(self, file: str) -> None:
        # OpenSSL reads trust settings only from a file.
        if not self.load_locations(file):
            raise OSError(f"OpenSSL does not load {file}")

    def _add(self, der: bytes) -> None:
        lib = self._lib
        source = lib.BIO_new_mem_buf(der, len(der))
        certificate = lib.d2i_X509_bio(source, self._ffi.NULL)
        if certificate != self._ffi.NULL:
            lib.X509_STORE_add_cert(self._handle, certificate)
            lib.X509_free(certificate)
        lib.BIO_free(source)
        lib.ERR_clear_error()
