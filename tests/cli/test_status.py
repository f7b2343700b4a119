"""``python -m certhook status``: the state of an environment, as a report and as JSON."""

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

from certhook._config import SETTINGS

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
ROOT_KEYS = ("subject", "sha256", "not_before", "not_after", "listed_by")


@pytest.fixture
def status(certhook):
    """A function that returns the JSON object of ``python -m certhook --json``."""

    def run(**kwargs) -> dict:
        done = certhook("--json", **kwargs)
        found = json.loads(done.stdout)
        assert done.returncode == (0 if found["active"] and not found["problems"] else 1), done.stderr
        return found

    return run


def effect(found: dict, name: str) -> str:
    """Return the effect of one variable."""
    (variable,) = (variable for variable in found["variables"] if variable["name"] == name)
    return variable["effect"]


# JSON.


def test_the_json_object_has_stable_keys_and_types(status) -> None:
    found = status()
    assert list(found) == list(KEYS)
    for key, kind in KEYS.items():
        assert isinstance(found[key], kind), key
    assert {tuple(place) for place in found["places"]} == {("source", "path", "anchors", "note")}
    assert {tuple(variable) for variable in found["variables"]} == {("name", "value", "effect")}
    assert {tuple(root) for root in found["roots"]} == {ROOT_KEYS}


def test_an_active_hook_without_problems_is_success(status) -> None:
    found = status()
    assert found["active"]
    assert found["problems"] == []


def test_each_root_has_its_name_fingerprint_validity_and_locations(status, tmp_path, cas) -> None:
    by_sha256 = {root["sha256"]: root for root in status()["roots"]}
    for name, source, file in (("bundled", "bundled", "bundle"), ("extra", "extra", "extra")):
        expected = x509.load_pem_x509_certificate(cas.pem(name))
        root = by_sha256[expected.fingerprint(hashes.SHA256()).hex()]
        assert root["subject"] == expected.subject.rfc4514_string()
        assert root["not_before"].partition("+")[0] == expected.not_valid_before_utc.isoformat().partition("+")[0]
        assert root["not_after"] == expected.not_valid_after_utc.isoformat()
        assert root["listed_by"] == [{"source": source, "path": str(tmp_path / f"{file}.pem")}]


def test_distrusted_roots_are_listed_with_the_files_that_distrust_them(certhook, status, tmp_path, cas) -> None:
    rejecting = cas.der("bundled") + der.auxiliary(rejected=["1.3.6.1.5.5.7.3.1"])
    (tmp_path / "extra.pem").write_bytes(der.pem(rejecting, "TRUSTED CERTIFICATE"))
    (distrusted,) = status()["distrusted"]
    assert distrusted["by"] == [str(tmp_path / "extra.pem")]
    assert {"source": "bundled", "path": str(tmp_path / "bundle.pem")} in distrusted["listed_by"]
    shown = certhook().stdout
    assert "Distrusted root certificates:\n" in shown
    assert support.shows(shown, f"listed by bundled: {tmp_path}/bundle.pem", f"distrusted by {tmp_path}/extra.pem")


def test_the_interpreter_is_identified(status, installed: Path) -> None:
    found = status()
    assert found["executable"] == str(installed)
    assert found["python"] == sys.version.split()[0]
    assert "SSL" in found["openssl"]


def test_the_file_that_enabled_the_hook_is_identified(status, installed: Path, tmp_path: Path) -> None:
    (tmp_path / "certhook.pth").touch()  # A file in the working directory enables nothing.
    assert status()["enabled_by"] == str(support.purelib(installed) / "certhook.pth")


def test_every_source_has_a_count_and_every_location_a_path(status, variables, tmp_path: Path) -> None:
    (tmp_path / "hashed" / "00000000.0").touch()
    found = status()
    assert found["anchors"] == 4
    assert found["anchors_by_source"] == {"bundled": 2, "extra": 1, "system": 2}
    assert [(place["source"], place["path"], place["anchors"]) for place in found["places"]] == [
        ("system", variables["SSL_CERT_FILE"], 2),
        ("system", variables["SSL_CERT_DIR"], 1),
        ("bundled", variables["CERTHOOK_BUNDLE"], 2),
        ("extra", variables["CERTHOOK_EXTRA_CA_CERTS"], 1),
    ]


