"""A whole conversation, as every provider must be able to hold it: each inherits the suite.

Everything is real but the vendor: Redis, a worker in a process of its own, the gateway's websocket, hooks and
processors. The caller speaks in tones, which every double understands to the letter.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from listening import STORY, alike, answer_to
from tone_caller import WAIT_S, ToneCaller, on_the_line

from voicebackend import AuthResult, BackendConfig, SessionConfig, VoiceBackend
from voicebackend.errors import InvalidConfig, ProviderNotFound

KEY = "conversation-key"
LONGEST_AFTER_S = 1.5
"""Seconds of agent audio that may still be heard after the caller has begun to speak: noticing takes some."""


class Counter:
    """Hooks and a processor of this process that count how often they are asked."""

    name, order = "counter", 1

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.kept = asyncio.Event()
        """It was asked whether to keep the transcript."""

    async def authenticate(self, token: str, metadata: Mapping[str, Any]) -> AuthResult:
        """Know one key."""
        del metadata
        return AuthResult(user_id="u", authorized=token == KEY)

    async def authorize(self, user_id: str, operation: str) -> bool:
        """Allow everything."""
        del user_id
        self.asked.append(operation)
        return True

    async def allow(self, key: str) -> bool:
        """Allow everything."""
        del key
        self.asked.append("allow")
        return True

    async def wait(self, key: str) -> None:
        """Wait for nothing."""

    async def should_retain(self, data_class: str, metadata: Mapping[str, Any]) -> bool:
        """Keep it."""
        del metadata
        if data_class == "transcript":
            self.kept.set()
        return True

    async def retention_period(self, data_class: str) -> timedelta:
        """Keep it for a minute."""
        del data_class
        return timedelta(minutes=1)

    async def process(self, audio: bytes, metadata: Mapping[str, Any]) -> bytes:
        """Change nothing."""
        self.asked.append(metadata["direction"])
        return audio


class Exchange:
    """A telephony hook that knows two numbers, and every call."""

    NUMBER, UNKNOWN = "+14155550123", "+14155550199"

    def __init__(self, provider: str) -> None:
        self.provider = provider
        self.asked: list[tuple[str, str]] = []

    async def route_call(self, phone_number: str, metadata: Mapping[str, Any]) -> str:
        """Name the provider, or one that is not there."""
        self.asked.append((phone_number, metadata["call_id"]))
        return self.provider if phone_number == self.NUMBER else "nobody"

    async def handle_sip(self, message: bytes, metadata: Mapping[str, Any]) -> bytes:
        """Answer nothing."""
        del message, metadata
        return b""

    async def call_metadata(self, call_id: str) -> Mapping[str, Any]:
        """Tell who carries it; and another number, which the call itself knows better."""
        return {"carrier": f"carrier of {call_id}", "phone_number": self.UNKNOWN}


async def refuses_telephone_calls(config: BackendConfig) -> None:
    """Find that a provider without telephony takes no call that the hook sends to it, and says what it can do."""
    exchange = Exchange(config.provider)
    async with VoiceBackend(config.with_telephony_hook(exchange)) as backend:
        with pytest.raises(InvalidConfig) as refused:
            await backend.create_session(dialled(Exchange.NUMBER, "call-1", answer_to))
        assert refused.value.details["field"] == "transport"
        assert "telephony" not in refused.value.details["possible"]
        assert f"provider {config.provider} cannot do telephony" in str(refused.value)
        assert exchange.asked == [(Exchange.NUMBER, "call-1")]
        assert await backend.list_sessions() == []


def dialled(number: str, call_id: str, agent: Any) -> SessionConfig:
    """Return what asks for a telephone call's session; ``agent`` None where the provider has one of its own."""
    wanted = {} if agent is None else {"agent_callback": agent}
    metadata = {"phone_number": number, "call_id": call_id}
    return SessionConfig(user_id="u", transport="telephony", metadata=metadata, **wanted)


