"""Causes in files of this machine: roots that are present, but unused, and settings that name the wrong file.

The files explain a failure. certhook trusts none of them, and recommends one only if it contains
the root certificate that the server's certificates lead to.
"""

from __future__ import annotations

import os
import shlex
from typing import Iterator

from certhook._text import presentable
from certhook.cli.check import unused
from certhook.cli.check.causes import issuers
from certhook.cli.check.causes.case import Case, Facts
from certhook.cli.check.causes.cause import Cause
from certhook.cli.check.causes.issuers import NO_ISSUER, SELF_SIGNED
from certhook.cli.check.certificate import quoted_name
from certhook.cli.check.chain import TRUSTED
from certhook.cli.check.unused import Unused
from certhook.cli.check.wording import date, join_first
from certhook.exceptions import SourceError

_NO_PERMISSION = "Permission denied"


def _files(case: Case, *contents: str) -> Iterator[Unused]:
    """Yield the files with these contents, unless a known root issued the certificates."""
    if case.root is None or case.root.status == TRUSTED:
        yield from (file for file in case.unused if file.content in contents)


def _root(case: Case) -> Facts | None:
    """A valid root is in an unused file."""
    files = [file for file in _files(case, unused.ROOT) if not _is_expired(file, case)]
    if not files:
        return None
    file, others = files[0], [presentable(other.path) for other in files[1:]]
    return {
        **_facts(file),
        "is_root": "this root certificate" if file.certificate not in case.path[:1] else "this certificate",
        "others": f" It is also in {join_first(others, 2)}." if others else "",
    }


def _facts(file: Unused) -> Facts:
    certificate, remedy = file.certificate, file.remedy
    path = presentable(file.path)
    return {
        "root": quoted_name(certificate.subject) if certificate is not None else "",
        "file": path,
        "reason": presentable(remedy.reason),
        "foreign": path if remedy.is_foreign and (remedy.system or remedy.setting) else "",
        "system": "\n".join(remedy.system),
        "setting": "\n".join(remedy.setting) if remedy.system else "",
        "only_setting": "" if remedy.system else "\n".join(remedy.setting),
        "rename": "" if file.path.isprintable() else path,
    }


def _expired_root(case: Case) -> Facts | None:
    """The only root in an unused file has expired."""
    file = next((file for file in _files(case, unused.ROOT) if _is_expired(file, case)), None)
    if file is None or file.certificate is None:
        return None
    return {**_facts(file), "end": date(file.certificate.not_valid_after_utc)}


def _is_expired(file: Unused, case: Case) -> bool:
    return file.certificate is not None and file.certificate.not_valid_after_utc < case.now


def _intermediate(case: Case) -> Facts | None:
    """An unused file contains an intermediate certificate, and its root is nowhere."""
    file = next(_files(case, unused.INTERMEDIATE), None)
    if file is None or file.certificate is None:
        return None
    return {**_facts(file), "issuer": quoted_name(file.certificate.issuer)}


def _distrusted(case: Case) -> Facts | None:
    file = next(_files(case, unused.DISTRUSTED), None)
    return {**_facts(file), "by": presentable(file.distrusted_by)} if file is not None else None


def _damaged(case: Case) -> Facts | None:
    """A malformed certificate contains the name of the issuer."""
    file = next(_files(case, unused.DAMAGED), None)
    if file is None:
        return None
    return {**_facts(file), "issuer": quoted_name(case.path[-1].issuer), "line": str(file.line)}


def _unreadable_source(case: Case) -> Facts | None:
    """A source cannot be read by this user."""
    for problem in case.problems:
        if isinstance(problem, SourceError) and _NO_PERMISSION in problem.message and case.root is None:
            path = presentable(problem.path)
            chmod = "" if os.name == "nt" else f"sudo chmod a+r {shlex.quote(path)}"
            return {"issuer": _issuer(case), "file": path, "chmod": chmod}
    return None


def _damaged_source(case: Case) -> Facts | None:
    """A certificate in a source is malformed, and nothing shows which one it is."""
    for problem in case.problems:
        if isinstance(problem, SourceError) and "at line" in problem.message and _is_unexplained(case):
            return {"issuer": _issuer(case), "file": presentable(problem.path), "problem": problem.message}
    return None


def _unreadable(case: Case) -> Facts | None:
    """A file in a directory of this system cannot be read by this user."""
    file = next(_files(case, unused.UNREADABLE), None) if _is_unexplained(case) else None
    return {**_facts(file), "issuer": _issuer(case)} if file is not None else None


