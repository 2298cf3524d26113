"""What a mock engine is told to do: fail at certain calls, and take its time."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from voicebackend.durations import Duration, seconds
from voicebackend.errors import ErrorCode, from_code
from voicebackend.interfaces import EngineConfig

Delay = Annotated[Duration, seconds(0, 3600)]
"""Seconds or ISO 8601, 0 to 1 hour: long enough to play an engine that hangs."""


class _Fault(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    code: ErrorCode
    """Of the error that is raised."""
    calls: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """Which calls of the engine fail, counted from 1 over all sessions; empty means every call."""
    on: Literal["call", "open"] = "call"
    """Whether its calls fail or its opening."""
    retry_after: float | None = Field(default=None, ge=0)
    """Seconds, as a service that limits its callers tells them."""


def _from_code(value: Any) -> Any:
    return {"code": value} if isinstance(value, str) else value


Fault = Annotated[_Fault, BeforeValidator(_from_code)]
"""A scripted failure; an error code alone stands for one at every call."""


class MockEngineConfig(EngineConfig):
    """Settings of every mock engine."""

    fault: Fault | None = None


class Script:
    """Counts an engine's calls and fails those that are to fail."""

    def __init__(self, name: str, fault: _Fault | None) -> None:
        self._op = f"mock_{name}"
        self._fault = fault
        self._count = {"open": 0, "call": 0}

    def opened(self) -> None:
        """Note that the engine is opened; raises the error scripted for it."""
        self._note("open")

    def called(self) -> None:
        """Note a call; raises the error scripted for it."""
        self._note("call")

    def _note(self, on: Literal["call", "open"]) -> None:
        self._count[on] += 1
        fault = self._fault
        if fault and fault.on == on and (not fault.calls or self._count[on] in fault.calls):
            raise from_code(fault.code, self._op, "scripted failure", retry_after=fault.retry_after)


NO_DELAY = timedelta(0)
