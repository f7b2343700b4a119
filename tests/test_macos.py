"""macOS: keychains and trust settings, by what security(1) answers. None of this ran on macOS.

The answers have the form of recorded ones: PEM, and property lists as TrustSettingsSchema.h of
Apple's Security framework describes them.
"""

from __future__ import annotations

import os
import plistlib
import socket
import ssl
import stat
import sys
from datetime import datetime
from pathlib import Path

import der
import pytest
import support
from hypothesis import given
from hypothesis import strategies as st

from certhook._watch import macos as watch_macos
import certhook
from certhook import _config, _store, _trust
from certhook._config import ANY_PURPOSE, CLIENT_AUTH, SERVER_AUTH, Config
from certhook._sources import TrustSet, macos, places, system
from certhook._sources.macos import parse_settings
from certhook._sources.collector import Reader
from certhook._x509 import Certificate, digest
from certhook.exceptions import SourceError

posix = pytest.mark.skipif(sys.platform == "win32", reason="there is no user database")

#: Two roots that issued themselves, and a CA that a root issued.
SELF = der.common_name("certhook tests")
OTHER_KEY = der._KEY[:-1] + b"\xf4"
ROOT, OTHER_ROOT = der.certificate(SELF), der.certificate(SELF, serial=2, key=OTHER_KEY)
ISSUED = der.certificate(der.common_name("issued"), serial=0x9A3C)

SSL, BASIC, SMIME = (bytes.fromhex(f"2a864886f76364010{n}") for n in (3, 2, 8))
TRUST_ROOT, TRUST_AS_ROOT, DENY, UNSPECIFIED = 1, 2, 3, 4

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


def rule(**values: object) -> dict[str, object]:
    """One dictionary of usage constraints: ``rule(Result=3)``."""
    return {f"kSecTrustSettings{name}": value for name, value in values.items()}


def entry(certificate: bytes, *rules: object, **changes: object) -> tuple[str, dict[str, object]]:
    """What a domain says of one certificate; without rules, as ``security add-trusted-cert`` writes it."""
    parsed = Certificate(certificate)
    said: dict[str, object] = {
        "issuerName": parsed.issuer,
        "modDate": datetime(2024, 5, 13, 7, 51, 12),
        "serialNumber": parsed.serial[2:],
    }
    if rules:
        said["trustSettings"] = list(rules)
    return digest("sha1", certificate).hex().upper(), {**said, **changes}


def export(*entries: tuple[str, object], version: object = 1) -> bytes:
    """What ``security trust-settings-export`` writes."""
    return plistlib.dumps({"trustList": dict(entries), "trustVersion": version})


# What trust settings mean.


def test_a_recorded_export_is_understood() -> None:
    (setting,), problems = parse_settings(RECORDED.encode())
    assert (setting.trusts(Certificate(ROOT)), setting.denied, problems) == (SERVER_AUTH, 0, [])