def _is_unexplained(case: Case) -> bool:
    """Return whether no other cause of an unknown issuer is certain."""
    others = (issuers.replaced_root, issuers.is_certainly_incomplete)
    return case.root is None and case.failure.code != SELF_SIGNED and not any(other(case) for other in others)


def _issuer(case: Case) -> str:
    return quoted_name(case.path[-1].issuer) if case.path else "an unknown certificate authority (CA)"


_ROOT = "The certificate chain of {host} leads to {root}."
_ISSUER = "The certificate chain of {host} leads to {issuer}."
_UNTRUSTED = "The certificate chain of {host} leads to {issuer}, which is not trusted here."
_FOREIGN = (
    "Other users can change {foreign}. Before you trust it, ask the administrator of the certificate authority (CA) "
    "for the certificate, and compare both files."
)
_SYSTEM = "If you trust this certificate authority (CA), make all programs of this system trust it:\n{system}"
_SETTING = "Or make only programs with certhook trust it:\n{setting}"
_ONLY_SETTING = "If you trust this certificate authority (CA), make programs with certhook trust it:\n{only_setting}"
_RENAME = "Copy {rename} to a file with a plain name, and run this check again."

#: Causes with evidence, which precede those in settings.
CAUSES = (
    Cause(
        "root-unused",
        _ROOT + " {file} contains {is_root}, but it is not used: {reason}.{others}",
        (_FOREIGN, _SYSTEM, _SETTING, _ONLY_SETTING, _RENAME),
        codes=NO_ISSUER,
        facts=_root,
    ),
    Cause(
        "unused-root-distrusted",
        _ROOT + " {file} contains this certificate, but {by} distrusts it.",
        (
            "Do not continue until the administrator of this machine has confirmed that the distrust is a mistake: the "
            "certificate authority (CA) may be compromised.",
            "Only after that confirmation, remove the certificate from {by}",
        ),
        codes=NO_ISSUER,
        facts=_distrusted,
    ),
    Cause(
        "unused-root-expired",
        _ROOT + " {file} contains only an edition of this root certificate that expired on {end}.",
        (
            "Ask your IT department, or the administrator of the certificate authority (CA), for the current root "
            "certificate, and replace {file}.",
        ),
        codes=NO_ISSUER,
        facts=_expired_root,
    ),
    Cause(
        "root-damaged",
        _ISSUER + " {file} probably contains its certificate at line {line}, but it is damaged and was skipped.",
        (
            "Ask your IT department, or the administrator of the certificate authority (CA), for the certificate, and "
            "replace the one at line {line} of {file}.",
            "If the system's command created this file, correct the original file, and run:\n{system}",
        ),
        codes=NO_ISSUER,
        facts=_damaged,
    ),
    Cause(
        "roots-unreadable",
        _ISSUER + " It is unknown whether its root certificate is trusted here, because this user may not read {file}",
        ("If it contains only certificates, which are public, make it readable for all users:\n{chmod}",),
        codes=NO_ISSUER,
        facts=_unreadable_source,
    ),
)

#: Less specific causes. Those in settings precede them, and those of unknown issuers follow.
POSSIBLE_CAUSES = (
    Cause(
        "root-intermediate-only",
        _UNTRUSTED + " {file} contains {root}, but this is only an intermediate certificate. Most programs require the "
        "root certificate of {issuer} as well.",
        (
            "Ask your IT department, or the administrator of the certificate authority (CA), for the root certificate "
            "of {issuer}, and add it to {file}.",
        ),
        codes=NO_ISSUER,
        facts=_intermediate,
    ),
    Cause(
        "roots-damaged",
        _UNTRUSTED + " It may be a certificate in {file} that could not be read: {problem}.",
        (
            "Replace this certificate in {file}, or remove its lines from BEGIN to END.",
            "If the system's command created this file, correct the original file, and run the command again.",
        ),
        codes=NO_ISSUER,
        facts=_damaged_source,
    ),
    Cause(
        "file-unreadable",
        _UNTRUSTED + " Its root certificate may be in {file}, which this user may not read.",
        (
            "If it contains only certificates, which are public, make it readable for all users, and run this check "
            "again:\n{system}",
            "Otherwise, ask the administrator of this machine.",
        ),
        codes=NO_ISSUER,
        facts=_unreadable,
    ),
)
