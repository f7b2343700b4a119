"""``python -m certhook``: what it says of an environment, to a person and to a program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import der
import pytest
import support
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from certhook.cli import _terminal, env

posix = pytest.mark.skipif(sys.platform == "win32", reason="paths are text on Windows")

KEYS = {
    "certhook": str,
    "python": str,
    "executable": str,
    "openssl": str,
    "active": bool,
    "disabled": bool,
    "enabled_by": (str, type(None)),
    "sources": list,
    "mode": str,
    "adopted": list,
    "variables": list,
    "anchors": int,
    "anchors_by_source": dict,
    "roots": list,
    "distrusted": list,
    "places": list,
    "store": (str, type(None)),
    "eager_because": str,
    "neighbours": list,
    "libraries": list,
    "problems": list,
}


@pytest.fixture
def variables(tmp_path: Path, cas: support.Authorities) -> dict[str, str]:
    """Variables for a system, a bundle and something extra, with nothing wrong in them."""
    (tmp_path / "system.pem").write_bytes(cas.pem("system", "both"))
    (tmp_path / "bundle.pem").write_bytes(cas.pem("bundled", "both"))
    (tmp_path / "extra.pem").write_bytes(cas.pem("extra"))
    (tmp_path / "hashed").mkdir()
    (tmp_path / "hashed" / "00000000.0").write_bytes(cas.pem("stranger"))
    return {
        "CERTHOOK_SOURCES": "bundled",
        "CERTHOOK_BUNDLE": str(tmp_path / "bundle.pem"),
        "CERTHOOK_EXTRA_CA_CERTS": str(tmp_path / "extra.pem"),
    }


@pytest.fixture
def certhook(installed: Path, variables: dict[str, str], tmp_path: Path):
    """Run ``python -m certhook`` with *arguments*, and these variables changed (None: unset)."""

    def run(*arguments: str, flags: tuple[str, ...] = (), encoding: str = "utf-8", **changed: str | None):
        wanted = {name: value for name, value in {**variables, **changed}.items() if value is not None}
        return subprocess.run(
            [str(installed), *flags, "-m", "certhook", *arguments],
            env=support.clean_env(**wanted),
            cwd=str(tmp_path),  # which is first on the path
            capture_output=True,
            encoding=encoding,
            timeout=60,
        )

    return run


@pytest.fixture
def status(certhook):
    """What ``python -m certhook --json`` says."""

    def run(**kwargs) -> dict:
        done = certhook("--json", **kwargs)
        found = json.loads(done.stdout)
        assert done.returncode == (0 if found["active"] and not found["problems"] else 1), done.stderr
        return found

    return run


def effect(found: dict, name: str) -> str:
    """What is said of one variable."""
    (variable,) = (variable for variable in found["variables"] if variable["name"] == name)
    return variable["effect"]


# To a program.


def test_the_keys_and_types_of_the_json_are_these(status) -> None:
    found = status()
    assert list(found) == list(KEYS)
    for key, kind in KEYS.items():
        assert isinstance(found[key], kind), key
    assert {tuple(place) for place in found["places"]} == {("source", "path", "anchors", "note")}
    assert {tuple(variable) for variable in found["variables"]} == {("name", "value", "effect")}


def test_all_is_well_where_the_hook_is_active_and_nothing_is_wrong(status) -> None:
    found = status()
    assert found["active"]
    assert found["problems"] == []


ROOT_KEYS = ("subject", "sha256", "not_before", "not_after", "listed_by")


def test_of_each_root_it_is_said_whose_it_is_how_long_and_who_listed_it(certhook, status, tmp_path, cas) -> None:
    found = status()
    assert {tuple(root) for root in found["roots"]} == {ROOT_KEYS}
    by_sha256 = {root["sha256"]: root for root in found["roots"]}
    for name, source, file in (("both", "bundled", "bundle"), ("extra", "extra", "extra")):
        expected = x509.load_pem_x509_certificate(cas.pem(name))
        root = by_sha256[expected.fingerprint(hashes.SHA256()).hex()]
        assert root["subject"] == expected.subject.rfc4514_string()
        assert root["not_before"].partition("+")[0] == expected.not_valid_before_utc.isoformat().partition("+")[0]
        assert root["not_after"] == expected.not_valid_after_utc.isoformat()
        assert root["listed_by"] == [{"source": source, "path": str(tmp_path / f"{file}.pem")}]
    shown = certhook("--roots").stdout
    assert all(f"  {root['subject']}\n       SHA-256 {root['sha256']}\n" in shown for root in found["roots"])
    assert "SHA-256" not in certhook().stdout


def test_roots_that_the_bundle_alone_lists_are_counted(certhook, tmp_path) -> None:
    shown = certhook(
        CERTHOOK_SOURCES="system,bundled",
        SSL_CERT_FILE=str(tmp_path / "system.pem"),
        SSL_CERT_DIR="",
    ).stdout
    for count in ("2 listed by bundled", "2 listed by system", "1 listed by bundled alone"):
        assert f"  {count:>{len(count) + 3}}\n" in shown


def test_what_is_distrusted_is_listed_with_who_says_so(certhook, status, tmp_path, cas) -> None:
    command = ("openssl", "x509", "-trustout", "-addreject", "serverAuth")
    rejecting = subprocess.run(command, input=cas.pem("bundled"), check=True, stdout=subprocess.PIPE).stdout
    (tmp_path / "extra.pem").write_bytes(rejecting)
    (distrusted,) = status()["distrusted"]
    assert distrusted["by"] == [str(tmp_path / "extra.pem")]
    assert {"source": "bundled", "path": str(tmp_path / "bundle.pem")} in distrusted["listed_by"]
    shown = certhook().stdout
    assert support.shows(
        shown, f"listed by bundled: {tmp_path / 'bundle.pem'}", f"distrusted by {tmp_path / 'extra.pem'}"
    )


def test_the_interpreter_is_named(status, installed: Path) -> None:
    found = status()
    assert found["executable"] == str(installed)
    assert found["python"] == sys.version.split()[0]
    assert "SSL" in found["openssl"]


def test_the_file_that_enabled_the_hook_is_named(status, installed: Path, tmp_path: Path) -> None:
    (tmp_path / "certhook.pth").touch()  # in the working directory, where it enables nothing
    assert status()["enabled_by"] == str(support.purelib(installed) / "certhook.pth")


def test_every_source_has_its_count_and_every_place_its_path(status, variables, tmp_path: Path) -> None:
    found = status(
        CERTHOOK_SOURCES="system,bundled",
        SSL_CERT_FILE=str(tmp_path / "system.pem"),
        SSL_CERT_DIR=str(tmp_path / "hashed"),
    )
    assert found["anchors"] == 4
    assert found["anchors_by_source"] == {"bundled": 2, "extra": 1, "system": 2}
    assert [(place["source"], place["path"], place["anchors"]) for place in found["places"]] == [
        ("system", str(tmp_path / "system.pem"), 2),
        ("system", str(tmp_path / "hashed"), 0),
        ("bundled", variables["CERTHOOK_BUNDLE"], 2),
        ("extra", variables["CERTHOOK_EXTRA_CA_CERTS"], 1),
    ]
    assert "openssl rehash" in found["places"][1]["note"]
    (problem,) = found["problems"]
    assert problem.startswith(f"SSL_CERT_DIR: {tmp_path / 'hashed'} ")


def test_without_variables_the_system_and_certifi_are_what_is_trusted(status) -> None:
    found = status(CERTHOOK_SOURCES=None, CERTHOOK_BUNDLE=None, CERTHOOK_EXTRA_CA_CERTS=None)
    assert found["sources"] == ["system", "bundled"]
    assert found["mode"] == "chain"
    assert found["anchors_by_source"]["bundled"] > 50
    assert [Path(place["path"]).name for place in found["places"] if place["source"] == "bundled"] == ["cacert.pem"]
    assert [variable["name"] for variable in found["variables"]] == ["CERTHOOK_CACHE_DIR"]


def test_the_compiled_store_is_named_or_why_there_is_none(status, tmp_path: Path) -> None:
    found = status(CERTHOOK_CACHE_DIR=str(tmp_path / "cache"))
    assert Path(found["store"]).parent == tmp_path / "cache"
    assert found["eager_because"] == ""
    found = status(CERTHOOK_LOAD="eager")
    assert found["store"] is None
    assert "CERTHOOK_LOAD" in found["eager_because"]
    assert status(CERTHOOK_CACHE_DIR="none")["eager_because"]


@posix
def test_a_cache_folder_that_is_not_used_is_told(status, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o777)
    found = status(CERTHOOK_CACHE_DIR=str(tmp_path / "cache"))
    assert found["store"] is None
    assert "can be written by others" in found["eager_because"]
    (problem,) = found["problems"]
    assert str(tmp_path / "cache") in problem


@pytest.mark.parametrize(
    ("changed", "name", "words"),
    [
        ({}, "CERTHOOK_BUNDLE", "replaces certifi"),
        ({"SSL_CERT_FILE": "{}/system.pem"}, "SSL_CERT_FILE", "system"),
        ({"CERTHOOK_UNKNOWN": "1"}, "CERTHOOK_UNKNOWN", "no such variable"),
        ({"CERTHOOK_MODE": ""}, "CERTHOOK_MODE", "it is empty"),
        ({"CERTHOOK_MODE": "both"}, "CERTHOOK_MODE", "'both' is not allowed"),
        ({"CERTHOOK_EXTRA_CA_CERTS": "extra.pem"}, "CERTHOOK_EXTRA_CA_CERTS", "relative path"),
        ({"CERTHOOK_DISABLED": "0"}, "CERTHOOK_DISABLED", "means no"),
        ({"CERTHOOK_DISABLED": "1"}, "CERTHOOK_DISABLED", "switches certhook off"),
        (
            {"NIX_SSL_CERT_FILE": "{}/extra.pem", "SSL_CERT_FILE": "{}/system.pem"},
            "NIX_SSL_CERT_FILE",
            "no effect: SSL_CERT_FILE",
        ),
    ],
)
def test_every_variable_is_shown_with_its_effect(changed, name: str, words: str, status, tmp_path: Path) -> None:
    found = status(**{name: value.format(tmp_path) for name, value in changed.items()})
    assert words in effect(found, name)


def test_every_variable_has_an_effect_of_its_own(status) -> None:
    from certhook._config import VARIABLES

    found = status(**dict.fromkeys(VARIABLES, os.devnull))
    assert {variable["name"] for variable in found["variables"]} == set(VARIABLES)
    assert all(variable["effect"] for variable in found["variables"])


@pytest.mark.parametrize("on_error", ["warn", "raise"])
def test_every_problem_is_told(on_error: str, status, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.pem")
    found = status(CERTHOOK_MODE="both", CERTHOOK_EXTRA_CA_CERTS=missing, CERTHOOK_ON_ERROR=on_error)
    one, other = found["problems"]
    assert one.startswith("CERTHOOK_MODE: 'both'")
    assert other.startswith(f"CERTHOOK_EXTRA_CA_CERTS: {missing} ")
    assert found["anchors"] == 2


def test_what_openssl_refuses_is_told_and_does_not_count(status, variables) -> None:
    refused = der.certificate(der.common_name("refused"), key=b"\x30\0")
    with open(variables["CERTHOOK_BUNDLE"], "ab") as file:
        file.write(der.pem(refused))
    found = status()
    (problem,) = found["problems"]
    assert "OpenSSL refuses" in problem
    assert found["anchors"] == 3
    assert found["anchors_by_source"] == {"bundled": 2, "extra": 1}


# Not active.


def test_without_site_the_hook_is_not_active(status, installed: Path) -> None:
    found = status(flags=("-S",), PYTHONPATH=str(support.purelib(installed)))
    assert not found["active"]
    assert not found["disabled"]
    assert found["enabled_by"] is None
    assert found["anchors"] == 3  # what it would be


def test_the_switch_is_seen(status) -> None:
    found = status(CERTHOOK_DISABLED="1")
    assert not found["active"]
    assert found["disabled"]
    assert found["enabled_by"] is None


def test_a_host_that_installs_the_hook_is_named(installed: Path, variables, tmp_path: Path) -> None:
    code = "import certhook, sys; certhook.install(); from certhook.cli import main; sys.exit(main(['--json']))"
    env = support.clean_env(PYTHONPATH=str(support.purelib(installed)), **variables)
    found = json.loads(support.run(installed, code, "-S", env=env, cwd=str(tmp_path)).stdout)
    assert found["active"]
    assert found["enabled_by"] == "certhook.install()"


# To a person.


@pytest.mark.parametrize("arguments", [(), ("status",)])
def test_a_person_is_told_the_same(arguments, certhook, status, variables) -> None:
    done = certhook(*arguments)
    assert done.returncode == 0
    assert done.stderr == ""
    assert support.shows(done.stdout, f"Active, enabled by {status()['enabled_by']}")
    assert "Trusted roots: 3 (chain of bundled)\n" in done.stdout
    assert support.shows(done.stdout, f"2 bundled: {variables['CERTHOOK_BUNDLE']}")
    assert support.shows(done.stdout, f"1 extra: {variables['CERTHOOK_EXTRA_CA_CERTS']}")
    assert support.shows(done.stdout, f"CERTHOOK_BUNDLE={variables['CERTHOOK_BUNDLE']} replaces certifi's bundle")
    assert done.stdout.endswith("No problems.\n")


def test_a_person_is_told_what_is_wrong(certhook, tmp_path: Path) -> None:
    done = certhook(CERTHOOK_EXTRA_CA_CERTS=str(tmp_path / "missing.pem"))
    assert done.returncode == 1
    _, _, problems = done.stdout.partition("Problems:\n")
    assert support.squeezed(problems).startswith(
        support.squeezed(f"CERTHOOK_EXTRA_CA_CERTS: {tmp_path / 'missing.pem'} cannot")
    )


def test_a_person_is_told_why_certhook_is_not_active(certhook, installed: Path) -> None:
    assert "Not active: CERTHOOK_DISABLED is set\n" in certhook(CERTHOOK_DISABLED="1").stdout
    done = certhook(flags=("-S",), PYTHONPATH=str(support.purelib(installed)))
    assert "Not active: nothing installed the hook" in done.stdout
    assert support.shows(done.stdout, "pip install certhook", "python -m certhook enable")


# What a warning says of it.


def test_a_warning_ends_with_a_command_that_explains_it(installed, tmp_path) -> None:
    missing = str(tmp_path / "missing.pem")
    env = support.clean_env(CERTHOOK_EXTRA_CA_CERTS=missing)
    done = support.run(installed, "import ssl; ssl.create_default_context()", env=env)
    (line, *_) = done.stderr.splitlines()
    assert line.endswith(f". Run '{installed} -m certhook' to see what is trusted, and why")
    command = line.rpartition("Run '")[2].partition("'")[0].split()
    told = subprocess.run(command, env=env, cwd=str(tmp_path), capture_output=True, text=True, timeout=60).stdout
    assert support.shows(told, "Problems:", f"CERTHOOK_EXTRA_CA_CERTS: {missing}")


@pytest.mark.parametrize(
    ("executable", "frozen", "command"),
    [
        ("/srv/app/.venv/bin/python3.12", False, "/srv/app/.venv/bin/python3.12 -m certhook"),
        ("/opt/pypy/bin/pypy3", False, "/opt/pypy/bin/pypy3 -m certhook"),
        ("/srv/an app/bin/python", False, '"/srv/an app/bin/python" -m certhook'),
        ("/srv/app/python", True, "python -m certhook"),
        ("/usr/sbin/apache2", False, "python -m certhook"),
        ("", False, "python -m certhook"),
        (None, False, "python -m certhook"),
    ],
)
def test_where_the_interpreter_has_no_name_of_its_own_the_command_is_the_usual_one(
    executable, frozen, command, monkeypatch
) -> None:
    from certhook import _warnings

    monkeypatch.setattr(sys, "executable", executable)
    if frozen:
        monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.warns(UserWarning) as shown:
        _warnings.warn("CERTHOOK_MODE: that is wrong.")
    assert str(shown[0].message) == (f"CERTHOOK_MODE: that is wrong. Run '{command}' to see what is trusted, and why")


# What else has a say.


@pytest.fixture
def beside(tmp_path: Path):
    """A folder for PYTHONPATH in which these are installed, as far as their metadata says."""

    def install(**versions: str) -> str:
        for name, version in versions.items():
            folder = tmp_path / "beside" / f"{name}-{version}.dist-info"
            folder.mkdir(parents=True)
            (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        return str(tmp_path / "beside")

    return install


def test_libraries_that_certhook_does_not_reach_are_listed_with_what_serves_them(certhook, status, beside) -> None:
    path = beside(pyOpenSSL="25.0.0", grpcio="1.70.0", psycopg2_binary="2.9", requests="2.32")
    changed = {"PYTHONPATH": path, "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": "/roots.pem"}
    found = status(**changed)["libraries"]
    assert [(library["name"], library["version"], library["variables"]) for library in found] == [
        ("grpcio", "1.70.0", {"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": "/roots.pem"}),
        ("psycopg2-binary", "2.9", {"PGSSLROOTCERT": None}),
        ("pyOpenSSL", "25.0.0", {"SSL_CERT_FILE": None, "SSL_CERT_DIR": None}),
    ]
    shown = certhook(**changed).stdout
    assert support.shows(shown, "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=/roots.pem", "name its roots (not set)")
    assert all(support.shows(shown, library["served_by"]) for library in found)
    assert support.shows(shown, "'python -m certhook env'")


def test_where_every_library_is_reached_nothing_is_said_of_them(certhook, status) -> None:
    assert status()["libraries"] == []
    assert "certhook env" not in certhook().stdout


def test_what_changes_trust_by_being_installed_is_named(certhook, status, beside) -> None:
    path = beside(pip_system_certs="5.0", certifi_linux="1.0")
    found = [each for each in status(PYTHONPATH=path)["neighbours"] if not each["name"].endswith("customize")]
    assert [(each["name"], each["version"]) for each in found] == [
        ("certifi-linux", "1.0"),
        ("pip-system-certs", "5.0"),
    ]
    shown = certhook(PYTHONPATH=path).stdout
    assert "Beside certhook:\n" in shown
    assert all(support.shows(shown, f"{each['name']} {each['version']} {each['effect']}") for each in found)


def test_a_sitecustomize_of_somebody_else_is_named_and_the_drop_in_is_not(
    certhook, status, installed, tmp_path
) -> None:
    (tmp_path / "sitecustomize.py").touch()
    (found,) = (each for each in status(PYTHONPATH=str(tmp_path))["neighbours"] if each["name"] == "sitecustomize")
    assert found["effect"].startswith(f"{tmp_path / 'sitecustomize.py'} runs")
    drop_in = str(support.purelib(installed) / "certhook" / "bootstrap")
    assert "bootstrap" not in str(status(PYTHONPATH=drop_in)["neighbours"])


class Patcher:
    """What gevent and eventlet answer where they patched *name*."""

    def __init__(self, name: str) -> None:
        self.is_module_patched = self.is_monkey_patched = name.__eq__


@pytest.mark.parametrize(
    ("module", "patched", "name"),
    [("gevent.monkey", "ssl", "gevent"), ("eventlet.patcher", "socket", "eventlet")],
)
def test_who_patched_ssl_in_this_process_is_named(module, patched, name, monkeypatch) -> None:
    import ssl

    from certhook.cli import _libraries

    def names() -> list[str]:
        return [each["name"] for each in _libraries.neighbours(ssl)]

    assert name not in names()
    monkeypatch.setitem(sys.modules, module, Patcher("another"))
    assert name not in names()
    monkeypatch.setitem(sys.modules, module, Patcher(patched))
    assert name in names()


@pytest.mark.parametrize("module", ["truststore._api", "pip._vendor.truststore._api"])
def test_truststore_is_named_where_it_is_injected(module: str) -> None:
    from types import SimpleNamespace

    from certhook.cli import _libraries

    injected = SimpleNamespace(SSLContext=type("SSLContext", (), {"__module__": module}))
    (found,) = (each for each in _libraries.neighbours(injected) if each["name"] == "truststore")
    assert "the operating system verifies" in found["effect"]


# Any output.


@pytest.mark.parametrize("arguments", [(), ("--roots",)])
def test_it_fits_a_terminal_of_80_columns(arguments, certhook, beside, tmp_path) -> None:
    path = beside(grpcio="1.70.0", psycopg="3.2", niquests="3.0", pycurl="7.45", pyOpenSSL="25.0", certifi_linux="1.0")
    deep = tmp_path / ("folder of a long name/" * 5) / "missing.pem"
    done = certhook(*arguments, CERTHOOK_EXTRA_CA_CERTS=str(deep), PYTHONPATH=path)
    assert support.shows(done.stdout, deep)
    assert max(map(len, done.stdout.splitlines())) < 80


def test_text_of_characters_that_are_twice_as_wide_fits_as_well() -> None:
    text = "認証局" * 50 + " a " + "認証 " * 40 + "Re\u0301seau"
    lines = _terminal.wrapped(text, "  ", "    ")
    assert max(map(_terminal.columns, lines)) <= 80
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert len(lines) < 8


def test_colours_change_nothing_but_how_it_looks(status) -> None:
    import re

    from certhook.cli.status import render

    for found in (status(), status(CERTHOOK_MODE="both"), status(CERTHOOK_DISABLED="1")):
        coloured = render(found, colours=True)
        assert coloured != render(found)
        assert re.sub("\033\\[[0-9]+m", "", coloured) == render(found)


def test_what_is_no_terminal_gets_no_colours(certhook) -> None:
    assert "\033" not in certhook(TERM="xterm").stdout


def test_it_says_the_same_in_the_same_order_each_time(certhook) -> None:
    assert certhook("--json", PYTHONHASHSEED="1").stdout == certhook("--json", PYTHONHASHSEED="2").stdout


@pytest.mark.parametrize(
    "arguments, keys",
    [
        ("compile --directory {}/store", {"roots", "store"}),
        ("env bundle.pem", set(env.VARIABLES)),
        ("env --unset", set(env.VARIABLES)),
        ("export {}/roots.pem", {"path", "roots"}),
        ("freeze-bundle {}/module.py", {"path", "roots"}),
        ("freezer nuitka", {"path"}),
    ],
)
def test_what_was_done_is_told_to_a_program(certhook, tmp_path, arguments, keys) -> None:
    done = certhook("--json", *arguments.format(tmp_path).split())
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert set(found) == keys
    for name in {"path", "store"} & keys:
        assert os.path.exists(found[name])
    assert found.get("roots") in (None, 2, 3)


@pytest.mark.parametrize(
    "arguments",
    [
        "check nobody.invalid:0",
        "compile --directory missing.pem",
        "diff missing.pem missing.pem",
        "enable missing",
        "env missing.pem",
        "export missing/roots.pem",
        "freeze-bundle missing/module.py",
    ],
)
def test_what_fails_is_told_to_a_program_as_to_a_person(certhook, tmp_path, arguments) -> None:
    (tmp_path / "missing.pem").symlink_to(tmp_path / "nowhere")
    person, program = certhook(*arguments.split()), certhook("--json", *arguments.split())
    assert (program.returncode, program.stderr) == (person.returncode, person.stderr)
    assert program.returncode and program.stderr.startswith("certhook: ")
    assert not program.stdout or json.loads(program.stdout)["message"] in program.stderr


@pytest.mark.parametrize("verb", ["export", "freeze-bundle"])
def test_standard_output_has_either_what_was_written_or_what_was_done(certhook, verb) -> None:
    done = certhook(verb, "-", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "name a file" in done.stderr


@pytest.mark.parametrize("arguments", [("--json",), ("status", "--json"), ("--json", "status")])
def test_json_can_be_asked_for_before_and_behind_the_verb(arguments, certhook) -> None:
    assert json.loads(certhook(*arguments).stdout)["active"]


@posix
@pytest.mark.parametrize("arguments", [(), ("--json",)])
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", "utf-8:strict", "cp1252", "utf-16"])
def test_a_path_of_any_bytes_can_be_shown_in_any_encoding(encoding: str, arguments, certhook, tmp_path: Path) -> None:
    odd = os.path.join(str(tmp_path), os.fsdecode("认证 ".encode() + b"\xff.pem"))
    codec = encoding.partition(":")[0]
    done = certhook(*arguments, encoding=codec, PYTHONIOENCODING=encoding, CERTHOOK_EXTRA_CA_CERTS=odd)
    assert "Traceback" not in done.stderr
    assert done.returncode == 1
    assert support.shows(done.stdout, tmp_path)
    assert support.squeezed(done.stdout).endswith("}" if arguments else "throughit")


@posix
def test_a_process_without_an_output_has_its_exit_status(installed: Path, variables, tmp_path: Path) -> None:
    command = ["sh", "-c", 'exec "$0" -m certhook >&-', str(installed)]
    env = support.clean_env(**variables)
    done = subprocess.run(command, env=env, cwd=str(tmp_path), stderr=subprocess.PIPE, encoding="utf-8")
    assert (done.returncode, done.stderr) == (0, "")


# The command line.


def test_help_names_the_verbs_and_options(certhook) -> None:
    done = certhook("--help")
    assert done.returncode == 0
    assert "python -m certhook" in done.stdout
    for word in ("status", "run", "enable", "disable", "compile", "--json", "--version"):
        assert word in done.stdout


VERBS = ("status", "check", "run", "enable", "disable", "list", "diff", "export", "env", "compile", "freezer",
         "freeze-bundle")  # fmt: skip


@pytest.mark.parametrize("verb", [(), *((verb,) for verb in VERBS)])
def test_help_says_what_it_does_and_what_its_exit_status_means(verb, certhook) -> None:
    said = certhook(*verb, "--help").stdout
    _, description, *_ = said.split("\n\n")
    assert description.endswith(".") or "eval" in description
    assert "Exit status: " in " ".join(said.split())


def test_the_version_is_told(certhook) -> None:
    import certhook as package

    done = certhook("--version")
    assert (done.returncode, done.stdout) == (0, f"certhook {package.__version__}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("enable", "", "--yes"),
        ("disable", "", "--yes"),
        ("env", ""),
        ("export", ""),
        ("freeze-bundle", ""),
        ("compile", "--directory", ""),
        ("diff", "", ""),
    ],
)
def test_an_empty_argument_names_nothing(arguments, certhook, tmp_path) -> None:
    before = sorted(tmp_path.iterdir())
    done = certhook(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(": it is empty\n")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("arguments", [("stats",), ("--yaml",), ("status", "now")])
def test_what_it_does_not_know_is_refused(arguments, certhook) -> None:
    done = certhook(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert arguments[-1] in done.stderr
