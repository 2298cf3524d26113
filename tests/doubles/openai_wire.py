"""What clients may send over the Realtime API, field by field, and the shapes that the vendor answers with."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

CLIENT_EVENTS: Mapping[str, Mapping[str, type]] = {
    "session.update": {"session": dict},
    "input_audio_buffer.append": {"audio": str},
    "conversation.item.create": {"item": dict},
    "conversation.item.delete": {"item_id": str},
    "conversation.item.truncate": {"item_id": str, "content_index": int, "audio_end_ms": int},
    "response.create": {},
    "response.cancel": {},
}
"""Each event that the double knows, with the fields that it must have."""
_OPTIONAL = {
    "conversation.item.create": {"previous_item_id"},
    "response.create": {"response"},
    "response.cancel": {"response_id"},
}
_SESSION = {"type", "instructions", "output_modalities", "audio", "model", "tools", "tool_choice", "truncation"}
_INPUT = {"format", "transcription", "turn_detection", "noise_reduction"}
_OUTPUT = {"format", "voice", "speed"}
_DETECTION = {
    "server_vad": {"type", "create_response", "interrupt_response", "threshold", "silence_duration_ms"},
    "semantic_vad": {"type", "create_response", "interrupt_response", "eagerness"},
}
VOICES = {"marin", "cedar"}
_PCM = {"type": "audio/pcm", "rate": 24_000}
_CONTENT = {"user": "input_text", "system": "input_text", "assistant": "output_text"}


def wrong(event: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a client's event, None if nothing is."""
    kind = event.get("type", "")
    needed = CLIENT_EVENTS.get(kind)
    if needed is None:
        return f"unknown event {kind}"
    for name, type_ in needed.items():
        if type(event.get(name)) is not type_:
            return f"{kind}: {name}"
    unknown = event.keys() - {"type", "event_id", *needed} - _OPTIONAL.get(kind, set())
    if unknown:
        return f"{kind}: unknown {sorted(unknown)}"
    if kind == "session.update":
        return wrong_session(event["session"])
    return _wrong_item(event["item"]) if kind == "conversation.item.create" else None


def wrong_session(session: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a session's settings."""
    heard = session.get("audio", {}).get("input", {})
    spoken = session.get("audio", {}).get("output", {})
    detection = heard.get("turn_detection") or {"type": "server_vad"}
    allowed = _DETECTION.get(detection.get("type", ""))
    checks = {
        "session.type": session.get("type") == "realtime",
        "session": session.keys() <= _SESSION,
        "session.output_modalities": session.get("output_modalities", ["audio"]) in (["audio"], ["text"]),
        "session.audio.input": heard.keys() <= _INPUT,
        "session.audio.input.format": heard.get("format", _PCM) == _PCM,
        "session.audio.input.turn_detection": allowed is not None and detection.keys() <= allowed,
        "session.audio.output": spoken.keys() <= _OUTPUT,
        "session.audio.output.voice": spoken.get("voice", "marin") in VOICES,
        "session.audio.output.format": spoken.get("format", _PCM) == _PCM,
    }
    return next((name for name, good in checks.items() if not good), None)


def _wrong_item(item: Mapping[str, Any]) -> str | None:
    content = item.get("content") or [{}]
    wanted = {"type": _CONTENT.get(item.get("role", "")), "text": content[0].get("text")}
    good = item.get("type") == "message" and wanted["type"] is not None and content == [wanted] and wanted["text"]
    return None if good else "conversation.item.create: item"


def pcm_of(audio: str) -> bytes | None:
    """Return whole samples, None if it is no base64 of such."""
    try:
        pcm = base64.b64decode(audio, validate=True)
    except (ValueError, binascii.Error):
        return None
    return pcm if len(pcm) % 2 == 0 else None


def message(item_id: str, role: str, content: list[dict[str, Any]], status: str = "completed") -> dict[str, Any]:
    """Return an item of a conversation."""
    return {
        "id": item_id,
        "object": "realtime.item",
        "type": "message",
        "status": status,
        "role": role,
        "content": content,
    }


def response(response_id: str, status: str, output: list[dict[str, Any]], **details: Any) -> dict[str, Any]:
    """Return an answer as the vendor tells of it."""
    return {
        "id": response_id,
        "object": "realtime.response",
        "conversation_id": "conv_1",
        "status": status,
        "status_details": {"type": status, **details} if status != "in_progress" else None,
        "output": output,
        "output_modalities": ["audio"],
        "max_output_tokens": "inf",
        "usage": {"total_tokens": 3, "input_tokens": 1, "output_tokens": 2} if status != "in_progress" else None,
        "metadata": None,
    }


def session(model: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return a session as the vendor tells of it: what it was told over its defaults."""
    audio = told.get("audio", {})
    heard, spoken = audio.get("input", {}), audio.get("output", {})
    detection = heard.get("turn_detection") or {"type": "server_vad"}
    if detection["type"] == "server_vad":
        defaults = {"threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 300}
        detection = {**defaults, "create_response": True, "interrupt_response": True, **detection}
    return {
        "type": "realtime",
        "id": "sess_1",
        "object": "realtime.session",
        "model": model,
        "instructions": told.get("instructions", "Be brief."),
        "output_modalities": ["audio"],
        "audio": {
            "input": {
                "transcription": None,
                "noise_reduction": None,
                "format": _PCM,
                **heard,
                "turn_detection": detection,
            },
            "output": {"format": _PCM, "voice": "marin", "speed": 1.0, **spoken},
        },
    }
