"""The keychains and trust settings of macOS, with recorded output of security(1). None of this ran on macOS."""

from __future__ import annotations

import os
import plistlib
import socket
import ssl
import sys
from pathlib import Path

import der
import pytest
import support
from trust_settings_export import (
    DENY,
    ISSUED,
    OTHER_ROOT,
    ROOT,
    SMIME,
    SSL,
    SUBJECT,
    TRUST_AS_ROOT,
    UNSPECIFIED,
    entry,
    export,
    rule,
)

import certhook
from certhook import _config, _store, _trust, _watch
from certhook._config import CLIENT_AUTH, SERVER_AUTH, Config
from certhook._sources import macos, native, read_trust_set, system
from certhook._sources.collector import Collector
from certhook._sources.trust_set import TrustSet
from certhook._state import process
from certhook._watch import macos as watch_macos
from certhook.exceptions import SourceError

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no user database")


class Mac:
    """A Mac: the certificates of its keychains, and its trust settings by option ("-d" or "")."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.calls: list[str] = []
        self.settings: dict[str, bytes | None] = {"-d": None, "": None}
        self.keychains: dict[str, bytes] = {}

    def put(self, keychain: str, *certificates: bytes) -> None:
        """Replace the content of the keychain "apple", "admin" or "login"."""
        path = self.root / f"{keychain}.keychain"
        self.keychains[str(path)] = b"".join(map(der.pem, certificates))
        path.write_bytes(self.keychains[str(path)][::-1])  # The format of keychains is proprietary.

    def set(self, domain: str, *entries: tuple[str, object], data: bytes | None = None) -> None:
        """Replace the trust settings of *domain* by these entries, or by *data*."""
        self.settings[domain] = export(*entries) if data is None else data
        (self.root / "settings").mkdir(exist_ok=True)
        (self.root / "settings" / f"{domain or 'user'}.plist").write_bytes(self.settings[domain] or b"")

    def run(self, *arguments: str) -> bytes:
        """Return the output of security(1)."""
        self.calls.append(" ".join(arguments))
        if arguments[0] == "find-certificate":
            verb, every, as_pem, keychain = arguments
            assert (every, as_pem) == ("-a", "-p")
            return self.keychains[keychain]
        verb, *options, output = arguments
        assert (verb, output) == ("trust-settings-export", watch_macos.OUTPUT)
        return self.settings["".join(options)] or b""


@pytest.fixture
def mac(tmp_path: Path, monkeypatch) -> Mac:
    """A Mac with all of its files in a temporary directory."""
    mac = Mac(tmp_path)
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(system, "compiled_in", lambda: ("", ""))
    monkeypatch.setattr(system, "well_known", lambda platform: ((str(tmp_path / "cert.pem"),), ()))
    monkeypatch.setattr(macos, "APPLES_ROOTS", str(tmp_path / "apple.keychain"))
    monkeypatch.setattr(macos, "ADMINISTRATORS", str(tmp_path / "admin.keychain"))
    monkeypatch.setattr(macos, "LOGIN", "login.keychain")
    monkeypatch.setattr(macos, "PREFERENCES", str(tmp_path / "preferences.plist"))
    monkeypatch.setattr(watch_macos, "SETTINGS", str(tmp_path / "settings"))
    monkeypatch.setattr(watch_macos, "VAULT", str(tmp_path / "vault"))
    monkeypatch.setattr(watch_macos, "home", lambda: str(tmp_path))
    monkeypatch.setattr(watch_macos, "run", mac.run)
    monkeypatch.setenv("CERTHOOK_SOURCES", "system")
    monkeypatch.setenv("CERTHOOK_STORE_DIR", str(tmp_path / "cache"))
    return mac


def trust_set(purpose: int = SERVER_AUTH) -> TrustSet:
    return read_trust_set(_config.current(), purpose)


def trusted(purpose: int = SERVER_AUTH) -> list[bytes]:
    return [anchor.der for anchor in trust_set(purpose).anchors]


def problems() -> list[str]:
    return [str(problem) for problem in trust_set().problems]


def test_windows_and_macos_have_modules_for_their_native_stores(monkeypatch) -> None:
    chosen = {}
    for platform in ("win32", "darwin", "linux", "freebsd14"):
        monkeypatch.setattr(sys, "platform", platform)
        module = native.native_store()
        chosen[platform] = module and module.__name__.rpartition(".")[2]
        assert module is None or (callable(module.read) and callable(module.read_distrusted))
    assert chosen == {"win32": "windows", "darwin": "macos", "linux": None, "freebsd14": None}


def test_other_platforms_do_not_import_the_module_for_macos(installed: Path) -> None:
    # Without a store, the sources are read.
    env = support.clean_env(CERTHOOK_STORE_DIR="none")
    names = ("certhook._sources.system", "certhook._sources.macos", "certhook._watch.macos")
    code = f"import ssl, sys; ssl.create_default_context(); print(*(name in sys.modules for name in {names}))"
    is_mac = sys.platform == "darwin"
    assert support.run(installed, code, env=env).stdout == f"True {is_mac} {is_mac}\n"


# Trust.


def test_the_roots_of_apple_are_trusted_and_other_certificates_need_trust_settings(mac) -> None:
    mac.put("apple", ROOT)
    mac.put("admin", OTHER_ROOT, ISSUED)
    mac.put("login", OTHER_ROOT)
    assert trusted() == [ROOT]
    mac.set("", entry(OTHER_ROOT, rule(Policy=SSL, PolicyName="sslServer")))
    assert trusted() == [ROOT, OTHER_ROOT]
    assert trusted(CLIENT_AUTH) == [ROOT]
    mac.set("-d", entry(ISSUED, rule(Result=TRUST_AS_ROOT)))
    assert trusted() == [ROOT, OTHER_ROOT, ISSUED]
    counts = {os.path.basename(location.path): location.count for location in trust_set().locations}
    assert counts == {"apple.keychain": 1, "admin.keychain": 2, "login.keychain": 1, "cert.pem": 0}
    assert problems() == []


def test_well_known_files_are_read_after_the_keychains(mac) -> None:
    mac.put("apple", ROOT)
    (mac.root / "cert.pem").write_bytes(der.pem(ISSUED))
    assert trusted() == [ROOT, ISSUED]


@pytest.mark.parametrize("domain", ["-d", ""])
@pytest.mark.parametrize("listed", ["apple", "bundle", "extra", "file"])
def test_a_denial_in_either_domain_applies_to_every_source(mac, domain: str, listed: str, monkeypatch) -> None:
    bundle = mac.root / "bundle.pem"
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
    (removed,) = trust_set().distrusted
    assert removed.distrusted_by == (f"macOS {'administrator' if domain else 'user'}'s trust settings",)


def test_a_renewed_copy_of_a_denied_certificate_in_a_keychain_is_distrusted(mac, monkeypatch) -> None:
    renewed = der.certificate(SUBJECT, serial=9)
    (mac.root / "bundle.pem").write_bytes(der.pem(renewed))
    monkeypatch.setenv("CERTHOOK_BUNDLE", str(mac.root / "bundle.pem"))
    monkeypatch.setenv("CERTHOOK_SOURCES", "bundled")
    mac.set("-d", entry(ROOT, rule(Result=DENY)))
    assert trusted() == [renewed]
    mac.put("apple", ROOT)
    assert trusted() == []


def test_a_certificate_with_the_denied_issuer_and_serial_number_is_distrusted(mac) -> None:
    mac.put("apple", der.certificate(SUBJECT, key=der.OTHER_KEY), OTHER_ROOT)
    mac.set("-d", entry(ROOT, rule(Result=DENY)))
    assert trusted() == [OTHER_ROOT]


@pytest.mark.parametrize(
    ("preferences", "expected", "problem"),
    [
        (plistlib.dumps({}), [OTHER_ROOT], ""),
        (plistlib.dumps({"DisableUserTrustSettings": False}), [OTHER_ROOT], ""),
        (plistlib.dumps({"DisableUserTrustSettings": True}, fmt=plistlib.FMT_BINARY), [], ""),
        (b"bplist00 malformed", [], "The user's trust settings add no trust"),
    ],
)
def test_the_administrator_can_disable_trust_but_not_denials_by_users(mac, preferences, expected, problem) -> None:
    mac.put("apple", ROOT)
    mac.put("login", OTHER_ROOT)
    mac.set("", entry(OTHER_ROOT), entry(ROOT, rule(Result=DENY)))
    (mac.root / "preferences.plist").write_bytes(preferences)
    assert trusted() == expected
    found = [message for message in problems() if "no trusted root" not in message]
    assert [problem in message for message in found] == ([True] if problem else [])


@posix
def test_a_privileged_process_ignores_the_keychain_and_the_settings_of_the_user(monkeypatch, tmp_path) -> None:
    import pwd

    def keychains() -> list[str]:
        collector = Collector(Config({}), SERVER_AUTH)
        macos.read(collector)
        return [location.path for location in collector.locations]

    calls = []
    monkeypatch.setattr(watch_macos, "run", lambda *arguments: calls.append(arguments) or b"")
    monkeypatch.setenv("HOME", str(tmp_path))
    process.at_secure = "no"
    login = os.path.join(pwd.getpwuid(os.geteuid()).pw_dir, macos.LOGIN)
    assert keychains() == [macos.APPLES_ROOTS, macos.ADMINISTRATORS, login]
    process.reset()
    process.at_secure = "yes"
    assert keychains() == [macos.APPLES_ROOTS, macos.ADMINISTRATORS]
    process.security_answers.clear()
    calls.clear()
    macos.read_distrusted(Collector(Config({}), SERVER_AUTH))
    assert calls == [("trust-settings-export", "-d", watch_macos.OUTPUT)]


# Faults.


@pytest.mark.parametrize("output", [b"junk", b"\xff" * 99, der.pem(b"junk"), b"", b"-----BEGIN CERTIFICATE-----\n"])
def test_malformed_output_for_a_keychain_adds_no_anchor(mac, output: bytes) -> None:
    mac.put("apple", ROOT)
    mac.put("admin")
    mac.keychains[macos.ADMINISTRATORS] = output
    assert trusted() == [ROOT]
    assert len(problems()) == (b"BEGIN" in output)


def test_unreadable_trust_settings_add_no_trust_and_are_reported_once(mac) -> None:
    mac.put("apple", ROOT)
    mac.put("admin", OTHER_ROOT)
    mac.set("-d", data=b"junk")
    assert trusted() == [ROOT]
    (problem,) = problems()
    assert problem.startswith("macOS administrator's trust settings: not a property list")
    assert problem.endswith(". They add no trust; the certificates that they deny are unknown")


def test_a_failed_command_is_reported_and_repeated_after_some_seconds(mac, monkeypatch) -> None:
    mac.put("apple", ROOT)

    def fail(*arguments: str) -> bytes:
        raise SourceError(watch_macos.SECURITY, "'security' did not finish within 20 seconds")

    monkeypatch.setattr(watch_macos, "run", fail)
    monkeypatch.setattr(watch_macos, "monotonic", lambda: 1000.0)
    trust = trust_set()
    assert trust.volatile
    assert [problem.path for problem in trust.problems if isinstance(problem, SourceError)] == [
        "macOS administrator's trust settings",
        "macOS user's trust settings",
        macos.APPLES_ROOTS,
    ]
    monkeypatch.setattr(watch_macos, "run", mac.run)
    assert trusted() == []
    monkeypatch.setattr(watch_macos, "monotonic", lambda: 1011.0)
    assert trusted() == [ROOT]


# Changes.


def create_context() -> None:
    certhook.load_default_certs(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


def as_a_new_process(mac: Mac) -> list[str]:
    """Create a context with the state of a new process, and return the calls of security(1)."""
    process.trust.clear()
    process.security_answers.clear()
    mac.calls.clear()
    create_context()
    return mac.calls


def test_a_process_that_finds_a_store_does_not_run_security(mac) -> None:
    mac.put("apple", ROOT)
    mac.put("admin", OTHER_ROOT)
    mac.set("-d", entry(OTHER_ROOT))
    create_context()
    assert len(mac.calls) == 4
    create_context()
    assert len(mac.calls) == 4
    assert as_a_new_process(mac) == []


@pytest.mark.parametrize("changed", ["keychain", "settings", "first settings", "preferences"])
def test_the_next_context_detects_a_change(mac, changed: str) -> None:
    mac.put("apple", ROOT)
    mac.put("admin", OTHER_ROOT)
    if changed != "first settings":
        mac.set("-d", entry(OTHER_ROOT, rule(Result=UNSPECIFIED)))
    mac.set("", entry(ISSUED, rule(Result=UNSPECIFIED)))
    create_context()
    before = _trust.current(_config.current(), SERVER_AUTH)
    if changed == "keychain":
        mac.put("admin", OTHER_ROOT, ISSUED, ISSUED)
    elif changed == "preferences":
        (mac.root / "preferences.plist").write_bytes(plistlib.dumps({}))
    else:
        mac.set("-d", entry(OTHER_ROOT))
    create_context()
    after = _trust.current(_config.current(), SERVER_AUTH)
    assert after is not before
    assert (after.resolved != before.resolved) == ("settings" in changed)


def test_settings_that_trustd_hides_are_read_again_after_some_seconds(mac, monkeypatch) -> None:
    now = [1000.0]
    for module in (watch_macos, _watch):
        monkeypatch.setattr(module, "monotonic", lambda: now[0])
    (mac.root / "vault").mkdir()
    mac.put("apple", ROOT, OTHER_ROOT)
    create_context()
    before = _trust.current(_config.current(), SERVER_AUTH)
    calls = len(mac.calls)
    mac.settings["-d"] = export(entry(ROOT, rule(Result=DENY)))
    create_context()
    assert _trust.current(_config.current(), SERVER_AUTH) is before
    assert len(mac.calls) == calls
    now[0] += 11
    after = _trust.current(_config.current(), SERVER_AUTH)
    assert after.resolved != before.resolved
    assert trusted() == [OTHER_ROOT]


def test_settings_that_trustd_hides_are_read_by_a_process_that_finds_an_older_store(mac, monkeypatch) -> None:
    (mac.root / "vault").mkdir()
    mac.put("apple", ROOT, OTHER_ROOT)
    create_context()
    exports = ["trust-settings-export -d {output}", "trust-settings-export {output}"]
    assert as_a_new_process(mac) == exports
    assert as_a_new_process(mac) == []  # The previous process has just checked them.
    for module in (_store, _watch):
        monkeypatch.setattr(module, "RARE_INTERVAL", 0)
    assert as_a_new_process(mac) == exports
    mac.settings[""] = export(entry(ROOT, rule(Result=DENY)))
    assert as_a_new_process(mac) != exports
    assert trusted() == [OTHER_ROOT]


# Handshakes.


def test_handshakes_succeed_with_the_servers_that_macos_trusts(mac, cas, servers, monkeypatch) -> None:
    stranger, company = cas.der("stranger"), cas.der("system")
    (mac.root / "bundle.pem").write_bytes(cas.pem("bundled", "both"))
    monkeypatch.setenv("CERTHOOK_SOURCES", "system,bundled")
    monkeypatch.setenv("CERTHOOK_BUNDLE", str(mac.root / "bundle.pem"))
    mac.put("apple", cas.der("both"))
    mac.put("admin", company, stranger)
    assert trusted_servers(servers) == {"bundled", "both"}
    mac.set("-d", entry(company, rule(Policy=SSL, PolicyName="sslServer")), entry(stranger, rule(Policy=SMIME)))
    assert trusted_servers(servers) == {"bundled", "both", "system"}
    mac.set("", entry(cas.der("both"), rule(Result=DENY)), entry(cas.der("bundled"), rule(Policy=SSL, Result=DENY)))
    with pytest.warns(certhook.CerthookWarning, match="macOS user's trust settings distrusts it"):
        assert trusted_servers(servers) == {"system"}


def trusted_servers(servers: support.Servers) -> set[str]:
    """Return the authorities of the servers that a context with default trust accepts."""
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
