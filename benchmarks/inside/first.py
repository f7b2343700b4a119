"""Print the times in seconds of ``import ssl`` and of the first context of this process.

Argument: a file of roots; default: default trust.
"""

import sys
from time import perf_counter

file = sys.argv[1] if len(sys.argv) > 1 else None
started = perf_counter()
import ssl  # noqa: E402

imported = perf_counter()
ssl.create_default_context(cafile=file)
ended = perf_counter()
print([imported - started, ended - imported])
