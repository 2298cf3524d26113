"""What ElevenLabs' agents accept from a client: the fields of each message, by the vendor's contract."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

Fields = Mapping[str, tuple[type, bool]]
"""By name: the type, and whether it must be there."""

CLIENT: Mapping[str, Fields] = {
    "conversation_initiation_client_data": {
        "conversation_config_override": (dict, False),
        "custom_llm_extra_body": (dict, False),
        "dynamic_variables": (dict, False),
        "user_id": (str, False),
        "source_info": (dict, False),
    },
    "pong": {"event_id": (int, True)},
    "client_tool_result": {"tool_call_id": (str, True), "result": (str, True), "is_error": (bool, True)},
    "contextual_update": {"text": (str, True)},
    "user_message": {"text": (str, True)},
    "user_activity": {},
}
OVERRIDES: Mapping[str, Fields] = {
    "agent": {"prompt": (dict, False), "first_message": (str, False), "language": (str, False)},
    "tts": {"voice_id": (str, False)},
    "conversation": {"text_only": (bool, False), "client_events": (list, False)},
}
SPEECH: Fields = {
    "text": (str, True),
    "model_id": (str, False),
    "language_code": (str, False),
    "voice_settings": (dict, False),
}
VOICE: Fields = {
    "stability": (float, False),
    "similarity_boost": (float, False),
    "style": (float, False),
    "speed": (float, False),
}


def wrong_in(message: Mapping[str, Any]) -> list[str]:
    """Return what the vendor would not take of a client's message; its content is left out."""
    if "user_audio_chunk" in message:
        chunk = message["user_audio_chunk"]
        whole = isinstance(chunk, str) and base64.b64encode(base64.b64decode(chunk)).decode() == chunk
        return [] if whole and len(message) == 1 else ["user_audio_chunk"]
    kind = str(message.get("type"))
    if kind not in CLIENT:
        return [f"type {kind}"]
    rest = {name: value for name, value in message.items() if name != "type"}
    found = wrong_fields(rest, CLIENT[kind], kind)
    for part, values in (message.get("conversation_config_override") or {}).items():
        found += wrong_fields(values, OVERRIDES.get(part, {}), f"override {part}")
    return found


def wrong_fields(values: Mapping[str, Any], fields: Fields, where: str) -> list[str]:
    """Return the names that are missing, unknown or of another type."""
    missing = [f"{where}: no {name}" for name, (_, needed) in fields.items() if needed and name not in values]
    unknown = [f"{where}: {name}" for name in values if name not in fields]
    wrong = [f"{where}: {name}" for name, value in values.items() if name in fields and not _is(value, fields[name][0])]
    return missing + unknown + wrong


def _is(value: object, kind: type) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, kind) and not (kind is int and isinstance(value, bool))
