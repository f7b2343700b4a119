"""The arguments and the exit status of ``python -m certhook check``."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest
import support
from lab import Lab
from pki import chain

from certhook.cli import main


def test_one_failed_server_determines_the_exit_status(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    good = chain()
    lab.trust(good.root)
    assert main(["check", f"localhost:{lab.serve(good.sent)}", f"localhost:{lab.closed_port()}"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("VERIFIED:")]
    assert [line for line in lines if line.startswith("NO CONNECTION:")]


def test_an_inactive_certhook_is_reported(lab: Lab) -> None:
    command = [sys.executable, "-m", "certhook", "check", f"127.0.0.1:{lab.closed_port()}"]
    done = support.run_command(*command, env=support.clean_env(CERTHOOK_DISABLED="1"))
    assert "certhook is not active in this interpreter" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["http://shop.example"], "did you mean https://shop.example?"),
        (["a\x1b[2J"], r"'a\x1b[2J' contains a non-printable character"),
        (["--timeout", "0", "shop.example"], "--timeout 0 is invalid (expected more than 0 and at most 3600 seconds)"),
        (["--timeout", "nan", "shop.example"], "--timeout nan is invalid"),
        (["--timeout", "3601", "shop.example"], "--timeout 3601 is invalid"),
    ],
)
def test_an_invalid_argument_has_exit_status_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and "\x1b" not in error


def test_an_invalid_setting_has_exit_status_1_if_it_raises(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    lab.trust(SSL_CERT_FILE=str(lab.directory / "missing"), CERTHOOK_ON_ERROR="raise")
    assert main(["check", f"localhost:{lab.serve(chain().sent)}"]) == 1
    assert "SSL_CERT_FILE" in capsys.readouterr().err


def test_missing_cryptography_is_reported_with_the_command_to_install_it(installed) -> None:
    done = support.run_command(installed, "-m", "certhook", "check", "localhost")
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'certhook[check]'" in done.stderr


def test_no_other_verb_imports_cryptography() -> None:
    code = "import sys, certhook.cli; certhook.cli.main(['status', '--json']); print('cryptography' in sys.modules)"
    env = support.clean_env(PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
    assert support.run(sys.executable, code, env=env).stdout.splitlines()[-1] == "False"


@pytest.mark.skipif(os.name == "nt", reason="a closed pipe is another error on Windows")
def test_a_closed_standard_output_causes_no_traceback(lab: Lab) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "certhook", "check", f"127.0.0.1:{lab.closed_port()}"]
    done = subprocess.run(command, env=support.clean_env(), stdout=writer, stderr=subprocess.PIPE, timeout=60)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is not a signal on Windows")
def test_an_interrupt_causes_no_traceback() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        command = [sys.executable, "-m", "certhook", "check", f"127.0.0.1:{silent.getsockname()[1]}"]
        process = subprocess.Popen(
            command,
            env=support.clean_env(),
            stderr=subprocess.PIPE,
            encoding="utf-8",
            # A shell makes background processes ignore SIGINT.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        accepted, _ = silent.accept()
        accepted.recv(4096)  # The command now waits for the reply.
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
        accepted.close()
    assert process.returncode == 130
    assert error.startswith("certhook: ") and error.count("\n") == 1
