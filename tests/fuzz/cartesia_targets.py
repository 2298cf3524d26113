"""What Cartesia's servers say: speech, and one after the other the events of an agent and of an ear."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from target import Target
from wire_targets import of_object

from providers.cartesia import tts_codec
from providers.cartesia.s2s_codec import MAX_SAID, AgentTurns, tool_refusal
from providers.cartesia.stt_codec import MAX_TEXT, Utterances
from providers.remote.vendor_json import read_json
from voicebackend.audio import SAMPLE_BYTES
from voicebackend.errors import VoiceBackendError

MAX_EVENTS = 64
"""Of one conversation."""


def agent(data: bytes) -> None:
    """A line of JSON for each event, among them an interruption: whole samples, and text that can be carried on."""
    turns, open_ = AgentTurns(), False
    for number, event in enumerate(events := _objects(data)):
        if number == len(events) // 2:
            turns.cut()
        json.dumps(tool_refusal(event))
        for told in turns.take(event):
            assert len(told.pcm) % SAMPLE_BYTES == 0
            assert told.kind != "user_text" or told.final or len(told.text) <= MAX_SAID
            told.text.encode()
            open_ = told.kind in {"audio", "agent_text"} or (open_ and told.kind != "turn_done")
    ended = turns.take({"type": "audio_output_clear"})
    assert not open_ or [event.kind for event in ended] == ["turn_done"]


def ear(data: bytes) -> None:
    """The same of an ear that is asked for what was said after every third event."""
    said = Utterances()
    for number, event in enumerate(_objects(data)):
        said.heard()
        if number % 3 == 0:
            said.pause()
        found = said.take(event)
        assert len(said.text) <= 2 * MAX_TEXT
        if found is not None:
            found.text.encode()
    said.end()
    assert said.text == ""


def _objects(data: bytes) -> list[dict[str, Any]]:
    found = []
    for line in data.split(b"\n")[:MAX_EVENTS]:
        with suppress(ValueError, RecursionError):
            found.append(read_json(line.decode()))
    return [event for event in found if isinstance(event, dict)]


_WORDS = (b"\n", b'"type"', b'"role"', b'"turn"', b"null", b"[]", b"{}", b"1e400", b'"\\ud800"', b"9" * 400)
TARGETS = (
    Target(name="cartesia-speech", read=of_object(tts_codec.parsed), refuses=(VoiceBackendError,), words=_WORDS),
    Target(name="cartesia-agent", read=agent, refuses=(VoiceBackendError,), words=_WORDS),
    Target(name="cartesia-ear", read=ear, refuses=(VoiceBackendError,), words=_WORDS),
)
