"""``import certhook.auto`` installs the import hook where :mod:`site` does not run.

Use it in embedded interpreters, zip applications and with ``python -S``, either before
or after ``import ssl``. The import never raises, and has no effect if
``CERTHOOK_DISABLED`` is set. Hosts that need options call :func:`certhook.install`.
"""

from certhook import start

start("import certhook.auto")
