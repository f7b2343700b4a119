"""Print pairs of times in seconds: a bare context and a further context, each the mean of a batch.

Arguments: the number of pairs, the number of contexts in a batch, and a file of roots; default: default trust.
"""

import ssl
import sys
from time import perf_counter


def batch(make, size):
    """Return the mean time of *make* in seconds."""
    started = perf_counter()
    for _ in range(size):
        make()
    return (perf_counter() - started) / size


def bare():
    """Return a context without roots."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def complete():
    """Return a context with the roots."""
    return ssl.create_default_context(cafile=file)


pairs, size = map(int, sys.argv[1:3])
file = sys.argv[3] if len(sys.argv) > 3 else None
complete()
batch(bare, size)
print([[batch(bare, size), batch(complete, size)] for _ in range(pairs)])
