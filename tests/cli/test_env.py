"""``python -m certhook env``: shell commands that make other programs use a file of root certificates."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import support
from authorities import TRUSTED, names_in

from certhook import _exported
from certhook.cli._other_programs import VARIABLES

posix = pytest.mark.skipif(os.name == "nt", reason="the shells, modes and paths are those of POSIX")

#: The syntax of each shell, and the command with which a user evaluates the output.
EVALUATION = {
    "sh": ("sh", 'eval "$({command})"'),
    "bash": ("sh", 'eval "$({command})"'),
    "fish": ("fish", "{command} | source"),
}
# Prints the variables as bytes.
SHOW = f"import os; [print(n, os.environb.get(n.encode())) for n in {tuple(VARIABLES)!r}]"

DIRECTORIES = [
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


@pytest.fixture(params=EVALUATION)
def shell(request, installed: Path):
    """A function that evaluates the output of ``certhook env`` in a shell, and then runs *code* there."""
    path = shutil.which(request.param)
    if path is None and os.environ.get("CI"):
        pytest.fail(f"{request.param} is not installed")
    if path is None:
        pytest.skip(f"{request.param} is not installed")
    syntax, evaluation = EVALUATION[request.param]

    def run(cwd, arguments: str, code: str = SHOW, **variables: str) -> bytes:
        command = evaluation.format(command=f"$PYTHON -m certhook env --shell {syntax} {arguments}")
        env = support.clean_env(PYTHON=str(installed), HOME=str(Path(str(installed)).parent), **variables)
        script = f"{command}\n$PYTHON -c '{code}'" if "'" not in code else f'{command}\n$PYTHON -c "{code}"'
        done = subprocess.run([path, "-c", script], env=env, cwd=cwd, capture_output=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, b"")
        return done.stdout

    return run


# The commands.


@posix
@pytest.mark.parametrize("directory", DIRECTORIES)
def test_every_variable_is_set_to_the_file_whatever_its_path(shell, tmp_path, cas, directory) -> None:
    parent = os.path.join(os.fsencode(tmp_path), os.fsencode(directory))
    os.mkdir(parent)
    path = os.path.join(parent, b"roots.pem")
    with open(path, "wb") as file:
        file.write(cas.pem("system"))
    shown = shell(parent, "roots.pem").decode("ascii").splitlines()
    assert shown == [f"{name} {path!r}" for name in VARIABLES]


@posix
def test_every_variable_can_be_unset(shell, tmp_path) -> None:
    before = dict.fromkeys(VARIABLES, os.devnull)
    assert shell(tmp_path, "--unset", **before).decode().splitlines() == [f"{name} None" for name in VARIABLES]


def test_all_single_quotes_of_powershell_are_escaped(certhook, tmp_path, cas) -> None:
    (tmp_path / "it's ‘’‚‛.pem").write_bytes(cas.pem("system"))
    shown = certhook("env", "--shell", "powershell", "it's ‘’‚‛.pem", PYTHONUTF8="1").stdout.splitlines()
    doubled = tmp_path / "it''s ‘‘’’‚‚‛‛.pem"
    assert shown == [f"$env:{name} = '{doubled}'" for name in VARIABLES]
    shown = certhook("env", "--shell", "powershell", "--unset").stdout.splitlines()
    assert shown == [f"$env:{name} = $null" for name in VARIABLES]


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
def test_the_syntax_is_that_of_the_users_shell(certhook, value, start) -> None:
    lines = certhook("env", "system.pem", SHELL=value).stdout.splitlines()
    assert len(lines) == len(VARIABLES)
    assert all(line.startswith(start) for line in lines)


@posix
@pytest.mark.parametrize("names", [("system",), ("bundled", "extra")])
def test_with_these_variables_python_trusts_only_the_file(
    certhook, trusted_by, installed, variables, tmp_path, cas, names
) -> None:
    (tmp_path / "roots.pem").write_bytes(cas.pem(*names))
    lines = certhook("env", "roots.pem").stdout.splitlines()
    assigned = dict(line.replace("export ", "").split("=") for line in lines)
    bundle = {"CERTHOOK_BUNDLE": variables["CERTHOOK_BUNDLE"]}
    assert trusted_by(installed, **assigned, **bundle) == set(names)
    chained = trusted_by(installed, **assigned, **bundle, CERTHOOK_SOURCES="system,bundled")
    assert chained == {*names, "bundled", "both"}


# Without FILE.


@posix
def test_without_a_file_the_trusted_roots_are_exported_first(certhook, tmp_path, cas) -> None:
    # Without SSL_CERT_FILE, the directory is used together with the file that is compiled into OpenSSL.
    (tmp_path / "hashed" / support.hashed_name(cas.der("system"))).write_bytes(cas.pem("system"))
    # The working directory may be a location that roots are read from.
    done = certhook("env", prefix=("sh", "-c", 'cd hashed; exec "$@"', "sh"), SSL_CERT_FILE=None)
    assert (done.returncode, done.stderr) == (0, "")
    (exported,) = (tmp_path / "cache").glob("*.pem")
    assert done.stdout.splitlines()[0] == f"export SSL_CERT_FILE={exported}"
    assert names_in(exported.read_text()) >= TRUSTED
    # In a shell with these variables, the file is updated from the sources, not from itself.
    (tmp_path / "extra.pem").write_bytes(cas.pem("stranger"))
    again = certhook("env", SSL_CERT_FILE=str(exported))
    assert (again.returncode, again.stderr, again.stdout) == (0, "", done.stdout)
    assert names_in(exported.read_text()) >= TRUSTED - {"extra"} | {"stranger"}
    assert "extra" not in names_in(exported.read_text())


@posix
def test_each_combination_of_settings_has_a_file_of_its_own(certhook) -> None:
    def exported(**changed: str | None) -> Path:
        done = certhook("env", "--json", **{"SSL_CERT_FILE": None, **changed})
        assert (done.returncode, done.stderr) == (0, "")
        return Path(json.loads(done.stdout)["SSL_CERT_FILE"])

    chain = exported()
    content = chain.read_text()
    system = exported(CERTHOOK_SOURCES="system")
    assert system != chain and chain.read_text() == content
    assert "bundled" in names_in(content) and "bundled" not in names_in(system.read_text())
    assert exported() == chain
    # The same holds in a shell with the variables of another combination.
    assert exported(SSL_CERT_FILE=str(chain), CERTHOOK_SOURCES="system") == system
    assert exported(SSL_CERT_FILE=str(system)) == chain and chain.read_text() == content


@posix
def test_nothing_is_exported_to_a_directory_that_other_users_can_modify(certhook, tmp_path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o777)
    done = certhook("env", SSL_CERT_FILE=None)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"nothing was written: {tmp_path / 'cache'} is writable by other users (mode 777)" in done.stderr
    assert "or name a file: certhook export FILE, then certhook env FILE" in done.stderr
    assert list((tmp_path / "cache").iterdir()) == []


# Python programs with certhook, in a shell with these variables.

#: Programs that name the file: as the variables for other libraries, and as OpenSSL's variable.
NAMED = 'ssl.create_default_context(cafile=os.environ["REQUESTS_CA_BUNDLE"])'
REQUESTS = {"default": "ssl.create_default_context()", "named": NAMED}


@pytest.fixture
def exported(certhook, variables, tmp_path, cas) -> dict[str, str]:
    """The variables of a shell that evaluated ``certhook env``, on a system whose directory contains *system*."""
    (tmp_path / "hashed" / support.hashed_name(cas.der("system"))).write_bytes(cas.pem("system"))
    done = certhook("env", "--json", SSL_CERT_FILE=None)
    assert (done.returncode, done.stderr) == (0, "")
    return {**variables, **json.loads(done.stdout)}


@pytest.fixture
def trusts(installed, servers):
    """A function that returns the CAs that an interpreter with certhook trusts, for one of REQUESTS."""

    def trusted(variables: dict[str, str], request: str = "default", python: Path = installed) -> set[str]:
        code = support.VERDICTS.replace(REQUESTS["default"], REQUESTS[request])
        done = support.run(python, code, env=support.clean_env(**variables, SERVERS=support.server_list(servers)))
        assert done.stderr == ""
        return {name for name, is_trusted in support.verdicts(done.stdout).items() if is_trusted}

    return trusted


def change(directory: Path, cas: support.Authorities) -> None:
    """Remove *system* and *extra* from their sources, and add *stranger* to the system's store."""
    (directory / "hashed" / support.hashed_name(cas.der("system"))).unlink()
    (directory / "hashed" / support.hashed_name(cas.der("stranger"))).write_bytes(cas.pem("stranger"))
    (directory / "extra.pem").write_bytes(cas.pem("both"))


