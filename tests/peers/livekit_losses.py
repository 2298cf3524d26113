"""What is lost in calls through a real LiveKit server, servers and workers too; run as ``livekit_calls.py`` is."""

from __future__ import annotations

import asyncio
import logging
import random
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import aiohttp
import livekit_peer
import pytest
from cable import Cable
from chaos_agents import EFFECTS, story
from deployment import site
from livekit_line import CONFIG, INSIDE, answered, call, embedded, ended, rooms
from livekit_peer import LiveKitServer, livekit_server
from room_caller import RoomCaller
from tone_caller import ToneCaller, on_the_line

from providers.registry import PROVIDERS
from voicebackend.embedded.stack import to_plain
from voicebackend.interfaces import Place
from voicebackend.session import Join

pytestmark = INSIDE


@pytest.fixture
async def livekit() -> AsyncIterator[LiveKitServer]:
    """Give a server."""
    async with livekit_server() as running:
        yield running


async def test_a_killed_server_is_joined_again(livekit: LiveKitServer) -> None:
    """A server that dies and comes back within the session's patience costs the call nothing but the time between."""
    async with embedded() as backend:
        async with call(backend) as (_, caller):
            [session] = await backend.list_sessions()
            await answered(caller, "before the crash")
            await livekit.kill()
        await livekit.start()
        async with asyncio.timeout(20):
            while not await rooms():  # noqa: ASYNC110 - it comes from outside
                await asyncio.sleep(0.1)
        join = (await backend.get_session(session.id)).view.join
        assert join is not None
        async with on_the_line(RoomCaller(join)) as caller:
            await caller.until(lambda: bool(caller.events))
            await answered(caller, "after the crash")


async def test_a_server_that_stays_away_ends_the_session(livekit: LiveKitServer) -> None:
    """The session ends with the right code, in the time that it waits for a caller."""
    async with embedded() as backend:
        async with call(backend) as (_, caller):
            [session] = await backend.list_sessions()
            await answered(caller, "before the end")
            await livekit.kill()
        assert await ended(backend, session.id) in {"hangup", "connection_failed"}


async def test_a_dead_server_is_noticed_soon_and_no_secret_is_logged(
    livekit: LiveKitServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Within 7 s, where the SDK takes 16; whatever it logs meanwhile, tokens and the secret are not in it."""
    caplog.set_level(logging.DEBUG)
    provider = PROVIDERS.create("livekit", CONFIG.provider_config)
    await provider.open()
    room = provider.room(Place(session="a" * 32, epoch=1))
    assert room is not None
    await room.open(lambda: pytest.fail("nobody comes"))
    await livekit.kill()
    async with asyncio.timeout(7):
        while "room lost" not in caplog.text:  # noqa: ASYNC110 - it comes from a log
            await asyncio.sleep(0.05)
    await room.aclose(over=True)
    await provider.aclose()
    assert livekit_peer.SECRET not in caplog.text
    assert "eyJ" not in caplog.text  # how every token begins


@pytest.mark.parametrize("strike", ["killed", "drained"])
async def test_a_call_outlives_its_worker(livekit: LiveKitServer, tmp_path: Path, strike: str) -> None:
    """Another worker joins under a higher epoch, has the dead one removed, and tells the story on from where it was."""
    effects = tmp_path / "effects"
    effects.touch()
    config = {name: value for name, value in to_plain(CONFIG).items() if value is not None}
    async with site(config, workers=2, environment={EFFECTS: str(effects)}) as running:
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {running.api_key}"}) as client:
            body = {"user_id": "u", "transport": "webrtc", "agent": "story"}
            async with client.post(f"{running.url}/v1/sessions", json=body) as answer:
                created = await answer.json()
        room = RoomCaller(Join.model_validate(created["join"]))
        async with on_the_line(room) as caller:
            await caller.until(lambda: bool(caller.events))
            caller.listen_anew()
            caller.say("tell me all")
            await caller.until(lambda: caller.heard_s > 2.0)
            [victim] = [name for name in ("worker-0", "worker-1") if created["id"] in await running.sessions_on(name)]
            if strike == "killed":
                await running.kill(victim)
            else:
                await running.processes.pop(victim).stop(grace_s=20)
            await caller.until(lambda: len(room.agents) > 1)
            await caller.until(lambda: bool(caller.transcripts("agent")))
            await caller.quiet(0.5)
            first, second = (int(identity.removeprefix("agent-")) for identity in room.agents)
            assert second > first
            present = {participant.identity for participant in room.room.remote_participants.values()}
            assert present == {f"agent-{second}"}
            told = set(re.findall(r"\w+", caller.words))
            missing = [word for word in re.findall(r"\w+", story(1)) if word not in told]
            assert missing == [], caller.words
            assert caller.transcripts("agent")[-1].split() == story(1).split()


@pytest.mark.parametrize("outage_s", [0.0, 6.0])
async def test_calls_go_on_when_the_connection_breaks_at_random_moments(
    livekit: LiveKitServer, outage_s: float
) -> None:
    """Ten times in a call the worker's signalling is cut off, for a moment or longer; the call goes on each time."""
    chance, answered_at_once, went_on = random.Random(5), 0, 0  # noqa: S311 - to strike by, no secret
    async with Cable(7880) as cable:
        settings = {**CONFIG.provider_config, "url": f"ws://127.0.0.1:{cable.port}"}
        async with (
            embedded(CONFIG.with_provider_config(settings)) as backend,
            call(backend, around=True) as (_, caller),
        ):
            for strike in range(10):
                before = len(caller.transcripts("agent"))
                caller.say(f"question {strike}")
                await asyncio.sleep(chance.uniform(0.0, 2.5))
                cable.pull(outage_s)
                answered_at_once += await comes(caller, before, within_s=outage_s + 6)
                went_on += await goes_on(caller)
    print(f"outage of {outage_s} s: {answered_at_once} of 10 answered in spite of it, {went_on} of 10 went on")
    assert went_on >= 9


async def goes_on(caller: ToneCaller) -> bool:
    """Ask until there is an answer, as people do: what is said while nobody of ours is there is lost."""
    before = len(caller.transcripts("agent"))
    for _ in range(3):
        caller.say("still there")
        if await comes(caller, before, within_s=5):
            return True
    return False


async def comes(caller: ToneCaller, before: int, *, within_s: float) -> bool:
    """Tell whether another answer is complete in time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            await caller.until(lambda: len(caller.transcripts("agent")) > before)
            return True
    return False
