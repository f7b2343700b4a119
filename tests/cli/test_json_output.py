"""The keys and types of the JSON output of every verb. Programs depend on them: a change needs a new major version."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Iterator

import pytest
from lab import Lab, open_lab
from pki import chain, issue

from certhook.cli import main
from certhook.cli.enable.report import NO_CHANGES
from certhook.cli.trust import report
from certhook.cli.trust.candidates import read
from certhook.cli.trust.store import Store

LISTED = [{"source": "str", "path": "str"}]
ROOT = {
    "subject": "str",
    "sha256": "str",
    "not_before": "str?",
    "not_after": "str?",
    "listed_by": LISTED,
    "removed_in": "str?",
    "private": "bool?",
    "distrusted_by": ["str"],
    "expired": "bool",
}
VARIABLE = {"name": "str", "value": "str", "effect": "str"}
LOCATION = {"source": "str", "path": "str", "root_count": "int", "note": "str?"}
ACCESS = {"owner": "str?", "mode": "str?"}
SETTINGS_FILE = {
    "path": "str",
    "state": "str",
    "settings": [{"name": "str", "value": "str"}],
    "limited_variables": ["str"],
}
ERROR = {"step": "str", "message": "str", "code": "int?"}

STATUS = {
    "certhook": "str",
    "python": "str",
    "executable": "str",
    "openssl": "str",
    "active": "bool",
    "disabled": "bool",
    "enabled_by": "str?",
    "unprocessed_pth": "str?",
    "sources": ["str"],
    "mode": "str",
    "adopted_bundles": ["str"],
    "variables": [VARIABLE],
    "trusted_count": "int",
    "trusted_count_by_source": {"bundled": "int", "extra": "int", "system": "int"},
    "private_count": "int?",
    "expired_count": "int",
    "roots": [ROOT],
    "removed_mode": "str",
    "excluded": [ROOT],
    "distrusted": [ROOT],
    "locations": [LOCATION],
    "store": "str?",
    "store_built_at": "str?",
    "store_build_reason": "str?",
    "eager_reason": "str?",
    "client_hooks": [{"name": "str", "version": "str", "hook": "str", "inactive_reason": "str?"}],
    "other_software": [{"name": "str", "version": "str?", "effect": "str"}],
    "unreached_libraries": [
        {"name": "str", "version": "str", "variables": [{"name": "str", "value": "str?"}], "remedy": "str"}
    ],
    "problems": ["str"],
    "settings_file": SETTINGS_FILE,
}
LIST = {"roots": [ROOT], "trusted_count": "int", "problems": ["str"]}
DIFF = {
    "a": "str",
    "b": "str",
    "in_both_count": "int",
    "only_a": [ROOT],
    "only_b": [ROOT],
    "renewed": [{"a": [ROOT], "b": [ROOT]}],
    "problems": ["str"],
}
DEMO = {
    "certhook": "str",
    "python": "str",
    "executable": "str",
    "active": "bool",
    "disabled": "bool",
    "enabled_by": "str?",
    "trusted_roots": [
        {
            "client": "str",
            "stock_count": "int?",
            "trusted_count": "int?",
            "trusted_count_by_source": {"bundled": "int", "extra": "int", "system": "int"},
        }
    ],
    "as_expected": "bool",
    "connections": [
        {
            "root_source": "str",
            "client": "str",
            "with_certhook": "bool",
            "verdict": "str",
            "expected": "str",
            "as_expected": "bool",
            "message": "str?",
        }
    ],
    "findings": ["str"],
    "explicitly_enabled": "bool",
}
EXPORT = {"path": "str", "root_count": "int"}
COMPILE = {"store": "str", "root_count": "int", "pruned": ["str"]}
FREEZER = {"path": "str"}
INSPECTED = {
    "subject": "str",
    "issuer": "str",
    "kind": "str",
    "hosts": ["str"],
    "not_before": "str?",
    "not_after": "str?",
    "days_left": "int?",
    "expired": "bool",
    "not_yet_valid": "bool",
    "sha256": "str",
    "trust_status": "str?",
    "listed_by": LISTED,
    "distrusted_by": ["str"],
    "issuer_trusted": "bool",
}
INSPECTED_FILE = {
    "target": "str",
    "type": "str",
    "format": "str?",
    "explanation": "str?",
    "command": "str?",
    "valid_pem": "bool?",
    "error": {**ERROR, "?": True},
    "certificates": [INSPECTED],
}
INSPECTED_SERVER = {
    "target": "str",
    "type": "str",
    "host": "str",
    "port": "int",
    "tls_version": "str?",
    "proxy": "str?",
    "chain_complete": "bool?",
    "error": {**ERROR, "?": True},
    "certificates": [INSPECTED],
}
LINK = {
    "name": "str",
    "hosts": ["str"],
    "sha256": "str?",
    "not_before": "str?",
    "not_after": "str?",
    "sent": "bool",
    "trust_status": "str?",
    "listed_by": LISTED,
    "distrusted_by": ["str"],
    "excluded_by": ["str"],
    "removed_in": "str?",
}
CHECK = {
    "certhook": "str",
    "active": "bool",
    "sources": ["str"],
    "checks": [
        {
            "target": "str",
            "host": "str",
            "port": "int",
            "protocol": "str",
            "starttls": "bool",
            "proxy": "str?",
            "verified": "bool",
            "tls_version": "str?",
            "chain": [LINK],
            "chain_complete": "bool",
            "verified_without_certhook": "bool?",
            "hints": ["str"],
            "cause": {"id": "str", "message": "str", "advice": ["str"], "documentation": "str", "?": True},
            "error": {**ERROR, "?": True},
            "error_without_certhook": {**ERROR, "?": True},
            "connect_to": "str?",
            "ca_files": ["str"],
            "clients": [
                {
                    "name": "str",
                    "version": "str?",
                    "verified": "bool?",
                    "error": {**ERROR, "?": True},
                    "reason": "str?",
                    "variable_names": ["str"],
                }
            ],
            "verified_with_certhook": "bool?",
            "error_with_certhook": {**ERROR, "?": True},
            "days_left": "int?",
            "expiring": [
                {
                    "role": "str",
                    "name": "str",
                    "sha256": "str",
                    "not_after": "str",
                    "days_left": "int",
                    "message": "str",
                }
            ],
        }
    ],
    "problems": ["str"],
    "inactive_reason": "str?",
}
AUDIT = {
    "certhook": "str",
    "python": "str",
    "executable": "str",
    "isolated": "bool",
    "verified": "bool",
    "findings": [{"paths": ["str"], "path_count": "int", "finding": "str", "remedy": "str"}],
    "distributions": [
        {
            "name": "str",
            "version": "str?",
            "kind": "str",
            "location": "str",
            "finder": "str",
            "record": "str",
            "record_sha256": "str?",
            "verified_file_count": "int",
            "other_version_count": "int",
            "archive_sha256": "str?",
            "shadowed": ["str"],
        }
    ],
    "enabled_by": "str?",
    "start_files": [{"path": "str", "kind": "str", "lines": ["str"], "sha256": "str", **ACCESS}],
    "other_start_files": ["str"],
    "modules": {
        stage: [{"module": "str", "path": "str?", "sha256": "str?"}]
        for stage in ("interpreter start", "import ssl", "first context")
    },
    "stores": [
        {
            "directory": "str?",
            "state": "str",
            "stores": [{"path": "str", "verified": "bool"}],
            "default_store": {"path": "str", "up_to_date": "bool", "?": True},
            **ACCESS,
        }
    ],
    "locations": [{**LOCATION, **ACCESS}],
    "source_problems": ["str"],
    "variables": [VARIABLE],
    "commands": [{"verb": "str", "command": "str", "when": "str"}],
    "access_examined": "bool",
    "settings_file": {**SETTINGS_FILE, **ACCESS},
}
ENABLE = {
    "verb": "str",
    "target": "str",
    "changed": "bool",
    "site_packages": "str?",
    "python": "str?",
    "nothing_to_do": "bool?",
    "files": ["str"],
    "pth_file": "str?",
    "pth_lines": ["str"],
    "kept_files": ["str"],
    "message": "str",
}
TRUST = {"changed": "bool", "certificates": ["certificate"], "commands": ["str"], "files": ["str"]}
TRUSTED = {
    "subject": "str",
    "sha256": "str",
    "not_before": "str?",
    "not_after": "str?",
    "refusal": "str?",
    "warning": "str?",
    "system_store": ["str"],
}
SCHEMAS = [STATUS, LIST, DIFF, DEMO, EXPORT, COMPILE, FREEZER, INSPECTED_FILE, INSPECTED_SERVER, CHECK, AUDIT, ENABLE,
           TRUST, TRUSTED]  # fmt: skip


def assert_shape(found: Any, schema: Any, path: str = "") -> None:
    """Assert that *found* has exactly the keys of *schema*, in the same order, and values of its types."""
    if isinstance(schema, dict):
        if schema.get("?") and found is None:
            return
        assert isinstance(found, dict), path
        assert list(found) == [key for key in schema if key != "?"], path
        for key, value in found.items():
            assert_shape(value, schema[key], f"{path}.{key}")
    elif isinstance(schema, list):
        assert isinstance(found, list), path
        for value in found:
            assert_shape(value, schema[0], f"{path}[]")
    else:
        kinds = {"str": str, "int": int, "bool": bool}
        is_null = schema.endswith("?") and found is None
        assert is_null or type(found) is kinds[schema.rstrip("?")], f"{path}: {found!r}"
        assert found != "" or path.endswith((".path", ".finder", ".record", ".location", ".version")), path


@pytest.fixture
def lab(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, capsys: object) -> Iterator[Lab]:
    """Servers on loopback."""
    with open_lab(request, monkeypatch) as lab:
        yield lab


@pytest.fixture
def run_json(variables, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    """A function that runs a verb in this process and returns its JSON object."""
    monkeypatch.chdir(tmp_path)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: object) -> Any:
        main([*map(str, arguments), "--json"])
        return json.loads(capsys.readouterr().out)

    return run


def test_status(run_json, cas, monkeypatch, metadata) -> None:
    monkeypatch.syspath_prepend(metadata(httpr="1", truststore="1"))
    monkeypatch.setenv("CERTHOOK_EXPLAIN", "x")
    found = run_json("status")
    assert_shape(found, STATUS)
    assert all(found[key] for key in ("variables", "roots", "locations", "unreached_libraries", "problems"))


@pytest.mark.parametrize("load", ["eager", "lazy"])
def test_status_contains_either_the_store_or_the_reason_for_none(load: str, run_json, monkeypatch) -> None:
    monkeypatch.setenv("CERTHOOK_LOAD", load)
    found = run_json("status")
    assert_shape(found, STATUS)
    keys = ("store", "store_built_at", "store_build_reason", "eager_reason")
    assert [found[key] is None for key in keys] == ([True] * 3 + [False] if load == "eager" else [False] * 3 + [True])


def test_list_and_diff(run_json, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CERTHOOK_EXPLAIN", "x")
    found = run_json("list")
    assert_shape(found, LIST)
    assert found["roots"] and found["problems"]
    old = issue("Root", ca=True)
    new = issue("Root", ca=True, key=old.key, days=(-1, 5000))
    (tmp_path / "a.pem").write_bytes(old.pem + issue("A", ca=True).pem)
    (tmp_path / "b.pem").write_bytes(new.pem + issue("B", ca=True).pem)
    found = run_json("diff", "a.pem", "b.pem")
    assert_shape(found, DIFF)
    assert found["only_a"] and found["only_b"] and found["renewed"]


def test_demo(run_json) -> None:
    found = run_json("demo")
    assert_shape(found, DEMO)
    assert (len(found["connections"]), found["findings"]) == (12, [])


def test_export_compile_freezer_and_env(run_json, tmp_path: Path) -> None:
    assert_shape(run_json("export", "roots.pem"), EXPORT)
    found = run_json("compile", "--directory", tmp_path / "compiled", "--prune")
    assert_shape(found, COMPILE)
    assert_shape(run_json("freezer", "nuitka"), FREEZER)
    assert_shape(run_json("freezer", "bundle", "module.py"), EXPORT)
    found = run_json("env", "roots.pem")
    # The keys are the names of the variables.
    assert set(found.values()) == {str(tmp_path / "roots.pem")} and "SSL_CERT_FILE" in found


def test_inspect(run_json, lab: Lab, tmp_path: Path) -> None:
    good = chain()
    (tmp_path / "root.pem").write_bytes(good.root.pem)
    targets = ["root.pem", "missing.pem", f"localhost:{lab.serve(good.sent)}", f"localhost:{lab.closed_port()}"]
    found = run_json("inspect", *targets)
    assert list(found) == ["certhook", "inspections"]
    for number, one in enumerate(found["inspections"]):
        assert_shape(one, INSPECTED_FILE if number < 2 else INSPECTED_SERVER)
        assert bool(one["certificates"]) == (one["error"] is None) == (number % 2 == 0)


def test_check(run_json, lab: Lab, monkeypatch) -> None:
    good, other = chain(), chain()
    monkeypatch.setenv("CERTHOOK_EXTRA_CA_CERTS", lab.write("extra.pem", good.root.pem))
    monkeypatch.setenv("CERTHOOK_EXPLAIN", "x")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", lab.write("other.pem", other.root.pem))
    targets = [f"localhost:{lab.serve(sent)}" for sent in (good.sent, other.sent)]
    found = run_json("check", "--warn-days", "36500", *targets, f"localhost:{lab.closed_port()}")
    assert_shape(found, CHECK)
    verified, unknown, closed = found["checks"]
    assert verified["clients"] and verified["expiring"] and unknown["chain"] and closed["error"]["code"] is None
    assert (verified["error"], unknown["error"]["code"]) == (None, 20)


def test_audit(run_json) -> None:
    run_json("status")  # It builds a store.
    found = run_json("audit")
    assert_shape(found, AUDIT)
    assert all(found[key] for key in ("distributions", "modules", "stores", "locations", "variables", "commands"))


def test_enable_and_disable(run_json) -> None:
    for verb in ("enable", "disable"):
        found = run_json(verb, "missing")
        assert_shape(found, ENABLE)
        assert {"verb", "target", "changed", *NO_CHANGES, "message"} == set(found)


def test_trust(tmp_path: Path) -> None:
    assert list(report.Output(is_json=True).facts) == list(TRUST)
    path = tmp_path / "root.pem"
    path.write_bytes(issue("Root", ca=True).pem + issue("server").pem)
    for candidate in read(str(path)).candidates:
        assert_shape(report.as_json(candidate, Store()), TRUSTED)


def keys_in(schema: Any) -> list[tuple[str, Any]]:
    """Return all keys with their types."""
    if isinstance(schema, list):
        return keys_in(schema[0])
    if not isinstance(schema, dict):
        return []
    return [pair for key, value in schema.items() if key != "?" for pair in ((key, value), *keys_in(value))]


def test_a_key_has_the_same_type_everywhere_and_its_name_follows_the_conventions() -> None:
    stages = list(AUDIT["modules"])
    kinds: dict[str, set[str]] = {}
    for schema in SCHEMAS:
        for key, value in keys_in(schema):
            assert key in stages or re.fullmatch("[a-z][a-z0-9]*(_[a-z0-9]+)*", key), key
            kind = value.rstrip("?") if isinstance(value, str) else type(value).__name__
            kinds.setdefault(key, set()).add(kind)
            if kind == "int" and key not in ("bundled", "extra", "system"):
                assert key.endswith("_count") or key in ("port", "code", "days_left"), key
            assert not key.startswith(("is_", "has_")), key
    # The path of "diff A B", and both sides of a renewed root.
    assert kinds.pop("a") == kinds.pop("b") == {"str", "list"}
    assert {key: found for key, found in kinds.items() if len(found) > 1} == {}
