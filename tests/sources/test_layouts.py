"""The stores of Linux distributions at their real paths: contexts trust the system's roots and the bundle's.

Each test runs in its own mount namespace, with the files of a distribution, an OpenSSL of the
distribution or another one, and certifi's bundle. Trust is observed by handshakes.
"""

from __future__ import annotations

import os
from functools import partial

import namespace
import pytest
import support
from layouts import ALL, BLOCKLIST, COMPARED_LAYOUTS, DEBIAN, FEDORA_BUNDLE, LAYOUTS, STORE
from linux_machine import LAZY_AND_EAGER, Hashed, LinuxMachine, Pem, expected, verdicts_of, warnings_of


@pytest.mark.parametrize("name", LAYOUTS)
def test_contexts_trust_the_roots_of_the_system_and_of_the_bundle(linux, tmp_path, name: str) -> None:
    layout = LAYOUTS[name]
    done = linux.run(linux.installed, LAZY_AND_EAGER, layout.tree, tmp_path, **layout.variables)
    assert verdicts_of(done) == [expected(layout.trusted)] * 2
    line = linux.cas.pem("system").count(b"\n") + 1
    messages = warnings_of(done)
    assert len(messages) == len(layout.warnings), messages
    for message, part in zip(messages, layout.warnings):
        assert part.format(line=line) in message


@pytest.mark.parametrize("name", COMPARED_LAYOUTS)
def test_without_certhook_contexts_trust_the_roots_that_openssl_finds(linux, tmp_path, name: str) -> None:
    layout = LAYOUTS[name]
    done = linux.run(linux.plain, support.VERDICTS, layout.tree, tmp_path, over={}, **layout.variables)
    assert verdicts_of(done) == [expected(layout.bare)]


# Well-known locations.

WELL_KNOWN_FILES = (
    STORE,
    FEDORA_BUNDLE,
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/ssl/cert.pem",
    "/etc/pki/tls/cert.pem",
    "/etc/ssl/certs/ca-bundle.crt",
    "/usr/share/ssl/certs/ca-bundle.crt",
    "/opt/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/certs/cacert.pem",
    "/usr/local/share/curl/curl-ca-bundle.crt",
)
WELL_KNOWN_DIRECTORIES = (
    "/etc/ssl/certs",
    "/etc/pki/tls/certs",
    "/etc/ca-certificates/extracted/cadir",
    "/etc/security/certificates",
)


@pytest.mark.parametrize("path", WELL_KNOWN_FILES)
def test_each_well_known_file_is_found(linux, tmp_path, path: str) -> None:
    done = linux.run(linux.installed, LAZY_AND_EAGER, {path: Pem("system")}, tmp_path)
    assert (verdicts_of(done), warnings_of(done)) == ([expected(ALL)] * 2, [])


@pytest.mark.parametrize("path", WELL_KNOWN_DIRECTORIES)
def test_each_well_known_directory_is_found(linux, tmp_path, path: str) -> None:
    tree = {path: Hashed("system"), f"{path}/localhost.crt": Pem("stranger")}
    done = linux.run(linux.installed, LAZY_AND_EAGER, tree, tmp_path)
    assert (verdicts_of(done), warnings_of(done)) == ([expected(ALL)] * 2, [])


@pytest.mark.parametrize(
    "directory",
    [
        "/etc/ssl/untrusted",
        "/etc/ssl/blacklisted",
        "/usr/share/certs/untrusted",
        "/usr/local/etc/ssl/untrusted",
        "/usr/local/share/certs/untrusted",
    ],
)
def test_certificates_in_untrusted_directories_of_freebsd_are_not_trusted(linux, tmp_path, directory: str) -> None:
    """The layout of FreeBSD, on Linux with another sys.platform."""
    as_freebsd = f'import sys\nsys.platform = "freebsd14"\n{LAZY_AND_EAGER}'
    tree = {"/usr/local/share/certs/ca-root-nss.crt": Pem("system both")}
    done = linux.run(linux.installed, as_freebsd, tree, tmp_path)
    assert (verdicts_of(done), warnings_of(done)) == ([expected(ALL)] * 2, [])
    (tmp_path / "distrusting").mkdir()
    tree[f"{directory}/a.crt"] = Pem("bundled")
    done = linux.run(linux.installed, as_freebsd, tree, tmp_path / "distrusting")
    assert (verdicts_of(done), warnings_of(done)) == ([expected("system both")] * 2, [])


# Without certifi.


def without_certifi(linux: LinuxMachine) -> dict[str, None]:
    """Return the replacement of certifi by an empty directory, which is not a package."""
    return {str(linux.certifi): None}


def test_without_a_store_and_a_bundle_no_server_is_trusted_and_both_are_reported(linux, tmp_path) -> None:
    done = linux.run(linux.installed, LAZY_AND_EAGER, {}, tmp_path, over=without_certifi(linux))
    assert verdicts_of(done) == [expected("")] * 2
    bundle, no_root = sorted(warnings_of(done))
    assert bundle.startswith("certifi: is not installed; run 'pip install certifi'")
    assert no_root.startswith("no trusted root was found, so no server can be verified.")
    assert all(path in no_root for path in (linux.openssldir, STORE, "/etc/ssl/certs"))


def test_without_a_bundle_the_roots_of_the_system_are_trusted(linux, tmp_path) -> None:
    done = linux.run(linux.installed, LAZY_AND_EAGER, DEBIAN, tmp_path, over=without_certifi(linux))
    assert verdicts_of(done) == [expected("system both")] * 2
    (message,) = warnings_of(done)
    assert message.startswith("certifi: is not installed; ")


# Permissions.

