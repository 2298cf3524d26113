"""What an agent tells of its work beside its words: tools that it called, and what its models used."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

MAX_JSON = 16 * 1024
"""Characters of a tool's arguments or result, as JSON, that are kept."""
TOOL, MODEL_USAGE = "tool", "model_usage"
"""Types of notes, as the session's log has them."""
Note = Mapping[str, Any]
"""One of them: ``type``, and what belongs to it."""


def unnoted(note: Note) -> None:
    """Keep nothing: the turn was made by a test."""
    del note


class ToolCall:
    """A tool at work: ``with turn.tool("weather", {"city": city}) as call: call.result = weather(city)``."""

    def __init__(self, name: str, arguments: Mapping[str, Any] | None, note: Callable[[Note], object]) -> None:
        self.name, self._arguments, self._note = name, arguments, note
        self.result: Any = None
        """What it answered; set it before the end of the block."""
        self._from = 0

    def __repr__(self) -> str:
        return f"<ToolCall {self.name}>"  # neither what it was asked nor what it answered

    def __enter__(self) -> Self:
        self._from = _now_ms()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del error, trace
        about = {"type": TOOL, "name": self.name[:128], "from": self._from, "to": _now_ms()}
        failed = {} if kind is None else {"error": kind.__name__}
        self._note({**about, **failed, "arguments": _kept(self._arguments), "result": _kept(self.result)})


class ModelUsage(BaseModel):
    """What one call of a model used."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    provider: str = Field(min_length=1, max_length=64)
    model: str = Field(default="", max_length=128)
    amounts: dict[str, float] = Field(min_length=1, max_length=16)
    """By unit: ``input_tokens``, ``output_tokens``, ``requests``, ..."""

    def note(self) -> Note:
        """Return it as a note."""
        return {"type": MODEL_USAGE, **self.model_dump()}


def _kept(value: Any) -> Any:
    """Return it as JSON knows it; of more than ``MAX_JSON`` characters its beginning, as text."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return json.loads(text) if len(text) <= MAX_JSON else text[:MAX_JSON]


def _now_ms() -> int:
    return round(time.time() * 1000)
