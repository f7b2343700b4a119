"""Print the time in seconds for ``import ssl`` and as many default contexts as each argument specifies."""

import sys
from time import perf_counter

counts = sorted(map(int, sys.argv[1:]))
started = perf_counter()
import ssl  # noqa: E402

times = []
created = 0
for count in counts:
    while created < count:
        ssl.create_default_context()
        created += 1
    times.append(perf_counter() - started)
print(times)
