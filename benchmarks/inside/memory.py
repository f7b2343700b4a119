"""Print how many bytes the memory of this process grows by for each live default context.

Argument: how many contexts.
"""

import os
import resource
import ssl
import sys


def used():
    """The resident memory of this process, in bytes."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        # The peak, which is the same here as nothing is freed.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


count = int(sys.argv[1])
# The first ones need what is needed once.
live = [ssl.create_default_context() for _ in range(5)]
before = used()
live += [ssl.create_default_context() for _ in range(count)]
print((used() - before) / count)
