"""The messages of a caller's websocket (sub-protocol ``voicebackend.v1``); audio goes beside them as binary.

``CLOSE_CODES`` names why the server closes. The whole protocol, with its flows, stands in this package's README.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from voicebackend.audio import MAX_RATE, MIN_RATE
from voicebackend.codecs import Encoding
from voicebackend.errors import ErrorCode, InvalidFormat
from voicebackend.session import PipelineState
from voicebackend.strict_json import read_message

SUBPROTOCOL = "voicebackend.v1"
TOKEN_PREFIX = "token."  # noqa: S105 - a prefix, not a secret
MAX_TEXT_BYTES = 8 * 1024
"""Longest text message."""
MAX_AUDIO_MS = 200
"""Longest binary message, in milliseconds of audio."""


class Message(BaseModel):
    """One text message; ``type`` tells which."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def to_json(self) -> str:
        """Return the message as it goes over the wire, absent fields left out."""
        return self.model_dump_json(exclude_none=True)


class Auth(Message):
    """Client: the session token, when it is not in the sub-protocols; or a resume token to come back."""

    type: Literal["auth"] = "auth"
    token: Annotated[str, Field(max_length=4096)] | None = None
    resume: Annotated[str, Field(max_length=4096)] | None = None


class Start(Message):
    """Client: audio will come at this rate."""

    type: Literal["start"] = "start"
    sample_rate: Annotated[int, Field(ge=MIN_RATE, le=MAX_RATE, strict=True)]
    encoding: Encoding = Encoding.PCM16
    """Of the audio, both ways."""


class Played(Message):
    """Client: this much of the turn's audio has left the loudspeaker."""

    type: Literal["played"] = "played"
    turn: Annotated[int, Field(ge=0, lt=2**32)]
    ms: Annotated[float, Field(ge=0, le=3_600_000)]
    stopped: bool = False
    """It stands still there: the answer to ``pause`` or ``clear``."""


class Dtmf(Message):
    """A key was pressed."""

    type: Literal["dtmf"] = "dtmf"
    digit: Annotated[str, Field(pattern=r"^[0-9A-D*#]$")]


class Hold(Message):
    """Client: nobody is listening for a while, or is again."""

    type: Literal["hold"] = "hold"
    on: bool


class Stop(Message):
    """Client: end the session."""

    type: Literal["stop"] = "stop"


ClientMessage = Annotated[Auth | Start | Played | Dtmf | Hold | Stop, Field(discriminator="type")]


class Ready(Message):
    """Server: the session listens."""

    type: Literal["ready"] = "ready"
    session: str
    sample_rate: int
    encoding: Encoding = Encoding.PCM16
    resume_token: str


class Transcript(Message):
    """Server: what was said."""

    type: Literal["transcript"] = "transcript"
    role: Literal["user", "agent"]
    text: str
    final: bool
    turn: int


class State(Message):
    """Server: what the conversation is doing now."""

    type: Literal["state"] = "state"
    state: PipelineState


class Latency(BaseModel):
    """How long each stage of a turn took, in milliseconds."""

    end_of_turn: float
    """End of speech to the decision that the caller has finished."""
    stt_final: float
    """That decision to the final transcript; 0 when it was there already."""
    agent_ttft: float
    """Final transcript to the agent's first text."""
    tts_ttfb: float
    """First clause handed to speech synthesis to its first audio."""
    e2e: float
    """End of speech to the first agent audio sent."""


class Turn(Message):
    """Server: the turn's first audio is on its way; how long that took."""

    type: Literal["turn"] = "turn"
    turn: int
    latency_ms: Latency


class AudioStart(Message):
    """Server: binary messages from here on belong to this turn."""

    type: Literal["audio_start"] = "audio_start"
    turn: int


class AudioEnd(Message):
    """Server: the turn's audio is complete."""

    type: Literal["audio_end"] = "audio_end"
    turn: int


class Clear(Message):
    """Server: drop what is not yet played."""

    type: Literal["clear"] = "clear"
    turn: int


class Pause(Message):
    """Server: hold playout where it is."""

    type: Literal["pause"] = "pause"
    turn: int


class Resume(Message):
    """Server: play on."""

    type: Literal["resume"] = "resume"
    turn: int


