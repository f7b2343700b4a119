"""The results as JSON objects."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from lab import Lab, require_client_certificate
from pki import chain, issue

from certhook.cli import main

NONE = type(None)
KEYS = {"certhook": str, "active": bool, "sources": list, "checks": list, "problems": list,
        "inactive_reason": (str, NONE)}  # fmt: skip
CHECK_KEYS = {
    "target": str,
    "host": str,
    "port": int,
    "protocol": str,
    "starttls": bool,
    "proxy": (str, NONE),
    "verified": bool,
    "tls_version": (str, NONE),
    "chain": list,
    "chain_complete": bool,
    "verified_without_certhook": (bool, NONE),
    "hints": list,
    "cause": (dict, NONE),
    "error": (dict, NONE),
    "error_without_certhook": (dict, NONE),
    "connect_to": (str, NONE),
    "ca_files": list,
    "clients": list,
    "verified_with_certhook": (bool, NONE),
    "error_with_certhook": (dict, NONE),
    "days_left": (int, NONE),
    "expiring": list,
}
LINK_KEYS = {
    "name": str,
    "hosts": list,
    "sha256": (str, NONE),
    "not_before": (str, NONE),
    "not_after": (str, NONE),
    "sent": bool,
    "trust_status": (str, NONE),
    "listed_by": list,
    "distrusted_by": list,
    "excluded_by": list,
    "removed_in": (str, NONE),
}
CAUSE_KEYS = {"id": str, "message": str, "advice": list, "documentation": str}
ERROR_KEYS = {"step": str, "message": str, "code": (int, NONE)}


def assert_keys(found: dict[str, Any], keys: dict[str, Any]) -> None:
    assert list(found) == list(keys)
    for key, kind in keys.items():
        assert isinstance(found[key], kind), key


@pytest.mark.parametrize("is_known", [True, False])
def test_keys_and_types_are_stable(is_known: bool, lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    good = chain()
    lab.trust(good.root if is_known else issue("another root", ca=True))
    main(["check", "--json", f"localhost:{lab.serve(good.sent)}"])
    found = json.loads(capsys.readouterr().out)
    assert_keys(found, KEYS)
    (result,) = found["checks"]
    assert_keys(result, CHECK_KEYS)
    for link in result["chain"]:
        assert_keys(link, LINK_KEYS)
    for key, keys in (("cause", CAUSE_KEYS), ("error", ERROR_KEYS), ("error_without_certhook", ERROR_KEYS)):
        assert (result[key] is None) == is_known
        if result[key]:
            assert_keys(result[key], keys)


def test_the_chain_contains_the_root_and_its_source(lab: Lab) -> None:
    good = chain()
    lab.trust(good.root)
    result, _ = lab.check(lab.serve(good.sent))
    assert result["verified"] and result["verified_without_certhook"]
    assert result["chain"][0]["hosts"] == ["localhost"]
    assert [link["name"].partition(" (")[0] for link in result["chain"]] == ["localhost", "the middle", "the root"]
    assert [link["sent"] for link in result["chain"]] == [True, True, False]
    root = result["chain"][-1]
    assert root["sha256"] == good.root.certificate.fingerprint(hashes.SHA256()).hex()
    assert root["listed_by"] == [{"source": "system", "path": str(lab.directory / "roots.pem")}]


def test_a_handshake_failure_has_no_verdict_without_certhook(lab: Lab) -> None:
    good = chain()
    lab.trust(good.root)
    result, text = lab.check(lab.serve(good.sent, require_client_certificate(good.root)))
    assert text.startswith("NO CONNECTION: localhost, port ")
    assert result["error"]["step"] == "tls" and result["error_without_certhook"] is None
    assert result["verified_without_certhook"] is None and "Without certhook" not in text


def test_a_connection_failure_is_the_same_without_certhook(lab: Lab) -> None:
    lab.trust(chain().root)
    result, text = lab.check(lab.closed_port())
    assert result["error"]["step"] == "connect" and result["error_without_certhook"] == result["error"]
    assert result["verified_without_certhook"] is None and "Without certhook" not in text
