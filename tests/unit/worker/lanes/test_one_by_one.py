"""Sessions restored one after another, so that it shows who brings its worker down."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from conversation_harness import in_virtual_time

from voicebackend.config import BackendConfig
from voicebackend.streams import EntryId
from worker.lanes.checkpoints import Checkpoint
from worker.lanes.takeover import SETTLE_S, Takeover

SLOW_S = 1.5


@in_virtual_time
async def test_a_session_that_is_slow_to_go_on_is_suspected_for_as_long_as_its_neighbours() -> None:
    """It hears nothing before it is restored: were the next one noted already, that would end in its place."""
    loop, suspects = asyncio.get_running_loop(), []

    async def suspect(lane: int, epoch: int, session: str) -> None:
        del lane, epoch
        suspects.append((session, round(loop.time() - began, 2)))

    def run(record: Any, *_: Any, **__: Any) -> Any:
        settled = asyncio.Event()
        loop.call_later(SLOW_S if record.id == "a" else 0.0, settled.set)
        return SimpleNamespace(settled=settled)

    roster = cast(Any, SimpleNamespace(run=run, is_expected=lambda session: True))
    store = cast(Any, SimpleNamespace(suspect=suspect))
    takeover = Takeover(cast(Any, None), cast(Any, None), roster, store, BackendConfig)
    records = {name: SimpleNamespace(id=name) for name in ("a", "b")}
    began = loop.time()
    checkpoint = SimpleNamespace(sessions={}, position=EntryId())
    lane = SimpleNamespace(number=1, epoch=1)
    await takeover._one_by_one(cast(Any, records), cast(Checkpoint, checkpoint), cast(Any, lane))
    assert suspects == [("a", 0.0), ("b", SLOW_S + SETTLE_S), ("", SLOW_S + 2 * SETTLE_S)]
