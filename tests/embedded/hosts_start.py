"""Starts a program with Python in it, has it run the code in CODE, and prints what that printed.

    /usr/bin/python3 -I -S hosts_start.py HOST ARGUMENT ...

As the first process of a PID namespace, so that nothing it started outlives it, and in a
mount namespace, in which it has /mnt for itself. What belongs to somebody else than root
runs from there: the folders of the tests are closed to everybody else.
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

#: Runs the code in CODE, with what it prints in *output*.
CAPTURED = """
import contextlib, io, os
output = io.StringIO()
with contextlib.redirect_stdout(output):
    exec(os.environ["CODE"], {})
"""

#: Does so, and prints it even where sys.stdout is something else.
MACRO = f"{CAPTURED}os.write(1, output.getvalue().encode())\n"

#: A web application that does so.
APPLICATION = f"""
def application(environ, start_response):
    exec({CAPTURED!r}, globals())
    body = output.getvalue().encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
"""


def become(user: str, user_base: str) -> None:
    """Go on as *user*, with a copy of *user_base*, in which certhook is, and which the variables of Python name."""
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
    os.environ["CERTHOOK_CACHE_DIR"] = str(MOUNTED / "cache")
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    os.chdir(MOUNTED)


def postgresql(user_base: str, programs: str) -> str:
    """In a function of PL/Python."""
    become("postgres", user_base)
    quiet = {"stdout": subprocess.DEVNULL, "check": True}
    initdb = ("--no-sync", "--no-locale", "--encoding=UTF8", "--auth=trust", "--pgdata=data")
    subprocess.run([f"{programs}/initdb", *initdb], **quiet)
    options = f"-c listen_addresses= -c unix_socket_directories={MOUNTED} -c fsync=off -c shared_buffers=1MB"
    start = ("--pgdata=data", "--log=log", "--wait", f"--timeout={SECONDS}", f"--options={options}", "start")
    subprocess.run([f"{programs}/pg_ctl", *start], **quiet)
    function = f"CREATE FUNCTION said() RETURNS text LANGUAGE plpython3u AS $${CAPTURED}return output.getvalue()$$;"
    script = f"CREATE EXTENSION plpython3u; {function} SELECT said();"
    psql = [f"{programs}/psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", f"--host={MOUNTED}"]
    done = subprocess.run(
        [*psql, "--set=ON_ERROR_STOP=1", "postgres"], input=script, stdout=subprocess.PIPE, encoding="utf-8", check=True
    )
    return done.stdout


def ask(command: Callable[[int], list[str]], *paths: str) -> str:
    """What the pages at *paths* say, all the same, of the server that is started with *command* of a port."""
    for _ in range(5):
        with socket.socket() as chosen:
            chosen.bind(("127.0.0.1", 0))
            port = chosen.getsockname()[1]
        with open(Path(os.environ["TMPDIR"]) / "log", "w+") as log:
            server = subprocess.Popen(command(port), stdout=log, stderr=log)
            end = time.monotonic() + SECONDS
            # Somebody else may have taken the port: it is tried again with another one then.
            while server.poll() is None and time.monotonic() < end:
                try:
                    answers = {urlopen(f"http://127.0.0.1:{port}/{path}", timeout=SECONDS).read() for path in paths}
                except HTTPError as error:
                    log.seek(0)
                    sys.exit(f"{error}\n{log.read()}")
                except URLError:
                    time.sleep(0.05)
                    continue
                (answer,) = answers
                return answer.decode()
            log.seek(0)
            said = log.read()
    sys.exit(f"{command(port)[0]} does not start:\n{said}")


def uwsgi(program: str, *arguments: str) -> str:
    """In an application of uWSGI."""
    application = Path(os.environ["TMPDIR"], "application.py")
    application.write_text(APPLICATION)
    where = ("--wsgi-file", str(application), "--need-app", "--http-socket")
    return ask(lambda port: [program, *arguments, *where, f"127.0.0.1:{port}"], "")


#: Two applications in interpreters of their own, and one in the first of the process.
APACHE = """
ServerName localhost
ServerRoot {folder}
PidFile {folder}/pid
ErrorLog {folder}/log
Mutex file:{folder}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule wsgi_module {modules}/mod_wsgi.so
WSGIScriptAlias /first {folder}/first.wsgi
WSGIScriptAlias /second {folder}/second.wsgi
WSGIScriptAlias /main {folder}/main.wsgi application-group=%{{GLOBAL}}
"""


def mod_wsgi(user_base: str) -> str:
    """In three applications of Apache's mod_wsgi."""
    become("www-data", user_base)
    for name, group in (("first", "/first"), ("second", "/second"), ("main", "")):
        proof = f"import mod_wsgi\nassert mod_wsgi.application_group.partition('|')[2] == {group!r}\n"
        (MOUNTED / f"{name}.wsgi").write_text(proof + APPLICATION)
    (MOUNTED / "conf").write_text(APACHE.format(folder=MOUNTED, modules="/usr/lib/apache2/modules"))
    command = ["/usr/sbin/apache2", "-f", str(MOUNTED / "conf"), "-D", "FOREGROUND", "-C"]
    return ask(lambda port: [*command, f"Listen 127.0.0.1:{port}"], "first", "second", "main")


def libreoffice() -> str:
    """In a macro."""
    profile = Path(os.environ["TMPDIR"], "profile")
    macros = profile / "user" / "Scripts" / "python"
    macros.mkdir(parents=True, exist_ok=True)
    (macros / "macro.py").write_text(f"def said():\n    exec({MACRO!r}, {{}})\n")
    arguments = ("--headless", "--nologo", "--norestore", f"-env:UserInstallation={profile.as_uri()}")
    command = ["/usr/lib/libreoffice/program/soffice.bin", *arguments]
    command.append("vnd.sun.star.script:macro.py$said?language=Python&location=user")
    for _ in range(2):
        done = subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8")
        # It asks to be started again when it has made a new profile.
        if done.returncode != 81:
            done.check_returncode()
            return done.stdout
    sys.exit("LibreOffice does not get beyond making a profile")


if __name__ == "__main__":
    hosts = {host.__name__: host for host in (postgresql, uwsgi, mod_wsgi, libreoffice)}
    sys.stdout.write(hosts[sys.argv[1]](*sys.argv[2:]))
