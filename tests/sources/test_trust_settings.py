"""Trust settings of macOS are parsed strictly: they never trust more than macOS does."""

from __future__ import annotations

import plistlib

import der
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trust_settings_export import (
    BASIC,
    DENY,
    ISSUED,
    OTHER_ROOT,
    ROOT,
    SMIME,
    SSL,
    TRUST_AS_ROOT,
    TRUST_ROOT,
    UNSPECIFIED,
    entry,
    export,
    rule,
)

from certhook._certificates.x509 import Certificate, digest
from certhook._config import ANY_PURPOSE, CLIENT_AUTH, SERVER_AUTH
from certhook._sources.trust_settings import UNCONSTRAINED_KEYS, parse

RECORDED = f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>trustList</key>
	<dict>
		<key>{digest("sha1", ROOT).hex().upper()}</key>
		<dict>
			<key>issuerName</key>
			<data>
			MBkxFzAVBgNVBAMMDmNlcnRob29rIHRlc3Rz
			</data>
			<key>modDate</key>
			<date>2024-05-13T07:51:12Z</date>
			<key>serialNumber</key>
			<data>
			AQ==
			</data>
			<key>trustSettings</key>
			<array>
				<dict>
					<key>kSecTrustSettingsAllowedError</key>
					<integer>-2147408896</integer>
					<key>kSecTrustSettingsPolicy</key>
					<data>
					KoZIhvdjZAED
					</data>
					<key>kSecTrustSettingsPolicyName</key>
					<string>sslServer</string>
					<key>kSecTrustSettingsResult</key>
					<integer>1</integer>
				</dict>
				<dict>
					<key>kSecTrustSettingsPolicy</key>
					<data>
					KoZIhvdjZAEI
					</data>
					<key>kSecTrustSettingsPolicyName</key>
					<string>SMIME</string>
					<key>kSecTrustSettingsResult</key>
					<integer>3</integer>
				</dict>
			</array>
		</dict>
	</dict>
	<key>trustVersion</key>
	<integer>1</integer>
