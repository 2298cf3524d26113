"""A line through a real LiveKit server, for the calls of this folder that run in a namespace."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import livekit_peer
import pytest
from listening import alike, answer_to
from livekit import api
from room_caller import RoomCaller
from tone_caller import ToneCaller, on_the_line

from voicebackend import BackendConfig, SessionConfig, VoiceBackend

INSIDE = pytest.mark.skipif(livekit_peer.INSIDE not in os.environ, reason="runs in a namespace only")

ARRIVES = 0.8
"""Share of the letters that must arrive: on a busy machine some packets come too late for the jitter buffer."""

CONFIG = BackendConfig(
    provider="livekit",
    provider_config={
        "url": livekit_peer.URL,
        "api_key": livekit_peer.KEY,
        "api_secret": livekit_peer.SECRET,
        "stt": {"decode": True},
        "tts": {"seconds_per_character": 0.05},
    },
    stt_provider="mock",
    tts_provider="mock",
    vad_provider="energy",
    turn_detection_provider="silence",
    noise_cancellation_provider="none",
)
"""Engines that hear and speak tones, and a detector that knows nothing of them."""


@asynccontextmanager
async def call(
    backend: VoiceBackend, agent: object = answer_to, *, around: bool = False
) -> AsyncIterator[tuple[RoomCaller, ToneCaller]]:
    """Hold a call: the caller joins, by the server's own address if ``around`` what the worker is told, and leaves."""
    wanted = {} if agent is None else {"agent_callback": agent}
    session = await backend.create_session(SessionConfig(user_id="u", transport="webrtc", **wanted))
    join = session.view.join
    assert join is not None
    room = RoomCaller(join.model_copy(update={"url": livekit_peer.URL}) if around else join)
    async with on_the_line(room) as caller:
        await caller.until(lambda: bool(caller.events))  # the session listens
        yield room, caller


@asynccontextmanager
async def embedded(config: BackendConfig = CONFIG) -> AsyncIterator[VoiceBackend]:
    """Run a backend."""
    async with VoiceBackend(config) as backend:
        yield backend


async def answered(caller: ToneCaller, text: str) -> None:
    """Say something, and hear it answered."""
    caller.listen_anew()
    before = len(caller.transcripts("agent"))
    caller.say(text)
    await caller.until(lambda: len(caller.transcripts("agent")) > before)
    understood = caller.transcripts("user")[-1]
    assert alike(understood, text, ARRIVES), understood
    await caller.quiet(0.5)
    assert alike(caller.words, answer_to(understood.strip()), ARRIVES), caller.words


async def ended(backend: VoiceBackend, session: str) -> str:
    """Return why a session is over, once it is."""
    async with asyncio.timeout(40):
        while True:
            view = (await backend.get_session(session)).view
            if view.ended_at is not None:
                return view.reason or ""
            await asyncio.sleep(0.1)


async def rooms() -> list[str]:
    """Return the names of the server's rooms."""
    url = livekit_peer.URL.replace("ws", "http")
    async with api.LiveKitAPI(url, livekit_peer.KEY, livekit_peer.SECRET) as server:
        return [room.name for room in (await server.room.list_rooms(api.ListRoomsRequest())).rooms]
