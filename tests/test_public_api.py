"""The public Python API: its names, signatures and attributes. A change of any of them needs a new major version."""

from __future__ import annotations

import inspect
import re

import certhook

NAMES = {
    "Anchor",
    "CerthookError",
    "CerthookWarning",
    "ConfigurationError",
    "Location",
    "SourceError",
    "TrustSet",
    "__version__",
    "create_default_context",
    "install",
    "is_installed",
    "load_default_certs",
    "trust_set",
    "uninstall",
}
SIGNATURES = {
    "create_default_context": "(purpose=None, *, cafile=None, capath=None, cadata=None)",
    "install": "(*, use_environment=True)",
    "is_installed": "()",
    "load_default_certs": "(context, purpose=None)",
    "start": "(caller='site-packages')",
    "trust_set": "(purpose=None)",
    "uninstall": "()",
}
ATTRIBUTES = {
    "Anchor": {"der", "distrusted_by", "listed_by", "sha256", "sources", "subject", "validity"},
    "Location": {"count", "ders", "note", "path", "source"},
    "TrustSet": {
        "anchors",
        "blocklisted",
        "distrust_is_known",
        "distrusted",
        "excluded",
        "expired",
        "locations",
        "problems",
        "restricted",
    },
}


def test_the_public_names_do_not_change() -> None:
    assert set(certhook.__all__) == NAMES
    assert all(hasattr(certhook, name) for name in NAMES)


def test_the_signatures_of_the_functions_do_not_change() -> None:
    found = {}
    for name in SIGNATURES:
        signature = inspect.signature(getattr(certhook, name))
        plain = [one.replace(annotation=inspect.Parameter.empty) for one in signature.parameters.values()]
        found[name] = str(signature.replace(parameters=plain, return_annotation=inspect.Signature.empty))
    assert found == SIGNATURES


def test_the_attributes_of_the_results_do_not_change() -> None:
    trust = certhook.trust_set()
    assert len(trust) == len(trust.anchors) > 0
    for result in (trust, trust.anchors[0], trust.locations[0]):
        name = type(result).__name__
        # Attributes in the second part of the description are internal.
        internal = (inspect.getdoc(type(result)) or "").partition("internal")[2]
        found = {attribute for attribute in dir(result) if not attribute.startswith("_")}
        found -= {*re.findall(r":ivar (\w+):", internal), "roots_by_source"}
        assert found == ATTRIBUTES[name], name


def test_every_error_has_the_attributes_that_programs_need() -> None:
    setting = certhook.ConfigurationError("CERTHOOK_MODE", "is invalid")
    source = certhook.SourceError("/roots.pem", "cannot be read")
    assert (setting.setting, setting.message) == ("CERTHOOK_MODE", "is invalid")
    assert (source.path, source.message) == ("/roots.pem", "cannot be read")
    assert all(isinstance(error, certhook.CerthookError) for error in (setting, source))
    assert issubclass(certhook.CerthookWarning, UserWarning)
