"""A session in memory: what goes in is kept, and is answered by the script and the agent's function."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Self
from uuid import uuid4

from voicebackend._background import Background
from voicebackend.agents import Turn
from voicebackend.audio import PIPELINE_RATE, SAMPLE_BYTES
from voicebackend.client.feed import Feed
from voicebackend.client.replies import reply_texts
from voicebackend.config import parse
from voicebackend.consent import ConsentWord
from voicebackend.errors import InvalidConfig, SessionAlreadyActive, SessionNotActive, VoiceBackendError
from voicebackend.events import Error, ServerMessage, State, Swapped, Transcript
from voicebackend.frameworks import adapted
from voicebackend.session import AgentCallback, ConnectionState, PersistenceStatus, PipelineState, SessionConfig
from voicebackend.swap import SwapRequest

MAX_KEPT = 1000
"""Pieces of audio and events kept for a reader."""
TRANSCRIPT = "mock transcript"
"""What the mock understands, whatever is said."""


class MockVoiceSession:
    """Has the interface of ``VoiceSession``; every ``process_audio`` is a turn."""

    def __init__(
        self,
        config: SessionConfig,
        *,
        responses: Sequence[bytes],
        processing_delay: float = 0.0,
        on_end: Callable[[str], object] = lambda _: None,
    ) -> None:
        self.id = uuid4().hex
        self.sample_rate = PIPELINE_RATE
        self.config = config.copied()
        self.processed: list[bytes] = []
        """Whole samples that ``process_audio`` took, call by call."""
        self.error: VoiceBackendError | None = None
        self._responses, self._delay, self._on_end = list(responses), processing_delay, on_end
        self._agent: tuple[Any, bool] = (config.agent_callback or config.agent, config.agent_callback is not None)
        self._state, self._active, self._over = PipelineState.IDLE, False, False
        self._half, self._turn = b"", 0
        self._consents: dict[str, bool] = {}
        self._background, self._turns = Background(), asyncio.Lock()
        self._agent_audio: Feed[bytes] = Feed(MAX_KEPT)
        self._caller_audio: Feed[bytes] = Feed(MAX_KEPT)
        self._events: Feed[ServerMessage] = Feed(MAX_KEPT)

    def __repr__(self) -> str:
        return f"<MockVoiceSession {self.id} [{'active' if self._active else 'not active'}, {self._state}]>"

    def state(self) -> PipelineState:
        """Return what the conversation is doing."""
        return self._state

    def connection_state(self) -> ConnectionState:
        """Return ``connected`` between start and stop."""
        return ConnectionState.CONNECTED if self._active else ConnectionState.DISCONNECTED

    def persistence_status(self) -> PersistenceStatus:
        """Return ``active`` until it is stopped."""
        return PersistenceStatus.COMPLETED if self._over else PersistenceStatus.ACTIVE

    async def start(self, *, sample_rate: int | None = None) -> None:
        """Begin to listen."""
        if self._over:
            raise SessionNotActive("start", "the session is over")
        if self._active:
            raise SessionAlreadyActive("start")
        self._active, self.sample_rate = True, sample_rate or self.sample_rate
        self._move(PipelineState.LISTENING)

    async def stop(self) -> None:
        """End; nothing happens to a session that is over."""
        self._active, self._over = False, True
        await self._background.aclose()
        self._state = PipelineState.IDLE
        for feed in (self._agent_audio, self._caller_audio, self._events):
            feed.close()
        self._on_end(self.id)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def process_audio(self, pcm: bytes) -> None:
        """Take caller audio; the next response follows."""
        self._check("process_audio")
        data = self._half + pcm
        whole = len(data) - len(data) % SAMPLE_BYTES
        self._half = data[whole:]
        if whole:
            self.processed.append(data[:whole])
            self._caller_audio.put(data[:whole])
            self._background.start(self._answer(), name=f"mock turn {self.id}")

    async def send_audio(self, pcm: bytes) -> None:
        """Play audio to the caller."""
        self._check("send_audio")
        self._agent_audio.put(pcm)

    async def receive_audio(self) -> AsyncIterator[bytes]:
        """Yield what the caller says, until the end."""
        async for pcm in self._caller_audio:
            yield pcm

    async def agent_audio(self) -> AsyncIterator[bytes]:
        """Yield what the agent says, until the end."""
        async for pcm in self._agent_audio:
            yield pcm

    async def events(self) -> AsyncIterator[ServerMessage]:
        """Yield events, until the end."""
        async for message in self._events:
            yield message

    async def set_agent_callback(self, callback: AgentCallback) -> None:
        """Let this function answer from now on."""
        self._agent = (callback, True)

    async def set_agent(self, agent: Any) -> None:
        """Let this agent answer from now on; of a name nothing is said."""
        self._agent = (agent, False)

    async def update_metadata(self, metadata: Mapping[str, Any]) -> None:
        """Replace the metadata."""
        self.config = self.config.model_copy(update={"metadata": dict(metadata)})

    async def swap(
        self,
        *,
        provider: str | None = None,
        stt_provider: str | None = None,
        tts_provider: str | None = None,
        s2s_provider: str | None = None,
        pipeline_type: str | None = None,
    ) -> Swapped:
        """Tell that it is swapped; it goes on as it was."""
        names = {"provider": provider, "stt_provider": stt_provider, "tts_provider": tts_provider}
        parse(SwapRequest, {**names, "s2s_provider": s2s_provider, "pipeline_type": pipeline_type}, op="swap")
        self._check("swap")
        outcome = Swapped(swapped=True, provider=provider or "mock")
        self._events.put(outcome)
        return outcome

    async def send_text(self, text: str) -> None:
        """Answer a text as if it had been said."""
        self._check("send_text")
        self._background.start(self._answer(text), name=f"mock turn {self.id}")

    async def say(self, text: str, *, then_end: bool = False) -> None:
        """Tell that it is said."""
        del then_end
        self._check("say")
        self._events.put(Transcript(role="agent", text=text, final=True, turn=self._turn))

    async def transfer(self, to: str, *, sorry: str | None = None) -> None:
        """Refuse: it is no telephone call."""
        del to, sorry
        self._check("transfer")
        raise InvalidConfig("transfer", "only a telephone call can be handed over")

    async def consent(self, word: ConsentWord) -> dict[str, bool]:
        """Take what is said of consent."""
        self._check("consent")
        self._consents.update(dict.fromkeys(word.classes, word.given))
        return dict(self._consents)

    def _check(self, op: str) -> None:
        if not self._active:
            raise SessionNotActive(op)

    def _move(self, state: PipelineState) -> None:
        self._state = state
        self._events.put(State(state=state))

    async def _answer(self, said: str = TRANSCRIPT) -> None:
        async with self._turns:
            self._turn += 1
            turn = self._turn
            self._move(PipelineState.PROCESSING)
            self._events.put(Transcript(role="user", text=said, final=True, turn=turn))
            await asyncio.sleep(self._delay)
            try:
                text = await self._reply(said)
            except VoiceBackendError as error:
                self._events.put(Error(code=error.code, message=error.message))
            else:
                self._move(PipelineState.SPEAKING)
                self._agent_audio.put(self._responses[(turn - 1) % len(self._responses)])
                if text:
                    self._events.put(Transcript(role="agent", text=text, final=True, turn=turn))
            self._move(PipelineState.LISTENING)

    async def _reply(self, said: str) -> str:
        function, of_transcript = self._agent
        if function is None or isinstance(function, str):
            return ""
        function = function if of_transcript else adapted(function)
        turn = Turn(session_id=self.id, number=self._turn, transcript=said, metadata=self.config.metadata)
        return "".join([text async for text in reply_texts(function, said if of_transcript else turn)])
