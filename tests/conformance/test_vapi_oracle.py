"""The Vapi double is such that Vapi's own SDK takes it for Vapi; and what our client sends is what that SDK would."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from environment import environment
from listening import answer_to, voice
from process import run
from vapi_double import VapiDouble, flaws

from providers.conformance.double import KEY
from providers.mock.tones import spoken
from providers.vapi import codec
from providers.vapi.config import VapiConfig
from voicebackend.agents import HistoryEntry
from voicebackend.audio import PIPELINE_RATE

SDK = ["vapi-server-sdk==3.0.0", "websockets==15.0.1"]
OURS = [
    codec.say("Good day.", instead=True),
    codec.tell("hello"),
    codec.END_CALL,
    *codec.remember([HistoryEntry(role="user", text="hello", turn=1), HistoryEntry(role="agent", text="hi", turn=1)]),
]


def test_our_messages_have_no_flaws() -> None:
    """By the table that is kept by hand."""
    assert [flaw for message in OURS for flaw in flaws(message)] == []


@pytest.mark.parametrize(
    "message",
    [
        {"type": "shout"},
        {"type": "say"},
        {"type": "say", "content": 1},
        {"type": "say", "content": "x", "loud": True},
        {"type": "add-message", "message": {"role": "caller", "content": "x"}},
        {"type": "control", "control": "stop"},
    ],
)
def test_the_double_knows_what_is_wrong(message: object) -> None:
    """It would tell if our client sent it."""
    assert flaws(message)


@pytest.mark.peers
@pytest.mark.timeout(900)
async def test_the_sdk_holds_a_call_with_the_double(tmp_path: Path) -> None:
    """It creates, reads and lists calls, is refused without the key, and knows every field of every message."""
    python = await asyncio.to_thread(environment, "vapi", SDK)
    configs = [VapiConfig(assistant_id="assistant"), VapiConfig(assistant={"firstMessage": "Hi."}, sample_rate=24_000)]
    bodies = [codec.call_body(config, greets=greets) for config, greets in zip(configs, (True, False), strict=True)]
    (tmp_path / "ours.json").write_text(json.dumps({"messages": OURS, "bodies": bodies}))
    (tmp_path / "caller.pcm").write_bytes(voice("hello", PIPELINE_RATE) + bytes(PIPELINE_RATE))
    async with VapiDouble() as double:
        found = json.loads(await run(python, "vapi_oracle.py", double.url, KEY, str(tmp_path), s=240))
        assert not double.garbled
        assert not double.live
        assert await double.released()
    assert found["texts"] == [["model", answer_to("hello")], ["force-say", "good day"]]
    assert spoken((tmp_path / "heard.pcm").read_bytes(), PIPELINE_RATE) == answer_to("hello") + "good day"
    assert (found["status"], found["listed"], found["refused"], found["close"]) == ("ended", 1, 401, 1000)
    assert {"model-output", "voice-input", "transcript", "conversation-update", "assistant.started"} <= set(
        found["kinds"]
    )
