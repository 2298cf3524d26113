"""The worker's questions and the task that answers them, with a real Redis between: speculation, loss, errors."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from task_harness import LANE, a_placed_record, log_of, say, task_context

from control.context import TaskContext
from control.tasks.agents import AgentTurn
from voicebackend import agents, channel
from voicebackend._redis import connect
from voicebackend.agents import Turn
from voicebackend.client.local_agent import LocalAgent
from voicebackend.errors import AgentError, OperationTimeout
from voicebackend.remote import Objects, Remote
from voicebackend.settings import Deployment
from voicebackend.tasks import Task
from worker import task_agent
from worker.task_agent import TaskAgent, TaskQuestion

Register = Callable[..., None]
GUESS, FINAL = "a table for", "a table for two"


class Tasks:
    """A publisher whose tasks run here and now; some of the first can get lost."""

    def __init__(self, shared: TaskContext) -> None:
        self._shared, self.lost, self.published = shared, 0, 0
        self.running: list[asyncio.Task[None]] = []

    async def publish(self, task: Task, **arguments: Any) -> None:
        """Run the agent's task."""
        self.published += 1
        if self.published > self.lost:
            self.running.append(asyncio.create_task(AgentTurn(self._shared, **arguments).answer(), name=task.name))

    async def aclose(self) -> None:
        """Nothing to release."""


class Line:
    """One session: its agent as the worker asks it, and what the lane brings."""

    def __init__(self, shared: TaskContext, session: str) -> None:
        self.tasks, self._questions = Tasks(shared), list[TaskQuestion]()
        self._agent = TaskAgent(session, publisher=self.tasks, state=shared.state, keys=shared.keys, timeout_s=2)
        self.key, self._shared = shared.keys.turn(session, 1), shared

    def ask(self, transcript: str, *, speculative: bool = False) -> tuple[TaskQuestion, asyncio.Task[str]]:
        """Ask in turn 1; return the question and its coming answer."""
        question = self._agent.ask(1, transcript, speculative=speculative)
        self._questions.append(question)

        async def answer() -> str:
            return "".join([text async for text in question.deltas()])

        return question, asyncio.create_task(answer(), name="answer")

    async def read(self, redis: Any, stream: str) -> None:
        """Give every question every frame."""
        reader = channel.Reader(redis)
        reader.add(stream, await channel.create(self._shared.audio, stream))
        while True:
            for _, frames in await reader.read():
                for frame in frames:
                    for question in self._questions:
                        question.deliver(frame)

    async def claimed(self, attempt: int) -> None:
        """Return once a task has this attempt."""
        async with asyncio.timeout(5):
            while int(await self._shared.state.hget(self.key, "claimed") or 0) < attempt:  # noqa: ASYNC110 - in Redis
                await asyncio.sleep(0.005)

    async def all_done(self) -> None:
        """Return once no task runs any more."""
        await asyncio.wait_for(asyncio.gather(*self.tasks.running), 5)


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
    async with _reading(found, deployment):
        yield found


@asynccontextmanager
async def _reading(line: Line, deployment: Deployment) -> AsyncIterator[None]:
    async with connect(deployment.audio_url, timeout_s=None) as redis:
        reading = asyncio.create_task(line.read(redis, deployment.keys.lane(LANE)), name="lane")
        try:
            yield
        finally:
            tasks = [reading, *line.tasks.running]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


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


async def test_a_question_is_answered_from_what_was_said(line: Line, books: list[Turn], booked: list[str]) -> None:
    """No guess: its side effect happens at once, and the history is without this turn."""
    _, answer = line.ask(FINAL)
    assert await answer == f"{FINAL}: 1"
    assert booked == [FINAL]
    assert (books[0].speculative, books[0].attempt) == (False, 1)
    assert [entry.text for entry in books[0].history] == ["Hello?"]


