"""Calls of engine ``vapi``: how they begin, what they carry, and that each of them ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from listening import answer_to
from pydantic import SecretStr
from vapi_double import VapiDouble

from providers.conformance.double import KEY, Fault
from providers.conformance.remote import QUICK
from providers.conformance.s2s import conversation, until
from providers.mock.tones import spoken
from providers.vapi.calls import Calls
from providers.vapi.config import VapiConfig
from providers.vapi.s2s import VapiS2s
from voicebackend.agents import HistoryEntry
from voicebackend.audio import PIPELINE_RATE
from voicebackend.errors import ConnectionFailed, ConnectionTimeout, InvalidConfig, InvalidFormat, VoiceBackendError
from voicebackend.interfaces import S2sEvent

GREETING = "good day"


@pytest.fixture
async def double() -> AsyncIterator[VapiDouble]:
    """Give the double; whatever happens, every call has ended, and was spoken to as Vapi's API has it."""
    async with VapiDouble() as double:
        yield double
        assert not double.live
        assert not double.garbled


@pytest.fixture
async def engine(double: VapiDouble) -> AsyncIterator[VapiS2s]:
    """Give the engine, open; its assistant greets."""
    config = VapiConfig(
        api_key=SecretStr(KEY), api_url=double.url, assistant={"firstMessage": GREETING}, **dict(QUICK, max_retries=0)
    )
    engine = VapiS2s(config)
    await engine.open()
    yield engine
    await engine.aclose()


def said(events: list[S2sEvent]) -> tuple[str, str]:
    """Return an answer's text, and what its audio says."""
    text = "".join(event.text for event in events if event.kind == "agent_text")
    return text, spoken(b"".join(event.pcm for event in events), PIPELINE_RATE)


async def test_the_assistant_greets_a_new_caller(engine: VapiS2s) -> None:
    """Of its own accord, text and sound."""
    async with conversation(engine) as stream:
        assert said(await until("turn_done", stream.events())) == (GREETING, GREETING)


async def test_a_conversation_goes_on_where_another_was(double: VapiDouble, engine: VapiS2s) -> None:
    """The assistant knows what was said, and neither greets nor answers it; a text is answered."""
    history = [HistoryEntry(role="user", text="hello", turn=1), HistoryEntry(role="agent", text="hi", turn=1)]
    stream = await engine.stream(metadata={}, history=history)
    await stream.tell("who am I")
    answer = answer_to("who am I")
    assert said(await until("turn_done", stream.events())) == (answer, answer)
    await stream.aclose()
    [call] = double.calls.values()
    assert [message["content"] for message in call.history] == ["hello", "hi", "who am I", answer]


async def test_silence_flows_while_the_caller_sends_nothing(double: VapiDouble, engine: VapiS2s) -> None:
    """About as much as time has passed; a caller's own audio takes its place."""
    async with conversation(engine) as stream:
        [call] = double.calls.values()
        await asyncio.sleep(1.0)
        assert 0.4 < call.heard_bytes / 2 / PIPELINE_RATE < 2.5
        before = call.heard_bytes
        await stream.push(bytes(2 * PIPELINE_RATE))  # a second at once: no silence is needed meanwhile
        await asyncio.sleep(0.5)
        assert (call.heard_bytes - before) / 2 / PIPELINE_RATE < 1.25


async def test_the_far_side_may_hang_up(double: VapiDouble, engine: VapiS2s) -> None:
    """The events end, without an error."""
    async with conversation(engine) as stream:
        events = stream.events()
        await until("turn_done", events)
        [call] = double.calls.values()
        await call.end()
        async with asyncio.timeout(5):
            assert [event async for event in events] == []


async def test_a_broken_connection_is_told_to_reader_and_sender(double: VapiDouble, engine: VapiS2s) -> None:
    """Whoever comes next can decide what to do."""
    async with conversation(engine) as stream:
        double.drop()
        async with asyncio.timeout(5):
            with pytest.raises(ConnectionFailed):
                await until("never", stream.events())
        with pytest.raises(ConnectionFailed):
            await stream.push(bytes(640))


async def test_a_call_that_cannot_be_joined_is_ended(double: VapiDouble, engine: VapiS2s) -> None:
    """It was created, and would wait for somebody."""
    double.joinable = False
    with pytest.raises(ConnectionFailed):
        await engine.stream(metadata={})
    assert double.live
    await engine.aclose()
    assert not double.live
    assert double.seen[-1].path.endswith("/control")


