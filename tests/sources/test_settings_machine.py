"""The system-wide settings file on a Linux machine: handshakes, other users, updates, and compiled stores."""

from __future__ import annotations

import json
import os

import pytest
import support
from layouts import ALL, STORE
from linux_machine import OPENSSL, Pem, expected, verdicts_of, warnings_of
from namespace import owned

FILE = "/etc/certhook.conf"

#: Prints the verdicts before and after the code in UPDATE, with the promised delay.
TIMELY = f"""
import os, time
verdicts = {support.VERDICTS!r}
exec(verdicts)
exec(os.environ["UPDATE"])
time.sleep(0.15)
exec(verdicts)
"""


MACHINE = {OPENSSL: os.mkdir, STORE: Pem("system"), "/etc/extra.pem": Pem("extra"), "/etc/other.pem": Pem("stranger")}

#: The file, the variables, the trusted authorities, and the beginnings of the warnings.
TRUSTED = {
    "nothing": ("# nothing", {}, ALL, []),
    "one source": ("sources = system", {}, "system", []),
    "a wider variable": ("sources = system", {"CERTHOOK_SOURCES": "system,bundled"}, "system", ["CERTHOOK_SOURCES: "]),
    "a narrower variable": ("mode = chain", {"CERTHOOK_SOURCES": "system"}, "system", []),
    "more roots": ("extra_ca_certs = /etc/extra.pem", {}, f"{ALL} extra", []),
    "another file of more roots": (
        "extra_ca_certs = /etc/extra.pem",
        {"CERTHOOK_EXTRA_CA_CERTS": "/etc/other.pem:/etc/extra.pem"},
        f"{ALL} extra",
        ["CERTHOOK_EXTRA_CA_CERTS: "],
    ),
    "another bundle": ("bundle = /etc/extra.pem", {"CERTHOOK_BUNDLE": "/etc/other.pem"}, "system extra",
                       ["CERTHOOK_BUNDLE: "]),
    "the first source": ("mode = fallback", {}, "system", []),
    "OpenSSL's variable": ("sources = bundled", {"SSL_CERT_FILE": "/etc/other.pem"}, "stranger", []),
    "a fault": ("sorces = system", {"CERTHOOK_EXTRA_CA_CERTS": "/etc/other.pem"}, ALL, [
        f"{FILE}: line 1: 'sorces' is not a setting; did you mean sources?", "CERTHOOK_EXTRA_CA_CERTS: "]),
}  # fmt: skip


@pytest.mark.parametrize("name", TRUSTED)
def test_the_file_and_the_variables_select_the_roots_of_lazy_and_eager_contexts(name, linux, tmp_path) -> None:
    text, variables, trusted, warnings = TRUSTED[name]
    code = "import os\nfor load in 'lazy', 'lazy', 'eager':\n    os.environ['CERTHOOK_LOAD'] = load\n" + (
        f"    exec({support.VERDICTS!r})"
    )
    done = linux.run(linux.installed, code, {**MACHINE, FILE: text.encode()}, tmp_path, **variables)
    assert verdicts_of(done) == [expected(trusted)] * 3
    found = warnings_of(done)
    assert len(found) == len(warnings)
    assert all(map(str.startswith, found, warnings))


@pytest.mark.parametrize(("user", "mode"), [(54321, 0o644), (0, 0o646), (0, 0o664)])
def test_a_file_that_another_user_can_modify_has_no_effect(user, mode, linux, tmp_path) -> None:
    create = owned(b"extra_ca_certs = /etc/other.pem\nsources = extra\n", user, mode)
    done = linux.run(linux.installed, support.VERDICTS, {**MACHINE, FILE: create}, tmp_path)
    assert verdicts_of(done) == [expected(ALL)]
    (warning,) = warnings_of(done)
    assert warning.startswith(f"{FILE}: is ignored, because it ")


