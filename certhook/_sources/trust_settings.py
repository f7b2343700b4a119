"""Parsing the trust settings of macOS.

Trust settings are interpreted as in the Security framework (``evaluateCert`` in its
TrustSettings.cpp, the keys in TrustSettingsSchema.h). certhook cannot represent everything, and
is strict where it cannot: trust for one host or one application is ignored, a denial for one
applies to all, a denial overrides any trust, and a certificate with settings that are not
understood is denied.
"""

from __future__ import annotations

import re

from certhook._certificates import names, x509
from certhook._config import ANY_PURPOSE, CLIENT_AUTH, SERVER_AUTH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# SecTrustSettingsResult
_TRUST_ROOT, _TRUST_AS_ROOT, _DENY, _UNSPECIFIED = 1, 2, 3, 4
_ANY_KEY_USE = (-1, 0xFFFFFFFF)
# Policies. The policy of TLS has one object identifier, and two names: for servers and for clients.
_SSL, _BASIC = "1.2.840.113635.100.1.3", "1.2.840.113635.100.1.2"
_SSL_PURPOSES = {None: SERVER_AUTH, "sslServer": SERVER_AUTH, "sslClient": CLIENT_AUTH}
#: The keys of a rule that do not constrain its trust further. An "allowed error" is an error in
#: a chain that macOS ignores; OpenSSL does not.
UNCONSTRAINED_KEYS = frozenset(
    f"kSecTrustSettings{name}" for name in ("Policy", "PolicyName", "Result", "KeyUsage", "AllowedError", "ModifyDate")
)
_MAX_SERIAL = 126

_SHA1 = re.compile("[0-9A-Fa-f]{40}")


class TrustRecord:
    """The trust settings of one certificate in one domain.

    :ivar sha1: the SHA-1 of the certificate
    :ivar issuer: the name of its issuer as DER, empty if the settings do not contain it
    :ivar serial: its serial number without leading zeros, empty if the settings do not contain it
    :ivar trusted_roots: the purposes that it is trusted for if it is self-issued, as bits
    :ivar trusted: the purposes that it is trusted for in any case
    :ivar denied: the purposes that it is denied for
    """

    __slots__ = ("denied", "issuer", "serial", "sha1", "trusted", "trusted_roots")

    def __init__(self, sha1: bytes) -> None:
        self.sha1 = sha1
        self.issuer = self.serial = b""
        self.trusted_roots = self.trusted = self.denied = 0

    def trusted_purposes(self, certificate: x509.Certificate) -> int:
        """Return the purposes for which *certificate*, which has this SHA-1, is trusted.

        The issuer and the serial number are compared as well, because SHA-1 is not
        collision-resistant.
        """
        if self.issuer and names.folded(self.issuer) != names.folded(certificate.issuer):
            return 0
        if self.serial and self.serial != certificate.serial[2:].lstrip(b"\0"):
            return 0
        is_self_issued = certificate.issuer == certificate.subject
        return (self.trusted | (self.trusted_roots if is_self_issued else 0)) & ~self.denied

    def revoke_trust(self) -> None:
        """Keep only the denials."""
        self.trusted_roots = self.trusted = 0


def parse(data: bytes) -> tuple[list[TrustRecord], list[str]]:
    """Parse the property list that ``security trust-settings-export`` writes.

    :returns: the records, and a problem for each record that is not understood
    :raises ValueError: if *data* is not such a property list
    """
    plist = parse_property_list(data)
    if plist.get("trustVersion") != 1 or not isinstance(plist.get("trustList"), dict):
        raise ValueError("not trust settings of version 1")
    records: list[TrustRecord] = []
    problems = []
    for key, entry in plist["trustList"].items():
        try:
            record = TrustRecord(_sha1(key))
        except ValueError as error:
            problems.append(f"{error}; its settings were skipped")
            continue
        try:
            _apply(record, entry)
        except ValueError as error:
            problems.append(f"{key} is denied because its settings are not understood: {error}")
            record.revoke_trust()
            record.denied = ANY_PURPOSE
        records.append(record)
    return records, problems


