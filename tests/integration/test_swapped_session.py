"""A session that was swapped is taken over by another worker as it is, not as it was created."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

from redis.asyncio import Redis
from worker_harness import Caller, ScriptedTasks, eventually

from providers.mock.tones import spoken
from voicebackend.config import BackendConfig
from voicebackend.settings import Deployment
from voicebackend.streams import Kind
from worker.service import serve

SPEECH = b"\x10\x20" * 3200
REPLY = "the model goes on"


async def test_another_worker_goes_on_with_the_model_that_was_swapped_in(
    redis: Redis, audio: Redis, deployment: Deployment
) -> None:
    """The first worker is stopped; the second opens what the record names, and says what was lost."""
    script: dict[str, Any] = {"replies": [REPLY]}
    config = BackendConfig(provider="mock", provider_config=script)
    tasks = ScriptedTasks(audio, deployment, lambda turn, attempt: ["This is the agent."])
    async with AsyncExitStack() as second, AsyncExitStack() as first:
        worker = await first.enter_async_context(serve(config, deployment, publisher=tasks))
        lane = tasks.lane = min(worker.lanes)
        caller = Caller(deployment, redis, audio, lane)
        second.push_async_callback(caller.close)
        await caller.place(worker.lanes[lane].epoch, worker=worker.id, agent="")
        await caller.attach()
        await caller.until("state", state="listening")
        await caller.speak(SPEECH)
        await caller.until("transcript", role="agent", final=True, text="This is the agent.")
        await caller.send(Kind.SWAP, {"id": "1", "pipeline_type": "s2s"}, attachment=0)
        told = await caller.until("swapped")
        assert (told["swapped"], told["lost"]) == (True, ["history"])

        heir = await second.enter_async_context(serve(config, deployment, publisher=tasks))
        await first.aclose()
        await eventually(lambda: caller.session in heir.sessions)
        caller.audio.clear()
        await caller.speak(SPEECH)
        await caller.until("transcript", role="agent", final=True, text=REPLY)
        await caller.until("audio_end", turn=2)
        assert spoken(bytes(caller.audio), caller.sample_rate) == REPLY
        types = [entry for entry in await caller.log() if entry["type"] == "swapped"]
        assert [entry["id"] for entry in types] == ["1"]
        await caller.send(Kind.CLOSE, {})
        await eventually(lambda: not heir.sessions)
