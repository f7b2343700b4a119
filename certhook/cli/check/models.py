"""The settings of urllib, requests and httpx: roots, proxy and rules for names.

The installed version of a library determines its rules, or the newest one if it is not installed.
The clients environment of the tests compares these models with the real clients.
"""

from __future__ import annotations

import importlib.util
import os
import re
import ssl
from typing import NamedTuple, Sequence

from cryptography import x509

from certhook import _certifi, _config
from certhook._finder import find_package
from certhook._text import shown_value
from certhook.cli import _metadata
from certhook.cli.check import contexts, proxies
from certhook.cli.check.certificate import extension, host_names
from certhook.cli.check.failure import Deadline, Failure
from certhook.cli.check.proxies import Proxy
from certhook.cli.check.target import Target

#: The variables that select the roots of requests and of httpx, the preferred one first.
REQUESTS_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
HTTPX_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")

_NEWEST = (99,)
_STRICT = ssl.VERIFY_X509_STRICT | getattr(ssl, "VERIFY_X509_PARTIAL_CHAIN", 0)


class First(NamedTuple):
    """The first connection, which the clients are compared with.

    :ivar leaf: the server's certificate, if it is known
    :ivar additional: the roots of ``--ca`` as DER
    :ivar deadline: the deadline of all connections
    """

    target: Target
    context: ssl.SSLContext
    failure: Failure | None
    proxy: Proxy | None
    leaf: x509.Certificate | None
    additional: Sequence[bytes]
    deadline: Deadline


class Settings(NamedTuple):
    """The effect of a client's settings.

    :ivar roots: why its roots are not those of default trust, "" if they are
    """

    context: ssl.SSLContext
    proxy: Proxy | None
    roots: str = ""


def urllib(first: First) -> Settings:
    return Settings(first.context, proxies.urllib_proxy(first.target))


def requests(first: First) -> Settings:
    """Return the settings of requests; see its ``Session.merge_environment_settings`` and ``HTTPAdapter.cert_verify``.

    :raises Failure: in the step "proxy", or "verify" if it cannot read its roots
    """
    proxy = proxies.requests_proxy(first.target)
    if proxy is not None and proxy.scheme.startswith("socks"):
        _require_module("requests", "socks", "the package PySocks")
        if proxy.scheme == "socks":
            raise Failure("proxy", f"requests does not support the scheme socks:// in {proxy.source}")
    variable = next(filter(os.environ.get, REQUESTS_VARIABLES), "")
    path = os.environ.get(variable, "")
    if path and not os.path.exists(path):
        raise Failure("verify", f"{variable} names {shown_value(path)}, which does not exist")
    context = _load(first, variable, path) if path else _certifi_context(first)
    version = _numbers(version_of("urllib3"))
    if version >= (2,):
        contexts.require_alternative_name(context)
    elif first.leaf is not None and not has_alternative_name(first.leaf):
        # In urllib3 1, the common name may also be an IP address.
        context.check_hostname = first.target.host not in host_names(first.leaf)
    # The default flags of urllib3 are those of Python since 2.4.
    if version < (2, 4):
        context.verify_flags &= ~_STRICT
    # The same roots verify a proxy with TLS.
    proxy = proxy and proxy._replace(context=context)
    return Settings(context, proxy, _roots_reason(variable, path) if path else _stock_reason())


