"""certhook on Windows, by what CPython for Windows does under wine, with real stores and real handshakes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import hosts_table as table
import pytest
from expected import STOCK
from wine import UNDER_WINE

pytestmark = UNDER_WINE

STORE = re.compile("[0-9a-f]{40}")


def test_the_hook_is_active_and_the_stores_of_windows_are_the_systems(windows) -> None:
    windows.run("add('ROOT', 'system'), add('ROOT', 'both'), add('CA', 'stranger'); print(1)")
    status = windows.status()
    assert status["active"]
    assert status["enabled_by"].lower().endswith("\\lib\\site-packages\\certhook.pth")
    assert status["problems"] == []
    places = {place["path"]: place["anchors"] for place in status["places"]}
    assert places.pop("Windows CA store") == 1
    # Wine puts the roots of the machine that it runs on into the store as well.
    roots = places.pop("Windows ROOT store")
    assert roots >= 2
    assert status["anchors_by_source"] == {"system": roots + 1, "bundled": 2}
    assert status["anchors"] == roots + 2
    assert {path.replace("/", "\\").lower(): count for path, count in places.items()} == {
        "c:\\program files\\common files\\ssl\\cert.pem": 0,
        "c:\\program files\\common files\\ssl\\certs": 0,
        windows.path(windows.python / "Lib/site-packages/certifi/cacert.pem").lower(): 2,
    }


@pytest.mark.row("CPython for Windows, wine", "the .pth")
def test_the_roots_of_windows_and_those_of_the_bundle_are_trusted(windows, request) -> None:
    code = "[add('ROOT', name) for name in json.loads(os.environ['ROOTS'])]; print(json.dumps(trusted()))"
    for roots in (set(), STOCK):
        variables = {"ROOTS": json.dumps(sorted(roots))}
        chained, stock = (set(windows.run(code, **variables, **more)) for more in ({}, {"CERTHOOK_DISABLED": "1"}))
        assert (chained, stock) == ({*roots, "bundled", "both"}, roots)
        table.record(request.node, bool(roots), chained, stock)


def test_whom_a_default_context_trusts(windows, tmp_path, cas) -> None:
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
        ({"CERTHOOK_CACHE_DIR": "none"}, "system bundled both"),
        ({"CERTHOOK_EXTRA_CA_CERTS": both}, "system bundled both extra stranger"),
        ({"CERTHOOK_BUNDLE": windows.path(file)}, "system both extra"),
        ({"SSL_CERT_FILE": windows.path(file)}, "extra"),
        ({"SSL_CERT_FILE": windows.path(file), "CERTHOOK_SOURCES": "system,bundled"}, "bundled both extra"),
    ]
    code = """
add("ROOT", "system"), add("ROOT", "both")
answers = []
for variables in json.loads(os.environ["CASES"]):
    os.environ.update(variables)
    answers.append(" ".join(trusted()))
    for name in variables:
        del os.environ[name]
print(json.dumps(answers))
"""
    answers = windows.run(code, CASES=json.dumps([variables for variables, _ in cases]))
    assert [sorted(answer.split()) for answer in answers] == [sorted(expected.split()) for _, expected in cases]
    # Without certhook, for comparison.
    assert windows.run("print(json.dumps(trusted()))", CERTHOOK_DISABLED="1") == ["system", "both"]


def test_a_changed_store_is_seen_by_the_next_context(windows) -> None:
    code = """
answers = [trusted()]
add("ROOT", "system")
answers.append(trusted())
remove("ROOT", "system")
answers.append(trusted())
print(json.dumps(answers))
"""
    before, added, deleted = windows.run(code)
    assert before == deleted == ["bundled", "both"]
    assert added == ["system", "bundled", "both"]


def test_what_changes_in_place_is_seen_by_the_next_look_at_every_certificate(windows) -> None:
    code = """
from certhook._watch import windows as watch_windows
from certhook import _store
# A certificate for clients alone, and then the same for everything.
add("ROOT", "system", "1.3.6.1.5.5.7.3.2")
with winreg.OpenKey(*key("ROOT", "system")) as opened:
    for_clients = winreg.QueryValueEx(opened, "Blob")
remove("ROOT", "system"), add("ROOT", "system")
answers = [trusted()]
with winreg.OpenKey(*key("ROOT", "system"), 0, winreg.KEY_SET_VALUE) as opened:
    winreg.SetValueEx(opened, "Blob", 0, for_clients[1], for_clients[0])
_store.DEEP_LOOK_EVERY = 0
answers.append(trusted())
print(json.dumps(answers))
"""
    assert windows.run(code) == [["system", "bundled", "both"], ["bundled", "both"]]


def test_a_warm_process_reads_no_certificate(windows) -> None:
    code = """
read = []
enumerate_store = watch_windows.enumerate_store
watch_windows.enumerate_store = lambda store: read.append(store) or enumerate_store(store)
answer = trusted()
print(json.dumps([answer, read, "certhook._anchors" in sys.modules]))
"""
    windows.run("add('ROOT', 'system'); print(1)")
    everything = ["Disallowed", "CA", "ROOT"]
    # Wine puts the roots of the machine that it runs on into the registry whenever nobody has a store open.
    opened = f"import ssl, time; print(*map(ssl.enum_certificates, {everything}), flush=True); time.sleep(100)"
    holder = windows.start("-c", opened)
    try:
        holder.stdout.readline()
        answers = [windows.run(code) for _ in range(3)]
    finally:
        holder.kill()
        holder.communicate()
    assert answers == [
        [["system", "bundled", "both"], everything, True],  # makes the store
        [["system", "bundled", "both"], everything, False],  # looks at all of it for the first time
        [["system", "bundled", "both"], [], False],
    ]


def test_a_prebuilt_store_is_used(windows) -> None:
    windows.run("add('ROOT', 'system'); print(1)")
    folder = r"C:\users\Public\certhook"
    windows.finish(windows.start("-m", "certhook", "compile", "--directory", folder))
    code = """
