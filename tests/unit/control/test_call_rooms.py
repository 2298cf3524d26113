"""The session of a call whose party joins a room: ready before anybody is dialled, ended where it is not."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from task_harness import LANE, LaneReader, announce, placed, published

from control.context import TaskContext
from control.tasks import call_rooms
from control.tasks.speakers import TaskSpeakers
from control.telephony.outbound import plan
from control.telephony.outbound.call import OutboundCall
from control.telephony.outbound.facts import facts_of
from control.telephony.outbound.line import OutboundLine
from control.telephony.outbound.settings import Outbound
from voicebackend.calls import CallRequest, CallWindow
from voicebackend.errors import OperationTimeout, SessionLimitExceeded, SessionNotFound
from voicebackend.session import SessionState
from voicebackend.streams import Kind

CAPABILITIES = {"transports": ["webrtc"], "pipelines": ["stt_tts"], "uses_agent": True, "own_pipeline": False}


def line() -> OutboundLine:
    """Return a trunk whose carrier is not asked."""
    settings = Outbound(caller_ids=("+14155550100",))
    carrier: Any = None
    return OutboundLine(name="rooms", tenant="acme", kind="livekit", settings=settings, carrier=carrier)


def a_call() -> OutboundCall:
    """Return a call that is about to be dialled."""
    window = CallWindow.model_validate({"zone": "UTC", "from": "00:00", "until": "00:00"})
    request = CallRequest(to="+12025550111", agent="sales", windows=(window,), metadata={"order": 7})
    call = OutboundCall(
        id="c" * 32, tenant="acme", trunk="rooms", from_="+14155550100", request=request, created_at=time.time()
    )
    begun = plan.begun(plan.planned(call, time.time()), time.time())
    assert begun is not None
    return begun


async def announced(shared: TaskContext, **fields: Any) -> None:
    """Announce a worker that has rooms."""
    offer = {"livekit": {"capabilities": CAPABILITIES}}
    await announce(shared.state, shared.keys, "w1", {LANE: 10}, providers=json.dumps(offer), **fields)


async def test_a_room_is_open_before_anybody_is_dialled(shared: TaskContext, lane: LaneReader) -> None:
    """The session belongs to the call's tenant, and its agent is told of the call."""
    await announced(shared)
    opening = asyncio.create_task(call_rooms.open_room(shared, line(), a_call()), name="opening")
    started = (await lane.until(Kind.START))[-1]
    assert not opening.done()
    await shared.store.move(started.session, SessionState.READY)
    session = await opening
    assert session == started.session
    record = await shared.store.get(session, "acme")
    assert (record.agent, record.provider, record.user_id) == ("sales", "livekit", "+12025550111")
    assert record.metadata.items() >= {"order": 7, "direction": "outbound", "attempt": 1, "call": "c" * 32}.items()


async def test_a_room_that_does_not_open_is_closed_again(
    shared: TaskContext, lane: LaneReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nobody is dialled; so too where there is no worker at all."""
    with pytest.raises(SessionLimitExceeded):
        await call_rooms.open_room(shared, line(), a_call())
    await announced(shared)
    monkeypatch.setattr(call_rooms, "READY_S", 0.1)
    with pytest.raises(OperationTimeout):
        await call_rooms.open_room(shared, line(), a_call())
    started = (await lane.until(Kind.START))[-1]
    assert ("sessions.close", {"session_id": started.session, "reason": "closed"}) in published(shared)


async def test_a_machine_is_left_its_message_once(shared: TaskContext, lane: LaneReader) -> None:
    """By the session of the attempt, which ends with it; asked again while it speaks, nothing more is said."""
    record = await placed(shared, state=SessionState.ACTIVE)
    asked = a_call().request.model_copy(update={"on_machine": "leave_message", "message": "call us back"})
    call = a_call().with_(request=asked).with_current(session=record.id)
    speakers = TaskSpeakers(shared)
    await asyncio.gather(*(speakers.leave_message(call) for _ in range(3)))
    frames = await lane.until(Kind.SAY)
    assert [frame.json() for frame in frames if frame.kind is Kind.SAY] == [{"text": "call us back", "end": "machine"}]


async def test_a_message_that_could_not_be_left_is_tried_again(shared: TaskContext) -> None:
    """The session's worker is away for a moment."""
    call = a_call().with_current(session="0" * 32)
    speakers = TaskSpeakers(shared)
    for _ in range(2):
        with pytest.raises(SessionNotFound):
            await speakers.leave_message(call)


def test_a_session_is_told_to_find_out_who_answered_where_nobody_else_does() -> None:
    """Only of a call that would do something about a machine."""
    rooms = replace(line(), carrier=cast("Any", SimpleNamespace(joins_room=True)))
    wary = a_call().request.model_copy(update={"on_machine": "hang_up"})
    assert facts_of(rooms, a_call().with_(request=wary), 1, "")["detect_machine"] is True
    assert "detect_machine" not in facts_of(rooms, a_call(), 1, "")
