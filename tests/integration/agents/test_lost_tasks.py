"""An agent's task whose process is lost while it answers: begun anew if nothing of its answer came, else an error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from question_harness import Line

from voicebackend.agents import Turn
from voicebackend.errors import AgentError

Register = Callable[..., None]
GUESS, FINAL = "a table for", "a table for two"


async def lose(line: Line) -> None:
    """End the latest task without a word, as the end of its process does."""
    line.tasks.running[-1].cancel()
    await asyncio.gather(line.tasks.running[-1], return_exceptions=True)


async def test_a_task_that_is_lost_while_it_thinks_is_begun_anew(line: Line, register: Register) -> None:
    """Long before the agent's time is up; what the lost one would have said is not heard."""
    asked: list[int] = []
    thinking = asyncio.Event()

    async def agent(turn: Turn) -> AsyncIterator[str]:
        asked.append(turn.attempt)
        if turn.attempt == 1:
            thinking.set()
            await asyncio.sleep(60)
        yield f"answer {turn.attempt}"

    register(agent)
    _, answer = line.ask(FINAL)
    await asyncio.wait_for(thinking.wait(), 5)
    await lose(line)
    assert await answer == "answer 2"
    assert asked == [1, 2]


async def test_a_task_that_is_lost_in_the_midst_of_its_answer_is_an_error_at_once(
    line: Line, register: Register
) -> None:
    """Begun anew, it would say again what the caller has heard; the dialogue apologises."""
    started = asyncio.Event()

    async def agent(_turn: Turn) -> AsyncIterator[str]:
        yield "First of all, "
        started.set()
        await asyncio.sleep(60)

    register(agent)
    question = line.question(FINAL)
    came: list[str] = []

    async def read() -> None:
        async for text in question.deltas():
            came.append(text)
            started.set()

    reading = asyncio.create_task(read())
    await started.wait()
    while not came:  # noqa: ASYNC110 - what is waited for comes over Redis
        await asyncio.sleep(0.01)
    await lose(line)
    with pytest.raises(AgentError, match="ended before its answer did"):
        await asyncio.wait_for(reading, 5)
    assert came == ["First of all, "]
    assert line.tasks.published == 1


async def test_an_agent_that_thinks_for_long_is_left_in_peace(line: Line, register: Register) -> None:
    """As long as its process lives, silence is no loss."""

    async def agent(turn: Turn) -> AsyncIterator[str]:
        await asyncio.sleep(1.8)
        yield f"answer {turn.attempt}"

    register(agent)
    _, answer = line.ask(FINAL)
    assert await answer == "answer 1"
    assert line.tasks.published == 1


async def test_while_redis_cannot_be_asked_no_task_is_lost(
    line: Line, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not known to be gone may well answer yet."""

    async def fails(*_commands: object) -> None:
        raise OSError

    async def agent(turn: Turn) -> AsyncIterator[str]:
        monkeypatch.setattr(line.agent._tasks._wire, "execute", fails)
        await asyncio.sleep(1.5)
        yield f"answer {turn.attempt}"

    register(agent)
    _, answer = line.ask(FINAL)
    assert await answer == "answer 1"
