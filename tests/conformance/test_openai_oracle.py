"""The double is such that OpenAI's own SDK takes it for OpenAI; and what our client says over it, that SDK knows."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import openai_wire
import pytest
from environment import environment
from listening import voice
from openai_double import MODELS, OpenAiDouble
from process import run

from providers.conformance.double import KEY
from providers.conformance.s2s import until
from providers.mock.tones import spoken
from providers.registry import S2S
from voicebackend.agents import HistoryEntry
from voicebackend.audio import PIPELINE_RATE, AudioFormat, FrameCutter
from voicebackend.codecs.wav import write_wav
from voicebackend.interfaces import S2sStream, SpeechToSpeech

SDK = ["openai[realtime]==3.54.0"]
HISTORY = [
    HistoryEntry(role="user", text="i am ada", turn=1),
    HistoryEntry(role="agent", text="hello ada", turn=1, interrupted=True),
]
RATE = 24_000
TALK = {
    "model": "talk-1",
    "voice": "marin",
    "transcription_model": "hear-1",
    "speech_model": "speak-1",
    "language": "en",
    "instructions": "Be kind.",
    "noise_reduction": "near_field",
}
WRONG = [
    {"by": "client", "event": {"type": "response.create", "response": {"voise": "marin"}}},
    {"by": "client", "event": {"type": "conversation.item.truncate", "item_id": "a", "content_index": 0}},
    {"by": "client", "event": {"type": "session.update", "session": {"type": "realtime", "turn_detection": None}}},
    {"by": "server", "event": {"type": "input_audio_buffer.committed", "item_id": "a"}},
    {"by": "server", "event": {"type": "response.shout", "event_id": "a"}},
]


@pytest.mark.parametrize(
    "event",
    [
        {"type": "shout"},
        {"type": "input_audio_buffer.append"},
        {"type": "response.cancel", "loud": True},
        {"type": "conversation.item.truncate", "item_id": "a", "content_index": 0, "audio_end_ms": 1.5},
        {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": []}},
        {"type": "session.update", "session": {"type": "transcription"}},
        {"type": "session.update", "session": {"type": "realtime", "voice": "marin"}},
    ],
)
def test_the_double_knows_what_is_wrong(event: dict[str, Any]) -> None:
    """It would tell if our client sent it."""
    assert openai_wire.wrong(event)


@pytest.mark.peers
@pytest.mark.timeout(900)
async def test_the_sdk_hears_speaks_and_converses_by_the_double(tmp_path: Path) -> None:
    """Its models accept every event of the double's."""
    python = await asyncio.to_thread(environment, "openai", SDK)
    write_wav(tmp_path / "caller.wav", voice("yellow canary", PIPELINE_RATE), sample_rate=PIPELINE_RATE)
    (tmp_path / "caller.pcm").write_bytes(voice("hello there", RATE) + AudioFormat(sample_rate=RATE).silence(0.5))
    async with OpenAiDouble() as double:
        arguments = ("drive", double.api_url, str(tmp_path))
        found = json.loads(await run(python, "openai_oracle.py", *arguments, variables={"OPENAI_API_KEY": KEY}, s=120))
        assert await double.released()
        assert double.garbled == ["speech: body"]
    assert found["models"] == list(MODELS)
    assert (found["whole"], found["streamed"]) == ("yellow canary", "yellow canary")
    assert found["deltas"] == ["yellow", " canary"]
    assert found["refused"] == [401, 400]
    assert spoken((tmp_path / "voice.pcm").read_bytes(), RATE) == "good day to you"
    talk = found["talk"]
    assert talk["faults"] == []
    assert (talk["heard"], talk["spoken"], talk["voice"]) == ("hello there", "you said hello there", "marin")
    assert talk["cancelled"] == ["cancelled", "client_cancelled"]
    assert (talk["truncated_ms"], talk["refused"]) == (100, "response_cancel_not_active")


@pytest.mark.peers
@pytest.mark.timeout(900)
@pytest.mark.parametrize("detection", [{"silence": 0.4, "vad_threshold": 0.6}, {"turn_detection": "semantic_vad"}])
async def test_the_sdk_knows_all_that_our_client_says(tmp_path: Path, detection: dict[str, Any]) -> None:
    """In a conversation with everything in it: texts, barge-ins in the middle and after the end, keys, history."""
    python = await asyncio.to_thread(environment, "openai", SDK)
    async with OpenAiDouble() as double:
        double.pace = 2.0
        engine = S2S.create("openai", {"api_key": KEY, "api_url": double.api_url, **TALK, **detection})
        await engine.open()
        await _converse(engine)
        await engine.aclose()
        assert double.garbled == []
        record = tmp_path / "record.json"
        record.write_text(json.dumps(double.sessions[0].record))
    found = json.loads(await run(python, "openai_oracle.py", "judge", str(record)))
    assert found["faults"] == []
    assert set(found["client"]) == set(openai_wire.CLIENT_EVENTS)
    assert "response.output_audio.delta" in found["server"]


@pytest.mark.peers
@pytest.mark.timeout(900)
async def test_the_sdk_tells_what_it_does_not_know(tmp_path: Path) -> None:
    """Else its judgement would be worth nothing."""
    python = await asyncio.to_thread(environment, "openai", SDK)
    record = tmp_path / "record.json"
    record.write_text(json.dumps(WRONG))
    found = json.loads(await run(python, "openai_oracle.py", "judge", str(record)))
    assert {fault.split(":")[0] for fault in found["faults"]} == {said["event"]["type"] for said in WRONG}


async def _converse(engine: SpeechToSpeech) -> None:
    stream = await engine.stream(metadata={"voice": "cedar"}, history=HISTORY)
    events = stream.events()
    await stream.say("Good day to you all.")
    await until("turn_done", events)
    await stream.interrupt(played_ms=200)
    await _say(stream, "hello")
    await until("turn_done", events)
    await stream.interrupt(played_ms=300)
    await stream.dtmf("5")
    await stream.tell("tell me a story")
    await until("audio", events)
    await stream.interrupt(played_ms=100)
    await until("turn_done", events)
    await stream.aclose()


async def _say(stream: S2sStream, text: str) -> None:
    pcm = voice(text, PIPELINE_RATE) + AudioFormat().silence(0.5)
    for frame in FrameCutter(PIPELINE_RATE).push(pcm):
        await stream.push(frame)
