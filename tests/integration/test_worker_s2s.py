"""A real worker holds a speech-to-speech conversation with the scripted model of provider ``mock``."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from worker_harness import Caller, ScriptedTasks, eventually

from providers.mock.tones import spoken
from voicebackend.config import BackendConfig, PipelineType
from voicebackend.events import Latency
from voicebackend.settings import Deployment
from voicebackend.streams import Kind
from worker.service import serve

SPEECH = b"\x10\x20" * 3200


@pytest.fixture
async def caller(redis: Redis, deployment: Deployment) -> AsyncIterator[Caller]:
    """Give a caller in a conversation with the model."""
    config = BackendConfig(
        provider="mock", pipeline_type="s2s", provider_config={"transcripts": ["hi"], "replies": ["hello you"]}
    )
    tasks = ScriptedTasks(redis, deployment, lambda turn, attempt: None)
    async with serve(config, deployment, publisher=tasks) as worker:
        lane = tasks.lane = min(worker.lanes)
        caller = Caller(deployment, redis, lane, sample_rate=8_000)
        await caller.place(worker.lanes[lane].epoch, pipeline_type=PipelineType.S2S, agent="", worker=worker.id)
        await caller.attach()
        await caller.until("state", state="listening")
        yield caller
        await caller.send(Kind.CLOSE, {})
        await eventually(lambda: not worker.sessions)
        await caller.close()


async def test_the_model_answers_at_the_callers_rate(caller: Caller) -> None:
    """Speech in; the model's audio, both texts and the turn's latency out."""
    await caller.speak(SPEECH)
    await caller.until("audio_end", turn=1)
    await caller.until("transcript", role="agent", final=True)
    assert spoken(bytes(caller.audio), 8_000) == "hello you"
    said = [
        (event["role"], event["text"]) for event in caller.events if event["type"] == "transcript" and event["final"]
    ]
    assert said == [("user", "hi"), ("agent", "hello you")]
    latency = (await caller.until("turn"))["latency_ms"]
    assert set(latency) == set(Latency.model_fields)
    assert 0 < latency["e2e"] < 5000
    kinds = [entry["type"] for entry in await caller.log()]
    assert kinds == ["session", "session", "session", "transcript", "turn", "transcript"]


async def test_speaking_over_the_model_clears_what_was_not_played(caller: Caller) -> None:
    """The model notices speech; the rest of its audio is dropped."""
    await caller.speak(SPEECH)
    await caller.until("audio_start", turn=1)
    await caller.speak(SPEECH)
    await caller.until("clear", turn=1)
    await caller.until("audio_start", turn=2)
    cleared = next(index for index, frame in enumerate(caller.frames) if b"clear" in frame.payload[:20])
    assert not [frame for frame in caller.frames[cleared:] if frame.kind is Kind.AUDIO_OUT and frame.turn == 1]