@pytest.mark.parametrize(
    ("rules", "trusted", "denied"),
    [
        pytest.param([], ANY_PURPOSE, 0, id="no rules: always trust"),
        pytest.param([rule()], ANY_PURPOSE, 0, id="trust is the default result"),
        pytest.param([rule(Result=TRUST_ROOT)], ANY_PURPOSE, 0, id="for everything"),
        pytest.param([rule(Result=UNSPECIFIED)], 0, 0, id="unspecified"),
        pytest.param([rule(Result=DENY)], 0, ANY_PURPOSE, id="denied for everything"),
        pytest.param([rule(Policy=SSL, PolicyName="sslServer")], SERVER_AUTH, 0, id="TLS servers"),
        pytest.param([rule(Policy=SSL, PolicyName="sslClient")], CLIENT_AUTH, 0, id="TLS clients"),
        pytest.param([rule(Policy=SSL)], SERVER_AUTH, 0, id="TLS, from before policies had names"),
        pytest.param([rule(Policy="1.2.840.113635.100.1.3", PolicyName="sslServer")], SERVER_AUTH, 0, id="as text"),
        pytest.param([rule(Policy=SSL, PolicyName="eapServer")], 0, 0, id="a policy of the same number"),
        pytest.param([rule(Policy=SMIME, PolicyName="SMIME")], 0, 0, id="S/MIME"),
        pytest.param([rule(Policy=BASIC, PolicyName="basicX509")], 0, 0, id="X.509 alone: not TLS"),
        pytest.param([rule(PolicyName="sslServer")], 0, 0, id="a policy that is not said"),
        pytest.param([rule(Policy=SSL, AllowedError=-2147408896)], SERVER_AUTH, 0, id="an error is allowed"),
        pytest.param([rule(Policy=SSL, KeyUsage=-1)], SERVER_AUTH, 0, id="any use of the key"),
        pytest.param([rule(Policy=SSL, KeyUsage=1)], 0, 0, id="one use of the key"),
        pytest.param([rule(Policy=SSL, PolicyString="intranet.example")], 0, 0, id="one host"),
        pytest.param([rule(Application=b"/Applications/Mail.app")], 0, 0, id="one application"),
        pytest.param([rule(NewConstraint=True)], 0, 0, id="a constraint of the future"),
        pytest.param([rule(Policy=SMIME), rule(Policy=SSL)], SERVER_AUTH, 0, id="one of two"),
        pytest.param([rule(Policy=SSL, PolicyName="sslServer", Result=DENY)], 0, SERVER_AUTH, id="servers denied"),
        pytest.param([rule(Policy=SSL, PolicyName="sslClient", Result=DENY)], 0, CLIENT_AUTH, id="clients denied"),
        pytest.param([rule(Policy=SSL, Result=DENY)], 0, ANY_PURPOSE, id="TLS denied"),
        pytest.param([rule(Policy=BASIC, Result=DENY)], 0, ANY_PURPOSE, id="X.509 denied"),
        pytest.param([rule(PolicyName="sslServer", Result=DENY)], 0, SERVER_AUTH, id="denied by name"),
        pytest.param([rule(Policy=SMIME, Result=DENY)], 0, 0, id="S/MIME denied"),
        pytest.param([rule(Policy=SSL, PolicyString="a", Result=DENY)], 0, ANY_PURPOSE, id="denied for one host"),
        pytest.param([rule(Application=b"a", Result=DENY)], 0, ANY_PURPOSE, id="denied for one application"),
        pytest.param([rule(Result=TRUST_ROOT), rule(Result=DENY)], 0, ANY_PURPOSE, id="a denial beats trust"),
        pytest.param([rule(), rule(Policy=SSL, PolicyName="sslServer", Result=DENY)], CLIENT_AUTH, SERVER_AUTH, id="-"),
    ],
)
def test_what_trust_settings_say_of_a_root(rules, trusted: int, denied: int) -> None:
    (setting,), problems = parse_settings(export(entry(ROOT, *rules)))
    assert (setting.trusts(Certificate(ROOT)), setting.denied, problems) == (trusted, denied, [])


@pytest.mark.parametrize(("result", "expected"), [(TRUST_ROOT, 0), (TRUST_AS_ROOT, ANY_PURPOSE), (UNSPECIFIED, 0)])
def test_only_trust_as_root_makes_an_anchor_of_what_a_root_issued(result: int, expected: int) -> None:
    (setting,), _ = parse_settings(export(entry(ISSUED, rule(Result=result))))
    assert setting.trusts(Certificate(ISSUED)) == expected


@pytest.mark.parametrize("changes", [{"issuerName": der.common_name("another")}, {"serialNumber": b"\x02"}])
def test_a_certificate_with_only_the_sha1_of_a_trusted_one_is_not_trusted(changes) -> None:
    (setting,), _ = parse_settings(export(entry(ROOT, rule(), **changes)))
    assert setting.trusts(Certificate(ROOT)) == 0


