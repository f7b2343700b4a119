"""certhook in CPython for Windows under wine, with real certificate stores and real handshakes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import interpreter_table
import pytest
from embedded_support import WITHOUT_CERTHOOK
from wine import RERUN_IF_WINESERVER_DIES

pytestmark = RERUN_IF_WINESERVER_DIES

STORE_NAME = re.compile("[0-9a-f]{40}")


def test_status_lists_the_windows_stores_as_the_systems_store(windows) -> None:
    windows.run("add('ROOT', 'system'), add('ROOT', 'both'), add('CA', 'stranger'); print(1)")
    status = windows.status()
    assert status["active"]
    assert status["enabled_by"].lower().endswith("\\lib\\site-packages\\certhook.pth")
    assert status["problems"] == []
    places = {place["path"]: place["root_count"] for place in status["locations"]}
    assert places.pop("Windows CA store") == 1
    # Wine adds the roots of the machine to the store.
    roots = places.pop("Windows ROOT store")
    assert roots >= 2
    assert status["trusted_count_by_source"] == {"system": roots + 1, "bundled": 2}
    assert status["trusted_count"] == roots + 2
    assert {path.replace("/", "\\").lower(): count for path, count in places.items()} == {
        "c:\\program files\\common files\\ssl\\cert.pem": 0,
        "c:\\program files\\common files\\ssl\\certs": 0,
        windows.path(windows.python / "Lib/site-packages/certifi/cacert.pem").lower(): 2,
    }


@pytest.mark.row("CPython for Windows, wine", "the .pth")
def test_the_roots_of_windows_and_of_the_bundle_are_trusted(windows, request) -> None:
    code = "[add('ROOT', name) for name in json.loads(os.environ['ROOTS'])]; print(json.dumps(trusted()))"
    for roots in (set(), WITHOUT_CERTHOOK):
        variables = {"ROOTS": json.dumps(sorted(roots))}
        hooked = set(windows.run(code, **variables))
        stock = set(windows.run(code, **variables, CERTHOOK_DISABLED="1"))
        assert (hooked, stock) == ({*roots, "bundled", "both"}, roots)
        interpreter_table.record(request.node, bool(roots), hooked, stock)


def test_the_settings_determine_the_roots_that_a_default_context_trusts(windows, tmp_path, cas) -> None:
    file, other = tmp_path / "a.pem", tmp_path / "b.pem"
    file.write_bytes(cas.pem("extra"))
    other.write_bytes(cas.pem("stranger"))
    both = f"{windows.path(file)};{windows.path(other)}"
    cases = [
        ({}, "system bundled both"),
        ({"CERTHOOK_SOURCES": "system"}, "system both"),
        ({"CERTHOOK_SOURCES": "bundled"}, "bundled both"),
        ({"CERTHOOK_MODE": "fallback"}, "system both"),
        ({"CERTHOOK_LOAD": "eager"}, "system bundled both"),
        ({"CERTHOOK_STORE_DIR": "none"}, "system bundled both"),
        ({"CERTHOOK_EXTRA_CA_CERTS": both}, "system bundled both extra stranger"),
        ({"CERTHOOK_BUNDLE": windows.path(file)}, "system both extra"),
        ({"SSL_CERT_FILE": windows.path(file)}, "system both extra"),
        ({"SSL_CERT_FILE": windows.path(file), "CERTHOOK_SOURCES": "system,bundled"}, "system bundled both extra"),
    ]
    code = """
add("ROOT", "system"), add("ROOT", "both")
results = []
for variables in json.loads(os.environ["CASES"]):
    os.environ.update(variables)
    results.append(" ".join(trusted()))
    for name in variables:
        del os.environ[name]
print(json.dumps(results))
"""
    results = windows.run(code, CASES=json.dumps([variables for variables, _ in cases]))
    assert [sorted(result.split()) for result in results] == [sorted(expected.split()) for _, expected in cases]
    # The result without certhook, for comparison.
    assert windows.run("print(json.dumps(trusted()))", CERTHOOK_DISABLED="1") == ["system", "both"]


def test_the_next_context_uses_the_changed_store(windows) -> None:
    code = """
from certhook import _watch
_watch.INTERVAL = 0
results = [trusted()]
add("ROOT", "system")
results.append(trusted())
remove("ROOT", "system")
results.append(trusted())
print(json.dumps(results))
"""
    before, added, deleted = windows.run(code)
    assert before == deleted == ["bundled", "both"]
    assert added == ["system", "bundled", "both"]


def test_a_certificate_changed_in_place_is_detected_by_the_next_full_check(windows) -> None:
    code = """