UNREADABLE = {
    "the file": ({STORE: namespace.unreadable(b"?")}, STORE),
    "a file of the directory": (
        {"/etc/ssl/certs": Hashed("both"), "/etc/ssl/certs/{system}.0": namespace.unreadable(b"?")},
        "/etc/ssl/certs/",
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_unreadable_file_is_reported_and_skipped(linux, tmp_path, name: str) -> None:
    tree, path = UNREADABLE[name]
    done = linux.run(linux.installed, LAZY_AND_EAGER, tree, tmp_path, privileged=False)
    assert verdicts_of(done) == [expected("bundled both")] * 2
    (message,) = warnings_of(done)
    assert message.startswith(path)
    assert ": cannot be read: Permission denied. Run '" in message


# Four processes: two that respect permissions, one that ignores them, and one more that respects them.
PROCESSES = f"""
import subprocess, sys
code = {support.VERDICTS!r} + "print('certhook._sources' in __import__('sys').modules)"
without = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
for command in (without, without, [], without):
    command = [*command, sys.executable, "-W", "ignore", "-c", code]
    sys.stdout.write(subprocess.check_output(command, encoding="utf-8"))
"""


def test_a_block_list_is_applied_by_a_process_that_may_read_it_after_one_that_may_not(linux, tmp_path) -> None:
    """Both have the same directory. A process that may not read the block list excludes the bundle."""
    tree = {STORE: Pem("system both"), f"{BLOCKLIST}/a.pem": namespace.unreadable(linux.cas.pem("system"))}
    lines = linux.run(linux.installed, PROCESSES, tree, tmp_path).stdout.splitlines()
    assert [support.verdicts(line) for line in lines[::2]] == [
        expected("system both"),
        expected("system both"),
        expected("bundled both"),
        expected("system both"),
    ]
    assert lines[1::2] == ["True", "False", "True", "True"]


ANCHORS = os.path.join(os.path.dirname(BLOCKLIST), "anchors")
NO_ANCHORS = {
    "an unreadable file": namespace.unreadable(b""),
    "a pipe": os.mkfifo,
    "a link to itself": namespace.Link("a.pem"),
    "a device": namespace.Link("/dev/zero"),
}


@pytest.mark.parametrize("name", NO_ANCHORS)
def test_an_anchor_that_is_unreadable_or_no_file_does_not_exclude_the_bundle(linux, tmp_path, name: str) -> None:
    """Python without certhook verifies the servers of the bundle."""
    tree = {STORE: Pem("system both"), f"{ANCHORS}/a.pem": NO_ANCHORS[name]}
    code = f"""
import os, subprocess, sys
for disabled in "1", "0":
    os.environ["CERTHOOK_DISABLED"] = disabled
    subprocess.run([sys.executable, "-c", {support.VERDICTS!r}], check=True)
"""
    variables = {"SSL_CERT_FILE": str(linux.certifi / "cacert.pem")}
    done = linux.run(linux.installed, code, tree, tmp_path, privileged=False, **variables)
    assert verdicts_of(done) == [expected("bundled both"), expected("system bundled both")]
    assert warnings_of(done) == []


def test_an_anchor_is_read_by_a_process_that_may_read_it_after_one_that_may_not(linux, tmp_path) -> None:
    """Both have the same cache."""
    marked = b"[p11-kit-object-v1]\nx-distrusted: true\n" + linux.cas.pem("bundled")
    tree = {STORE: Pem("system both"), f"{ANCHORS}/a.pem": namespace.unreadable(marked)}
    lines = linux.run(linux.installed, PROCESSES, tree, tmp_path).stdout.splitlines()
    assert [support.verdicts(line) for line in lines[::2]] == [
        expected("system bundled both"),
        expected("system bundled both"),
        expected("system both"),
        expected("system bundled both"),
    ]
    assert lines[1::2] == ["True", "False", "True", "True"]


def test_an_inaccessible_directory_of_block_lists_is_reported_once(linux, tmp_path) -> None:
    directory = os.path.dirname(BLOCKLIST)
    tree = {STORE: Pem("system both"), f"{BLOCKLIST}/a.pem": Pem("system"), directory: namespace.inaccessible}
    done = linux.run(linux.installed, support.VERDICTS, tree, tmp_path, privileged=False)
    assert verdicts_of(done) == [expected("system both")]
    assert [message.partition(":")[0] for message in warnings_of(done)] == [directory, "bundled"]


def test_block_lists_that_only_the_effective_user_may_read_count(linux, tmp_path) -> None:
    directory = os.path.dirname(BLOCKLIST)
    private = partial(os.chmod, mode=0o700)
    tree = {STORE: Pem("system both"), f"{BLOCKLIST}/a.pem": Pem("bundled"), directory: private}
    code = f"import os; os.setresuid(65534, 0, 0)\n{support.VERDICTS}"
    done = linux.run(linux.installed, code, tree, tmp_path)
    assert verdicts_of(done) == [expected("system both")]
    assert warnings_of(done) == []


# The namespace itself.


def test_a_namespace_does_not_change_files_outside(linux, tmp_path) -> None:
    code = """
import os
for path in "/etc", "/usr", "/var", os.environ["DIRECTORY"]:
    try:
        open(path + "/certhook-tests", "w").close()
        print(path)
    except OSError as error:
        print(error.strerror)
"""
    tree = {"/etc/pki/tls/cert.pem": b"", "/usr/share/ssl/certs": os.mkdir, "/var/lib/x": b""}
    done = linux.run(linux.installed, code, tree, tmp_path, DIRECTORY=str(tmp_path))
    assert done.stdout.split("\n")[:4] == ["/etc", "/usr", "/var", "Read-only file system"]
    assert not any(os.path.exists(f"{path}/certhook-tests") for path in ("/etc", "/usr", "/var", tmp_path))
    assert not os.path.exists("/var/lib/x")
