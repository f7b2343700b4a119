"""``certhook audit``: real installations that were modified in every way."""

from __future__ import annotations

import base64
import dis
import hashlib
import importlib.util
import json
import marshal
import opcode
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import support

from certhook.cli.audit import bytecode, report
from certhook.cli.audit.access import Access
from certhook.cli.audit.distributions import WHEEL, Distribution, problems
from certhook.cli.audit.problem import Problem, as_json
from certhook.cli.audit.record import Verifier

posix = pytest.mark.skipif(os.name != "posix", reason="Windows has no modes")

#: A user who does not exist.
OTHER_USER = 54321


def audit(python: Path, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the verb in an isolated interpreter, or with *variables* that affect Python in one that is not."""
    flags = () if any(name.startswith("PYTHON") for name in variables) else ("-I",)
    return support.run_command(python, *flags, "-m", "certhook", "audit", *options, env=support.clean_env(**variables))


def examine(python: Path, **variables: str) -> dict[str, Any]:
    done = audit(python, "--json", **variables)
    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert (done.returncode, found["verified"]) == ((1, False) if found["findings"] else (0, True))
    return found


def problem_of(found: dict[str, Any], path: object, text: str = "") -> dict[str, Any] | None:
    """Return the problem about *path* that contains *text*, None if there is none."""
    for problem in found["findings"]:
        if str(path) in problem["paths"] and text in problem["finding"]:
            assert problem["remedy"]
            return problem
    return None


# An unmodified installation.


@pytest.fixture(scope="module")
def clean(installed_unmeasured: Path) -> dict[str, Any]:
    return examine(installed_unmeasured)


def test_an_unmodified_installation_is_verified(clean) -> None:
    assert clean["findings"] == []
    certhook, certifi = clean["distributions"][:2]
    assert (certhook["name"], certhook["kind"], certifi["name"], certifi["kind"]) == (
        "certhook",
        "wheel",
        "certifi",
        "wheel",
    )
    assert certhook["verified_file_count"] > 200
    assert certifi["finder"].endswith("PathFinder")


def test_the_report_contains_the_start_up_line_and_the_limit(installed_unmeasured) -> None:
    done = audit(installed_unmeasured)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("VERIFIED: ")
    assert "    import certhook; certhook.start()\n" in done.stdout
    assert support.shows(done.stdout, "a modified certhook can print anything")


def test_the_start_up_file_and_the_modules_have_their_sha256(clean, installed_unmeasured) -> None:
    site_packages = support.purelib(installed_unmeasured)
    (start,) = clean["start_files"]
    assert start["path"] == str(site_packages / "certhook.pth")
    assert start["sha256"] == hashlib.sha256((site_packages / "certhook.pth").read_bytes()).hexdigest()
    for modules in clean["modules"].values():
        for module in modules:
            assert module["sha256"] == hashlib.sha256(Path(module["path"]).read_bytes()).hexdigest()


def test_the_listed_modules_are_those_that_run(clean, installed_unmeasured, tmp_path) -> None:
    """Also the documentation lists them: see tests/test_security_page.py."""
    stages = ["", "import ssl", "import ssl; ssl.create_default_context()"]
    env = support.clean_env(CERTHOOK_STORE_DIR=str(tmp_path / "store"))
    for _ in range(2):  # The first process builds the store, and the second one verifies it.
        support.run(installed_unmeasured, stages[-1], env=env)
    listed = {"certhook._path_values"}  # only for CERTHOOK_STORE_DIR
    for code, modules in zip(stages, clean["modules"].values()):
        listed.update(module["module"] for module in modules)
        shown = f"{code}\nimport sys; print(*[name for name in sys.modules if name.partition('.')[0] == 'certhook'])"
        assert {*support.run(installed_unmeasured, shown, env=env).stdout.split()} | {"certhook._path_values"} == listed


def test_invalid_arguments_are_refused(installed_unmeasured) -> None:
    assert audit(installed_unmeasured, "now").returncode == 2


# A modified installation: all modifications are examined in one run.


@pytest.fixture(scope="module")
def modified(installed_unmeasured: Path, tmp_path_factory: pytest.TempPathFactory) -> support.Environment:
    return support.copy_environment(installed_unmeasured, tmp_path_factory.mktemp("audit") / "modified")


@pytest.fixture(scope="module")
def found(modified: support.Environment) -> dict[str, Any]:
    package, site_packages = modified.package, modified.site_packages
    with open(package / "_native_chain.py", "a") as file:
        file.write("# a change\n")
    (package / "_native_modes.py").unlink()
    (package / "_added.py").write_text("")
    (package / "_native.abi3.so").write_bytes(b"\x7fELF")
    (package / "_added.pyc").write_bytes(b"")
    (package / "_added").mkdir()
    (package / "_added" / "__init__.py").write_text("")
    (package / "_link").symlink_to(os.sep)
    compiled = modified.compiled("_explain").read_bytes()
    assert compiled[:4] == importlib.util.MAGIC_NUMBER
    source = (package / "_explain.py").read_text().replace('"unable to', '"able to', 1) + "\nx = 1\n"
    code = compile(source, str(package / "_explain.py"), "exec", dont_inherit=True)
    modified.compiled("_explain").write_bytes(compiled[:16] + marshal.dumps(code))
    modified.compiled("_peer").write_bytes(compiled[:16] + b"garbage")
    (package / "__pycache__" / "_text.cpython-27.pyc").write_bytes(b"")
    (site_packages / "certhook.pth").write_text("import certhook; certhook.start()\nimport os\n")
    (site_packages / "zz.pth").write_text("import certhook; certhook.start('again')\n")
    (site_packages / "sitecustomize.py").write_text("import certhook\n")
    (modified.python.parents[1] / "certhook").mkdir()
    (site_packages / "unrelated.pth").write_text("# import certhook\n../../../certhook\nimport os\n")
    (site_packages / "form_feed.pth").write_bytes(b"# \x0cimport os\n")
    (site_packages / "byte_order_mark.pth").write_bytes(b"\xef\xbb\xbfimport os\n")
    (site_packages / ".pth").write_text("import os\n")
    (site_packages / "usercustomize").mkdir()
    (site_packages / "usercustomize" / "__init__.py").write_text("x = 1\n")
    second = site_packages / "certhook-0.0.9.dist-info"
    second.mkdir()
    (second / "METADATA").write_text("Name: certhook\nVersion: 0.0.9\n")
    if os.name == "posix":
        os.chmod(package / "_clients", 0o777)
        os.chmod(package / "_text.py", 0o666)
        os.chmod(site_packages / "certhook.pth", 0o646)
        os.chmod(site_packages / "unrelated.pth", 0o666)
        os.chmod(modified.python.parents[1] / "pyvenv.cfg", 0o666)
    if os.name == "posix" and os.geteuid() == 0:
        os.chown(package / "_peer.py", OTHER_USER, -1)
    return examine(modified.python)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("certhook/_native_chain.py", "differs from the hash in RECORD"),
        ("certhook/_native_modes.py", "is listed in RECORD, but missing"),
        ("certhook/_added.py", "is not listed in RECORD"),
        ("certhook/_native.abi3.so", "is not listed in RECORD"),
        ("certhook/_added/__init__.py", "is not listed in RECORD"),
        ("certhook/_link", "is not listed in RECORD"),
        ("certhook/_added.pyc", "is a compiled module without a verified source"),
        ("certhook.pth", "differs from the hash in RECORD"),
        ("certhook.pth", "differs from the line 'import certhook; certhook.start()'"),
        ("zz.pth", "mentions certhook, but is not its start-up file"),
        ("sitecustomize.py", "mentions certhook, and its content cannot be verified"),
        ("certhook-0.0.9.dist-info", "describes a second installation of certhook"),
        pytest.param("certhook/_clients", "can be modified by every user (mode 777)", marks=posix),
        pytest.param("certhook/_text.py", "can be modified by every user (mode 666)", marks=posix),
        pytest.param("unrelated.pth", "can be modified by every user (mode 666)", marks=posix),
        pytest.param("certhook.pth", "can be modified by every user (mode 646)", marks=posix),
    ],
)
def test_a_modification_is_found(name, text, modified, found) -> None:
    assert problem_of(found, modified.site_packages / name, text), found["findings"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("_explain", "contains other code than its source"),
        ("_peer", "contains no valid byte code"),
        ("_native_modes", "is a compiled module without a verified source"),
    ],
)
def test_a_modified_compiled_module_is_found(name, text, modified, found) -> None:
    assert problem_of(found, modified.compiled(name), text), found["findings"]


def test_a_file_of_another_user_is_found(root, modified, found) -> None:
    problem = problem_of(found, modified.package / "_peer.py", f"belongs to user {OTHER_USER}")
    assert problem is not None
    assert "run 'certhook audit' as that user" in problem["remedy"]


def test_other_files_are_no_problem(modified, found) -> None:
    """The compiled module of another version, which this Python does not execute, and other .pth files."""
    expected = {"_added", "_added.py", "_added.pyc", "__init__.py", "_clients", "_link", "_native.abi3.so"}
    expected |= {"_native_chain.py", "_native_modes.py", "_peer.py", "_text.py", "certhook.pth", "zz.pth"}
    expected |= {"unrelated.pth", "pyvenv.cfg"}
    expected |= {
        "certhook-0.0.9.dist-info",
        "sitecustomize.py",
        *(modified.compiled(name).name for name in ("_explain", "_peer")),
    }
    expected |= {modified.compiled(name).name for name in ("_native_chain", "_native_modes")}
    assert {os.path.basename(path) for problem in found["findings"] for path in problem["paths"]} <= expected
    assert found["distributions"][0]["other_version_count"] == 1


def test_every_file_that_python_may_execute_at_its_start_is_listed(modified, found) -> None:
    names = (".pth", "byte_order_mark.pth", "form_feed.pth", "unrelated.pth", "usercustomize/__init__.py")
    assert {str(modified.site_packages / name) for name in names} <= {*found["other_start_files"]}


@posix
def test_a_file_that_locates_the_standard_library_is_examined(modified, found) -> None:
    assert problem_of(found, modified.python.parents[1] / "pyvenv.cfg", "can be modified by every user")


def test_problems_precede_everything_else(modified, found) -> None:
    lines = audit(modified.python).stdout.splitlines()
    assert lines[0].startswith(f"NOT VERIFIED (problems: {len(found['findings'])}, verified files: ")
    assert lines[3].startswith("  - ")
    assert sum("remedy: " in line for line in lines) == len(found["findings"])


def test_compiled_modules_for_an_optimization_and_in_another_directory_are_compared(
    installed_unmeasured, tmp_path, monkeypatch
) -> None:
    environment = support.copy_environment(installed_unmeasured, tmp_path / "environment")
    tag = sys.implementation.cache_tag
    expected = []
    code = "import py_compile"
    for name, is_changed in (("_native_chain", True), ("_native_modes", False)):
        source = environment.package / f"{name}.py"
        separate = tmp_path.joinpath("compiled", *source.parent.parts[1:]) / f"{name}.{tag}.pyc"
        optimized = environment.package / "__pycache__" / f"{name}.{tag}.opt-2.pyc"
        code += f"; py_compile.compile({str(source)!r}, {str(separate)!r})"
        code += f"; py_compile.compile({str(source)!r}, {str(optimized)!r}, optimize={0 if is_changed else 2})"
        expected += [str(separate), str(optimized)] if is_changed else []
    support.run(environment.python, code)
    changed = Path(expected[0])
    changed.write_bytes(changed.read_bytes().replace(b"chain", b"chaim"))
    # In this process, because without compiled modules the command takes long to start.
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path / "compiled"))
    distribution = Distribution(
        "certhook", "certhook", location=str(environment.site_packages), dist_info=str(environment.record.parent)
    )
    problems = [one for one in Verifier(distribution, Access()).problems() if "outside" not in one.finding]
    assert {one.finding for one in problems} == {"contains other code than its source"}
    assert sorted(one.path for one in problems) == sorted(expected)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="no specialized instructions")
def test_specialized_instructions_are_other_code() -> None:
    """Python executes those in a compiled module, and co_code contains the general ones instead."""
    numbers: dict[str, int] = getattr(dis, "_all_opmap", None) or opcode._specialized_opmap
    source = b"def function(a, b):\n    return a + b\n"
    code = compile(source, "", "exec", dont_inherit=True)
    instructions = code.co_consts[0].co_code
    position = instructions.index(dis.opmap["BINARY_OP"])
    changed = bytearray(instructions)
    changed[position] = numbers["BINARY_OP_ADD_INT"]
    data = importlib.util.MAGIC_NUMBER + bytes(12) + marshal.dumps(code)
    assert bytecode.finding(data, source, 0) == ""
    damaged = data.replace(instructions, bytes(changed))
    assert bytecode.finding(damaged, source, 0) == "contains other code than its source"


def test_compiled_modules_in_another_directory_next_to_the_package_are_compared(tmp_path, monkeypatch) -> None:
    package, compiled = tmp_path / "certhook", tmp_path / "compiled"
    package.mkdir()
    (package / "__init__.py").write_text("x = 1\n")
    monkeypatch.setattr(sys, "pycache_prefix", str(compiled))
    cached = Path(importlib.util.cache_from_source(str(package / "__init__.py")))
    cached.parent.mkdir(parents=True)
    header = importlib.util.MAGIC_NUMBER + bytes(12)
    cached.write_bytes(header + marshal.dumps(compile("x = 2\n", "", "exec")))
    details = tmp_path / "certhook-1.dist-info"
    details.mkdir()
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"x = 1\n").digest()).decode().rstrip("=")
    (details / "RECORD").write_text(f"certhook/__init__.py,sha256={digest},6\n{details.name}/RECORD,,\n")
    distribution = Distribution("certhook", "certhook", location=str(tmp_path), dist_info=str(details))
    found = {one.path: one.finding for one in Verifier(distribution, Access()).problems()}
    assert found.get(str(cached)) == "contains other code than its source"


def test_modules_that_run_from_elsewhere_are_a_problem(tmp_path, monkeypatch) -> None:
    """A start-up file may change the path only while certhook is imported."""
    (tmp_path / "certhook").mkdir()
    distribution = Distribution("certhook", "certhook", kind=WHEEL, location=str(tmp_path))
    found = {one.path: one.finding for one in problems(distribution)}
    file = str(sys.modules["certhook"].__file__)
    assert f"runs in this process, but is not in {tmp_path}" in found[file]


# A hostile RECORD.


@pytest.fixture(scope="module")
def hostile(installed_unmeasured: Path, tmp_path_factory: pytest.TempPathFactory) -> support.Environment:
    return support.copy_environment(installed_unmeasured, tmp_path_factory.mktemp("audit") / "hostile")


@pytest.fixture(scope="module")
def hostile_found(hostile: support.Environment) -> dict[str, Any]:
    record = hostile.record
    content = record.read_bytes()
    (hostile.package / "py.typed").unlink()
    os.mkfifo(hostile.package / "py.typed")
    changed = [
        line for line in content.splitlines() if not line.startswith((b"certhook/_text.py", b"certhook/_peer.py"))
    ]
    changed += [
        b"",
        b"certhook/_text.py,,",
        b"certhook/_peer.py,md5=1B2M2Y8AsgTpgAmY7PhCfg,0",
        b"certhook/\x1b[2J\x1b]0;owned\x07.py,sha256=x,1",
        b"certhook/\xff\xfe.py,sha256=x,1",
        b"../../../../../../../../../../../../etc/passwd,sha256=x,1",
        b"/etc/shadow,sha256=x,1",
        b"certhook/_files.py,sha256=x,1",
        b"certhook/__init__.py",
        b"certhook/nul\0.py,sha256=x,1",
    ]
    if sys.version_info < (3, 11):
        changed.pop()  # The module csv rejects it, and with it the file.
    record.write_bytes(b"\n".join(changed) + b"\n")
    try:
        return examine(hostile.python)
    finally:
        record.write_bytes(content)


@posix
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("certhook/_text.py", "RECORD contains no hash for it"),
        ("certhook/_peer.py", "RECORD contains only the hash md5 for it"),
        ("certhook/py.typed", "cannot be verified: it is a pipe"),
        ("certhook/\\x1b[2J\\x1b]0;owned\\x07.py", "is listed in RECORD, but missing"),
        ("certhook/\\udcff\\udcfe.py", "is listed in RECORD, but missing"),
        ("RECORD", "lists a path outside of the environment: '../../"),
        ("RECORD", "lists a path outside of the environment: '/etc/shadow'"),
        ("RECORD", "lists 'certhook/_files.py' twice with different hashes"),
        ("RECORD", "lists 'certhook/__init__.py' twice with different hashes"),
    ],
)
def test_a_hostile_record_is_reported(name, text, hostile, hostile_found) -> None:
    path = hostile.record if name == "RECORD" else f"{hostile.site_packages}{os.sep}{name}"
    assert problem_of(hostile_found, path, text), hostile_found["findings"]


@posix
def test_the_text_contains_the_first_problems_and_is_escaped(hostile_found) -> None:
    problems = [Problem(f"/x\x1b[2J{number}", f"finding \x07{number}", "remedy") for number in range(30)]
    lines = report.render({**hostile_found, "findings": as_json(problems)})
    assert all(line.isprintable() for line in lines)
    assert sum("finding" in line for line in lines) == 20
    assert "  - 10 more: 'certhook audit --json' lists all of them" in lines


@posix
@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"certhook/__init__.py," + b"x" * 5_000_000, "is malformed: is larger than 4 MiB"),
        (b"certhook/__init__.py," + b"x" * 200_000, "is malformed: field larger than field limit"),
    ],
)
def test_a_huge_record_is_not_parsed(content, text, hostile) -> None:
    before = hostile.record.read_bytes()
    hostile.record.write_bytes(content)
    try:
        assert problem_of(examine(hostile.python), hostile.record, text)
    finally:
        hostile.record.write_bytes(before)


# Installations that cannot be verified.


def test_an_editable_installation_cannot_be_verified(plain, tmp_path, installed_unmeasured) -> None:
    environment = support.copy_environment(plain, tmp_path / "editable")
    source = tmp_path / "source"
    shutil.copytree(support.purelib(installed_unmeasured), source)
    metadata = environment.site_packages / "certhook-0.1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: certhook\nVersion: 0.1.0\n")
    (metadata / "direct_url.json").write_text('{"url": "file:///source", "dir_info": {"editable": true}}')
    (environment.site_packages / "certhook.pth").write_text("import certhook; certhook.start()\n")
    (environment.site_packages / "__editable__.example.pth").write_text(f"{source}\n")
    for path in source.glob("certhook*.dist-info"):
        shutil.rmtree(path)
    found = examine(environment.python)
    assert found["distributions"][0]["kind"] == "editable"
    assert problem_of(found, source, "is an editable installation")


def test_a_source_tree_cannot_be_verified(plain, tmp_path, installed_unmeasured) -> None:
    for name in ("certhook", "certifi"):
        shutil.copytree(support.purelib(installed_unmeasured) / name, tmp_path / name)
    found = examine(plain, PYTHONPATH=str(tmp_path))
    assert [one["kind"] for one in found["distributions"][:2]] == ["source tree", "source tree"]
    assert problem_of(found, tmp_path, "certhook is not an installed distribution")
    assert problem_of(found, tmp_path, "certifi is not an installed distribution")


def test_an_archive_cannot_be_verified_and_its_sha256_is_shown(plain, tmp_path, installed_unmeasured) -> None:
    archive = tmp_path / "app.zip"
    site_packages = support.purelib(installed_unmeasured)
    with zipfile.ZipFile(archive, "w") as file:
        for name in ("certhook", "certifi"):
            for path in (site_packages / name).rglob("*.p[ey]*"):
                file.write(path, path.relative_to(site_packages))
    found = examine(plain, PYTHONPATH=str(archive))
    assert [one["kind"] for one in found["distributions"][:2]] == ["archive", "archive"]
    assert problem_of(found, archive, "certhook is in an archive")
    assert found["distributions"][0]["archive_sha256"] == hashlib.sha256(archive.read_bytes()).hexdigest()


def test_a_relative_or_missing_entry_of_pythonpath_is_a_problem(installed_unmeasured, tmp_path) -> None:
    """Another user could create the missing one."""
    public = tmp_path / "public"
    public.mkdir()
    public.chmod(0o1777)
    found = examine(installed_unmeasured, PYTHONPATH=f"{public / 'missing' / 'lib'}{os.pathsep}")
    assert problem_of(found, "PYTHONPATH", "contains an empty or relative entry")
    assert [one["name"] for one in found["variables"] if one["name"] == "PYTHONPATH"]
    assert os.name == "nt" or problem_of(found, public, "can be modified by every user (mode 1777)")


def test_a_damaged_store_is_a_problem_and_stays_unchanged(installed_unmeasured, tmp_path) -> None:
    variables = {"CERTHOOK_STORE_DIR": str(tmp_path / "store")}
    support.run(installed_unmeasured, "import ssl; ssl.create_default_context()", env=support.clean_env(**variables))
    (store,) = [path for path in (tmp_path / "store").iterdir() if path.is_dir() and not path.is_symlink()]
    intact = examine(installed_unmeasured, **variables)
    assert intact["findings"] == []
    assert intact["stores"][-1]["default_store"] == {"path": str(store), "up_to_date": True}
    damaged = min(store.glob("*.0"))
    content = damaged.read_bytes().swapcase()
    damaged.write_bytes(content)
    assert problem_of(examine(installed_unmeasured, **variables), store, "is damaged")
    assert damaged.read_bytes() == content


# Owners and modes.


def writable(path: Path) -> list[str]:
    return [problem.path for problem in Access().problems(str(path))]


@posix
def test_a_shared_directory_above_is_safe_but_not_one_that_contains_modules(tmp_path) -> None:
    package = tmp_path / "shared" / "package"
    package.mkdir(parents=True)
    (package / "module.py").touch()
    os.chmod(tmp_path / "shared", 0o1777)
    assert writable(package / "module.py") == []
    os.chmod(package, 0o1777)
    assert writable(package / "module.py") == [str(package)]
    os.chmod(tmp_path / "shared", 0o777)
    assert writable(package / "module.py") == [str(tmp_path / "shared"), str(package)]


@posix
def test_the_directories_on_the_way_to_the_target_of_a_link_are_examined(tmp_path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "module.py").touch()
    (tmp_path / "link").symlink_to("open")
    os.chmod(tmp_path / "open", 0o777)
    assert writable(tmp_path / "link" / "module.py") == [str(tmp_path / "open")]
    (tmp_path / "loop").symlink_to("loop")
    assert writable(tmp_path / "loop") == []


def test_a_group_that_does_not_administer_the_system_is_another_user(root, tmp_path) -> None:
    file = tmp_path / "module.py"
    file.touch()
    os.chmod(file, 0o664)
    os.chown(file, -1, 0)
    assert writable(file) == []
    os.chown(file, -1, OTHER_USER)
    (problem,) = Access().problems(str(file))
    assert (problem.path, problem.finding) == (
        str(file),
        f"can be modified by the members of group {OTHER_USER} (mode 664)",
    )
    os.chmod(file, 0o644)
    assert writable(file) == []