class ConversationSuite:
    """Subclasses give the fixture ``config``: a BackendConfig of the provider that reaches its double or peer."""

    agent: Any = staticmethod(answer_to)
    """Answers where the provider has no agent of its own; None where it has."""
    transport = "websocket"
    arrives = 1.0
    """Share of the letters that arrive: all, but where the network may lose some."""

    @pytest.fixture
    def counter(self) -> Counter:
        """Give the hooks."""
        return Counter()

    @asynccontextmanager
    async def call(self, config: BackendConfig, counter: Counter) -> AsyncIterator[ToneCaller]:
        """Hold a call by this provider."""
        config = config.with_auth_hook(counter).with_rate_limiter(counter).with_custom_processors([counter])
        config = config.with_data_retention_hook(counter)
        wanted = {} if self.agent is None else {"agent_callback": self.agent}
        async with VoiceBackend(config, api_key=KEY) as backend:
            session = await backend.create_session(SessionConfig(user_id="u", transport=self.transport, **wanted))
            async with on_the_line(session) as caller:
                yield caller
            async with asyncio.timeout(WAIT_S):
                await counter.kept.wait()

    async def turn(self, caller: ToneCaller, text: str) -> None:
        """Say something, and hear it answered to the end."""
        caller.listen_anew()
        before = len(caller.transcripts("agent"))
        caller.say(text)
        await caller.until(lambda: len(caller.transcripts("agent")) > before)
        understood = caller.transcripts("user")[-1].strip()
        assert alike(understood, text, self.arrives), understood
        assert caller.transcripts("agent")[-1].strip() == answer_to(understood)
        await caller.quiet(0.5)
        assert alike(caller.words, answer_to(understood), self.arrives), caller.words

    async def test_three_turns_and_an_interruption(self, config: BackendConfig, counter: Counter) -> None:
        """What is said arrives to the letter both ways; who is interrupted stops, and only what was heard counts."""
        async with self.call(config, counter) as caller:
            await self.turn(caller, "hello there")

            caller.listen_anew()
            caller.say("tell me a story")
            await caller.until(lambda: caller.heard_s > 1.2)
            before = len(caller.transcripts("agent"))
            caller.say("please stop it now")
            begun_s = caller.heard_s
            await caller.until(lambda: len(caller.transcripts("agent")) > before)
            told = caller.transcripts("agent")[before].strip()
            assert told
            assert STORY.startswith(told)
            assert len(told) < len(STORY)
            await caller.until(lambda: len(caller.transcripts("agent")) > before + 1)
            await caller.quiet(0.5)
            understood = caller.transcripts("user")[-1].strip()
            assert alike(understood, "please stop it now", self.arrives), understood
            rest = answer_to(understood).partition(" ")[2]  # the first may run into the word that was cut off
            assert alike(caller.words[-len(rest) :], rest, self.arrives), caller.words
            answered_s = 0.05 * len(answer_to("please stop it now"))
            assert caller.heard_s - answered_s - begun_s < LONGEST_AFTER_S

            await self.turn(caller, "goodbye")
        assert {"in", "out", "allow", "sessions.create"} <= set(counter.asked)

    async def test_the_telephony_hook_routes_calls_and_tells_of_them(self, config: BackendConfig) -> None:
        """A number is answered by the provider that the hook names, and by nobody else; what it knows is added."""
        exchange = Exchange(config.provider)
        async with VoiceBackend(config.with_telephony_hook(exchange)) as backend:
            with pytest.raises(ProviderNotFound):
                await backend.create_session(dialled(Exchange.UNKNOWN, "call-1", self.agent))
            session = await backend.create_session(dialled(Exchange.NUMBER, "call-2", self.agent))
            assert session.view.provider == config.provider
            about = {"phone_number": Exchange.NUMBER, "call_id": "call-2", "carrier": "carrier of call-2"}
            assert session.view.metadata == about
            async with on_the_line(session) as caller:
                await self.turn(caller, "hello there")
        assert exchange.asked == [(Exchange.UNKNOWN, "call-1"), (Exchange.NUMBER, "call-2")]

    async def test_two_calls_never_mix(self, config: BackendConfig) -> None:
        """Each hears answers to its own words only."""
        wanted = {} if self.agent is None else {"agent_callback": self.agent}

        async def call(backend: VoiceBackend, words: str) -> None:
            session = await backend.create_session(SessionConfig(user_id="u", transport=self.transport, **wanted))
            async with on_the_line(session) as caller:
                await self.turn(caller, words)
                await self.turn(caller, f"again {words}")

        async with VoiceBackend(config) as backend, asyncio.TaskGroup() as group:
            for words in ("yellow canary", "green parrot"):
                group.create_task(call(backend, words), name=words)
