"""What is compared in the providers' benchmark is the same work."""

from __future__ import annotations

import json

import pytest

from benchmarks.exchanges import Exchange, exchanges


@pytest.mark.parametrize("exchange", exchanges(), ids=lambda exchange: exchange.name)
def test_both_sides_send_the_same_and_hear_the_same(exchange: Exchange) -> None:
    """Our client's message is the bare one; the bare way leaves a WAV header where it is."""
    assert exchange.ours.decode(exchange.received) == exchange.pcm
    assert exchange.bare.decode(exchange.received).endswith(exchange.pcm)
    if exchange.ours.encode is not None and exchange.bare.encode is not None:
        ours, bare = exchange.ours.encode(exchange.pcm), exchange.bare.encode(exchange.pcm)
        assert ours == bare or json.loads(ours) == json.loads(bare)
