"""A session's record and log as they lie in Redis: mappings between Python values and Redis fields.

The record (a hash) has one writer, ``control.sessions.store``. The log (a stream) is appended by who holds the session:
control until it is placed, then the lane's holder. Both expire.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from voicebackend.config import PipelineType
from voicebackend.consent import given
from voicebackend.errors import InvalidFormat
from voicebackend.session import PersistenceStatus, SessionState, SessionView, Transport, is_over
from voicebackend.tracing import PIPELINE_TYPE, PROVIDER, SESSION_ID, USER_ID

LIVE_TTL_S = 24 * 3600
"""Seconds that a record and log live while their session may run; renewed while it does."""
ENDED_TTL_S = 3600
"""Seconds that they live after its end, unless the retention hook says otherwise."""
RESUME_S = 20.0
"""Seconds for which a session waits for its caller to come back."""
WITHHELD = "anonymous"
"""The user id of callers who withhold their number: strangers to each other."""
LOG_FIELD = b"e"
"""The one field of a log entry: JSON with ``type``."""
LOG_MAX_ENTRIES = 10_000
"""Entries kept in a session's log, at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """Everything the processes know of a session."""

    id: str
    tenant: str
    user_id: str
    provider: str
    transport: Transport
    pipeline_type: PipelineType
    state: SessionState = SessionState.PENDING
    agent: str = ""
    stt_provider: str = ""
    """Since a swap; empty is the configuration's, as for the two that follow."""
    tts_provider: str = ""
    s2s_provider: str = ""
    swapped: bool = False
    """Its provider or engines were changed while it ran."""
    connection_url: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    conversation: dict[str, Any] = field(default_factory=dict)
    memory_config: dict[str, Any] = field(default_factory=dict)
    orchestration_config: dict[str, Any] = field(default_factory=dict)
    rag_config: dict[str, Any] = field(default_factory=dict)
    retention: dict[str, Any] = field(default_factory=dict)
    """What may be kept of it, by class, as the policies said when it began: ``[policy, seconds, condition...]``."""
    consent: list[dict[str, Any]] = field(default_factory=list)
    """What was said of consent, oldest first; see ``consent.Statements``."""
    handlers: dict[str, Any] = field(default_factory=dict)
    """Who may handle it beside us, as the configuration said when it began: names by role."""
    usage: dict[str, Any] = field(default_factory=dict)
    """What it used, and what that cost, once it is over: ``usage``, ``cost``."""
    created_at: float = 0.0
    """Seconds since the epoch."""
    ended_at: float = 0.0
    """Seconds since the epoch; 0 while it runs."""
    reason: str = ""
    """Why it ended."""
    lane: int = -1
    """-1 until it is placed."""
    worker: str = ""
    epoch: int = 0
    """Of the lane's lease when the slot was taken, or the lane taken over."""
    placed_at: float = 0.0
    """When the slot was taken, seconds since the epoch; 0 until then."""
    queue_until: float = 0.0
    """Until when it waits for a slot, seconds since the epoch; 0 where it never had to."""
    queue_position: int = 0
    """Its place in the queue when somebody last looked; 1 is next."""
    traceparent: str = ""
    """The trace of the request that made it."""
    pseudonym: str = ""
    """What traces call its user, ``control.pseudonym``; empty of one without an id, or of an older version."""

    def to_fields(self) -> dict[str, str]:
        """Return the fields of the Redis hash."""
        return encode_fields({item.name: getattr(self, item.name) for item in fields(self)})

    @classmethod
    def from_fields(cls, raw: Mapping[bytes, bytes]) -> Self:
        """Read a Redis hash.

        Raises:
            InvalidFormat: it is no session's record.

        """
        try:
            text = {name.decode(): value.decode() for name, value in raw.items()}
            values = {item.name: _READERS[str(item.type)](text[item.name]) for item in fields(cls) if item.name in text}
            return cls(**values)
        except (TypeError, ValueError, KeyError, RecursionError) as error:
            raise InvalidFormat("record", "not a session's record") from error

    def view(self) -> SessionView:
        """Return the record as the API shows it."""
        done, queued = is_over(self.state), self.is_queued
        return SessionView(
            id=self.id,
            state=self.state,
            user_id=self.user_id,
            pseudonym=self.pseudonym or None,
            provider=self.provider,
            transport=self.transport,
            pipeline_type=self.pipeline_type,
            agent=self.agent or None,
            persistence_status=PersistenceStatus.COMPLETED if done else PersistenceStatus.ACTIVE,
            metadata=self.metadata,
            consent=given(self.consent),
            usage=self.usage.get("usage"),
            cost=self.usage.get("cost"),
            created_at=self.created_at,
            ended_at=self.ended_at or None,
            reason=self.reason or None,
            worker=self.worker or None,
            lane=self.lane if self.lane >= 0 else None,
            queue_position=self.queue_position if queued else None,
            queued_for_s=round(max(0.0, time.time() - self.created_at), 1) if queued else None,
        )

    @property
    def whose(self) -> dict[str, str | None]:
        """Return what every span about it says: which session, and whose; never by name."""
        return {
            PROVIDER: self.provider,
            SESSION_ID: self.id,
            USER_ID: self.pseudonym or None,
            PIPELINE_TYPE: str(self.pipeline_type),
        }

    @property
    def engines(self) -> dict[str, str]:
        """Return the engines that it names by itself, by role."""
        named = {"stt": self.stt_provider, "tts": self.tts_provider, "s2s": self.s2s_provider}
        return {role: name for role, name in named.items() if name}

    @property
    def is_queued(self) -> bool:
        """Tell whether it waits for a slot."""
        return self.state is SessionState.PENDING and self.queue_until > 0


def encode_fields(values: Mapping[str, Any]) -> dict[str, str]:
    """Return some of a record's fields as Redis takes them."""
    return {name: json.dumps(value) if isinstance(value, dict | list) else str(value) for name, value in values.items()}


_READERS: Mapping[str, Any] = {
    "str": str,
    "int": int,
    "bool": lambda text: text == "True",
    "float": float,
    "dict[str, Any]": json.loads,
    "list[dict[str, Any]]": json.loads,
    "Transport": Transport,
    "PipelineType": PipelineType,
    "SessionState": SessionState,
}


def encode_log(entry: Mapping[str, Any]) -> dict[bytes, bytes]:
    """Return a log entry's fields; ``entry`` has ``type``: ``session``, or a server message of ``events``."""
    return {LOG_FIELD: json.dumps(entry, separators=(",", ":")).encode()}


def decode_log(fields_: Mapping[bytes, bytes]) -> dict[str, Any]:
    """Read a log entry; an unreadable one becomes ``{"type": "unknown"}``."""
    try:
        entry = json.loads(fields_[LOG_FIELD])
    except (KeyError, ValueError, RecursionError):
        return {"type": "unknown"}
    return entry if isinstance(entry, dict) and isinstance(entry.get("type"), str) else {"type": "unknown"}
