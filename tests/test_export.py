"""``certhook export`` and ``certhook env``: the trusted roots for programs that certhook does not reach."""

from __future__ import annotations

import json
import os
import re
import shutil
import ssl
import stat
import subprocess
import sys
from pathlib import Path

import der
import pytest
import support

from certhook._sources import distrust
from certhook.cli import env as verb
from certhook.cli import main

posix = pytest.mark.skipif(os.name == "nt", reason="shells, modes and links are those of POSIX")

TRUSTED = {"system", "bundled", "both", "extra"}


@pytest.fixture
def variables(tmp_path: Path, cas: support.Authorities) -> dict[str, str]:
    """Variables by which each root is in its place."""
    places = {"system": ("system", "both"), "bundle": ("bundled", "both"), "extra": ("extra",)}
    for file, names in places.items():
        (tmp_path / f"{file}.pem").write_bytes(cas.pem(*names))
    (tmp_path / "hashed").mkdir()
    (tmp_path / "hashed" / support.hashed_name(cas.der("both"))).write_bytes(cas.pem("both"))
    return {
        "SSL_CERT_FILE": str(tmp_path / "system.pem"),
        "SSL_CERT_DIR": str(tmp_path / "hashed"),
        "CERTHOOK_SOURCES": "system,bundled",
        "CERTHOOK_BUNDLE": str(tmp_path / "bundle.pem"),
        "CERTHOOK_EXTRA_CA_CERTS": str(tmp_path / "extra.pem"),
        "CERTHOOK_CACHE_DIR": str(tmp_path / "cache"),
    }


@pytest.fixture
def certhook(installed: Path, variables: dict[str, str], tmp_path: Path):
    """Run ``python -m certhook`` with these variables, of which some are *changed* (None: unset)."""

    def run(*arguments: str, prefix: tuple[str, ...] = (), **changed: str | None) -> subprocess.CompletedProcess[bytes]:
        wanted = {name: value for name, value in {**variables, **changed}.items() if value is not None}
        return subprocess.run(
            [*prefix, str(installed), "-m", "certhook", *arguments],
            env=support.clean_env(**wanted),
            cwd=str(tmp_path),
            capture_output=True,
            timeout=60,
        )

    return run


@pytest.fixture
def trusted_by(servers: support.Servers):
    """Whom an interpreter trusts, with these variables alone."""

    def ask(python: Path, **variables: str) -> set[str]:
        env = support.clean_env(SERVERS=support.server_list(servers), **variables)
        found = support.verdicts(support.run(python, support.VERDICTS, env=env).stdout)
        return {name for name, verdict in found.items() if verdict}

    return ask


