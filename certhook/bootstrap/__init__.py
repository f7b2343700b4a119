"""The ``sitecustomize`` drop-in directory, and an entry point for starting certhook by hand.

Add this directory to ``PYTHONPATH`` to use the drop-in; see ``sitecustomize.py``.
"""

from certhook import start as main

__all__ = ["main"]
