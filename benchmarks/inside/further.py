"""Print pairs of seconds: a bare context, and a further default one, each the mean of a batch.

Arguments: how many pairs, and how many contexts a batch has.
"""

import ssl
import sys
from time import perf_counter


def batch(make, size):
    """The mean time of *make*."""
    started = perf_counter()
    for _ in range(size):
        make()
    return (perf_counter() - started) / size


def bare():
    """A context that trusts nobody."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


pairs, size = map(int, sys.argv[1:])
ssl.create_default_context()
batch(bare, size)
print([[batch(bare, size), batch(ssl.create_default_context, size)] for _ in range(pairs)])