class Masked(Message):
    """Server: what the caller types is sensitive for so long, at most; with 0 it is over. Do not show or keep it."""

    type: Literal["masked"] = "masked"
    seconds: Annotated[float, Field(ge=0)]


class Swapped(Message):
    """Server: the session goes on with another provider or other engines; or it does not, and stays as it was."""

    type: Literal["swapped"] = "swapped"
    swapped: bool
    provider: str
    """That it has now."""
    lost: tuple[str, ...] = ()
    """``history``: who speaks now knows nothing of what was said before."""
    error: ErrorCode | None = None
    message: str | None = None
    """Of the error."""


class Error(Message):
    """Server: something failed; the session goes on unless ``ended`` follows."""

    type: Literal["error"] = "error"
    code: ErrorCode
    message: str


class Ended(Message):
    """Server: the session is over; the socket closes next."""

    type: Literal["ended"] = "ended"
    reason: str


AnyServerMessage = (
    Ready
    | Transcript
    | State
    | Turn
    | AudioStart
    | AudioEnd
    | Clear
    | Pause
    | Resume
    | Masked
    | Swapped
    | Error
    | Ended
)
ServerMessage = Annotated[AnyServerMessage, Field(discriminator="type")]


class CloseCode(IntEnum):
    """Why the server closed a caller's socket."""

    NORMAL = 1000
    GOING_AWAY = 1001
    INTERNAL = 1011
    BAD_MESSAGE = 4400
    UNAUTHENTICATED = 4401
    NOT_FOUND = 4404
    START_TIMEOUT = 4408
    REPLACED = 4409
    TOO_LARGE = 4413
    BAD_FORMAT = 4415
    TOO_SLOW = 4429
    OVERLOADED = 4503


CLOSE_CODES: Mapping[ErrorCode, CloseCode] = {
    ErrorCode.AUTHENTICATION_FAILED: CloseCode.UNAUTHENTICATED,
    ErrorCode.AUTHORIZATION_FAILED: CloseCode.UNAUTHENTICATED,
    ErrorCode.SESSION_NOT_FOUND: CloseCode.NOT_FOUND,
    ErrorCode.SESSION_NOT_ACTIVE: CloseCode.NOT_FOUND,
    ErrorCode.SESSION_ALREADY_ACTIVE: CloseCode.REPLACED,
    ErrorCode.INVALID_CONFIG: CloseCode.BAD_MESSAGE,
    ErrorCode.INVALID_FORMAT: CloseCode.BAD_FORMAT,
    ErrorCode.CONVERSION_FAILED: CloseCode.BAD_FORMAT,
    ErrorCode.TIMEOUT: CloseCode.START_TIMEOUT,
    ErrorCode.RATE_LIMIT_EXCEEDED: CloseCode.TOO_SLOW,
    ErrorCode.SESSION_LIMIT_EXCEEDED: CloseCode.OVERLOADED,
}
"""The close code that follows an ``error`` of each code; any other is ``INTERNAL``."""

_CLIENT: TypeAdapter[Any] = TypeAdapter(ClientMessage)
_SERVER: TypeAdapter[Any] = TypeAdapter(ServerMessage)


def parse_client(text: str) -> Auth | Start | Played | Dtmf | Hold | Stop:
    """Read a client's text message.

    Raises:
        InvalidFormat: it is too long, not JSON, of unknown type, a name stands twice, or a field is wrong; the details
            name the field.

    """
    return _parse(_CLIENT, text)  # type: ignore[no-any-return]


def parse_server(text: str) -> AnyServerMessage:
    """Read a server's text message; see :func:`parse_client`."""
    return _parse(_SERVER, text)  # type: ignore[no-any-return]


def _parse(adapter: TypeAdapter[Any], text: str) -> Any:
    if len(text.encode("utf-8", "surrogatepass")) > MAX_TEXT_BYTES:
        raise InvalidFormat("message", f"a text message has at most {MAX_TEXT_BYTES} bytes")
    try:
        return adapter.validate_python(read_message(text, op="message"))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "type"
        raise InvalidFormat("message", f"{field}: {first['msg']}", details={"field": field}) from error
    except (ValueError, RecursionError) as error:
        raise InvalidFormat("message", "not JSON") from error
