"""The results of a check as JSON objects."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives import hashes

from certhook._sources import removed
from certhook.cli.check.causes import Case
from certhook.cli.check.certificate import display_name, host_names, is_self_issued
from certhook.cli.check.chain import Root
from certhook.cli.check.clients import Verdict
from certhook.cli.check.failure import Failure
from certhook.cli.check.hints import find_hints
from certhook.cli.check.probe import Probe
from certhook.cli.check.target import Target


def describe(target: Target, probe: Probe) -> dict[str, Any]:
    """Return the JSON object of one server."""
    case, diagnosis = probe.case, probe.diagnosis
    has_stock_verdict = probe.was_compared and (probe.stock_failure is None or probe.stock_failure.step == "verify")
    return {
        "target": target.text,
        "host": target.host,
        "port": target.port,
        "protocol": target.protocol,
        "starttls": target.starttls,
        "proxy": case.facts["proxy"] or None,
        "verified": diagnosis is None,
        "tls_version": case.version or None,
        "chain": describe_chain(case),
        "chain_complete": case.chain_is_complete,
        "verified_without_certhook": probe.stock_failure is None if has_stock_verdict else None,
        "hints": [] if diagnosis else find_hints(case),
        "cause": diagnosis and {"id": diagnosis.id, "message": diagnosis.sentence, "advice": list(diagnosis.advice)},
        "error": _describe_failure(case.failure if diagnosis else None),
        "error_without_certhook": _describe_failure(probe.stock_failure),
        "connect_to": target.shown_address,
        "ca_files": list(probe.additional),
        "clients": list(map(_describe_client, probe.clients)),
    }


def _describe_client(verdict: Verdict) -> dict[str, Any]:
    return {
        "name": verdict.client,
        "version": verdict.version,
        "verified": verdict.verified,
        "error": _describe_failure(verdict.failure),
        "reason": verdict.reason or None,
        "variable_names": list(verdict.variables),
    }


def _describe_failure(failure: Failure | None) -> dict[str, Any] | None:
    return {"step": failure.step, "message": failure.text, "code": failure.code or None} if failure else None


def describe_chain(case: Case) -> list[dict[str, Any]]:
    """Return the certificates from the server's own to the root, or to the first one that is not known."""
    path, root = case.path, case.root
    links: list[dict[str, Any]] = [
        {
            "name": display_name(certificate.subject),
            "hosts": host_names(certificate) if certificate is path[0] else [],
            "sha256": certificate.fingerprint(hashes.SHA256()).hex(),
            "not_before": certificate.not_valid_before_utc.isoformat(),
            "not_after": certificate.not_valid_after_utc.isoformat(),
            "sent": certificate in case.chain,
            **_describe_trust(root if certificate is path[-1] else None),
        }
        for certificate in path
    ]
    # If the server is verified, OpenSSL found the issuer. If the chain is incomplete, the server may have sent it.
    if path and root is None and case.failure.step and case.chain_is_complete and not is_self_issued(path[-1]):
        name = display_name(path[-1].issuer)
        unknown = dict.fromkeys(("sha256", "not_before", "not_after"))
        links.append({"name": name, "hosts": [], **unknown, "sent": False, **_describe_trust(None)})
    return links


def _describe_trust(root: Root | None) -> dict[str, Any]:
    if root is None:
        return {"trust_status": None, "listed_by": [], "distrusted_by": [], "excluded_by": [], "removed_in": None}
    return {
        "trust_status": root.status,
        "listed_by": [{"source": source, "path": path} for source, path in root.anchor.listed_by],
        "distrusted_by": list(root.anchor.distrusted_by),
        "excluded_by": list(root.settings),
        "removed_in": removed.release(root.anchor),
    }
