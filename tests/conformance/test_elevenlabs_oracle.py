"""ElevenLabs' own SDK takes the double for ElevenLabs; and what our client sends is what that SDK would."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from elevenlabs_double import AGENT, PUBLIC_AGENT, ElevenLabsDouble
from elevenlabs_messages import SPEECH, wrong_fields, wrong_in
from environment import environment
from listening import STORY, voice
from process import run

from providers.conformance.double import KEY
from providers.elevenlabs import codec, speech_codec
from providers.elevenlabs.config import ElevenLabsAgentConfig, ElevenLabsTtsConfig
from providers.mock.tones import spoken
from voicebackend.agents import HistoryEntry
from voicebackend.audio import PIPELINE_RATE

SDK = ["elevenlabs==2.78.0"]
AGENT_CONFIG = ElevenLabsAgentConfig(
    agent_id="a", prompt="Be brief.", first_message="", language="en", voice_id="v", dynamic_variables={"name": "Ada"}
)
TTS_CONFIG = ElevenLabsTtsConfig(
    model_id="m", voice_id="v", language="en", stability=0.5, similarity_boost=1, style=0, speed=1.1
)
OURS: dict[str, dict[str, Any]] = {
    "begin": codec.begin(AGENT_CONFIG, {"dynamic_variables": {"city": "Oslo"}}),
    "tell": codec.tell("hello"),
    "remember": codec.remember([HistoryEntry(role="user", text="hello", turn=1)]),
    "speech": speech_codec.body_of(TTS_CONFIG, "Good day."),
}


def test_our_messages_have_no_faults() -> None:
    """By the tables that are kept by hand."""
    rest = [codec.pong(1), codec.no_tool("call_1"), codec.hear(bytes(640))]
    found = [wrong_in(message) for message in [*(OURS[name] for name in ("begin", "tell", "remember")), *rest]]
    assert [*found, wrong_fields(OURS["speech"], SPEECH, "speech")] == [[]] * 7


@pytest.mark.parametrize(
    "message",
    [
        {"type": "shout"},
        {"user_audio_chunk": "AAAA", "type": "audio"},
        {"type": "pong", "event_id": "1"},
        {"type": "pong", "event_id": True},
        {"type": "user_message"},
        {"type": "client_tool_result", "tool_call_id": "call_1", "result": "none"},
        {"type": "conversation_initiation_client_data", "overrides": {}},
        {"type": "conversation_initiation_client_data", "conversation_config_override": {"agent": {"voice": "v"}}},
        {"type": "conversation_initiation_client_data", "conversation_config_override": {"voice": {"id": "v"}}},
    ],
)
def test_the_agent_knows_what_is_wrong(message: dict[str, Any]) -> None:
    """It would tell if our client sent it."""
    assert wrong_in(message)


@pytest.mark.peers
@pytest.mark.timeout(900)
async def test_the_sdk_talks_and_speaks_by_the_double(tmp_path: Path) -> None:
    """Agents public and private, interrupted, with a tool; the voice with and without times; a refusal."""
    python = await asyncio.to_thread(environment, "elevenlabs", SDK)
    (tmp_path / "ours.json").write_text(json.dumps(OURS))
    for name, words in {"story": "tell me a story", "tool": "take a tool"}.items():
        (tmp_path / f"{name}.pcm").write_bytes(voice(words, PIPELINE_RATE))
    async with ElevenLabsDouble() as double:
        double.agent.hangs_up_on = "goodbye"
        variables = {"ELEVENLABS_API_KEY": KEY}
        out = await run(python, "elevenlabs_oracle.py", double.url, str(tmp_path), variables=variables, s=120)
        assert await double.released()
        assert not double.garbled
        agent = double.agent
    found = json.loads(out)
    for name in (PUBLIC_AGENT, AGENT):
        call = found["public" if name == PUBLIC_AGENT else "private"]
        assert call["user"] == ["tell me a story", "take a tool"]
        assert call["agent"] == ["welcome", STORY, "you said take a tool"]
        assert [original for original, _ in call["corrected"]] == [STORY]
        assert call["interrupted"] == 1
        assert call["aligned"] == "welco"
        assert call["ended"] == ["agent", 1000]
        assert call["id"] == "conv_1"
        assert spoken((tmp_path / f"{name}_greeting.pcm").read_bytes(), PIPELINE_RATE) == "welcome"
        assert spoken((tmp_path / f"{name}.pcm").read_bytes(), PIPELINE_RATE) == "you said take a tool"
    assert agent.pongs == [1, 1]
    assert agent.contexts == ["The caller smiles."] * 2
    assert [result["result"] for result in agent.tool_results] == ["it is it"] * 2
    for name in ("voice", "timed"):
        assert spoken((tmp_path / f"{name}.pcm").read_bytes(), 24_000) == "good day to you"
    assert found["voice"] == {"characters": "good day to you", "last_s": 0.75}
    assert found["refused"] == 401
