"""Contexts follow changes of default trust that happen after their creation.

A context finds authorities that are added later, and rejects those that are distrusted later. If its store is
missing, damaged or outdated, the first failed verification repairs it, and the next one succeeds.
"""

from __future__ import annotations

import json
import os
import shutil

import der
import pki
import pytest
import support
from linux_machine import OPENSSL, Hashed, LinuxMachine, Pem
from store_host import LINK, Host, copy_certifi
from store_machine import DEFAULT
from store_program import CLIENTS, exchange, fill_with_zeros, flip_high_bit, replace_by_directory, truncate

pytestmark = pytest.mark.skipif(os.name == "nt", reason="contexts do not follow updates on Windows")


def add_to_file(host: Host) -> None:
    host.write_file(host.cas.pem("system", "extra"))


def add_to_directory(host: Host) -> None:
    host.hashed("extra").symlink_to(host.roots / "extra.pem")


additions = pytest.mark.parametrize("add", [add_to_file, add_to_directory])


def distrust_in_file(host: Host) -> str:
    host.write_file(b"none\n")
    return "system"


def distrust_in_directory(host: Host) -> str:
    host.hashed("both").unlink()
    return "both"


distrusts = pytest.mark.parametrize("distrust", [distrust_in_file, distrust_in_directory])

# Updates of the system's store.


@pytest.mark.parametrize(
    ("add", "client"), [*((add_to_file, client) for client in CLIENTS), (add_to_directory, "wrap_socket")]
)
def test_a_failed_verification_finds_an_authority_that_was_added_later(host, add, client) -> None:
    with host.program() as program:
        program("make()")
        add(host)
        assert program(f"attempts(0, 'extra', {client!r})") == [False, True]
        assert set(program("trusted(contexts[0])")) == {*DEFAULT, "extra"}
        assert program("roots(0)") == 4
        assert program.errors == ""


@additions
def test_a_context_finds_an_added_authority_at_once_if_the_process_created_another_context(host, add) -> None:
    with host.program() as program:
        program("make()")
        add(host)
        program("__import__('time').sleep(0.15)")
        program("make()")
        assert program("attempt(0, 'extra')") is True


@additions
def test_a_context_finds_an_added_authority_at_once_if_another_process_noticed_the_change(host, add) -> None:
    with host.program() as program:
        program("make()")
        add(host)
        assert host.trusted() == {*DEFAULT, "extra"}
        assert program("attempt(0, 'extra')") is True


def test_an_authority_that_a_context_could_not_verify_before_is_found_after_it_was_added(host) -> None:
    with host.program() as program:
        program("make()")
        assert program("attempts(0, 'extra')") == [False, False]
        assert set(program("trusted(contexts[0])")) == DEFAULT
        add_to_file(host)
        assert program("attempts(0, 'extra')") == [False, True]


def test_a_renewed_root_is_found_unless_openssl_has_loaded_the_expired_one_with_its_name(host) -> None:
    """OpenSSL does not search the directory for a name that it has loaded, so a stock context finds it neither."""
    expired = der.pem(pki.expired_namesake(host.cas.system, 2))
    host.write_file(expired)
    with host.program() as program:
        program("[make(), make()]")
        assert program("attempt(0, 'stranger')") is False
        host.file.write_bytes(expired + host.cas.pem("system"))
        assert program("attempt(0, 'stranger')") is False
        assert program("attempt(0, 'system')") is True
        host.file.write_bytes(host.cas.pem("system"))
        assert program("attempt(0, 'stranger')") is False
        assert program("attempt(1, 'system')") is True


@distrusts
def test_a_context_rejects_an_authority_that_was_distrusted_later_after_another_context_was_created(
    host, distrust
) -> None:
    with host.program() as program:
        program("[make() for _ in range(5)]")
        name = distrust(host)
        program("__import__('time').sleep(0.15)")
        program("make()")
        for number, client in enumerate(CLIENTS):
            assert program(f"attempts({number}, {name!r}, {client!r})") == [False, False]
            assert set(program(f"trusted(contexts[{number}])")) == DEFAULT - {name}


