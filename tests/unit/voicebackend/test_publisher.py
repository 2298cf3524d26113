"""Tasks without Celery: in threads, tried again while it is worth it, told in the log when given up; and on time."""

from __future__ import annotations

import asyncio
import sys
import threading
import types
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from voicebackend import schedule
from voicebackend.config import BackendConfig
from voicebackend.errors import ConnectionFailed, InvalidConfig, VoiceBackendError
from voicebackend.publisher import InlinePublisher
from voicebackend.settings import Deployment
from voicebackend.tasks import Queue, Task

Make = Callable[..., Task]


@pytest.fixture
async def publisher() -> AsyncIterator[InlinePublisher]:
    """Give a publisher that is closed at the end."""
    publisher = InlinePublisher()
    yield publisher
    await publisher.aclose()


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Make:
    """Give a function that makes a task of a function, and have retries follow at once."""
    module = types.ModuleType("tasks_of_a_test")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr("voicebackend.retry.random.random", lambda: 0.0)

    def make(function: Callable[..., None], *, queue: Queue = Queue.SESSIONS, max_retries: int = 3) -> Task:
        name = f"f{len(vars(module))}"
        setattr(module, name, function)
        target = f"{module.__name__}:{name}"
        return Task(name="a.task", queue=queue, function=target, deadline_s=30, max_retries=max_retries)

    return make


async def done(event: threading.Event) -> bool:
    """Return whether something happens in a thread within 5 s."""
    return await asyncio.to_thread(event.wait, 5)


@pytest.mark.parametrize("error", [ConnectionFailed("redis"), ConnectionResetError()])
async def test_what_may_pass_is_tried_again(publisher: InlinePublisher, make: Make, error: Exception) -> None:
    """Until it works, with the same arguments."""
    tried: list[str] = []
    worked = threading.Event()

    def flaky(session_id: str) -> None:
        tried.append(session_id)
        if len(tried) < 3:
            raise error
        worked.set()

    await publisher.publish(make(flaky), session_id="s")
    assert await done(worked)
    assert tried == ["s", "s", "s"]


@pytest.mark.parametrize(
    ("error", "tries"),
    [(ConnectionFailed("redis"), 3), (InvalidConfig("x"), 1), (ValueError("what a caller said"), 1)],
)
async def test_what_is_given_up_is_one_line_without_words(
    publisher: InlinePublisher, make: Make, caplog: pytest.LogCaptureFixture, error: Exception, tries: int
) -> None:
    """After the task's own number of retries, or at once; the line tells the error's type and place."""
    tried: list[int] = []

    def failing() -> None:
        tried.append(1)
        raise error

    await publisher.publish(make(failing, max_retries=2))
    await publisher.aclose()
    assert len(tried) == tries
    [line] = [record for record in caplog.records if record.name == "voicebackend.publisher"]
    told: dict[str, Any] = vars(line)
    assert (line.message, told["task"], told["error"]) == ("task given up", "a.task", type(error).__name__)
    assert isinstance(error, VoiceBackendError) == ("error_code" in told)
    assert "what a caller said" not in f"{caplog.text}{told}"


async def test_agents_that_think_slowly_hold_up_no_session(publisher: InlinePublisher, make: Make) -> None:
    """A hundred of them think at once, and a session is still created."""
    think_on, created, thinking = threading.Event(), threading.Event(), threading.Semaphore(0)

    def think() -> None:
        thinking.release()
        think_on.wait(10)

    try:
        for _ in range(100):
            await publisher.publish(make(think, queue=Queue.AGENTS))
        for _ in range(100):
            assert await asyncio.to_thread(thinking.acquire, timeout=5)
        await publisher.publish(make(created.set))
        assert await done(created)
    finally:
        think_on.set()


async def test_the_schedule_runs_what_is_due_again_and_again(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the service is open, and no longer."""
    runs, ran = threading.Semaphore(0), []

    def expire() -> None:
        ran.append(1)
        runs.release()

    monkeypatch.setattr(schedule, "SCHEDULED", [replace(make(expire), every_s=0.01)])
    async with schedule.serve(BackendConfig(), Deployment(inline_tasks=True)):
        for _ in range(3):
            assert await asyncio.to_thread(runs.acquire, timeout=5)
    over = len(ran)
    await asyncio.sleep(0.05)
    assert len(ran) == over
    assert not [task for task in asyncio.all_tasks() if "schedule" in task.get_name()]
