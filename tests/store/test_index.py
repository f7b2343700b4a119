"""The format of an index: encoding is lossless, and every damage is detected."""

from __future__ import annotations

import os
from binascii import crc32

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from certhook._store import INDEX, Index
from certhook._store.build import encode
from certhook._watch import Snapshot

# Text in environments and file systems: every character but NUL, and undecodable bytes as surrogates.
TEXT = st.text(
    st.one_of(
        st.sampled_from(" \n\t/:=0é\udc80\udcff"), st.characters(blacklist_categories=["Cs"], blacklist_characters="\0")
    ),
    max_size=20,
)
NUMBERS = st.integers(min_value=-(2**70), max_value=2**70)
SIGNATURES = st.one_of(st.none(), st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS))
ROWS = st.lists(st.tuples(TEXT, TEXT, TEXT, SIGNATURES), max_size=4)
INDEXES = st.builds(
    Index,
    st.lists(TEXT, max_size=12).map(tuple),
    st.binary(min_size=20, max_size=20).map(bytes.hex),
    st.sampled_from(["", "trust-0123456789abcdef"]),
    SIGNATURES,
    SIGNATURES,
    st.builds(Snapshot, ROWS, ROWS, ROWS, st.booleans()),
    st.lists(st.tuples(TEXT, TEXT), max_size=3),
    st.lists(TEXT, max_size=3),
    st.lists(TEXT, max_size=3),
    st.tuples(NUMBERS, TEXT),
)
# Fields that an index may contain at another position, and fields that it never contains.
FIELD = st.one_of(
    st.integers(-3, 12).map(str), st.sampled_from(["", "x", "1 2 3 4", "1 2", "9" * 5000, "\udcff"]), TEXT
)


def values(index: Index) -> tuple[object, ...]:
    """Return the values of all attributes of *index* and of its snapshot."""
    snapshot = index.snapshot
    groups = (snapshot.frequent, snapshot.rare, snapshot.content, snapshot.portable)
    lists = (index.problems, index.readable, index.unreadable)
    return (
        index.settings,
        index.digest,
        index.link,
        index.store_signature,
        index.files_signature,
        index.built,
        lists,
        groups,
    )


def with_checksum(body: bytes) -> bytes:
    return b"%s\0%08x\0%s" % (INDEX, crc32(body), body)


@given(INDEXES)
def test_decoding_restores_the_encoded_index(index) -> None:
    assert values(Index.from_bytes(encode(index))) == values(index)


@given(st.one_of(st.binary(), st.binary().map(lambda data: INDEX + b"\0" + data)))
def test_arbitrary_data_is_rejected(data) -> None:
    with pytest.raises(ValueError):
        Index.from_bytes(data)


@given(INDEXES, st.data())
def test_a_truncated_index_is_rejected(index, data) -> None:
    written = encode(index)
    with pytest.raises(ValueError):
        Index.from_bytes(written[: data.draw(st.integers(0, len(written) - 1))])


@given(INDEXES, st.data())
def test_an_index_with_a_changed_byte_is_rejected(index, data) -> None:
    written = bytearray(encode(index))
    written[data.draw(st.integers(0, len(written) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ValueError):
        Index.from_bytes(bytes(written))


@given(INDEXES, st.data())
def test_an_index_with_zeroed_bytes_is_rejected(index, data) -> None:
    written = encode(index)
    start = data.draw(st.integers(0, len(written) - 1))
    end = data.draw(st.integers(start + 1, len(written)))
    zeroed = written[:start] + bytes(end - start) + written[end:]
    assume(zeroed != written)
    with pytest.raises(ValueError):
        Index.from_bytes(zeroed)


@given(st.lists(FIELD, max_size=20).map("\0".join).map(os.fsencode))
def test_arbitrary_fields_with_a_valid_checksum_are_an_index_or_are_rejected(body) -> None:
    try:
        index = Index.from_bytes(with_checksum(body))
    except ValueError:
        return
    assert encode(Index.from_bytes(encode(index))) == encode(index)


@given(INDEXES, st.data())
def test_an_index_with_a_changed_field_is_complete_or_is_rejected(index, data) -> None:
    body = encode(index).split(b"\0", 2)[2].split(b"\0")
    body[data.draw(st.integers(0, len(body) - 1))] = os.fsencode(data.draw(FIELD))
    try:
        read = Index.from_bytes(with_checksum(b"\0".join(body)))
    except ValueError:
        return
    snapshot = read.snapshot
    rows = [*snapshot.frequent, *snapshot.rare, *snapshot.content]
    assert all(len(row) == 4 for row in rows)
    assert len(read.settings) + 4 * len(rows) <= len(body)


@pytest.mark.parametrize("digest", ["", ".", "../0123", "/etc/ssl/certs"])
def test_an_index_that_names_a_store_outside_its_directory_is_rejected(digest) -> None:
    with pytest.raises(ValueError, match="without a digest"):
        Index.from_bytes(encode(index_of(digest, "")))


@pytest.mark.parametrize("link", ["other", "../trust-0123", "trust-/../x", "/etc/ssl/certs"])
def test_an_index_with_a_link_outside_its_directory_is_rejected(link) -> None:
    with pytest.raises(ValueError, match="without a digest"):
        Index.from_bytes(encode(index_of("0123", link)))


def index_of(digest: str, link: str) -> Index:
    return Index(("setting",), digest, link, None, None, Snapshot([], [], []), [], [], [], (0, ""))