def parse_property_list(data: bytes) -> dict[str, Any]:
    """Parse a property list that contains a dictionary.

    :raises ValueError: if *data* is anything else
    """
    import plistlib

    if b"<!ENTITY" in data:
        raise ValueError("a property list with entity declarations")
    try:
        plist = plistlib.loads(data)
    except Exception as error:  # of many classes
        raise ValueError(f"not a property list: {error}") from None
    if not isinstance(plist, dict):
        raise ValueError("a property list without a dictionary")
    return plist


def _sha1(key: object) -> bytes:
    # Mac OS X 10.5 used the key kSecTrustRecordDefaultRootCert for all roots.
    if not isinstance(key, str) or not _SHA1.fullmatch(key):
        raise ValueError(f"{key!r} is not the SHA-1 of a certificate")
    return bytes.fromhex(key)


def _apply(record: TrustRecord, entry: object) -> None:
    """Set the attributes of *record* from *entry*, its part of the property list."""
    if not isinstance(entry, dict):
        raise ValueError("they are not a dictionary")
    record.issuer = _bytes(entry, "issuerName")
    record.serial = _bytes(entry, "serialNumber").lstrip(b"\0")
    if len(record.serial) > _MAX_SERIAL:
        raise ValueError("the serial number is too long")
    # A missing or empty array trusts a root for every purpose.
    rules = entry.get("trustSettings") or [{}]
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise ValueError("trustSettings is not an array of dictionaries")
    for rule in rules:
        result = _number(rule, "kSecTrustSettingsResult", _TRUST_ROOT)
        if result == _DENY:
            record.denied |= _denied(rule)
        elif result == _TRUST_ROOT:
            record.trusted_roots |= _trusted(rule)
        elif result == _TRUST_AS_ROOT:
            record.trusted |= _trusted(rule)
        elif result != _UNSPECIFIED:
            raise ValueError(f"unknown result {result}")


def _bytes(entry: dict[str, Any], key: str) -> bytes:
    value = entry.get(key, b"")
    if not isinstance(value, bytes):
        raise ValueError(f"{key} is not binary data")
    return value


def _number(rule: dict[str, Any], key: str, default: int) -> int:
    value = rule.get(key, default)
    if type(value) is not int:  # isinstance() accepts True.
        raise ValueError(f"{key} is not a number")
    return value


def _policy(rule: dict[str, Any]) -> tuple[str | None, str | None]:
    """Return the object identifier and the name of the policy of *rule*; None if any policy matches."""
    policy, name = rule.get("kSecTrustSettingsPolicy"), rule.get("kSecTrustSettingsPolicyName")
    if isinstance(policy, bytes):
        policy = x509.dotted(policy)
    if not isinstance(policy, (str, type(None))) or not isinstance(name, (str, type(None))):
        raise ValueError("the policy is not an object identifier, or its name is not a string")
    return policy, name


def _trusted(rule: dict[str, Any]) -> int:
    """Return the purposes of a rule that trusts; none if it has another constraint."""
    policy, name = _policy(rule)
    key_use = _number(rule, "kSecTrustSettingsKeyUsage", -1)
    if not rule.keys() <= UNCONSTRAINED_KEYS or key_use not in _ANY_KEY_USE:
        return 0
    if policy == _SSL:
        return _SSL_PURPOSES.get(name, 0)
    return ANY_PURPOSE if policy is None and name is None else 0


def _denied(rule: dict[str, Any]) -> int:
    """Return the purposes of a rule that denies. Constraints other than its policy are ignored."""
    policy, name = _policy(rule)
    if name in ("sslServer", "sslClient"):
        return _SSL_PURPOSES[name]
    return ANY_PURPOSE if policy in (None, _SSL, _BASIC) else 0
