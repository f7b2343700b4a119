"""The environment .venv of a clone, for tools/try.py and tools/test.py.

These scripts use only the standard library, and no syntax that is newer than Python 3.6, so that an old Python can
print which one is required.
"""

import importlib.util
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ENVIRONMENT = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(ENVIRONMENT, *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")))
# certhook, from this clone, in the Pythons that install packages: even an old pip then trusts the system's store.
DROP_IN = os.path.join(ROOT, "certhook", "bootstrap")

NO_INSTALLER = """
This Python can create no environment: it has neither venv (with ensurepip) nor virtualenv, and there is no uv.
{remedy}
Then run this command again.
"""
NO_PACKAGES = """
The packages cannot be installed; the messages above contain the reason. If a certificate is not trusted, a proxy of
your company probably inspects TLS. Ask your IT department for its root certificate as a file, and run:
  {variable}=/path/to/root.pem {command}
If there is no connection at all, set HTTPS_PROXY to the address of your proxy.
"""


def require_python():
    """End this process if its Python is too old."""
    if sys.version_info < (3, 8):
        sys.exit("certhook requires Python 3.8 or later, and this is {}.{}.".format(*sys.version_info))


def run(*command, **variables):
    """Show and run a command, and return its exit status."""
    shown = [f"{name}={value}" for name, value in variables.items()] + list(command)
    print("$", *(f"'{part}'" if " " in part else part for part in shown), flush=True)
    return subprocess.call(command, env=dict(os.environ, **variables), cwd=ROOT)


def has_pip():
    """Return whether the environment exists and has a pip. The working directory may belong to another user."""
    return (
        os.path.exists(PYTHON) and subprocess.call([PYTHON, "-I", "-c", "import pip"], stderr=subprocess.DEVNULL) == 0
    )


def create():
    """Create the environment, unless it exists, with a tool that this machine has."""
    if has_pip() or (os.path.exists(PYTHON) and shutil.which("uv")):
        return
    if importlib.util.find_spec("ensurepip"):
        status = run(sys.executable, "-m", "venv", "--clear", ENVIRONMENT)
    elif shutil.which("uv"):
        status = run("uv", "venv", "--quiet", "--clear", "--python", sys.executable, ENVIRONMENT)
    elif importlib.util.find_spec("virtualenv"):
        status = run(sys.executable, "-m", "virtualenv", "--quiet", "--clear", ENVIRONMENT)
    else:
        sys.exit(NO_INSTALLER.format(remedy=remedy()).strip())
    if status:
        sys.exit(status)


def remedy():
    """Return the command that installs the missing package."""
    if not shutil.which("apt-get"):
        return "Install uv, or the package of your system that contains Python's module ensurepip."
    sudo = "" if os.geteuid() == 0 else "sudo "
    return f"To install it, run:\n  {sudo}apt-get update && {sudo}apt-get install --yes python3-venv"


def install(*requirements):
    """Install packages into the environment, with its pip, or with uv if it has none."""
    print("Installing packages, which can take a minute:")
    if has_pip():
        pip = (PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements)
        path = os.pathsep.join(filter(None, [DROP_IN, os.environ.get("PYTHONPATH")]))
        # The clone has no certifi, which is no problem here.
        status = run(*pip, PYTHONPATH=path, PYTHONWARNINGS="ignore:certifi")
        variable = "CERTHOOK_EXTRA_CA_CERTS"
    else:
        uv = ("uv", "pip", "install", "--quiet", "--python", PYTHON, *requirements)
        # With its own roots, and then with the system's; the second variable is for older releases.
        status = run(*uv) and run(*uv, UV_SYSTEM_CERTS="1", UV_NATIVE_TLS="1")
        variable = "SSL_CERT_FILE"
    if status:
        command = " ".join([os.path.basename(sys.executable), *sys.argv])
        sys.exit(NO_PACKAGES.format(variable=variable, command=command).rstrip())