@distrusts
def test_a_context_rejects_an_authority_if_another_process_noticed_that_it_was_distrusted(host, distrust) -> None:
    with host.program() as program:
        program("make()")
        name = distrust(host)
        assert host.trusted() == DEFAULT - {name}
        assert program(f"attempts(0, {name!r})") == [False, False]


def test_contexts_from_before_an_update_of_certifi_follow_a_later_distrust(host, tmp_path) -> None:
    path = copy_certifi(tmp_path / "environment", host.cas.pem("bundled"))
    with host.program(CERTHOOK_BUNDLE=None, PYTHONPATH=path) as program:
        program("[make(), make()]")
        for names in (("bundled", "extra"), ("bundled", "extra", "stranger")):
            (tmp_path / "environment/certifi/cacert.pem").write_bytes(host.cas.pem(*names))
            program("__import__('time').sleep(0.15)")
            program("make()")
            assert program("attempt(0, 'extra')") is True
        distrust_in_directory(host)
        program("__import__('time').sleep(0.15)")
        program("make()")
        assert program("attempts(1, 'both')") == [False, False]
        assert program("attempt(1, 'system')") is True


def test_a_failed_verification_of_another_server_applies_a_distrust(host) -> None:
    with host.program() as program:
        program("make()")
        distrust_in_directory(host)
        assert program("attempt(0, 'stranger')") is False
        assert program("attempts(0, 'both')") == [False, False]


def test_an_authority_that_openssl_has_loaded_remains_trusted_by_the_context_but_not_by_a_new_one(host) -> None:
    """A stock context with a hashed directory behaves in the same way."""
    with host.program() as program:
        program("make()")
        assert program("attempt(0, 'both')") is True
        distrust_in_directory(host)
        program("__import__('time').sleep(0.15)")
        program("make()")
        assert program("attempt(1, 'both')") is False
        assert program("attempt(0, 'both')") is True


def test_a_failed_verification_without_a_change_rebuilds_nothing(host) -> None:
    with host.program() as program:
        program("make()")
        before = host.current_store.stat(), host.only_index.stat()
        assert program("attempts(0, 'stranger')") == [False, False]
        after = host.current_store.stat(), host.only_index.stat()
        assert [(one.st_ino, one.st_ctime_ns) for one in after[:1]] == [
            (one.st_ino, one.st_ctime_ns) for one in before[:1]
        ]
        assert after[1].st_ino == before[1].st_ino
        assert program.errors == ""


# Deleted and damaged stores.


def delete_directory(host: Host) -> None:
    shutil.rmtree(host.location)


def delete_parent(host: Host) -> None:
    shutil.rmtree(host.location.parent)


def delete_store(host: Host) -> None:
    shutil.rmtree(host.current_store)


def delete_link(host: Host) -> None:
    host.link.unlink()


def empty_directory(host: Host) -> None:
    for path in host.location.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


deletions = pytest.mark.parametrize(
    "delete", [delete_directory, delete_parent, delete_store, delete_link, empty_directory]
)


@deletions
def test_a_failed_verification_restores_deleted_files_at_the_same_path(host, delete) -> None:
    host.location = host.location.parent / "data" / "stores"
    with host.program(CERTHOOK_STORE_DIR=str(host.location)) as program:
        for number, client in enumerate(CLIENTS):
            program("make()")
            link = host.link
            delete(host)
            assert program(f"attempts({number}, 'system', {client!r})") == [False, True]
            assert set(program(f"trusted(contexts[{number}])")) == DEFAULT
            assert program("found()")[1]
            assert host.link == link
        assert program.errors == ""


def test_a_context_that_survived_one_deletion_survives_the_next(host) -> None:
    """OpenSSL keeps a root that it has loaded, so the second deletion concerns another root."""
    with host.program() as program:
        program("make()")
        for name in ("system", "both", "bundled"):
            delete_directory(host)
            assert program(f"attempts(0, {name!r})") == [False, True]


def _file_of_system(host: Host):
    return host.hashed("system", host.current_store)


