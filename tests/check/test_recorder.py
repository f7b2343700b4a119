"""Parsing the Certificate message of the TLS handshake."""

from __future__ import annotations

from typing import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certhook.cli.check.recorder import parse_certificates


def prefixed(size: int, content: bytes) -> bytes:
    """Return *content* after its length in *size* bytes."""
    return len(content).to_bytes(size, "big") + content


def message(chain: Sequence[bytes], extensions: bytes | None, context: bytes = b"") -> bytes:
    """Return a message of TLS 1.2, or of TLS 1.3 if *extensions* is given."""
    suffix = b"" if extensions is None else prefixed(2, extensions)
    body = prefixed(3, b"".join(prefixed(3, der) + suffix for der in chain))
    return b"\x0b" + prefixed(3, body if extensions is None else prefixed(1, context) + body)


chains = st.lists(st.binary(min_size=1, max_size=300), max_size=5)


@given(chains)
def test_a_tls_1_2_message_is_parsed(chain: Sequence[bytes]) -> None:
    assert parse_certificates(message(chain, None), with_extensions=False) == chain


@given(chains, st.binary(max_size=40), st.binary(max_size=40))
def test_a_tls_1_3_message_is_parsed(chain: Sequence[bytes], extensions: bytes, context: bytes) -> None:
    assert parse_certificates(message(chain, extensions, context), with_extensions=True) == chain


@pytest.mark.parametrize("extensions", [None, b"", b"12345"])
def test_a_message_with_a_wrong_length_is_malformed(extensions: bytes | None) -> None:
    complete = message([b"first", b"second"], extensions)
    for end in range(len(complete)):
        assert parse_certificates(complete[:end], with_extensions=extensions is not None) is None
    assert parse_certificates(complete + b"\0", with_extensions=extensions is not None) is None


@given(st.binary(max_size=300), st.booleans())
def test_certificates_are_parts_of_the_message(data: bytes, with_extensions: bool) -> None:
    assert all(der in data for der in parse_certificates(data, with_extensions) or ())
