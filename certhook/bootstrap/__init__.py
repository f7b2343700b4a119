"""The directory of the ``sitecustomize`` drop-in. To use the drop-in, add this directory to ``PYTHONPATH``.

:func:`main` is :func:`certhook.start`, for code that calls it explicitly.
"""

from certhook import start as main

__all__ = ["main"]