from certhook import _store, _watch
# Add the certificate for client authentication only, save its properties, and add it again for all purposes.
add("ROOT", "system", "1.3.6.1.5.5.7.3.2")
with winreg.OpenKey(*key("ROOT", "system")) as opened:
    client_only = winreg.QueryValueEx(opened, "Blob")
remove("ROOT", "system"), add("ROOT", "system")
results = [trusted()]
with winreg.OpenKey(*key("ROOT", "system"), 0, winreg.KEY_SET_VALUE) as opened:
    winreg.SetValueEx(opened, "Blob", 0, client_only[1], client_only[0])
_watch.INTERVAL = _watch.RARE_INTERVAL = _store.RARE_INTERVAL = 0
results.append(trusted())
print(json.dumps(results))
"""
    assert windows.run(code) == [["system", "bundled", "both"], ["bundled", "both"]]


def test_a_warm_process_reads_no_certificate(windows) -> None:
    code = """
from certhook._watch import windows as watch_windows
read = []
enumerate_store = watch_windows.enumerate_store
watch_windows.enumerate_store = lambda store: read.append(store) or enumerate_store(store)
ssl.create_default_context()
found = [*read], "certhook._sources" in sys.modules
# A server that is not verified causes a check of everything.
print(json.dumps([trusted(), *found]))
"""
    windows.run("add('ROOT', 'system'); print(1)")
    everything = ["Disallowed", "CA", "ROOT"]
    # Wine adds the roots of the machine to the registry whenever no process has a store open.
    opened = f"import ssl, time; print(*map(ssl.enum_certificates, {everything}), flush=True); time.sleep(100)"
    holder = windows.start("-c", opened)
    try:
        holder.stdout.readline()
        results = [windows.run(code) for _ in range(3)]
    finally:
        holder.kill()
        holder.communicate()
    assert results == [
        [["system", "bundled", "both"], everything, True],  # builds the store
        [["system", "bundled", "both"], everything, False],  # performs the first full check
        [["system", "bundled", "both"], [], False],
    ]


def test_a_prebuilt_store_is_used(windows) -> None:
    windows.run("add('ROOT', 'system'); print(1)")
    directory = r"C:\users\Public\certhook"
    windows.finish(windows.start("-m", "certhook", "compile", "--directory", directory))
    code = """
from certhook._state import markers_of
found = markers_of(ssl.create_default_context()).store, "certhook._sources" in sys.modules
# A server that is not verified causes a check of everything, and wine changes the registry.
print(json.dumps([trusted(), *found]))
"""
    trusted, store, has_read = windows.run(code, CERTHOOK_STORE_DIR=directory)
    assert (trusted, has_read) == (["system", "bundled", "both"], False)
    assert store.startswith(directory)


def test_a_disallowed_root_is_distrusted_even_if_the_root_store_or_the_bundle_contains_it(windows) -> None:
    code = """
add("ROOT", "system"), add("ROOT", "both")
results = [trusted()]
for name in ("both", "bundled", "system"):
    add("Disallowed", name)
    results.append(trusted())
remove("Disallowed", "system")
results.append(trusted())
print(json.dumps(results))
"""
    assert windows.run(code) == [["system", "bundled", "both"], ["system", "bundled"], ["system"], [], ["system"]]
    removed = windows.status()["distrusted"]
    assert [root["distrusted_by"] for root in removed] == [["Windows Disallowed store"]] * 2


def test_a_root_that_windows_trusts_only_for_client_authentication_is_not_trusted_for_servers(windows) -> None:
    code = """
add("ROOT", "system", "1.3.6.1.5.5.7.3.2"), add("ROOT", "extra", "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.4")
import certhook
counts = []
for purpose in (ssl.Purpose.SERVER_AUTH, ssl.Purpose.CLIENT_AUTH):
    ders = {anchor.der for anchor in certhook.trust_set(purpose).anchors}
    counts.append([name for name, der in DERS.items() if der in ders])
print(json.dumps([trusted(), *counts]))
"""
    assert [sorted(names) for names in windows.run(code)] == [
        ["both", "bundled", "extra"],
        ["both", "bundled", "extra"],
        ["system"],
    ]


def test_no_path_of_another_operating_system_is_accessed(windows) -> None:
    """Such paths may exist under wine and in the directories of Cygwin and MSYS2."""
    code = """
