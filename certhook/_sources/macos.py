"""macOS' keychains: the roots of Apple, of the administrator and of the user, and what these two deny.

Asked of security(1), once: a process that finds a compiled store does not run it.

====================================  ========================================
SystemRootCertificates.keychain       Apple's roots: trusted, unless denied
System.keychain, the login keychain   trusted where trust settings say so
trust settings, of the administrator  what is trusted as a root and what is
and of the user                       denied, for which policies
====================================  ========================================

Trust settings belong to a certificate by its SHA-1, issuer and serial number. They are read
as the Security framework reads them (``evaluateCert`` in its TrustSettings.cpp, the keys in
TrustSettingsSchema.h), and where certhook cannot follow, strictly: trust for one host or one
application is no trust here, and is never widened; a denial for one is a denial; a denial
by the user or by the administrator holds against any trust; what cannot be understood is denied.
"""

from __future__ import annotations

import os
import re

from certhook import _files
from certhook._certificates import names, pem, x509
from certhook._config import ANY_PURPOSE, CLIENT_AUTH, SERVER_AUTH
from certhook._sources.blocklist import BlocklistEntry
from certhook._watch import macos as watch_macos
from certhook._watch.paths import signature
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from certhook._certificates.anchor import Entry
    from certhook._sources.collector import Collector, Location
    from certhook._types import Signature
    from certhook.exceptions import CerthookError

APPLES_ROOTS = "/System/Library/Keychains/SystemRootCertificates.keychain"
ADMINISTRATORS = "/Library/Keychains/System.keychain"
LOGIN = "Library/Keychains/login.keychain-db"

#: Says whether the administrator lets users' trust settings have a say (``DisableUserTrustSettings``).
PREFERENCES = "/Library/Preferences/com.apple.security.plist"

# SecTrustSettingsResult
_TRUST_ROOT, _TRUST_AS_ROOT, _DENY, _UNSPECIFIED = 1, 2, 3, 4
_ANY_KEY_USE = (-1, 0xFFFFFFFF)
# Policies, with their names: SSL has one object identifier for servers and for clients.
_SSL, _BASIC = "1.2.840.113635.100.1.3", "1.2.840.113635.100.1.2"
_SSL_PURPOSES = {None: SERVER_AUTH, "sslServer": SERVER_AUTH, "sslClient": CLIENT_AUTH}
# Everything that may stand beside a policy and a result without being a constraint. An "allowed error"
# is one that macOS passes over in a chain; OpenSSL does not.
_UNCONSTRAINED = {
    f"kSecTrustSettings{name}" for name in ("Policy", "PolicyName", "Result", "KeyUsage", "AllowedError", "ModifyDate")
}


_SHA1 = re.compile("[0-9A-Fa-f]{40}")


class Setting:
    """What a domain of trust settings says of one certificate.

    :ivar sha1: its SHA-1
    :ivar issuer: its issuer, as DER, empty where the settings do not say
    :ivar serial: its serial number, likewise, without zeros before it
    :ivar root: the purposes for which it is trusted if it is self-issued, as bits
    :ivar as_root: those for which it is trusted whoever issued it
    :ivar denied: those for which it is denied
    """

    __slots__ = ("as_root", "denied", "issuer", "root", "serial", "sha1")

    def __init__(self, sha1: bytes) -> None:
        self.sha1 = sha1
        self.issuer = self.serial = b""
        self.root = self.as_root = self.denied = 0

    def trusts(self, certificate: x509.Certificate) -> int:
        """The purposes for which *certificate*, which has this SHA-1, is trusted.

        SHA-1 alone no longer tells two certificates apart.
        """
        if self.issuer and names.folded(self.issuer) != names.folded(certificate.issuer):
            return 0
        if self.serial and self.serial != certificate.serial[2:].lstrip(b"\0"):
            return 0
        root = self.root if certificate.issuer == certificate.subject else 0
        return (root | self.as_root) & ~self.denied


def parse_settings(data: bytes) -> tuple[list[Setting], list[str]]:
    """Read the property list that ``security trust-settings-export`` writes.

    :returns: the settings, and a sentence for each that could not be understood
    :raises ValueError: for anything else
    """
    plist = _plist(data)
    if plist.get("trustVersion") != 1 or not isinstance(plist.get("trustList"), dict):
        raise ValueError("no trust settings of version 1")
    settings: list[Setting] = []
    problems = []
    for key, entry in plist["trustList"].items():
        try:
            setting = Setting(_sha1(key))
        except ValueError as error:
            problems.append(f"{error}; its settings were skipped")
            continue
        try:
            _understand(setting, entry)
        except ValueError as error:
            problems.append(f"{key} is denied, for what is said of it is not understood: {error}")
            setting.root = setting.as_root = 0
            setting.denied = ANY_PURPOSE
        settings.append(setting)
    return settings, problems