def test_a_location_without_roots_has_a_note_and_is_a_problem(certhook, status, tmp_path, cas) -> None:
    (tmp_path / "hashed" / support.hashed_name(cas.der("both"))).rename(tmp_path / "hashed" / "00000000.0")
    found = status()
    assert "openssl rehash" in found["places"][1]["note"]
    (problem,) = found["problems"]
    assert problem.startswith(f"SSL_CERT_DIR: {tmp_path / 'hashed'} ")
    assert support.shows(certhook().stdout, found["places"][1]["note"])


def test_without_variables_the_system_and_certifi_are_trusted(status, variables) -> None:
    found = status(**{**dict.fromkeys(variables), "CERTHOOK_CACHE_DIR": variables["CERTHOOK_CACHE_DIR"]})
    assert found["sources"] == ["system", "bundled"]
    assert found["mode"] == "chain"
    assert found["anchors_by_source"]["bundled"] > 50
    assert [Path(place["path"]).name for place in found["places"] if place["source"] == "bundled"] == ["cacert.pem"]
    assert [variable["name"] for variable in found["variables"]] == ["CERTHOOK_CACHE_DIR"]


def test_the_compiled_store_or_the_reason_for_its_absence_is_reported(certhook, status, tmp_path: Path) -> None:
    found = status()
    assert Path(found["store"]).parent == tmp_path / "cache"
    assert found["eager_because"] == ""
    assert support.shows(certhook().stdout, f"Contexts use the compiled store {found['store']}")
    for changed in ({"CERTHOOK_LOAD": "eager"}, {"CERTHOOK_CACHE_DIR": "none"}):
        found = status(**changed)
        assert found["store"] is None
        (expected,) = (f"{name}={value}" for name, value in changed.items())
        assert found["eager_because"] == expected
        assert f"Root certificates are loaded into each context: {expected}\n" in certhook(**changed).stdout


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_a_cache_directory_that_is_unsafe_is_a_problem(status, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o777)
    found = status()
    assert found["store"] is None
    assert "writable by other users" in found["eager_because"]
    (problem,) = found["problems"]
    assert str(tmp_path / "cache") in problem


