"""Every framework's agent, held to the same promises: streamed, told what was heard, stopped, and its errors ours."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest
from framework_fakes import ENDPOINTS, FAKES, FIRST, REST, Script, fake_agent

from control.agents.runner import texts
from voicebackend.agents import HistoryEntry, Message, Turn
from voicebackend.client.replies import reply_texts
from voicebackend.errors import AgentError, InvalidConfig
from voicebackend.frameworks import adapted, is_framework_agent

KINDS = (*FAKES, *ENDPOINTS)
HISTORY = (
    HistoryEntry(role="agent", text="Hello.", turn=0),
    HistoryEntry(role="user", text="A table", turn=1),
    HistoryEntry(role="agent", text="For how", turn=1, interrupted=True),
)
TURN = Turn(session_id="s", number=2, transcript="for two please", history=HISTORY, user_id="ada")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ask", [texts, reply_texts], ids=["servers", "library"])
async def test_the_first_words_come_before_the_last_are_made(kind: str, ask: Any) -> None:
    """The model is still waiting when they are there; then the rest follows."""
    script = Script()
    async with fake_agent(kind, script) as agent, asyncio.timeout(20), aclosing(ask(adapted(agent), TURN)) as said:
        assert await anext(said) == FIRST
        assert not script.go_on.is_set()
        script.go_on.set()
        assert "".join([text async for text in said]) == REST
    assert not script.closed.is_set()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_model_is_told_what_was_heard(kind: str) -> None:
    """In turns, cut where the caller cut it, with what was said last at the end."""
    script = Script()
    script.go_on.set()
    async with fake_agent(kind, script) as agent:
        assert "".join([text async for text in texts(adapted(agent), TURN)]) == FIRST + REST
    assert script.told == [("agent", "Hello."), ("user", "A table"), ("agent", "For how"), ("user", "for two please")]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_model_that_hears_is_given_the_audio(kind: str) -> None:
    """Beside the words, in the form that its framework has for it; other turns have none."""
    audio = b"RIFF of a caller"
    forms = (b64encode(audio).decode(), audio.decode())  # the second: Pydantic AI encodes it later
    for turn, hears in ((replace(TURN, audio=audio), True), (TURN, False)):
        script = Script()
        script.go_on.set()
        async with fake_agent(kind, script) as agent:
            assert "".join([text async for text in texts(adapted(agent), turn)]) == FIRST + REST
        assert any(form in script.given for form in forms) is hears
        assert "for two please" in script.given


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "webhook"])
async def test_a_model_is_told_what_the_configuration_made_of_the_turn(kind: str) -> None:
    """Instructions, and messages in place of the history."""
    script = Script()
    script.go_on.set()
    told = (Message(role="system", text="Be brief."), Message(role="user", text="Two seats?"))
    turn = Turn(session_id="s", number=2, transcript="for two", history=HISTORY, messages=told)
    async with fake_agent(kind, script) as agent:
        assert "".join([text async for text in texts(adapted(agent), turn)]) == FIRST + REST
    assert script.told == [("system", "Be brief."), ("user", "Two seats?")]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ask", [texts, reply_texts], ids=["servers", "library"])
async def test_a_caller_who_interrupts_stops_the_model(kind: str, ask: Any) -> None:
    """Its stream is closed, not left to run on its own."""
    script = Script()
    async with fake_agent(kind, script) as agent, asyncio.timeout(20):
        said = ask(adapted(agent), TURN)
        assert await anext(said) == FIRST
        await said.aclose()
        await script.closed.wait()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_task_that_is_cancelled_while_the_model_thinks_stops_it(kind: str) -> None:
    """As the relay does when nobody wants the answer any more."""
    script, heard = Script(), asyncio.Event()

    async def listen() -> None:
        async with aclosing(texts(adapted(agent), TURN)) as said:
            async for _ in said:
                heard.set()

    async with fake_agent(kind, script) as agent, asyncio.timeout(20):
        listening = asyncio.create_task(listen(), name="listen")
        await heard.wait()
        listening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await listening
        await script.closed.wait()


@pytest.mark.parametrize("kind", KINDS)
async def test_what_a_model_raises_is_an_agent_error_without_its_words(kind: str) -> None:
    """What was said before is said."""
    script = Script()
    script.error = RuntimeError("a caller's secret")
    script.go_on.set()
    heard: list[str] = []
    async with fake_agent(kind, script) as agent, asyncio.timeout(20):
        with pytest.raises(AgentError) as caught:
            heard.extend([text async for text in texts(adapted(agent), TURN)])
    assert "secret" not in str(caught.value)


def test_an_agent_that_is_none_is_refused() -> None:
    """With the name of its type."""
    with pytest.raises(InvalidConfig, match="agent: int is no function and no agent"):
        adapted(7)
    assert not is_framework_agent(print)
    assert adapted(print) is print
