"""A session in the hands of the application: it feeds the caller's audio in and takes the agent's out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any, Self

from voicebackend.audio import FRAME_MS, PIPELINE_RATE, SAMPLE_BYTES, AudioFormat
from voicebackend.client.incoming import Incoming
from voicebackend.client.media import MediaSocket
from voicebackend.client.pace import Pace
from voicebackend.client.service import SessionService
from voicebackend.errors import SessionAlreadyActive, SessionNotActive, VoiceBackendError
from voicebackend.events import MAX_AUDIO_MS, ServerMessage
from voicebackend.session import AgentCallback, ConnectionState, PersistenceStatus, PipelineState, SessionView
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
        with measured("start_session", provider=self._view.provider, session_id=self.id):
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
        with measured("stop_session", provider=self._view.provider, session_id=self.id):
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
        self._active("send_audio")
        with measured("send_audio", provider=self._view.provider, session_id=self.id):
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
        await self._set_agent(self._service.agent_name(callback=callback))

    async def set_agent(self, agent: Any) -> None:
        """Let this agent answer from the next turn on: a registered name, or a callable that takes a ``Turn``."""
        await self._set_agent(self._service.agent_name(agent=agent))

    async def update_metadata(self, metadata: Mapping[str, Any]) -> None:
        """Replace the session's metadata: at most 16 KiB as JSON.

        Raises:
            SessionNotActive: the session is over.

        """
        with measured("update_metadata", provider=self._view.provider, session_id=self.id):
            self._view = await self._service.update("update_metadata", self.id, metadata=dict(metadata))

    async def _set_agent(self, name: str) -> None:
        with measured("set_agent", provider=self._view.provider, session_id=self.id):
            try:
                self._view = await self._service.update("set_agent", self.id, agent=name)
            except BaseException:
                self._service.forget_agent(name)
                raise
            self._let_go()
            self._agent = name

    def _let_go(self) -> None:
        """Forget the agent that does not answer any more, if it is one of this process."""
        self._service.forget_agent(self._agent)

    def _active(self, op: str) -> MediaSocket:
        if self._socket is None or self._incoming.over:
            raise SessionNotActive(op, "the session is over" if self._incoming.over else None)
        return self._socket