@pytest.mark.parametrize("serial", [b"\x9a\x3c", b"\0\x9a\x3c"])
def test_a_serial_number_may_have_a_zero_before_it(serial: bytes) -> None:
    (setting,), _ = parse_settings(export(entry(ISSUED, rule(Result=TRUST_AS_ROOT), serialNumber=serial)))
    assert setting.trusts(Certificate(ISSUED)) == ANY_PURPOSE


@pytest.mark.parametrize(
    "said",
    [
        entry(ROOT, "no dictionary"),
        entry(ROOT, trustSettings="no array"),
        entry(ROOT, issuerName="no data"),
        entry(ROOT, serialNumber=b"1" * 200),
        entry(ROOT, rule(Result=5)),
        entry(ROOT, rule(Result=True)),
        entry(ROOT, rule(), rule(Result="1")),
        entry(ROOT, rule(), rule(Policy=7)),
        entry(ROOT, rule(Policy=b"\x80")),
        entry(ROOT, rule(KeyUsage="any")),
        entry(ROOT, rule(PolicyName=b"sslServer")),
        (digest("sha1", ROOT).hex(), "no dictionary"),
    ],
)
def test_what_is_not_understood_is_denied_and_the_rest_counts(said) -> None:
    (setting, other), (problem,) = parse_settings(export(said, entry(OTHER_ROOT)))
    assert (setting.trusts(Certificate(ROOT)), setting.denied) == (0, ANY_PURPOSE)
    assert (other.trusts(Certificate(OTHER_ROOT)), other.denied) == (ANY_PURPOSE, 0)
    assert "not understood" in problem


@pytest.mark.parametrize("key", ["kSecTrustRecordDefaultRootCert", "ab" * 19, "ab" * 19 + "  ", "", "0x" + "ab" * 19])
def test_a_key_that_is_no_sha1_is_passed_over(key) -> None:
    (setting,), problems = parse_settings(export((key, {}), entry(ROOT)))
    assert setting.sha1 == digest("sha1", ROOT)
    assert problems == [f"{key!r} is not the SHA-1 of a certificate; its settings were skipped"]


ENTITY = b'<!DOCTYPE plist [<!ENTITY a "a">]><plist><dict><key>&a;</key><true/></dict></plist>'


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
        ENTITY,
    ],
)
def test_what_is_no_export_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        parse_settings(data)


_scalars = st.booleans() | st.integers(-5, 9) | st.binary(max_size=12) | st.text("aS18.", max_size=9)
_keys = st.sampled_from(["issuerName", "serialNumber", "trustSettings", *macos._UNCONSTRAINED]) | st.text("ab")
_plists = st.recursive(_scalars, lambda inner: st.dictionaries(_keys, inner, max_size=4), max_leaves=8)


@given(st.binary() | st.binary().map(lambda data: RECORDED.encode().replace(b"KoZIhvdjZAED", data)))
def test_bytes_are_settings_or_a_value_error(data: bytes) -> None:
    try:
        parse_settings(data)
    except ValueError:
        pass


@given(said=_plists, rules=st.lists(_plists, min_size=1))
def test_no_dictionary_of_junk_makes_an_anchor_where_one_rule_denies(said, rules) -> None:
    junk = {**said, "trustSettings": [*rules, rule(Result=DENY)]} if isinstance(said, dict) else said
    (setting,), _ = parse_settings(export((digest("sha1", ROOT).hex(), junk)))
    assert setting.trusts(Certificate(ROOT)) == 0
    assert setting.denied == ANY_PURPOSE


# A whole machine.


