"""The Celery worker of the agents' queue is killed, and the broker restarted, in the midst of turns.

Every turn is answered or apologised for within 4 s, and no sentence is heard twice. With ``VOICEBACKEND_CHAOS=full``
30 moments of a turn each, else four.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from chaos_agents import EFFECTS
from deployment import CELERY, Site, site
from redis_servers import PERSISTENT, RedisProcess, redis_server

from providers.mock.tones import speak

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

LONG = os.environ.get("VOICEBACKEND_CHAOS") == "full"
MOMENTS = 30 if LONG else 4
WITHIN_S = 4.0
"""Seconds from the strike to the answer going on, its end, or the apology."""
SPAN_S = 2.5
"""Of a turn, from the caller's last sound on: in it strikes come."""
RATE = 16_000
LETTER_S = 0.04
CONFIG = {
    "provider": "mock",
    "provider_config": {"decode": True, "seconds_per_character": 0.03},
    "max_concurrent_sessions": 20,
}
APOLOGY = "Sorry, something went wrong"

logger = logging.getLogger(__name__)

Strike = Callable[[Site, RedisProcess], Awaitable[None]]


async def kill_celery(running: Site, _broker: RedisProcess) -> None:
    """Kill the worker; as under a supervisor, another starts at once."""
    await running.kill("celery")
    running.log.clear()
    await running.start("celery", *CELERY)


async def restart_broker(_running: Site, broker: RedisProcess) -> None:
    """Kill the broker; it is back half a second later, and remembers."""
    broker.kill()
    await asyncio.sleep(0.5)
    await asyncio.to_thread(broker.start)


@dataclass
class Caller:
    """One caller, who speaks and notes down when what came."""

    socket: aiohttp.ClientWebSocketResponse
    events: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    heard_at: list[float] = field(default_factory=list)
    silent: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the caller has said everything."""

    async def read(self) -> None:
        """Note what comes until the socket closes."""
        async for message in self.socket:
            now = asyncio.get_running_loop().time()
            if message.type is aiohttp.WSMsgType.BINARY:
                self.heard_at.append(now)
            else:
                self.events.append((now, json.loads(message.data)))

    async def say(self, text: str) -> None:
        """Speak in real time."""
        voice, silence = speak(text, RATE, LETTER_S), bytes(2 * RATE)
        for pcm in (voice, silence):
            for start in range(0, len(pcm), 1280):
                await self.socket.send_bytes(pcm[start : start + 1280])
                await asyncio.sleep(0.035)
            self.silent.set()

    async def until(self, wanted: Callable[[], bool], timeout_s: float) -> None:
        """Return once this holds."""
        async with asyncio.timeout(timeout_s):
            while not wanted():  # noqa: ASYNC110 - what is waited for is told by another task
                await asyncio.sleep(0.01)

    def said(self, role: str, since: int = 0) -> list[str]:
        """Return the final transcripts of a role."""
        return [
            event["text"]
            for _, event in self.events[since:]
            if event["type"] == "transcript" and event["role"] == role and event["final"]
        ]


@pytest.fixture
def broker() -> Any:
    """Give a broker of its own that remembers."""
    with redis_server(*PERSISTENT) as server:
        yield server


@pytest.fixture
async def running(broker: RedisProcess, tmp_path: Path) -> AsyncIterator[Site]:
    """Run a deployment whose broker is apart from state and audio."""
    with ExitStack() as stack:
        other = stack.enter_context(redis_server()).url
        redis = {"state_url": other, "audio_url": other, "broker_url": broker.url}
        async with site(CONFIG, workers=1, environment={EFFECTS: str(tmp_path / "effects")}, redis=redis) as found:
            yield found


async def strike_in_a_turn(running: Site, broker: RedisProcess, strike: Strike, after_s: float) -> dict[str, Any]:
    """Hold a turn with a strike in it; return what came of it: seconds to the next word, and what was said."""
    headers = {"Authorization": f"Bearer {running.api_key}", "Prefer": "wait=10"}
    body = {"user_id": "c", "transport": "websocket", "agent": "story"}
    async with aiohttp.ClientSession() as http:
        async with http.post(f"{running.url}/v1/sessions", json=body, headers=headers) as response:
            created = await response.json()
            assert (response.status, created["state"]) == (201, "ready"), (
                created,
                [x[1][:600] for x in running.log if x[0] == "celery"][-12:],
            )
        protocols = ("voicebackend.v1", f"token.{created['token']}")
        async with http.ws_connect(created["connect_url"], protocols=protocols) as socket:
            await socket.send_json({"type": "start", "sample_rate": RATE})
            caller = Caller(socket)
            reading = asyncio.create_task(caller.read(), name="caller reads")
            speaking = asyncio.create_task(caller.say("tell me a story"), name="caller speaks")
            try:
                await asyncio.wait_for(caller.silent.wait(), 15)
                return await _struck(running, broker, strike, after_s, caller)
            finally:
                for task in (reading, speaking):
                    task.cancel()
                await asyncio.gather(reading, speaking, return_exceptions=True)


async def _struck(
    running: Site, broker: RedisProcess, strike: Strike, after_s: float, caller: Caller
) -> dict[str, Any]:
    await asyncio.sleep(after_s)
    loop = asyncio.get_running_loop()
    struck = loop.time()
    striking = asyncio.ensure_future(strike(running, broker))
    await caller.until(lambda: bool(caller.said("agent")), 25)
    await striking
    ended = max(at for at, event in caller.events if event["type"] == "transcript" and event["role"] == "agent")
    times = [struck, *(at for at in caller.heard_at if struck < at < ended), max(struck, ended)]
    longest = max(later - sooner for sooner, later in pairwise(times))
    return {"after_s": round(after_s, 2), "silent_s": round(longest, 2), "said": " ".join(caller.said("agent"))}


async def consuming(running: Site) -> None:
    """Return once a Celery worker takes tasks again."""
    async with asyncio.timeout(30):
        while not running.said("celery", r"celery@\S+ ready"):  # noqa: ASYNC110 - told by another process
            await asyncio.sleep(0.05)


def repeated(said: str) -> list[str]:
    """Return what was said twice."""
    sentences = [one.strip() for one in re.split(r"[.?!]", said) if one.strip()]
    return [sentence for sentence, count in Counter(sentences).items() if count > 1]


@pytest.mark.parametrize("strike", [kill_celery, restart_broker])
async def test_every_turn_is_answered_or_apologised_for_and_nothing_is_said_twice(
    running: Site, broker: RedisProcess, strike: Strike
) -> None:
    """At moments from the caller's last sound on: before the task is taken, while it thinks, while it tells."""
    came = []
    for number in range(MOMENTS):
        after_s = SPAN_S * (number + random.random()) / MOMENTS  # noqa: S311 - a moment
        came.append(await strike_in_a_turn(running, broker, strike, after_s))
        logger.info(json.dumps(came[-1]))
        await consuming(running)
    assert [one for one in came if one["silent_s"] > WITHIN_S] == []
    assert [one for one in came if repeated(one["said"])] == []
    assert all(one["said"] for one in came)
