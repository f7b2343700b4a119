"""The command in a warning, which shows its cause."""

from __future__ import annotations

import sys

import pytest
import support


def test_a_warning_names_a_command_that_explains_it(installed, tmp_path) -> None:
    missing = str(tmp_path / "missing.pem")
    env = support.clean_env(CERTHOOK_EXTRA_CA_CERTS=missing)
    done = support.run(installed, "import ssl; ssl.create_default_context()", env=env)
    (line, *_) = done.stderr.splitlines()
    assert line.endswith(f". Run '{installed} -m certhook' for details")
    command = line.rpartition("Run '")[2].partition("'")[0].split()
    shown = support.run_command(*command, env=env, cwd=tmp_path).stdout
    assert support.shows(shown, "Problems:", f"CERTHOOK_EXTRA_CA_CERTS: {missing}")


@pytest.mark.parametrize(
    ("executable", "command"),
    [
        ("/srv/app/.venv/bin/python3.12", "/srv/app/.venv/bin/python3.12 -m certhook"),
        ("/opt/pypy/bin/pypy3", "/opt/pypy/bin/pypy3 -m certhook"),
        ("/srv/an app/bin/python", '"/srv/an app/bin/python" -m certhook'),
        ("/usr/sbin/apache2", "python -m certhook"),
        ("", "python -m certhook"),
        (None, "python -m certhook"),
    ],
)
def test_the_command_in_a_warning_names_the_interpreter_if_it_has_a_path(executable, command, monkeypatch) -> None:
    import ssl

    import certhook

    monkeypatch.setenv("CERTHOOK_SOURCES", "bundled")
    monkeypatch.setenv("CERTHOOK_MODE", "both")
    monkeypatch.setattr(sys, "executable", executable)
    with pytest.warns(certhook.CerthookWarning) as shown:
        certhook.load_default_certs(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    assert str(shown[0].message).endswith(f"; using fallback. Run '{command}' for details")


@pytest.mark.parametrize("attribute", ["frozen", "_MEIPASS", "__compiled__"])
def test_a_warning_in_a_frozen_program_names_the_variable_that_shows_details(attribute, monkeypatch, capsys) -> None:
    """It cannot run python -m certhook. PyInstaller and cx_Freeze set the first attributes, Nuitka the last."""
    import ssl

    import certhook
    from certhook import _warnings

    monkeypatch.setenv("CERTHOOK_SOURCES", "bundled")
    monkeypatch.setenv("CERTHOOK_MODE", "both")
    owner = _warnings if attribute == "__compiled__" else sys
    monkeypatch.setattr(owner, attribute, "/nowhere", raising=False)
    with pytest.warns(certhook.CerthookWarning, match=r"; using fallback\. Set CERTHOOK_DEBUG=1 for details$"):
        certhook.load_default_certs(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


def test_a_warning_names_a_command_that_works_with_the_drop_in(certhook, plain) -> None:
    done = certhook("run", plain, "-c", "import ssl; ssl.create_default_context()", CERTHOOK_MODE="both")
    (line, *_) = done.stderr.splitlines()
    assert line.endswith(f". Run 'certhook run {plain} -m certhook' for details")
    assert "enabled by the sitecustomize drop-in" in certhook("run", plain, "-m", "certhook").stdout
