"""The worker's questions and the task that answers them, with a real Redis between: attempts and their loss."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from question_harness import Line

from voicebackend.agents import Turn
from voicebackend.errors import AgentError
from worker import task_question

Register = Callable[..., None]
GUESS, FINAL = "a table for", "a table for two"


async def test_a_question_is_answered_from_what_was_said(line: Line, books: list[Turn], booked: list[str]) -> None:
    """No guess: its side effect happens at once, and the history is without this turn."""
    _, answer = line.ask(FINAL)
    assert await answer == f"{FINAL}: 1"
    assert booked == [FINAL]
    assert (books[0].speculative, books[0].attempt) == (False, 1)
    assert [entry.text for entry in books[0].history] == ["Hello?"]


async def test_a_lost_attempt_is_followed_by_the_next(
    line: Line, books: list[Turn], booked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Committed while nobody had taken it: the second attempt is committed from its start."""
    monkeypatch.setattr(task_question, "CLAIM_S", 0.2)
    line.tasks.lost = 1
    question, answer = line.ask(GUESS, speculative=True)
    await asyncio.sleep(0)
    await question.commit(FINAL)
    assert await answer == f"{FINAL}: 1"
    assert booked == [FINAL]
    assert [(turn.attempt, turn.speculative) for turn in books] == [(2, False)]


async def test_nobody_takes_the_task(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three publications, then the error says what to check."""
    monkeypatch.setattr(task_question, "CLAIM_S", 0.02)
    line.tasks.lost = 99
    _, answer = line.ask(FINAL)
    with pytest.raises(AgentError, match="queue 'agents'"):
        await answer
    assert line.tasks.published == 3
    _, answer = line.ask(FINAL)
    with pytest.raises(AgentError):
        await answer
    assert await line.redis.hget(line.key, "current") == b"6"


async def test_attempts_have_an_end(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame has 8 bits for them."""
    monkeypatch.setattr(task_question, "MAX_ATTEMPTS", 2)
    monkeypatch.setattr(task_question, "CLAIM_S", 0.02)
    line.tasks.lost = 99
    _, answer = line.ask(FINAL)
    with pytest.raises(AgentError, match="at most 2 attempts"):
        await answer
