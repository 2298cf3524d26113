"""Two control processes, a worker, and callers who change from one gateway to the other in the middle of a call."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from chaos_agents import story
from gateway_calls import START, closing, next_text
from two_gateways import two_gateways

from providers.mock.tones import speak, spoken
from voicebackend import BackendConfig, ConnectionState, SessionConfig, VoiceBackend, VoiceSession
from voicebackend.events import Transcript

RATE = 16_000
LETTER_S = 0.045
CONFIG = {
    "provider": "mock",
    "provider_config": {"decode": True, "seconds_per_character": LETTER_S},
    "max_concurrent_sessions": 50,
}


async def say(session: VoiceSession, text: str) -> None:
    """Say something as a microphone hears it: in real time, and then go on hearing silence."""
    pcm = speak(text, RATE, LETTER_S)
    for at in range(0, len(pcm), 1280):
        await session.process_audio(pcm[at : at + 1280])
        await asyncio.sleep(0.04)


async def hush(session: VoiceSession) -> None:
    """Hear silence until cancelled."""
    while True:
        await session.process_audio(bytes(1280))
        await asyncio.sleep(0.04)


class Listener:
    """Keeps what a session's caller hears."""

    def __init__(self, session: VoiceSession) -> None:
        self.events: list[Any] = []
        self.audio = bytearray()
        self._changed = asyncio.Condition()
        self.tasks = [
            asyncio.create_task(self._read(session.events(), self.events.append), name="events"),
            asyncio.create_task(self._read(session.agent_audio(), self.audio.extend), name="audio"),
        ]

    async def _read(self, source: AsyncIterator[Any], keep: Any) -> None:
        async for item in source:
            async with self._changed:
                keep(item)
                self._changed.notify_all()

    async def until(self, condition: Any) -> None:
        """Wait until a condition holds."""
        async with asyncio.timeout(30), self._changed:
            await self._changed.wait_for(condition)

    def said(self, turn: int) -> str:
        """Return what the agent has said in a turn, once it is all said."""
        told = [e for e in self.events if isinstance(e, Transcript) and e.role == "agent" and e.final]
        return next((event.text for event in told if event.turn == turn), "")


@pytest.mark.parametrize(("strike", "lost"), [(signal.SIGTERM, 1), (signal.SIGKILL, 3)], ids=["stopped", "killed"])
async def test_callers_of_a_gateway_that_goes_find_the_other(tmp_path: Path, strike: int, lost: int) -> None:
    """In the middle of an answer: the library comes back by itself, and the rest of the answer comes.

    Words may be lost, or heard twice, that were on their way: one when it said goodbye, some when it was killed.
    """
    async with two_gateways(CONFIG, tmp_path) as (running, balanced):
        config = BackendConfig(provider="mock")
        async with VoiceBackend(config, control_url=balanced.url, api_key=running.api_key) as backend:
            wanted = SessionConfig(user_id="u", transport="websocket", agent="story")
            async with await backend.create_session(wanted) as session:
                listener = Listener(session)
                await say(session, "one")
                silence = asyncio.create_task(hush(session), name="silence")
                await listener.until(lambda: len(listener.audio) > RATE * 2)
                before = spoken(bytes(listener.audio), RATE)
                running.signal("control", strike)
                await listener.until(lambda: listener.said(1))
                assert session.connection_state() is ConnectionState.CONNECTED
                assert listener.said(1) == story(1)
                heard = spoken(bytes(listener.audio), RATE)
                missing = [word for word in story(1).replace(",", "").split() if word not in heard]
                assert len(before) < len(story(1))
                assert len(missing) <= lost
                silence.cancel()
                await say(session, "two")
                silence = asyncio.create_task(hush(session), name="silence")
                await listener.until(lambda: listener.said(2))
                assert listener.said(2) == story(2)
                silence.cancel()
            await asyncio.gather(silence, *listener.tasks, return_exceptions=True)
            assert session.error is None
        assert await running.processes["control"].wait() == (0 if strike == signal.SIGTERM else -strike)


async def test_the_newest_socket_wins_on_another_gateway_too(tmp_path: Path) -> None:
    """A caller who comes back by the second gateway before the first has noticed: the first lets the old socket go."""
    async with two_gateways(CONFIG, tmp_path) as (running, balanced), aiohttp.ClientSession() as http:
        headers = {"Authorization": f"Bearer {running.api_key}", "Prefer": "wait=10"}
        body = {"user_id": "u", "transport": "websocket", "agent": "story"}
        async with http.post(f"{running.url}/v1/sessions", json=body, headers=headers) as response:
            assert response.status == 201, await response.text()
            created = json.loads(await response.read())
        first, second = (f"http://127.0.0.1:{port}/v1/sessions/{created['id']}/media" for port in balanced.backends)
        protocols = ("voicebackend.v1", f"token.{created['token']}")
        async with http.ws_connect(first, protocols=protocols) as old:
            await old.send_json(START)
            ready = await next_text(old)
            async with http.ws_connect(second, protocols=("voicebackend.v1",)) as new:
                await new.send_json({"type": "auth", "resume": ready["resume_token"]})
                await new.send_json(START)
                assert (await next_text(new))["type"] == "ready"
                texts, code = await closing(old)
                assert (texts[-1]["code"], code) == ("session_already_active", 4409)
                pcm = speak("hello", RATE, LETTER_S) + bytes(RATE * 2)
                for at in range(0, len(pcm), 1280):
                    await new.send_bytes(pcm[at : at + 1280])
                while (said := await next_text(new))["type"] != "transcript" or not said["final"]:
                    pass
                assert (said["role"], said["text"]) == ("user", "hello")
                await new.send_json({"type": "stop"})
                texts, code = await closing(new)
                assert (texts[-1], code) == ({"type": "ended", "reason": "hangup"}, 1000)