UPDATES = {
    "appears": ({}, "os.system('echo sources = system > /etc/certhook.conf')", (ALL, "system")),
    "is replaced": (
        {FILE: b"sources = system", "/etc/new": b"extra_ca_certs = /etc/extra.pem"},
        "os.rename('/etc/new', '/etc/certhook.conf')",
        ("system", f"{ALL} extra"),
    ),
    "is removed": ({FILE: b"sources = bundled"}, "os.remove('/etc/certhook.conf')", ("bundled both", ALL)),
    "gets another owner": ({FILE: b"sources = system"}, "os.chown('/etc/certhook.conf', 1, 1)", ("system", ALL)),
}


@pytest.mark.parametrize("load", ["lazy", "eager"])
@pytest.mark.parametrize("name", UPDATES)
def test_a_running_program_follows_the_file_within_a_tenth_of_a_second(name, load, linux, tmp_path) -> None:
    tree, update, trusted = UPDATES[name]
    done = linux.run(linux.installed, TIMELY, {**MACHINE, **tree}, tmp_path, CERTHOOK_LOAD=load, UPDATE=update)
    assert verdicts_of(done) == [expected(names) for names in trusted]


def test_two_processes_with_different_variables_use_the_same_file(linux, tmp_path) -> None:
    """The index is found with the variables, and is valid for one content of the file."""
    code = f"""
import os
for text in "sources = system", "extra_ca_certs = /etc/extra.pem", "sources = bundled", "sources = system":
    with open("{FILE}", "w") as file:
        file.write(text)
    import time; time.sleep(0.15)
    for sources in "", "bundled", "":
        os.environ["CERTHOOK_SOURCES"] = sources
        exec({support.VERDICTS!r})
"""
    done = linux.run(linux.installed, code, {**MACHINE, FILE: b""}, tmp_path)
    none, system, extra, bundled = expected(""), expected("system"), expected(f"{ALL} extra"), expected("bundled both")
    both = expected("bundled both extra")
    assert verdicts_of(done) == [
        *(system, none, system), *(extra, both, extra), *(bundled, bundled, bundled), *(system, none, system)
    ]  # fmt: skip


def test_a_set_of_settings_is_shown_by_status_and_audit(linux, tmp_path) -> None:
    code = """
import subprocess, sys
for verb in "status", "audit":
    for options in ["--json"], []:
        done = subprocess.run([sys.executable, "-m", "certhook", verb, *options], stdout=subprocess.PIPE, text=True)
        print(ascii(done.stdout))
"""
    text = b"sources = system\nextra_ca_certs = /etc/extra.pem\n"
    variables = {"CERTHOOK_SOURCES": "system,bundled", "CERTHOOK_MODE": "fallback"}
    done = linux.run(linux.installed, code, {**MACHINE, FILE: text}, tmp_path, **variables)
    status, status_text, audit, audit_text = map(eval, done.stdout.splitlines())
    shown = {
        "path": FILE,
        "state": "used",
        "settings": [
            {"name": "sources", "value": "system"},
            {"name": "extra_ca_certs", "value": "/etc/extra.pem"},
        ],
        "limited_variables": ["CERTHOOK_SOURCES"],
    }
    status = json.loads(status)
    assert status["settings_file"] == shown
    assert status["sources"] == ["system"]
    effects = {one["name"]: one["effect"] for one in status["variables"]}
    assert f"in line 1 of {FILE} allows; using system" in effects["CERTHOOK_SOURCES"]
    assert effects["CERTHOOK_SOURCES"] in "".join(status["problems"])
    assert effects["CERTHOOK_MODE"].startswith("combines")
    assert json.loads(audit)["settings_file"] == {**shown, "owner": "root (0)", "mode": "0644"}
    heading = f"System-wide settings:\n  {FILE}\n"
    settings = "    sources = system\n    extra_ca_certs = /etc/extra.pem\n    limits CERTHOOK_SOURCES\n"
    assert heading + settings in status_text
    assert f"{heading}    owner root (0), mode 0644\n{settings}" in audit_text
