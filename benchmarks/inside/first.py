"""Print the times in seconds of ``import ssl`` and of the first default context of this process."""

from time import perf_counter

started = perf_counter()
import ssl  # noqa: E402

imported = perf_counter()
ssl.create_default_context()
ended = perf_counter()
print([imported - started, ended - imported])