class Mac:
    """What security(1) answers: the certificates of keychains, and the trust settings of domains ("-d" and "")."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        self.settings: dict[str, bytes | None] = {"-d": None, "": None}
        self.keychains: dict[str, bytes] = {}

    def put(self, keychain: str, *certificates: bytes) -> None:
        """Have *keychain* hold these: "apple", "admin" or "login"."""
        path = self.folder / f"{keychain}.keychain"
        self.keychains[str(path)] = b"".join(map(der.pem, certificates))
        path.write_bytes(self.keychains[str(path)][::-1])

    def set(self, domain: str, *entries: tuple[str, object], data: bytes | None = None) -> None:
        """Have the trust settings of *domain* hold these, or *data*."""
        self.settings[domain] = export(*entries) if data is None else data
        (self.folder / "settings").mkdir(exist_ok=True)
        (self.folder / "settings" / f"{domain or 'user'}.plist").write_bytes(self.settings[domain] or b"")

    def run(self, *arguments: str) -> bytes:
        self.asked.append(" ".join(arguments))
        if arguments[0] == "find-certificate":
            verb, every, as_pem, keychain = arguments
            assert (every, as_pem) == ("-a", "-p")
            return self.keychains[keychain]
        verb, *options, output = arguments
        assert (verb, output) == ("trust-settings-export", watch_macos.OUTPUT)
        return self.settings["".join(options)] or b""


@pytest.fixture
def mac(tmp_path: Path, monkeypatch) -> Mac:
    """A Mac of which every file is in a folder of its own."""
    mac = Mac(tmp_path)
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(system, "compiled_in", lambda: ("", ""))
    monkeypatch.setattr(places, "_PLACES", (("darwin", (str(tmp_path / "cert.pem"),), ()),))
    monkeypatch.setattr(locations.of, "__defaults__", ("darwin",))
    monkeypatch.setattr(macos, "APPLES_ROOTS", str(tmp_path / "apple.keychain"))
    monkeypatch.setattr(macos, "ADMINISTRATORS", str(tmp_path / "admin.keychain"))
    monkeypatch.setattr(macos, "LOGIN", "login.keychain")
    monkeypatch.setattr(_security, "SETTINGS", str(tmp_path / "settings"))
    monkeypatch.setattr(_security, "VAULT", str(tmp_path / "vault"))
    monkeypatch.setattr(macos, "PREFERENCES", str(tmp_path / "preferences.plist"))
    monkeypatch.setattr(_security, "home", lambda: str(tmp_path))
    monkeypatch.setattr(_security, "_answers", {})
    monkeypatch.setattr(_security, "run", mac.run)
    monkeypatch.setenv("CERTHOOK_SOURCES", "system")
    monkeypatch.setenv("CERTHOOK_CACHE_DIR", str(tmp_path / "cache"))
    return mac


def trusted(purpose: int = SERVER_AUTH) -> list[bytes]:
    return [anchor.der for anchor in TrustSet(_config.current(), purpose).anchors]


def problems() -> list[str]:
    return [str(problem) for problem in TrustSet(_config.current(), SERVER_AUTH).problems]


def test_platforms_have_a_module_each(monkeypatch) -> None:
    chosen = {}
    for platform in ("win32", "darwin", "linux", "freebsd14"):
        monkeypatch.setattr(sys, "platform", platform)
        module = system.own_store()
        chosen[platform] = module and module.__name__.rpartition(".")[2]
        assert module is None or (callable(module.read) and callable(module.read_disallowed))
    assert chosen == {"win32": "windows", "darwin": "macos", "linux": None, "freebsd14": None}


def test_apples_roots_are_trusted_and_others_where_a_setting_says_so(mac) -> None:
    mac.put("apple", ROOT)
    mac.put("admin", OTHER_ROOT, ISSUED)
    mac.put("login", OTHER_ROOT)
    assert trusted() == [ROOT]
    mac.set("", entry(OTHER_ROOT, rule(Policy=SSL, PolicyName="sslServer")))
    assert trusted() == [ROOT, OTHER_ROOT]
    assert trusted(CLIENT_AUTH) == [ROOT]
    mac.set("-d", entry(ISSUED, rule(Result=TRUST_AS_ROOT)))
    assert trusted() == [ROOT, OTHER_ROOT, ISSUED]
    places = {os.path.basename(p.path): p.count for p in TrustSet(_config.current(), SERVER_AUTH).places}
    assert places == {"apple.keychain": 1, "admin.keychain": 2, "login.keychain": 1, "cert.pem": 0}
    assert problems() == []


def test_the_known_files_are_read_beside_the_keychains(mac) -> None:
    mac.put("apple", ROOT)
    (mac.folder / "cert.pem").write_bytes(der.pem(ISSUED))
    assert trusted() == [ROOT, ISSUED]


@pytest.mark.parametrize("domain", ["-d", ""])
@pytest.mark.parametrize("listed", ["apple", "bundle", "extra", "file"])
def test_a_denial_of_either_domain_holds_for_every_source(mac, domain: str, listed: str, monkeypatch) -> None:
    bundle = mac.folder / "bundle.pem"
    bundle.write_bytes(der.pem(ROOT) + der.pem(ISSUED))
    if listed == "apple":
        mac.put("apple", ROOT, ISSUED)
    elif listed == "file":
        monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
        monkeypatch.setenv("SSL_CERT_DIR", "")
    else:
        monkeypatch.setenv({"bundle": "CERTHOOK_BUNDLE", "extra": "CERTHOOK_EXTRA_CA_CERTS"}[listed], str(bundle))
        monkeypatch.setenv("CERTHOOK_SOURCES", "bundled" if listed == "bundle" else "extra")
    mac.set({"": "-d", "-d": ""}[domain], entry(ROOT))
    assert trusted() == [ROOT, ISSUED]
    mac.set(domain, entry(ROOT, rule(Policy=SSL, PolicyName="sslServer", Result=DENY)))
    assert trusted() == [ISSUED]
    (removed,) = TrustSet(_config.current(), SERVER_AUTH).removed
    assert removed.rejected_by == [f"macOS {'administrator' if domain else 'user'}'s trust settings"]


def test_a_renewed_copy_of_what_is_denied_is_denied_where_a_keychain_has_the_certificate(mac, monkeypatch) -> None:
    renewed = der.certificate(SELF, serial=9)
    (mac.folder / "bundle.pem").write_bytes(der.pem(renewed))
    monkeypatch.setenv("CERTHOOK_BUNDLE", str(mac.folder / "bundle.pem"))
    monkeypatch.setenv("CERTHOOK_SOURCES", "bundled")
    mac.set("-d", entry(ROOT, rule(Result=DENY)))
    assert trusted() == [renewed]
    mac.put("apple", ROOT)
    assert trusted() == []


def test_a_certificate_is_denied_by_its_issuer_and_serial_number_too(mac) -> None:
    mac.put("apple", der.certificate(SELF, key=OTHER_KEY), OTHER_ROOT)
    mac.set("-d", entry(ROOT, rule(Result=DENY)))
    assert trusted() == [OTHER_ROOT]


@pytest.mark.parametrize(
    ("preferences", "expected", "complaint"),
    [
        (plistlib.dumps({}), [OTHER_ROOT], ""),
        (plistlib.dumps({"DisableUserTrustSettings": False}), [OTHER_ROOT], ""),
        (plistlib.dumps({"DisableUserTrustSettings": True}, fmt=plistlib.FMT_BINARY), [], ""),
        (b"bplist00 that is broken", [], "the user's trust settings trust nothing"),
    ],
)
def test_the_administrator_decides_whether_users_may_trust_and_they_may_always_deny(
    mac, preferences: bytes, expected: list[bytes], complaint: str
) -> None:
    mac.put("apple", ROOT)
    mac.put("login", OTHER_ROOT)
    mac.set("", entry(OTHER_ROOT), entry(ROOT, rule(Result=DENY)))
    (mac.folder / "preferences.plist").write_bytes(preferences)
    assert trusted() == expected
    said = [problem for problem in problems() if "no trusted root" not in problem]
    assert [complaint in problem for problem in said] == ([True] if complaint else [])


@posix
def test_a_process_with_raised_rights_listens_to_no_user(monkeypatch) -> None:
    import pwd

    monkeypatch.setenv("HOME", "/tmp/elsewhere")
    monkeypatch.setattr(_config, "_secure", "no")
    assert macos._others() == [macos.ADMINISTRATORS, os.path.join(pwd.getpwuid(os.geteuid()).pw_dir, macos.LOGIN)]
    monkeypatch.setattr(_config, "_secure", "yes")
    assert macos._others() == [macos.ADMINISTRATORS]
    asked = []
    monkeypatch.setattr(_security, "run", lambda *arguments: asked.append(arguments) or b"")
    monkeypatch.setattr(_security, "_answers", {})
    macos.read_disallowed(Reader(Config({}), SERVER_AUTH))
    assert asked == [("trust-settings-export", "-d", watch_macos.OUTPUT)]


@pytest.mark.parametrize("output", [b"junk", b"\xff" * 99, der.pem(b"junk"), b"", b"-----BEGIN CERTIFICATE-----\n"])
def test_junk_from_a_keychain_is_no_anchor(mac, output: bytes) -> None:
    mac.put("apple", ROOT)
    mac.put("admin")
    mac.keychains[macos.ADMINISTRATORS] = output
    assert trusted() == [ROOT]
    assert len(problems()) == (b"BEGIN" in output)


def test_trust_settings_that_cannot_be_read_trust_nothing_and_are_named_once(mac) -> None:
    mac.put("apple", ROOT)
    mac.put("admin", OTHER_ROOT)
    mac.set("-d", data=b"junk")
    assert trusted() == [ROOT]
    (problem,) = problems()
    assert problem.startswith("macOS administrator's trust settings: not a property list")
    assert problem.endswith("; what they trust is not trusted, what they deny not known")


def test_a_command_that_fails_is_a_problem_and_is_tried_again(mac, monkeypatch) -> None:
    mac.put("apple", ROOT)

    def fails(*arguments: str) -> bytes:
        mac.asked.append(arguments[0])
        raise SourceError(watch_macos.SECURITY, "'security' did not answer within 20 seconds")

    monkeypatch.setattr(_security, "run", fails)
    monkeypatch.setattr(_security, "monotonic", lambda: 1000.0)
    trust = TrustSet(_config.current(), SERVER_AUTH)
    assert trust.volatile
    assert [problem.path for problem in trust.problems if isinstance(problem, SourceError)] == [
        "macOS administrator's trust settings",
        "macOS user's trust settings",
        macos.APPLES_ROOTS,
    ]
    monkeypatch.setattr(_security, "run", mac.run)
    assert trusted() == []  # the answer holds for some seconds
    monkeypatch.setattr(_security, "monotonic", lambda: 1011.0)
    assert trusted() == [ROOT]


def context() -> None:
    certhook.load_default_certs(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


def test_a_warm_process_does_not_run_security(mac, monkeypatch) -> None:
    mac.put("apple", ROOT)
    mac.put("admin", OTHER_ROOT)
    mac.set("-d", entry(OTHER_ROOT))
    context()
    assert len(mac.asked) == 4
    context()
    _trust.forget()  # as a new process would begin
    watch_macos._answers.clear()
    context()
    assert len(mac.asked) == 4


@pytest.mark.parametrize("changed", ["keychain", "settings", "first settings", "preferences"])
def test_a_change_is_seen_by_the_next_context(mac, changed: str) -> None:
    mac.put("apple", ROOT)
    mac.put("admin", OTHER_ROOT)
    if changed != "first settings":
        mac.set("-d", entry(OTHER_ROOT, rule(Result=UNSPECIFIED)))
    mac.set("", entry(ISSUED, rule(Result=UNSPECIFIED)))
    context()
    before = _trust.current(_config.current(), SERVER_AUTH)
    if changed == "keychain":
        mac.put("admin", OTHER_ROOT, ISSUED, ISSUED)
    elif changed == "preferences":
        (mac.folder / "preferences.plist").write_bytes(plistlib.dumps({}))
    else:
        mac.set("-d", entry(OTHER_ROOT))
    context()
    after = _trust.current(_config.current(), SERVER_AUTH)
    assert after is not before
    assert (after.store != before.store) == ("settings" in changed)


def test_what_trustd_hides_is_asked_for_again_after_a_few_seconds(mac, monkeypatch) -> None:
    now = [1000.0]
    for module in (_security, _trust):
        monkeypatch.setattr(module, "monotonic", lambda: now[0])
    (mac.folder / "vault").mkdir()
    mac.put("apple", ROOT, OTHER_ROOT)
    context()
    before = _trust.current(_config.current(), SERVER_AUTH)
    asked = len(mac.asked)
    mac.settings["-d"] = export(entry(ROOT, rule(Result=DENY)))
    context()
    assert _trust.current(_config.current(), SERVER_AUTH) is before
    assert len(mac.asked) == asked
    now[0] += 11
    after = _trust.current(_config.current(), SERVER_AUTH)
    assert after.store != before.store
    assert trusted() == [OTHER_ROOT]


def test_what_trustd_hides_is_asked_for_by_a_process_that_finds_a_store_of_a_while_ago(mac, monkeypatch) -> None:
    (mac.folder / "vault").mkdir()
    mac.put("apple", ROOT, OTHER_ROOT)
    context()
    exports = ["trust-settings-export -d {output}", "trust-settings-export {output}"]

    def as_a_new_process() -> list[str]:
        _trust.forget()
        watch_macos._answers.clear()
        mac.asked.clear()
        context()
        return mac.asked

    assert as_a_new_process() == exports
    assert as_a_new_process() == []  # seconds later
    monkeypatch.setattr(_store, "DEEP_LOOK_EVERY", -1)
    assert as_a_new_process() == exports
    mac.settings[""] = export(entry(ROOT, rule(Result=DENY)))
    assert as_a_new_process() != exports
    assert trusted() == [OTHER_ROOT]


def test_by_real_handshakes(mac, cas, servers, monkeypatch) -> None:
    stranger, company = cas.der("stranger"), cas.der("system")
    (mac.folder / "bundle.pem").write_bytes(cas.pem("bundled", "both"))
    monkeypatch.setenv("CERTHOOK_SOURCES", "system,bundled")
    monkeypatch.setenv("CERTHOOK_BUNDLE", str(mac.folder / "bundle.pem"))
    mac.put("apple", cas.der("both"))
    mac.put("admin", company, stranger)
    assert verdicts(servers) == {"bundled", "both"}
    mac.set("-d", entry(company, rule(Policy=SSL, PolicyName="sslServer")), entry(stranger, rule(Policy=SMIME)))
    assert verdicts(servers) == {"bundled", "both", "system"}
    mac.set("", entry(cas.der("both"), rule(Result=DENY)), entry(cas.der("bundled"), rule(Policy=SSL, Result=DENY)))
    with pytest.warns(certhook.CerthookWarning, match="macOS user's trust settings distrusts it"):
        assert verdicts(servers) == {"system"}


def verdicts(servers: support.Servers) -> set[str]:
    """The authorities whose servers a context trusts that is given default trust."""
    found = set()
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    certhook.load_default_certs(client)
    for name in support.Authorities.names:
        with socket.create_connection(("127.0.0.1", servers.port(name)), timeout=20) as raw:
            try:
                client.wrap_socket(raw, server_hostname="localhost").close()
                found.add(name)
            except ssl.SSLCertVerificationError:
                pass
    return found


# The command itself, by a stand-in for it.


@pytest.fixture
def security(tmp_path: Path, monkeypatch):
    """Have a shell script stand in for security(1)."""
    monkeypatch.setattr(_security, "home", lambda: "/home/someone")

    def script(text: str) -> None:
        path = tmp_path / "security"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setattr(_security, "SECURITY", str(path))

    if sys.platform == "win32":
        pytest.skip("there is no shell")
    return script


def test_the_command_is_given_nothing_of_this_process(security, monkeypatch) -> None:
    monkeypatch.setenv("HOME", "/tmp/elsewhere")
    monkeypatch.setenv("SECRET", "42")
    security('pwd; env | grep -v "^_=\\|^PWD=\\|^SHLVL=" | sort; cat; for a in "$@"; do echo "<$a>"; done')
    assert watch_macos.run("find-certificate", "a b; c").decode().splitlines() == [
        "/",
        "HOME=/home/someone",
        "LANG=C",
        "PATH=/usr/bin:/bin:/usr/sbin:/sbin",
        "<find-certificate>",
        "<a b; c>",
    ]


def test_what_the_command_writes_is_read_and_removed(security, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    security('echo "...Trust Settings exported successfully."; printf plist > "$3"; echo "$3" > "$0.path"')
    assert watch_macos.run("trust-settings-export", "-d", watch_macos.OUTPUT) == b"plist"
    written = (tmp_path / "security.path").read_text().strip()
    assert written.startswith(str(tmp_path)) and not os.path.exists(os.path.dirname(written))


@pytest.mark.parametrize(
    ("arguments", "script"),
    [
        (
            ("trust-settings-export", "-d", watch_macos.OUTPUT),
            "echo 'SecTrustSettingsCreateExternalRepresentation: No Trust Settings were found.' >&2; exit 1",
        ),
        (("find-certificate", "-a", "-p", "x"), "echo 'The specified item could not be found' >&2; exit 44"),
        (("find-certificate", "-a", "-p", "x"), ":"),
    ],
)
def test_nothing_is_no_failure(arguments, script: str, security) -> None:
    security(script)
    assert watch_macos.run(*arguments) == b""


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo 'The Trust Settings Record was corrupted.' >&2; exit 1", "status 1: The Trust Settings Record was"),
        ("exit 3", "status 3: no word"),
        ("exit 44", "status 44: no word"),
        (":", "cannot be read: No such file or directory"),
        ("kill -9 $$", "status -9"),
        ("exec sleep 60", "did not answer within 1 seconds"),
    ],
)
def test_a_failure_of_the_command_is_named(script: str, message: str, security, monkeypatch) -> None:
    monkeypatch.setattr(_security, "TIMEOUT", 1 if "sleep" in script else 60)
    security(script)
    with pytest.raises(SourceError, match=message):
        watch_macos.run("trust-settings-export", "-d", watch_macos.OUTPUT)


def test_a_command_that_is_not_there_is_named(monkeypatch) -> None:
    monkeypatch.setattr(_security, "SECURITY", os.path.abspath("no/security"))
    with pytest.raises(SourceError, match="cannot be run"):
        watch_macos.run("find-certificate")


def test_an_answer_without_end_is_not_read_into_memory(security, monkeypatch) -> None:
    monkeypatch.setattr("certhook._files.LIMIT", 1 << 20)
    security("head -c 2000000 /dev/zero")
    with pytest.raises(SourceError, match="larger than 1 MiB"):
        watch_macos.run("find-certificate")


def test_no_other_system_imports_it(installed: Path) -> None:
    code = "import ssl, sys; ssl.create_default_context(); print('certhook._sources.macos' in sys.modules)"
    assert support.run(installed, code).stdout.strip() == str(sys.platform == "darwin")