async def test_a_call_that_does_not_end_by_itself_is_told_to() -> None:
    """Nothing is billed after the end."""
    async with VapiDouble(lingers=True) as double:
        engine = VapiS2s(VapiConfig(api_key=SecretStr(KEY), api_url=double.url, assistant_id="a"))
        await engine.open()
        async with conversation(engine):
            double.drop()
            await double.released()
            assert double.live
        await engine.aclose()
        assert not double.live


async def test_a_call_that_nobody_can_read_is_told_to_end(double: VapiDouble, engine: VapiS2s) -> None:
    """It may go on, for all that is known."""
    double.joinable = double.readable = False
    with pytest.raises(ConnectionFailed):
        await engine.stream(metadata={})
    await engine.aclose()
    assert double.seen[-1].path.endswith("/control")
    assert not double.live


async def test_a_call_that_nobody_waits_for_any_more_is_ended(double: VapiDouble, engine: VapiS2s) -> None:
    """Whoever asked for it has gone while it was being made."""
    double.order(Fault(kind="late", late_s=0.2))
    opening = asyncio.create_task(engine.stream(metadata={}), name="open")
    async with asyncio.timeout(5):
        await double.created.wait()
    double.order(None)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert double.live
    await engine.aclose()
    assert not double.live


@pytest.mark.parametrize("kind", ["late", "hang"])
async def test_a_call_is_asked_for_once(double: VapiDouble, kind: str) -> None:
    """Where no answer comes there may be a call; a second would be billed, too."""
    engine = VapiS2s(VapiConfig(api_key=SecretStr(KEY), api_url=double.url, assistant_id="a", **QUICK))
    await engine.open()
    double.order(Fault(kind=kind))
    with pytest.raises(ConnectionTimeout):
        await engine.stream(metadata={})
    assert [seen.path for seen in double.seen] == ["/call"]
    await engine.aclose()
    for call in double.live:
        await call.end()


async def test_a_call_is_ended_though_hanging_up_is_cancelled(double: VapiDouble, engine: VapiS2s) -> None:
    """At whatever it was waiting for."""
    stream = await engine.stream(metadata={})
    hanging_up = asyncio.create_task(stream.aclose(), name="hang-up")
    await asyncio.sleep(0)
    hanging_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging_up
    await stream.aclose()
    await engine.aclose()
    assert not double.live
    assert [seen.path for seen in double.seen if seen.method == "GET" and seen.path.startswith("/call/")]


async def test_urls_and_ids_of_calls_are_in_no_log(
    double: VapiDouble, engine: VapiS2s, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever has them can join: not when all goes well, and not when it goes wrong."""
    with caplog.at_level(logging.DEBUG):
        async with conversation(engine) as stream:
            await until("turn_done", stream.events())
        double.joinable = False
        with pytest.raises(VoiceBackendError) as caught:
            await engine.stream(metadata={})
        logging.getLogger("test").error("failed", exc_info=caught.value)
        double.order(Fault(kind="status", status=500))
        await engine.aclose()
        double.order(None)
        assert "may not have ended" in caplog.text
        assert double.seen[-1].path.endswith("/control")  # it was told to, though nobody could tell how it was
    for call in double.calls.values():
        assert call.id not in f"{caplog.text} {caught.value} {caught.value.details}"
        await call.end()


@pytest.mark.parametrize(
    ("found", "api_url"),
    [
        (None, "https://api.vapi.ai"),
        ([], "https://api.vapi.ai"),
        ({"id": "x"}, "https://api.vapi.ai"),
        ({"id": "x", "transport": {"websocketCallUrl": 7}}, "https://api.vapi.ai"),
        ({"id": "x", "transport": {"websocketCallUrl": "ws://open.example"}}, "https://api.vapi.ai"),
        ({"id": "x", "transport": {"websocketCallUrl": "https://open.example"}}, "http://127.0.0.1"),
    ],
)
async def test_an_answer_without_a_websocket_is_of_no_use(found: Any, api_url: str) -> None:
    """Nor is one whose websocket anybody could listen to."""
    calls = Calls(VapiConfig(assistant_id="a", api_url=api_url), "key")
    with pytest.raises(InvalidFormat):
        calls.read(found)


async def test_a_missing_key_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With where it can be set."""
    monkeypatch.delenv("VAPI_API_KEY", raising=False)
    with pytest.raises(InvalidConfig, match="VAPI_API_KEY"):
        await VapiS2s(VapiConfig(assistant_id="a")).open()
