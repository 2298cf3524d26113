"""Durations in settings: seconds or ISO 8601 in, ``timedelta`` out, limited to a range."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field


def _duration(value: Any) -> Any:
    """Read text that is a number as seconds, as the environment gives it; ISO 8601 is pydantic's own."""
    if isinstance(value, bool):
        raise ValueError("a number of seconds, or ISO 8601")  # noqa: TRY004 - pydantic takes it for a wrong value
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


Duration = Annotated[timedelta, BeforeValidator(_duration)]
"""Seconds, or ISO 8601 text such as ``PT0.5S``."""


def seconds(low: float, high: float) -> Any:
    """Limit a duration to a range in seconds."""
    return Field(ge=timedelta(seconds=low), le=timedelta(seconds=high))
