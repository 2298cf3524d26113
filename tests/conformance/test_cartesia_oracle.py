"""Cartesia's own SDK takes the double for Cartesia, and what our client sends is what that SDK would send."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from cartesia_double import AGENT, VOICE, CartesiaDouble
from cartesia_messages import agent_faults, generation_faults, turns_faults
from environment import environment
from listening import voice
from process import run

from providers.cartesia import s2s_codec, tts_codec
from providers.cartesia.config import CartesiaAgentConfig, CartesiaTtsConfig
from providers.conformance.double import KEY
from providers.mock.tones import spoken
from voicebackend.audio import PIPELINE_RATE

SDK = ["cartesia[websockets]==4.2.0"]
TTS = CartesiaTtsConfig(model_id="sonic-test", voice_id=VOICE, language="en")
OURS = [tts_codec.speech_request(TTS, "c1", "Good day."), tts_codec.cancel_request("c1")]


def test_our_messages_have_no_faults() -> None:
    """By the tables that are kept by hand."""
    config = CartesiaAgentConfig(agent_id=AGENT, dynamic_variables={"name": "Ada"})
    refusal = s2s_codec.tool_refusal({"tool_call_id": "call_1", "tool_name": "open_cart", "expects_response": True})
    said = [s2s_codec.session_create(config), s2s_codec.audio_input(bytes(640)), s2s_codec.dtmf_input("#"), refusal]
    assert [fault for message in OURS for fault in generation_faults(message)] == []
    assert [fault for message in said for fault in agent_faults(message or {})] == []


@pytest.mark.parametrize(
    "message",
    [
        {"type": "shout"},
        {"type": "audio_input"},
        {"type": "audio_input", "audio": "no base64"},
        {"type": "audio_input", "audio": "AAAA"},
        {"type": "dtmf_input", "digit": "A"},
        {"type": "session_create", "audio": {"input_format": "pcm_8000"}},
        {"type": "session_create", "audio": {"input_format": "pcm_16000"}, "loud": True},
        {"type": "client_tool_result", "tool_call_id": "call_1", "result": 1, "is_error": True},
    ],
)
def test_the_agent_knows_what_is_wrong(message: dict[str, object]) -> None:
    """It would tell if our client sent it."""
    assert agent_faults(message)


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"context_id": "c1", "cancel": "yes"},
        {**OURS[0], "voice": {"mode": "id"}},
        {**OURS[0], "transcript": None},
        {**OURS[0], "output_format": {"container": "wav", "encoding": "pcm_s16le", "sample_rate": 24_000}},
        {**OURS[0], "output_format": {"container": "raw", "encoding": "pcm_s16le", "sample_rate": 12_000}},
        {**OURS[0], "loud": True},
    ],
)
def test_the_voice_knows_what_is_wrong(message: dict[str, object]) -> None:
    """It would tell if our client sent it."""
    assert generation_faults(message)


@pytest.mark.parametrize("message", [{"type": "stop"}, {"type": "close", "turn": {}}, {"type": "config", "turn": 1}])
def test_the_ear_that_ends_turns_knows_what_is_wrong(message: dict[str, object]) -> None:
    """No client of ours speaks to it; the SDK does."""
    assert turns_faults(message)


@pytest.mark.peers
@pytest.mark.timeout(900)
async def test_the_sdk_hears_and_speaks_by_the_double(tmp_path: Path) -> None:
    """Voice, both ears, tokens and refusals; its models accept every message of the double's, and those of ours."""
    python = await asyncio.to_thread(environment, "cartesia", SDK)
    (tmp_path / "ours.json").write_text(json.dumps(OURS))
    (tmp_path / "caller.pcm").write_bytes(voice("yellow canary", PIPELINE_RATE))
    variables = {"CARTESIA_API_KEY": KEY}
    async with CartesiaDouble() as double:
        out = await run(python, "cartesia_oracle.py", double.url, str(tmp_path), variables=variables)
        assert await double.released()
        assert double.garbled == ["sample_rate is none of those that there are"]
        assert len(double.voices[0].cancelled) == 1
    found = json.loads(out)
    assert spoken((tmp_path / "voice.pcm").read_bytes(), 24_000) == "good day to you"
    assert found["voice"] == {
        "words": ["good", "day", "to", "you"],
        "kinds": ["chunk", "done", "timestamps"],
        "refused": 400,
    }
    assert found["ear"]["text"] == "yellow canary yellow canary"
    assert ["transcript", False] in found["ear"]["kinds"]
    assert found["ear"]["kinds"][-1] == ["done", None]
    assert found["turns"] == [
        ["connected", None],
        ["turn.start", None],
        *([kind, "yellow canary"] for kind in ("turn.update", "turn.eager_end", "turn.end")),
    ]
    assert (found["voices"], found["refused"]) == ([VOICE], 401)
    assert found["token_bytes"] > 0
