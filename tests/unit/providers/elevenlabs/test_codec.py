"""An agent's messages, and ours."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from providers.elevenlabs import codec
from providers.elevenlabs.codec import (
    Answer,
    Answered,
    Caller,
    Failed,
    Interrupted,
    Message,
    Opened,
    Ping,
    Speech,
    ToolCall,
    read,
)
from providers.elevenlabs.config import ElevenLabsAgentConfig
from providers.elevenlabs.formats import WireFormat
from providers.elevenlabs.words import Letters
from voicebackend.agents import HistoryEntry
from voicebackend.errors import AuthenticationFailed, ConnectionFailed, InvalidConfig, InvalidFormat

AUDIO = base64.b64encode(b"\x01\x00").decode()
FORMATS = {"user_input_audio_format": "pcm_16000", "agent_output_audio_format": "ulaw_8000"}
TIMES = {"chars": ["a", "b"], "char_start_times_ms": [0, 50], "char_durations_ms": [50, 50]}
MESSAGES: list[tuple[str, str, dict[str, Any], Message]] = [
    ("audio", "audio_event", {"audio_base_64": AUDIO, "event_id": 2}, Speech(b"\x01\x00", 2)),
    ("audio", "audio_event", {"audio_base_64": "", "event_id": 2, "is_final": True}, Speech(b"", 2, last=True)),
    (
        "audio",
        "audio_event",
        {"audio_base_64": AUDIO, "event_id": 2, "alignment": TIMES},
        Speech(b"\x01\x00", 2, Letters(["a", "b"], [0.0, 0.05], [0.05, 0.1])),
    ),
    ("user_transcript", "user_transcription_event", {"user_transcript": " Hello "}, Caller("Hello", final=True)),
    (
        "tentative_user_transcript",
        "tentative_user_transcription_event",
        {"user_transcript": "Hel", "event_id": 2},
        Caller("Hel", final=False),
    ),
    ("agent_response", "agent_response_event", {"agent_response": " Hi. ", "event_id": 2}, Answer("Hi.")),
    ("agent_response_complete", "agent_response_complete_event", {"event_id": 2}, Answered()),
    ("interruption", "interruption_event", {"event_id": 2}, Interrupted(2)),
    ("ping", "ping_event", {"event_id": 1, "ping_ms": None}, Ping(1)),
    ("client_tool_call", "client_tool_call", {"tool_name": "t", "tool_call_id": "c", "parameters": {}}, ToolCall("c")),
]


@pytest.mark.parametrize(("kind", "name", "body", "expected"), MESSAGES, ids=lambda value: str(value)[:30])
def test_messages_are_read(kind: str, name: str, body: dict[str, Any], expected: Message) -> None:
    """Ids on texts and times on audio may be left out."""
    assert read({"type": kind, name: body}) == expected


def test_the_formats_are_told_when_the_conversation_begins() -> None:
    """Both ways."""
    body = {"conversation_id": "c", **FORMATS}
    found = read({"type": "conversation_initiation_metadata", "conversation_initiation_metadata_event": body})
    assert isinstance(found, Opened)
    assert found.hears == WireFormat(16_000)
    assert found.speaks.sample_rate == 8_000


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"type": 7},
        {"type": "vad_score", "vad_score_event": {"vad_score": 0.5}},
        {"type": "agent_response_correction", "agent_response_correction_event": {}},
        {"type": "client_tool_call", "client_tool_call": {"tool_call_id": "c", "expects_response": False}},
        {"type": "error", "error_event": {"code": 1000, "error_type": "max_duration_exceeded"}},
    ],
)
def test_what_does_not_matter_is_passed_over(message: dict[str, Any]) -> None:
    """Also what the vendor may add."""
    assert read(message) is None


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, name, *_ in MESSAGES if kind != "agent_response_complete"]
)
@pytest.mark.parametrize("body", [None, 7, [], {}, {"event_id": None}, {"audio_base_64": "!", "event_id": "x"}])
def test_malformed_messages_are_told_apart(kind: str, name: str, body: object) -> None:
    """Whatever is in them."""
    with pytest.raises(InvalidFormat):
        read({"type": kind, name: body})
    with pytest.raises(InvalidFormat):
        read({"type": kind})


def test_times_that_do_not_belong_to_their_characters_are_malformed() -> None:
    """A word at the wrong time is worse than none."""
    body = {"audio_base_64": AUDIO, "event_id": 1, "alignment": {**TIMES, "chars": ["a"]}}
    with pytest.raises(InvalidFormat):
        read({"type": "audio", "audio_event": body})


@pytest.mark.parametrize(
    ("code", "kind", "expected"),
    [
        (1008, "override_error", InvalidConfig),
        (1008, "missing_dynamic_variable", InvalidConfig),
        (1008, None, AuthenticationFailed),
        (1002, "llm_timeout", ConnectionFailed),
        (1011, "unknown_websocket_crash", ConnectionFailed),
    ],
)
def test_errors_have_the_class_of_what_to_do(code: int, kind: str | None, expected: type[Exception]) -> None:
    """And tell the vendor's code, but none of its words."""
    body = {"code": code, "error_type": kind, "message": "said: my secret", "debug_message": "my secret"}
    found = read({"type": "error", "error_event": body})
    assert isinstance(found, Failed)
    assert type(found.error) is expected
    assert found.error.details.get("error_type") == kind
    assert "secret" not in f"{found.error} {found.error.details}"


def test_nothing_is_overridden_that_is_not_set() -> None:
    """An agent refuses a call that overrides what it does not allow."""
    assert codec.begin(ElevenLabsAgentConfig(agent_id="a"), {}) == {"type": "conversation_initiation_client_data"}


def test_what_is_set_is_told_also_if_it_is_empty() -> None:
    """An empty first message has the caller speak first."""
    config = ElevenLabsAgentConfig(agent_id="a", prompt="Be brief.", first_message="", language="de", voice_id="v")
    assert codec.begin(config, {})["conversation_config_override"] == {
        "agent": {"prompt": {"prompt": "Be brief."}, "first_message": "", "language": "de"},
        "tts": {"voice_id": "v"},
    }


def test_a_sessions_variables_go_before_those_of_the_settings() -> None:
    """Plain values only; the rest of its metadata stays here."""
    config = ElevenLabsAgentConfig(agent_id="a", dynamic_variables={"name": "Ada", "city": "Oslo"})
    metadata = {"dynamic_variables": {"name": "Bea", "list": [1]}, "token": "secret"}
    assert codec.begin(config, metadata)["dynamic_variables"] == {"name": "Bea", "city": "Oslo"}
    assert codec.begin(config, {"dynamic_variables": "no"})["dynamic_variables"] == {"name": "Ada", "city": "Oslo"}


def test_what_was_said_is_told_with_who_said_it() -> None:
    """Oldest first, and what was cut off."""
    history = [
        HistoryEntry(role="user", text="Hello?", turn=1),
        HistoryEntry(role="agent", text="Good day. How", turn=1, interrupted=True),
    ]
    told = codec.remember(history)
    assert told["type"] == "contextual_update"
    assert told["text"].endswith("Caller: Hello?\nYou: Good day. How (cut off)")


def test_of_a_long_history_the_end_is_told() -> None:
    """No more than the agent may be expected to take."""
    history = [HistoryEntry(role="user", text=f"{number} " + "x" * 1_000, turn=number) for number in range(20)]
    text = codec.remember(history)["text"]
    assert len(text) <= codec.MAX_HISTORY + 200
    assert "Caller: 19 " in text
    assert "Caller: 3 " not in text
