"""The commands and the table of the page about programs that are not written in Python."""

from __future__ import annotations

import configparser
import re
import subprocess

import pages
import pytest
import support

from certhook.cli._other_programs import OMITTED, VARIABLES

PAGE = "how-to/other-programs"
COMMANDS = [command.command for block in pages.blocks(PAGE, "console") for command in pages.commands(block)]
TEXT = (pages.DOCS / f"{PAGE}.rst").read_text(encoding="utf-8")

_JAVA = """
import java.net.URI;
public class Hello {
    public static void main(String[] arguments) throws Exception {
        try (var stream = URI.create(arguments[0]).toURL().openStream()) {
            System.out.println(new String(stream.readAllBytes()));
        }
    }
}
"""


@pytest.fixture
def shell(installed, cas, servers, tmp_path):
    """Run a line of the page in a directory, on a machine whose private CA only certhook trusts."""
    (tmp_path / "company-ca.pem").write_bytes(cas.pem("system"))
    base = f"localhost:{servers.port('system')}"

    def run(line: str, timeout: int = 120, **variables: str) -> subprocess.CompletedProcess[str]:
        settings = {"CERTHOOK_EXTRA_CA_CERTS": str(tmp_path / "company-ca.pem"), "HOME": str(tmp_path), "TERM": "dumb"}
        env = {**support.clean_env(CERTHOOK_STORE_DIR=f"{tmp_path}/data"), **settings, **variables}
        env["PATH"] = f"{installed.parent}:{env['PATH']}"
        line = line.replace("intranet.example", base)
        return subprocess.run(
            ["bash", "-c", line], env=env, cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=timeout
        )

    return run


def command(part: str) -> str:
    """Return the only command of the page that contains this text."""
    (found,) = [line for line in COMMANDS if part in line]
    return found


def test_the_table_contains_the_variables_that_are_set() -> None:
    table = dict(re.findall(r"^``([A-Z0-9_]+)`` +(.+)$", TEXT, re.MULTILINE))
    assert table == VARIABLES
    assert all(f"``{name}``" in TEXT.split("It does not set ")[1].partition(", which")[0] for name in OMITTED)


def test_run_env_makes_curl_trust_the_private_ca(shell) -> None:
    line = command("run --env curl")
    assert shell(line.replace("certhook run --env ", "")).returncode == 60
    done = shell(line)
    assert (done.returncode, done.stdout) == (0, "hello"), done.stderr


def test_run_env_reaches_the_processes_of_a_script(shell) -> None:
    # The URL in the script is that of the test's server.
    fetch = command("run --env curl").rpartition(" ")[2]
    script = f"printf '#!/bin/sh\\ncurl --fail --silent {fetch}\\n' > build.sh && chmod +x build.sh"
    done = shell(f"{script} && {command('run --env ./build.sh')}")
    assert (done.returncode, done.stdout) == (0, "hello"), done.stderr


def test_env_makes_the_programs_of_a_shell_trust_the_private_ca(shell) -> None:
    line = f"{command('eval')}\ncurl --fail --silent https://intranet.example"
    done = shell(line)
    assert (done.returncode, done.stdout) == (0, "hello"), done.stderr
    done = shell(f'{command("eval")}\neval "$(certhook env --unset)"\ncurl --fail --silent https://intranet.example')
    assert done.returncode == 60


@pytest.mark.parametrize("part", ["--cacert", "git -c", "NODE_EXTRA_CA_CERTS="], ids=["curl", "git", "node"])
def test_programs_trust_an_exported_file(shell, part) -> None:
    line = command(part)
    done = shell(f"{command('export roots.pem')} && {line}")
    assert done.returncode == 0, done.stderr
    # The tests' server has no references of a repository.
    assert "hello" in done.stdout or part == "git -c"
    stock = shell(re.sub(r"--cacert roots.pem |-c http.sslCAInfo=roots.pem |NODE_EXTRA_CA_CERTS=roots.pem ", "", line))
    assert stock.returncode != 0
    # curl: CURLE_PEER_FAILED_VERIFICATION.
    assert "UNABLE_TO_" in stock.stderr or "certificate" in stock.stderr or stock.returncode == 60


@pytest.mark.recipe
def test_java_trusts_an_exported_store(shell, installed, pip_install, tmp_path) -> None:
    python = support.make_environment(tmp_path / "java")
    pip_install(python, "cryptography>=45")
    (tmp_path / "Hello.java").write_text(_JAVA)
    variables = {"PYTHONPATH": f"{support.purelib(python)}"}
    export, run = command("--format pkcs12"), command("java -D")
    done = shell(f"{export} && {run}", **variables)
    assert "hello" in done.stdout, done.stderr
    options = re.search(r"JAVA_TOOL_OPTIONS=(\S+)``", TEXT)[1].replace("/path/to", str(tmp_path))
    plain = re.sub(r"-D\S+ ", "", run)
    assert "hello" in shell(plain, JAVA_TOOL_OPTIONS=options).stdout
    assert "unable to find valid certification path" in shell(plain).stderr


def test_the_crontab_and_the_desktop_file_run_a_complete_command(shell, installed, tmp_path) -> None:
    (crontab,) = pages.blocks(PAGE, "text")
    (desktop,) = pages.blocks(PAGE, "ini")
    entry = configparser.ConfigParser(interpolation=None)
    entry.optionxform = str
    entry.read_string(desktop.text)
    fields = crontab.text.split(None, 5)
    assert entry["Desktop Entry"]["Exec"] == fields[5].strip()
    (tmp_path / "report.sh").write_text('#!/bin/sh\ncurl --fail --silent "$URL"\n')
    (tmp_path / "report.sh").chmod(0o755)
    line = fields[5].replace("/srv/app/.venv/bin", str(installed.parent)).replace("/srv/app", str(tmp_path))
    # As cron starts it: with a minimal PATH.
    done = shell(f"PATH=/usr/bin:/bin URL=https://intranet.example {line}")
    assert (done.returncode, done.stdout) == (0, "hello"), done.stderr
