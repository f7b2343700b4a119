"""Contexts that point at a compiled store, in processes without the hook.

``ssl`` remains unchanged. The class of these contexts is a subclass of the standard library's
``SSLContext``, in which the methods are wrapped that the hook wraps in that class, so that the
contexts behave as in a process with the hook. The subclass has the same name, because programs
print it.
"""

from __future__ import annotations

import ssl
import sys
from types import FunctionType, ModuleType

from certhook import _failure, _patch
from certhook._config import purpose_bit
from certhook._state import context_class_of, is_hooked, markers_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    Create = Callable[..., ssl.SSLContext]

# Copies of the module ssl that contain a subclass, by the class that it is derived from.
_modules: dict[type, ModuleType] = {}
# The function and the class in ssl, and the function that creates contexts for them.
_latest: tuple[Any, Any, Create] = (None, None, ssl.create_default_context)


def create_default_context(purpose: ssl.Purpose | None, **roots: Any) -> ssl.SSLContext:
    """Create a context as ``ssl.create_default_context()`` does if certhook is installed.

    :param purpose: None for servers
    """
    global _latest
    latest = _latest
    # certhook.install(), and other programs, replace them.
    if latest[0] is not ssl.create_default_context or latest[1] is not ssl.SSLContext:
        source, context_class = ssl.create_default_context, ssl.SSLContext
        latest = _latest = source, context_class, _choose_function(source, context_class)
    return latest[2](ssl.Purpose.SERVER_AUTH if purpose is None else purpose, **roots)


def load_default_certs(context: ssl.SSLContext, purpose: ssl.Purpose | None) -> None:
    """Make *context* trust the anchors of default trust.

    :param purpose: None for servers
    """
    purpose = ssl.Purpose.SERVER_AUTH if purpose is None else purpose
    if _adapt(context):
        context.load_default_certs(purpose)
        return
    from certhook import _trust

    problems = _trust.apply(context, purpose_bit(purpose.oid))
    if markers_of(context).store is not None and not is_hooked(context):
        from certhook import _eager

        _eager.load_completely(context)
    _trust.report(problems or ())


def _adapt(context: ssl.SSLContext) -> bool:
    """Wrap the methods of *context* if it is of the standard library's class, and return whether they are wrapped.

    Other subclasses may have methods of their own.
    """
    standard = context_class_of(ssl)
    if type(context) is standard and not is_hooked(context):
        try:
            context.__class__ = _copy_of_ssl(standard).SSLContext
        except TypeError:
            return False  # Not possible in this implementation of Python.
    own = [copy.SSLContext for copy in list(_modules.values())]
    return type(context) is standard or type(context) in own


def _choose_function(source: Any, context_class: type) -> Create:
    """Return the function that creates contexts.

    :param source: ``ssl.create_default_context``
    :param context_class: ``ssl.SSLContext``
    """
    standard = context_class_of(ssl)
    if getattr(standard.get_ca_certs, "__certhook_active__", False):
        return source  # type: ignore[no-any-return]
    is_own = isinstance(source, FunctionType) and source.__globals__ is vars(ssl)
    # gevent's class inherits the methods, truststore's does not.
    if is_own and all(getattr(context_class, name) is getattr(standard, name) for name in _patch.METHODS):
        copy = _copy_of_ssl(context_class)
        function = FunctionType(source.__code__, vars(copy))
        return _patch.wrap_create_default_context(copy, function)  # type: ignore[no-any-return]

    def create(purpose: ssl.Purpose, **roots: Any) -> ssl.SSLContext:
        context: ssl.SSLContext = source(purpose, **roots)
        if context.verify_mode != ssl.CERT_NONE and not any(roots.values()):
            load_default_certs(context, purpose)
        return context

    return create


def _copy_of_ssl(context_class: type) -> ModuleType:
    """Return a copy of the module ``ssl`` with a subclass of *context_class*, whose methods are wrapped."""
    copy = _modules.get(context_class)
    if copy is None:
        copy = ModuleType("ssl")
        vars(copy).update(vars(ssl))
        attributes: dict[str, Any] = {"__slots__": (), "__module__": "ssl", "__doc__": context_class.__doc__}
        # CERTHOOK_X509_STRICT wraps the property in the first class that has it.
        attributes["verify_flags"] = _patch.wrap_verify_flags(copy, context_class.verify_flags)  # type: ignore[attr-defined]
        for name in ("sslsocket_class", "sslobject_class"):
            attributes[name] = _repairing(getattr(context_class, name))
        copy.SSLContext = subclass = type("SSLContext", (context_class,), attributes)  # type: ignore[attr-defined]
        for name, make in _patch.METHODS.items():
            setattr(subclass, name, make(copy, getattr(context_class, name)))
        copy = _modules.setdefault(context_class, copy)
    return copy


def _repairing(connection_class: Any) -> type:
    """Return a subclass of ``SSLSocket`` or ``SSLObject`` that handles failed verifications."""

    def do_handshake(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            connection_class.do_handshake(self, *args, **kwargs)
        except ssl.SSLCertVerificationError as error:
            try:
                _failure.handle(error, sys._getframe())
            except Exception:
                pass  # The exception of the program is more important.
            raise

    attributes = {"__module__": "ssl", "__doc__": connection_class.__doc__, "do_handshake": do_handshake}
    return type(connection_class.__name__, (connection_class,), attributes)
