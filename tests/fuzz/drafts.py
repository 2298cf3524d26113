"""Inputs as hypothesis draws them: a target's real messages with pieces cut out, put in, doubled and swapped."""

from __future__ import annotations

from hypothesis import strategies as st
from target import MAX_BYTES, Target

_NUMBERS = (b"0", b"-1", b"65536", b"4294967296", b"1e400", b"NaN", b"\x00", b"\xff\xff\xff\xff", b"\x7f\xff")
_LONG = 20_000
"""Bytes: longer than most bounds."""


def inputs(target: Target) -> st.SearchStrategy[bytes]:
    """Return inputs of a target: changed seeds, mostly; and any bytes."""
    return st.one_of(_changed(target), _changed(target), _changed(target), st.binary(max_size=400))


@st.composite
def _changed(draw: st.DrawFn, target: Target) -> bytes:
    seeds = target.seeds
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 5))):
        data = _edited(draw, data, target, seeds)
    return data[:MAX_BYTES]


def _edited(draw: st.DrawFn, data: bytes, target: Target, seeds: list[bytes]) -> bytes:
    at = draw(st.integers(0, len(data)))
    to = min(len(data), at + draw(st.integers(0, 24)))
    other = draw(st.sampled_from(seeds))
    middle = draw(
        st.one_of(
            st.just(b""),
            st.just(data[at:to] * 2),
            st.just(data[at:to] * (_LONG // max(1, to - at))),
            st.sampled_from((*target.words, *_NUMBERS)),
            st.binary(max_size=8),
        )
    )
    end = draw(st.sampled_from((data[to:], data[to:], data[to:], b"", other[at:])))
    return data[:at] + middle + end
