"""A call that we make as it lies in Redis: what was asked for, how far it is, and its attempts. Pure."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voicebackend.calls import Attempt, CallRequest, CallState, CallView
from voicebackend.errors import InvalidFormat

OVER = frozenset({CallState.DONE, CallState.FAILED, CallState.CANCELLED})
"""States in which nothing more happens."""
IN_FLIGHT = frozenset({CallState.DIALLING, CallState.RINGING, CallState.IN_PROGRESS})
"""States in which the carrier has the call, or may have."""


class OutboundCall(BaseModel):
    """Everything that is known of a call. Times are seconds since the epoch."""

    model_config = ConfigDict(frozen=True)

    id: str
    tenant: str
    trunk: str
    from_: str
    request: CallRequest
    zones: tuple[str, ...] = ()
    """Time zones of windows that name none: all must be open."""
    created_at: float
    state: CallState = CallState.PLANNED
    due_at: float | None = None
    """When the next attempt is to be made, while it is planned."""
    look_at: float | None = None
    """When somebody has to look what became of it, while it is in flight."""
    attempts: tuple[Attempt, ...] = ()
    cancelling: bool = False
    """It is to end: the carrier has yet to be told."""
    ended_at: float | None = None
    reason: str = ""
    version: int = Field(default=0, exclude=True)
    """How often it was written: whoever writes says which version they read."""

    def __repr__(self) -> str:
        return f"<OutboundCall {self.id} [{self.state}] attempts={len(self.attempts)}>"

    @property
    def current(self) -> Attempt | None:
        """Return the attempt that lasts."""
        last = self.attempts[-1] if self.attempts else None
        return None if last is None or last.outcome is not None else last

    def with_(self, **changes: Any) -> Self:
        """Return a copy with these fields."""
        return self.model_copy(update=changes)

    def with_current(self, **changes: Any) -> Self:
        """Return a copy whose last attempt has these fields."""
        last = self.attempts[-1].model_copy(update=changes)
        return self.with_(attempts=(*self.attempts[:-1], last))

    def view(self, now: float) -> CallView:
        """Return the call as the API shows it; one whose time has come is ``due``."""
        due = self.state is CallState.PLANNED and self.due_at is not None and self.due_at <= now
        asked = self.request
        return CallView(
            id=self.id,
            state=CallState.DUE if due else self.state,
            to=asked.to,
            from_=self.from_,
            trunk=self.trunk,
            agent=asked.agent,
            provider=asked.provider,
            metadata=asked.metadata,
            created_at=self.created_at,
            due_at=self.due_at,
            attempts=list(self.attempts),
            ended_at=self.ended_at,
            reason=self.reason or None,
        )

    def to_json(self) -> str:
        """Return what lies in Redis, without the version."""
        return self.model_dump_json(by_alias=True, exclude_defaults=True)

    @classmethod
    def from_json(cls, text: bytes, version: int) -> Self:
        """Read what lies in Redis; raises InvalidFormat if that is no call."""
        try:
            return cls.model_validate_json(text).with_(version=version)
        except ValidationError as error:
            raise InvalidFormat("calls", "what is kept under this id is no call") from error