CHANGED = {"bundled", "both", "stranger"}


@posix
@pytest.mark.parametrize("request_", REQUESTS)
def test_the_file_has_the_roots_of_default_trust_also_without_certhook(exported, trusts, plain, request_) -> None:
    # Without certhook, SSL_CERT_DIR does not apply to a file that the caller names.
    assert trusts(exported, request_, plain) == trusts(exported, request_) == TRUSTED


@posix
@pytest.mark.parametrize("request_", REQUESTS)
def test_default_trust_follows_its_sources_and_not_the_file(exported, trusts, tmp_path, cas, request_) -> None:
    change(tmp_path, cas)
    assert trusts(exported, request_) == CHANGED
    os.unlink(exported["SSL_CERT_FILE"])
    assert trusts(exported, request_) == CHANGED


@posix
@pytest.mark.parametrize("request_", REQUESTS)
def test_with_other_settings_the_file_is_a_choice(certhook, variables, trusts, tmp_path, cas, request_) -> None:
    """A user who exported only some of the roots may have done so on purpose."""
    (tmp_path / "private.pem").write_bytes(cas.pem("extra"))
    restricted = {"CERTHOOK_SOURCES": "extra", "CERTHOOK_EXTRA_CA_CERTS": str(tmp_path / "private.pem")}
    done = certhook("env", "--json", SSL_CERT_FILE=None, **restricted)
    shell = {**variables, **json.loads(done.stdout)}
    assert trusts({**shell, **restricted}, request_) == {"extra"}
    del shell["CERTHOOK_SOURCES"], shell["CERTHOOK_EXTRA_CA_CERTS"]
    # SSL_CERT_DIR names a directory with "both".
    assert trusts(shell, request_) == ({"extra", "both"} if request_ == "default" else {"extra"})