@pytest.mark.parametrize("on_error", ["warn", "raise"])
def test_every_problem_is_reported(on_error: str, status, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.pem")
    found = status(CERTHOOK_MODE="both", CERTHOOK_EXTRA_CA_CERTS=missing, CERTHOOK_ON_ERROR=on_error)
    setting, source = found["problems"]
    assert setting.startswith("CERTHOOK_MODE: invalid value 'both'")
    assert source.startswith(f"CERTHOOK_EXTRA_CA_CERTS: {missing} ")
    assert found["anchors"] == 2


def test_a_root_that_openssl_rejects_is_a_problem_and_is_not_counted(status, variables) -> None:
    rejected = der.certificate(der.common_name("rejected"), key=b"\x30\0")
    with open(variables["CERTHOOK_BUNDLE"], "ab") as file:
        file.write(der.pem(rejected))
    found = status()
    (problem,) = found["problems"]
    assert "OpenSSL rejects it" in problem
    assert found["anchors_by_source"] == {"bundled": 2, "extra": 1, "system": 2}


def test_the_output_does_not_depend_on_the_hash_seed(certhook) -> None:
    assert certhook("--json", PYTHONHASHSEED="1").stdout == certhook("--json", PYTHONHASHSEED="2").stdout


# Variables.


@pytest.mark.parametrize(
    ("changed", "name", "expected"),
    [
        ({}, "CERTHOOK_BUNDLE", "replaces certifi's bundle"),
        ({"CERTHOOK_MODE": ""}, "CERTHOOK_MODE", "has no effect: it is empty"),
        ({"CERTHOOK_MODE": "both"}, "CERTHOOK_MODE", "invalid value 'both'"),
        ({"CERTHOOK_EXTRA_CA_CERTS": "extra.pem"}, "CERTHOOK_EXTRA_CA_CERTS", "relative path"),
        ({"CERTHOOK_DISABLED": "0"}, "CERTHOOK_DISABLED", "has no effect: its value means no"),
        ({"CERTHOOK_DISABLED": "1"}, "CERTHOOK_DISABLED", "disables certhook"),
        ({"NIX_SSL_CERT_FILE": "/roots.pem"}, "NIX_SSL_CERT_FILE", "has no effect: SSL_CERT_FILE"),
    ],
)
def test_a_variable_is_shown_with_its_effect(changed, name: str, expected: str, status) -> None:
    assert expected in effect(status(**changed), name)


def test_every_setting_that_is_set_is_shown_and_no_other_variable(status) -> None:
    found = status(**{setting.name: os.devnull for setting in SETTINGS}, CERTHOOKS="1", SSL_CERT="1")
    assert {variable["name"] for variable in found["variables"]} == {setting.name for setting in SETTINGS}
    assert all(variable["effect"] for variable in found["variables"])


def test_a_misspelt_variable_of_certhook_is_reported_with_a_suggestion(certhook, status) -> None:
    assert effect(status(CERTHOOK_EXTRA_CERTS="1"), "CERTHOOK_EXTRA_CERTS").startswith("has no effect")
    shown = certhook(CERTHOOK_EXTRA_CERTS="1").stdout
    expected = "has no effect: certhook has no such variable; did you mean CERTHOOK_EXTRA_CA_CERTS?"
    assert support.shows(shown, f"CERTHOOK_EXTRA_CERTS=1 {expected}")


# An inactive hook.


def test_without_site_the_hook_is_inactive(status, installed: Path) -> None:
    found = status(flags=("-S",), PYTHONPATH=str(support.purelib(installed)))
    assert not found["active"]
    assert not found["disabled"]
    assert found["enabled_by"] is None
    assert found["anchors"] == 4  # The roots that would be trusted.


def test_certhook_disabled_is_recognised(status) -> None:
    found = status(CERTHOOK_DISABLED="1")
    assert not found["active"]
    assert found["disabled"]
    assert found["enabled_by"] is None


def test_a_host_that_installs_the_hook_is_identified(installed: Path, variables, tmp_path: Path) -> None:
    code = "import certhook, sys; certhook.install(); from certhook.cli import main; sys.exit(main(['--json']))"
    env = support.clean_env(PYTHONPATH=str(support.purelib(installed)), **variables)
    found = json.loads(support.run(installed, code, "-S", env=env, cwd=str(tmp_path)).stdout)
    assert found["active"]
    assert found["enabled_by"] == "certhook.install()"


# The report.


@pytest.mark.parametrize("arguments", [(), ("status",)])
def test_the_report_shows_activation_sources_locations_and_variables(arguments, certhook, status, variables) -> None:
    done = certhook(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert support.shows(done.stdout, f"Active, enabled by {status()['enabled_by']}")
    assert "Trusted root certificates: 4 (sources: system, bundled; mode: chain)\n" in done.stdout
    for line in ("2 listed by bundled", "2 listed by system", "1 listed by extra", "1 listed only by bundled"):
        assert f"     {line}\n" in done.stdout
    assert support.shows(done.stdout, f"2 bundled: {variables['CERTHOOK_BUNDLE']}")
    assert support.shows(done.stdout, f"1 extra: {variables['CERTHOOK_EXTRA_CA_CERTS']}")
    assert support.shows(done.stdout, f"CERTHOOK_BUNDLE={variables['CERTHOOK_BUNDLE']} replaces certifi's bundle")
    assert done.stdout.endswith("No problems.\n")


def test_the_option_roots_lists_every_root_in_full(certhook, status) -> None:
    shown = certhook("--roots").stdout
    assert all(f"  {root['subject']}\n       SHA-256 {root['sha256']}\n" in shown for root in status()["roots"])
    assert "SHA-256" not in certhook().stdout


def test_the_report_ends_with_the_problems(certhook, tmp_path: Path) -> None:
    done = certhook(CERTHOOK_EXTRA_CA_CERTS=str(tmp_path / "missing.pem"))
    assert done.returncode == 1
    _, _, problems = done.stdout.partition("Problems:\n")
    expected = f"CERTHOOK_EXTRA_CA_CERTS: {tmp_path / 'missing.pem'} cannot"
    assert support.squeezed(problems).startswith(support.squeezed(expected))


def test_the_report_explains_why_certhook_is_inactive(certhook, installed: Path) -> None:
    assert "Not active: CERTHOOK_DISABLED is set\n" in certhook(CERTHOOK_DISABLED="1").stdout
    shown = certhook(flags=("-S",), PYTHONPATH=str(support.purelib(installed))).stdout
    assert "Not active: nothing has enabled certhook" in shown
    assert support.shows(shown, "pip install certhook", "python -m certhook enable")


# Other software.


@pytest.fixture
def metadata(tmp_path: Path):
    """A function that writes the metadata of installed packages, and returns their directory for PYTHONPATH."""

    def write(**versions: str) -> str:
        for name, version in versions.items():
            directory = tmp_path / "packages" / f"{name}-{version}.dist-info"
            directory.mkdir(parents=True)
            (directory / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        return str(tmp_path / "packages")

    return write


def test_libraries_that_certhook_does_not_reach_are_listed_with_a_remedy(certhook, status, variables, metadata) -> None:
    path = metadata(pyOpenSSL="25.0.0", grpcio="1.70.0", psycopg2_binary="2.9", requests="2.32")
    changed = {"PYTHONPATH": path, "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": "/roots.pem"}
    found = status(**changed)["libraries"]
    system = {name: variables[name] for name in ("SSL_CERT_FILE", "SSL_CERT_DIR")}
    assert [(library["name"], library["version"], library["variables"]) for library in found] == [
        ("grpcio", "1.70.0", {"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": "/roots.pem"}),
        ("psycopg2-binary", "2.9", {"PGSSLROOTCERT": None}),
        ("pyOpenSSL", "25.0.0", system),
    ]
    shown = certhook(**changed).stdout
    assert support.shows(shown, "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=/roots.pem", "PGSSLROOTCERT=(not set)")
    assert all(support.shows(shown, library["served_by"]) for library in found)
    assert support.shows(shown, "'python -m certhook env'")


def test_without_such_libraries_the_report_has_no_section_for_them(certhook, status) -> None:
    assert status()["libraries"] == []
    assert "does not reach" not in certhook().stdout


def test_packages_that_change_trust_are_listed_with_their_effect(certhook, status, metadata) -> None:
    path = metadata(pip_system_certs="5.0", certifi_linux="1.0")
    found = [one for one in status(PYTHONPATH=path)["neighbours"] if not one["name"].endswith("customize")]
    assert [(one["name"], one["version"]) for one in found] == [("certifi-linux", "1.0"), ("pip-system-certs", "5.0")]
    shown = certhook(PYTHONPATH=path).stdout
    assert "Other software:\n" in shown
    assert all(support.shows(shown, f"{one['name']} {one['version']} {one['effect']}") for one in found)


def test_a_foreign_sitecustomize_is_listed_and_the_drop_in_is_not(status, installed, tmp_path) -> None:
    (tmp_path / "sitecustomize.py").touch()
    (found,) = (one for one in status(PYTHONPATH=str(tmp_path))["neighbours"] if one["name"] == "sitecustomize")
    assert found["effect"] == f"{tmp_path / 'sitecustomize.py'} runs at every start of this interpreter"
    drop_in = str(support.purelib(installed) / "certhook" / "bootstrap")
    assert "bootstrap" not in str(status(PYTHONPATH=drop_in)["neighbours"])


@pytest.fixture
def neighbours_after(status, tmp_path):
    """A function that returns the other software in a process that has run *code* at start-up."""

    def run(code: str) -> dict[str, str]:
        (tmp_path / "sitecustomize.py").write_text(code)
        found = status(PYTHONPATH=str(tmp_path))["neighbours"]
        return {one["name"]: one["effect"] for one in found if one["name"] != "sitecustomize"}

    return run


@pytest.mark.parametrize(
    ("module", "function", "patched", "name"),
    [
        ("gevent.monkey", "is_module_patched", "ssl", "gevent"),
        ("eventlet.patcher", "is_monkey_patched", "socket", "eventlet"),
    ],
)
def test_a_library_that_patched_ssl_is_listed(module, function, patched, name, neighbours_after) -> None:
    code = "import sys, types; sys.modules[{!r}] = types.SimpleNamespace({}={!r}.__eq__)"
    assert neighbours_after(code.format(module, function, "another module")) == {}
    assert list(neighbours_after(code.format(module, function, patched))) == [name]


@pytest.mark.parametrize("module", ["truststore._api", "pip._vendor.truststore._api"])
def test_an_injected_truststore_is_listed(module: str, neighbours_after) -> None:
    code = f"import ssl; ssl.SSLContext = type('SSLContext', (ssl.SSLContext,), {{'__module__': {module!r}}})"
    assert "the operating system verifies" in neighbours_after(code)["truststore"]


# Layout and colours.


@pytest.mark.parametrize("arguments", [(), ("--roots",)])
def test_the_report_fits_a_terminal_of_80_columns(arguments, certhook, metadata, tmp_path) -> None:
    path = metadata(grpcio="1.7", psycopg="3.2", niquests="3.0", pycurl="7.45", pyOpenSSL="25.0", certifi_linux="1.0")
    deep = tmp_path / ("a long name of a directory/" * 5) / "missing.pem"
    done = certhook(*arguments, CERTHOOK_EXTRA_CA_CERTS=str(deep), PYTHONPATH=path)
    assert support.shows(done.stdout, deep)
    assert max(map(len, done.stdout.splitlines())) < 80


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "\033[32mActive\033[0m, enabled"),
        ({}, "\033[32mNo problems.\033[0m"),
        ({"CERTHOOK_MODE": "both"}, "\033[31mProblems:\033[0m"),
        ({"CERTHOOK_DISABLED": "1"}, "\033[31mNot active\033[0m: "),
    ],
)
def test_colours_mark_the_important_words_and_change_no_text(changed, expected, certhook, on_terminal) -> None:
    shown = on_terminal(**changed)
    assert expected in shown
    for code in ("\033[31m", "\033[32m", "\033[1m", "\033[0m"):
        shown = shown.replace(code, "")
    assert shown == certhook(**changed).stdout


