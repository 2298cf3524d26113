"""What a client may send to Cartesia, by its documentation: required and known fields, checked by hand."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from typing import Any

RATES = {8_000, 16_000, 22_050, 24_000, 44_100, 48_000}
ENCODINGS = {"pcm_s16le", "pcm_f32le", "pcm_mulaw", "pcm_alaw"}
AGENT_FORMATS = {"mulaw_8000", "pcm_16000", "pcm_24000", "pcm_44100"}
_GENERATION = {"context_id": str, "model_id": str, "transcript": str, "voice": dict, "output_format": dict}
_GENERATION_MORE = {
    "add_phoneme_timestamps": bool,
    "add_timestamps": bool,
    "continue": bool,
    "flush": bool,
    "generation_config": dict,
    "language": str,
    "max_buffer_delay_ms": int,
    "pronunciation_dict_id": str,
    "speed": str,
    "use_normalized_timestamps": bool,
}
_TURN = {"start_threshold": float, "eager_end_threshold": float, "end_threshold": float, "end_timeout_ms": float}
_AGENT: Mapping[str, tuple[Mapping[str, type], Mapping[str, type]]] = {
    "session_create": ({"audio": dict}, {"dynamic_variables": dict}),
    "audio_input": ({"audio": str}, {}),
    "dtmf_input": ({"digit": str}, {}),
    "client_tool_result": ({"tool_call_id": str, "result": str, "is_error": bool}, {}),
}


def parsed(text: str) -> dict[str, Any]:
    """Return a JSON object, empty if it is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def generation_faults(message: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a message to the voice."""
    if "cancel" in message:
        return _wrong(message, {"context_id": str, "cancel": bool}, {}, "cancel")
    found = _wrong(message, _GENERATION, _GENERATION_MORE, "generation")
    if not found:
        found = _wrong(message["voice"], {"mode": str, "id": str}, {}, "voice")
        form = message["output_format"]
        found += _wrong(form, {"container": str, "encoding": str, "sample_rate": int}, {}, "output_format")
        if form.get("container") != "raw" or form.get("encoding") not in ENCODINGS:
            found.append("output_format is none that the websocket has")
        if form.get("sample_rate") not in RATES:
            found.append("sample_rate is none of those that there are")
    return found


def stt_faults(query: Mapping[str, str], more: Iterable[str]) -> list[str]:
    """Return what is wrong with the query that an ear is opened with."""
    needed = {"model": str, "encoding": str, "sample_rate": str}
    found = _wrong(query, needed, dict.fromkeys(["keyterm", "cartesia_version", *more], str), "query")
    if query.get("encoding") != "pcm_s16le" or not query.get("sample_rate", "").isdecimal():
        found.append("the audio's encoding or rate")
    return found


def turns_faults(message: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a command to the ear that ends turns by itself."""
    kind = str(message.get("type"))
    if kind not in {"close", "config"}:
        return [f"turns: no message is named {kind!r}"]
    found = _wrong(message, {"type": str}, {"turn": dict} if kind == "config" else {}, kind)
    return found or _wrong(message.get("turn", {}), {}, _TURN, "turn")


def agent_faults(message: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a message to an agent."""
    kind = str(message.get("type"))
    if kind not in _AGENT:
        return [f"agent: no message is named {kind!r}"]
    needed, more = _AGENT[kind]
    found = _wrong(message, {"type": str, **needed}, more, kind)
    if kind == "session_create" and not found:
        audio = message["audio"]
        found += _wrong(audio, {"input_format": str}, {"output_delivery": str}, "audio")
        if audio.get("input_format") not in AGENT_FORMATS:
            found.append("input_format is none of those that there are")
    if kind == "audio_input" and not found and not _is_audio(message["audio"]):
        found.append("audio is no base64 of whole samples")
    if kind == "dtmf_input" and not found and message["digit"] not in set("0123456789*#"):
        found.append("dtmf_input must be one of 0-9, * or #")
    return found


def _is_audio(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) % 2 == 0
    except binascii.Error:
        return False


def _wrong(message: Mapping[str, Any], needed: Mapping[str, type], more: Mapping[str, type], what: str) -> list[str]:
    found = [f"{what}: {name} is missing" for name in needed if name not in message]
    known = {**needed, **more}
    for name, value in message.items():
        if name not in known:
            found.append(f"{what}: no field is named {name}")
        elif not isinstance(value, (int, float) if known[name] is float else known[name]):
            found.append(f"{what}: {name} is no {known[name].__name__}")
    return found