@posix
@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize("copy", ["other/{name}", "cache/another.pem", "cache/exported-0.pem"])
def test_a_copy_of_the_file_is_a_choice(exported, trusts, tmp_path, cas, request_, copy) -> None:
    source = exported["SSL_CERT_FILE"]
    path = tmp_path / copy.format(name=os.path.basename(source))
    path.parent.mkdir(exist_ok=True)
    shutil.copy(source, path)
    moved = {name: str(path) if value == source else value for name, value in exported.items()}
    change(tmp_path, cas)
    # SSL_CERT_DIR names the changed directory, and CERTHOOK_SOURCES adds the bundle.
    assert trusts(moved, request_) == (TRUSTED | {"stranger"} if request_ == "default" else TRUSTED)


@posix
def test_a_server_does_not_accept_clients_of_the_bundle(exported, installed, tmp_path) -> None:
    code = (
        "import ssl, os\n"
        "for context in ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER):\n"
        "    if context.verify_mode == ssl.CERT_NONE:\n"
        "        context.load_default_certs(ssl.Purpose.CLIENT_AUTH)\n"
        "    print('certhook tests bundled' in str(context.get_ca_certs()), end=' ')"
    )
    assert support.run(installed, code, env=support.clean_env(**exported)).stdout == "False False "


@posix
def test_without_adoption_a_request_for_the_file_is_literal(exported, trusts, tmp_path, cas) -> None:
    change(tmp_path, cas)
    assert trusts({**exported, "CERTHOOK_ADOPT": "none"}, "named") == TRUSTED


@posix
def test_a_server_that_names_the_file_gets_exactly_the_file(exported, installed, tmp_path, cas) -> None:
    change(tmp_path, cas)
    code = (
        "import ssl, os\ncontext = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n"
        "context.load_verify_locations(os.environ['SSL_CERT_FILE'])\nprint(len(context.get_ca_certs()))"
    )
    done = support.run(installed, code, env=support.clean_env(**exported))
    assert done.stdout == f"{Path(exported['SSL_CERT_FILE']).read_text().count('BEGIN')}\n"


@posix
def test_the_directory_may_be_named_through_a_link(exported, trusts, certhook, variables, tmp_path, cas) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    through = {"CERTHOOK_STORE_DIR": str(tmp_path / "link" / "cache")}
    done = certhook("env", "--json", SSL_CERT_FILE=None, **through)
    assert json.loads(done.stdout)["SSL_CERT_FILE"] == exported["SSL_CERT_FILE"]
    change(tmp_path, cas)
    assert trusts({**exported, **through}) == CHANGED


