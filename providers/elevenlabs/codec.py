"""An agent's messages as values, and ours as it wants them; pure."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from providers.elevenlabs.config import ElevenLabsAgentConfig
from providers.elevenlabs.formats import WireFormat, wire_format
from providers.elevenlabs.words import Letters
from voicebackend.agents import HistoryEntry
from voicebackend.errors import InvalidConfig, InvalidFormat, VoiceBackendError
from voicebackend.statuses import code_word, from_close

Json = dict[str, Any]

MAX_HISTORY = 8_000
"""Characters of what was said before that an agent is told; the oldest are left out."""
_OP = "elevenlabs.talk"
_NORMAL = 1000
_OURS = frozenset(
    {"missing_dynamic_variable", "missing_dynamic_variable_transfer", "missing_fields", "override_error", "value_error"}
)
"""Errors that another setting would avoid."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The conversation has begun; in which formats it is held."""

    hears: WireFormat
    speaks: WireFormat


@dataclass(frozen=True, slots=True)
class Speech:
    """A piece of the agent's voice."""

    audio: bytes
    event_id: int
    letters: Letters | None = None
    """When its characters sound, from the piece's beginning, if the vendor tells."""
    last: bool = False
    """No more of this answer follows; the vendor may leave it out."""


@dataclass(frozen=True, slots=True)
class Caller:
    """What the caller has been understood to say."""

    text: str
    final: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """All that the agent is saying."""

    text: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The agent has said all that it wanted to; its audio may still be coming."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The caller speaks over the agent, which has stopped."""

    event_id: int
    """No audio up to this is to be heard."""


@dataclass(frozen=True, slots=True)
class Ping:
    """Wants an answer, or the conversation is ended."""

    event_id: int


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The agent waits for something that it takes the client to be able to do."""

    call_id: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The conversation is about to be ended."""

    error: VoiceBackendError


Message = Opened | Speech | Caller | Answer | Answered | Interrupted | Ping | ToolCall | Failed


def read(raw: Mapping[str, Any]) -> Message | None:
    """Return a message as a value; None for one that does not matter here.

    Raises:
        InvalidFormat: it lacks what its kind must have.
        InvalidConfig: the agent is set to an audio format that nobody here speaks.

    """
    kind = raw.get("type")
    found = _READERS.get(kind) if isinstance(kind, str) else None
    if found is None:
        return None
    body, reader = found
    try:
        return reader(raw[body])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise InvalidFormat(_OP, f"a message of type {kind} is not as it should be") from None


def _opened(body: Mapping[str, Any]) -> Opened:
    return Opened(wire_format(body["user_input_audio_format"]), wire_format(body["agent_output_audio_format"]))


def _speech(body: Mapping[str, Any]) -> Speech:
    audio = base64.b64decode(body["audio_base_64"], validate=True)
    times = body.get("alignment")
    return Speech(audio, int(body["event_id"]), _letters(times) if times else None, last=body.get("is_final") is True)


def _letters(times: Mapping[str, Any]) -> Letters:
    characters = [str(character) for character in times["chars"]]
    starts = [ms / 1000 for ms in times["char_start_times_ms"]]
    lengths = [ms / 1000 for ms in times["char_durations_ms"]]
    ends = [start + length for start, length in zip(starts, lengths, strict=True)]
    if len(characters) != len(starts):
        raise ValueError("characters without times")
    return Letters(characters, starts, ends)


def _caller(body: Mapping[str, Any], *, final: bool) -> Caller:
    return Caller(_text(body["user_transcript"]), final)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value.strip()


def _tool_call(body: Mapping[str, Any]) -> ToolCall | None:
    return ToolCall(_text(body["tool_call_id"])) if body.get("expects_response", True) else None


def _failed(body: Mapping[str, Any]) -> Failed | None:
    code, kind = int(body["code"]), code_word(body.get("error_type"))
    if code == _NORMAL:
        return None  # it closes in good order: the call has lasted as long as it may
    if kind in _OURS:
        message = f"the agent refuses what it was told: {kind}; look at its overrides and variables"
        return Failed(InvalidConfig(_OP, message, details={"error_type": kind}))
    error = from_close(code, _OP)
    return Failed(type(error)(_OP, error.message, details={**error.details, **({"error_type": kind} if kind else {})}))


