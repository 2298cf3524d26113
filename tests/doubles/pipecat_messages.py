"""What a Pipecat server's client may send, checked strictly; the double says what is wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from google.protobuf.message import DecodeError

from providers.pipecat.schema import frame_class

_DATA: Mapping[str, Mapping[str, type]] = {
    "client-ready": {"version": str, "about": dict},
    "send-text": {"content": str, "options": dict},
    "dtmf": {"buttons": list},
    "disconnect-bot": {},
}
"""RTVI messages of clients, and what must be in their data."""
_KEYPAD = set("0123456789*#")


def wrong_frame(raw: bytes) -> str:
    """Return what is wrong with the bytes of a frame, empty if nothing."""
    try:
        frame = frame_class().FromString(raw)
    except DecodeError:
        return "no frame"
    match frame.WhichOneof("frame"):
        case "audio":
            audio = frame.audio
            right = audio.num_channels == 1 and audio.sample_rate in range(8_000, 48_001) and not len(audio.audio) % 2
            return "" if right and audio.audio else f"audio of {audio.sample_rate} Hz, {len(audio.audio)} bytes"
        case "message":
            return wrong_message(frame.message.data)
        case "interruption":
            return ""
        case other:
            return f"a client sends no {other}"


def wrong_message(text: str) -> str:
    """Return what is wrong with an RTVI message, empty if nothing."""
    try:
        message = json.loads(text)
    except ValueError:
        return "no JSON"
    if set(message) != {"label", "type", "id", "data"} or message["label"] != "rtvi-ai" or not message["id"]:
        return "no RTVI message"
    wanted = _DATA.get(message["type"])
    if wanted is None:
        return f"unknown type {message['type']}"
    data = message["data"]
    if set(data) != set(wanted) or not all(isinstance(data[name], kind) for name, kind in wanted.items()):
        return f"{message['type']} with {sorted(data)}"
    if message["type"] == "dtmf" and not set(data["buttons"]) <= _KEYPAD:
        return "no key of a keypad"
    return ""


def wrong_start(body: Any) -> str:
    """Return what is wrong with the body of ``POST /start``, empty if nothing."""
    if not isinstance(body, dict) or body.get("transport") != "websocket" or not isinstance(body.get("body"), dict):
        return "no start of a websocket session"
    return ""
