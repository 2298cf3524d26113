"""A real Celery worker process: agents answer into the lane, failures are tried again or buried, SIGTERM is clean."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from celery_harness import ALL_QUEUES, CeleryProcess, celery_process, celery_worker
from task_harness import (
    LANE,
    LaneReader,
    a_placed_record,
    a_record,
    comes_true,
    hold_lane,
    lane_reader,
    log_of,
    placed,
    say,
    task_context,
    texts_of,
)

from control.context import TaskContext
from voicebackend.publisher import CeleryPublisher
from voicebackend.session import SessionState
from voicebackend.settings import Deployment
from voicebackend.streams import Kind
from voicebackend.tasks import AGENTS_TURN, RETENTION_APPLY, SESSIONS_CLOSE, SESSIONS_CREATE, Task

pytestmark = pytest.mark.integration


@pytest.fixture
def deployment(deployment: Deployment) -> Deployment:
    """Give a deployment whose Celery workers know the test agents."""
    return replace(deployment, agents=("task_agents",))


@pytest.fixture
def worker(deployment: Deployment, tmp_path: Path) -> Iterator[CeleryProcess]:
    """Run every queue in one process, as development does; agents have two seconds."""
    with celery_worker(deployment, tmp_path / "celery", VOICEBACKEND_TIMEOUT="2") as process:
        yield process


@pytest.fixture
async def shared(deployment: Deployment) -> AsyncIterator[TaskContext]:
    """Give a store and Redis clients to prepare sessions with."""
    async with task_context(deployment) as context:
        yield context


@pytest.fixture
async def publisher(deployment: Deployment) -> AsyncIterator[CeleryPublisher]:
    """Give what publishes as API and streaming worker do."""
    found = CeleryPublisher(deployment)
    yield found
    await found.aclose()


@pytest.fixture
async def lane(deployment: Deployment) -> AsyncIterator[LaneReader]:
    """Give the lane that the sessions are in."""
    async with lane_reader(deployment) as reader:
        yield reader


async def ask(shared: TaskContext, publisher: CeleryPublisher, agent: str, number: int = 1, text: str = "hi") -> str:
    """Write a session and what its caller said, publish the turn, and return the session's id."""
    record = a_placed_record(number, agent=agent)
    await shared.store.create(record)
    await say(shared, record.id, 1, text)
    key = shared.keys.turn(record.id, 1)
    await shared.state.hset(key, mapping={"current": "1", "committed": "1", "said": text})
    await shared.state.expire(key, 60)
    await publisher.publish(AGENTS_TURN, session_id=record.id, turn=1, attempt=1)
    return record.id


async def letters(shared: TaskContext, count: int) -> list[dict[str, str]]:
    """Return the dead letters once there are so many."""
    name = shared.keys.dead_letters()

    async def arrived() -> bool:
        return int(await shared.state.xlen(name)) >= count

    await comes_true(arrived)
    entries: Any = await shared.state.xrange(name)
    return [{name.decode(): value.decode() for name, value in fields.items()} for _, fields in entries]


async def reaches(shared: TaskContext, session: str, state: SessionState) -> None:
    """Return once a session's record is in this state."""

    async def is_there() -> bool:
        return (await shared.store.get(session)).state is state

    await comes_true(is_there)


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("agent", ["counts", "async"])
async def test_an_agent_in_a_celery_worker_answers_into_the_lane(
    shared: TaskContext, publisher: CeleryPublisher, lane: LaneReader, agent: str
) -> None:
    """Published here, answered in another process, read from the lane."""
    await ask(shared, publisher, agent, text="good morning")
    frames = await lane.answer()
    assert frames[0].kind is Kind.AGENT_STARTED
    assert "".join(texts_of(frames)).strip() == "you said good morning"


@pytest.mark.usefixtures("worker")
async def test_agents_think_side_by_side(shared: TaskContext, publisher: CeleryPublisher, lane: LaneReader) -> None:
    """All have started before the first has answered, and no answer is another's."""
    sessions = {await ask(shared, publisher, "slow", number, f"canary {number}"): number for number in range(1, 9)}
    frames = [frame for _ in sessions for frame in await lane.answer()]
    kinds = [frame.kind for frame in frames]
    assert kinds.index(Kind.AGENT_DELTA) == len(sessions)
    said = {frame.session: frame.payload.decode() for frame in frames if frame.kind is Kind.AGENT_DELTA}
    assert said == {session: f"thought about canary {number}" for session, number in sessions.items()}


async def test_an_agent_that_hangs_or_raises_fails_in_the_lane_and_its_worker_lives_on(
    shared: TaskContext, publisher: CeleryPublisher, lane: LaneReader, worker: CeleryProcess
) -> None:
    """The next turn is answered, the worker ends cleanly, and what was said is in no log."""
    await ask(shared, publisher, "hangs", 1, "canary-hangs")
    assert (await lane.answer())[-1].json()["code"] == "timeout"
    await ask(shared, publisher, "raises", 2, "canary-raises")
    assert (await lane.answer())[-1].json() == {"code": "agent_error", "message": "ValueError"}
    await ask(shared, publisher, "counts", 3)
    assert (await lane.answer())[-1].kind is Kind.AGENT_DONE
    assert await asyncio.to_thread(worker.terminate) == 0
    assert "canary" not in json.dumps(worker.logged())


