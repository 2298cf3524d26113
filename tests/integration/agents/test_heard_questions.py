"""The caller's voice, from the worker's question to the task's model, with a real Redis between."""

from __future__ import annotations

import io
import wave
from collections.abc import AsyncIterator
from typing import Any

import pytest
from question_harness import FINAL, GUESS, Line, reading
from redis.exceptions import ConnectionError as RedisConnectionError
from task_harness import a_placed_record, say, task_context

from control.agents.caller_audio import caller_audio
from control.context import TaskContext
from voicebackend.agents import CONFIGURED, Turn
from voicebackend.record import LOG_FIELD
from voicebackend.settings import Deployment
from voicebackend.turn_audio import KEPT_S
from worker import task_question

VOICE = bytes(range(200)) * 160
"""A second."""


class Ears:
    """A model that hears: keeps the turns that it is given."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []

    async def __call__(self, turn: Turn) -> AsyncIterator[str]:
        """Answer."""
        self.turns.append(turn)
        yield "Yes."


@pytest.fixture
def ears() -> Ears:
    """Give the model."""
    return Ears()


@pytest.fixture
async def shared(deployment: Deployment, ears: Ears) -> AsyncIterator[TaskContext]:
    """Give what tasks work with: a deployment whose model hears."""
    async with task_context(deployment, timeout=5, multimodal_model=ears) as context:
        yield context


@pytest.fixture
async def line(deployment: Deployment, shared: TaskContext) -> AsyncIterator[Line]:
    """Give a session that the configured model answers."""
    record = a_placed_record(agent=CONFIGURED)
    await shared.store.create(record)
    await say(shared, record.id, 0, "Hello?", role="agent")
    found = Line(shared, record.id)
    async with reading(found, deployment):
        yield found


def pcm_of(audio: bytes) -> bytes:
    """Return what is in a WAV file of 16 kHz mono."""
    with wave.open(io.BytesIO(audio)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
        return file.readframes(file.getnframes())


async def test_a_model_that_hears_is_brought_the_audio(line: Line, shared: TaskContext, ears: Ears) -> None:
    """As a WAV file beside the words; it is in no task's arguments and in no log, and gone within a minute."""
    _, answer = line.ask(FINAL, voice=VOICE)
    assert await answer == "Yes."
    assert ears.turns[0].transcript == FINAL
    assert pcm_of(ears.turns[0].audio) == VOICE
    assert line.tasks.arguments == [{"session_id": line.session, "turn": 1, "attempt": 1}]
    log: Any = await shared.state.xrange(shared.keys.session_log(line.session))
    assert all(len(fields[LOG_FIELD]) < 1000 for _, fields in log)
    assert 0 < await shared.audio.ttl(shared.keys.turn_audio(line.session)) <= KEPT_S
    assert "RIFF" not in repr(ears.turns[0])


async def test_a_guess_has_what_was_said_so_far(line: Line, ears: Ears) -> None:
    """And the next question all of it."""
    _, guess = line.ask(GUESS, voice=VOICE[:8000], speculative=True)
    assert await guess == "Yes."
    _, answer = line.ask(FINAL, voice=VOICE)
    assert await answer == "Yes."
    assert [pcm_of(turn.audio) for turn in ears.turns] == [VOICE[:8000], VOICE]


async def test_an_attempt_after_a_lost_one_has_it_too(line: Line, ears: Ears, monkeypatch: pytest.MonkeyPatch) -> None:
    """It lies there for whoever answers."""
    monkeypatch.setattr(task_question, "CLAIM_S", 0.2)
    line.tasks.lost = 1
    _, answer = line.ask(FINAL, voice=VOICE)
    assert await answer == "Yes."
    assert [(turn.attempt, pcm_of(turn.audio)) for turn in ears.turns] == [(2, VOICE)]


async def test_without_audio_the_model_has_the_words(line: Line, shared: TaskContext, ears: Ears) -> None:
    """The turn was typed; or Redis does not take it, or does not tell."""
    await line.ask(FINAL)[1]
    away: Any = _Away()
    line.agent._tasks._audio = away
    await line.ask(FINAL, voice=VOICE)[1]
    assert [(turn.transcript, turn.audio) for turn in ears.turns] == [(FINAL, b""), (FINAL, b"")]
    assert await caller_audio(away, shared.keys, line.session, 1) == b""


class _Away:
    """A Redis that is not there."""

    async def execute(self, *commands: Any) -> None:
        """Fail."""
        raise RedisConnectionError


async def test_an_agent_that_a_session_names_is_not_brought_it(
    deployment: Deployment, shared: TaskContext, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is for the configured model only."""
    given: list[Turn] = []
    monkeypatch.setattr("voicebackend.agents._agents", {"test": lambda turn: given.append(turn) or "Yes."})
    record = a_placed_record(agent="test")
    await shared.store.create(record)
    line = Line(shared, record.id)
    async with reading(line, deployment):
        assert await line.ask(FINAL, voice=VOICE)[1] == "Yes."
    assert [turn.audio for turn in given] == [b""]
    assert ears.turns == []
