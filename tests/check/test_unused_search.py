"""The search for unused roots: its limits, its locations, and the commands for other users and processes."""

from __future__ import annotations

import os
import time

import lab as lab_module
import pytest
from cryptography import x509
from lab import Lab, Result
from pki import BARE, chain, issue

from certhook import _files
from certhook._config import Config
from certhook._state import process
from certhook.cli import _systems
from certhook.cli.check import locations, unused, unused_commands, unused_reasons
from certhook.cli.check.chain import Roots
from certhook.cli.check.failure import Deadline
from certhook.cli.check.locations import INPUT, VARIABLE, Location

CHAIN = chain()
DEBIAN = _systems.FAMILIES["debian"]


@pytest.fixture
def place(lab: Lab):
    """Return a function that makes the search read only the given locations, on Debian with an empty store."""
    lab.patch.setattr(unused, "_MAX_SECONDS", 60)  # A busy machine must not fail tests.
    lab.patch.setattr(_systems, "current", lambda: DEBIAN)
    lab.patch.setattr(_systems, "find_command", lambda name, root="/": f"/usr/sbin/{name}")
    lab.patch.setattr(unused_reasons, "well_known", lambda platform: ((), ()))
    lab.patch.setattr(unused_reasons.UnusedFile, "is_foreign", lambda self: False)

    def place(*found: Location) -> None:
        lab.patch.setattr(locations, "locations", lambda config, environ: iter(found))

    return place


def check(lab: Lab, *arguments: str) -> Result:
    """Check a server with an unknown root. The lines of commands are not limited to 80 columns."""
    lab.patch.setattr(lab_module, "render", lambda check: "")
    lab.trust_unrelated()
    return lab.check(lab.serve(CHAIN.sent), *arguments)


def advice(result: Result) -> str:
    assert result[0]["cause"]["id"] == "root-unused", result[0]["cause"]
    return "\n".join(result[0]["cause"]["advice"])


def variable(path: str) -> Location:
    return Location(VARIABLE, path, "REQUESTS_CA_BUNDLE", "requests")


def system_commands(path: str) -> tuple[str, ...]:
    """Return the commands of Debian for the root in the file *path* that a variable names."""
    found = unused_reasons.remedy(variable(path), CHAIN.root.certificate, DEBIAN, Config({}))
    assert found is not None
    return found.system


def test_users_other_than_root_get_commands_with_sudo(lab: Lab, place) -> None:
    lab.patch.setattr(_systems, "_is_root", lambda: False)
    path = lab.write("a.pem", CHAIN.root.pem)
    copy, update = system_commands(path)[-2:]
    assert copy == f"sudo install -m 644 {path} /usr/local/share/ca-certificates/a.crt"
    assert update == "sudo update-ca-certificates"


def test_the_commands_preserve_the_other_paths_of_the_setting(lab: Lab, place) -> None:
    place(variable(lab.write("a.pem", CHAIN.root.pem)))
    other = lab.write("other.pem", issue("other", ca=True).pem)
    lab.patch.setenv("CERTHOOK_EXTRA_CA_CERTS", os.pathsep.join([other, str(lab.directory / "missing")]))
    assert f"CERTHOOK_EXTRA_CA_CERTS={other}{os.pathsep}{lab.directory / 'a.pem'}" in advice(check(lab))


@pytest.mark.parametrize("obstacle", ["privileges", "use_environment"])
def test_no_variable_is_recommended_where_it_has_no_effect(lab: Lab, place, obstacle: str) -> None:
    place(variable(lab.write("a.pem", CHAIN.root.pem)))
    if obstacle == "privileges":
        lab.patch.setattr(unused_commands, "is_privileged", lambda: True)
    else:
        lab.patch.setattr(process, "use_environment", False)
        lab.patch.setattr(unused_commands, "process", process)
    found = unused_reasons.remedy(variable(str(lab.directory / "a.pem")), CHAIN.root.certificate, DEBIAN, Config({}))
    assert found is not None and found.setting == () and found.system


def test_a_file_that_other_users_can_change_is_not_recommended_without_a_comparison(lab: Lab, place) -> None:
    path = lab.write("a.pem", CHAIN.root.pem)
    os.chmod(path, 0o666)
    place(variable(path))
    lab.patch.undo()  # of is_foreign()
    found = unused_reasons.remedy(variable(path), CHAIN.root.certificate, DEBIAN, Config({}))
    assert found is not None and found.is_foreign
    os.chmod(path, 0o644)
    found = unused_reasons.remedy(variable(path), CHAIN.root.certificate, DEBIAN, Config({}))
    assert found is not None and not found.is_foreign


