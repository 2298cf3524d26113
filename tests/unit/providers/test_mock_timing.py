"""Mock engines that keep time: loudness by a threshold, and speech in pieces at a pace."""

from __future__ import annotations

import array
import asyncio
import base64

from providers.registry import S2S, TTS, VAD
from voicebackend.audio import PIPELINE_RATE, AudioFormat
from voicebackend.virtual_time import run

FAINT = array.array("h", [-300, 300] * 160).tobytes()
LOUD = array.array("h", [0] * 319 + [-2000]).tobytes()
SECOND = base64.b64encode(bytes(2 * PIPELINE_RATE)).decode()
SPOKEN = {"audio": [SECOND], "piece": 0.3, "sample_rate": PIPELINE_RATE}


def test_only_what_is_above_the_threshold_is_speech() -> None:
    """In either direction, by a single sample; and the profile is the script's."""
    vad = VAD.create("mock", {"threshold": 1000, "start": 0.06, "pause": 0.2, "stop": 0.25})
    assert vad.stream().process(FAINT + LOUD + FAINT) == [0.0, 1.0, 0.0]
    assert (vad.profile.start_s, vad.profile.pause_s, vad.profile.stop_s) == (0.06, 0.2, 0.25)


def test_speech_comes_in_pieces_at_its_pace() -> None:
    """The first after the delay; each next one when what is before it was made."""

    async def listen() -> list[tuple[float, float]]:
        voice = TTS.create("mock", {**SPOKEN, "delay": 0.5, "speed": 2})
        loop = asyncio.get_running_loop()
        began = loop.time()
        audio = [(loop.time(), pcm) async for pcm in voice.synthesize("whatever") if isinstance(pcm, bytes)]
        return [(round(when - began, 3), AudioFormat().duration_s(pcm)) for when, pcm in audio]

    assert run(listen()) == [(0.5, 0.3), (0.65, 0.3), (0.8, 0.3), (0.95, 0.1)]


def test_a_model_that_hears_only_what_is_loud_answers_in_pieces() -> None:
    """Faint sound neither starts a turn nor holds one up."""

    async def converse() -> list[tuple[str, float]]:
        stream = await S2S.create("mock", {**SPOKEN, "threshold": 1000}).stream(metadata={})
        for pcm in [FAINT, LOUD, *[FAINT] * 10]:
            await stream.push(pcm)
        found = []
        async for event in stream.events():
            found.append((event.kind, AudioFormat().duration_s(event.pcm)))
            if event.kind == "turn_done":
                break
        await stream.aclose()
        return found

    found = run(converse())
    assert found[0] == ("speech_started", 0.0)
    assert [seconds for kind, seconds in found if kind == "audio"] == [0.3, 0.3, 0.3, 0.1]
