"""The queue to a caller's socket: who fills it waits, what is not sent stays, a lost socket keeps two seconds."""

from __future__ import annotations

import asyncio

import pytest

from voicebackend.client.outgoing import KEPT_S, MAX_QUEUED, Outgoing
from voicebackend.events import Dtmf

SECOND = bytes(16_000)
"""At 8 kHz."""


async def test_who_fills_it_waits_until_something_is_sent() -> None:
    """And then goes on."""
    outgoing = Outgoing(8_000)
    for _ in range(MAX_QUEUED):
        await outgoing.put(b"\1\2")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(outgoing.put(b"\3\4"), 0.05)
    waiting = asyncio.create_task(outgoing.put(b"\5\6"))
    await asyncio.sleep(0)
    outgoing.sent()
    await waiting
    assert len(outgoing) == MAX_QUEUED


async def test_what_was_read_and_not_sent_is_read_again() -> None:
    """A connection that breaks under a message does not lose it."""
    outgoing = Outgoing(8_000)
    await outgoing.put(b"\1\2")
    assert await outgoing.next() == await outgoing.next() == b"\1\2"
    outgoing.sent()
    assert len(outgoing) == 0


async def test_a_lost_socket_keeps_the_latest_audio_and_every_word() -> None:
    """Who waited for room need not any more; once it is found again, all that is kept waits."""
    outgoing = Outgoing(8_000)
    await outgoing.put(Dtmf(digit="1"))
    for _ in range(MAX_QUEUED - 1):
        await outgoing.put(SECOND)
    waiting = asyncio.create_task(outgoing.put(Dtmf(digit="2")))
    await asyncio.sleep(0)
    outgoing.lose()
    await waiting
    for _ in range(100):
        await outgoing.put(SECOND)
    assert len(outgoing) == 2 + KEPT_S
    outgoing.find()
    for expected in (Dtmf(digit="1"), Dtmf(digit="2"), SECOND, SECOND):
        assert await outgoing.next() == expected
        outgoing.sent()
