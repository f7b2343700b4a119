"""Certificate revocation lists (CRLs) in the directories from which stock Python reads default trust.

OpenSSL looks up the lists of an issuer as ``<issuer hash>.r<n>`` in these directories if a program sets
``VERIFY_CRL_CHECK_LEAF`` or ``VERIFY_CRL_CHECK_CHAIN``. A compiled store contains roots only. The lists are
therefore loaded into a context that has default trust and one of these flags.

This module is imported for the first such context.
"""

from __future__ import annotations

import _ssl
import os
import re

from certhook import _files
from certhook._finder import undisturbed
from certhook._sources.system import directories
from certhook._state import markers_of
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from typing import Iterator

    from certhook._config import Config

_NAME = re.compile(r"([0-9a-f]{8})\.r(0|[1-9][0-9]{0,5})")

# Not the context's own method, which a subclass may override and certhook wraps.
_load = _ssl._SSLContext.load_verify_locations


@undisturbed
def load_lists(context: ssl.SSLContext) -> None:
    """Load the revocation lists that stock Python finds into *context*, if it has default trust."""
    markers = markers_of(context)
    for request in (markers.request, markers.loaded_request):
        # A caller that names a public bundle does not load the directories.
        if request is not None and request[0].requested is None:
            for path in _paths(request[0]):
                _load_list(context, path)
            return


def _paths(config: Config) -> Iterator[str]:
    """Return the paths of the lists, in the first directory that contains one of the issuer, as OpenSSL does."""
    known: set[str] = set()
    for directory in directories(config) if "system" in config.sources else ():
        try:
            names = os.listdir(directory)
        except OSError:
            continue
        numbers = {(match[1], int(match[2])) for match in map(_NAME.fullmatch, names) if match}
        issuers = {issuer for issuer, _ in numbers} - known
        for issuer in sorted(issuers):
            number = 0
            while (issuer, number) in numbers:
                known.add(issuer)
                yield os.path.join(directory, f"{issuer}.r{number}")
                number += 1


def _load_list(context: ssl.SSLContext, path: str) -> None:
    try:
        data = _files.read(path)
    except SourceError:
        return  # OpenSSL ignores it as well.
    # Python loads everything in a file, but OpenSSL reads only the lists of these files.
    if b"-----BEGIN X509 CRL-----" not in data or b"CERTIFICATE-----" in data:
        return
    try:
        _load(context, cafile=path)
    except OSError:
        pass  # It is malformed.
