"""Vapi's messages as values, and ours as Vapi has them; pure.

A call's websocket carries audio as binary messages and everything else as JSON, whose objects come bare or wrapped in
``{"message": …}``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from providers.vapi.config import VapiConfig
from voicebackend.agents import HistoryEntry

Json = dict[str, Any]
Role = Literal["assistant", "user"]

CLIENT_MESSAGES = ("assistant.speechStarted", "speech-update", "status-update", "transcript", "user-interrupted")
"""What Vapi is asked to tell; the first is not among those it tells by default."""
END_CALL: Json = {"type": "end-call"}
ENDED = "ended"
"""The status of a call that is over, and is not billed further."""
_OURS = "force-say"


@dataclass(frozen=True, slots=True)
class Speech:
    """Somebody begins to speak, or has stopped."""

    role: Role
    started: bool


@dataclass(frozen=True, slots=True)
class Words:
    """What somebody says: so far, or one finished piece of it."""

    role: Role
    text: str
    final: bool


@dataclass(frozen=True, slots=True)
class Spoken:
    """All that the assistant says in a turn, told when it begins to sound; again when there is more of it."""

    text: str
    turn: float | None
    ours: bool
    """It was given to it by ``say``."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The caller spoke over the assistant, which has stopped."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The call is over."""


Message = Speech | Words | Spoken | Interrupted | Ended


def read(raw: Mapping[str, Any]) -> Message | None:
    """Return a message as a value; None for one that does not matter here, or makes no sense."""
    inner = raw.get("message")
    found = inner if isinstance(inner, Mapping) else raw
    kind = found.get("type")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    return reader(found) if reader else None


def _speech(raw: Mapping[str, Any]) -> Message | None:
    role, status = _role(raw), raw.get("status")
    return Speech(role, status == "started") if role and status in ("started", "stopped") else None


def _words(raw: Mapping[str, Any]) -> Message | None:
    role, text = _role(raw), raw.get("transcript")
    return Words(role, text, raw.get("transcriptType") == "final") if role and isinstance(text, str) else None


def _spoken(raw: Mapping[str, Any]) -> Message | None:
    text, turn = raw.get("text"), raw.get("turn")
    if not isinstance(text, str):
        return None
    return Spoken(text, turn if isinstance(turn, int | float) else None, raw.get("source") == _OURS)


def _status(raw: Mapping[str, Any]) -> Message | None:
    return Ended() if raw.get("status") == ENDED else None


def _role(raw: Mapping[str, Any]) -> Role | None:
    role = raw.get("role")
    return role if role in ("assistant", "user") else None


_READERS: Mapping[str, Callable[[Mapping[str, Any]], Message | None]] = {
    "speech-update": _speech,
    "transcript": _words,
    "assistant.speechStarted": _spoken,
    "user-interrupted": lambda _: Interrupted(),
    "status-update": _status,
}


def say(text: str, *, instead: bool) -> Json:
    """Have the assistant say a text; ``instead`` of what it is saying."""
    return {"type": "say", "content": text, "endCallAfterSpoken": False, "interruptAssistantEnabled": instead}


def tell(text: str) -> Json:
    """Have the assistant answer a text of the caller's."""
    return _add("user", text, respond=True)


def remember(history: Sequence[HistoryEntry]) -> list[Json]:
    """Have the assistant know what was said before, without answering it."""
    roles: Mapping[str, Role] = {"user": "user", "agent": "assistant"}
    return [_add(roles[entry.role], entry.text, respond=False) for entry in history if entry.text]


def _add(role: Role, text: str, *, respond: bool) -> Json:
    message = {"role": role, "content": text}
    return {"type": "add-message", "message": message, "triggerResponseEnabled": respond}


def call_body(config: VapiConfig, *, greets: bool) -> Json:
    """Return what creates a call; one that does not greet waits until the caller, or we, have spoken."""
    overrides: Json = {
        "backgroundSound": "off",
        **config.assistant_overrides,
        "clientMessages": list(CLIENT_MESSAGES),
        "maxDurationSeconds": round(config.max_call_duration.total_seconds()),
    }
    if not greets:
        overrides["firstMessageMode"] = "assistant-waits-for-user"
    audio = {"format": "pcm_s16le", "container": "raw", "sampleRate": config.sample_rate}
    who = {"assistantId": config.assistant_id} if config.assistant_id else {"assistant": config.assistant}
    return {**who, "assistantOverrides": overrides, "transport": {"provider": "vapi.websocket", "audioFormat": audio}}
