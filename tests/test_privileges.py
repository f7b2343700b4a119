"""Privileges: a process that started with raised privileges does not read its caller's variables."""

from __future__ import annotations

import errno
import os
import sys
from typing import Callable

import pytest

from certhook import _config, _state
from certhook._state import process

linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="only Linux reports whether a process started with raised privileges"
)


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of the caller, which are effective at first."""
    monkeypatch.setenv("CERTHOOK_MODE", "fallback")
    monkeypatch.setenv("CERTHOOK_DISABLED", "1")
    assert _config.current().mode == "fallback"
    assert _config.is_disabled()


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this platform has no set-uid")
@pytest.mark.parametrize("identity", ["geteuid", "getegid"])
def test_a_set_uid_or_set_gid_process_reads_no_variable(variables, identity, monkeypatch) -> None:
    """This applies to systems that do not report whether a process started with raised privileges."""
    monkeypatch.setattr(process, "at_secure", "unknown")
    other = getattr(os, identity)() + 1
    monkeypatch.setattr(os, identity, lambda: other)
    assert _config.current().mode == "chain"
    assert not _config.is_disabled()


def raising(number: int) -> Callable[..., None]:
    """Return a function that raises the :exc:`OSError` with this error number."""

    def fail(*args: object, **kwargs: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@linux
@pytest.mark.parametrize("identity", ["geteuid", "getegid"])
def test_a_daemon_that_switched_its_user_keeps_its_variables(variables, identity, monkeypatch) -> None:
    other = getattr(os, identity)() + 1
    monkeypatch.setattr(os, identity, lambda: other)
    assert _state.ids_differ() and not _state.is_privileged()
    assert _config.current().mode == "fallback"


@linux
def test_without_access_to_proc_the_c_library_reports_the_privileges(monkeypatch) -> None:
    monkeypatch.setattr(_state.os, "open", raising(errno.EACCES))
    assert _state._query_at_secure() == "no"
    monkeypatch.setitem(sys.modules, "ctypes", None)
    assert _state._query_at_secure() == "yes"


@linux
def test_a_process_without_free_descriptors_reads_no_variables_until_it_can_check_its_privileges(monkeypatch) -> None:
    """The caller of a set-uid program can limit its number of open files, so that /proc cannot be read."""
    with monkeypatch.context() as patch:
        patch.setattr(_state.os, "open", raising(errno.EMFILE))
        assert _state._query_at_secure() == "no"  # from the C library
        patch.setitem(sys.modules, "ctypes", None)
        assert _state.is_privileged() and process.at_secure == ""
    assert not _state.is_privileged() and process.at_secure == "no"


@linux
def test_without_proc_and_the_c_library_the_identities_decide(monkeypatch) -> None:
    monkeypatch.setattr(_state.os, "open", raising(errno.ENOENT))
    monkeypatch.setitem(sys.modules, "ctypes", None)
    assert _state._query_at_secure() == "unknown"
