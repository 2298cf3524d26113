"""Lanes that a worker comes to hold while it waits for others."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import fakeredis
import pytest

from voicebackend import channel
from voicebackend.keys import Keys
from voicebackend.streams import EntryId
from worker.lane import Lane
from worker.lanes.holdings import Holdings
from worker.lease import Lease


async def test_a_reader_is_woken_when_it_has_the_new_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    """Woken before that, it would wait for the lanes that it had for up to a second more."""
    keys, woken = Keys(), []

    async def claim(number: int, **_: Any) -> Lease:
        return Lease(lane=number, worker="w", epoch=1)

    async def take(_: Any, stream: str, after: EntryId) -> bytes:
        del stream
        return str(after).encode()

    async def nudge(_: Any, stream: str) -> None:
        woken.append((stream, keys.lane(2) in holdings._reader.streams))

    monkeypatch.setattr(channel, "take", take)
    monkeypatch.setattr(channel, "nudge", nudge)
    parts = [cast(Any, SimpleNamespace(claim=claim)), *[cast(Any, SimpleNamespace(execute=None))] * 2]
    holdings = Holdings(*parts, audio=cast(Any, None), reading=cast(Any, fakeredis.FakeAsyncRedis()), keys=keys)
    monkeypatch.setattr(holdings, "_background", SimpleNamespace(start=lambda work, name: work.close()))
    for number in (1, 2):
        lane: Lane | None = await holdings.claim(number)
        assert lane is not None
        await holdings.read_from(lane, EntryId(1, 0))
    assert woken == [(keys.lane(1), True)]
