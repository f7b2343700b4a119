"""Files about releases: the version, the change log, the security policy, and the workflows that no test runs."""

from __future__ import annotations

import configparser
import re
import subprocess
from pathlib import Path

import pytest
import support

import certhook

ROOT = support.ROOT
POLICY = "https://github.com/certhook/certhook/security/policy"
WORKFLOWS = ROOT / ".github"

in_checkout = pytest.mark.skipif(not WORKFLOWS.exists(), reason="a source distribution contains no workflows")


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def workflows() -> list[Path]:
    return sorted(WORKFLOWS.rglob("*.yml"))


def test_the_change_log_starts_with_this_version_and_its_date() -> None:
    found = re.search(r"^(\d\S*) \((\d{4}-\d\d-\d\d)\)\n-+$", text_of(ROOT / "CHANGELOG.rst"), re.MULTILINE)
    assert found is not None and found[1] == certhook.__version__


def test_the_upgrade_notes_precede_the_new_functions() -> None:
    text = text_of(ROOT / "CHANGELOG.rst")
    assert text.index("1.0.0 (") < text.index("Upgrading from 0.1.0") < text.index("New for every program")


def documents() -> list[Path]:
    """Return the texts that a user or a security team reads."""
    names = ["README.rst", "CONTRIBUTING.rst", "CHANGELOG.rst", "setup.cfg", "docs/certhook.1"]
    return [*(ROOT / name for name in names), *sorted((ROOT / "docs").rglob("*.rst"))]


def test_the_security_policy_is_the_only_place_with_a_contact() -> None:
    policy = text_of(ROOT / "SECURITY.md")
    assert "https://github.com/certhook/certhook/security/advisories/new" in policy
    for path in documents():
        text = text_of(path)
        assert "security/advisories" not in text and "mailto:" not in text, path
        for line in text.splitlines():
            if re.search(r"vulnerabilit(y|ies)\b.*\b(private|report)|report.*vulnerabilit", line, re.IGNORECASE):
                assert POLICY in text, f"{path}: {line}"
    assert not re.search(r"[\w.+-]+@(?!users\.noreply)[\w-]+\.(com|org|net|io|dev)\b", policy)


def test_the_metadata_name_the_documentation_the_changes_and_the_security_policy() -> None:
    metadata = configparser.ConfigParser(interpolation=None)
    metadata.read(ROOT / "setup.cfg", encoding="utf-8")
    urls = dict(line.split(" = ") for line in metadata["metadata"]["project_urls"].strip().splitlines())
    assert urls["Security policy"] == POLICY
    assert {"Documentation", "Changes", "Source", "Issues"} <= set(urls)
    assert metadata["metadata"]["license_expression"] == metadata["metadata"]["license"] == "MIT"
    assert "Development Status :: 5 - Production/Stable" in metadata["metadata"]["classifiers"]


@in_checkout
def test_each_workflow_states_that_these_tests_do_not_run_it() -> None:
    assert len(workflows()) == 3
    for path in workflows():
        head = " ".join(line.lstrip("# ") for line in text_of(path).splitlines()[:3])
        assert re.search(r"This project's own checks (\(\.ci/run\) )?do not run this file", head), path


@in_checkout
def test_workflows_pin_actions_to_commits_and_have_no_permission_that_a_job_does_not_need() -> None:
    for path in workflows():
        text = text_of(path)
        for action in re.findall(r"uses: (\S+)", text):
            assert action.startswith("$/") or re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action), action
        if path.parent.name == "workflows":
            assert "\npermissions: {}\n" in text, path
            assert text.count("persist-credentials: false") == text.count("uses: actions/checkout@")
            assert "secrets." not in text and "pull_request_target" not in text


@in_checkout
def test_only_the_jobs_that_publish_have_write_permissions() -> None:
    found = re.findall(
        r"^  (\w+):\n|^      ([\w-]+): write", text_of(WORKFLOWS / "workflows" / "release.yml"), re.MULTILINE
    )
    job, permissions = "", {}
    for name, permission in found:
        job = name or job
        if permission:
            permissions.setdefault(job, []).append(permission)
    assert permissions == {"attest": ["id-token", "attestations"], "publish": ["id-token"], "announce": ["contents"]}
    assert "write" not in text_of(WORKFLOWS / "workflows" / "test.yml")


@in_checkout
def test_the_jobs_that_publish_take_the_files_of_the_build_by_their_unique_number() -> None:
    text = text_of(WORKFLOWS / "workflows" / "release.yml")
    downloads = re.findall(r"uses: actions/download-artifact@.*\n        with:\n          (.*)\n", text)
    assert downloads == ["artifact-ids: ${{ needs.build.outputs.artifact }}"] * 3
    assert "artifact: ${{ steps.files.outputs.artifact-id }}" in text
    for job in ("attest", "publish", "announce"):
        assert re.search(rf"^  {job}:\n(    .*\n)*?    needs: \[.*build\]\n", text, re.MULTILINE), job


def test_the_wheel_of_the_old_version_is_only_test_data() -> None:
    names = [path.relative_to(ROOT).as_posix() for path in (ROOT / "tests" / "data").iterdir()]
    assert names == ["tests/data/certhook-0.1.0-py3-none-any.whl"]


@in_checkout
def test_no_file_in_the_repository_is_generated_by_a_machine() -> None:
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8", check=False)
    if done.returncode:
        pytest.skip("this is not a clone")
    unwanted = re.compile(r"(^|/)(__pycache__|\.DS_Store|\.idea|\.vscode|dist|build)(/|$)|\.py[cod]$|\.egg-info")
    assert not list(filter(unwanted.search, done.stdout.splitlines()))
