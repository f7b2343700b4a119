"""Print the seconds from before ``import ssl`` until there were as many default contexts as each argument says."""

import sys
from time import perf_counter

counts = sorted(map(int, sys.argv[1:]))
started = perf_counter()
import ssl  # noqa: E402

times = []
made = 0
for count in counts:
    while made < count:
        ssl.create_default_context()
        made += 1
    times.append(perf_counter() - started)
print(times)