async def test_a_dropped_speculation_never_has_its_side_effect(
    line: Line, books: list[Turn], booked: list[str]
) -> None:
    """The caller went on: the next question has the next attempt, and the only side effect."""
    question, dropped = line.ask(GUESS, speculative=True)
    await line.claimed(1)
    await question.cancel()
    assert await dropped in ("", f"{GUESS}: ")
    _, answer = line.ask(FINAL)
    assert await answer == f"{FINAL}: 1"
    await line.all_done()
    assert booked == [FINAL]
    assert [(turn.speculative, turn.attempt) for turn in books] == [(True, 1), (False, 2)]


async def test_an_adopted_speculation_has_its_side_effect_once(
    line: Line, books: list[Turn], booked: list[str]
) -> None:
    """Its text is there before the commit, its side effect comes after."""
    question = line._agent.ask(1, GUESS, speculative=True)
    line._questions.append(question)
    deltas = question.deltas()
    assert await anext(deltas) == f"{GUESS}: "
    assert booked == []
    await question.commit(FINAL)
    assert [text async for text in deltas] == ["1"]
    assert booked == [GUESS]
    assert [turn.attempt for turn in books] == [1]


async def test_a_speculation_that_is_replaced_without_a_word_ends(
    line: Line, books: list[Turn], booked: list[str]
) -> None:
    """Another question voids the ones before."""
    _, first = line.ask(GUESS, speculative=True)
    await line.claimed(1)
    second, answer = line.ask(FINAL, speculative=True)
    assert await first in ("", f"{GUESS}: ")
    await line.claimed(2)
    await second.commit(FINAL)
    assert await answer == f"{FINAL}: 1"
    await line.all_done()
    assert booked == [FINAL]


