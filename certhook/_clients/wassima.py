"""wassima, and with it niquests: the certificates that it collects, without distrusted ones, plus default trust.

It collects them itself: from all files in the directories of the operating system's store, or else from its own
copy of Mozilla's roots. Its function ``register_ca`` cannot remove a certificate, and would require default trust
when wassima is imported. The hook therefore changes the results of two functions, on which all others depend.
"""

from __future__ import annotations

from certhook import _config
from certhook._state import incomplete, is_wrapped, load_module, marked, wrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, Iterable

    from certhook._clients.certificates import Certificates
    from certhook._config import Config
    from certhook._sources.collector import Collector

_DER, _PEM = "root_der_certificates", "root_pem_certificates"


class _Answer:
    """A result of ``root_der_certificates``, and the values that it was determined from."""

    def __init__(self, own: list[bytes], found: Certificates, certificates: list[bytes]) -> None:
        self.own = own
        self.found = found
        self.certificates = certificates


def apply(module: ModuleType) -> None:
    """Wrap the functions of *module*, wassima, that return certificates.

    :raises CerthookError: if *module* has no such functions
    """
    for name in (_DER, _PEM):
        if not callable(getattr(module, name, None)):
            raise incomplete(module, name)
    for name, make in ((_DER, _der_certificates), (_PEM, _pem_certificates)):
        if not is_wrapped(module, name):
            wrap(module, name, make(module, getattr(module, name)))


def _der_certificates(module: ModuleType, original: Any) -> Any:
    answers: dict[object, _Answer] = {}

    def root_der_certificates(*args: Any, **kwargs: Any) -> Any:
        own = original(*args, **kwargs)
        if not wrapper.__certhook_active__:
            return own
        config = _config.current()
        key = args, tuple(kwargs.items())
        answer = answers.get(key)
        try:
            certificates = load_module("_clients.certificates")
            found = certificates.current(config, answer and answer.found)
            if answer is None or answer.found is not found or answer.own != own:
                if answer is not None and answer.found is not found and hasattr(original, "cache_clear"):
                    original.cache_clear()  # wassima keeps its list for hours.
                    own = original(*args, **kwargs)
                answers[key] = answer = _Answer(own, found, _merge(module, config, own, found))
        except Exception as failure:
            if config.on_error == "raise":
                raise
            return answer.certificates if answer is not None else _fall_back(module, config, own, failure)
        certificates.report(found.trust)
        return answer.certificates

    wrapper = _marked(root_der_certificates, original, module)
    return wrapper


def _pem_certificates(module: ModuleType, original: Any) -> Any:
    answers: dict[object, tuple[list[bytes], list[str]]] = {}

    def root_pem_certificates(*args: Any, **kwargs: Any) -> Any:
        if not wrapper.__certhook_active__:
            return original(*args, **kwargs)
        # Not through the original, which would keep the result after uninstall().
        ders = getattr(module, _DER)(*args, **kwargs)
        key = args, tuple(kwargs.items())
        answer = answers.get(key)
        if answer is None or answer[0] is not ders:
            from certhook._certificates.openssl import to_pem

            answers[key] = answer = ders, [to_pem(der).decode() for der in ders]
        return answer[1]

    wrapper = _marked(root_pem_certificates, original, module)
    return wrapper


def _marked(wrapper: Any, original: Any, module: ModuleType) -> Any:
    wrapper = marked(wrapper, original, module.__name__)
    # The functions of functools.lru_cache are not in its __dict__.
    for name in ("cache_clear", "cache_info", "cache_parameters"):
        if hasattr(original, name):
            setattr(wrapper, name, getattr(original, name))
    return wrapper


def _merge(module: ModuleType, config: Config, own: list[bytes], found: Certificates) -> list[bytes]:
    """Return the certificates in *own* that may be trusted, and then those of default trust that *own* lacks."""
    trusted, rejected = set(found.trusted), set(found.rejected)
    registered = set(getattr(module, "_MANUALLY_REGISTERED_CA", ()))  # A choice of the caller.
    others = [der for der in own if der not in trusted and der not in registered]
    omitted = _omitted(module, config, others, own) | rejected if others else set()
    kept = [der for der in own if der in registered or der not in omitted]
    known = set(kept)
    return [*kept, *(der for der in found.trusted if der not in known)]


def _omitted(module: ModuleType, config: Config, others: list[bytes], own: list[bytes]) -> set[bytes]:
    """Return those of *others*, certificates that default trust lacks, that must not be trusted.

    :param own: all certificates that wassima collected
    """
    from certhook._certificates.x509 import Certificate
    from certhook._config import SERVER_AUTH
    from certhook._digest import hexdigest
    from certhook._public_bundles import CERTIFI

    collector = _exclusions(config)
    config = collector.config
    sources, is_complete = config.adopting(CERTIFI).sources, not collector.doubt

    def is_distrusted(der: bytes) -> bool:
        try:
            purposes, _ = collector.blocklist.match(Certificate(der))
        except ValueError:
            return False  # OpenSSL does not accept it either.
        return bool(purposes & SERVER_AUTH)

    omitted = set(filter(is_distrusted, others))
    if "system" not in sources or "bundled" not in sources or config.bundle is not None or not is_complete:
        bundle = _own_bundle(module, own)
        if "system" not in sources:
            omitted.update(der for der in others if der not in bundle)
        if "bundled" not in sources or config.bundle is not None or not (is_complete or bundle.issuperset(own)):
            omitted.update(der for der in others if der in bundle)
    if config.removed == "drop":
        from certhook._sources.removed_roots import REMOVED_ROOTS

        omitted.update(der for der in others if hexdigest("sha256", der) in REMOVED_ROOTS)
    return omitted


def _exclusions(config: Config) -> Collector:
    """Read the system-wide settings file and the block lists into a new collector."""
    from certhook._config import SERVER_AUTH
    from certhook._sources import bundled, distrust, settings_file
    from certhook._sources.collector import Collector

    collector = Collector(config, SERVER_AUTH)
    settings_file.read(collector)
    distrust.read(collector)
    if collector.blocklist.removed_labels:
        bundled.read(collector)  # It contains the labels.
    return collector


def _own_bundle(module: ModuleType, own: Iterable[bytes]) -> set[bytes]:
    """Return the certificates of wassima's copy of Mozilla's roots. Before wassima 2, it used certifi's."""
    bundle = getattr(module, "fallback_der_certificates", None)
    if bundle is not None:
        return set(bundle())
    return set() if getattr(module, "RUSTLS_LOADED", True) else set(own)


def _fall_back(module: ModuleType, config: Config, own: list[bytes], failure: Exception) -> list[bytes]:
    """Report an internal error, and return the certificates of stock Python, or none if the settings exclude them."""
    from certhook._public_bundles import CERTIFI
    from certhook._warnings import warn

    config = _config.effective(config)
    is_permitted = config.bundle is None and len(config.adopting(CERTIFI).sources) == 2
    consequence = "wassima uses its own certificates" if is_permitted else "wassima has no certificates"
    warn(f"internal error, {consequence}: {failure!r}")
    return own if is_permitted else list(getattr(module, "_MANUALLY_REGISTERED_CA", ()))
