"""Events of sessions reach the configured orchestrator once, as ids; what it returns is sent off."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from celery import Celery, chain, group
from task_harness import LaneReader, RecordingPublisher, a_record, placed, published, task_context

from control.context import TaskContext
from control.orchestration import announce
from control.outbox.endpoints import Endpoints
from control.tasks.agents import AgentTurn
from control.tasks.ending import end_session
from control.tasks.events import _event
from voicebackend import agents
from voicebackend.config import BackendConfig
from voicebackend.errors import ConnectionFailed, InvalidConfig
from voicebackend.frameworks.orchestrator import OrchestratorPart, SessionEvent
from voicebackend.session import SessionState
from voicebackend.settings import Deployment


class Workflows:
    """Keeps what it is told, and answers with what the test wants."""

    def __init__(self) -> None:
        self.told: list[SessionEvent] = []
        self.answer: Any = None
        self.error: Exception | None = None

    async def on_turn(self, event: SessionEvent) -> Any:
        return self.on_session_ended(event)

    def on_session_ended(self, event: SessionEvent) -> Any:
        self.told.append(event)
        if self.error:
            raise self.error
        return self.answer


@pytest.fixture
def workflows() -> Workflows:
    """Give an orchestrator."""
    return Workflows()


@pytest.fixture
async def told(deployment: Deployment, workflows: Workflows) -> AsyncIterator[TaskContext]:
    """Give what tasks work with, with an orchestrator."""
    async with task_context(deployment, orchestrator=workflows) as context:
        yield context


async def test_the_end_of_a_session_is_told_once(told: TaskContext, workflows: Workflows) -> None:
    """Queued where the session ends, and told by the task, however often that is delivered."""
    record = await placed(told)
    await end_session(told, record.id, SessionState.ENDED, "hangup")
    wanted = {"session_id": record.id, "event": "session_ended", "turn": 0, "attempt": 0}
    assert ("agents.event", wanted) in published(told)
    for _ in range(2):
        await _event(told, record.id, "session_ended", 0, 0)
    ended = SessionEvent(
        name="session_ended", session_id=record.id, tenant="default", user_id="ada", turn=0, reason="hangup"
    )
    assert workflows.told == [ended]


async def test_an_event_that_could_not_be_told_is_told_again(told: TaskContext, workflows: Workflows) -> None:
    """What was raised goes to Celery, which tries again."""
    record = await placed(told)
    workflows.error = ConnectionFailed("broker")
    with pytest.raises(ConnectionFailed):
        await _event(told, record.id, "session_ended", 0, 0)
    workflows.error = None
    await _event(told, record.id, "session_ended", 0, 0)
    assert len(workflows.told) == 2


async def test_a_turn_is_told_when_its_agent_has_answered(
    told: TaskContext, workflows: Workflows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its number."""
    monkeypatch.setitem(agents._agents, "test", lambda turn: "Yes.")
    record = await placed(told, agent="test")
    noted: Any = {"current": 1, "said": "hello", "committed": 1}
    await told.state.hset(told.keys.turn(record.id, 3), mapping=noted)
    await AgentTurn(told, record.id, 3, 1).answer()
    about = {"session_id": record.id, "event": "turn", "turn": 3, "attempt": 1}
    assert published(told) == [("agents.event", about)]
    await _event(told, record.id, "turn", 3, 1)
    assert [(event.name, event.turn) for event in workflows.told] == [("turn", 3)]


async def test_a_turn_whose_agent_failed_is_not_told(
    told: TaskContext, lane: LaneReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither to the orchestrator nor by a webhook: nobody was answered."""

    def fails(turn: agents.Turn) -> str:
        raise ValueError(turn.number)

    monkeypatch.setitem(agents._agents, "test", fails)
    await Endpoints(told.state, told.deployment).add("default", "https://example.com/", [])
    record = await placed(told, agent="test")
    noted: Any = {"current": 1, "said": "hello", "committed": 1}
    await told.state.hset(told.keys.turn(record.id, 3), mapping=noted)
    await AgentTurn(told, record.id, 3, 1).answer()
    assert (await lane.answer())[-1].json()["code"] == "agent_error"
    assert published(told) == []


@pytest.mark.parametrize(
    ("noted", "times"),
    [
        ({"current": 1, "committed": 1, "cancelled": 1}, 1),
        ({"current": 1, "cancelled": 1}, 0),
        ({"current": 2, "committed": 2}, 0),
    ],
    ids=["interrupted", "the caller went on", "another attempt"],
)
async def test_only_what_was_meant_is_a_turn(
    told: TaskContext, workflows: Workflows, noted: dict[Any, Any], times: int
) -> None:
    """An answer that was guessed at and dropped is none."""
    record = await placed(told)
    await told.state.hset(told.keys.turn(record.id, 1), mapping=noted)
    await told.state.expire(told.keys.turn(record.id, 1), 60)
    await _event(told, record.id, "turn", 1, 1)
    assert len(workflows.told) == times


async def test_a_session_may_want_some_events_only() -> None:
    """And none is queued where there is no orchestrator; a queue that is away is logged."""
    publisher, config = RecordingPublisher(), BackendConfig(provider="mock", orchestrator="flows:flows")
    record = a_record(orchestration_config={"events": ["session_ended"]})
    await announce(publisher, config, record, "turn", turn=1)
    await announce(publisher, BackendConfig(provider="mock"), record, "session_ended")
    assert publisher.published == []
    await announce(publisher, config, record, "session_ended")
    assert [name for name, _ in publisher.published] == ["agents.event"]


@pytest.mark.parametrize("kind", ["signature", "chain", "group"])
async def test_a_canvas_of_celery_is_sent_off(workflows: Workflows, kind: str) -> None:
    """Of the application's own app, with ids."""
    app, done = Celery("shop", set_as_current=False), list[str]()
    app.conf.update(task_always_eager=True, task_eager_propagates=True)

    def bill_session(session_id: str) -> str:
        done.append(session_id)
        return session_id

    bill: Any = app.task(name=f"shop.{kind}")(bill_session)

    canvas = {
        "signature": bill.s("s1"),
        "chain": chain(bill.s("s1"), bill.s()),
        "group": group([bill.s("s1"), bill.s("s1")], app=app),
    }
    workflows.answer = canvas[kind]
    part = OrchestratorPart(workflows)
    await part.tell({"name": "turn", "session_id": "s1", "tenant": "t", "user_id": "u", "turn": 1})
    assert done == ["s1"] * (1 if kind == "signature" else 2)
    await part.tell({"name": "session_started", "session_id": "s1", "tenant": "t", "user_id": "u"})
    assert len(workflows.told) == 1


def test_an_orchestrator_that_hears_nothing_is_refused() -> None:
    """With what it could have."""
    with pytest.raises(InvalidConfig, match="on_session_started, on_turn, on_session_ended"):
        OrchestratorPart(object())
