"""``retention.apply``: the hook decides, and when it cannot, nothing is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from task_harness import a_record, say

from control.context import TaskContext
from control.tasks.retention import _apply
from voicebackend.record import ENDED_TTL_S, SessionRecord
from voicebackend.session import SessionState


class Hook:
    """Keeps what it is told to, for a week, and remembers what it was asked."""

    def __init__(self, *kept: str) -> None:
        self.kept, self.asked = kept, dict[str, Mapping[str, Any]]()

    async def should_retain(self, data_class: str, metadata: Mapping[str, Any]) -> bool:
        self.asked[data_class] = metadata
        return data_class in self.kept

    async def retention_period(self, data_class: str) -> timedelta:
        return timedelta(days=7)


class Raises(Hook):
    async def should_retain(self, data_class: str, metadata: Mapping[str, Any]) -> bool:
        raise ValueError(metadata)


class Hangs(Hook):
    async def retention_period(self, data_class: str) -> timedelta:
        await asyncio.sleep(3600)
        raise AssertionError


class Mumbles(Hook):
    async def should_retain(self, data_class: str, metadata: Mapping[str, Any]) -> Any:
        return "yes"


class SaysSeconds(Hook):
    async def retention_period(self, data_class: str) -> Any:
        return 60


class RaisesAtOnce(Hook):
    def should_retain(self, data_class: str, metadata: Mapping[str, Any]) -> Any:
        raise ValueError(metadata)


BOTH = ("transcript", "metadata")
WEEK_S = 7 * 86_400
TURNS = (1, 2, 12)
UNFINISHED = 13
"""The caller hung up while the agent answered a guess: it is in no log."""


async def apply(shared: TaskContext, hook: Any) -> SessionRecord:
    """End a session, apply retention with this hook, and return the record that is left."""
    record = a_record()
    await shared.store.create(record)
    for number in TURNS:
        await say(shared, record.id, number, "my number is 12345")
    for number in (*TURNS, UNFINISHED):
        turn = shared.keys.turn(record.id, number)
        await shared.state.hset(turn, mapping={"said": "my number is 12345", "once:booking": '"12345"'})
        await shared.state.expire(turn, ENDED_TTL_S)
    await shared.store.move(record.id, SessionState.ENDED, reason="closed")
    shared._live.current = shared.config.with_data_retention_hook(hook)
    await _apply(shared, record.id)
    return await shared.store.get(record.id)


async def kept_s(shared: TaskContext, record: SessionRecord) -> tuple[int, int]:
    """Return the seconds that log and record live; -2 is gone."""
    keys = shared.keys
    return await shared.state.ttl(keys.session_log(record.id)), await shared.state.ttl(keys.session(record.id))


async def turns(shared: TaskContext, record: SessionRecord) -> int:
    """Return how many turns there is still something of."""
    return int(await shared.state.exists(*(shared.keys.turn(record.id, number) for number in (*TURNS, UNFINISHED))))


async def test_without_a_hook_everything_is_kept_for_an_hour(shared: TaskContext) -> None:
    """The default is short."""
    left = await apply(shared, None)
    assert left.metadata == {"caller": "Ada"}
    assert await kept_s(shared, left) == pytest.approx((ENDED_TTL_S, ENDED_TTL_S), abs=2)


async def test_what_the_hook_keeps_lives_as_long_as_it_says(shared: TaskContext) -> None:
    """It is asked with the session's metadata, and whose it is."""
    hook = Hook(*BOTH)
    left = await apply(shared, hook)
    assert await kept_s(shared, left) == pytest.approx((WEEK_S, WEEK_S), abs=2)
    assert hook.asked["transcript"] == {
        "caller": "Ada",
        "session_id": left.id,
        "tenant": "default",
        "user_id": "ada",
    }


async def test_where_policies_are_the_hook_lengthens_nothing(shared: TaskContext) -> None:
    """What they keep longer is in the store; Redis has it for an hour, as without a hook."""
    shared.deployment = replace(shared.deployment, retention=Path("retention.yaml"))
    left = await apply(shared, Hook(*BOTH))
    assert await kept_s(shared, left) == pytest.approx((ENDED_TTL_S, ENDED_TTL_S), abs=2)


async def test_each_class_of_data_is_kept_or_deleted_by_itself(shared: TaskContext) -> None:
    """Metadata without transcript, transcript without metadata."""
    left = await apply(shared, Hook("metadata"))
    assert (await kept_s(shared, left))[0] == -2
    assert left.metadata == {"caller": "Ada"}
    await shared.state.delete(shared.keys.session(left.id))
    left = await apply(shared, Hook("transcript"))
    assert await kept_s(shared, left) == pytest.approx((WEEK_S, ENDED_TTL_S), abs=2)
    assert left.metadata == {}


@pytest.mark.parametrize(
    "hook",
    [Raises(*BOTH), Mumbles(*BOTH), SaysSeconds(*BOTH), RaisesAtOnce(*BOTH), object()],
    ids=lambda h: type(h).__name__,
)
async def test_a_hook_that_fails_keeps_nothing(shared: TaskContext, hook: Any) -> None:
    """What may not be kept is worse than what is lost."""
    left = await apply(shared, hook)
    assert left.metadata == {}
    assert (await kept_s(shared, left))[0] == -2
    assert await turns(shared, left) == 0


async def test_what_agents_noted_of_a_turn_goes_with_the_transcript(shared: TaskContext) -> None:
    """It stays as long as that may."""
    assert await turns(shared, await apply(shared, Hook("metadata"))) == 0
    await shared.state.flushdb()
    assert await turns(shared, await apply(shared, Hook("transcript"))) == len(TURNS) + 1


async def test_a_hook_that_hangs_keeps_nothing(shared: TaskContext) -> None:
    """It has two seconds for each answer."""
    left = await apply(shared, Hangs("transcript"))
    assert (await kept_s(shared, left))[0] == -2


async def test_a_session_whose_record_is_gone_leaves_nothing_to_decide(shared: TaskContext) -> None:
    """And nothing is written for it."""
    await _apply(shared, "f" * 32)
    assert await shared.state.keys("*") == []
