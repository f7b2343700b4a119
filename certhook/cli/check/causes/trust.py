"""Causes in the trusted roots of this machine: distrust, settings, and sources without roots."""

from __future__ import annotations

import os
import shlex
import sys
from typing import Iterator, Sequence

from certhook._sources import debian, removed, settings_file
from certhook.cli.check.causes import distrust, issuers
from certhook.cli.check.causes.case import Case, Facts
from certhook.cli.check.causes.cause import Cause
from certhook.cli.check.causes.issuers import NO_ISSUER, SELF_SIGNED
from certhook.cli.check.certificate import quoted_name
from certhook.cli.check.chain import DISTRUSTED, EXCLUDED
from certhook.cli.check.wording import set_command
from certhook.exceptions import ConfigurationError

_REJECTED = 28  # X509_V_ERR_CERT_REJECTED in OpenSSL's x509_vfy.h

# The settings that contain the paths of roots.
_PATH_SETTINGS = ("SSL_CERT_FILE", "SSL_CERT_DIR", "CERTHOOK_BUNDLE", "CERTHOOK_EXTRA_CA_CERTS")

# The remedy for each setting that excludes a source.
_REMEDIES = {
    "CERTHOOK_SOURCES": "set CERTHOOK_SOURCES=system,bundled, or unset it",
    "CERTHOOK_MODE": "set CERTHOOK_MODE=chain, or unset it",
    "CERTHOOK_BUNDLE": "unset CERTHOOK_BUNDLE",
}


def _distrusted(case: Case) -> Facts | None:
    root = case.root
    if root is None or root.status != DISTRUSTED:
        return None
    return {
        "root": quoted_name(root.certificate.subject),
        "by": _distrusting_files(root.anchor.distrusted_by),
        "remedy": distrust.remedy(root.anchor, case.roots.system),
    }


def _distrusting_files(paths: Sequence[str]) -> str:
    files = [f"a line in {path}" if path == debian.DESELECTED else path for path in dict.fromkeys(paths)]
    return " and by ".join(files)


def _removed(case: Case) -> Facts | None:
    root = case.root
    if root is None or root.status != EXCLUDED or "CERTHOOK_REMOVED" not in root.settings:
        return None
    release = removed.release(root.anchor)
    since = f" (since certifi {release})" if release else ""
    return {"root": quoted_name(root.certificate.subject), "since": since}


def _excluded(case: Case) -> Facts | None:
    root = case.root
    if root is None or root.status != EXCLUDED:
        return None
    source, path = root.anchor.listed_by[0]
    settings = " and ".join(root.settings)
    remedy = ", and ".join(_REMEDIES[name] for name in root.settings if name in _REMEDIES)
    if settings == settings_file.location():
        remedy = f"the administrator can change that file, if programs on this machine should trust {path}"
    elif not remedy and source == "bundled":
        remedy = f"set CERTHOOK_SOURCES=system,bundled, or unset {settings}, which excludes the bundle"
    elif not remedy:
        remedy = f"unset {settings}, or add this file to CERTHOOK_EXTRA_CA_CERTS: {path}"
    return {
        "root": quoted_name(root.certificate.subject),
        "where": f"{source}: {path}",
        "settings": settings,
        "remedy": remedy,
    }


def _ignored_settings(case: Case) -> Facts | None:
    names = case.roots.ignored_variables
    if not names or issuers.is_certainly_incomplete(case):
        return None
    return {
        "issuer": issuers.issuer_of(case),
        "variables": " and ".join(names),
        "are": "is" if len(names) == 1 else "are",
        "executable": shlex.quote(os.path.realpath(sys.executable or "")) if sys.platform.startswith("linux") else "",
    }


def _unusable_path(case: Case) -> Facts | None:
    """A setting contains an unusable path, and no root is trusted or the certificates show no other cause."""
    others = (issuers.replaced_root, issuers.is_certainly_incomplete)
    if case.roots.has_trusted() and (case.failure.code == SELF_SIGNED or any(other(case) for other in others)):
        return None
    for problem in _problems(case, _PATH_SETTINGS):
        if not _is_empty(problem):
            issuer = issuers.issuer_of(case) if case.roots.has_trusted() else ""
            return {
                "start": f"{case.host} has a certificate from {issuer}, which is not trusted here. " if issuer else "",
                "setting": problem.setting,
                "problem": problem.message,
            }
    return None


