"""Each cause in settings and distrust, shown by a real server."""

from __future__ import annotations

import der
import pytest
from cases import case, distrusting, trusting
from lab import Lab, Result, Scenarios, assert_cause
from pki import Issued, chain, issue

from certhook._certificates import x509
from certhook.cli.check.causes import diagnose, trust
from certhook.cli.check.results import describe_chain
from certhook.exceptions import ConfigurationError

scenarios = Scenarios()


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
@scenarios.shows("root-switched-off", 'leads to "the root (certhook tests)". This root certificate is available (')
def test_the_setting_that_excludes_a_root_is_reported(variables, phrases, lab: Lab) -> Result:
    good = chain()
    path = lab.write("excluded.pem", good.root.pem)
    lab.trust_unrelated(**{name: value.format(path) for name, value in variables.items()})
    result = lab.check(lab.serve(good.sent))
    assert result[0]["chain"][-1]["standing"] == "off"
    assert_cause(result, "root-switched-off", *phrases)
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
    assert f"Only after that confirmation, remove the certificate from {path}" in result[0]["cause"]["advice"]
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
@scenarios.shows("setting-points-nowhere", "could be loaded")
def test_a_setting_with_a_missing_path_is_reported(setting: str, lab: Lab) -> Result:
    missing = str(lab.directory / "missing")
    lab.trust_unrelated()
    lab.patch.setenv(setting, missing)
    result = lab.check(lab.serve(chain().sent))
    assert missing in result[0]["cause"]["sentence"]
    assert_cause(
        result, "setting-points-nowhere", f"Not all root certificates that {setting} specifies", f"Correct {setting}"
    )
    return result


@scenarios.shows(
    "no-roots",
    "No root certificate is trusted",
    "Unset SSL_CERT_FILE and SSL_CERT_DIR, unless the empty value is intended.",
    "ca-certificates",
    "'pip install certifi'",
)
def test_empty_settings_leave_no_roots(lab: Lab) -> Result:
    lab.trust(SSL_CERT_FILE="")
    return lab.check(lab.serve(chain().sent))


@scenarios.shows("setting-not-understood", "because CERTHOOK_SOURCES is invalid", "'sytem'", "Correct CERTHOOK_SOURCES")
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
    assert diagnose(case(20, roots=roots, problems=[empty, wrong])).id == "setting-points-nowhere"
