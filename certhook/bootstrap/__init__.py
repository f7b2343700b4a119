"""The directory of the ``sitecustomize`` drop-in. To use the drop-in, add this directory to ``PYTHONPATH``."""
