"""The agent is asked on a guess: dropped, adopted, replaced or forgotten, its side effects happen once or never."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
from question_harness import Line
from task_harness import a_placed_record, log_of

from control.context import TaskContext
from voicebackend.agents import Turn
from voicebackend.client.local_agent import LocalAgent
from voicebackend.errors import AgentError, OperationTimeout
from voicebackend.remote import Objects, Remote
from voicebackend.settings import Deployment
from worker import task_question

Register = Callable[..., None]
GUESS, FINAL = "a table for", "a table for two"


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
    question = line.question(GUESS, speculative=True)
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


async def test_commits_that_race_with_attempts_name_the_current_one(
    line: Line, books: list[Turn], booked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever the commit comes, the answer comes, and one side effect."""
    monkeypatch.setattr(task_question, "CLAIM_S", 0.05)
    line.tasks.lost = 1
    for pause in (0.0, 0.03, 0.05, 0.051, 0.06):
        line.tasks.published = 0
        await line.redis.hdel(line.key, "once:book")
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
    monkeypatch.setattr(task_question, "SPECULATION_S", 0.1)
    line.agent._tasks.timeout_s = 1
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
    line.agent._tasks.timeout_s = 0.3
    question, answer = line.ask(GUESS, speculative=True)
    await line.claimed(1)
    await question.commit(FINAL)
    async with asyncio.timeout(5):
        with pytest.raises(OperationTimeout):
            await answer
    assert await line.redis.hget(line.key, "cancelled") == b"1"
    release.set()


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
    assert await line.redis.hget(line.key, "cancelled") == b"2"
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
