"""An agent's answer in the lane: numbered deltas that decode by themselves, within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis
from task_harness import LANE, LaneReader, texts_of

from control.agents.relay import Relay
from control.agents.reply import MAX_ANSWER, MAX_DELTA, AgentReply, cut
from control.agents.runner import texts
from voicebackend._redis import connect
from voicebackend.agents import Turn
from voicebackend.errors import AgentError, ConnectionFailed, ErrorCode
from voicebackend.settings import Deployment
from voicebackend.streams import Kind

SESSION = "7" * 32


@pytest.fixture
def reply(redis: Redis, deployment: Deployment) -> AgentReply:
    """Give the second attempt's reply to turn 4."""
    return AgentReply(redis, deployment.keys.lane(LANE), session=SESSION, turn=4, attempt=2)


async def wanted() -> bool:
    return True


async def unwanted() -> bool:
    return False


async def pieces(*given_texts: str) -> AsyncGenerator[str]:
    """Yield these texts."""
    for text in given_texts:
        yield text


@given(st.text(max_size=300), st.integers(4, 40))
def test_text_is_cut_into_parts_that_decode_by_themselves(text: str, limit: int) -> None:
    """No part is too long, none ends within a character, none is lost."""
    parts = list(cut(text, limit))
    assert all(0 < len(part) <= limit for part in parts)
    assert "".join(part.decode() for part in parts) == text.encode("utf-8", "replace").decode()


async def test_frames_carry_turn_attempt_and_a_number(lane: LaneReader, reply: AgentReply) -> None:
    """The worker drops what is not the current attempt, and repeats."""
    async with reply.begun():
        for text in ("One. ", "Two."):
            reply.add(text)
            await reply.flush()
        await reply.done()
    frames = await lane.answer()
    assert [(frame.kind, frame.seq) for frame in frames] == [
        (Kind.AGENT_STARTED, 0),
        (Kind.AGENT_DELTA, 0),
        (Kind.AGENT_DELTA, 1),
        (Kind.AGENT_DONE, 2),
    ]
    assert {(frame.session, frame.turn, frame.attempt) for frame in frames} == {(SESSION, 4, 2)}


async def test_the_worker_hears_of_the_claim_while_the_agent_thinks(lane: LaneReader, reply: AgentReply) -> None:
    """Else it would publish the turn again; the agent does not wait for it to be written."""
    async with reply.begun():
        assert [frame.kind for frame in await lane.until(Kind.AGENT_STARTED)] == [Kind.AGENT_STARTED]


async def test_a_failure_says_its_code(lane: LaneReader, reply: AgentReply) -> None:
    """The worker decides by it what the caller hears."""
    await reply.failed(ErrorCode.AGENT_ERROR, "ValueError")
    (frame,) = await lane.answer()
    assert frame.json() == {"code": "agent_error", "message": "ValueError"}


async def test_whitespace_before_the_first_word_is_left_out_and_whitespace_alone_is_nothing(
    lane: LaneReader, reply: AgentReply
) -> None:
    """There is nothing to say in it."""
    await Relay(reply, wanted).run(pieces("  \n", "\t", "  word", " next"))
    await reply.done()
    assert "".join(texts_of(await lane.answer())) == "word next"


async def test_long_text_is_split_into_deltas_of_bounded_size(lane: LaneReader, reply: AgentReply) -> None:
    """An answer given at once is still carried in frames."""
    text = "ä" * MAX_DELTA
    await Relay(reply, wanted).run(pieces(text))
    await reply.done()
    frames = await lane.answer()
    assert frames[-1].seq == 2
    assert "".join(texts_of(frames)) == text


async def test_an_answer_that_never_ends_is_an_agent_error(reply: AgentReply, lane: LaneReader) -> None:
    """The bound is on the whole answer."""

    async def endless() -> AsyncGenerator[str]:
        while True:
            yield "word " * 200

    with pytest.raises(AgentError, match=str(MAX_ANSWER)):
        await Relay(reply, wanted).run(endless())
    assert lane is not None


async def test_an_agent_that_says_nothing_for_ever_leaves_the_loop_to_others(reply: AgentReply) -> None:
    """It never waits for anything, and still its time ends."""

    async def silent(turn: Turn) -> AsyncGenerator[str]:
        while True:
            yield ""

    given = Turn(session_id=SESSION, number=4, transcript="hello")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await Relay(reply, wanted).run(texts(silent, given))


async def test_the_first_piece_goes_at_once_and_a_burst_goes_together(lane: LaneReader, reply: AgentReply) -> None:
    """Latency for the first word, few frames for the rest."""
    go_on = asyncio.Event()

    async def burst() -> AsyncGenerator[str]:
        yield "first "
        await go_on.wait()
        for word in ["many", "words", "in", "one", "go"]:
            yield word

    relay = asyncio.create_task(Relay(reply, wanted).run(burst()))
    assert texts_of(await lane.until(Kind.AGENT_DELTA)) == ["first "]
    go_on.set()
    assert await relay
    await reply.done()
    assert texts_of(await lane.answer()) == ["manywordsinonego"]


async def test_the_end_of_a_clause_waits_for_nothing(
    lane: LaneReader, reply: AgentReply, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can be spoken, so it is not gathered with what comes next."""
    monkeypatch.setattr("control.agents.relay.COALESCE_S", 3600)
    go_on = asyncio.Event()

    async def sentence() -> AsyncGenerator[str]:
        for word in ["It", " is", " here", "."]:
            yield word
        await go_on.wait()

    relay = asyncio.create_task(Relay(reply, wanted).run(sentence()))
    heard = ""
    while not heard.endswith("."):
        heard += "".join(texts_of(await lane.until(Kind.AGENT_DELTA)))
    assert heard == "It is here."
    go_on.set()
    assert await relay


async def test_an_answer_that_is_no_longer_wanted_is_closed(lane: LaneReader, reply: AgentReply) -> None:
    """The agent's finally blocks run, and nothing more is said."""
    closed = []

    async def endless() -> AsyncGenerator[str]:
        try:
            while True:
                yield "word "
                await asyncio.sleep(0.01)
        finally:
            closed.append(True)

    assert not await Relay(reply, unwanted).run(endless())
    assert closed == [True]
    assert lane is not None


async def test_an_answer_to_a_lane_that_is_gone_ends(reply: AgentReply) -> None:
    """Nobody owns the stream, so nobody listens."""
    assert not await Relay(reply, wanted).run(pieces("to whom?"))


async def test_a_lane_without_redis_is_a_connection_error() -> None:
    """The worker then publishes the next attempt."""
    async with connect("unix:///nowhere/redis.sock") as nowhere:
        reply = AgentReply(nowhere, "lane", session=SESSION, turn=1, attempt=1)
        with pytest.raises(ConnectionFailed):
            async with reply.begun():
                await reply.done()