@pytest.mark.parametrize("damage", [fill_with_zeros, truncate, exchange, replace_by_directory, flip_high_bit])
def test_a_failed_verification_repairs_a_damaged_file(host, damage) -> None:
    with host.program() as program:
        for number, client in enumerate(CLIENTS):
            program("make()")
            file = _file_of_system(host)
            before = file.read_bytes()
            damage(file)
            assert program(f"attempts({number}, 'system', {client!r})") == [False, True]
            assert file.read_bytes() == before
            assert set(program(f"trusted(contexts[{number}])")) == DEFAULT
            # OpenSSL keeps a foreign certificate that it has read.
            assert program(f"roots({number})") == (4 if damage is exchange else 3)


def test_a_failed_verification_repairs_two_files_that_were_exchanged(host) -> None:
    with host.program() as program:
        program("make()")
        one, other = _file_of_system(host), host.hashed("both", host.current_store)
        contents = one.read_bytes(), other.read_bytes()
        one.write_bytes(contents[1])
        other.write_bytes(contents[0])
        assert program("attempts(0, 'system')") == [False, True]
        assert program("attempt(0, 'both')") is True
        assert (one.read_bytes(), other.read_bytes()) == contents


def test_the_repair_preserves_the_roots_that_the_caller_added(host) -> None:
    with host.program() as program:
        program("make()")
        program(f"contexts[0].load_verify_locations({str(host.roots / 'extra.pem')!r})")
        fill_with_zeros(_file_of_system(host))
        program("attempt(0, 'system')")
        assert program("attempt(0, 'system')") is True
        assert set(program("trusted(contexts[0])")) == {*DEFAULT, "extra"}


def test_a_context_whose_caller_removed_default_trust_is_not_changed(host) -> None:
    """A context with only the caller's roots never gets others after a failed verification."""
    with host.program() as program:
        program("make()")
        program("contexts.append(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))")
        program(f"contexts[1].load_verify_locations({str(host.roots / 'extra.pem')!r})")
        delete_directory(host)
        assert program("attempts(1, 'system')") == [False, False]
        assert program("trusted(contexts[1])") == ["extra"]


# Several processes.


def test_the_contexts_of_two_processes_share_the_link(host) -> None:
    with host.program() as one, host.program() as two:
        for program in (one, two):
            program("make()")
        assert len(host.named(LINK)) == 1
        paths = [program("ssl.get_default_verify_paths().capath") for program in (one, two)]
        assert paths[0] == paths[1]


@pytest.mark.parametrize("delete", [delete_directory, delete_store, delete_link])
def test_a_repair_by_one_process_repairs_the_contexts_of_another(host, delete) -> None:
    with host.program() as one, host.program() as two:
        for program in (one, two):
            program("make()")
        delete(host)
        assert one("attempts(0, 'system')") == [False, True]
        assert two("attempt(0, 'system')") is True


def test_a_repair_of_a_damaged_file_by_one_process_repairs_the_contexts_of_another(host) -> None:
    with host.program() as one, host.program() as two:
        for program in (one, two):
            program("make()")
        exchange(_file_of_system(host))
        assert two("attempts(0, 'system')") == [False, True]
        assert one("attempt(0, 'system')") is True


def test_two_processes_that_both_failed_are_both_repaired(host) -> None:
    """OpenSSL of the second one has read a foreign certificate from the damaged file."""
    with host.program() as one, host.program() as two:
        for program in (one, two):
            program("make()")
        exchange(_file_of_system(host))
        # Without the repair, so that only OpenSSL notices the file.
        two("globals().update(trust=__import__('certhook._trust')._trust)")
        two("globals().update(real=trust.recheck)")
        two("vars(trust).update(recheck=lambda *arguments: None)")
        assert two("attempt(0, 'system')") is False
        two("vars(trust).update(recheck=real)")
        assert one("attempts(0, 'system')") == [False, True]
        assert two("attempt(0, 'system')") is True


def test_a_forked_child_repairs_the_contexts_of_its_parent(host) -> None:
    with host.program() as program:
        program("make()")
        delete_directory(host)
        assert program("child('attempts(0, \"system\")')") == [False, True]
        assert program("attempt(0, 'system')") is True


def test_status_reports_the_rebuild(host) -> None:
    with host.program() as program:
        program("make()")
        before = program("child('certhook(\"status\")')")[1]
        delete_directory(host)
        program("attempts(0, 'system')")
        after = program("child('certhook(\"status\")')")[1]
    assert "failed verification" not in before
    assert support.shows(after, "failed verification")