_READERS: Mapping[str, tuple[str, Callable[[Mapping[str, Any]], Message | None]]] = {
    "conversation_initiation_metadata": ("conversation_initiation_metadata_event", _opened),
    "audio": ("audio_event", _speech),
    "user_transcript": ("user_transcription_event", lambda body: _caller(body, final=True)),
    "tentative_user_transcript": ("tentative_user_transcription_event", lambda body: _caller(body, final=False)),
    "agent_response": ("agent_response_event", lambda body: Answer(_text(body["agent_response"]))),
    "agent_response_complete": ("agent_response_complete_event", lambda _: Answered()),
    "interruption": ("interruption_event", lambda body: Interrupted(int(body["event_id"]))),
    "ping": ("ping_event", lambda body: Ping(int(body["event_id"]))),
    "client_tool_call": ("client_tool_call", _tool_call),
    "error": ("error_event", _failed),
}
"""By type: where its content is, and what reads it. An answer's correction is not read: we know what was heard."""


def begin(config: ElevenLabsAgentConfig, metadata: Mapping[str, Any]) -> Json:
    """Return what opens a conversation; nothing is overridden that the settings do not name."""
    prompt = None if config.prompt is None else {"prompt": config.prompt}
    agent = _given(prompt=prompt, first_message=config.first_message, language=config.language)
    override = {"agent": agent, "tts": _given(voice_id=config.voice_id)}
    told: Json = {"type": "conversation_initiation_client_data"}
    if found := {name: part for name, part in override.items() if part}:
        told["conversation_config_override"] = found
    if variables := {**config.dynamic_variables, **_variables(metadata)}:
        told["dynamic_variables"] = variables
    return told


def _given(**fields: object) -> Json:
    return {name: value for name, value in fields.items() if value is not None}


def _variables(metadata: Mapping[str, Any]) -> Json:
    """Return the session's own, plain values only."""
    found = metadata.get("dynamic_variables")
    if not isinstance(found, Mapping):
        return {}
    return {str(name): value for name, value in found.items() if isinstance(value, str | bool | int | float)}


def hear(audio: bytes) -> Json:
    """Return caller audio; alone of all messages it has no type."""
    return {"user_audio_chunk": base64.b64encode(audio).decode("ascii")}


def pong(event_id: int) -> Json:
    """Return the answer to a ping."""
    return {"type": "pong", "event_id": event_id}


def no_tool(call_id: str) -> Json:
    """Return the answer to a tool call: the agent is to go on without it."""
    result = "There is no such tool here."
    return {"type": "client_tool_result", "tool_call_id": call_id, "result": result, "is_error": True}


def tell(text: str) -> Json:
    """Have the agent answer a text of the caller's."""
    return {"type": "user_message", "text": text}


def remember(history: Sequence[HistoryEntry]) -> Json:
    """Have the agent know what was said before, without answering it."""
    lines: list[str] = []
    left = MAX_HISTORY
    for entry in reversed(history):
        line = f"{'Caller' if entry.role == 'user' else 'You'}: {entry.text}{' (cut off)' if entry.interrupted else ''}"
        left -= len(line)
        if left < 0:
            break
        lines.append(line)
    said = "\n".join(reversed(lines))
    return {"type": "contextual_update", "text": f"This call goes on. Do not greet again. Said so far:\n{said}"}


def signed_url(found: Any, api_url: str) -> str:
    """Return the websocket that an answer of the API names.

    Raises:
        InvalidFormat: it names none, or one without TLS though it was asked with.

    """
    url = found.get("signed_url") if isinstance(found, dict) else None
    schemes = ("wss://",) if api_url.startswith("https:") else ("wss://", "ws://")
    if not (isinstance(url, str) and url.startswith(schemes)):
        raise InvalidFormat("elevenlabs.signed_url", "the answer holds no signed URL, or one without TLS")
    return url