def httpx(first: First) -> Settings:
    """Return the settings of httpx; see its ``create_ssl_context``.

    :raises Failure: in the step "proxy", or "verify" if it cannot read its roots
    """
    version = _numbers(version_of("httpx"))
    proxy = proxies.httpx_proxy(first.target)
    schemes = {found.scheme: found for found in proxies.configured()}
    if any(scheme.startswith("socks") for scheme in schemes):
        _require_module("httpx", "socksio", "the package socksio")
    if version < (0, 28) and "socks5h" in schemes:
        raise Failure("proxy", f"httpx supports socks5h:// in {schemes['socks5h'].source} only since version 0.28")
    variable = next(filter(os.environ.get, HTTPX_VARIABLES), "")
    path = os.environ.get(variable, "")
    if version < (0, 28):  # It ignores missing files.
        exists = {"SSL_CERT_FILE": os.path.isfile, "SSL_CERT_DIR": os.path.isdir}
        set_ones = [name for name in HTTPX_VARIABLES if name in os.environ]
        # An empty value is the current directory.
        variable = next((name for name in set_ones if exists[name](os.environ[name] or ".")), "")
        path = variable and (os.environ[variable] or ".")
    context = _load(first, variable, path) if path else _certifi_context(first)
    if version < (0, 28):
        contexts.require_alternative_name(context)
        context.verify_flags &= ~_STRICT
    return Settings(context, proxy, _roots_reason(variable, path) if path else _stock_reason())


def has_alternative_name(leaf: x509.Certificate) -> bool:
    """Return whether *leaf* contains a subject alternative name that is a host name or an address."""
    names = extension(leaf, x509.SubjectAlternativeName)
    return names is not None and any(isinstance(name, (x509.DNSName, x509.IPAddress)) for name in names)


def _load(first: First, variable: str, path: str) -> ssl.SSLContext:
    """Return a context with the roots that *variable* names.

    :raises Failure: if they cannot be read
    """
    is_directory = variable == "SSL_CERT_DIR" or (variable != "SSL_CERT_FILE" and os.path.isdir(path))
    try:
        context = contexts.named_context(first.deadline, **{"capath" if is_directory else "cafile": path})
    except OSError as error:
        no_certificate = isinstance(error, ssl.SSLError)
        finding = "contains no certificate" if no_certificate else (error.strerror or str(error))
        text = f"{variable} names {shown_value(path)}, which "
        text += finding if no_certificate else f"cannot be read ({finding})"
        missing = f"{variable} names {shown_value(path)}, which does not exist"
        raise Failure("verify", missing if isinstance(error, FileNotFoundError) else text) from error
    return _with_flags(context, first)


def _certifi_context(first: First) -> ssl.SSLContext:
    """Return a context that names certifi's bundle, which certhook answers with default trust.

    :raises Failure: if it cannot be read
    """
    # certifi is not imported: it may be a directory in the working directory.
    path = _certifi.bundle_path(find_package(_certifi.PACKAGE))
    try:
        context = contexts.default_context() if path is None else contexts.named_context(first.deadline, cafile=path)
    except OSError as error:
        raise Failure("verify", f"certifi's bundle cannot be read ({error.strerror or error})") from error
    context = _with_flags(context, first)
    contexts.add_roots(context, first.additional)
    return context


def _with_flags(context: ssl.SSLContext, first: First) -> ssl.SSLContext:
    context.verify_flags = first.context.verify_flags
    return context


def _roots_reason(variable: str, path: str) -> str:
    return f"it trusts only the roots in {shown_value(path)}, which {variable} names"


def _stock_reason() -> str:
    names = [name for name in HTTPX_VARIABLES if os.environ.get(name)]
    return f"it ignores {' and '.join(names)}" if names and _config.current().overrides_system else ""


def _require_module(client: str, module: str, package: str) -> None:
    """Refuse a SOCKS proxy if *client* is installed without the package that it needs.

    :raises Failure: in the step "proxy"
    """
    if version_of(client) is not None and not _is_importable(module):
        command = f"pip install '{client}[socks]'"
        raise Failure("proxy", f"{client} requires {package} for SOCKS proxies: {command}")


def _is_importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except Exception:  # Its name is that of a module without a spec.
        return False


def version_of(package: str) -> str | None:
    """Return the version of an installed package, None if it is not installed."""
    return _metadata.version(package) if find_package(package) else None


def _numbers(version: str | None) -> tuple[int, ...]:
    """Return the first two numbers of *version*. A library that is not installed has the newest version."""
    return tuple(map(int, re.findall(r"\d+", version)[:2])) if version else _NEWEST
