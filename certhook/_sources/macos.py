"""The keychains of macOS: the roots of Apple, of the administrator and of the user.

====================================  =======================================================
SystemRootCertificates.keychain       Apple's roots, trusted unless they are denied
System.keychain, the login keychain   trusted if trust settings trust them
trust settings of the administrator   the certificates that are trusted as roots or denied,
and of the user                       each for certain policies
====================================  =======================================================

All are read with security(1). A process that finds a compiled store does not need to run it.
:mod:`certhook._sources.trust_settings` interprets trust settings.
"""

from __future__ import annotations

import os

from certhook import _files
from certhook._certificates import pem, x509
from certhook._sources import trust_settings
from certhook._sources.blocklist import BlocklistEntry
from certhook._watch import macos as watch_macos
from certhook._watch import path_signature as signature
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator

    from certhook._certificates.anchor import Entry
    from certhook._sources.collector import Collector
    from certhook._sources.trust_set import Location
    from certhook._sources.trust_settings import TrustRecord
    from certhook._types import Signature
    from certhook.exceptions import CerthookError

APPLES_ROOTS = "/System/Library/Keychains/SystemRootCertificates.keychain"
ADMINISTRATORS = "/Library/Keychains/System.keychain"
LOGIN = "Library/Keychains/login.keychain-db"

#: The preferences in which the administrator can disable users' trust settings (``DisableUserTrustSettings``).
PREFERENCES = "/Library/Preferences/com.apple.security.plist"


def read(collector: Collector) -> None:
    """Read the keychains into *collector*."""
    location = collector.add_location("system", APPLES_ROOTS)
    collector.add(location, _certificates(collector, APPLES_ROOTS, location))
    # read_distrusted() reports the problems of trust settings.
    records = [record for _, found in _trust_records(collector, problems=[]) for record in found]
    for keychain in _other_keychains():
        location = collector.add_location("system", keychain)
        entries = _certificates(collector, keychain, location)
        for entry in entries:
            fingerprint = x509.digest("sha1", entry.der)
            entry.trusted = 0
            for record in records:
                if record.sha1 == fingerprint:
                    entry.trusted |= record.trusted_purposes(entry.certificate)
        collector.add(location, [entry for entry in entries if entry.trusted])


def read_distrusted(collector: Collector) -> None:
    """Distrust the certificates that the administrator or the user denies.

    If a keychain contains the certificate, its renewed copies are distrusted as well.
    """
    denied = [
        (domain, record)
        for domain, records in _trust_records(collector, collector.problems)
        for record in records
        if record.denied
    ]
    if not denied:
        return
    known = {}
    for keychain in (APPLES_ROOTS, *_other_keychains()):
        for entry in _certificates(collector, keychain, None):
            known[x509.digest("sha1", entry.der)] = entry.certificate
    for domain, record in denied:
        for blocklist_entry in _blocklist_entries(record, known.get(record.sha1)):
            collector.blocklist.add(blocklist_entry, domain)


def _blocklist_entries(record: TrustRecord, certificate: x509.Certificate | None) -> Iterator[BlocklistEntry]:
    yield BlocklistEntry(record.denied, sha1=record.sha1)
    if certificate is not None:
        yield BlocklistEntry(record.denied, certificate)
    if record.issuer and record.serial:
        number = b"\0" + record.serial if record.serial[0] & 0x80 else record.serial
        serial = bytes((x509.INTEGER, len(number))) + number
        yield BlocklistEntry(record.denied, issuer=record.issuer, serial=serial)


def _other_keychains() -> list[str]:
    """Return the keychains whose certificates are trusted only if trust settings trust them."""
    home = watch_macos.home()
    return [ADMINISTRATORS, os.path.join(home, LOGIN)] if home else [ADMINISTRATORS]


def _trust_records(collector: Collector, problems: list[CerthookError]) -> list[tuple[str, list[TrustRecord]]]:
    """Return the name and the trust settings of each domain that applies to this process.

    :param problems: the list to which problems are appended
    """
    seen = _watch_settings(collector)
    found = []
    for owner, options in watch_macos.DOMAINS.items():
        is_users = not options
        if is_users and watch_macos.home() is None:
            continue
        name = f"macOS {owner} trust settings"
        try:
            data = _run(collector, seen, "trust-settings-export", *options, watch_macos.OUTPUT)
            if watch_macos.are_settings_hidden():
                settings_input = watch_macos.TrustSettings(owner)
                collector.recorder.watch_input(settings_input, watch_macos.settings_signature(data), frequently=False)
            records, faults = trust_settings.parse(data) if data else ([], [])
        except (SourceError, ValueError) as error:
            message = error.message if isinstance(error, SourceError) else str(error)
            problems.append(
                SourceError(name, f"{message}. They add no trust; the certificates that they deny are unknown")
            )
            collector.blocklist.is_complete = False
            continue
        problems.extend(SourceError(name, fault) for fault in faults)
        if is_users and not _are_user_settings_enabled(problems):
            for record in records:
                record.revoke_trust()
        found.append((name, records))
    return found


def _watch_settings(collector: Collector) -> list[Signature]:
    """Record the files of trust settings as inputs, and return their signatures."""
    paths = watch_macos.settings_files()
    for path in (PREFERENCES, *paths):
        collector.recorder.watch(path)
    return [signature(path) for path in paths]


def _are_user_settings_enabled(problems: list[CerthookError]) -> bool:
    try:
        return not trust_settings.parse_property_list(_files.read(PREFERENCES)).get("DisableUserTrustSettings")
    except SourceError as error:
        if isinstance(error.__cause__, (FileNotFoundError, NotADirectoryError)):
            return True
        message = error.message
    except ValueError as error:
        message = str(error)
    problems.append(SourceError(PREFERENCES, f"{message}. The user's trust settings add no trust"))
    return False


def _certificates(collector: Collector, keychain: str, location: Location | None) -> list[Entry]:
    """Return the certificates in *keychain*.

    :param location: the location to which problems belong, None to ignore them
    """
    collector.recorder.watch(keychain)
    if not os.path.exists(keychain):
        if location is not None:
            location.note = "does not exist"
        return []
    seen = [signature(keychain)]
    try:
        output = _run(collector, seen, "find-certificate", "-a", "-p", keychain)
        entries, skipped = pem.parse(output, known=collector.certificates)
    except SourceError as error:
        entries, skipped = [], [error.message]
    if location is not None:
        collector.problems.extend(SourceError(keychain, message) for message in skipped)
        if skipped and not entries:
            location.note = skipped[0]
    return entries


def _run(collector: Collector, seen: list[Signature], *arguments: str) -> bytes:
    try:
        return watch_macos.run_cached(seen, *arguments)
    except SourceError:
        collector.recorder.must_be_retried()  # The next context tries again.
        raise
