"""What is sent over the Realtime API, and how its errors read; pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from providers.openai.config import OpenAiS2sConfig
from voicebackend.agents import HistoryEntry
from voicebackend.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    InvalidConfig,
    RateLimitExceeded,
    VoiceBackendError,
)
from voicebackend.statuses import code_word

REALTIME_RATE = 24_000
"""Hz of ``audio/pcm``, both ways; the vendor knows no other."""
MAX_HISTORY = 100
"""Entries that a conversation goes on from: the last of them."""
BUSY = "conversation_already_has_active_response"
"""The code of an error: it is answering, and cannot begin another."""
Message = dict[str, Any]

_MAX_SILENCE_MS = 10_000
_MAX_TOKENS = 2**53
"""Of one answer: beyond it a float counts no more."""
_FORMAT = {"type": "audio/pcm", "rate": REALTIME_RATE}
_CODES: Mapping[str, type[VoiceBackendError]] = {
    "invalid_api_key": AuthenticationFailed,
    "insufficient_quota": RateLimitExceeded,
    "rate_limit_exceeded": RateLimitExceeded,
    "model_not_found": InvalidConfig,
    "session_expired": ConnectionFailed,
}
"""Of errors after which nothing more can come of the conversation."""


def session_update(settings: OpenAiS2sConfig, metadata: Mapping[str, Any], *, answers: bool, event_id: str) -> Message:
    """Return what the session is to be; its metadata may say ``instructions``, ``voice`` and ``language`` anew."""

    def wanted(field: Literal["instructions", "voice", "language"]) -> str | None:
        told = metadata.get(field)
        return told if isinstance(told, str) and told else getattr(settings, field)

    heard: Message = {"format": _FORMAT, "turn_detection": _turn_detection(settings, answers=answers)}
    if settings.transcription_model is not None:
        heard["transcription"] = _given(model=settings.transcription_model, language=wanted("language"))
    if settings.noise_reduction is not None:
        heard["noise_reduction"] = {"type": settings.noise_reduction}
    audio = {"input": heard, "output": _given(format=_FORMAT, voice=wanted("voice"))}
    session = {"type": "realtime", "output_modalities": ["audio"], "audio": audio}
    told = _given(instructions=wanted("instructions"))
    return {"type": "session.update", "event_id": event_id, "session": {**session, **told}}


def _turn_detection(settings: OpenAiS2sConfig, *, answers: bool) -> Message:
    """The vendor notices speech and answers it; whether the caller interrupts is decided here, not there."""
    common = {"type": settings.turn_detection, "create_response": answers, "interrupt_response": False}
    if settings.turn_detection == "semantic_vad":
        return {**common, **_given(eagerness=settings.eagerness)}
    silence_ms = None if settings.silence is None else round(settings.silence.total_seconds() * 1000)
    return {**common, **_given(threshold=settings.vad_threshold, silence_duration_ms=silence_ms)}


def _given(**fields: Any) -> Message:
    return {name: value for name, value in fields.items() if value is not None}


def append(pcm: bytes) -> Message:
    """Return caller audio at ``REALTIME_RATE``."""
    return {"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm).decode("ascii")}


def said(role: Literal["user", "assistant", "system"], text: str, *, item_id: str | None = None) -> Message:
    """Return a text that the model is to remember as said."""
    content = [{"type": "output_text" if role == "assistant" else "input_text", "text": text}]
    item = {"type": "message", "role": role, "content": content, **_given(id=item_id)}
    return {"type": "conversation.item.create", "item": item}


def remembered(history: Sequence[HistoryEntry]) -> list[Message]:
    """Return what was said before, oldest first."""
    entries = [entry for entry in history if entry.text][-MAX_HISTORY:]
    return [said("user" if entry.role == "user" else "assistant", entry.text) for entry in entries]


def forget(item_id: str) -> Message:
    """Return that an item is to be forgotten."""
    return {"type": "conversation.item.delete", "item_id": item_id}


def answer(event_id: str) -> Message:
    """Return the wish for an answer to what was said last."""
    return {"type": "response.create", "event_id": event_id}


def cancel(response_id: str) -> Message:
    """Return that an answer is not to go on."""
    return {"type": "response.cancel", "response_id": response_id}


def truncate(item_id: str, ms: int) -> Message:
    """Return that only so much of an item was heard."""
    return {"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0, "audio_end_ms": ms}


def decoded(audio: object) -> bytes:
    """Return a delta's PCM, nothing if it is none."""
    try:
        return base64.b64decode(audio, validate=True) if isinstance(audio, str) else b""
    except ValueError:
        return b""


def fatal(event: Mapping[str, Any]) -> VoiceBackendError | None:
    """Return the error of an ``error`` event that ends the conversation, None for one that does not."""
    kind = _CODES.get(error_code(event) or "")
    return None if kind is None else kind("openai.talk", details={"vendor_code": error_code(event)})


def refused(event: Mapping[str, Any]) -> VoiceBackendError:
    """Return the error of settings that the vendor does not take; ``details["field"]`` names the vendor's."""
    found = fatal(event)
    if found is not None:
        return found
    param = code_word(_mapping(event.get("error")).get("param")) or "session"
    message = f"{param}: the vendor does not take it"
    return InvalidConfig("openai.talk", message, details={"field": param, "vendor_code": error_code(event)})


def failed(response: Mapping[str, Any]) -> VoiceBackendError:
    """Return the error of an answer that failed."""
    error = _mapping(_mapping(response.get("status_details")).get("error"))
    code = code_word(error.get("code")) or code_word(error.get("type"))
    return _CODES.get(code or "", ConnectionFailed)("openai.talk", "the answer failed", details={"vendor_code": code})


def used(response: Mapping[str, Any]) -> dict[str, float]:
    """Return the tokens that an answer took, by unit: ``input_tokens``, ``input_audio_tokens``, ... as far as told."""
    usage = _mapping(response.get("usage"))
    found = {name: usage.get(name) for name in ("input_tokens", "output_tokens")}
    for side in ("input", "output"):
        details = _mapping(usage.get(f"{side}_token_details"))
        found |= {f"{side}_{kind}_tokens": details.get(f"{kind}_tokens") for kind in ("text", "audio", "cached")}
    return {unit: float(count) for unit, count in found.items() if isinstance(count, int) and 0 < count < _MAX_TOKENS}


def error_code(event: Mapping[str, Any]) -> str | None:
    """Return the code of an ``error`` event."""
    return code_word(_mapping(event.get("error")).get("code"))


def silence_s(session_updated: Mapping[str, Any]) -> float:
    """Return the seconds of silence after which the vendor says that the caller has fallen silent, 0 if it varies."""
    audio = _mapping(_mapping(session_updated.get("session")).get("audio"))
    ms = _mapping(_mapping(audio.get("input")).get("turn_detection")).get("silence_duration_ms")
    return max(0, min(ms, _MAX_SILENCE_MS)) / 1000 if isinstance(ms, int | float) else 0.0


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
