"""A bounded number of threads that check servers at the same time."""

from __future__ import annotations

import queue
import threading
from typing import Callable, Iterator, Sequence, TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

#: The largest number of servers that are checked at the same time.
LIMIT = 16
# On Windows, Ctrl-C interrupts no wait. Each wait is therefore short. In seconds.
_INTERVAL = 0.1


def results_in_order(
    function: Callable[[_Item], _Result],
    items: Sequence[_Item],
    report: Callable[[int, Sequence[_Item]], object],
    limit: int = LIMIT,
) -> Iterator[_Result]:
    """Call *function* for each of *items* in threads, and yield the results in the order of the items.

    The main thread only waits, so that Ctrl-C takes effect at once. The threads are daemons: an interrupted process
    does not wait for slow servers. If no thread can be started, this thread calls *function*.

    :param report: called in this thread with the number of finished items and the items in progress, repeatedly
    :param limit: the largest number of threads
    :raises Exception: if *function* raises it, in place of the result
    """
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    finished: queue.SimpleQueue[tuple[int, _Result | None, BaseException | None]] = queue.SimpleQueue()
    in_progress: dict[int, _Item] = {}
    stopped = threading.Event()

    def work() -> None:
        while not stopped.is_set():
            try:
                index = waiting.get_nowait()
            except queue.Empty:
                return
            in_progress[index] = items[index]
            try:
                outcome = index, function(items[index]), None
            except BaseException as error:
                finished.put((index, None, error))
            else:
                finished.put(outcome)

    for index in range(len(items)):
        waiting.put(index)
    try:
        if not _start(work, min(limit, len(items))):
            yield from _without_threads(function, items, report)
            return
        yield from _collect(len(items), finished, in_progress, report)
    finally:
        stopped.set()


def _start(work: Callable[[], None], count: int) -> int:
    """Start *count* threads, or as many as the limits of this process allow, and return their number."""
    for started in range(count):
        try:
            threading.Thread(target=work, daemon=True, name="certhook check").start()
        except RuntimeError:
            return started
    return count


def _without_threads(
    function: Callable[[_Item], _Result],
    items: Sequence[_Item],
    report: Callable[[int, Sequence[_Item]], object],
) -> Iterator[_Result]:
    for done, item in enumerate(items):
        report(done, [item])
        yield function(item)


def _collect(
    count: int,
    finished: queue.SimpleQueue[tuple[int, _Result | None, BaseException | None]],
    in_progress: dict[int, _Item],
    report: Callable[[int, Sequence[_Item]], object],
) -> Iterator[_Result]:
    """Yield the results of *count* items in order as they arrive in *finished*."""
    outcomes: dict[int, tuple[_Result | None, BaseException | None]] = {}
    done = 0
    for position in range(count):
        while position not in outcomes:
            report(done, [in_progress[index] for index in sorted(in_progress.copy())])
            try:
                index, *outcome = finished.get(timeout=_INTERVAL)
            except queue.Empty:
                continue
            done += 1
            del in_progress[index]
            outcomes[index] = (outcome[0], outcome[1])  # type: ignore[assignment]
        result, error = outcomes.pop(position)
        if error is not None:
            raise error
        yield result  # type: ignore[misc]