async def test_a_lost_attempt_is_followed_by_the_next(
    line: Line, books: list[Turn], booked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Committed while nobody had taken it: the second attempt is committed from its start."""
    monkeypatch.setattr(task_agent, "CLAIM_S", 0.2)
    line.tasks.lost = 1
    question, answer = line.ask(GUESS, speculative=True)
    await asyncio.sleep(0)
    await question.commit(FINAL)
    assert await answer == f"{FINAL}: 1"
    assert booked == [FINAL]
    assert [(turn.attempt, turn.speculative) for turn in books] == [(2, False)]


async def test_commits_that_race_with_attempts_name_the_current_one(
    line: Line, books: list[Turn], booked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever the commit comes, the answer comes, and one side effect."""
    monkeypatch.setattr(task_agent, "CLAIM_S", 0.05)
    line.tasks.lost = 1
    for pause in (0.0, 0.03, 0.05, 0.051, 0.06):
        line.tasks.published = 0
        await line._shared.state.hdel(line.key, "once:book")
        question, answer = line.ask(GUESS, speculative=True)
        await asyncio.sleep(pause)
        await question.commit(FINAL)
        assert (await answer).endswith(str(len(booked)))
    assert len(booked) == 5
    assert {turn.attempt % 2 for turn in books} == {0}


async def test_an_agent_that_does_not_speculate_is_asked_when_the_caller_has_finished(
    line: Line, register: Register
) -> None:
    """With all that was said; and not at all when the caller goes on."""
    asked: list[Turn] = []
    register(lambda turn: asked.append(turn) or turn.transcript, speculative=False)
    question, _ = line.ask("a tab", speculative=True)
    await line.claimed(1)
    await question.cancel()
    await line.all_done()
    question, answer = line.ask(GUESS, speculative=True)
    await line.claimed(2)
    await asyncio.sleep(0.1)
    assert asked == []
    await question.commit(FINAL)
    assert await answer == FINAL
    assert [(turn.attempt, turn.speculative) for turn in asked] == [(2, False)]


async def test_a_callback_of_the_embedding_process_is_called_when_the_caller_has_finished(
    line: Line, shared: TaskContext, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It knows nothing of speculation, and is called once a turn, with all that was said."""
    heard: list[str] = []
    async with (
        Objects(deployment.audio_url, deployment.keys) as objects,
        Remote(deployment.audio_url, deployment.keys) as caller,
    ):
        monkeypatch.setattr("control.agents.lookup.remote.current", lambda: caller)
        callback = LocalAgent(lambda said: heard.append(said) or f"I heard {said}", of_transcript=True)
        await shared.state.hset(shared.keys.session(a_placed_record().id), "agent", objects.register(callback))
        dropped, _ = line.ask("a tab", speculative=True)
        await line.claimed(1)
        await dropped.cancel()
        await line.all_done()
        question, answer = line.ask(GUESS, speculative=True)
        await line.claimed(2)
        await asyncio.sleep(0.1)
        assert heard == []
        await question.commit(FINAL)
        assert await answer == f"I heard {FINAL}"
        assert heard == [FINAL]


async def test_a_speculation_that_nobody_ends_times_out(
    line: Line, register: Register, booked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On both sides; the side effect never happens."""
    monkeypatch.setattr(task_agent, "SPECULATION_S", 0.1)
    line._agent.timeout_s = 1
    heard: list[AgentError] = []
    ended = threading.Event()

    def agent(turn: Turn) -> str:
        try:
            turn.once("book", lambda: booked.append("booked"))
        except AgentError as error:
            heard.append(error)
            raise
        finally:
            ended.set()
        return "booked"

    register(agent)
    _, answer = line.ask(GUESS, speculative=True)
    with pytest.raises(OperationTimeout):
        await answer
    await line.all_done()
    assert await asyncio.to_thread(ended.wait, 5)
    assert "the caller went on" in str(heard[0])
    assert booked == []


async def test_an_agent_that_hangs_is_given_its_time_from_the_commit(line: Line, register: Register) -> None:
    """Not the longer time that a speculation has."""
    release = threading.Event()
    register(lambda turn: release.wait(20) and None)
    line._agent.timeout_s = 0.3
    question, answer = line.ask(GUESS, speculative=True)
    await line.claimed(1)
    await question.commit(FINAL)
    async with asyncio.timeout(5):
        with pytest.raises(OperationTimeout):
            await answer
    assert await line._shared.state.hget(line.key, "cancelled") == b"1"
    release.set()


async def test_nobody_takes_the_task(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three publications, then the error says what to check."""
    monkeypatch.setattr(task_agent, "CLAIM_S", 0.02)
    line.tasks.lost = 99
    _, answer = line.ask(FINAL)
    with pytest.raises(AgentError, match="queue 'agents'"):
        await answer
    assert line.tasks.published == 3
    _, answer = line.ask(FINAL)
    with pytest.raises(AgentError):
        await answer
    assert await line._shared.state.hget(line.key, "current") == b"6"


async def test_attempts_have_an_end(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame has 8 bits for them."""
    monkeypatch.setattr(task_agent, "MAX_ATTEMPTS", 2)
    monkeypatch.setattr(task_agent, "CLAIM_S", 0.02)
    line.tasks.lost = 99
    _, answer = line.ask(FINAL)
    with pytest.raises(AgentError, match="at most 2 attempts"):
        await answer


async def test_a_late_cancellation_does_not_bring_a_later_attempt_back(
    line: Line, books: list[Turn], booked: list[str]
) -> None:
    """Cancelled in the wrong order: both stay cancelled."""
    first, _ = line.ask(GUESS, speculative=True)
    await line.claimed(1)
    second, _ = line.ask(FINAL, speculative=True)
    await line.claimed(2)
    await second.cancel()
    await first.cancel()
    assert await line._shared.state.hget(line.key, "cancelled") == b"2"
    await line.all_done()
    assert booked == []
    assert len(books) <= 2


async def test_what_was_guessed_is_neither_in_the_log_nor_in_the_tasks(
    line: Line, books: list[Turn], shared: TaskContext, caplog: pytest.LogCaptureFixture
) -> None:
    """It lies in the turn's hash, which expires."""
    caplog.set_level("DEBUG")
    question, answer = line.ask(GUESS, speculative=True)
    await line.claimed(1)
    await question.cancel()
    await answer
    await line.all_done()
    assert GUESS not in caplog.text
    assert GUESS not in str([record.__dict__ for record in caplog.records])
    assert GUESS not in str(await log_of(shared.state, shared.keys, a_placed_record().id))
    assert await shared.state.hget(line.key, "said") == GUESS.encode()
    assert 0 < await shared.state.ttl(line.key) <= 3600
    assert books[0].transcript == GUESS
