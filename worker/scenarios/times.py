"""Times as people write them: ``600 ms``, ``1.5 s``, ``2 min``, or a number of seconds."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

_UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0}
_WRITTEN = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min)")
LONGEST_S = 3600.0
"""No time in a scenario is longer."""


def _seconds(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    match = _WRITTEN.fullmatch(value.strip())
    if match is None:
        message = f"{value!r} is no time: write 600 ms, 1.5 s, 2 min, or a number of seconds"
        raise ValueError(message)
    return float(match[1]) * _UNITS[match[2]]


def with_seconds(value: Any) -> Any:
    """Return settings with the times in them, at any depth, as numbers; for models that know seconds only."""
    if isinstance(value, dict):
        return {name: with_seconds(part) for name, part in value.items()}
    return _seconds(value) if isinstance(value, str) and _WRITTEN.fullmatch(value.strip()) else value


Time = Annotated[float, BeforeValidator(_seconds), Field(ge=0, le=LONGEST_S)]
"""Seconds, 0 to 3600."""
