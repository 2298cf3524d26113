"""Telephone calls by a carrier's media stream, through a real gateway and worker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from carrier_call import TwilioCall
from listening import STORY, answer_to

from voicebackend import BackendConfig, SessionConfig, VoiceBackend, VoiceSession
from voicebackend.errors import SessionLimitExceeded

pytestmark = [pytest.mark.integration, pytest.mark.own_redis("the embedded library starts its own")]
CONFIG = BackendConfig(
    provider="mock", provider_config={"decode": True, "seconds_per_character": 0.05}, enable_tracing=False
)


@asynccontextmanager
async def calling(
    backend: VoiceBackend, http: aiohttp.ClientSession, **metadata: Any
) -> AsyncIterator[tuple[TwilioCall, str]]:
    """Hold a call, and give the session's id."""
    session = await created(backend, metadata)
    headers = {"Authorization": f"Bearer {backend.api_key}"}
    async with http.post(f"{backend.url}/v1/sessions/{session.id}/token", headers=headers) as response:
        token = (await response.json())["token"]
    async with http.ws_connect(f"{backend.url}/v1/telephony/twilio/stream/{session.id}") as ws:
        call = TwilioCall(ws, token)
        running = asyncio.create_task(call.run(), name="carrier")
        try:
            yield call, session.id
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def created(backend: VoiceBackend, metadata: Mapping[str, Any]) -> VoiceSession:
    """Return a session, once there is room: a worker on a busy machine takes none for a while."""
    wanted = SessionConfig(user_id="u", transport="telephony", agent_callback=answer_to, metadata=dict(metadata))
    async with asyncio.timeout(30):
        while True:
            try:
                return await backend.create_session(wanted)
            except SessionLimitExceeded:
                await asyncio.sleep(0.5)


async def log_of(backend: VoiceBackend, http: aiohttp.ClientSession, session: str) -> list[dict[str, Any]]:
    """Return the events of a session that is over."""
    headers = {"Authorization": f"Bearer {backend.api_key}"}
    async with asyncio.timeout(10), http.get(f"{backend.url}/v1/sessions/{session}/events", headers=headers) as found:
        return [json.loads(line[6:]) async for line in found.content if line.startswith(b"data: ")]


async def test_a_telephone_call_is_held_by_a_media_stream() -> None:
    """Words arrive both ways; who is interrupted stops, and what the caller heard of it is known by the marks."""
    async with VoiceBackend(CONFIG) as backend, aiohttp.ClientSession() as http:
        async with calling(backend, http) as (call, session):
            call.say("hello there")
            await call.answered()
            assert call.words == answer_to("hello there")
            call.say("tell me a story")
            heard_s = call.heard_s
            await call.until(lambda: call.heard_s > heard_s + 1.5)
            call.say("please stop it now")
            await call.until(lambda: call.clears == 1)
            await call.answered()
            assert call.words.endswith(answer_to("please stop it now"))
            assert call.marks > 3
            await call.press("5")
            await call.hang_up()
            events = await log_of(backend, http, session)
        said = [event for event in events if event["type"] == "transcript" and event["final"]]
        told = next(event for event in said if event["role"] == "agent" and event.get("interrupted"))
        assert STORY.startswith(told["text"].strip())
        heard = call.words.removeprefix(answer_to("hello there"))
        assert heard.startswith(told["text"].strip()[:-8])  # a word at the cut may be counted or not
        assert [event["digit"] for event in events if event["type"] == "dtmf"] == ["5"]
        assert events[-1]["reason"] == "hangup"


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        (["{", "{", "{"], 4415),
        (['{"event":"connected","event":"start"}'] * 3, 4415),
        (['{"event":"media","media":{"payload":"AAAA"}}'], 4408),
        (
            [
                '{"event":"start","streamSid":"M","start":{"callSid":"C","mediaFormat":{"encoding":"audio/x-mulaw"},'
                '"customParameters":{"token":"forged"}}}'
            ],
            4401,
        ),
    ],
)
async def test_a_stream_that_is_none_is_closed(messages: list[str], code: int) -> None:
    """Forged tokens, what is not of the dialect, and who never says whose it is."""
    async with VoiceBackend(CONFIG) as backend, aiohttp.ClientSession() as http:
        async with http.ws_connect(f"{backend.url}/v1/telephony/twilio/stream/{'a' * 32}") as ws:
            for message in messages:
                await ws.send_str(message)
            async with asyncio.timeout(8):
                async for _ in ws:
                    pass
        assert ws.close_code == code
        async with http.get(f"{backend.url}/v1/telephony/pigeon/stream/{'a' * 32}") as refused:
            assert refused.status == 400


async def test_a_stream_of_another_carrier_than_the_calls_is_refused() -> None:
    """Though its token is good; what else a deployment keeps under that name is its own."""
    async with VoiceBackend(CONFIG) as backend, aiohttp.ClientSession() as http:
        async with calling(backend, http, carrier="telnyx") as (call, _):
            async with asyncio.timeout(8):
                assert await call.closed() == 4401
        for carrier in ("twilio", ["ours"]):
            async with calling(backend, http, carrier=carrier) as (call, _):
                call.say("hello there")
                await call.answered()