def test_sixteen_threads_with_failed_verifications_repair_the_store_together(host) -> None:
    with host.program() as program:
        program("make()")
        delete_directory(host)
        pool = "__import__('concurrent.futures').futures.ThreadPoolExecutor(16)"
        program(f"[True for _ in {pool}.map(lambda _: attempt(0, 'system'), range(16))]")
        assert set(program("trusted(contexts[0])")) == DEFAULT


# The layout of Debian at its real paths, and stock Python in the same situation.

#: Prints the verdicts of one context before and after a change, and those of a new context.
SCENARIO = f"""
import os, shutil, ssl, subprocess, sys, time, json
sys.path.append({os.path.dirname(__file__)!r})
import store_program as program
program.make()
result = {{}}
def note(step, names):
    result[step] = [[name, *program.attempts(0, name)] for name in names]
CHANGE
time.sleep(0.15)
result["new"] = program.trusted()
note("later", os.environ["NAMES"].split())
print(json.dumps(result))
"""

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"

ADD_TO_FILE = f"""
with open({BUNDLE!r}, "ab") as file, open("/usr/local/share/new.pem", "rb") as new:
    file.write(new.read())
"""
#: As update-ca-certificates does it.
ADD_TO_BOTH = f"""
shutil.copyfile({BUNDLE!r}, "/etc/ssl/certs/new.tmp")
with open("/etc/ssl/certs/new.tmp", "ab") as file, open("/usr/local/share/new.pem", "rb") as new:
    file.write(new.read())
os.replace("/etc/ssl/certs/new.tmp", {BUNDLE!r})
os.symlink("/usr/local/share/new.pem", "/etc/ssl/certs/" + os.environ["HASH"] + ".0")
"""
REMOVE = f"""
shutil.copyfile("/usr/local/share/without.pem", {BUNDLE!r})
os.unlink("/etc/ssl/certs/" + os.environ["HASH_BOTH"] + ".0")
"""
DISTRUST = """
with open("/etc/ca-certificates.conf", "w") as file:
    file.write("!mozilla/both.crt\\n")
"""


@pytest.fixture
def linux(installed, plain, tmp_path, cas, servers) -> LinuxMachine:
    return LinuxMachine(cas, servers, installed, plain, tmp_path)


def run_scenario(linux: LinuxMachine, directory, change: str, stock: bool, *names: str, prefix: str = "") -> dict:
    tree = {
        f"{OPENSSL}/none": b"",
        "/etc/ssl/certs": Hashed("system both"),
        BUNDLE: Pem("system both"),
        "/etc/ca-certificates.conf": b"mozilla/both.crt\n",
        "/usr/share/ca-certificates/mozilla/both.crt": Pem("both"),
        "/usr/local/share/new.pem": Pem("extra"),
        "/usr/local/share/without.pem": Pem("system"),
    }
    (directory / f"run{stock}").mkdir()
    done = linux.run(
        linux.plain if stock else linux.installed,
        SCENARIO.replace("CHANGE", prefix + change),
        {path: entry for path, entry in tree.items() if not path.startswith(OPENSSL)},
        directory / f"run{stock}",
        {} if stock else None,
        NAMES=" ".join(names),
        HASH=linux.hashes["extra"],
        HASH_BOTH=linux.hashes["both"],
        **({"SSL_CERT_FILE": BUNDLE, "SSL_CERT_DIR": "/etc/ssl/certs"} if stock else {}),
    )
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.mark.parametrize("change", [ADD_TO_FILE, ADD_TO_BOTH], ids=["file", "file and directory"])
def test_an_update_of_the_system_store_is_visible_to_a_context_no_later_than_on_stock_python(
    linux, root, tmp_path, change
) -> None:
    hooked = run_scenario(linux, tmp_path, change, False, "extra", "system", "both")
    stock = run_scenario(linux, tmp_path, change, True, "extra", "system", "both")
    assert set(hooked["new"]) == {"extra", "system", "both", "bundled"}
    assert hooked["later"] == [[name, True, True] for name in ("extra", "system", "both")]
    assert {name for name, *results in stock["later"] if results[-1]} <= {"extra", "system", "both"}
    assert set(stock["new"]) <= set(hooked["new"])


