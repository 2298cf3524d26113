"""A session's log while its Redis is in trouble: what was said is in it, once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis_servers import PERSISTENT, RedisProcess, redis_server

from voicebackend._redis import connect
from voicebackend.errors import ConnectionFailed
from voicebackend.events import Transcript
from voicebackend.keys import Keys
from voicebackend.streams import EntryId
from worker import session_log
from worker.session_log import SessionLog

SESSION = "a" * 32
SAID = Transcript(role="user", text="hello", final=True, turn=1)


@asynccontextmanager
async def logged(*options: str) -> AsyncIterator[tuple[RedisProcess, SessionLog]]:
    """Run a server, and give a log in it that has an entry."""
    with redis_server(*options) as server:
        client = connect(server.url, timeout_s=0.5)
        await client.xadd(Keys().session_log(SESSION), {"type": "session"})
        try:
            yield server, SessionLog(client, Keys(), SESSION)
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
