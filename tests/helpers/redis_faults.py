"""What may happen to the Redis of a role while calls are held, and what their callers hear of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

import aiohttp
from deployment import Site, site
from echo_caller import EchoCaller
from redis_roles import RedisRoles, cluster_and_sentinels
from redis_servers import (
    PERSISTENT,
    RedisProcess,
    SentinelGroup,
    redis_server,
    until,
)
from stack_harness import StackAddress, StackCall, StackClient

from voicebackend._redis import connect
from voicebackend.keys import Keys

SETTLE_S = 1.5
"""Seconds of undisturbed calls before a fault, and after it."""
ANSWER_S = 30.0
"""Seconds after a fault within which an agent must have answered."""
CONFIG = {
    "provider": "mock",
    "timeout": 2,
    "max_concurrent_sessions": 50,
}

Fault = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What callers heard of one fault."""

    fault: str
    calls: int
    calls_lost: int
    """That ended by themselves, or in which nothing came back or was answered afterwards."""
    longest_gap_ms: int
    """Silence in an echo."""
    frames_lost: int
    """Frames of 20 ms that did not come back, of all callers together."""
    frames_repeated: int
    met_ms: int
    """From the begin of the fault, with a question, to the end of the agent's answer, the slowest; -1 without one."""
    answer_ms: int
    """The same of a question after the fault."""


@dataclass(frozen=True, slots=True)
class Servers:
    """A Redis for each role."""

    state: RedisProcess
    audio: RedisProcess
    broker: RedisProcess


@asynccontextmanager
async def servers_apart() -> AsyncIterator[tuple[Site, Servers]]:
    """Run a deployment with a Redis for each role."""
    with redis_server(*PERSISTENT) as state, redis_server() as audio, redis_server(*PERSISTENT) as broker:
        urls = {"state_url": state.url, "audio_url": audio.url, "broker_url": broker.url}
        async with _deployed(urls) as running:
            yield running, Servers(state, audio, broker)


@asynccontextmanager
async def highly_available() -> AsyncIterator[tuple[Site, RedisRoles]]:
    """Run a deployment, beat too, whose state and broker each lie behind Sentinels, and audio in a Cluster."""
    with cluster_and_sentinels(*PERSISTENT, down_after_ms=1000) as roles:
        async with _deployed(roles.urls) as running:
            await running.start("beat", "celery", "-A", "control", "beat")
            yield running, roles


@asynccontextmanager
async def _deployed(urls: dict[str, str]) -> AsyncIterator[Site]:
    async with site(CONFIG, workers=1, redis=urls, environment={"VOICEBACKEND_AGENTS": "stack_agents"}) as running:
        yield running


async def killed(server: RedisProcess, away_s: float = 0.5) -> None:
    """Kill a server, and start it again with what it had written down."""
    await asyncio.to_thread(server.kill)
    await asyncio.sleep(away_s)
    await asyncio.to_thread(server.start)


async def frozen(server: RedisProcess, seconds: float = 5.0) -> None:
    """Have a server not answer for a while."""
    server.freeze()
    await asyncio.sleep(seconds)
    server.thaw()


async def full(server: RedisProcess, seconds: float = 3.0) -> None:
    """Leave a server no memory for a while: it refuses what needs any."""

    def limit(size: int) -> None:
        with server.client() as client:
            client.config_set("maxmemory", size)

    await asyncio.to_thread(limit, 1)
    await asyncio.sleep(seconds)
    await asyncio.to_thread(limit, 0)


async def failed_over(group: SentinelGroup) -> None:
    """Kill the master, and wait until the Sentinels have another."""
    before = await asyncio.to_thread(group.master_port)
    server = group.master if group.master.port == before else group.replica
    await asyncio.to_thread(server.kill)
    await asyncio.to_thread(until, lambda: group.master_port() != before, 30)


async def leading(roles: RedisRoles, role: str) -> str:
    """Return who leads in a role, once somebody does."""
    async with asyncio.timeout(ANSWER_S), connect(roles.state_url) as state:
        while not (leader := await state.get(Keys().leader(role))):  # noqa: ASYNC110 - in Redis
            await asyncio.sleep(0.1)
        return str(leader)


async def heard_of(name: str, running: Site, fault: Fault, *, echoes: int = 3, talks: int = 2) -> Heard:
    """Hold calls, let the fault happen, and tell what their callers heard."""
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        client = StackClient(StackAddress(url=running.url, api_key=running.api_key), http)
        talkers = [await stack.enter_async_context(_talk(client)) for _ in range(talks)]
        callers = [EchoCaller(running.url, running.api_key, http) for _ in range(echoes)]
        calls = [asyncio.create_task(caller.call(), name="echo") for caller in callers]
        async with asyncio.timeout(20):
            await asyncio.gather(*(caller.ready.wait() for caller in callers))
        await asyncio.sleep(SETTLE_S)
        met, _ = await asyncio.gather(asyncio.gather(*map(_answered, talkers)), fault())
        answers = await asyncio.gather(*map(_answered, talkers))
        await asyncio.sleep(SETTLE_S)
        before = [caller.heard for caller in callers]
        await asyncio.sleep(0.5)
        silent = sum(caller.heard == heard for caller, heard in zip(callers, before, strict=True))
        for caller in callers:
            caller.hang_up()
        await asyncio.gather(*calls)
    return Heard(
        fault=name,
        calls=echoes + talks,
        calls_lost=silent + sum(None in both for both in zip(met, answers, strict=True)),
        longest_gap_ms=round(1000 * max(caller.longest_gap_s for caller in callers)),
        frames_lost=sum(caller.lost for caller in callers),
        frames_repeated=sum(caller.repeated for caller in callers),
        met_ms=_slowest_ms(met),
        answer_ms=_slowest_ms(answers),
    )


def _slowest_ms(answers: list[float | None]) -> int:
    return -1 if None in answers else round(1000 * max(answer for answer in answers if answer is not None))


@asynccontextmanager
async def _talk(client: StackClient) -> AsyncIterator[StackCall]:
    """Hold a call with an agent; how it ends is not what is asked here."""
    call = client.call("echo")
    talker = await call.__aenter__()
    try:
        yield talker
    finally:
        with suppress(AssertionError, TimeoutError, ConnectionError):
            await call.__aexit__(None, None, None)


async def _answered(talker: StackCall) -> float | None:
    """Return the seconds until the agent has answered, to as many questions as it takes; None if it does not."""
    started = time.monotonic()
    try:
        async with asyncio.timeout(ANSWER_S):
            while True:
                await talker.say("hello there")
                try:
                    await talker.until("transcript", role="agent", final=True, timeout_s=8)
                    return time.monotonic() - started
                except TimeoutError:
                    continue
    except (AssertionError, TimeoutError, ConnectionError):
        return None