def test_without_another_context_the_second_attempt_finds_the_added_authority(linux, root, tmp_path) -> None:
    note = 'note("early", ["extra"])\n'
    hooked = run_scenario(linux, tmp_path, ADD_TO_BOTH + note, False, "extra")
    stock = run_scenario(linux, tmp_path, ADD_TO_BOTH + note, True, "extra")
    assert stock["early"] == [["extra", True, True]]  # A hashed directory needs no repair.
    assert hooked["early"][0][2] is True


@pytest.mark.parametrize("change", [REMOVE, DISTRUST], ids=["removed", "deselected"])
def test_a_context_rejects_an_authority_that_the_administrator_distrusts_later(linux, root, tmp_path, change) -> None:
    if change is REMOVE:  # Otherwise, certifi's bundle contains it.
        linux.bundle = linux.bundle.replace(linux.cas.pem("both"), b"")
    hooked = run_scenario(linux, tmp_path, change, False, "both", "system")
    assert "both" not in hooked["new"]
    assert hooked["later"] == [["both", False, False], ["system", True, True]]


# Directories that cannot be built again.


def test_a_context_loads_its_roots_if_the_deleted_directory_cannot_be_built_again(host) -> None:
    """For example because the disk is full, which is why the directory was deleted."""
    with host.program() as program:
        program("make()")
        shutil.rmtree(host.location)
        host.location.write_bytes(b"")
        assert program("attempts(0, 'system')") == [False, True]
        assert set(program("trusted(contexts[0])")) == DEFAULT
        assert program("roots(0)") == len(DEFAULT)
        assert program.errors == ""


def test_a_query_loads_the_roots_if_the_deleted_directory_cannot_be_built_again(host) -> None:
    with host.program() as program:
        program("make()")
        shutil.rmtree(host.location)
        host.location.write_bytes(b"")
        assert program("roots(0)") == len(DEFAULT)
        assert set(program("trusted(contexts[0])")) == DEFAULT


# Other machines and sandboxes with the same directory of stores.


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs Linux")
def test_contexts_do_not_follow_a_sandbox_with_other_files_at_the_same_paths(host) -> None:
    other = host.roots / "sandbox.pem"
    other.write_bytes(host.cas.pem("system", "extra"))
    mount = f'mount --bind {other} {host.roots / "system.pem"}; exec "$@"'
    sandbox = ("unshare", "-m", "--propagation", "private", "sh", "-ec", mount, "sh")
    with host.program() as program, host.program(prefix=sandbox) as inside:
        program("make()")
        inside("make()")
        assert inside("attempt(0, 'extra')") is True
        assert program("attempts(0, 'extra')") == [False, False]
        assert set(program("trusted(contexts[0])")) == DEFAULT


@pytest.mark.skipif(not hasattr(os, "uname"), reason="Windows has no links")
def test_machines_with_the_same_directory_have_links_and_indexes_of_their_own(host) -> None:
    """As after cloning a virtual machine: paths, inodes, devices and times are equal."""
    with host.program() as program, host.program() as clone:
        clone("setattr(os, 'uname', lambda: type('', (), {'nodename': 'clone'}))")
        program("make()")
        link, content = host.link, host.only_index.read_bytes()
        clone("make()")
        assert host.only_index.read_bytes() != content
        assert link in host.named(LINK)
        assert len(host.named(LINK)) == 2


# File systems without links, where requests with equal roots share a store.


def test_contexts_for_servers_and_for_clients_do_not_get_the_roots_of_each_other(host) -> None:
    bundle = host.roots / "bundle.pem"
    bundle.write_bytes(host.cas.pem("system"))
    with host.program(CERTHOOK_BUNDLE=str(bundle)) as program:
        program("setattr(os, 'symlink', lambda *args, **kwargs: os.link('/missing', '/missing'))")
        program("contexts.append(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))")
        program("contexts[0].load_default_certs(ssl.Purpose.CLIENT_AUTH)")
        program("make()")
        bundle.write_bytes(host.cas.pem("system", "bundled"))
        assert program("roots(1)") == 3
        assert program("roots(0)") == 2
