"""Several servers: order, time limits, interrupts, progress, and the summary."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from typing import Any, Iterator

import pytest
import support
from lab import Lab, answer_tls
from pki import chain, issue

from certhook.cli import main
from certhook.cli.check import contexts, workers
from certhook.cli.check.workers import results_in_order

posix = pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is not a signal on Windows, and it has no pty")


def run_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    main(["check", "--json", *arguments])
    checks: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["checks"]
    return checks


def silent(lab: Lab) -> str:
    """Start a server that accepts connections and sends nothing, and return its address."""
    server = lab.stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=200))
    return f"127.0.0.1:{server.getsockname()[1]}"


# Results.


def test_results_have_the_order_of_the_arguments(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    good = chain()
    lab.trust(good.root)

    def slowly(context: Any, raw: socket.socket) -> None:
        time.sleep(0.7)
        answer_tls(context, raw)

    slow, fast = lab.serve(good.sent, handler=slowly), lab.serve(good.sent)
    targets = [f"localhost:{slow}", f"localhost:{fast}", f"localhost:{lab.closed_port()}", f"127.0.0.1:{fast}"]
    assert [check["target"] for check in run_json(capsys, *targets)] == targets
    assert main(["check", *targets]) == 1
    output = capsys.readouterr().out
    found = re.findall(r"^(?:VERIFIED|NOT VERIFIED|NO CONNECTION): (\S+), port (\d+)", output, re.MULTILINE)
    assert [":".join(one) for one in found] == targets


def test_silent_servers_share_one_time_limit(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    good = chain()
    lab.trust(good.root)
    targets = [silent(lab) for _ in range(10)] + [f"localhost:{lab.serve(good.sent)}"]
    start = time.monotonic()
    checks = run_json(capsys, "--timeout", "2", *targets)
    assert time.monotonic() - start < 8
    assert [check["verified"] for check in checks] == [False] * 10 + [True]
    assert {check["error"]["message"] for check in checks[:10]} == {"timed out"}


def test_a_server_that_never_stops_sending_does_not_delay_the_others(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    good = chain()
    lab.trust(good.root)
    ended = lab.event()

    def flood(context: Any, raw: socket.socket) -> None:
        with context.wrap_socket(raw, server_side=True) as secured:
            while not ended.is_set():
                secured.sendall(b"x" * 16000)

    def flood_without_tls(raw: socket.socket) -> None:
        while not ended.is_set():
            raw.sendall(b"HTTP/1.1 200 OK\r\n" * 1000)

    targets = [lab.serve(good.sent, handler=flood), lab.listen(flood_without_tls), lab.serve(good.sent)]
    start = time.monotonic()
    checks = run_json(capsys, "--timeout", "3", *(f"localhost:{port}" for port in targets))
    assert time.monotonic() - start < 12
    assert [check["verified"] for check in checks] == [True, False, True]


def test_results_do_not_depend_on_the_number_of_threads(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good = chain()
    stranger, expired, elsewhere = chain(), chain(days=(-30, -1)), chain(hosts=("elsewhere.example",))
    lab.trust(good.root, expired.root, elsewhere.root, CERTHOOK_EXTRA_CA_CERTS=lab.write("extra.pem", issue("x").pem))
    ports = [lab.serve(one.sent) for one in (good, stranger, expired, elsewhere)] + [lab.closed_port()]
    targets = [f"localhost:{port}" for port in ports]
    monkeypatch.setattr(results_in_order, "__defaults__", (1,))
    alone = run_json(capsys, "--timeout", "60", *targets)
    monkeypatch.setattr(results_in_order, "__defaults__", (workers.LIMIT,))
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        together = run_json(capsys, "--timeout", "60", *targets * 8)
    finally:
        sys.setswitchinterval(interval)
    assert [check["verified"] for check in alone] == [True, False, False, False, False]
    assert together == alone * 8


def test_the_filters_of_warnings_are_restored(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    good = chain()
    lab.trust(good.root)
    before = list(warnings.filters)
    run_json(capsys, *[f"localhost:{lab.serve(good.sent)}"] * 30)
    assert warnings.filters == before


def test_a_warning_in_a_thread_is_ignored_even_if_the_user_makes_it_an_error(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good = chain()
    lab.trust(good.root)
    stock_context = contexts.stock_context

    def deprecated(deadline: Any) -> Any:
        warnings.warn("deprecated", DeprecationWarning, stacklevel=1)
        return stock_context(deadline)

    monkeypatch.setattr(contexts, "stock_context", deprecated)
    warnings.simplefilter("error")
    assert [check["verified"] for check in run_json(capsys, *[f"localhost:{lab.serve(good.sent)}"] * 3)] == [True] * 3


def test_an_error_is_raised_in_place_of_the_result() -> None:
    def divide(number: int) -> float:
        return 1 / number

    results = results_in_order(divide, [1, 2, 0, 4], lambda done, waiting: None)
    assert [next(results), next(results)] == [1, 0.5]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_the_number_of_threads_is_limited() -> None:
    active: list[int] = []
    largest: list[int] = []

    def work(number: int) -> int:
        active.append(number)
        largest.append(len(active))
        time.sleep(0.01)
        active.remove(number)
        return number

    assert list(results_in_order(work, range(40), lambda done, waiting: None, limit=5)) == list(range(40))
    assert 1 < max(largest) <= 5


def test_threads_start_no_further_item_after_an_error() -> None:
    started: list[int] = []
    failed = threading.Event()

    def work(number: int) -> None:
        started.append(number)
        if number == 0:
            raise ZeroDivisionError
        failed.wait(10)

    with pytest.raises(ZeroDivisionError):
        list(results_in_order(work, range(100), lambda done, waiting: None, limit=2))
    failed.set()
    time.sleep(0.3)
    assert len(started) <= 3


# Interrupts.


@posix
@pytest.mark.parametrize("options", [(), ("--json",), ("--pem", "sent"), ("--quiet",)])
def test_an_interrupt_stops_all_connections_at_once(options: tuple[str, ...], lab: Lab) -> None:
    accepted = threading.Event()

    def wait(raw: socket.socket) -> None:
        accepted.set()
        raw.recv(1)
        time.sleep(20)

    targets = [f"127.0.0.1:{lab.listen(wait)}"] * 40
    command = [sys.executable, "-m", "certhook", "check", "--timeout", "60", *options, *targets]
    process = subprocess.Popen(
        command,
        env=support.clean_env(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        # A shell makes background processes ignore SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert accepted.wait(30)
    process.send_signal(signal.SIGINT)
    start = time.monotonic()
    output, error = process.communicate(timeout=60)
    assert time.monotonic() - start < 5
    assert (process.returncode, output, error) == (130, "", "certhook: stopped\n")


# Progress.


def run_on_terminal(*arguments: str, **variables: str) -> tuple[str, str]:
    """Run the command with standard error on a terminal, and return both outputs."""
    import pty

    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "certhook", "check", *arguments],
        env=support.clean_env(**{"TERM": "xterm", **variables}),
        stdout=subprocess.PIPE,
        stderr=slave,
    )
    os.close(slave)
    shown = b"".join(_read_all(master))
    output = process.communicate(timeout=60)[0]
    os.close(master)
    return output.decode(), shown.decode()


def _read_all(descriptor: int) -> Iterator[bytes]:
    while True:
        try:
            data = os.read(descriptor, 4096)
        except OSError:  # Linux reports the end as an error.
            return
        if not data:
            return
        yield data


def on_screen(text: str) -> str:
    """Return what a terminal shows of the last line of *text*."""
    line: list[str] = []
    position = 0
    for character in text:
        if character == "\r":
            position = 0
        else:
            line[position : position + 1] = [character]
            position += 1
    return "".join(line).rstrip()


@posix
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_terminal_shows_the_progress_and_nothing_remains_of_it(options: tuple[str, ...], lab: Lab) -> None:
    targets = [silent(lab), silent(lab), f"127.0.0.1:{lab.closed_port()}"]
    output, shown = run_on_terminal("--timeout", "2", *options, *targets)
    assert f"1 of 3 servers checked. Waiting for {targets[0]}, {targets[1]}" in shown
    assert on_screen(shown) == ""
    assert "\r" not in output and "\033" not in output and "\033" not in shown


@posix
def test_the_progress_fits_the_terminal(lab: Lab) -> None:
    _, shown = run_on_terminal("--timeout", "2", *[silent(lab) for _ in range(20)], COLUMNS="50")
    assert "Waiting for" in shown
    assert max(map(len, shown.split("\r"))) < 50


@posix
@pytest.mark.parametrize("variables", [{"TERM": "dumb"}, {}])
def test_a_dumb_terminal_and_a_fast_result_show_no_progress(variables: dict[str, str], lab: Lab) -> None:
    target = silent(lab) if variables else f"127.0.0.1:{lab.closed_port()}"
    assert run_on_terminal("--timeout", "2", target, **variables)[1] == ""


def test_a_pipe_receives_no_progress(lab: Lab) -> None:
    command = [sys.executable, "-m", "certhook", "check", "--timeout", "1", silent(lab), silent(lab)]
    done = support.run_command(*command, env=support.clean_env(TERM="xterm"))
    assert done.stderr == ""
    assert "\r" not in done.stdout and "\033" not in done.stdout


# The summary.


def summary_of(output: str) -> list[str]:
    return output[output.index("Summary:") :].splitlines()


def test_the_summary_shows_the_verdict_days_root_and_cause(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    good = chain(days=(-30, 80))
    lab.trust(good.root)
    bad = f"localhost:{lab.serve(chain().sent)}"
    targets = [f"localhost:{lab.serve(good.sent)}", bad, f"localhost:{lab.closed_port()}"]
    assert main(["check", *targets]) == 1
    _, headings, first, second, third, _, totals = summary_of(capsys.readouterr().out)
    assert headings.split() == ["SERVER", "VERDICT", "DAYS", "ROOT", "OR", "CAUSE"]
    assert first.split(None, 3) == [targets[0], "VERIFIED", "79", "system: the root (certhook tests)"]
    assert second.split()[:3] == [bad, "NOT", "VERIFIED"] and len(second.split()) > 4
    assert third.split() == [targets[2], "NO", "CONNECTION", "-", "refused"]
    assert totals == "3 servers: 1 verified, 2 not verified."


def test_one_server_has_no_summary(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", f"localhost:{lab.closed_port()}"])
    assert "Summary:" not in capsys.readouterr().out


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_summary_fits_the_width_and_shows_whole_names(
    columns: int, lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = issue("a root with a long name " * 2, ca=True, organization="an organization with a long name " * 2)
    server = issue("localhost", root)
    lab.trust(root)
    monkeypatch.setenv("COLUMNS", str(columns))
    long_name = f"{'a-long-name.' * 4}invalid"
    main(["check", "--timeout", "5", f"localhost:{lab.serve((server,))}", long_name])
    lines = summary_of(capsys.readouterr().out)
    assert f"  {long_name}" in "\n".join(lines)
    assert columns - 4 < max(map(len, lines)) < columns
    assert [line for line in lines if line.endswith("...")]


@posix
@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}])
def test_colours_of_the_summary_do_not_change_its_text(variables: dict[str, str], lab: Lab) -> None:
    import pty

    good = chain()
    target = f"localhost:{lab.serve(good.sent)}"
    env = support.clean_env(TERM="xterm", SSL_CERT_FILE=lab.write("root.pem", good.root.pem), **variables)
    command = [sys.executable, "-m", "certhook", "check", target, f"localhost:{lab.closed_port()}"]
    master, slave = pty.openpty()
    process = subprocess.Popen(command, env=env, stdout=slave, stderr=subprocess.DEVNULL)
    os.close(slave)
    coloured = b"".join(_read_all(master)).decode().replace("\r\n", "\n")
    process.wait(60)
    plain = support.run_command(*command, env=env).stdout
    assert ("\033[32mVERIFIED" in coloured and "\033[31mNO CONNECTION" in coloured) == (not variables)
    assert re.sub(r"\033\[\d+m", "", coloured) == plain


@pytest.mark.parametrize("available", [0, 2])
def test_servers_are_checked_with_the_threads_that_can_be_started(
    available: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start
    started: list[threading.Thread] = []

    def start_some(thread: threading.Thread) -> None:
        if len(started) == available:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_some)
    progress: list[tuple[int, int]] = []
    results = results_in_order(
        lambda number: number * 2, range(5), lambda done, waiting: progress.append((done, len(waiting)))
    )
    assert list(results) == [0, 2, 4, 6, 8]
    assert len(started) == available and progress[0][0] == 0


def test_a_system_without_another_thread_is_reported(lab: Lab) -> None:
    lab.trust_unrelated()

    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    port = lab.serve(chain().sent)
    lab.patch.setattr(workers.threading.Thread, "start", start)
    result, text = lab.check("shop.example", "--connect-to", f"127.0.0.1:{port}", "--timeout", "5")
    assert not result["verified"]
    assert "no thread can be started (can't start new thread); raise the limit" in " ".join(text.split())
