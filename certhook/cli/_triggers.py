"""Files that make a system run ``certhook compile`` whenever its root certificates change.

``certhook compile --trigger NAME`` prints them. The commands run without the variables of the administrator's session,
because a store is valid only for processes with the same variables.
"""

from __future__ import annotations

import re
import shlex

_SHELL = """\
#!/bin/sh
# {path}
# Build certhook's compiled store again after a change of the root certificates.
{condition}[ -x {python} ] || exit 0
exec env -i PATH=/usr/bin:/bin {python} -I -m certhook compile --prune < /dev/null > /dev/null
"""

_ALPM = """\
# {path}
# Build certhook's compiled store again after update-ca-trust.hook.
[Trigger]
Type = Path
Operation = Install
Operation = Upgrade
Operation = Remove
Target = usr/share/ca-certificates/trust-source/*
Target = etc/ca-certificates/trust-source/*

[Action]
Description = Compiling the root certificates for Python programs...
When = PostTransaction
Exec = /usr/bin/env -i PATH=/usr/bin {python} -I -m certhook compile --prune
"""

_SERVICE = """\
# {path}
# Build certhook's compiled store again.
[Unit]
Description=Compile the root certificates for Python programs

[Service]
Type=oneshot
ExecStart=/usr/bin/env -i PATH=/usr/bin:/bin {python} -I -m certhook compile --prune
StandardOutput=null

[Install]
WantedBy=multi-user.target
"""

_PATH = """\
# {path}
# Start certhook-compile.service after update-ca-trust, also when p11-kit's "trust anchor" runs it.
[Unit]
Description=Watch the root certificates for Python programs

[Path]
PathChanged=/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem
PathChanged=/etc/ca-certificates/extracted/tls-ca-bundle.pem

[Install]
WantedBy=paths.target
"""

# For each name: the template, and the path of the file. SUSE's and Arch's commands run files in alphabetical order, and
# SUSE's sets a variable while it prepares another root directory.
_FILES = {
    "debian": (_SHELL, "/etc/ca-certificates/update.d/certhook", ""),
    "suse": (_SHELL, "/etc/ca-certificates/update.d/zz-certhook.run", '[ -z "${destdir:-}" ] || exit 0\n'),
    "arch": (_ALPM, "/etc/pacman.d/hooks/zz-certhook.hook", ""),
    "systemd-service": (_SERVICE, "/etc/systemd/system/certhook-compile.service", ""),
    "systemd-path": (_PATH, "/etc/systemd/system/certhook-compile.path", ""),
}

#: The names of the files.
NAMES = tuple(_FILES)


def text_of(name: str, python: str) -> str:
    """Return the file *name* for the interpreter *python*."""
    template, path, condition = _FILES[name]
    quote = shlex.quote if template is _SHELL else _quote_for_unit
    return template.format(path=path, condition=condition, python=quote(python))


def _quote_for_unit(path: str) -> str:
    """Return *path* as an argument in a unit of systemd or a hook of alpm."""
    if re.fullmatch(r"[\w@+=:,./-]+", path, re.ASCII):
        return path
    return '"' + re.sub(r'(["\\])', r"\\\1", path).replace("%", "%%").replace("$", "$$") + '"'