@posix
@pytest.mark.parametrize(
    ("directory", "store_dir", "expected"),
    [
        ("/home/user/.local/share/certhook", None, True),
        ("/var/lib/certhook", None, True),
        ("/home/user/certhook/copy", None, False),
        ("/home/user/my-certhook", None, False),
        ("certhook", None, False),
        ("", None, False),
        ("/var/lib/certhook", "/stores", False),
        ("/stores", "/stores", True),
        ("/stores", "", False),
    ],
)
def test_the_directory_of_the_file_is_that_of_the_stores(directory, store_dir, expected) -> None:
    path = os.path.join(directory, _exported.file_name("0123456789abcdef", "settings"))
    assert _exported.is_exported(path, store_dir, "settings") is expected
    assert not _exported.is_exported(path, store_dir, "other settings")


@posix
def test_status_explains_why_the_variable_has_no_effect(exported, certhook) -> None:
    found = json.loads(certhook("status", "--json", SSL_CERT_FILE=exported["SSL_CERT_FILE"]).stdout)
    (effect,) = [entry["effect"] for entry in found["variables"] if entry["name"] == "SSL_CERT_FILE"]
    assert effect == "has no effect: certhook wrote the file, for other programs"


# Failures.

#: Variables with which only SSL_CERT_FILE selects roots.
ONLY_CERT_FILE = dict.fromkeys(("SSL_CERT_DIR", "CERTHOOK_SOURCES", "CERTHOOK_BUNDLE", "CERTHOOK_EXTRA_CA_CERTS"))
TWO_STEPS = "name a file: certhook export FILE, then certhook env FILE$"


@posix
@pytest.mark.parametrize(
    ("arguments", "changed", "expected"),
    [
        ("missing.pem", {}, "missing.pem"),
        (".", {}, "a directory"),
        ("empty.pem", {}, "contains no certificate"),
        ("root.der", {}, "contains no certificate in PEM format"),
        (
            "system.pem",
            {"SHELL": "/bin/tcsh"},
            "SHELL=/bin/tcsh is not a known shell; use --shell with one of sh, fish, powershell",
        ),
        ("é.pem", {"PYTHONIOENCODING": "ascii"}, "ascii cannot encode the path"),
        ("", {}, f"SSL_CERT_FILE is already set to /.*/system.pem, .*{TWO_STEPS}"),
        ("", {**ONLY_CERT_FILE, "CERTHOOK_EXTRA_CA_CERTS": "/extra.pem"}, TWO_STEPS),
        ("", {**ONLY_CERT_FILE, "SSL_CERT_FILE": ""}, f"already set to '', .*{TWO_STEPS}"),
        ("", {**ONLY_CERT_FILE, "SSL_CERT_FILE": "/missing.pem"}, TWO_STEPS),
        ("", {"SSL_CERT_FILE": "https://user:secret@host/x"}, r"already set to '\(a URL, 26 characters\)', "),
        ("", ONLY_CERT_FILE, "or use that file: certhook env /.*/system.pem$"),
        ("", {"SSL_CERT_FILE": None, "CERTHOOK_STORE_DIR": "none"}, rf"\(CERTHOOK_STORE_DIR=none\); {TWO_STEPS}"),
        ("", {"SSL_CERT_FILE": None, "CERTHOOK_STORE_DIR": "/dev/null/x"}, f"/dev/null.*; or {TWO_STEPS}"),
        (
            "",
            {"SSL_CERT_FILE": None, "CERTHOOK_SOURCES": "extra", "CERTHOOK_EXTRA_CA_CERTS": None},
            "there is no trusted root certificate",
        ),
        ("--unset", {"SHELL": "nu"}, "SHELL=nu"),
        ("--shell cmd", {}, "invalid choice"),
        ("--unset system.pem", {}, "not allowed with"),
    ],
)
def test_after_a_failure_there_is_no_output_to_evaluate(certhook, tmp_path, cas, arguments, changed, expected) -> None:
    (tmp_path / "empty.pem").write_bytes(b"")
    (tmp_path / "é.pem").write_bytes(cas.pem("system"))
    (tmp_path / "root.der").write_bytes(cas.der("system"))
    done = certhook("env", *arguments.split(), **changed)
    assert done.returncode in (1, 2)
    assert done.stdout == ""
    assert re.search(expected, " ".join(done.stderr.split()))