from certhook._patch import STORE
print(json.dumps([trusted(), ssl.create_default_context().__dict__[STORE], "certhook._anchors" in sys.modules]))
"""
    trusted, store, has_read = windows.run(code, CERTHOOK_CACHE_DIR=folder)
    assert (trusted, has_read) == (["system", "bundled", "both"], False)
    assert store.startswith(folder)


def test_what_is_disallowed_is_refused_though_the_root_store_and_the_bundle_have_it(windows) -> None:
    code = """
add("ROOT", "system"), add("ROOT", "both")
answers = [trusted()]
for name in ("both", "bundled", "system"):
    add("Disallowed", name)
    answers.append(trusted())
remove("Disallowed", "system")
answers.append(trusted())
print(json.dumps(answers))
"""
    assert windows.run(code) == [["system", "bundled", "both"], ["system", "bundled"], ["system"], [], ["system"]]
    removed = windows.status()["distrusted"]
    assert [root["by"] for root in removed] == [["Windows Disallowed store"]] * 2


def test_a_root_that_windows_trusts_for_clients_alone_vouches_for_no_server(windows) -> None:
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


def test_no_path_of_another_system_is_ever_looked_at(windows) -> None:
    """Under wine, and in Cygwin's and MSYS2's folders, such paths may be there."""
    code = """
import builtins
import certhook
looked = set()
def watch(module, name):
    function = getattr(module, name)
    def watched(path, *args, **kwargs):
        if isinstance(path, (str, bytes)):
            looked.add(os.fsdecode(path))
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
print(json.dumps([sorted(looked), ssl._ssl.get_default_verify_paths(), sys.prefix]))
"""
    looked, compiled_in, prefix = windows.run(code)
    places = (compiled_in[1], compiled_in[3], prefix)
    assert set(compiled_in[1::2]) <= set(looked)
    allowed = (*places, "C:\\users\\", "C:\\Program Files")
    strange = [path for path in looked if path not in ("C:\\", "C:\\users") and not path.startswith(allowed)]
    assert strange == []


def test_contexts_are_pointed_at_a_compiled_store_in_the_users_local_data(windows) -> None:
    code = """
add("ROOT", "system")
from certhook._patch import STORE
context = ssl.create_default_context()
store = context.__dict__[STORE]
counted = len(context.get_ca_certs()), context.cert_store_stats()["x509_ca"]
os.environ["CERTHOOK_LOAD"] = "eager"
eager = ssl.create_default_context()
print(json.dumps([store, STORE in eager.__dict__, len(eager.get_ca_certs()), counted, os.environ["LOCALAPPDATA"]]))
"""
    store, is_pointed, eager, counted, local = windows.run(code)
    assert store.startswith(f"{local}\\certhook\\Cache\\") and not is_pointed
    assert counted == [eager, eager]
    (folder,) = filter(Path.is_dir, windows.cache.iterdir())
    assert STORE.fullmatch(folder.name) and store.endswith(folder.name)
    assert len([path for path in folder.iterdir() if path.suffix == ".0"]) >= 3


def test_a_damaged_store_is_mended(windows) -> None:
    code = """
from certhook import _store
from certhook._patch import STORE
_store.DEEP_LOOK_EVERY = 0
store = ssl.create_default_context().__dict__[STORE]
def content():
    return {name: open(os.path.join(store, name), "rb").read() for name in os.listdir(store)}
def write(name, data):
    with open(os.path.join(store, name), "wb") as file:
        file.write(data)
whole = content()
victim = min(name for name in whole if name.endswith(".0"))
damages = {
    "a file is gone": lambda: os.unlink(os.path.join(store, victim)),
    "a file is empty": lambda: write(victim, b""),
    "a foreign file": lambda: write("0badcafe.0", whole[victim]),
    "a folder": lambda: os.mkdir(os.path.join(store, "0badcafe.1")),
    "everything is gone": lambda: [os.unlink(os.path.join(store, name)) for name in whole],
}
answers = {}
for name, damage in damages.items():
    damage()
    assert sorted(os.listdir(store)) != sorted(whole) or content() != whole
    folders = [entry.name for entry in os.scandir(os.path.dirname(store)) if entry.is_dir()]
    answers[name] = [*trusted(), content() == whole, folders == [os.path.basename(store)]]
print(json.dumps(answers))
"""
    answers = windows.run(code)
    assert answers == {name: ["bundled", "both", True, True] for name in answers}
    assert len(answers) == 5


def test_processes_that_start_at_once_make_one_store(windows) -> None:
    code = "import ssl; context = ssl.create_default_context(); print(len(context.get_ca_certs()))"
    counts = [windows.finish(process) for process in [windows.start("-c", code) for _ in range(4)]]
    assert len(set(counts)) == 1
    assert sorted(re.sub("[0-9a-f]{8,}", "...", path.name) for path in windows.cache.iterdir()) == ["...", "index-..."]


def test_a_host_without_site_installs_the_hook_itself(windows, tmp_path) -> None:
    code = """
import certhook
before = certhook.is_installed()
certhook.install()
print(json.dumps([before, trusted()]))
"""
    assert windows.without_site(tmp_path / "python").run(code) == [False, ["bundled", "both"]]
