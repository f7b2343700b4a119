"""What is heard of a server while TLS is set up: its certificates, out of a message of the handshake."""

from __future__ import annotations

from typing import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certhook.cli.check.recorder import chain_of


def prefixed(size: int, content: bytes) -> bytes:
    return len(content).to_bytes(size, "big") + content


def message(chain: Sequence[bytes], extensions: bytes | None, context: bytes = b"") -> bytes:
    """A Certificate message of TLS 1.2, or one of TLS 1.3, each of whose certificates has *extensions*."""
    behind = b"" if extensions is None else prefixed(2, extensions)
    body = prefixed(3, b"".join(prefixed(3, der) + behind for der in chain))
    return b"\x0b" + prefixed(3, body if extensions is None else prefixed(1, context) + body)


chains = st.lists(st.binary(min_size=1, max_size=300), max_size=5)


@given(chains)
def test_the_certificates_of_tls_1_2_are_heard(chain: Sequence[bytes]) -> None:
    assert chain_of(message(chain, None), with_extensions=False) == chain


@given(chains, st.binary(max_size=40), st.binary(max_size=40))
def test_the_certificates_of_tls_1_3_are_heard(chain: Sequence[bytes], extensions: bytes, context: bytes) -> None:
    assert chain_of(message(chain, extensions, context), with_extensions=True) == chain


@pytest.mark.parametrize("extensions", [None, b"", b"12345"])
def test_of_a_message_that_is_cut_short_or_too_long_nothing_is_heard(extensions: bytes | None) -> None:
    whole = message([b"first", b"second"], extensions)
    for end in range(len(whole)):
        assert chain_of(whole[:end], with_extensions=extensions is not None) is None
    assert chain_of(whole + b"\0", with_extensions=extensions is not None) is None


@given(st.binary(max_size=300), st.booleans())
def test_whatever_is_said_only_what_is_in_it_is_heard(said: bytes, with_extensions: bool) -> None:
    assert all(der in said for der in chain_of(said, with_extensions) or ())
