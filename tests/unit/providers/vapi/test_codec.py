"""Vapi's messages, read and written."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from providers.vapi import codec
from providers.vapi.config import VapiConfig
from voicebackend.agents import HistoryEntry
from voicebackend.errors import InvalidConfig


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"type": "speech-update", "status": "started", "role": "user"}, codec.Speech("user", started=True)),
        ({"type": "speech-update", "status": "stopped", "role": "assistant"}, codec.Speech("assistant", started=False)),
        (
            {"type": "transcript", "role": "user", "transcriptType": "final", "transcript": "hi"},
            codec.Words("user", "hi", final=True),
        ),
        (
            {"type": "assistant.speechStarted", "text": "hi", "turn": 2, "source": "force-say"},
            codec.Spoken("hi", 2, ours=True),
        ),
        ({"type": "assistant.speechStarted", "text": "hi", "source": "model"}, codec.Spoken("hi", None, ours=False)),
        ({"type": "user-interrupted", "turnId": "x"}, codec.Interrupted()),
        ({"type": "status-update", "status": "ended"}, codec.Ended()),
        ({"type": "status-update", "status": "in-progress"}, None),
        ({"type": "hang"}, None),
    ],
)
def test_messages_are_read_bare_and_wrapped(raw: dict[str, Any], message: codec.Message | None) -> None:
    """The documentation does not say which it is."""
    assert codec.read(raw) == message
    assert codec.read({"message": raw}) == message


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"type": 7},
        {"type": ["transcript"]},
        {"message": "hi"},
        {"type": "transcript", "role": "nobody", "transcript": "hi"},
        {"type": "transcript", "role": "user", "transcript": None},
        {"type": "transcript", "role": {}, "transcript": "hi"},
        {"type": "speech-update", "status": [], "role": "user"},
        {"type": "assistant.speechStarted", "turn": 1},
    ],
)
def test_what_makes_no_sense_is_passed_over(raw: dict[str, Any]) -> None:
    """Vapi may add to what it tells."""
    assert codec.read(raw) is None


def test_a_call_says_what_it_needs_and_leaves_the_rest_to_the_assistant() -> None:
    """What the settings change is changed, but what we must be told is not up to them."""
    overrides = {"firstMessage": "Hi.", "clientMessages": ["hang"], "backgroundSound": "office"}
    config = VapiConfig(
        assistant_id="a", assistant_overrides=overrides, max_call_duration=timedelta(minutes=1), sample_rate=24_000
    )
    body = codec.call_body(config, greets=False)
    assert body["assistantId"] == "a"
    assert "assistant" not in body
    assert body["transport"]["audioFormat"] == {"format": "pcm_s16le", "container": "raw", "sampleRate": 24_000}
    told = body["assistantOverrides"]
    assert (told["firstMessage"], told["backgroundSound"], told["maxDurationSeconds"]) == ("Hi.", "office", 60)
    assert told["clientMessages"] == list(codec.CLIENT_MESSAGES)
    assert told["firstMessageMode"] == "assistant-waits-for-user"
    assert "firstMessageMode" not in codec.call_body(config, greets=True)["assistantOverrides"]


def test_history_is_added_without_an_answer() -> None:
    """In Vapi's roles; who said nothing is left out."""
    said = [("user", "hello"), ("agent", "hi"), ("agent", "")]
    entries = [HistoryEntry(role=role, text=text, turn=1) for role, text in said]  # type: ignore[arg-type]
    found = codec.remember(entries)
    assert [message["message"] for message in found] == [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "hi"},
    ]
    assert not any(message["triggerResponseEnabled"] for message in found)
    assert codec.tell("hello")["triggerResponseEnabled"]


@pytest.mark.parametrize("settings", [{}, {"assistant_id": "a", "assistant": {"name": "x"}}])
def test_a_config_has_one_assistant(settings: dict[str, Any]) -> None:
    """Which it is, is ours to say."""
    with pytest.raises(InvalidConfig) as caught:
        VapiConfig(**settings)
    assert caught.value.details["field"] == "assistant_id"


def test_no_secret_is_shown() -> None:
    """An assistant described in place may carry keys, too."""
    config = VapiConfig(
        api_key=SecretStr("hush"), assistant={"model": {"key": "hush"}}, assistant_overrides={"k": "hush"}
    )
    assert "hush" not in repr(config)
    assert config.plain()["api_key"] == "hush"
