"""What was said in a session, as the API shows it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class Segment(BaseModel):
    """What one side said in one turn; times are milliseconds since the session's beginning."""

    turn: int
    role: Literal["user", "agent"]
    text: str
    """Of the agent's, what the caller heard."""
    start_ms: int
    end_ms: int
    interrupted: bool = False


class TranscriptView(BaseModel):
    """What was said, in the order in which it began."""

    session: str
    complete: bool
    """The session is over: nothing will be added."""
    segments: list[Segment]
