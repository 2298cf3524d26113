"""A session whose agent is asked as the worker asks it, and answers as Celery lets it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from question_harness import Line, reading
from task_harness import a_placed_record, say, task_context

from control.context import TaskContext
from voicebackend import agents
from voicebackend.agents import Turn
from voicebackend.settings import Deployment

Register = Callable[..., None]


@pytest.fixture
async def shared(deployment: Deployment) -> AsyncIterator[TaskContext]:
    """Give what tasks work with."""
    async with task_context(deployment, timeout=2) as context:
        yield context


@pytest.fixture
async def line(deployment: Deployment, shared: TaskContext) -> AsyncIterator[Line]:
    """Give a session whose agent is ``test``."""
    record = a_placed_record(agent="test")
    await shared.store.create(record)
    await say(shared, record.id, 0, "Hello?", role="agent")
    found = Line(shared, record.id)
    async with reading(found, deployment):
        yield found


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Register:
    """Register a function as the agent ``test`` for this test."""
    monkeypatch.setattr(agents, "_agents", {})
    monkeypatch.setattr(agents, "_patient", set())
    return lambda function, **how: agents.agent("test", **how)(function)


@pytest.fixture
def booked() -> list[str]:
    """Give the side effects that happened."""
    return []


@pytest.fixture
def books(register: Register, booked: list[str]) -> list[Turn]:
    """Let the agent book, once a turn; give the turns that it was asked."""
    asked: list[Turn] = []

    def agent(turn: Turn) -> Iterator[str]:
        asked.append(turn)
        yield f"{turn.transcript}: "
        yield str(turn.once("book", lambda: booked.append(turn.transcript) or len(booked)))

    register(agent)
    return asked
