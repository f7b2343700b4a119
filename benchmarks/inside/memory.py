"""Print the number of bytes of memory that each live default context occupies.

Argument: the number of contexts.
"""

import os
import resource
import ssl
import sys


def resident_memory():
    """Return the resident memory of this process in bytes."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        # The peak equals the current value, because nothing is freed.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


count = int(sys.argv[1])
# The first contexts include one-time allocations.
live = [ssl.create_default_context() for _ in range(5)]
before = resident_memory()
live += [ssl.create_default_context() for _ in range(count)]
print((resident_memory() - before) / count)
