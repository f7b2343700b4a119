"""``import certhook.auto`` installs the import hook, where :mod:`site` does not.

For embedded interpreters, zip applications and ``python -S``: one line, before or
after ``import ssl``. It never raises, and does nothing where ``CERTHOOK_DISABLED``
is set; a host that wants to choose calls :func:`certhook.install`.
"""

from certhook import start

start("import certhook.auto")
