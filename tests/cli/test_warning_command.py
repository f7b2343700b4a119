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
    ("executable", "is_frozen", "command"),
    [
        ("/srv/app/.venv/bin/python3.12", False, "/srv/app/.venv/bin/python3.12 -m certhook"),
        ("/opt/pypy/bin/pypy3", False, "/opt/pypy/bin/pypy3 -m certhook"),
        ("/srv/an app/bin/python", False, '"/srv/an app/bin/python" -m certhook'),
        ("/srv/app/python", True, "python -m certhook"),
        ("/usr/sbin/apache2", False, "python -m certhook"),
        ("", False, "python -m certhook"),
        (None, False, "python -m certhook"),
    ],
)
def test_the_command_in_a_warning_names_the_interpreter_if_it_has_a_path(
    executable, is_frozen, command, monkeypatch
) -> None:
    import ssl

    import certhook

    monkeypatch.setenv("CERTHOOK_SOURCES", "bundled")
    monkeypatch.setenv("CERTHOOK_MODE", "both")
    monkeypatch.setattr(sys, "executable", executable)
    if is_frozen:
        monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.warns(certhook.CerthookWarning) as shown:
        certhook.load_default_certs(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    assert str(shown[0].message).endswith(f"; using fallback. Run '{command}' for details")


def test_a_warning_names_a_command_that_works_with_the_drop_in(certhook, plain) -> None:
    done = certhook("run", plain, "-c", "import ssl; ssl.create_default_context()", CERTHOOK_MODE="both")
    (line, *_) = done.stderr.splitlines()
    assert line.endswith(f". Run 'certhook run {plain} -m certhook' for details")
    assert "enabled by the sitecustomize drop-in" in certhook("run", plain, "-m", "certhook").stdout
