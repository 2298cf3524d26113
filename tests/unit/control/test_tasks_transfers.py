"""``turn.transfer`` and ``telephony.transfer``: a caller handed over once the agent's words were heard, not before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from task_harness import LaneReader, placed, say

from control.agents.transfer_request import TransferRequest
from control.context import TaskContext
from control.tasks import transfers
from control.tasks.transfers import _transfer
from voicebackend.errors import AgentError, AuthorizationFailed, ConnectionFailed, VoiceBackendError
from voicebackend.record import SessionRecord
from voicebackend.session import SessionState
from voicebackend.streams import Kind

DESK, SORRY = "+14155550199", "nobody there"


class Desk:
    """Stands in for what hands calls over."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, str, str]] = []
        self.error: VoiceBackendError | None = None

    async def check(self, record: SessionRecord, to: str) -> None:
        """Allow one number."""
        del record
        if to != DESK:
            raise AuthorizationFailed("transfer", "to: not among the numbers", details={"field": "to"})

    async def begin(self, record: SessionRecord, to: str, *, sorry: str) -> None:
        """Remember it."""
        if self.error is not None:
            raise self.error
        self.begun.append((record.id, to, sorry))


@pytest.fixture
def desk(shared: TaskContext) -> Desk:
    """Give it to the tasks."""
    desk: Any = Desk()
    shared.handover = desk
    return desk


def once(key: str, function: Callable[[], Any]) -> Any:
    """Run it: the turn is wanted."""
    assert key == "transfer"
    return function()


async def wished(shared: TaskContext, desk: Desk, turn: int = 1, to: str = DESK) -> SessionRecord:
    """Return the session of an agent that wished this."""
    record = await placed(shared, state=SessionState.ACTIVE)
    key = shared.keys.handover_wish(record.id)
    request = TransferRequest(shared.sync_state, key, turn, once=once, check=lambda to: desk.check(record, to))
    await asyncio.to_thread(request, to, SORRY)
    assert request.made
    assert await shared.state.ttl(key) > 0
    return record


async def test_nobody_is_called_before_the_words_were_heard(shared: TaskContext, desk: Desk) -> None:
    """What was said in other turns does not count."""
    record = await wished(shared, desk, turn=2)
    await say(shared, record.id, 1, "earlier", role="agent")
    await say(shared, record.id, 2, "a person please")
    transferring = asyncio.create_task(_transfer(shared, record.id, 2, 1))
    await asyncio.sleep(3 * transfers.LOOK_S)
    assert desk.begun == []
    await say(shared, record.id, 2, "one moment", role="agent")
    await transferring
    assert desk.begun == [(record.id, DESK, SORRY)]


async def test_a_caller_who_interrupts_stays(shared: TaskContext, desk: Desk) -> None:
    """And the wish is gone: run again, nothing happens."""
    record = await wished(shared, desk)
    await say(shared, record.id, 1, "one mo", role="agent", interrupted=True)
    await _transfer(shared, record.id, 1, 1)
    assert desk.begun == []
    assert not await shared.state.exists(shared.keys.handover_wish(record.id))


async def test_who_says_nothing_is_not_waited_for(shared: TaskContext, desk: Desk) -> None:
    """Two tasks of the same turn hand over once."""
    record = await wished(shared, desk)
    await asyncio.gather(*(_transfer(shared, record.id, 1, 0) for _ in range(2)))
    assert len(desk.begun) == 1


async def test_the_wish_of_a_later_turn_is_left_to_its_own_task(shared: TaskContext, desk: Desk) -> None:
    """An earlier task that comes late takes nothing."""
    record = await wished(shared, desk, turn=5)
    await _transfer(shared, record.id, 4, 0)
    assert desk.begun == []
    await _transfer(shared, record.id, 5, 0)
    assert len(desk.begun) == 1


async def test_words_that_never_end_hold_nobody_up(
    shared: TaskContext, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller who is told for longer hears the rest of the call; one who hung up is not handed over."""
    monkeypatch.setattr(transfers, "HEARD_S", 0.2)
    record = await wished(shared, desk)
    await _transfer(shared, record.id, 1, 1)
    assert len(desk.begun) == 1
    await wished_again(shared, desk, record)
    await shared.store.append_log(record.id, {"type": "ended", "reason": "hangup"})
    await _transfer(shared, record.id, 2, 1)
    assert len(desk.begun) == 1


async def wished_again(shared: TaskContext, desk: Desk, record: SessionRecord) -> None:
    """Wish it in the next turn."""
    key = shared.keys.handover_wish(record.id)
    request = TransferRequest(shared.sync_state, key, 2, once=once, check=lambda to: desk.check(record, to))
    await asyncio.to_thread(request, DESK, SORRY)


async def test_a_carrier_that_refuses_has_the_caller_told(shared: TaskContext, desk: Desk, lane: LaneReader) -> None:
    """In the words that the agent gave."""
    record = await wished(shared, desk)
    desk.error = ConnectionFailed("transfer")
    await _transfer(shared, record.id, 1, 0)
    *_, said = await lane.until(Kind.SAY)
    assert (said.session, said.json()) == (record.id, {"text": SORRY, "end": ""})


async def test_a_session_that_is_gone_is_nobodys(shared: TaskContext, desk: Desk) -> None:
    """The task does not fail."""
    await _transfer(shared, "f" * 32, 1, 0)
    assert desk.begun == []


async def test_the_agent_hears_at_once_that_a_number_is_not_allowed(shared: TaskContext, desk: Desk) -> None:
    """With the field that is wrong, and nothing is written down."""
    record = await placed(shared, state=SessionState.ACTIVE)
    key = shared.keys.handover_wish(record.id)
    request = TransferRequest(shared.sync_state, key, 1, once=once, check=lambda to: desk.check(record, to))
    with pytest.raises(AgentError) as caught:
        await asyncio.to_thread(request, "+6768765432", SORRY)
    assert caught.value.details == {"field": "to"}
    assert not request.made
    assert not await shared.state.exists(key)
