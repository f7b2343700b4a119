"""httpcore2: ``default_ssl_context()``, on which httpx2 and many SDKs depend (openai, anthropic, google-genai).

Instead of requesting default trust, the function loads the paths compiled into OpenSSL as files, or uses truststore.
"""

from __future__ import annotations

import os
import sys

from certhook import _config
from certhook._state import incomplete, is_wrapped, marked, wrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

_NAME = "default_ssl_context"


def apply(module: ModuleType) -> None:
    """Wrap ``default_ssl_context`` of *module*, ``httpcore2._ssl``, and of the modules that imported it.

    :raises CerthookError: if *module* has no such function
    """
    original = getattr(module, _NAME, None)
    if not callable(original):
        raise incomplete(module, _NAME)
    if is_wrapped(module, _NAME):
        return

    def default_ssl_context(**options: Any) -> Any:
        """Return a context with default trust, unless variables of the environment select the roots."""
        if not wrapper.__certhook_active__ or _variables_select_roots(options.get("_trust_env", True)):
            return original(**options)
        # On Windows and macOS, truststore lets the operating system verify the server. It also accepts the roots of
        # the context.
        is_native = sys.platform in ("win32", "darwin")
        context = original(**options) if is_native else module.ssl.SSLContext(module.ssl.PROTOCOL_TLS_CLIENT)
        context.load_default_certs()
        return context

    wrapper = marked(default_ssl_context, original, module.__name__)
    for importer in _importers(module, original):
        wrap(importer, _NAME, wrapper)


def _variables_select_roots(trust_env: bool) -> bool:
    """Return whether the library or default trust would use ``SSL_CERT_FILE`` or ``SSL_CERT_DIR``.

    With *trust_env* false, the caller excludes these variables, but default trust does not.
    """
    is_set = os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR")
    return bool(trust_env and is_set) or _config.current().overrides_system


def _importers(module: ModuleType, original: Any) -> list[ModuleType]:
    """Return *module* and the imported modules of the package that refer to *original*, or to a former wrapper."""
    package = module.__name__.partition(".")[0]
    importers = []
    for name, other in list(sys.modules.items()):
        function = getattr(other, _NAME, None) if name.partition(".")[0] == package else None
        if function is original or getattr(function, "__certhook__", None) is original:
            importers.append(other)
    return importers
