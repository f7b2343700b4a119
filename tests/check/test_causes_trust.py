"""Each cause in settings and distrust, shown by a real server."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Iterator

import der
import pytest
import support
from cases import case, distrusting, trusting
from cryptography.hazmat.primitives import hashes
from lab import Lab, Result, Scenarios, assert_cause, parse_output
from pki import Issued, chain, issue

from certhook._certificates import x509
from certhook._sources import removed_roots
from certhook.cli.check.causes import diagnose, trust
from certhook.cli.check.results import describe_chain
from certhook.exceptions import ConfigurationError

scenarios = Scenarios()

_USER = 54321


@pytest.fixture
def privileged_python(root) -> Iterator[list[str]]:
    """The command of this environment's Python with a file capability, which allows another user to read it."""
    if shutil.which("setcap") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("setcap (libcap2-bin) is not installed")
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="certhook-tests-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        executable = directory / "python"
        shutil.copy2(os.path.realpath(sys.executable), executable)
        subprocess.run(["setcap", "cap_dac_read_search+ep", str(executable)], check=True)
        paths = f"import sys; sys.path[:] = {[path for path in sys.path if path]!r}"
        run = "from certhook.cli import main; sys.exit(main(sys.argv[1:]))"
        (directory / "start.py").write_text(f"{paths}\n{run}\n")
        user = ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups"]
        yield [*user, str(executable), "-S", str(directory / "start.py")]


@pytest.mark.parametrize(
    ("variables", "phrases"),
    [
        (
            {"CERTHOOK_BUNDLE": "{}", "CERTHOOK_SOURCES": "system"},
            ("bundled: ", "excluded by CERTHOOK_SOURCES", "set CERTHOOK_SOURCES=system,bundled"),
        ),
        ({"SSL_CERT_FILE": "{}", "CERTHOOK_SOURCES": "extra"}, ("system: ", "excluded by CERTHOOK_SOURCES")),
        (
            {"CERTHOOK_BUNDLE": "{}"},
            ("bundled: ", "excluded by SSL_CERT_FILE and SSL_CERT_DIR", "set CERTHOOK_SOURCES=system,bundled"),
        ),
        (
            {"CERTHOOK_BUNDLE": "{}", "CERTHOOK_SOURCES": "system,bundled", "CERTHOOK_MODE": "fallback"},
            ("excluded by CERTHOOK_MODE", "set CERTHOOK_MODE=chain"),
        ),
    ],
)
@scenarios.shows("root-excluded", 'leads to "the root (certhook tests)". This root certificate is available (')
def test_the_setting_that_excludes_a_root_is_reported(variables, phrases, lab: Lab) -> Result:
    good = chain()
    path = lab.write("excluded.pem", good.root.pem)
    lab.trust_unrelated(**{name: value.format(path) for name, value in variables.items()})
    result = lab.check(lab.serve(good.sent))
    assert result[0]["chain"][-1]["trust_status"] == "excluded"
    assert_cause(result, "root-excluded", *phrases)
    return result


def rejected(root: Issued) -> bytes:
    """Return *root* in OpenSSL's trusted PEM format, rejected for servers."""
    return der.pem(root.der + der.auxiliary(None, [x509.SERVER_AUTH]), "TRUSTED CERTIFICATE")


@scenarios.shows("root-distrusted", 'leads to "the root (certhook tests)", which is distrusted on this machine by')
def test_a_root_that_is_listed_and_rejected_is_distrusted(lab: Lab) -> Result:
    bad = chain()
    path = lab.write("rejected.pem", rejected(bad.root))
    lab.trust(SSL_CERT_FILE=path, CERTHOOK_EXTRA_CA_CERTS=lab.write("company.pem", bad.root.pem))
    result = lab.check(lab.serve(bad.sent))
    assert result[0]["chain"][-1]["distrusted_by"] == [path]
    assert f"use that file instead of {path}:\n" in result[0]["cause"]["advice"][1]
    return result


@scenarios.shows(
    "root-distrusted", "which is distrusted on this machine by", "without its trust settings", "openssl x509"
)
def test_a_root_with_trust_settings_for_clients_is_distrusted(lab: Lab) -> Result:
    bad = chain()
    settings = der.auxiliary([x509.CLIENT_AUTH], [])
    path = lab.write("clients.pem", der.pem(bad.root.der + settings, "TRUSTED CERTIFICATE"))
    lab.trust(SSL_CERT_FILE=path)
    port = lab.serve(bad.sent)
    result = lab.check(port)
    # The advice helps.
    command = result[0]["cause"]["advice"][1].split("\n")[1]
    corrected = str(lab.directory / "corrected.pem")
    subprocess.run(shlex.split(command.replace("/path/to/root.pem", corrected)), check=True)
    lab.trust(SSL_CERT_FILE=corrected)
    assert lab.check(port)[0]["verified"]
    return result


@scenarios.shows("root-distrusted", "which is distrusted on this machine")
def test_a_root_that_is_only_rejected_is_distrusted(lab: Lab) -> Result:
    bad = chain()
    path = lab.write("rejected.pem", rejected(bad.root) + issue("another root", ca=True).pem)
    lab.trust(SSL_CERT_FILE=path)
    result = lab.check(lab.serve(bad.sent))
    assert result[0]["chain"][-1]["distrusted_by"] == [path]
    return result


