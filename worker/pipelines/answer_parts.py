"""What every answer of a session is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from voicebackend.conversation import Conversation
from voicebackend.interfaces import TransportLink
from voicebackend.session import PipelineState
from worker.pipelines.mouth import Mouth
from worker.pipelines.parts import Log


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerParts:
    """One session's."""

    mouth: Mouth
    link: TransportLink
    log: Log
    settings: Conversation
    on_state: Callable[[PipelineState], None]
    on_progress: Callable[[], None]
    """Something happened that a successor must know soon."""
    moment_of: Callable[[float], int]
    """Brings a moment of the loop's clock, in seconds, to the log's, in milliseconds."""
