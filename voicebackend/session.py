"""A session: what a user asks for, the states it goes through, and the table of moves between them."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from voicebackend.config import PipelineType, invalid
from voicebackend.consent import Consent
from voicebackend.conversation import Conversation
from voicebackend.errors import SessionNotActive
from voicebackend.session_parts import MemoryConfig, OrchestrationConfig, RagConfig

AgentCallback = Callable[[str], str | Awaitable[str] | Iterable[str] | AsyncIterable[str]]
"""Takes what the caller said; returns or yields what the agent says."""


class Transport(StrEnum):
    """How the caller reaches us."""

    WEBSOCKET = "websocket"
    WEBRTC = "webrtc"
    TELEPHONY = "telephony"


class SessionState(StrEnum):
    """Where a session stands in its life, as its record says."""

    PENDING = "pending"
    """Recorded; it waits for a slot."""
    STARTING = "starting"
    """A slot is taken; the worker opens the pipeline."""
    READY = "ready"
    """The pipeline is open and waits for the caller."""
    ACTIVE = "active"
    """The caller is connected."""
    ENDING = "ending"
    """The worker closes the pipeline."""
    ENDED = "ended"
    """Over, as wanted by someone."""
    FAILED = "failed"
    """Over, because of an error that the record names."""


class PipelineState(StrEnum):
    """What a running conversation is doing."""

    IDLE = "idle"
    LISTENING = "listening"
    PROCESSING = "processing"
    SPEAKING = "speaking"
    ERROR = "error"


class ConnectionState(StrEnum):
    """How the backend stands to its servers."""

    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    ERROR = "error"


class PersistenceStatus(StrEnum):
    """Whether a session survives a restart: active ones do, completed ones are ephemeral."""

    ACTIVE = "active"
    COMPLETED = "completed"


class Health(StrEnum):
    """How a backend is; degraded from 90 % of its capacity."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"


_S, _P = SessionState, PipelineState
SESSION_TRANSITIONS: Mapping[SessionState, frozenset[SessionState]] = {
    _S.PENDING: frozenset({_S.STARTING, _S.ENDED, _S.FAILED}),
    _S.STARTING: frozenset({_S.READY, _S.ENDING, _S.ENDED, _S.FAILED}),
    _S.READY: frozenset({_S.ACTIVE, _S.ENDING, _S.ENDED, _S.FAILED}),
    _S.ACTIVE: frozenset({_S.READY, _S.ENDING, _S.ENDED, _S.FAILED}),
    _S.ENDING: frozenset({_S.ENDED, _S.FAILED}),
    _S.ENDED: frozenset(),
    _S.FAILED: frozenset(),
}
"""From each state, the states that may follow."""
PIPELINE_TRANSITIONS: Mapping[PipelineState, frozenset[PipelineState]] = {
    _P.IDLE: frozenset({_P.LISTENING, _P.ERROR}),
    _P.LISTENING: frozenset({_P.PROCESSING, _P.SPEAKING, _P.IDLE, _P.ERROR}),
    _P.PROCESSING: frozenset({_P.SPEAKING, _P.LISTENING, _P.IDLE, _P.ERROR}),
    _P.SPEAKING: frozenset({_P.LISTENING, _P.PROCESSING, _P.IDLE, _P.ERROR}),
    _P.ERROR: frozenset({_P.LISTENING, _P.IDLE}),
}
"""From each pipeline state, the states that may follow."""

State = TypeVar("State", SessionState, PipelineState)


def advance(table: Mapping[State, frozenset[State]], current: State, following: State, *, op: str) -> State:
    """Return the following state if the table allows the move; staying is always allowed.

    Raises:
        SessionNotActive: the move is not in the table; nothing has changed.

    """
    if following != current and following not in table[current]:
        raise SessionNotActive(op, f"cannot go from {current} to {following}", details={"state": str(current)})
    return following


def is_over(state: SessionState) -> bool:
    """Tell whether a session in this state can never run again."""
    return not SESSION_TRANSITIONS[state]


Name = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[\w.:@+-]+$")]
"""An identifier that users choose: letters, digits and ``_ . : @ + -``."""


_PARTS: Mapping[str, type[BaseModel]] = {
    "memory_config": MemoryConfig,
    "orchestration_config": OrchestrationConfig,
    "rag_config": RagConfig,
}
"""What the fields of these names hold."""


