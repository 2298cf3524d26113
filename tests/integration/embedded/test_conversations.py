"""Conversations of the embedded library: agents of any kind, answered in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio
from embedded_harness import (
    CONFIG,
    HEARD,
    answer_of,
    next_error,
    next_words,
    wanted,
)

from voicebackend import (
    Turn,
    VoiceBackend,
    agent,
)

pytestmark = [
    pytest.mark.integration,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.own_redis("the embedded library starts its own"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def backend() -> AsyncIterator[VoiceBackend]:
    """Give one embedded backend to all these conversations: what one of them does is nothing to the next."""
    async with VoiceBackend(CONFIG) as backend:
        yield backend


def plain(said: str) -> str:
    return f"plain {said}"


async def coroutine(said: str) -> str:
    await asyncio.sleep(0)
    return f"coroutine {said}"


def generator(said: str) -> Iterator[str]:
    yield "generator "
    yield said


async def async_generator(said: str) -> AsyncIterator[str]:
    yield "async_generator "
    await asyncio.sleep(0)
    yield said


async def test_a_callback_of_any_kind_answers(backend: VoiceBackend) -> None:
    """A function of this process answers a conversation that runs in another."""

    async def answer_by(callback: Callable[[str], Any]) -> str:
        async with await backend.create_session(wanted(agent_callback=callback)) as session:
            return await answer_of(session)

    kinds = (plain, coroutine, generator, async_generator)
    answers = await asyncio.gather(*map(answer_by, kinds))
    assert answers == [f"{callback.__name__} {HEARD}" for callback in kinds]


async def test_an_agent_is_given_the_turn(backend: VoiceBackend) -> None:
    """A callable agent gets history, user and metadata; a side effect happens once."""
    effects: list[str] = []

    def attend(turn: Turn) -> str:
        for _ in range(2):
            turn.once("booking", lambda: effects.append(turn.transcript))
        said = [entry.text for entry in turn.history]
        return f"{turn.user_id} {turn.metadata['plan']} {turn.number} {len(said)}"

    async with await backend.create_session(wanted(agent=attend, metadata={"plan": "gold"})) as session:
        assert await answer_of(session) == "u gold 1 0"
        assert await answer_of(session) == "u gold 2 2"
    assert effects == [HEARD, HEARD]


async def test_an_agent_registered_here_is_found_by_its_name(backend: VoiceBackend) -> None:
    """``@agent`` in the application is enough; the servers need not import its module."""

    @agent("registered-in-a-test")
    def greet(turn: Turn) -> str:
        return f"registered {turn.transcript}"

    async with await backend.create_session(wanted(agent="registered-in-a-test")) as session:
        assert await answer_of(session) == f"registered {HEARD}"


async def test_the_agent_can_be_exchanged_during_the_call(backend: VoiceBackend) -> None:
    """The next turn is answered by the new one."""
    async with await backend.create_session(wanted(agent_callback=lambda _: "first")) as session:
        assert await answer_of(session) == "first"
        await session.set_agent_callback(lambda _: "second")
        assert await answer_of(session) == "second"
        await session.set_agent(lambda turn: f"third {turn.number}")
        assert await answer_of(session) == "third 3"


async def test_an_agent_that_raises_is_an_error_and_the_session_goes_on(backend: VoiceBackend) -> None:
    """What it raised stays in this process; the caller hears of an agent error."""

    def fail(said: str) -> str:
        raise RuntimeError("the password is 1234")

    async with await backend.create_session(wanted(agent_callback=fail)) as session:
        error = await next_error(session)
        assert error.code == "agent_error"
        assert "1234" not in error.message
        assert await next_words(session)  # an apology
        await session.set_agent_callback(lambda _: "better now")
        assert await answer_of(session) == "better now"


async def test_an_answer_that_is_no_text_is_an_error(backend: VoiceBackend) -> None:
    """Whatever else a callback returns is refused by its type."""

    async def error_for(garbage: object) -> str:
        async with await backend.create_session(wanted(agent_callback=lambda _: garbage)) as session:
            return (await next_error(session)).message

    messages = await asyncio.gather(*map(error_for, (7, b"bytes", {"a": 1})))
    assert messages == [f"the agent gave {kind}; text is needed" for kind in ("int", "bytes", "dict")]


async def test_two_sessions_at_once_do_not_mix(backend: VoiceBackend) -> None:
    """Each session's own callback answers it, however they interleave."""
    async with (
        await backend.create_session(wanted(agent_callback=lambda _: "canary one")) as one,
        await backend.create_session(wanted(agent_callback=lambda _: "canary two")) as two,
    ):
        for _ in range(3):
            assert await asyncio.gather(answer_of(one), answer_of(two)) == ["canary one", "canary two"]


async def test_the_applications_own_audio_reaches_the_caller(backend: VoiceBackend) -> None:
    """What ``send_audio`` takes comes out of ``agent_audio`` without the agent's doing."""
    async with await backend.create_session(wanted(agent_callback=str)) as session:
        tone = bytes([0, 32]) * 1600
        await session.send_audio(tone)
        heard = b""
        async with asyncio.timeout(10):
            async for pcm in session.agent_audio():
                heard += pcm
                if len(heard) >= len(tone):
                    break
        assert heard.count(bytes([0, 32])) > 1000