async def test_a_session_is_started_by_a_prefork_worker_in_the_trace_of_its_request(
    shared: TaskContext, publisher: CeleryPublisher, lane: LaneReader, deployment: Deployment, tmp_path: Path
) -> None:
    """Processes or threads, the tasks are the same; SIGTERM ends both with 0."""
    arguments = ("-Q", "sessions,telephony,retention,post_call", "-P", "prefork", "-c", "2")
    with celery_worker(deployment, tmp_path / "celery", *arguments) as worker:
        record = await placed(shared, state=SessionState.STARTING)
        await publisher.publish(SESSIONS_CREATE, session_id=record.id)
        (start,) = await lane.until(Kind.START)
        assert start.session == record.id
        assert start.json()["traceparent"].startswith("00-")
        assert await asyncio.to_thread(worker.terminate) == 0


async def test_a_task_that_fails_for_a_moment_is_tried_again_on_its_own_queue(
    shared: TaskContext, publisher: CeleryPublisher, deployment: Deployment, worker: CeleryProcess
) -> None:
    """Nobody owns the lane yet; when somebody does, the session's start arrives."""
    record = await placed(shared, state=SessionState.STARTING)
    await publisher.publish(SESSIONS_CREATE, session_id=record.id)
    await asyncio.to_thread(worker.wait_for, "task will be tried again")
    async with lane_reader(deployment) as lane:
        (start,) = await lane.until(Kind.START)
    assert start.session == record.id
    assert await shared.state.exists(deployment.keys.dead_letters()) == 0


@pytest.mark.usefixtures("worker")
async def test_a_task_that_will_never_succeed_is_buried_with_its_reason(
    shared: TaskContext, publisher: CeleryPublisher
) -> None:
    """Ids, code and reason; not what the caller said."""
    record = a_record(agent="counts")
    await shared.store.create(record)
    await shared.state.hset(shared.keys.turn(record.id, 1), "current", "1")
    await shared.state.expire(shared.keys.turn(record.id, 1), 60)
    await publisher.publish(AGENTS_TURN, session_id=record.id, turn=1, attempt=1)
    (letter,) = await letters(shared, 1)
    assert letter["task"] == "agents.turn"
    assert json.loads(letter["arguments"]) == {"session_id": record.id, "turn": 1, "attempt": 1}
    assert (letter["code"], letter["reason"]) == ("session_not_active", "the session is in no lane")


@pytest.mark.usefixtures("worker")
async def test_arguments_of_another_version_are_buried_and_not_tried_again(
    shared: TaskContext, publisher: CeleryPublisher
) -> None:
    """A message that does not fit cannot be repaired by waiting."""
    wrong: list[tuple[Task, dict[str, Any]]] = [(RETENTION_APPLY, {"session": "x"}), (SESSIONS_CLOSE, {})]
    for task, arguments in wrong:
        await publisher.publish(task, **arguments)
    found = await letters(shared, len(wrong))
    assert {(letter["task"], letter["reason"], letter["attempts"]) for letter in found} == {
        ("retention.apply", "TypeError", "1"),
        ("sessions.close", "TypeError", "1"),
    }


@pytest.mark.usefixtures("worker")
async def test_ending_a_session_publishes_retention_which_celery_applies(
    shared: TaskContext, publisher: CeleryPublisher
) -> None:
    """A task hands on a task: closed here, and what is kept decided there."""
    record = a_record()
    await shared.store.create(record)
    await hold_lane(shared.state, shared.keys, LANE)
    await publisher.publish(SESSIONS_CLOSE, session_id=record.id, reason="closed")
    await reaches(shared, record.id, SessionState.ENDED)
    assert (await log_of(shared.state, shared.keys, record.id))[-1] == {"type": "ended", "reason": "closed"}


async def test_a_task_that_kills_its_process_every_time_is_buried_after_three_times(
    shared: TaskContext, publisher: CeleryPublisher, deployment: Deployment, tmp_path: Path
) -> None:
    """Celery hands it out again each time; then it stops, and the worker does other work."""
    deaths = tmp_path / "deaths"
    environment = {
        "VOICEBACKEND_DATA_RETENTION_HOOK": "task_agents:deadly_hook",
        "VOICEBACKEND_TEST_DEATHS": str(deaths),
    }
    arguments = ("-Q", "sessions,retention", "-P", "prefork", "-c", "1")
    record, waiting = a_record(1), a_record(2)
    for one in (record, waiting):
        await shared.store.create(one)
    with celery_worker(deployment, tmp_path / "celery", *arguments, **environment):
        await publisher.publish(RETENTION_APPLY, session_id=record.id)
        (letter,) = await letters(shared, 1)
        await publisher.publish(SESSIONS_CLOSE, session_id=waiting.id, reason="closed")
        await reaches(shared, waiting.id, SessionState.ENDED)
    assert deaths.read_text().count(record.id) == 3
    assert (letter["task"], letter["code"], letter["attempts"]) == ("retention.apply", "pipeline_error", "3")
    assert letter["reason"] == "its process ended 3 times while it ran"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"VOICEBACKEND_AGENTS": "no_such_module"}, "VOICEBACKEND_AGENTS: there is no module 'no_such_module'"),
        ({"VOICEBACKEND_TIMEOUT": "canary"}, "timeout: Input should be a valid timedelta"),
    ],
)
def test_a_worker_that_cannot_run_says_why_and_exits(
    deployment: Deployment, tmp_path: Path, environment: dict[str, str], expected: str
) -> None:
    """Before it takes a task, and without showing the value."""
    arguments = ("worker", "-Q", ALL_QUEUES, "-P", "threads", "-c", "2")
    with celery_process(deployment, tmp_path / "celery", *arguments, **environment) as process:
        assert process.process.wait(30) == 1
        text = json.dumps(process.logged())
        assert expected in text
        assert "canary" not in text
