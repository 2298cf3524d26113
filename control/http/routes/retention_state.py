"""``/v1/retention``: how the store of the whole deployment stands; for operators."""

from __future__ import annotations

from aiohttp import web
from pydantic import BaseModel

from control.http.record_answer import cabinet_of
from control.http.routes.sessions import answer
from control.http.routing import Route
from control.services import SERVICES
from voicebackend.errors import ErrorCode


class RetentionState(BaseModel):
    """How the store stands; all zero where none is configured."""

    enabled: bool = True
    """Whether records are kept here at all."""
    late_s: float
    """Seconds for which something has been due and is there."""
    due_objects: int
    """Objects that wait for their day."""
    held_objects: int
    """Objects that a legal hold keeps."""
    receipts: int
    """Objects that are gone, each with its receipt."""


async def state(request: web.Request) -> web.Response:
    """Return what is due, what is held and what is gone."""
    if request.app[SERVICES].cabinet is None:
        return answer(RetentionState(enabled=False, late_s=0, due_objects=0, held_objects=0, receipts=0))
    index = cabinet_of(request).index
    due, held = await index.counted()
    gone = (await index.head()).count
    return answer(RetentionState(late_s=await index.late_s(), due_objects=due, held_objects=held, receipts=gone))


ROUTES = [
    Route(
        method="GET",
        path="/v1/retention",
        operation="retention.state",
        handler=state,
        about="How many objects wait, are held and are gone, and how late the sweep is; for operators",
        answers={200: RetentionState},
        errors=(ErrorCode.CONNECTION_FAILED,),
    ),
]