def _invalid_sources(case: Case) -> Facts | None:
    problem = next(_problems(case, ("CERTHOOK_SOURCES",)), None)
    if problem is None or case.roots.has_trusted():
        return None
    return {"setting": problem.setting, "problem": problem.message}


def _no_roots(case: Case) -> Facts | None:
    empty = [problem.setting for problem in _problems(case, _PATH_SETTINGS) if _is_empty(problem)]
    return None if case.roots.has_trusted() else {"empty": " and ".join(empty)}


def _problems(case: Case, settings: tuple[str, ...]) -> Iterator[ConfigurationError]:
    """Yield the problems with *settings*."""
    for problem in case.problems:
        if isinstance(problem, ConfigurationError) and problem.setting in settings:
            yield problem


def _is_empty(problem: ConfigurationError) -> bool:
    """Return whether the setting is empty, which may be intended."""
    return problem.message.startswith("is empty")


_SHOW_LOCATIONS = "To show all locations that were searched, run:\npython -m certhook"

CAUSES = (
    Cause(
        "root-distrusted",
        "The certificate chain of {host} leads to {root}, which is distrusted on this machine by {by}",
        (
            "Do not continue until the administrator of this machine has confirmed that the distrust is a mistake: the "
            "certificate authority (CA) may be compromised.",
            "Only after that confirmation, {remedy}",
        ),
        codes=(*NO_ISSUER, _REJECTED),
        facts=_distrusted,
    ),
    Cause(
        "root-removed",
        "The certificate chain of {host} leads to {root}. Mozilla and other browsers no longer trust this root "
        "certificate{since}, so it is excluded here although this machine still lists it.",
        (
            "Ask the server's administrator to get a certificate from another certificate authority (CA).",
            "If you must still trust this CA, and know why browsers removed it, include removed root certificates:\n"
            + set_command("CERTHOOK_REMOVED=keep"),
        ),
        codes=NO_ISSUER,
        facts=_removed,
    ),
    Cause(
        "root-excluded",
        "The certificate chain of {host} leads to {root}. This root certificate is available ({where}), but excluded "
        "by {settings}.",
        ("If this exclusion is not intended, {remedy}.",),
        codes=NO_ISSUER,
        facts=_excluded,
    ),
    Cause(
        "settings-ignored",
        "{host} has a certificate from {issuer}, which is not trusted here. {variables} {are} set, but ignored: this "
        "Python was started with privileges (set-uid, set-gid or file capabilities), and such programs must not obey "
        "environment variables.",
        (
            "Install the root certificate of {issuer} for all programs on this machine. Use a file from the "
            "administrator of this certificate authority (CA):\n{install}",
            "Or use a Python without privileges. To show the file capabilities of this one, run:\ngetcap {executable}",
        ),
        codes=NO_ISSUER,
        facts=_ignored_settings,
    ),
    Cause(
        "setting-unusable",
        "{start}Not all root certificates that {setting} specifies could be loaded: {problem}.",
        ("Correct {setting}, or unset it.", _SHOW_LOCATIONS),
        codes=NO_ISSUER,
        facts=_unusable_path,
    ),
    Cause(
        "setting-invalid",
        "No root certificate is trusted, because {setting} is invalid: {problem}.",
        ("Correct {setting}, or unset it.",),
        codes=NO_ISSUER,
        facts=_invalid_sources,
    ),
    Cause(
        "no-roots",
        "No root certificate is trusted, because none was found. Without one, no server can be verified.",
        (
            "Unset {empty}, unless the empty value is intended.",
            "Install root certificates, with the system's package (often called ca-certificates) or with certifi:\n"
            "{update}",
            _SHOW_LOCATIONS,
        ),
        codes=NO_ISSUER,
        facts=_no_roots,
    ),
)