class _SessionFields(BaseModel):
    model_config = ConfigDict(extra="forbid")

    user_id: Name
    transport: Transport
    connection_url: Annotated[str, Field(max_length=2048)] | None = None
    pipeline_type: PipelineType | None = None
    """Overrides the backend's."""
    metadata: dict[str, JsonValue] = {}
    """Handed to the agent and the hooks; at most 16 KiB as JSON."""
    conversation: dict[str, JsonValue] = {}
    """Fields of ``conversation.Conversation`` that this session has otherwise than the backend: its greeting, say."""
    consent: Consent | None = None
    """What the person agreed to before, where policies ask for consent to keeping it."""
    memory_config: dict[str, JsonValue] = {}
    """Fields of ``session_parts.MemoryConfig``, where the backend has a ``memory``."""
    orchestration_config: dict[str, JsonValue] = {}
    """Fields of ``session_parts.OrchestrationConfig``, where the backend has an ``orchestrator``."""
    rag_config: dict[str, JsonValue] = {}
    """Fields of ``session_parts.RagConfig``, where the backend has a ``retriever`` or a ``vector_store``."""

    @field_validator("conversation")
    @classmethod
    def _conversation_fits(cls, value: dict[str, JsonValue]) -> dict[str, JsonValue]:
        Conversation().over(value)
        return value

    @field_validator(*_PARTS)
    @classmethod
    def _part_fits(cls, value: dict[str, JsonValue], info: ValidationInfo) -> dict[str, JsonValue]:
        try:
            _PARTS[info.field_name or ""].model_validate(value)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise PydanticCustomError("part", "{where}: {why}", {"where": where, "why": first["msg"]}) from error
        return value

    @field_validator("connection_url")
    @classmethod
    def _not_supported(cls, value: Any) -> Any:
        """Refuse what nothing uses yet: to accept a value would be to ignore it."""
        if value:
            raise PydanticCustomError("not_supported", "not supported yet")
        return value


class Queueing(BaseModel):
    """That a session may wait for a slot, instead of being refused when all are taken."""

    model_config = ConfigDict(extra="forbid")

    max_wait: Annotated[float, Field(ge=1, le=300, strict=True)]
    """Seconds, 1 to 300; then it fails with ``session_limit_exceeded``."""


class SessionRequest(_SessionFields):
    """The body of ``POST /v1/sessions``: a session that any process can start."""

    agent: Name | None = None
    """A registered agent's name."""
    provider: Name | None = None
    """Overrides the backend's provider."""
    queue: Queueing | None = None
    """Wait for a slot when all are taken; without it the session is refused then."""


class SessionConfig(_SessionFields):
    """What a library user asks for; copied at ``create_session`` and never shared between sessions.

    Raises:
        InvalidConfig: a field is missing, unknown or of the wrong type; ``details["field"]`` names it.

    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    agent_callback: Any = None
    """An :data:`AgentCallback`: a sync or async function, or a generator, of the transcript."""
    agent: Any = None
    """A registered agent's name, or a framework's agent object."""

    def __init__(self, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise invalid(error, "session_config") from error

    def copied(self) -> Self:
        """Return a copy that shares no mutable value with this one."""
        plain = {"metadata", "conversation", "memory_config", "orchestration_config", "rag_config"}
        fresh = self.model_dump(include=plain)
        return self.model_copy(update=fresh)


class Join(BaseModel):
    """How a session's caller joins its room."""

    url: str
    token: Annotated[str, Field(repr=False)]
    """For this room only, and for a short while; a fresh one comes with every look at the session."""


class SessionView(BaseModel):
    """A session as the API shows it."""

    id: str
    state: SessionState
    user_id: str
    pseudonym: str | None = None
    """What traces call the user, as their ``user_id``; None of a caller who withholds their number."""
    provider: str
    transport: Transport
    pipeline_type: PipelineType
    persistence_status: PersistenceStatus
    agent: str | None = None
    metadata: dict[str, JsonValue] = {}
    usage: dict[str, dict[str, dict[str, float]]] | None = None
    """Once it is over: role (``call``, ``stt``, ``tts``, ``s2s``, ``model``), name, unit: the amount."""
    cost: dict[str, JsonValue] | None = None
    """Where the deployment has prices: ``currency``, ``total``, ``items``, ``unpriced``."""
    created_at: float
    """Seconds since the epoch."""
    ended_at: float | None = None
    consent: dict[str, bool] = {}
    """What was last said of consent, by class of data: that it is given, or not any more."""
    reason: str | None = None
    """Why it ended: ``closed``, ``hangup``, ``expired``, ``shutdown`` or an error code."""
    worker: str | None = None
    lane: int | None = None
    queue_position: int | None = None
    """While it waits for a slot: its place, 1 is next."""
    queued_for_s: float | None = None
    """While it waits for a slot: seconds since it came."""
    join: Join | None = None
    """Of a session by ``webrtc``, for its owner, once its room is open."""


class SessionCreated(SessionView):
    """The answer to ``POST /v1/sessions``."""

    connect_url: str
    """Where the caller's websocket goes."""
    token: str
    """Single use, for the websocket's sub-protocol ``token.<jwt>``."""
    token_expires_in: float
    """Seconds."""