def test_a_file_that_other_users_can_change_is_reported(lab: Lab, place) -> None:
    place(variable(lab.write("a.pem", CHAIN.root.pem)))
    lab.patch.setattr(unused_reasons.UnusedFile, "is_foreign", lambda self: True)
    assert advice(check(lab)).startswith(f"Other users can change {lab.directory / 'a.pem'}. Before you trust it, ask")


def test_a_name_that_a_terminal_would_interpret_is_escaped_and_not_part_of_a_command(lab: Lab, place) -> None:
    place(variable(lab.write("a\n\x1b[2J;rm.pem", CHAIN.root.pem)))
    result = check(lab)
    text = advice(result)
    assert text.startswith("Copy ") and "a plain name" in text and "export" not in text and "install" not in text
    assert r"a\n\x1b[2J;rm.pem" in result[0]["cause"]["message"]


def test_a_name_with_special_characters_is_quoted(lab: Lab, place) -> None:
    commands = system_commands(lab.write("a $(id)'.pem", CHAIN.root.pem))
    assert any(f"""install -m 644 '{lab.directory}/a $(id)'"'"'.pem' """ in command for command in commands)


def test_an_edition_that_the_servers_certificate_excludes_is_not_recommended(lab: Lab) -> None:
    """OpenSSL accepts only the root with the serial number in the server's certificate."""
    root = CHAIN.root.certificate
    identifier = x509.AuthorityKeyIdentifier(None, [x509.DirectoryName(root.subject)], root.serial_number)
    leaf = issue("localhost", CHAIN.root, changed={x509.AuthorityKeyIdentifier: (identifier, False)})
    other = issue("the root", ca=True, key=CHAIN.root.key)
    found = [variable(lab.write(f"{number}.pem", one.pem)) for number, one in enumerate((other, CHAIN.root))]
    lab.patch.setattr(locations, "locations", lambda config, environ: iter(found))
    (result,) = unused.search([leaf.certificate], Roots([]), Deadline(10))
    assert result.path == found[1].path


def test_a_root_that_the_server_sends_is_reported_once_per_file(lab: Lab, place) -> None:
    first, second = (variable(lab.write(name, CHAIN.root.pem * 2)) for name in ("a.pem", "b.pem"))
    place(first, second)
    path = [one.certificate for one in (*CHAIN.sent, CHAIN.root)]
    assert [found.path for found in unused.search(path, Roots([]), Deadline(10))] == [first.path, second.path]


def test_certificates_that_are_malformed_do_not_end_the_search(lab: Lab, place) -> None:
    damaged = [
        variable(lab.write(f"{position}.der", CHAIN.root.der[:position] + b"\xff" + CHAIN.root.der[position + 1 :]))
        for position in range(0, len(CHAIN.root.der), 5)
    ]
    good = variable(lab.write("good.pem", CHAIN.root.pem))
    place(*damaged, good)
    found = unused.search([one.certificate for one in CHAIN.sent], Roots([]), Deadline(60))
    assert good.path in [each.path for each in found]


def test_many_certificates_with_the_name_of_the_issuer_do_not_delay_the_check(lab: Lab, place) -> None:
    others = [issue("the root", ca=True, changed=BARE).pem for _ in range(30)]
    place(*(variable(lab.write(f"{number}.pem", b"".join(others) * 60)) for number in range(10)))
    path = [one.certificate for one in chain(changed=BARE).sent]
    start = time.process_time()
    assert unused.search(path, Roots([]), Deadline(10)) == ()
    assert time.process_time() - start < 3


def test_a_servers_file_with_its_private_key_is_not_recommended(lab: Lab) -> None:
    own = issue("localhost")
    found = Location(locations.NEARBY, lab.write("server.pem", own.secret + own.pem), "CERTHOOK_EXTRA_CA_CERTS")
    lab.patch.setattr(locations, "locations", lambda config, environ: iter([found]))
    assert unused.search([own.certificate], Roots([]), Deadline(10)) == ()
    lab.write("server.pem", own.pem)
    assert len(unused.search([own.certificate], Roots([]), Deadline(10))) == 1


# Limits.


@pytest.mark.parametrize(
    ("limit", "value"), [("_MAX_FILES", 20), ("_MAX_TOTAL_SIZE", 20000), ("_MAX_FILE_SIZE", 10), ("_MAX_SECONDS", 0.0)]
)
def test_the_search_stops_at_its_limits(lab: Lab, place, limit: str, value: float) -> None:
    directory = lab.directory / "certificates"
    directory.mkdir()
    for number in range(30):
        (directory / f"{number:02}.pem").write_bytes(b"#" * 1000)
    (directory / "company.pem").write_bytes(CHAIN.root.pem)
    place(Location(INPUT, str(directory), str(directory)))
    assert check(lab)[0]["cause"]["id"] == "root-unused"
    lab.patch.setattr(unused, limit, value)
    assert check(lab)[0]["cause"]["id"] == "root-unknown"


