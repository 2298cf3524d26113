"""A session's log while its Redis is in trouble: what was said is in it, once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from redis_servers import PERSISTENT, RedisProcess, redis_server

from voicebackend._redis import connect
from voicebackend.errors import ConnectionFailed
from voicebackend.events import Transcript
from voicebackend.keys import Keys
from voicebackend.streams import EntryId
from worker import session_log
from worker.session_log import SessionLog

pytestmark = pytest.mark.own_redis("the servers themselves are tested")

SESSION = "a" * 32
LANE = 3
SAID = Transcript(role="user", text="hello", final=True, turn=1)


@dataclass
class Held:
    """The lane as its worker holds it."""

    number: int = LANE
    epoch: int = 5


@asynccontextmanager
async def logged(*options: str) -> AsyncIterator[tuple[RedisProcess, SessionLog]]:
    """Run a server, and give a log in it that has an entry."""
    with redis_server(*options) as server:
        client = connect(server.url, timeout_s=0.5)
        await client.xadd(Keys().session_log(SESSION), {"type": "session"})
        try:
            yield server, SessionLog(client, Keys(), SESSION, Held())
        finally:
            await client.aclose()


async def said(log: SessionLog) -> list[str]:
    """Return what the log says was said."""
    return [entry["text"] for entry in await log.tail(EntryId()) if entry["type"] == "transcript"]


async def test_what_was_said_while_redis_froze_is_logged_once() -> None:
    """The try that got no answer was carried out after all: it is not made again."""
    async with logged() as (server, log):
        await log.event(SAID)
        server.freeze()
        writing = asyncio.create_task(log.event(SAID.model_copy(update={"text": "again"})))
        await asyncio.sleep(1.5)
        assert not writing.done()
        server.thaw()
        await writing

        assert await said(log) == ["hello", "again"]


async def test_what_was_said_while_redis_was_away_is_logged_when_it_is_back() -> None:
    """A restart takes a moment; the turn waits for it."""
    async with logged(*PERSISTENT) as (server, log):
        server.kill()
        writing = asyncio.create_task(log.event(SAID))
        await asyncio.sleep(0.5)
        await asyncio.to_thread(server.start)
        await writing

        assert await said(log) == ["hello"]


async def test_a_redis_that_stays_away_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for ever."""
    monkeypatch.setattr(session_log, "INSIST_S", 0.5)
    async with logged() as (server, log):
        server.kill()
        with pytest.raises(ConnectionFailed):
            await log.event(SAID)


async def test_a_worker_that_slept_writes_nothing_into_a_session_that_another_has() -> None:
    """Neither what it was about to write nor what it thinks of later; the new holder's words are there once."""
    async with logged() as (server, log):
        await log.event(SAID)
        client = connect(server.url, timeout_s=0.5)
        await client.hset(Keys().last_epoch(), str(LANE), 6)
        await log.event(SAID.model_copy(update={"text": "late"}))
        await SessionLog(client, Keys(), SESSION, Held(epoch=6)).event(SAID.model_copy(update={"text": "mine"}))

        assert await said(log) == ["hello", "mine"]
        await client.aclose()


async def test_sensitive_mode_is_noted_for_who_opens_the_session_next() -> None:
    """With the longest that it may last; only by who holds the lane; and no more once it is over."""
    async with logged() as (server, log):
        assert await log.masked_for() == 0
        await log.masked(30.0, 2, {"attachment": 7, "audio_seq": 41})
        assert 25 < await log.masked_for() <= 30
        client = connect(server.url)
        await client.hset(Keys().last_epoch(), str(LANE), "6")
        await log.masked(0.0, 2, {})
        assert await log.masked_for() > 0, "another worker holds the lane"
        await client.hset(Keys().last_epoch(), str(LANE), "5")
        await log.masked(0.0, 2, {"attachment": 7, "audio_seq": 90})
        await client.aclose()
        assert await log.masked_for() == 0
        found = [entry for entry in await log.tail(EntryId()) if entry["type"] == "masked"]
        assert [(entry["on"], entry["turn"], entry["audio_seq"]) for entry in found] == [(True, 2, 41), (False, 2, 90)]
        assert found[0]["at"] <= found[1]["at"]
