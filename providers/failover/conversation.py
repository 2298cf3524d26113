"""One conversation with several speech-to-speech models, one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from providers.failover.candidates import Candidates
from providers.failover.closings import Closings
from providers.failover.exchange import Exchange
from providers.failover.reading import Reading
from providers.failover.switch import OnSwitch, Switch, told
from voicebackend.agents import HistoryEntry
from voicebackend.errors import ConnectionFailed, InvalidConfig, VoiceBackendError
from voicebackend.interfaces import S2sEvent, S2sStream, SpeechToSpeech

MAX_TRIES = 2
"""For each engine, of models that fail as soon as they are reached, one after the other."""
STEADY_S = 1.0
"""Seconds for which a model that works must have worked; then its failure is a new one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On what terms each model is spoken to."""

    metadata: Mapping[str, Any]
    answers: bool


class FailoverConversation(S2sStream):
    """Tells the events of whichever model is live as those of one; an answer that a model left unfinished ends."""

    def __init__(
        self, engines: Candidates[SpeechToSpeech], terms: Terms, exchange: Exchange, on_switch: OnSwitch
    ) -> None:
        self._engines, self._terms, self._on_switch = engines, terms, on_switch
        self._exchange, self._closings = exchange, Closings()
        self._clock = asyncio.get_running_loop().time
        self._at = self._tries = 0
        self._since = 0.0
        """When the live model was reached."""
        self._live: S2sStream | None = None
        self._reading: Reading | None = None
        self._closed = False

    async def open(self) -> None:
        """Reach the first model that can be."""
        self._at, self._live = await self._engines.opened("s2s", self._reached)
        if self._at:
            self._tell(0, ConnectionFailed("s2s"))

    async def push(self, pcm: bytes) -> None:
        """Send caller audio to the live model; while there is none, it is kept for the next."""
        if self._exchange.heard(pcm, self._clock()):
            self._look()
        await self._do(lambda live: live.push(pcm))

    async def say(self, text: str) -> None:
        """Have it spoken; again, where a model failed before it had begun."""
        self._exchange.given(text, self._clock())
        self._look()
        await self._do(lambda live: live.say(text))

    async def tell(self, text: str) -> None:
        """Have a text answered as if the caller had said it."""
        if not self._engines[self._at].takes_text:
            raise InvalidConfig("tell", f"{self._engines[self._at].name} takes no text", details={"field": "text"})
        self._exchange.typed(text, self._clock())
        self._look()
        await self._do(lambda live: live.tell(text))

    async def dtmf(self, digit: str) -> None:
        """Tell of a key."""
        await self._do(lambda live: live.dtmf(digit))

    async def interrupt(self, played_ms: float) -> None:
        """Cut short what was being said, and remember how much was heard of it."""
        self._exchange.interrupted(played_ms)
        await self._do(lambda live: live.interrupt(played_ms))

    async def aclose(self) -> None:
        """Hang up."""
        self._closed = True
        live, self._live = self._live, None
        if live is not None:
            await live.aclose()
        await self._closings.wait()

    async def events(self) -> AsyncIterator[S2sEvent]:
        """Yield what the models tell, until one hangs up in good order or none is left."""
        while True:
            try:
                async with aclosing(self._told()) as events:
                    async for event in events:
                        yield event
                return
            except VoiceBackendError as error:
                failure = error
            if self._closed:
                return
            ends, lost = self._leave()
            for event in ends:
                yield event
            await self._go_on(failure, lost)

    # ------------------------------------------------------------ from one model to the next

    def _leave(self) -> tuple[list[S2sEvent], tuple[str, ...]]:
        """Give the live model up; return what is to be told of that, and what is lost with it."""
        if self._live is not None:
            self._closings.begin(self._live.aclose(), self._engines[self._at].name)
        self._live = self._reading = None
        return self._exchange.left(self._clock())

    async def _go_on(self, failure: VoiceBackendError, lost: tuple[str, ...]) -> None:
        """Have the next model go on; raises if each has had its tries."""
        before = self._at
        self._engines.failed(before, failure)
        steady = self._clock() - self._since >= STEADY_S
        self._tries = 1 if steady else self._tries + 1
        if self._tries > MAX_TRIES * len(self._engines) or self._engines.hopeless(failure):
            raise failure
        self._at, self._live = await self._engines.opened("s2s", self._reached)
        self._tell(before, failure, lost)

    async def _reached(self, at: int) -> S2sStream:
        """Return a model's stream that knows what was said, and has heard what is not answered."""
        engine, terms = self._engines[at], self._terms
        if not (terms.answers or engine.can_say):
            raise InvalidConfig("s2s", f"{engine.name} speaks no text of others", details={"field": "failover.s2s"})
        history = self._exchange.memory.entries()
        live = await engine.stream(metadata=terms.metadata, answers=terms.answers, history=history)
        try:
            await self._hear_again(live, engine)
        except BaseException:
            self._closings.begin(live.aclose(), engine.name)
            raise
        self._since = self._clock()
        self._live = live  # at once: what comes now is no longer kept for it
        return live

    async def _hear_again(self, live: S2sStream, engine: SpeechToSpeech) -> None:
        """Say to a model again what the one before did not answer, or finish."""
        exchange = self._exchange
        known = exchange.begins(engine.sample_rate, self._clock(), by_text=engine.takes_text)
        if engine.takes_text and exchange.memory.unanswered:
            await live.tell(exchange.memory.unanswered)
        for text in list(exchange.texts):
            await live.say(text)
        for _, pcm in exchange.backlog.after(known):
            await live.push(pcm)

    def _tell(self, before: int, error: VoiceBackendError, lost: tuple[str, ...] = ()) -> None:
        engine, exchange = self._engines[self._at], self._exchange
        if exchange.memory.entries() and not engine.remembers:
            lost += ("history",)
        if exchange.backlog.cut:
            lost += ("audio",)
        names = {"source": self._engines[before].name, "to": engine.name}
        told(Switch(role="s2s", code=error.code, lost=lost, **names), self._on_switch)

    # ------------------------------------------------------------ the live model

    async def _told(self) -> AsyncGenerator[S2sEvent, None]:
        """Yield what the live model tells; raises when it fails, or is silent for too long."""
        if self._live is None:
            raise ConnectionFailed("s2s", "no model is there")
        exchange = self._exchange
        self._reading = Reading(self._live.events(), exchange.waiting, exchange.hold_tone)
        async with aclosing(self._reading.events()) as events:
            async for event in events:
                if event is None:
                    yield exchange.sounded(self._clock())
                    continue
                if event.kind == "error":
                    raise ConnectionFailed("s2s", "the speech-to-speech model reported an error")
                self._engines.succeeded(self._at)
                news = exchange.take(event, self._clock())
                if exchange.tone_ended():
                    yield S2sEvent(kind="turn_done")
                if news is not None:
                    yield news

    def _look(self) -> None:
        """Have it noticed that something is expected now."""
        if self._reading is not None:
            self._reading.look()

    async def _do(self, call: Callable[[S2sStream], Awaitable[None]]) -> None:
        """Have the live model do something; if it cannot, who reads its events hears of it."""
        live = self._live
        if live is None:
            return  # the next one is told all that counts
        try:
            await call(live)
        except VoiceBackendError as error:
            if self._live is live and self._reading is not None:
                self._reading.fail(error)


async def converse(
    engines: Candidates[SpeechToSpeech],
    terms: Terms,
    history: Sequence[HistoryEntry],
    *,
    sample_rate: int,
    timeout_s: float | None,
    hold_tone: bool,
    on_switch: OnSwitch,
) -> S2sStream:
    """Open a conversation; its audio has ``sample_rate`` Hz, and ``timeout_s`` without an answer is a failure."""
    exchange = Exchange(history, answers=terms.answers, sample_rate=sample_rate, timeout_s=timeout_s, sounds=hold_tone)
    conversation = FailoverConversation(engines, terms, exchange, on_switch)
    await conversation.open()
    return conversation