import builtins
import certhook
accessed = set()
def watch(module, name):
    function = getattr(module, name)
    def watched(path, *args, **kwargs):
        if isinstance(path, (str, bytes)):
            accessed.add(os.fsdecode(path))
        return function(path, *args, **kwargs)
    setattr(module, name, watched)
for name in ("stat", "lstat", "open", "listdir", "scandir", "access", "readlink"):
    watch(os, name)
for name in ("exists", "lexists", "isfile", "isdir", "islink", "abspath", "realpath"):
    watch(os.path, name)
watch(builtins, "open")
os.chdir("Z:\\\\")
trusted()
certhook.trust_set(ssl.Purpose.CLIENT_AUTH)
ssl.get_default_verify_paths()
print(json.dumps([sorted(accessed), ssl._ssl.get_default_verify_paths(), sys.prefix]))
"""
    accessed, compiled_in, prefix = windows.run(code)
    assert set(compiled_in[1::2]) <= set(accessed)
    allowed = (*compiled_in[1::2], prefix, "C:\\users\\", "C:\\Program Files")
    unexpected = [path for path in accessed if path not in ("C:\\", "C:\\users") and not path.startswith(allowed)]
    assert unexpected == []


def test_contexts_use_a_compiled_store_in_the_users_local_application_data(windows) -> None:
    code = """
add("ROOT", "system")
from certhook._state import markers_of
context = ssl.create_default_context()
store = markers_of(context).store
counts = len(context.get_ca_certs()), context.cert_store_stats()["x509_ca"]
os.environ["CERTHOOK_LOAD"] = "eager"
eager = ssl.create_default_context()
print(json.dumps([store, bool(markers_of(eager).store), len(eager.get_ca_certs()), counts, os.environ["LOCALAPPDATA"]]))
"""
    store, eager_uses_store, eager_count, counts, local = windows.run(code)
    assert store.startswith(f"{local}\\certhook\\Data\\") and not eager_uses_store
    assert counts == [eager_count, eager_count]
    (directory,) = filter(Path.is_dir, windows.cache.iterdir())
    assert STORE_NAME.fullmatch(directory.name) and store.endswith(directory.name)
    assert len([path for path in directory.iterdir() if path.suffix == ".0"]) >= 3


def test_a_damaged_store_is_repaired(windows) -> None:
    code = """
from certhook import _store, _watch
from certhook._state import markers_of
_watch.INTERVAL = _watch.RARE_INTERVAL = _store.RARE_INTERVAL = 0
store = markers_of(ssl.create_default_context()).store
def content():
    return {name: open(os.path.join(store, name), "rb").read() for name in os.listdir(store)}
def write(name, data):
    with open(os.path.join(store, name), "wb") as file:
        file.write(data)
intact = content()
victim = min(name for name in intact if name.endswith(".0"))
damages = {
    "a missing file": lambda: os.unlink(os.path.join(store, victim)),
    "an empty file": lambda: write(victim, b""),
    "an additional file": lambda: write("0badcafe.0", intact[victim]),
    "a directory": lambda: os.mkdir(os.path.join(store, "0badcafe.1")),
    "an empty store": lambda: [os.unlink(os.path.join(store, name)) for name in intact],
}
results = {}
for name, damage in damages.items():
    damage()
    assert sorted(os.listdir(store)) != sorted(intact) or content() != intact
    directories = [entry.name for entry in os.scandir(os.path.dirname(store)) if entry.is_dir()]
    results[name] = [*trusted(), content() == intact, directories == [os.path.basename(store)]]
print(json.dumps(results))
"""
    results = windows.run(code)
    assert results == {name: ["bundled", "both", True, True] for name in results}
    assert len(results) == 5


def test_concurrent_processes_build_one_store(windows) -> None:
    code = "import ssl; context = ssl.create_default_context(); print(len(context.get_ca_certs()))"
    counts = [windows.finish(process) for process in [windows.start("-c", code) for _ in range(4)]]
    assert len(set(counts)) == 1
    assert sorted(re.sub("[0-9a-f]{8,}", "...", path.name) for path in windows.cache.iterdir()) == ["...", "index-..."]


def test_a_host_without_site_can_install_the_hook(windows, tmp_path) -> None:
    code = """
import certhook
before = certhook.is_installed()
certhook.install()
print(json.dumps([before, trusted()]))
"""
    assert windows.without_site(tmp_path / "python").run(code) == [False, ["bundled", "both"]]
