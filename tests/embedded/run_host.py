"""Start a program that embeds Python, run the code in CODE in it, and print the output of that code.

    /usr/bin/python3 -I -S run_host.py HOST ARGUMENT ...

This script is the first process of a PID namespace, so that its child processes end with it.
It also has its own mount namespace and uses /mnt there. Programs that run as a user other
than root run from /mnt, because only root can enter the directories of the tests.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

SECONDS = 60
MOUNTED = Path("/mnt")

#: Runs the code in CODE and captures its output in the variable *output*.
CAPTURED = """
import contextlib, io, os
output = io.StringIO()
with contextlib.redirect_stdout(output):
    exec(os.environ["CODE"], {})
"""

#: Runs :data:`CAPTURED` and writes the output to file descriptor 1, even if the host has replaced sys.stdout.
MACRO = f"{CAPTURED}os.write(1, output.getvalue().encode())\n"

#: A WSGI application that runs :data:`CAPTURED` and returns the output.
APPLICATION = f"""
def application(environ, start_response):
    exec({CAPTURED!r}, globals())
    body = output.getvalue().encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
"""


def switch_user(user: str, user_base: str) -> None:
    """Switch to *user*, copy *user_base*, which contains certhook, to /mnt and update Python's variables."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(MOUNTED)], check=True)
    entry = pwd.getpwnam(user)
    os.chown(MOUNTED, entry.pw_uid, entry.pw_gid)
    shutil.copytree(user_base, MOUNTED, dirs_exist_ok=True)
    for name in ("PYTHONPATH", "PYTHONUSERBASE"):
        if name in os.environ:
            os.environ[name] = os.environ[name].replace(user_base, str(MOUNTED))
    os.environ.update(HOME=str(MOUNTED), TMPDIR=str(MOUNTED))
    if "SSL_CERT_FILE" in os.environ:
        os.environ["SSL_CERT_FILE"] = shutil.copy(os.environ["SSL_CERT_FILE"], f"{MOUNTED}/store.pem")
    os.environ["CERTHOOK_STORE_DIR"] = str(MOUNTED / "cache")
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    os.chdir(MOUNTED)


def postgresql(user_base: str, programs: str) -> str:
    """Run the code in a PL/Python function."""
    switch_user("postgres", user_base)
    quiet = {"stdout": subprocess.DEVNULL, "check": True}
    initdb = ("--no-sync", "--no-locale", "--encoding=UTF8", "--auth=trust", "--pgdata=data")
    subprocess.run([f"{programs}/initdb", *initdb], **quiet)
    options = f"-c listen_addresses= -c unix_socket_directories={MOUNTED} -c fsync=off -c shared_buffers=1MB"
    start = ("--pgdata=data", "--log=log", "--wait", f"--timeout={SECONDS}", f"--options={options}", "start")
    subprocess.run([f"{programs}/pg_ctl", *start], **quiet)
    function = f"CREATE FUNCTION run_code() RETURNS text LANGUAGE plpython3u AS $${CAPTURED}return output.getvalue()$$;"
    script = f"CREATE EXTENSION plpython3u; {function} SELECT run_code();"
    psql = [f"{programs}/psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", f"--host={MOUNTED}"]
    done = subprocess.run(
        [*psql, "--set=ON_ERROR_STOP=1", "postgres"], input=script, stdout=subprocess.PIPE, encoding="utf-8", check=True
    )
    return done.stdout


def fetch(command: Callable[[int], list[str]], *paths: str) -> str:
    """Start the server ``command(port)`` and return the content of the pages at *paths*, which must be equal."""
    for _ in range(5):
        with socket.socket() as chosen:
            chosen.bind(("127.0.0.1", 0))
            port = chosen.getsockname()[1]
        with open(Path(os.environ["TMPDIR"]) / "log", "w+") as log:
            server = subprocess.Popen(command(port), stdout=log, stderr=log)
            end = time.monotonic() + SECONDS
            # If another process has taken the port in the meantime, the server exits, and the loop tries another port.
            while server.poll() is None and time.monotonic() < end:
                try:
                    pages = {urlopen(f"http://127.0.0.1:{port}/{path}", timeout=SECONDS).read() for path in paths}
                except HTTPError as error:
                    log.seek(0)
                    sys.exit(f"{error}\n{log.read()}")
                except URLError:
                    time.sleep(0.05)
                    continue
                (page,) = pages
                return page.decode()
            log.seek(0)
            output = log.read()
    sys.exit(f"{command(port)[0]} does not start:\n{output}")


def uwsgi(program: str, *arguments: str) -> str:
    """Run the code in a uWSGI application."""
    application = Path(os.environ["TMPDIR"], "application.py")
    application.write_text(APPLICATION)
    options = ("--wsgi-file", str(application), "--need-app", "--http-socket")
    return fetch(lambda port: [program, *arguments, *options, f"127.0.0.1:{port}"], "")


#: Two applications, each in its own subinterpreter, and one in the main interpreter of the process.
APACHE = """
ServerName localhost
ServerRoot {directory}
PidFile {directory}/pid
ErrorLog {directory}/log
Mutex file:{directory}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule wsgi_module {modules}/mod_wsgi.so
WSGIScriptAlias /first {directory}/first.wsgi
WSGIScriptAlias /second {directory}/second.wsgi
WSGIScriptAlias /main {directory}/main.wsgi application-group=%{{GLOBAL}}
"""


def mod_wsgi(user_base: str) -> str:
    """Run the code in three applications of Apache's mod_wsgi."""
    switch_user("www-data", user_base)
    for name, group in (("first", "/first"), ("second", "/second"), ("main", "")):
        proof = f"import mod_wsgi\nassert mod_wsgi.application_group.partition('|')[2] == {group!r}\n"
        (MOUNTED / f"{name}.wsgi").write_text(proof + APPLICATION)
    (MOUNTED / "conf").write_text(APACHE.format(directory=MOUNTED, modules="/usr/lib/apache2/modules"))
    command = ["/usr/sbin/apache2", "-f", str(MOUNTED / "conf"), "-D", "FOREGROUND", "-C"]
    return fetch(lambda port: [*command, f"Listen 127.0.0.1:{port}"], "first", "second", "main")


def libreoffice() -> str:
    """Run the code in a macro of LibreOffice."""
    # LibreOffice creates a socket in /tmp; or else in the profile, whose path may be too long.
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/tmp"], check=True)
    profile = Path(os.environ["TMPDIR"], "profile")
    macros = profile / "user" / "Scripts" / "python"
    macros.mkdir(parents=True, exist_ok=True)
    (macros / "macro.py").write_text(f"def run_code():\n    exec({MACRO!r}, {{}})\n")
    arguments = ("--headless", "--nologo", "--norestore", f"-env:UserInstallation={profile.as_uri()}")
    command = ["/usr/lib/libreoffice/program/soffice.bin", *arguments]
    command.append("vnd.sun.star.script:macro.py$run_code?language=Python&location=user")
    for _ in range(2):
        done = subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8")
        # Exit status 81 requests a restart after LibreOffice has created a new profile.
        if done.returncode != 81:
            done.check_returncode()
            return done.stdout
    sys.exit("LibreOffice does not start after creating a profile")


if __name__ == "__main__":
    hosts = {host.__name__: host for host in (postgresql, uwsgi, mod_wsgi, libreoffice)}
    sys.stdout.write(hosts[sys.argv[1]](*sys.argv[2:]))
