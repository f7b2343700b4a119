"""Print the seconds that ``import ssl`` and the first default context of this process take."""

from time import perf_counter

started = perf_counter()
import ssl  # noqa: E402

imported = perf_counter()
ssl.create_default_context()
ended = perf_counter()
print([imported - started, ended - imported])