</dict>
</plist>
"""


def test_a_recorded_export_is_parsed() -> None:
    (record,), problems = parse(RECORDED.encode())
    assert (record.trusted_purposes(Certificate(ROOT)), record.denied, problems) == (SERVER_AUTH, 0, [])


@pytest.mark.parametrize(
    ("rules", "trusted", "denied"),
    [
        pytest.param([], ANY_PURPOSE, 0, id="no rules: always trust"),
        pytest.param([rule()], ANY_PURPOSE, 0, id="trust is the default result"),
        pytest.param([rule(Result=TRUST_ROOT)], ANY_PURPOSE, 0, id="every policy"),
        pytest.param([rule(Result=UNSPECIFIED)], 0, 0, id="unspecified"),
        pytest.param([rule(Result=DENY)], 0, ANY_PURPOSE, id="every policy denied"),
        pytest.param([rule(Policy=SSL, PolicyName="sslServer")], SERVER_AUTH, 0, id="TLS servers"),
        pytest.param([rule(Policy=SSL, PolicyName="sslClient")], CLIENT_AUTH, 0, id="TLS clients"),
        pytest.param([rule(Policy=SSL)], SERVER_AUTH, 0, id="TLS without a policy name, as in old settings"),
        pytest.param([rule(Policy="1.2.840.113635.100.1.3", PolicyName="sslServer")], SERVER_AUTH, 0, id="dotted"),
        pytest.param([rule(Policy=SSL, PolicyName="eapServer")], 0, 0, id="another name of the same policy"),
        pytest.param([rule(Policy=SMIME, PolicyName="SMIME")], 0, 0, id="S/MIME"),
        pytest.param([rule(Policy=BASIC, PolicyName="basicX509")], 0, 0, id="X.509 without TLS"),
        pytest.param([rule(PolicyName="sslServer")], 0, 0, id="a name without a policy"),
        pytest.param([rule(Policy=SSL, AllowedError=-2147408896)], SERVER_AUTH, 0, id="an allowed error"),
        pytest.param([rule(Policy=SSL, KeyUsage=-1)], SERVER_AUTH, 0, id="any key use"),
        pytest.param([rule(Policy=SSL, KeyUsage=1)], 0, 0, id="one key use"),
        pytest.param([rule(Policy=SSL, PolicyString="intranet.example")], 0, 0, id="one host"),
        pytest.param([rule(Application=b"/Applications/Mail.app")], 0, 0, id="one application"),
        pytest.param([rule(NewConstraint=True)], 0, 0, id="an unknown constraint"),
        pytest.param([rule(Policy=SMIME), rule(Policy=SSL)], SERVER_AUTH, 0, id="one of two rules"),
        pytest.param([rule(Policy=SSL, PolicyName="sslServer", Result=DENY)], 0, SERVER_AUTH, id="servers denied"),
        pytest.param([rule(Policy=SSL, PolicyName="sslClient", Result=DENY)], 0, CLIENT_AUTH, id="clients denied"),
        pytest.param([rule(Policy=SSL, Result=DENY)], 0, ANY_PURPOSE, id="TLS denied"),
        pytest.param([rule(Policy=BASIC, Result=DENY)], 0, ANY_PURPOSE, id="X.509 denied"),
        pytest.param([rule(PolicyName="sslServer", Result=DENY)], 0, SERVER_AUTH, id="denied by name"),
        pytest.param([rule(Policy=SMIME, Result=DENY)], 0, 0, id="S/MIME denied"),
        pytest.param([rule(Policy=SSL, PolicyString="a", Result=DENY)], 0, ANY_PURPOSE, id="denied for one host"),
        pytest.param([rule(Application=b"a", Result=DENY)], 0, ANY_PURPOSE, id="denied for one application"),
        pytest.param([rule(Result=TRUST_ROOT), rule(Result=DENY)], 0, ANY_PURPOSE, id="trusted and denied"),
        pytest.param(
            [rule(), rule(Policy=SSL, PolicyName="sslServer", Result=DENY)],
            CLIENT_AUTH,
            SERVER_AUTH,
            id="trusted, and denied for servers",
        ),
    ],
)
def test_the_rules_of_a_root_determine_its_purposes(rules, trusted: int, denied: int) -> None:
    (record,), problems = parse(export(entry(ROOT, *rules)))
    assert (record.trusted_purposes(Certificate(ROOT)), record.denied, problems) == (trusted, denied, [])


@pytest.mark.parametrize(("result", "expected"), [(TRUST_ROOT, 0), (TRUST_AS_ROOT, ANY_PURPOSE), (UNSPECIFIED, 0)])
def test_a_certificate_that_is_not_self_issued_is_trusted_only_as_root(result: int, expected: int) -> None:
    (record,), _ = parse(export(entry(ISSUED, rule(Result=result))))
    assert record.trusted_purposes(Certificate(ISSUED)) == expected


@pytest.mark.parametrize("changes", [{"issuerName": der.common_name("another")}, {"serialNumber": b"\x02"}])
def test_a_certificate_that_shares_only_the_sha1_is_not_trusted(changes) -> None:
    (record,), _ = parse(export(entry(ROOT, rule(), **changes)))
    assert record.trusted_purposes(Certificate(ROOT)) == 0


@pytest.mark.parametrize("serial", [b"\x9a\x3c", b"\0\x9a\x3c"])
def test_a_leading_zero_of_a_serial_number_is_insignificant(serial: bytes) -> None:
    (record,), _ = parse(export(entry(ISSUED, rule(Result=TRUST_AS_ROOT), serialNumber=serial)))
    assert record.trusted_purposes(Certificate(ISSUED)) == ANY_PURPOSE


@pytest.mark.parametrize(
    "malformed",
    [
        entry(ROOT, "not a dictionary"),
        entry(ROOT, trustSettings="not an array"),
        entry(ROOT, issuerName="not data"),
        entry(ROOT, serialNumber=b"1" * 200),
        entry(ROOT, rule(Result=5)),
        entry(ROOT, rule(Result=True)),
        entry(ROOT, rule(), rule(Result="1")),
        entry(ROOT, rule(), rule(Policy=7)),
        entry(ROOT, rule(Policy=b"\x80")),
        entry(ROOT, rule(KeyUsage="any")),
        entry(ROOT, rule(PolicyName=b"sslServer")),
        (digest("sha1", ROOT).hex(), "not a dictionary"),
    ],
)
def test_a_certificate_with_malformed_settings_is_denied_and_the_others_are_not_affected(malformed) -> None:
    (record, other), (problem,) = parse(export(malformed, entry(OTHER_ROOT)))
    assert (record.trusted_purposes(Certificate(ROOT)), record.denied) == (0, ANY_PURPOSE)
    assert (other.trusted_purposes(Certificate(OTHER_ROOT)), other.denied) == (ANY_PURPOSE, 0)
    assert " is denied because its settings are not understood: " in problem


@pytest.mark.parametrize("key", ["kSecTrustRecordDefaultRootCert", "ab" * 19, "ab" * 19 + "  ", "", "0x" + "ab" * 19])
def test_a_key_that_is_not_a_sha1_is_skipped_and_reported(key: str) -> None:
    (record,), problems = parse(export((key, {}), entry(ROOT)))
    assert record.sha1 == digest("sha1", ROOT)
    assert problems == [f"{key!r} is not the SHA-1 of a certificate; its settings were skipped"]


WITH_ENTITY = b'<!DOCTYPE plist [<!ENTITY a "a">]><plist><dict><key>&a;</key><true/></dict></plist>'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"junk",
        RECORDED[:-40].encode(),
        plistlib.dumps([]),
        plistlib.dumps({}),
        plistlib.dumps({"trustVersion": 1, "trustList": []}),
        export(version=2),
        plistlib.dumps({"trustVersion": 1}, fmt=plistlib.FMT_BINARY)[:-9],
        WITH_ENTITY,
    ],
)
def test_data_that_is_not_an_export_is_rejected(data: bytes) -> None:
    with pytest.raises(ValueError):
        parse(data)


_scalars = st.booleans() | st.integers(-5, 9) | st.binary(max_size=12) | st.text("aS18.", max_size=9)
_keys = st.sampled_from(["issuerName", "serialNumber", "trustSettings", *sorted(UNCONSTRAINED_KEYS)]) | st.text("ab")
_plists = st.recursive(_scalars, lambda inner: st.dictionaries(_keys, inner, max_size=4), max_leaves=8)


@given(st.binary() | st.binary().map(lambda data: RECORDED.encode().replace(b"KoZIhvdjZAED", data)))
def test_arbitrary_bytes_raise_only_value_error(data: bytes) -> None:
    try:
        parse(data)
    except ValueError:
        pass


@given(settings=_plists, rules=st.lists(_plists, min_size=1))
def test_a_certificate_that_one_rule_denies_is_not_trusted_whatever_the_other_settings_are(settings, rules) -> None:
    if isinstance(settings, dict):
        settings = {**settings, "trustSettings": [*rules, rule(Result=DENY)]}
    (record,), _ = parse(export((digest("sha1", ROOT).hex(), settings)))
    assert record.trusted_purposes(Certificate(ROOT)) == 0
    assert record.denied == ANY_PURPOSE
