"""A real worker holds a speech-to-speech conversation with the scripted model of provider ``mock``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from redis.asyncio import Redis
from worker_harness import Caller, ScriptedTasks, eventually

from providers.mock.tones import spoken
from voicebackend.config import BackendConfig, PipelineType
from voicebackend.events import Latency
from voicebackend.settings import Deployment
from voicebackend.streams import Frame, Kind
from worker.service import serve
from worker.worker import Worker

SPEECH = b"\x10\x20" * 3200
STORY = "hello you out there, how do you do?"

Answer = Callable[[int], list[str | Frame]]
Call = Callable[..., Awaitable[Caller]]


@pytest.fixture
async def call(redis: Redis, audio: Redis, deployment: Deployment) -> AsyncIterator[Call]:
    """Give what opens a conversation with the model, and with an agent if there are answers of one."""
    async with AsyncExitStack() as stack:

        async def opened(answer: Answer | None = None, **script: Any) -> Caller:
            config = BackendConfig(provider="mock", pipeline_type="s2s", provider_config=script)
            tasks = ScriptedTasks(audio, deployment, lambda turn, attempt: answer(turn) if answer else None)
            worker = await stack.enter_async_context(serve(config, deployment, publisher=tasks))
            lane = tasks.lane = min(worker.lanes)
            caller = Caller(deployment, redis, audio, lane, sample_rate=8_000)
            placed = {"pipeline_type": PipelineType.S2S, "agent": "echo" if answer else "", "worker": worker.id}
            await caller.place(worker.lanes[lane].epoch, **placed)
            await caller.attach()
            stack.push_async_callback(close, worker, caller)
            await caller.until("state", state="listening")
            return caller

        yield opened


async def close(worker: Worker, caller: Caller) -> None:
    """End a call."""
    await caller.send(Kind.CLOSE, {})
    await eventually(lambda: not worker.sessions)
    await caller.close()


def said(entries: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return the final transcripts of a log, or among events."""
    return [(entry["role"], entry["text"]) for entry in entries if entry["type"] == "transcript" and entry["final"]]


async def test_the_model_answers_at_the_callers_rate(call: Call) -> None:
    """Speech in; the model's audio, both texts and the turn's latency out."""
    caller = await call(transcripts=["hi"], replies=["hello you"])
    await caller.speak(SPEECH)
    await caller.until("audio_end", turn=1)
    await caller.until("transcript", role="agent", final=True)
    assert spoken(bytes(caller.audio), 8_000) == "hello you"
    assert said(caller.events) == [("user", "hi"), ("agent", "hello you")]
    latency = (await caller.until("turn"))["latency_ms"]
    assert set(latency) == set(Latency.model_fields)
    assert 100 <= latency["e2e"] < 5000
    kinds = [entry["type"] for entry in await caller.log()]
    assert kinds == ["session", "session", "session", "transcript", "turn", "transcript"]


async def test_words_over_the_model_cut_its_answer_to_what_was_heard(call: Call) -> None:
    """The rest is dropped; log and model remember what the gateway says was played, and no audio follows the clear."""
    caller = await call(transcripts=["hi", "no wait"], replies=[STORY, "I said: {heard}"], s2s_delay=0.5)
    await caller.speak(SPEECH)
    await caller.until("audio_start", turn=1)
    await caller.speak(SPEECH)
    await caller.until("clear", turn=1)
    await caller.send(Kind.PLAYED, {"ms": 340.0, "estimated": True, "final": True}, turn=1)
    await caller.until("transcript", role="agent", final=True, turn=2)
    assert said(await caller.log()) == [
        ("user", "hi"),
        ("agent", "hello"),
        ("user", "no wait"),
        ("agent", "I said: hello "),
    ]
    assert [entry.get("interrupted") for entry in await caller.log() if entry.get("text") == "hello"] == [True]
    cleared = next(index for index, frame in enumerate(caller.frames) if b"clear" in frame.payload[:20])
    assert not [frame for frame in caller.frames[cleared:] if frame.kind is Kind.AUDIO_OUT and frame.turn == 1]


async def test_a_backchannel_lets_the_model_finish(call: Call) -> None:
    """All of its answer is heard, once, and the backchannel is no turn."""
    caller = await call(transcripts=["hi", "mhm"], replies=[STORY, ""])
    await caller.speak(SPEECH)
    await caller.until("audio_start", turn=1)
    await caller.speak(SPEECH)
    await caller.until("transcript", role="agent", final=True)
    assert spoken(bytes(caller.audio), 8_000) == STORY
    assert said(await caller.log()) == [("user", "hi"), ("agent", STORY)]
    assert "clear" not in {event["type"] for event in caller.events}


async def test_an_agent_in_the_loop_answers_in_the_models_voice(call: Call) -> None:
    """It is asked what the model understood; the model says nothing of its own."""
    caller = await call(lambda turn: [f"This is answer {turn}. ", "There is more."], transcripts=["hi"])
    await caller.speak(SPEECH)
    await caller.until("transcript", role="agent", final=True)
    assert said(await caller.log()) == [("user", "hi"), ("agent", "This is answer 1. There is more.")]
    assert spoken(bytes(caller.audio), 8_000) == "This is answer one.There is more."


async def test_an_agent_that_fails_is_apologised_for_and_the_call_goes_on(call: Call) -> None:
    """In the model's voice."""

    def answer(turn: int) -> list[str | Frame]:
        payload = b'{"code":"agent_error","message":"ValueError"}'
        failed = Frame(session=caller.session, kind=Kind.AGENT_FAILED, turn=turn, attempt=1, payload=payload)
        return [failed] if turn == 1 else ["Fine again."]

    caller = await call(answer)
    await caller.speak(SPEECH)
    await caller.until("error", code="agent_error")
    await caller.until("audio_end", turn=1)
    assert spoken(bytes(caller.audio), 8_000).startswith("Sorry, something went wrong.")
    await eventually(lambda: caller.events[-1] == {"type": "state", "state": "listening"}, timeout_s=20)
    await caller.speak(SPEECH)
    assert (await caller.until("transcript", role="agent", final=True, turn=2))["text"] == "Fine again."
