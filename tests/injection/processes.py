"""Forked processes that report their result, of which one system call fails if a fault is injected.

strace attaches to a process that is about to start the operation, so its counters start there, and
neither the start of the interpreter nor the imports of this module are affected. The result is
written to shared memory, without a system call.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import json
import mmap
import os
import signal
import subprocess
import sys
import time
import traceback
from typing import Any, Callable, NamedTuple

from injection.faults import Fault

#: The time after which a process hangs, in seconds. Other processes may use all processors.
TIME_LIMIT = 60

_SIZE = 1 << 20
_START = signal.SIGUSR1
_PR_SET_PTRACER, _ANY = 0x59616D61, -1


class Ended(NamedTuple):
    """A process that has ended.

    :ivar signal: the signal that ended it, 0 if none
    :ivar is_hanging: whether it was ended at the time limit
    :ivar result: the result of its function, None if it raised
    :ivar raised: the exception and its traceback as text, empty if none
    :ivar output: the text on standard output
    :ivar errors: the text on standard error
    :ivar trace: the output of strace
    :ivar counts: the number of reads and writes that could be shortened
    """

    signal: int
    is_hanging: bool
    result: Any
    raised: str
    output: str
    errors: str
    trace: str
    counts: tuple[int, int]

    @property
    def was_injected(self) -> bool:
        return "(INJECTED)" in self.trace or "killed by SIGKILL" in self.trace


def nothing() -> None:
    """Prepare nothing."""


def run(
    function: Callable[[], Any],
    prepare: Callable[[], None] = nothing,
    tracer: list[str] | None = None,
    short: Fault | None = None,
) -> Ended:
    """Run *function* in a forked process.

    :param prepare: is called before, without a fault
    :param tracer: the options of strace, None to run without it
    :param short: the short read or write to inject
    """
    shared = mmap.mmap(-1, _SIZE)
    signal.pthread_sigmask(signal.SIG_BLOCK, {_START, signal.SIGCHLD})
    ready_reader, ready_writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ready_reader)
        _become(function, prepare, shared, ready_writer, short)
    os.close(ready_writer)
    os.read(ready_reader, 1)
    os.close(ready_reader)
    trace, is_hanging = "", False
    if tracer is not None:
        file = os.path.join(os.environ["SCRATCH"], "trace")
        command = ["strace", "--quiet=thread-execve", "-o", file, *tracer, "-p", str(child)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL) as strace:
            attached = strace.stderr.readline()
            if b"attached" not in attached:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                raise OSError(f"strace does not trace a process: {(attached + strace.stderr.read()).decode().strip()}")
            os.kill(child, _START)
            status, is_hanging = _wait(child)
            strace.stderr.read()
        with open(file, encoding="utf-8", errors="replace") as text:
            trace = text.read()
    else:
        os.kill(child, _START)
        status, is_hanging = _wait(child)
    size = int.from_bytes(shared[:8], "little")
    told = json.loads(shared[8 : 8 + size]) if size else {}
    shared.close()
    return Ended(
        os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
        is_hanging,
        told.get("result"),
        told.get("raised", ""),
        told.get("output", ""),
        told.get("errors", ""),
        trace,
        tuple(told.get("counts", (0, 0))),
    )


def _wait(child: int) -> tuple[int, bool]:
    """Return the status of *child*, and whether it was killed at the time limit."""
    end = time.monotonic() + TIME_LIMIT
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status, False
        left = end - time.monotonic()
        if left <= 0:
            os.kill(child, signal.SIGKILL)
            return os.waitpid(child, 0)[1], True
        signal.sigtimedwait({signal.SIGCHLD}, left)


def _become(
    function: Callable[[], Any], prepare: Callable[[], None], shared: mmap.mmap, ready: int, short: Fault | None
) -> None:
    """Run *function* in this process, and end it."""
    told: dict[str, Any] = {}
    output, errors = (io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace") for _ in range(2))
    # The output of the processes that it starts must not be mixed with the results.
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null, descriptor)
    library = _Short()
    try:
        sys.stdout, sys.stderr = output, errors
        prepare()
        ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANY, 0, 0, 0)
        os.write(ready, b"!")
        os.close(ready)
        signal.sigwait({_START})
        library.start(short)
        told["result"] = function()
    except SystemExit as error:
        told["result"] = error.code
    except BaseException:
        told["raised"] = traceback.format_exc()
    library.stop()
    told["counts"] = library.counts
    for name, stream in (("output", output), ("errors", errors)):
        with contextlib.suppress(ValueError):
            stream.flush()
            told[name] = stream.buffer.getvalue().decode("utf-8", "replace")
    data = json.dumps(told).encode()[: _SIZE - 8]
    shared[8 : 8 + len(data)] = data
    shared[:8] = len(data).to_bytes(8, "little")
    os._exit(0)


class _Short:
    """The preloaded library, see ``short.c``, if there is one."""

    def __init__(self) -> None:
        library = ctypes.CDLL(None)
        self._library = library if hasattr(library, "short_persists") else None

    def _variable(self, name: str) -> ctypes.c_int:
        return ctypes.c_int.in_dll(self._library, name)

    def start(self, fault: Fault | None) -> None:
        if self._library is None:
            return
        if fault is not None:
            self._variable(f"short_{fault.call}").value = fault.number
            self._variable("short_persists").value = fault.persists
        self._variable("is_counting").value = 1

    def stop(self) -> None:
        if self._library is not None:
            self._variable("is_counting").value = 0

    @property
    def counts(self) -> tuple[int, int]:
        """The number of reads and writes that could be shortened."""
        if self._library is None:
            return 0, 0
        return self._variable("reads").value, self._variable("writes").value
