"""``orchestrator``: what happens in sessions, told to an application, which may answer with a Celery canvas."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from voicebackend.errors import InvalidConfig
from voicebackend.session_parts import EventName


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEvent:
    """What an orchestrator is told: ids, never what was said, so that it may go into a task's arguments."""

    name: EventName
    session_id: str
    tenant: str
    user_id: str
    turn: int = 0
    """Of ``turn``: its number."""
    reason: str = ""
    """Of ``session_ended``: why."""


class OrchestratorPart:
    """Calls ``on_session_started``, ``on_turn`` and ``on_session_ended`` of an object, those that it has.

    Each is given a :class:`SessionEvent`, and may be async. What it returns is sent off if it is a signature, chain,
    group or chord of Celery: of the application's own Celery app.

    Raises:
        InvalidConfig: it has none of these methods.

    """

    def __init__(self, target: Any) -> None:
        names = [f"on_{name}" for name in get_args(EventName)]
        if not any(callable(getattr(target, name, None)) for name in names):
            message = f"orchestrator: {type(target).__name__} needs one of {', '.join(names)}"
            raise InvalidConfig("config", message, details={"field": "orchestrator"})
        self._target = target

    async def tell(self, told: Mapping[str, Any]) -> None:
        """Tell of an event, by the fields of a :class:`SessionEvent`; plain methods and Celery run in a thread."""
        event = SessionEvent(**told)
        method = getattr(self._target, f"on_{event.name}", None)
        if method is None:
            return
        answer = await (method(event) if inspect.iscoroutinefunction(method) else asyncio.to_thread(method, event))
        if callable(getattr(answer, "apply_async", None)):
            await asyncio.to_thread(answer.apply_async)
