"""The way in for who starts certhook by hand; the work is done in :mod:`certhook` itself.

This folder on ``PYTHONPATH`` is the drop-in: see ``sitecustomize.py`` in it.
"""

from certhook import start as main

__all__ = ["main"]