@pytest.mark.parametrize("setting", ["SSL_CERT_FILE", "SSL_CERT_DIR", "CERTHOOK_EXTRA_CA_CERTS"])
@scenarios.shows("setting-unusable", "could be loaded")
def test_a_setting_with_a_missing_path_is_reported(setting: str, lab: Lab) -> Result:
    missing = str(lab.directory / "missing")
    lab.trust_unrelated()
    lab.patch.setenv(setting, missing)
    result = lab.check(lab.serve(chain().sent))
    assert missing in result[0]["cause"]["message"]
    assert_cause(
        result, "setting-unusable", f"Not all root certificates that {setting} specifies", f"Correct {setting}"
    )
    return result


@pytest.mark.parametrize("is_sent", [True, False])
@scenarios.shows("setting-unusable", 'from "the root G2 (certhook tests)"', "CERTHOOK_EXTRA_CA_CERTS", "missing.pem")
def test_a_root_of_the_same_organization_is_not_reported_as_missing_intermediate(is_sent: bool, lab: Lab) -> Result:
    other = issue("the root G2", ca=True)
    lab.trust(issue("the root G1", ca=True), CERTHOOK_EXTRA_CA_CERTS=str(lab.directory / "other" / "missing.pem"))
    return lab.check(lab.serve((issue("localhost", other), *([other] if is_sent else []))))


@scenarios.shows("root-removed", "Mozilla and other browsers no longer trust", "from another certificate authority")
def test_a_removed_root_is_reported_without_the_advice_to_add_the_whole_store(lab: Lab) -> Result:
    bad = chain()
    sha256 = bad.root.certificate.fingerprint(hashes.SHA256()).hex()
    lab.patch.setitem(removed_roots.REMOVED_ROOTS, sha256, ("2024.7.4", ""))
    lab.trust(bad.root, CERTHOOK_REMOVED="drop")
    port = lab.serve(bad.sent)
    result = lab.check(port)
    assert "since certifi 2024.7.4" in " ".join(result[1].split()) and "EXTRA_CA_CERTS" not in result[1]
    lab.trust(bad.root, CERTHOOK_REMOVED="keep")
    assert lab.check(port)[0]["verified"]
    return result


@scenarios.shows("settings-ignored", "CERTHOOK_EXTRA_CA_CERTS is set, but ignored", "file capabilities", "getcap ")
def test_variables_that_a_privileged_python_ignores_are_reported(lab: Lab, privileged_python) -> Result:
    bad = chain()
    path = lab.write("company.pem", bad.root.pem)
    port = lab.serve((*bad.sent, bad.root))
    command = [*privileged_python, "check", "--json", f"localhost:{port}"]
    done = support.run_command(*command, env=support.clean_env(CERTHOOK_EXTRA_CA_CERTS=path))
    assert done.stderr == ""
    return parse_output(done.stdout, done.returncode)


@scenarios.shows(
    "no-roots",
    "No root certificate is trusted",
    "Unset SSL_CERT_FILE and SSL_CERT_DIR, unless the empty value is intended.",
    "ca-certificates",
    "pip install --upgrade certifi",
)
def test_empty_settings_leave_no_roots(lab: Lab) -> Result:
    lab.trust(SSL_CERT_FILE="")
    return lab.check(lab.serve(chain().sent))


@scenarios.shows("setting-invalid", "because CERTHOOK_SOURCES is invalid", "'sytem'", "Correct CERTHOOK_SOURCES")
def test_an_invalid_source_is_reported(lab: Lab) -> Result:
    lab.trust_unrelated(CERTHOOK_SOURCES="sytem")
    return lab.check(lab.serve(chain().sent))


def test_every_cause_is_shown() -> None:
    assert scenarios.identifiers == {cause.id for cause in trust.CAUSES}


@pytest.mark.parametrize("root_is_sent", [True, False])
def test_a_distrusted_root_need_not_be_listed_by_a_source(root_is_sent: bool) -> None:
    bad = chain()
    sent = [one.certificate for one in (*bad.sent, *([bad.root] if root_is_sent else []))]
    renewed = issue("the root", ca=True, key=bad.root.key)
    for root in (bad.root, renewed):
        seen = case(19 if root_is_sent else 20, chain=sent, roots=distrusting(root, "/etc/block/root.crt"))
        cause = diagnose(seen)
        assert cause.id == "root-distrusted" and "/etc/block/root.crt" in cause.sentence
        assert describe_chain(seen)[-1]["distrusted_by"] == ["/etc/block/root.crt"]


def test_an_empty_setting_is_not_reported_as_unusable() -> None:
    roots = trusting(issue("another root", ca=True, organization="another"))
    empty = ConfigurationError("SSL_CERT_DIR", "is empty. It adds no roots")
    wrong = ConfigurationError("SSL_CERT_FILE", "/missing: No such file or directory")
    assert diagnose(case(20, roots=roots, problems=[empty])).id == "root-unknown"
    assert diagnose(case(20, roots=roots, problems=[empty, wrong])).id == "setting-unusable"