def _plist(data: bytes) -> dict[str, Any]:
    import plistlib

    if b"<!ENTITY" in data:
        raise ValueError("a property list declares no entities")
    try:
        plist = plistlib.loads(data)
    except Exception as error:  # of a dozen classes
        raise ValueError(f"not a property list: {error}") from None
    if not isinstance(plist, dict):
        raise ValueError("not a property list of a dictionary")
    return plist


def _sha1(key: object) -> bytes:
    # kSecTrustRecordDefaultRootCert, which stood for every root in Mac OS X 10.5, is none.
    if not isinstance(key, str) or not _SHA1.fullmatch(key):
        raise ValueError(f"{key!r} is not the SHA-1 of a certificate")
    return bytes.fromhex(key)


def _understand(setting: Setting, entry: object) -> None:
    if not isinstance(entry, dict):
        raise ValueError("they are no dictionary")
    setting.issuer = _bytes(entry, "issuerName")
    setting.serial = _bytes(entry, "serialNumber").lstrip(b"\0")
    if len(setting.serial) > 126:
        raise ValueError("the serial number is too long")
    # An array that is empty or not there: trusted, for everything, if it is a root.
    rules = entry.get("trustSettings") or [{}]
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise ValueError("trustSettings is no array of dictionaries")
    for rule in rules:
        result = _number(rule, "kSecTrustSettingsResult", _TRUST_ROOT)
        if result == _DENY:
            setting.denied |= _denied(rule)
        elif result == _TRUST_ROOT:
            setting.root |= _trusted(rule)
        elif result == _TRUST_AS_ROOT:
            setting.as_root |= _trusted(rule)
        elif result != _UNSPECIFIED:
            raise ValueError(f"{result} is not a result")


def _bytes(entry: dict[str, Any], key: str) -> bytes:
    value = entry.get(key, b"")
    if not isinstance(value, bytes):
        raise ValueError(f"{key} is no data")
    return value


def _number(rule: dict[str, Any], key: str, default: int) -> int:
    value = rule.get(key, default)
    if type(value) is not int:  # True is one, too
        raise ValueError(f"{key} is no number")
    return value


def _policy(rule: dict[str, Any]) -> tuple[str | None, str | None]:
    """The object identifier and the name of the policy that *rule* is for, None for any."""
    policy, name = rule.get("kSecTrustSettingsPolicy"), rule.get("kSecTrustSettingsPolicyName")
    if isinstance(policy, bytes):
        policy = x509.dotted(policy)
    if not isinstance(policy, (str, type(None))) or not isinstance(name, (str, type(None))):
        raise ValueError("the policy is no object identifier, or its name is no string")
    return policy, name


def _trusted(rule: dict[str, Any]) -> int:
    """The purposes of a rule that trusts, none where it is constrained to something else."""
    policy, name = _policy(rule)
    key_use = _number(rule, "kSecTrustSettingsKeyUsage", -1)
    if not rule.keys() <= _UNCONSTRAINED or key_use not in _ANY_KEY_USE:
        return 0
    if policy == _SSL:
        return _SSL_PURPOSES.get(name, 0)
    return ANY_PURPOSE if policy is None and name is None else 0


def _denied(rule: dict[str, Any]) -> int:
    """The purposes of a rule that denies, whatever it is constrained to besides a policy."""
    policy, name = _policy(rule)
    if name in ("sslServer", "sslClient"):
        return _SSL_PURPOSES[name]
    return ANY_PURPOSE if policy in (None, _SSL, _BASIC) else 0


def read(collector: Collector) -> None:
    """Read the keychains into *collector*."""
    location = collector.location("system", APPLES_ROOTS)
    collector.add(location, _certificates(collector, APPLES_ROOTS, location))
    settings = [setting for _, found in _settings(collector, report=False) for setting in found]
    for keychain in _others():
        location = collector.location("system", keychain)
        entries = _certificates(collector, keychain, location)
        for entry in entries:
            fingerprint = x509.digest("sha1", entry.der)
            entry.trusted = 0
            for setting in settings:
                if setting.sha1 == fingerprint:
                    entry.trusted |= setting.trusts(entry.certificate)
        collector.add(location, [entry for entry in entries if entry.trusted])