# The command in a warning.


def test_a_warning_names_a_command_that_explains_it(installed, tmp_path) -> None:
    missing = str(tmp_path / "missing.pem")
    env = support.clean_env(CERTHOOK_EXTRA_CA_CERTS=missing)
    done = support.run(installed, "import ssl; ssl.create_default_context()", env=env)
    (line, *_) = done.stderr.splitlines()
    assert line.endswith(f". Run '{installed} -m certhook' for details")
    command = line.rpartition("Run '")[2].partition("'")[0].split()
    shown = subprocess.run(command, env=env, cwd=str(tmp_path), capture_output=True, text=True, timeout=60).stdout
    assert support.shows(shown, "Problems:", f"CERTHOOK_EXTRA_CA_CERTS: {missing}")


@pytest.mark.parametrize(
    ("executable", "is_frozen", "command"),
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
def test_the_command_in_a_warning_names_the_interpreter_if_it_has_a_path(
    executable, is_frozen, command, monkeypatch
) -> None:
    import ssl

    import certhook

    monkeypatch.setenv("CERTHOOK_SOURCES", "bundled")
    monkeypatch.setenv("CERTHOOK_MODE", "both")
    monkeypatch.setattr(sys, "executable", executable)
    if is_frozen:
        monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.warns(certhook.CerthookWarning) as shown:
        certhook.load_default_certs(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    assert str(shown[0].message).endswith(f"; using fallback. Run '{command}' for details")
