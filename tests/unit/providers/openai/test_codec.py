"""Messages and errors of the Realtime API."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from providers.openai import codec
from providers.openai.config import OpenAiS2sConfig
from voicebackend.agents import HistoryEntry
from voicebackend.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    InvalidConfig,
    RateLimitExceeded,
    VoiceBackendError,
)


def update(metadata: dict[str, Any] | None = None, *, answers: bool = True, **settings: Any) -> dict[str, Any]:
    """Return the session that these settings make."""
    config = OpenAiS2sConfig(model="talk-1", **settings)
    session: dict[str, Any] = codec.session_update(config, metadata or {}, answers=answers, event_id="e")["session"]
    return session


def test_nothing_is_set_that_was_not_asked_for() -> None:
    """The vendor's defaults stay; that the caller interrupts is decided here."""
    pcm = {"type": "audio/pcm", "rate": 24_000}
    detection = {"type": "server_vad", "create_response": True, "interrupt_response": False}
    audio = {"input": {"format": pcm, "turn_detection": detection}, "output": {"format": pcm}}
    assert update() == {"type": "realtime", "output_modalities": ["audio"], "audio": audio}


def test_where_an_agent_answers_the_model_does_not() -> None:
    """It listens."""
    assert update(answers=False)["audio"]["input"]["turn_detection"]["create_response"] is False


def test_settings_of_each_kind_of_turn_detection() -> None:
    """Those of the other are left out."""
    common: dict[str, Any] = {"silence": 0.4, "vad_threshold": 0.6, "eagerness": "low"}
    server = update(**common)["audio"]["input"]["turn_detection"]
    assert (server["silence_duration_ms"], server["threshold"], "eagerness" in server) == (400, 0.6, False)
    semantic = update(turn_detection="semantic_vad", **common)["audio"]["input"]["turn_detection"]
    assert (semantic["eagerness"], "threshold" in semantic) == ("low", False)


def test_a_session_may_have_its_own_voice_and_instructions() -> None:
    """By its metadata; what is no text there is somebody else's."""
    settings: dict[str, Any] = {
        "voice": "marin",
        "instructions": "Be kind.",
        "transcription_model": "hear-1",
        "language": "en",
    }
    own = update({"voice": "cedar", "instructions": "Be brief.", "language": "de"}, **settings)
    assert (own["audio"]["output"]["voice"], own["instructions"]) == ("cedar", "Be brief.")
    assert own["audio"]["input"]["transcription"] == {"model": "hear-1", "language": "de"}
    others = update({"voice": {"id": 1}, "instructions": "", "language": None}, **settings)
    assert (others["audio"]["output"]["voice"], others["instructions"]) == ("marin", "Be kind.")
    assert others["audio"]["input"]["transcription"]["language"] == "en"


def test_only_the_last_of_a_long_history_is_told() -> None:
    """In its order; nothing that was not said."""
    entries = [HistoryEntry(role="user" if n % 2 else "agent", text=f"{n}" if n else "", turn=n) for n in range(150)]
    told = [message["item"] for message in codec.remembered(entries)]
    assert [item["content"][0]["text"] for item in told] == [str(n) for n in range(50, 150)]
    assert told[0]["role"] == "assistant"
    assert told[0]["content"][0]["type"] == "output_text"
    assert told[1]["content"][0]["type"] == "input_text"
    assert codec.remembered(entries[:1]) == []


def test_audio_goes_as_base64() -> None:
    """And comes so; what is none is nothing."""
    assert base64.b64decode(codec.append(b"\x01\x02")["audio"]) == b"\x01\x02"
    assert codec.decoded(codec.append(b"\x01\x02")["audio"]) == b"\x01\x02"
    assert [codec.decoded(wrong) for wrong in (None, 5, "ä", "A", "%%%%", ["AAAA"])] == [b""] * 6


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("invalid_api_key", AuthenticationFailed),
        ("insufficient_quota", RateLimitExceeded),
        ("session_expired", ConnectionFailed),
        ("invalid_value", None),
        (None, None),
        (5, None),
        ("what the caller said, with spaces", None),
    ],
)
def test_few_errors_end_a_conversation(code: object, kind: type[VoiceBackendError] | None) -> None:
    """The vendor says that most are passed over."""
    found = codec.fatal({"type": "error", "error": {"code": code, "message": "sk-secret"}})
    assert found is None if kind is None else isinstance(found, kind)
    assert "secret" not in f"{found} {found.details if found else ''}"


def test_settings_that_are_refused_are_named() -> None:
    """As the vendor names them, if it does so in a word."""
    wrong = {"error": {"code": "invalid_value", "param": "session.audio.output.voice", "message": "sk-secret"}}
    error = codec.refused(wrong)
    assert isinstance(error, InvalidConfig)
    assert error.details["field"] == "session.audio.output.voice"
    assert codec.refused({"error": {"param": "a secret"}}).details["field"] == "session"
    assert isinstance(codec.refused({"error": {"code": "invalid_api_key"}}), AuthenticationFailed)


def test_an_answer_that_failed_says_why() -> None:
    """Another may be tried, or not yet."""
    limited = {"status_details": {"error": {"type": "requests", "code": "rate_limit_exceeded"}}}
    assert isinstance(codec.failed(limited), RateLimitExceeded)
    for broken in ({}, {"status_details": None}, {"status_details": {"error": {"type": "server_error"}}}):
        assert isinstance(codec.failed(broken), ConnectionFailed)


@pytest.mark.parametrize("ms", [500, 0, -5, 10**9, 10**400, float("nan"), None, "1"])
def test_how_long_the_vendor_waits_is_taken_from_what_it_tells(ms: object) -> None:
    """Nonsense is nothing."""
    told = {"session": {"audio": {"input": {"turn_detection": {"silence_duration_ms": ms}}}}}
    expected = {500: 0.5, 10**9: 10.0, 10**400: 10.0}.get(ms, 0.0) if isinstance(ms, int) else 0.0
    assert codec.silence_s(told) == expected
    assert codec.silence_s({"session": []}) == 0.0
