"""What a session has otherwise than its deployment: what is remembered, what is looked up, which events are told."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

EventName = Literal["session_started", "turn", "session_ended"]
"""What an orchestrator is told of: ``on_<name>`` is called."""


class MemoryConfig(BaseModel):
    """``SessionConfig.memory_config``: what the agent remembers of earlier conversations."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scope: Literal["user", "session"] = "user"
    """Whose conversations: all of this ``user_id``, or this session's only, as of who withholds their number."""
    max_messages: Annotated[int, Field(ge=0, le=1000)] = 40
    """The latest remembered messages that the agent is given, 0 to 1000."""
    summarise: bool = False
    """When there are more than ``max_messages``, let ``chat_model`` put the older ones into a few sentences."""


class RagConfig(BaseModel):
    """``SessionConfig.rag_config``: how the configured ``retriever`` or ``vector_store`` is asked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True
    k: Annotated[int, Field(ge=1, le=50)] = 4
    """Documents at most, 1 to 50."""
    filter: dict[str, JsonValue] = {}
    """Handed to the vector store's search as ``filter``; of a retriever it is not asked for."""


class OrchestrationConfig(BaseModel):
    """``SessionConfig.orchestration_config``: which events of this session the configured ``orchestrator`` is told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    events: tuple[EventName, ...] = ("session_started", "turn", "session_ended")