def read_disallowed(collector: Collector) -> None:
    """Distrust what the administrator and the user deny.

    A certificate of a keychain with its renewed copies, any other one by itself.
    """
    denied = [
        (name, setting) for name, found in _settings(collector, report=True) for setting in found if setting.denied
    ]
    if not denied:
        return
    known = {}
    for keychain in (APPLES_ROOTS, *_others()):
        known.update({x509.digest("sha1", entry.der): entry.der for entry in _certificates(collector, keychain, None)})
    for name, setting in denied:
        blocks = [BlocklistEntry(setting.denied, sha1=setting.sha1)]
        if setting.sha1 in known:
            blocks.append(BlocklistEntry(setting.denied, known[setting.sha1]))
        if setting.issuer and setting.serial:
            number = b"\0" + setting.serial if setting.serial[0] & 0x80 else setting.serial
            serial = bytes((x509.INTEGER, len(number))) + number
            blocks.append(BlocklistEntry(setting.denied, issuer=setting.issuer, serial=serial))
        for block in blocks:
            collector.blocklist.add(block, name)


def _others() -> list[str]:
    """The keychains whose certificates are trusted only where trust settings say so."""
    home = watch_macos.home()
    return [ADMINISTRATORS, os.path.join(home, LOGIN)] if home else [ADMINISTRATORS]


def _settings(collector: Collector, report: bool) -> list[tuple[str, list[Setting]]]:
    """The trust settings of each domain that has a say, with its name.

    :param report: whether problems are reader's to know
    """
    seen = _watch_settings(collector)
    problems: list[CerthookError] = collector.problems if report else []
    found = []
    for owner, options in watch_macos.DOMAINS.items():
        if not options and watch_macos.home() is None:
            continue
        name = f"macOS {owner} trust settings"
        try:
            data = _ask(collector, seen, "trust-settings-export", *options, watch_macos.OUTPUT)
            if watch_macos.are_settings_hidden():
                settings_input = watch_macos.TrustSettings(owner)
                collector.recorder.watch_input(settings_input, watch_macos.settings_signature(data), frequently=False)
            settings, faults = parse_settings(data) if data else ([], [])
        except (SourceError, ValueError) as error:
            message = error.message if isinstance(error, SourceError) else str(error)
            problems.append(SourceError(name, f"{message}; what they trust is not trusted, what they deny not known"))
            collector.blocklist.is_complete = False
            continue
        problems.extend(SourceError(name, fault) for fault in faults)
        if not options and not _users_have_a_say(problems):
            for setting in settings:
                setting.root = setting.as_root = 0
        found.append((name, settings))
    return found


def _watch_settings(collector: Collector) -> list[Signature]:
    """Have a change of trust settings seen, and return what their files look like."""
    paths = watch_macos.settings_files()
    for path in (PREFERENCES, *paths):
        collector.recorder.watch(path)
    return [signature(path) for path in paths]


def _users_have_a_say(problems: list[CerthookError]) -> bool:
    try:
        return not _plist(_files.read(PREFERENCES)).get("DisableUserTrustSettings")
    except SourceError as error:
        if isinstance(error.__cause__, (FileNotFoundError, NotADirectoryError)):
            return True
        problems.append(SourceError(PREFERENCES, f"{error.message}; the user's trust settings trust nothing"))
    except ValueError as error:
        problems.append(SourceError(PREFERENCES, f"{error}; the user's trust settings trust nothing"))
    return False


def _certificates(collector: Collector, keychain: str, location: Location | None) -> list[Entry]:
    """The certificates in *keychain*; what is wrong is reported where there is a *place*."""
    collector.recorder.watch(keychain)
    if not os.path.exists(keychain):
        if location is not None:
            location.note = "does not exist"
        return []
    seen = [signature(keychain)]
    try:
        entries, skipped = pem.parse(_ask(collector, seen, "find-certificate", "-a", "-p", keychain))
    except SourceError as error:
        entries, skipped = [], [error.message]
    if location is not None:
        collector.problems.extend(SourceError(keychain, message) for message in skipped)
        if skipped and not entries:
            location.note = skipped[0]
    return entries


def _ask(collector: Collector, seen: list[Signature], *arguments: str) -> bytes:
    try:
        return watch_macos.ask(seen, *arguments)
    except SourceError:
        collector.recorder.volatile = True  # Tried again.
        raise
