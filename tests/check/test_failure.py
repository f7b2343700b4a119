"""Failures and deadlines."""

from __future__ import annotations

import socket

import pytest

from certhook.cli.check.failure import Deadline, Failure


def test_no_time_is_left_after_the_deadline() -> None:
    assert 0 < Deadline(60).left() <= 60
    with pytest.raises(socket.timeout):
        Deadline(0).left()


def test_the_text_of_a_failure_is_short_and_printable() -> None:
    assert Failure("proxy", "403 \x1b[2J").text == r"403 \x1b[2J"
    assert len(Failure("proxy", "4" * 5000).text) < 130
