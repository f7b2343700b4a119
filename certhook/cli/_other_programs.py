"""The file of root certificates that certhook writes for other programs, and the variables that name it."""

from __future__ import annotations

import os
import shlex
import stat

from certhook import _digest, _exported, _files
from certhook._certificates import pem
from certhook._config import SERVER_AUTH, SETTINGS, Config
from certhook._directory import directory_mode
from certhook._state import is_privileged, process
from certhook._store import Unusable, build, store_directory
from certhook._store.opening import open_stores
from certhook._text import shown_value
from certhook._watch import index_settings
from certhook.cli import _exporting, _writing
from certhook.cli._terminal import CommandError
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Mapping

_CERT_FILE = "SSL_CERT_FILE"

#: The variables, and the programs that read them. PGSSLROOTCERT is not among them: with a file of roots, libpq
#: verifies servers whose verification was not requested (sslmode=require), or connects to them without TLS (prefer).
VARIABLES = {
    _CERT_FILE: "OpenSSL, Python, Ruby, Go, uv, polars",
    "AWS_CA_BUNDLE": "AWS CLI, boto3",
    "CARGO_HTTP_CAINFO": "Cargo",
    "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE": "Google Cloud CLI (gcloud)",
    "CURL_CA_BUNDLE": "curl",
    "DENO_CERT": "Deno",
    "GIT_SSL_CAINFO": "Git",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": "gRPC, Arrow Flight",
    "HTTPLIB2_CA_CERTS": "httplib2",
    "HTTPR_CA_BUNDLE": "httpr",
    "NODE_EXTRA_CA_CERTS": "Node.js, npm",
    "PERL_LWP_SSL_CA_FILE": "Perl's LWP",
    "PIP_CERT": "pip",
    "REQUESTS_CA_BUNDLE": "requests",
}

#: Not set for programs that certhook starts. requests prefers the first two to the choice of the program, such as
#: session.verify or pip's --cert, and pip prefers the third to its configuration. They are not necessary: certhook is
#: active in the Python programs that it starts, and curl reads SSL_CERT_FILE as well.
OMITTED = ("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "PIP_CERT")

# For some variables, others that the same programs read as well, with lower precedence. If the user has set one of
# these, setting the variable would replace the user's choice.
_PREFERRED_TO = {
    "AWS_CA_BUNDLE": ("REQUESTS_CA_BUNDLE",),
}

_TWO_STEPS = "certhook export FILE, then certhook env FILE"


def missing_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Write the trusted root certificates to a file, and return its path for each variable that the user has not set.

    The file is written only if there is such a variable.

    :param environ: the environment of the program, in which the trusted root certificates are determined
    :raises CommandError: if the file cannot be written
    """
    config = _settings(environ)
    chosen = {name for name in VARIABLES if name in environ and not _is_own(environ[name], config.store_dir)}
    if _is_replaceable(config):
        chosen.discard(_CERT_FILE)
    offered = [name for name in VARIABLES if name not in OMITTED]
    names = [name for name in offered if not chosen & {name, *_PREFERRED_TO.get(name, ())}]
    return dict.fromkeys(names, export(environ)) if names else {}


def check_file(file: str) -> str:
    """Return the absolute path of *file*, which must contain certificates as PEM.

    :raises SourceError: if it does not
    """
    path = os.path.abspath(file)
    data = _files.read(path)
    entries, _ = pem.parse(data)
    if not entries or b"-----BEGIN " not in data:
        from certhook._certificates import formats

        advice = formats.identify(data, path).advice("name the new file")
        raise SourceError(
            path, f"contains no certificate in PEM format. {advice} 'certhook export FILE' writes such a file"
        )
    return path


def export(environ: Mapping[str, str]) -> str:
    """Write the trusted root certificates to a file in the directory of compiled stores, unless it contains them.

    :param environ: the environment in which the trusted root certificates are determined
    :returns: the path of the file
    :raises CommandError: if the file cannot be written
    """
    config = _settings(environ)
    if config.cert_file is not None and not _is_replaceable(config):
        raise CommandError(_explain_refusal(config.cert_file, environ))
    directory = _store_directory(config)
    # SSL_CERT_FILE names an earlier result, which must not select the roots now, or is replaced.
    config = _settings({name: value for name, value in environ.items() if name != _CERT_FILE})
    path = os.path.join(directory, _file_name(config))
    anchors, _ = _exporting.read_exportable(config, SERVER_AUTH)
    data = _exporting.commented_pem(anchors)
    if not _contains(path, data):
        _writing.write_file(path, data)
    return path


def _settings(environ: Mapping[str, str]) -> Config:
    return Config(environ if process.use_environment and not is_privileged() else {})


def _is_own(path: str, store_dir: str | None) -> bool:
    """Return whether certhook wrote the file *path*, with these or other settings."""
    return _exported.is_exported(path, store_dir)


def _is_replaceable(config: Config) -> bool:
    """Return whether ``SSL_CERT_FILE`` is unset, or names a file that does not restrict trust."""
    # With SSL_CERT_DIR, conda's variables name a public bundle only together.
    is_public = config.named is not None and config.cert_dir is None
    return config.cert_file is None or is_public or _is_own(config.cert_file, config.store_dir)


def _store_directory(config: Config) -> str:
    directory, reason = store_directory(config.store_dir)
    if directory is None:
        raise CommandError(f"nothing was written: no directory is available ({reason}); name a file: {_TWO_STEPS}")
    try:
        with open_stores(directory, create=directory_mode(build.file_mode(build.is_shared()))) as stores:
            return stores.path
    except Unusable as failure:
        raise CommandError(f"nothing was written: {failure}; or name a file: {_TWO_STEPS}") from None


def _explain_refusal(cert_file: str, environ: Mapping[str, str]) -> str:
    """Return the message for an environment in which SSL_CERT_FILE is *cert_file*."""
    named = shlex.quote(shown_value(cert_file))
    others = [setting.name for setting in SETTINGS if setting.selects_roots and setting.name != _CERT_FILE]
    try:
        selects_all = bool(cert_file) and not any(map(environ.get, others)) and check_file(cert_file)
    except SourceError:
        selects_all = False
    # SSL_CERT_FILE may name no file, or only a part of the trusted root certificates.
    remedy = f"use that file: certhook env {named}" if selects_all else f"name a file: {_TWO_STEPS}"
    return f"SSL_CERT_FILE is already set to {named}, and is not replaced. Unset it, or {remedy}"


def _file_name(config: Config) -> str:
    # Long enough to be unique: unlike an index, the file does not contain the settings for comparison.
    key = "\0".join(index_settings(config, SERVER_AUTH))
    return _exported.file_name(_digest.hexdigest("sha256", os.fsencode(key)), config.selection())


def _contains(path: str, data: bytes) -> bool:
    """Return whether *path* is a file that every user may read, and contains *data*."""
    try:
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode) or status.st_size != len(data):
            return False
        is_readable = os.name == "nt" or stat.S_IMODE(status.st_mode) == _writing.MODE
        return is_readable and _files.read(path) == data
    except (OSError, SourceError):
        return False
