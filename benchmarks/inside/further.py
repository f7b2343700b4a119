"""Print pairs of times in seconds: a bare context and a further default context, each the mean of a batch.

Arguments: the number of pairs, and the number of contexts in a batch.
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


pairs, size = map(int, sys.argv[1:])
ssl.create_default_context()
batch(bare, size)
print([[batch(bare, size), batch(ssl.create_default_context, size)] for _ in range(pairs)])