def subjects(data: bytes) -> set[str]:
    """Of the certificates in *data*, the names of their authorities in the tests."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=data.decode("ascii"))
    names = [dict(pair for pairs in root["subject"] for pair in pairs) for root in context.get_ca_certs()]
    return {name.get("organizationName", "").rpartition(" ")[2] for name in names}


# What is written.


@pytest.mark.parametrize(
    ("arguments", "variable", "expected"),
    [
        ((), "SSL_CERT_FILE", TRUSTED),
        (("--directory",), "SSL_CERT_DIR", TRUSTED),
        (("--purpose", "client"), "SSL_CERT_FILE", TRUSTED - {"bundled"}),
        (("--purpose", "client", "--directory"), "SSL_CERT_DIR", TRUSTED - {"bundled"}),
    ],
)
def test_a_program_without_certhook_trusts_what_was_exported(
    certhook, trusted_by, plain, tmp_path, arguments, variable, expected
) -> None:
    assert trusted_by(plain, SSL_CERT_FILE=os.devnull) == set()
    done = certhook("export", *arguments, "exported")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == f"{len(expected)} roots written to {tmp_path / 'exported'}{os.linesep}"
    assert trusted_by(plain, **{variable: str(tmp_path / "exported")}) == expected


def test_it_goes_to_standard_output_where_that_is_asked_for(certhook, tmp_path) -> None:
    done = certhook("export", "-")
    certhook("export", "exported")
    assert (done.returncode, done.stderr, done.stdout) == (0, b"", (tmp_path / "exported").read_bytes())
    assert subjects(done.stdout) == TRUSTED
    assert certhook("export", "--directory", "-").returncode == 2
    assert not (tmp_path / "-").exists()


def test_a_comment_says_whose_each_root_is_and_who_listed_it(certhook, cas) -> None:
    blocks = certhook("export", "-").stdout.replace(os.linesep.encode(), b"\n").split(b"\n\n")
    for name, sources in (("both", "system, bundled"), ("extra", "extra")):
        (block,) = (block for block in blocks if f"certhook tests {name}".encode() in block)
        comment, listed, pem = block.split(b"\n", 2)
        assert comment.startswith(b"# ") and listed == f"# Listed by: {sources}".encode()
        assert pem.strip() == cas.pem(name).strip()


@pytest.mark.parametrize(
    "name", ["é ő 中", "-----BEGIN CERTIFICATE-----", "a\n-----END CERTIFICATE-----\n", "\x1b[2J\x80"]
)
def test_no_name_makes_a_comment_that_a_reader_stumbles_over(certhook, tmp_path, cas, name) -> None:
    (tmp_path / "extra.pem").write_bytes(der.pem(der.certificate(der.common_name(name))) + cas.pem("extra"))
    text = certhook("export", "-").stdout.decode("ascii")
    assert all(line.startswith("# CN=") or "--" not in line for line in text.splitlines() if line.startswith("#"))
    assert text.count("-----BEGIN ") == text.count("-----END ") == text.count("# Listed by") == 5
    assert text.isprintable() or text.replace("\n", "").replace("\r", "").isprintable()


def test_neither_a_distrusted_root_nor_one_that_openssl_refuses_is_written(certhook, tmp_path, cas) -> None:
    rejected = cas.der("both") + der.auxiliary(rejected=["1.3.6.1.5.5.7.3.1"])
    refused = der.pem(der.certificate(der.common_name("refused"), key=der.element(der.SEQUENCE)))
    (tmp_path / "system.pem").write_bytes(der.pem(rejected, "TRUSTED CERTIFICATE") + refused + cas.pem("system"))
    done = certhook("export", "-")
    assert done.returncode == 0
    assert subjects(done.stdout) == TRUSTED - {"both"}
    assert b"OpenSSL refuses it" in done.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the list is Debian's")
def test_nothing_is_written_while_it_is_not_known_what_is_distrusted(monkeypatch, variables, tmp_path, capsys) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(distrust, "DESELECTED", str(tmp_path))  # a directory is no list
    assert main(["export", str(tmp_path / "exported")]) == 1
    assert "that this system distrusts could be among them" in capsys.readouterr().err
    assert not (tmp_path / "exported").exists()


# Java.


def test_a_trust_store_for_java_has_the_same_roots_under_names_of_their_own(variables, tmp_path, monkeypatch) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert main(["export", "--format", "pkcs12", str(tmp_path / "exported.p12")]) == 0
    entries = pkcs12.load_pkcs12((tmp_path / "exported.p12").read_bytes(), None).additional_certs
    data = b"".join(entry.certificate.public_bytes(Encoding.PEM) for entry in entries)
    assert subjects(data) == TRUSTED
    assert len({entry.friendly_name.lower() for entry in entries}) == len(TRUSTED)


def test_what_a_trust_store_for_java_needs_is_told_where_it_is_missing(certhook, tmp_path) -> None:
    done = certhook("export", "--format", "pkcs12", "exported.p12")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"pip install 'cryptography>=45'" in done.stderr
    assert not (tmp_path / "exported.p12").exists()


# How it is written.


@posix
@pytest.mark.parametrize("arguments", [(), ("--directory",)])
def test_everybody_may_read_it_whatever_the_umask(certhook, tmp_path, arguments) -> None:
    done = certhook("export", *arguments, "exported", prefix=("sh", "-c", 'umask 077; exec "$@"', "sh"))
    assert done.returncode == 0
    exported = tmp_path / "exported"
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (exported.iterdir() if arguments else [exported])}
    assert modes == {0o644}
    assert not arguments or stat.S_IMODE(exported.stat().st_mode) == 0o755


@posix
def test_who_reads_the_old_file_reads_it_to_its_end(certhook, tmp_path) -> None:
    (tmp_path / "exported").write_bytes(b"old")
    with open(tmp_path / "exported", "rb") as reader:
        assert certhook("export", "exported").returncode == 0
        assert reader.read() == b"old"
    assert subjects((tmp_path / "exported").read_bytes()) == TRUSTED


def test_a_folder_that_was_exported_is_brought_up_to_date(certhook, trusted_by, plain, tmp_path, cas) -> None:
    (tmp_path / "exported").mkdir()
    assert certhook("export", "--directory", "exported").returncode == 0
    (tmp_path / "extra.pem").write_bytes(cas.pem("stranger"))
    assert certhook("export", "--directory", "exported").returncode == 0
    expected = TRUSTED - {"extra"} | {"stranger"}
    assert trusted_by(plain, SSL_CERT_DIR=str(tmp_path / "exported")) == expected
    assert len(list((tmp_path / "exported").iterdir())) == len(expected) + 2  # all of them in one file, the manifest


LEFT_ALONE = {
    "a link": lambda path: path.symlink_to(path.with_name("letter")),
    "a link to nowhere": lambda path: path.symlink_to(path.with_name("nowhere")),
    "a link to a folder": lambda path: path.symlink_to(path.parent),
    "a pipe": lambda path: os.mkfifo(path),
    "a folder": lambda path: (path.mkdir(), (path / "letter").write_bytes(b"dear")),
    "hashed names of somebody's": lambda path: (path.mkdir(), (path / "00000000.0").write_bytes(b"dear")),
}


@posix
@pytest.mark.parametrize("arguments", [(), ("--directory",)])
@pytest.mark.parametrize("kind", LEFT_ALONE)
def test_what_is_no_export_is_left_alone(certhook, tmp_path, arguments, kind) -> None:
    (tmp_path / "letter").write_bytes(b"dear")
    LEFT_ALONE[kind](tmp_path / "exported")
    before = contents(tmp_path)
    done = certhook("export", *arguments, "exported")
    assert (done.returncode, done.stdout) == (1, b"")
    assert str(tmp_path / "exported").encode() in done.stderr and b"left alone" in done.stderr
    assert contents(tmp_path) == before


def contents(folder: Path) -> dict[str, object]:
    """Everything below *folder*, but for compiled stores."""
    paths = [path for path in folder.rglob("*") if "cache" not in path.parts]
    found = {path: path.lstat() for path in paths}
    return {str(path): path.read_bytes() if stat.S_ISREG(s.st_mode) else s.st_mode for path, s in found.items()}


def test_where_there_is_no_root_the_old_file_stays(certhook, tmp_path) -> None:
    (tmp_path / "exported").write_bytes(b"old")
    before = contents(tmp_path)
    done = certhook("export", "exported", CERTHOOK_SOURCES="extra", CERTHOOK_EXTRA_CA_CERTS=str(tmp_path / "missing"))
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"there is no trusted root to write" in done.stderr
    assert contents(tmp_path) == before


@pytest.mark.parametrize("arguments", [(), ("--directory",)])
def test_a_folder_that_does_not_exist_is_not_made_up(certhook, tmp_path, arguments) -> None:
    done = certhook("export", *arguments, os.path.join("missing", "exported"))
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"cannot be written: No such file or directory" in done.stderr
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize("file", ["system.pem", "bundle.pem", "extra.pem", os.path.join("folder", "..", "extra.pem")])
def test_a_place_that_roots_are_read_from_is_left_alone(certhook, tmp_path, file) -> None:
    (tmp_path / "folder").mkdir()
    before = contents(tmp_path)
    done = certhook("export", file)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"one of the places that roots are read from" in done.stderr
    assert contents(tmp_path) == before


# Lines for shells.

#: How a person has the lines read, and how a shell is started with a command.
EVALUATING = {
    "sh": ("sh", 'eval "$({command})"'),
    "bash": ("sh", 'eval "$({command})"'),
    "fish": ("fish", "{command} | source"),
}
# The variables that the lines are about, as bytes.
SHOW = f"import os; [print(n, os.environb.get(n.encode())) for n in {tuple(verb.VARIABLES)!r}]"

FOLDERS = [
    "a b",
    "it's",
    'a "b" $HOME `id` \\n \\',
    "a\nb; exit 3",
    "é 中",
    b"\xff",
    "-n",
    "~",
    "''",
    "%s!#*&|",
    "‘’“”",
]


@pytest.fixture(params=EVALUATING)
def shell(request, installed: Path):
    """Evaluate the lines of ``certhook env`` in a shell, then run *code* there."""
    path = shutil.which(request.param)
    if path is None and os.environ.get("CI"):
        pytest.fail(f"{request.param} is not installed")
    if path is None:
        pytest.skip(f"{request.param} is not installed")
    language, evaluate = EVALUATING[request.param]

    def run(cwd, arguments: str, code: str = SHOW, **variables: str) -> bytes:
        command = evaluate.format(command=f"$PYTHON -m certhook env --shell {language} {arguments}")
        env = support.clean_env(PYTHON=str(installed), HOME=str(Path(str(installed)).parent), **variables)
        script = f"{command}\n$PYTHON -c '{code}'" if "'" not in code else f'{command}\n$PYTHON -c "{code}"'
        done = subprocess.run([path, "-c", script], env=env, cwd=cwd, capture_output=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, b"")
        return done.stdout

    return run


@posix
@pytest.mark.parametrize("folder", FOLDERS)
def test_every_variable_names_the_file_whatever_its_path(shell, tmp_path, cas, folder) -> None:
    place = os.path.join(os.fsencode(tmp_path), os.fsencode(folder))
    os.mkdir(place)
    path = os.path.join(place, b"roots.pem")
    with open(path, "wb") as file:
        file.write(cas.pem("system"))
    shown = shell(place, "roots.pem").decode("ascii").splitlines()
    assert shown == [f"{name} {path!r}" for name in verb.VARIABLES]


@posix
def test_they_can_be_unset(shell, tmp_path) -> None:
    before = dict.fromkeys(verb.VARIABLES, os.devnull)
    assert shell(tmp_path, "--unset", **before).decode().splitlines() == [f"{name} None" for name in verb.VARIABLES]


def test_powershell_takes_every_kind_of_single_quote_for_one(certhook, tmp_path, cas) -> None:
    (tmp_path / "it's ‘’‚‛.pem").write_bytes(cas.pem("system"))
    shown = certhook("env", "--shell", "powershell", "it's ‘’‚‛.pem", PYTHONUTF8="1").stdout.decode().splitlines()
    doubled = tmp_path / "it''s ‘‘’’‚‚‛‛.pem"
    assert shown == [f"$env:{name} = '{doubled}'" for name in verb.VARIABLES]
    shown = certhook("env", "--shell", "powershell", "--unset").stdout.decode().splitlines()
    assert shown == [f"$env:{name} = $null" for name in verb.VARIABLES]


@posix
@pytest.mark.parametrize(
    ("value", "start"),
    [
        ("/bin/bash", "export "),
        ("/usr/bin/zsh", "export "),
        ("/usr/bin/fish", "set -gx "),
        ("/opt/microsoft/powershell/7/pwsh", "$env:"),
        (None, "export "),
        ("", "export "),
    ],
)
def test_the_language_is_that_of_the_persons_shell(certhook, value, start) -> None:
    lines = certhook("env", "system.pem", SHELL=value).stdout.decode().splitlines()
    assert len(lines) == len(verb.VARIABLES)
    assert all(line.startswith(start) for line in lines)


@posix
def test_the_roots_are_exported_first_where_no_file_is_named(certhook, tmp_path, cas) -> None:
    # Without SSL_CERT_FILE, the directory is the system's store besides the file that OpenSSL was compiled with.
    (tmp_path / "hashed" / support.hashed_name(cas.der("system"))).write_bytes(cas.pem("system"))
    # Where it is run does not matter, even if that is where the roots come from.
    done = certhook("env", prefix=("sh", "-c", 'cd hashed; exec "$@"', "sh"), SSL_CERT_FILE=None)
    assert (done.returncode, done.stderr) == (0, b"")
    (exported,) = (tmp_path / "cache").glob("*.pem")
    assert done.stdout.splitlines()[0].decode() == f"export SSL_CERT_FILE={exported}"
    assert subjects(exported.read_bytes()) >= TRUSTED
    # In a shell with these lines it is written anew from where the roots come from, and not from itself.
    (tmp_path / "extra.pem").write_bytes(cas.pem("stranger"))
    again = certhook("env", SSL_CERT_FILE=str(exported))
    assert (again.returncode, again.stderr, again.stdout) == (0, b"", done.stdout)
    assert subjects(exported.read_bytes()) >= TRUSTED - {"extra"} | {"stranger"}
    assert "extra" not in subjects(exported.read_bytes())


@posix
def test_shells_with_other_settings_have_files_of_their_own(certhook, tmp_path) -> None:
    def named(**changed: str | None) -> Path:
        done = certhook("env", "--json", **{"SSL_CERT_FILE": None, **changed})
        assert (done.returncode, done.stderr) == (0, b"")
        return Path(json.loads(done.stdout)["SSL_CERT_FILE"])

    every = named()
    chained = every.read_bytes()
    systems = named(CERTHOOK_SOURCES="system")
    assert systems != every and every.read_bytes() == chained
    assert "bundled" in subjects(chained) and "bundled" not in subjects(systems.read_bytes())
    assert named() == every
    # Where the lines of other settings are at work, too.
    assert named(SSL_CERT_FILE=str(every), CERTHOOK_SOURCES="system") == systems
    assert named(SSL_CERT_FILE=str(systems)) == every and every.read_bytes() == chained


#: Variables by which SSL_CERT_FILE alone says what to trust.
ALONE = dict.fromkeys(("SSL_CERT_DIR", "CERTHOOK_SOURCES", "CERTHOOK_BUNDLE", "CERTHOOK_EXTRA_CA_CERTS"))
BY_NAME = "certhook export FILE, and then certhook env FILE$"


@posix
@pytest.mark.parametrize(
    ("arguments", "changed", "words"),
    [
        ("missing.pem", {}, "missing.pem"),
        (".", {}, "a directory"),
        ("empty.pem", {}, "holds no certificate"),
        ("root.der", {}, "holds no certificate in PEM format"),
        ("system.pem", {"SHELL": "/bin/tcsh"}, "--shell sh or fish or powershell"),
        ("é.pem", {"PYTHONIOENCODING": "ascii"}, "name another file"),
        ("", {}, f"SSL_CERT_FILE says already what to trust.* at what is trusted here: {BY_NAME}"),
        ("", {**ALONE, "CERTHOOK_EXTRA_CA_CERTS": "/extra.pem"}, f"at what is trusted here: {BY_NAME}"),
        ("", {**ALONE, "SSL_CERT_FILE": ""}, f"replace it: ''. Unset it, or .* at what is trusted here: {BY_NAME}"),
        ("", {**ALONE, "SSL_CERT_FILE": "/missing.pem"}, f"at what is trusted here: {BY_NAME}"),
        ("", ALONE, "at that file: certhook env /.*/system.pem$"),
        ("", {"SSL_CERT_FILE": None, "CERTHOOK_CACHE_DIR": "none"}, f"name a file: {BY_NAME}"),
        ("", {"SSL_CERT_FILE": None, "CERTHOOK_CACHE_DIR": "/dev/null/x"}, f"/dev/null.*; or name a file: {BY_NAME}"),
        ("", {"SSL_CERT_FILE": None, "CERTHOOK_SOURCES": "extra", "CERTHOOK_EXTRA_CA_CERTS": None}, "no trusted root"),
        ("--unset", {"SHELL": "nu"}, "SHELL is nu"),
        ("--shell cmd", {}, "invalid choice"),
        ("--unset system.pem", {}, "not allowed with"),
    ],
)
def test_after_a_failure_there_is_nothing_to_evaluate(certhook, tmp_path, cas, arguments, changed, words) -> None:
    (tmp_path / "empty.pem").write_bytes(b"")
    (tmp_path / "é.pem").write_bytes(cas.pem("system"))
    (tmp_path / "root.der").write_bytes(cas.der("system"))
    done = certhook("env", *arguments.split(), **changed)
    assert done.returncode in (1, 2)
    assert done.stdout == b""
    assert re.search(words, " ".join(done.stderr.decode().split()))


@posix
@pytest.mark.parametrize("arguments", [("env",), ("export", "--directory", "cache")])
def test_a_folder_that_others_can_write_to_is_not_exported_to(certhook, tmp_path, arguments) -> None:
    certhook("export", "--directory", "cache", CERTHOOK_CACHE_DIR="none")
    (tmp_path / "cache").chmod(0o777)
    before = set((tmp_path / "cache").iterdir())
    done = certhook(*arguments, SSL_CERT_FILE=None, CERTHOOK_EXTRA_CA_CERTS=None)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"can be written by others (mode 777); 'chmod go-w' it" in done.stderr
    assert (b"or name a file: certhook export FILE" in done.stderr) == (arguments == ("env",))
    assert set((tmp_path / "cache").iterdir()) == before


@posix
@pytest.mark.parametrize("names", [("system",), ("bundled", "extra")])
def test_python_trusts_the_file_alone_in_a_shell_with_these_lines(
    certhook, trusted_by, installed, variables, tmp_path, cas, names
) -> None:
    (tmp_path / "roots.pem").write_bytes(cas.pem(*names))
    lines = certhook("env", "roots.pem").stdout.decode().splitlines()
    told = dict(line.replace("export ", "").split("=") for line in lines)
    bundle = {"CERTHOOK_BUNDLE": variables["CERTHOOK_BUNDLE"]}
    assert trusted_by(installed, **told, **bundle) == set(names)
    assert trusted_by(installed, **told, **bundle, CERTHOOK_SOURCES="system,bundled") == {*names, "bundled", "both"}
