"""Encrypted objects: read back whole and in parts, and by nothing but their own key."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control.records.vault import CHUNK, HEADER, TAG, Vault, chunks_of, last_chunk, sealed_size
from voicebackend.errors import PipelineError

VAULT = Vault("s" * 32, encrypts=True)
ID = "a" * 32
SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 7]


@cache
def content(size: int) -> bytes:
    """Return bytes that differ from chunk to chunk."""
    return bytes((at * 31 + at // CHUNK) % 251 for at in range(size))


@pytest.mark.parametrize("size", SIZES)
def test_what_was_sealed_is_opened(size: int) -> None:
    """Of any length, none too; it grows by what it should, and twice it is not the same."""
    key, data = VAULT.new_key(ID), content(size)
    sealed = VAULT.seal(ID, key, data)
    assert (len(sealed), VAULT.open(ID, key, sealed)) == (sealed_size(size), data)
    assert VAULT.seal(ID, key, data) != sealed
    assert size < 8 or data[:8] not in sealed


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_range_is_read_without_the_rest(data: st.DataObject) -> None:
    """As the same range of the content."""
    size = data.draw(st.sampled_from([size for size in SIZES if size]))
    start = data.draw(st.integers(0, size - 1))
    end = data.draw(st.integers(start + 1, size))
    key, plain = VAULT.new_key(ID), content(size)
    sealed = VAULT.seal(ID, key, plain)
    first, low, high = chunks_of(start, end)
    got = VAULT.open_chunks(ID, key, sealed[:HEADER], sealed[low:high], first=first, last=last_chunk(size))
    skip = first * CHUNK
    assert got[start - skip : end - skip] == plain[start:end]
    assert high - low <= end - start + 2 * (CHUNK + TAG)


def test_what_was_changed_is_not_opened() -> None:
    """A bit anywhere, a chunk moved, left out or repeated, an end cut off, a header of something else."""
    key = VAULT.new_key(ID)
    sealed, step = VAULT.seal(ID, key, content(3 * CHUNK)), CHUNK + TAG
    one, two = sealed[HEADER : HEADER + step], sealed[HEADER + step : HEADER + 2 * step]
    rest = sealed[HEADER + 2 * step :]
    flipped = [
        sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :] for at in (0, 5, HEADER, 70_000, -1 % len(sealed))
    ]
    others = [
        sealed[:HEADER] + two + one + rest,
        sealed[:HEADER] + one + rest,
        sealed[:HEADER] + one + two,
        sealed + rest,
        sealed[:-1],
        sealed[:HEADER],
        b"",
        content(1000),
    ]
    for bad in [*flipped, *others]:
        with pytest.raises(PipelineError):
            VAULT.open(ID, key, bad)


def test_no_other_key_opens_it() -> None:
    """Another object's, another deployment's, none, or one that was not wrapped."""
    key = VAULT.new_key(ID)
    sealed = VAULT.seal(ID, key, b"content")
    for vault, id_, other in [
        (VAULT, ID, VAULT.new_key(ID)),
        (VAULT, "b" * 32, key),
        (Vault("t" * 32), ID, key),
        (Vault(), ID, key),
        (VAULT, ID, ""),
        (VAULT, ID, "no base64 \N{SNOWMAN}"),
    ]:
        with pytest.raises(PipelineError, match="VOICEBACKEND_RECORDS_KEY"):
            vault.open(id_, other, sealed)
    assert repr(VAULT) == "<Vault>"


def test_new_objects_get_no_key_where_nothing_is_to_be_encrypted() -> None:
    """What was encrypted before is opened all the same."""
    key = VAULT.new_key(ID)
    assert Vault("s" * 32).open(ID, key, VAULT.seal(ID, key, b"content")) == b"content"
    assert (Vault("s" * 32).new_key(ID), Vault(encrypts=True).new_key(ID)) == ("", "")