def test_the_search_ends_with_the_time_limit_of_the_check(lab: Lab, place) -> None:
    directory = lab.directory / "certificates"
    directory.mkdir()
    for number in range(100):
        (directory / f"{number}.pem").write_bytes(b"")
    place(*(Location(INPUT, str(directory), str(directory)) for _ in range(10)))
    read = _files.read

    def slow(path: str) -> bytes:
        time.sleep(0.05)
        return read(path)

    lab.patch.setattr(_files, "read", slow)
    path = [one.certificate for one in CHAIN.sent]
    start = time.monotonic()
    assert unused.search(path, Roots([]), Deadline(0.3)) == ()
    assert time.monotonic() - start < 1
    assert unused.search(path, Roots([]), Deadline(0)) == ()


def test_private_keys_are_not_read(lab: Lab, place) -> None:
    names = ("rootCA-key.pem", "server.key", "privkey.pem", "key.pem", "KEY")
    found = [variable(lab.write(name, CHAIN.sent[0].secret)) for name in names]
    place(*found, variable(lab.write("monkey.pem", CHAIN.root.pem)))
    opened: list[str] = []
    read = _files.read
    lab.patch.setattr(_files, "read", lambda path, *arguments: opened.append(path) or read(path, *arguments))
    assert "monkey.pem" in check(lab)[0]["cause"]["message"]
    assert not {location.path for location in found} & set(opened)


def test_an_internal_error_does_not_hide_the_failure(lab: Lab, place) -> None:
    place()
    lab.patch.setattr(locations, "locations", lambda config, environ: 1 / 0)
    cause = check(lab)[0]["cause"]
    assert cause["id"] == "root-unknown"
    assert "which is not trusted here" in cause["message"]


# Locations.


def test_the_directories_of_all_commands_are_searched() -> None:
    found = {each.path for each in locations.locations(Config({}), {}) if each.kind == INPUT}
    assert found >= {
        "/usr/local/share/ca-certificates",
        "/usr/share/ca-certificates",
        "/etc/pki/ca-trust/source",
        "/usr/share/pki/ca-trust-source",
        "/etc/ca-certificates/trust-source",
        "/usr/share/ca-certificates/trust-source",
        "/etc/pki/trust",
        "/usr/share/pki/trust",
    }


def test_the_files_of_other_tools_are_searched() -> None:
    environ = {"HOME": "/h", "CAROOT": "/caroot", "AWS_CA_BUNDLE": "/aws.pem", "CARGO_HTTP_CAINFO": "~/cargo.pem"}
    found = {each.path for each in locations.locations(Config({}), environ)}
    assert {"/caroot/rootCA.pem", "/aws.pem", os.path.expanduser("~/cargo.pem")} <= found


def test_a_process_that_ignores_variables_ignores_those_of_other_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locations, "is_privileged", lambda: True)
    found = [each.path for each in locations.locations(Config({}), {"AWS_CA_BUNDLE": "/aws.pem"})]
    assert "/aws.pem" not in found


@pytest.mark.parametrize(
    ("text", "setting", "value"),
    [
        ("[global]\ncert=/a.pem\n", "cert", "/a.pem"),
        ("[install]\r\n  cert = /a b.pem  \r\n", "cert", "/a b.pem"),
        ("# cert = /a.pem\nclient-cert = /b.pem\n", "cert", None),
        ("ssl_verify: /a.pem\n", "ssl_verify", "/a.pem"),
        ('[http]\n\tsslCAInfo = "/a.pem"\n', "sslCAInfo", "/a.pem"),
        ("--cacert /a.pem\n", "cacert", "/a.pem"),
        ("cafile=/a.pem", "cafile", "/a.pem"),
        ("cafile =  \t \n", "cafile", None),
        # Quadratic time would be hours.
        ("cafile=/a" + " " * 900_000 + "b", "cafile", "/a" + " " * 900_000 + "b"),
        ("cafile" + " " * 900_000 + "/a", "cafile", "/a"),
    ],
    ids=range(10),
)
def test_settings_of_other_tools_are_read(lab: Lab, text: str, setting: str, value: str | None) -> None:
    path = lab.write("configuration", text.encode())
    assert locations._values(path, setting) == ([value] if value else [])
