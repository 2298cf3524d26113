"""A session in the hands of the application: it feeds the caller's audio in and takes the agent's out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Self

from voicebackend.audio import FRAME_MS, PIPELINE_RATE, SAMPLE_BYTES, AudioFormat
from voicebackend.client.incoming import Incoming
from voicebackend.client.media import MediaSocket
from voicebackend.client.pace import Pace
from voicebackend.client.service import SessionService
from voicebackend.config import parse
from voicebackend.consent import ConsentWord
from voicebackend.errors import SessionAlreadyActive, SessionNotActive, VoiceBackendError
from voicebackend.events import MAX_AUDIO_MS, ServerMessage, Swapped
from voicebackend.session import AgentCallback, ConnectionState, PersistenceStatus, PipelineState, SessionView
from voicebackend.swap import SwapRequest
from voicebackend.telemetry import measured


class VoiceSession:
    """One conversation; made by ``create_session`` and ``get_session``. As a context manager it starts and stops.

    All PCM is signed 16-bit little-endian mono of ``sample_rate`` Hz.
    """

    def __init__(
        self, service: SessionService, view: SessionView, *, agent: str = "", sample_rate: int = PIPELINE_RATE
    ) -> None:
        self._service, self._view, self._agent = service, view, agent
        self._format = AudioFormat(sample_rate=sample_rate)
        self._incoming = Incoming(view, ended=self._let_go)
        self._socket: MediaSocket | None = None
        self._pace, self._half = Pace(), b""

    def __repr__(self) -> str:
        stands = "over" if self._incoming.over else self._incoming.connection
        return f"<VoiceSession {self.id} [{stands}, {self.state()}]>"

    @property
    def id(self) -> str:
        """The session's id."""
        return self._view.id

    @property
    def view(self) -> SessionView:
        """The session as the API last showed it."""
        return self._view

    def _shown(self, view: SessionView) -> None:
        """Note how the API shows the session now."""
        self._view = view

    @property
    def sample_rate(self) -> int:
        """Hz of the audio both ways."""
        return self._format.sample_rate

    @property
    def error(self) -> VoiceBackendError | None:
        """What ended the session, or cut its connection for good, if that was an error."""
        return self._incoming.error

    def state(self) -> PipelineState:
        """Return what the conversation is doing, as last heard over this socket; ``idle`` before."""
        return self._incoming.state

    def connection_state(self) -> ConnectionState:
        """Return how this session's socket stands."""
        return self._incoming.connection

    def persistence_status(self) -> PersistenceStatus:
        """Return ``active`` while the session would survive a restart, ``completed`` once it is over."""
        return PersistenceStatus.COMPLETED if self._incoming.over else PersistenceStatus.ACTIVE

    async def start(self, *, sample_rate: int | None = None) -> None:
        """Connect the caller; returns once the session listens.

        Raises:
            SessionAlreadyActive: it is started already.
            SessionNotActive: it is over.
            VoiceBackendError: the gateway refuses.

        """
        with self._measured("start_session"):
            if self._incoming.over:
                raise SessionNotActive("start", "the session is over")
            if self._incoming.connection is not ConnectionState.DISCONNECTED:
                raise SessionAlreadyActive("start")
            if sample_rate is not None:
                self._format = AudioFormat(sample_rate=sample_rate)
            self._incoming.connection = ConnectionState.CONNECTING
            try:
                self._socket = await self._service.connect(self.id, self._incoming, self.sample_rate)
            except BaseException:
                self._incoming.connection = ConnectionState.DISCONNECTED
                raise
            self._incoming.connection = ConnectionState.CONNECTED

    async def stop(self) -> None:
        """End the session; nothing happens to one that is over."""
        with self._measured("stop_session"):
            if self._socket:
                await self._socket.stop()
            elif not self._incoming.over:
                await self._service.close(self.id)
            self._incoming.on_end(None)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def process_audio(self, pcm: bytes) -> None:
        """Take the caller's audio, of any length; an odd half sample is carried over to the next call.

        May be as fast as you like: what is more than 10 s ahead of real time waits.

        Raises:
            SessionNotActive: the session is not started, or over.
            OperationTimeout: the connection takes nothing.

        """
        with self._measured("process_audio"):
            socket = self._active("process_audio")
            data = self._half + pcm
            whole = len(data) - len(data) % SAMPLE_BYTES
            self._half = data[whole:]
            step = self._format.frame_bytes * MAX_AUDIO_MS // FRAME_MS
            for at in range(0, whole, step):
                piece = data[at : min(at + step, whole)]
                await asyncio.sleep(self._pace.wait_s(self._format.duration_s(piece), time.monotonic()))
                await socket.send(piece)
                self._incoming.caller_audio.put(piece)

    async def send_audio(self, pcm: bytes) -> None:
        """Play the application's own audio to the caller: it comes out of ``agent_audio()`` like the agent's.

        Raises:
            SessionNotActive: the session is not started, or over.
            InvalidFormat: an odd number of bytes, none, or more than 1 MB.

        """
        with self._measured("send_audio"):
            self._active("send_audio")
            await self._service.play(self.id, pcm, self.sample_rate)

    async def receive_audio(self) -> AsyncIterator[bytes]:
        """Yield the audio that comes from the caller, until the session ends."""
        async for pcm in self._incoming.caller_audio:
            yield pcm

    async def agent_audio(self) -> AsyncIterator[bytes]:
        """Yield what the agent says, at most 200 ms ahead of real time, until the session ends.

        When the caller interrupts, what was not yet taken is dropped.
        """
        async for _, pcm in self._incoming.agent_audio:
            yield pcm

    async def events(self) -> AsyncIterator[ServerMessage]:
        """Yield ``voicebackend.events`` messages, until the session ends."""
        async for message in self._incoming.events:
            yield message

    async def set_agent_callback(self, callback: AgentCallback) -> None:
        """Let this function answer from the next turn on.

        Raises:
            InvalidConfig: the servers run elsewhere, so that they cannot call it.

        """
        await self._set_agent(callback=callback)

    async def set_agent(self, agent: Any) -> None:
        """Let this agent answer from the next turn on: a registered name, or a callable that takes a ``Turn``."""
        await self._set_agent(agent=agent)

    async def update_metadata(self, metadata: Mapping[str, Any]) -> None:
        """Replace the session's metadata: at most 16 KiB as JSON.

        Raises:
            SessionNotActive: the session is over.

        """
        with self._measured("update_metadata"):
            self._view = await self._service.update("update_metadata", self.id, metadata=dict(metadata))

    async def swap(
        self,
        *,
        provider: str | None = None,
        stt_provider: str | None = None,
        tts_provider: str | None = None,
        s2s_provider: str | None = None,
        pipeline_type: str | None = None,
    ) -> Swapped:
        """Go on with another provider or other engines, by name; their settings are the configuration's.

        Returns what came of it: ``swapped`` False with an ``error`` if all stays as it was, and what is ``lost``.

        Raises:
            InvalidConfig: nothing is named.
            SessionNotActive: the session is over, or not ready yet.
            OperationTimeout: nobody answered in time; it may still happen.

        """
        names = {"provider": provider, "stt_provider": stt_provider, "tts_provider": tts_provider}
        names |= {"s2s_provider": s2s_provider, "pipeline_type": pipeline_type}
        with self._measured("swap"):
            outcome = await self._service.swap(self.id, parse(SwapRequest, names, op="swap"))
            if outcome.swapped:
                self._view = self._view.model_copy(update={"provider": outcome.provider})
            return outcome

    async def send_text(self, text: str) -> None:
        """Say something in the caller's place, in writing: it interrupts like speech, and is answered by voice.

        Raises:
            InvalidConfig: it is empty, or longer than 4,000 characters.
            SessionNotActive: the session is over, or not ready yet.

        """
        with self._measured("send_text"):
            await self._service.text(self.id, text)

    async def say(self, text: str, *, then_end: bool = False) -> None:
        """Have the agent's voice say something, in the place of what it is saying.

        With ``then_end`` the caller cannot interrupt, and the session ends once it was heard.

        Raises:
            InvalidConfig: it is empty, or longer than 4,000 characters.
            SessionNotActive: the session is over, or not ready yet.

        """
        with self._measured("say"):
            await self._service.say(self.id, text, then_end=then_end)

    async def transfer(self, to: str, *, sorry: str | None = None) -> None:
        """Hand a telephone call over to a person, E.164, at once; ``sorry`` is told to a caller whom nobody takes.

        Raises:
            AuthorizationFailed: the number is not among the trunk's ``transfer_to``.
            InvalidConfig: this call cannot be handed over.
            SessionNotActive: the session is over, or not ready yet.
            VoiceBackendError: the carrier refuses; the call goes on.

        """
        with self._measured("transfer"):
            await self._service.transfer(self.id, to, sorry)

    async def consent(self, word: ConsentWord) -> dict[str, bool]:
        """Say that the caller agrees, or not any more, that something is kept; return how it stands, by class.

        Raises:
            SessionNotActive: the session is over: it takes withdrawals only, and for an hour.

        """
        with self._measured("consent"):
            return await self._service.consent(self.id, word)

    async def _set_agent(self, **agent: Any) -> None:
        with self._measured("set_agent"):
            name = self._service.agent_name(**agent)
            try:
                self._view = await self._service.update("set_agent", self.id, agent=name)
            except BaseException:
                self._service.forget_agent(name)
                raise
            self._let_go()
            self._agent = name

    def _measured(self, operation: str) -> AbstractContextManager[Any]:
        """Trace and count an operation, as far as the configuration wants that."""
        view, switches = self._view, self._service.switches
        whose: dict[str, Any] = {"user_id": view.pseudonym, "pipeline_type": str(view.pipeline_type)}
        return measured(operation, provider=view.provider, switches=switches, session_id=view.id, **whose)

    def _let_go(self) -> None:
        """Forget the agent that does not answer any more, if it is one of this process."""
        self._service.forget_agent(self._agent)

    def _active(self, op: str) -> MediaSocket:
        if self._socket is None or self._incoming.over:
            raise SessionNotActive(op, "the session is over" if self._incoming.over else None)
        return self._socket
