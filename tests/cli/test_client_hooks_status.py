"""The report of ``status`` about client hooks, with a stand-in for httpcore2."""

from __future__ import annotations

from pathlib import Path

import pytest

LIBRARY = "import ssl\ndef default_ssl_context(*, _trust_env=True):\n    return ssl.SSLContext()\n"


@pytest.fixture
def library(metadata, tmp_path) -> Path:
    """The module of a stand-in for httpcore2 that is installed in a directory."""
    module = Path(metadata(httpcore2="2.16.2")) / "httpcore2" / "_ssl.py"
    module.parent.mkdir()
    (module.parent / "__init__.py").touch()
    module.write_text(LIBRARY)
    return module


def path_of(library: Path) -> str:
    return str(library.parent.parent)


def test_an_active_hook_is_reported(certhook, status, library) -> None:
    found = status(PYTHONPATH=path_of(library))
    expected = {"name": "httpcore2", "version": "2.16.2", "hook": "httpcore2", "inactive_reason": None}
    assert found["client_hooks"] == [expected]
    done = certhook("status", PYTHONPATH=path_of(library))
    assert "Client hooks:\n  httpcore2 2.16.2\n       uses default trust\n" in done.stdout
    assert done.returncode == 0, done.stdout


def test_libraries_that_are_not_installed_are_not_reported(certhook, status) -> None:
    assert status()["client_hooks"] == []
    assert "Client hooks" not in certhook("status").stdout


def test_a_library_with_other_internals_is_a_problem(certhook, status, library) -> None:
    library.write_text("import ssl")
    found = status(PYTHONPATH=path_of(library))
    reason = found["client_hooks"][0]["inactive_reason"]
    assert reason.startswith("this version is not supported") and "default_ssl_context" in reason
    assert found["problems"] == [f"httpcore2 2.16.2: {reason}"]
    assert certhook("status", PYTHONPATH=path_of(library)).returncode == 1


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"CERTHOOK_CLIENTS": "none"}, "CERTHOOK_CLIENTS excludes it"),
        ({"CERTHOOK_DISABLED": "1"}, "certhook is not active in this interpreter"),
    ],
    ids=["excluded", "disabled"],
)
def test_a_hook_that_is_disabled_is_no_problem(status, library, variables, reason) -> None:
    found = status(PYTHONPATH=path_of(library), **variables)
    assert found["client_hooks"][0]["inactive_reason"] == reason
    assert not found["problems"]


# The panics of extension modules written in Rust, such as cryptography, are not subclasses of Exception.
PANIC = "class PanicException(BaseException): pass\nraise PanicException('broken')"


@pytest.mark.parametrize("code", ["raise RuntimeError('broken')", "raise SystemExit('broken')", PANIC])
def test_a_library_that_cannot_be_imported_is_reported(status, library, code) -> None:
    library.write_text(code)
    assert "('broken')" in status(PYTHONPATH=path_of(library))["client_hooks"][0]["inactive_reason"]


def test_text_that_a_library_prints_is_not_part_of_the_report(status, library) -> None:
    library.write_text(f"print('thanks for using this library')\n{LIBRARY}")
    assert status(PYTHONPATH=path_of(library))["client_hooks"][0]["inactive_reason"] is None


def test_a_library_in_the_working_directory_is_not_imported(certhook, library, tmp_path) -> None:
    library.write_text("import sys; sys.exit('the working directory was imported')")
    for entry in list(library.parent.parent.iterdir()):
        entry.rename(tmp_path / entry.name)  # The working directory of the command.
    done = certhook("status")
    assert (done.returncode, "Client hooks" in done.stdout) == (0, False), done.stdout + done.stderr
