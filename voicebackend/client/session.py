"""A session in the hands of the application: it feeds the caller's audio in and takes the agent's out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any, Self

from voicebackend import events
from voicebackend.audio import PIPELINE_RATE, SAMPLE_BYTES, AudioFormat
from voicebackend.client.feed import Feed
from voicebackend.client.media import MediaSocket
from voicebackend.client.service import SessionService
from voicebackend.errors import SessionAlreadyActive, SessionNotActive, VoiceBackendError
from voicebackend.events import MAX_AUDIO_MS, ServerMessage
from voicebackend.session import (
    AgentCallback,
    ConnectionState,
    PersistenceStatus,
    PipelineState,
    SessionView,
    is_over,
)
from voicebackend.telemetry import measured

MAX_EVENTS = 1000
"""Events kept for ``events()``."""
MAX_AGENT_CHUNKS = 3000
"""Pieces of agent audio kept for ``agent_audio()``: a minute of 20 ms."""
MAX_CALLER_CHUNKS = 300
"""Pieces of caller audio kept for ``receive_audio()``: a minute of 200 ms."""
MAX_AHEAD_S = 10.0
"""Seconds of audio that may be sent ahead of real time; the gateway closes the socket at three times that."""


class Pace:
    """Says how long to wait so that audio is never too far ahead of real time; no clock is read."""

    def __init__(self) -> None:
        self._until = 0.0

    def wait_s(self, seconds: float, now: float) -> float:
        """Return the seconds to wait before these seconds of audio are sent."""
        self._until = max(self._until, now) + seconds
        return max(0.0, self._until - now - MAX_AHEAD_S)


class VoiceSession:
    """One conversation; made by ``create_session`` and ``get_session``. As a context manager it starts and stops.

    All PCM is signed 16-bit little-endian mono of ``sample_rate`` Hz.
    """

    def __init__(
        self, service: SessionService, view: SessionView, *, agent: str = "", sample_rate: int = PIPELINE_RATE
    ) -> None:
        self._service, self._view, self._agent, self.sample_rate = service, view, agent, sample_rate
        self._format = AudioFormat(sample_rate=sample_rate)
        self._socket: MediaSocket | None = None
        self._half = b""
        self._pipeline_state = view.pipeline_state
        self._connection_state = ConnectionState.DISCONNECTED
        self._over = is_over(view.state)
        self._sent = Pace()
        self._turn = 0
        self._audio: Feed[tuple[int, bytes]] = Feed(MAX_AGENT_CHUNKS)
        self._events: Feed[ServerMessage] = Feed(MAX_EVENTS)
        self._caller: Feed[bytes] = Feed(MAX_CALLER_CHUNKS)
        self.error: VoiceBackendError | None = None
        """What ended the session or cut its connection for good, if that was an error."""

    def __repr__(self) -> str:
        state = "over" if self._over else self._connection_state
        return f"<VoiceSession {self.id} [{state}, {self._pipeline_state}]>"

    @property
    def id(self) -> str:
        """The session's id."""
        return self._view.id

    @property
    def view(self) -> SessionView:
        """The session as the API last showed it."""
        return self._view

    def state(self) -> PipelineState:
        """Return what the conversation is doing, as last heard."""
        return self._pipeline_state

    def connection_state(self) -> ConnectionState:
        """Return how this session's socket stands."""
        return self._connection_state

    def persistence_status(self) -> PersistenceStatus:
        """Return ``active`` while the session would survive a restart, ``completed`` once it is over."""
        return PersistenceStatus.COMPLETED if self._over else PersistenceStatus.ACTIVE

    async def start(self, *, sample_rate: int | None = None) -> None:
        """Connect the caller; returns once the session listens.

        Raises:
            SessionAlreadyActive: it is started already.
            SessionNotActive: it is over.
            VoiceBackendError: the gateway refuses.

        """
        with measured("start_session", provider=self._view.provider, session_id=self.id):
            if self._over:
                raise SessionNotActive("start", "the session is over")
            if self._connection_state is not ConnectionState.DISCONNECTED:
                raise SessionAlreadyActive("start")
            if sample_rate is not None:
                self._format, self.sample_rate = AudioFormat(sample_rate=sample_rate), sample_rate
            self._connection_state = ConnectionState.CONNECTING
            try:
                self._socket = await self._service.connect(self.id, self, self.sample_rate)
            except BaseException:
                self._connection_state = ConnectionState.DISCONNECTED
                raise
            self._connection_state = ConnectionState.CONNECTED

    async def stop(self) -> None:
        """End the session; nothing happens to one that is over."""
        with measured("stop_session", provider=self._view.provider, session_id=self.id):
            if self._socket:
                await self._socket.stop()
            elif not self._over:
                await self._service.close(self.id)
            self.on_end(self.error)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def process_audio(self, pcm: bytes) -> None:
        """Take the caller's audio, of any length; an odd half sample is carried over to the next call.

        May be as fast as you like: what is far ahead of real time waits.

        Raises:
            SessionNotActive: the session is not started, or over.
            OperationTimeout: the connection takes nothing.

        """
        socket = self._active("process_audio")
        data = self._half + pcm
        whole = len(data) - len(data) % SAMPLE_BYTES
        self._half = data[whole:]
        step = self._format.frame_bytes * MAX_AUDIO_MS // 20
        for at in range(0, whole, step):
            piece = data[at : min(at + step, whole)]
            await asyncio.sleep(self._sent.wait_s(self._format.duration_s(piece), time.monotonic()))
            await socket.send(piece)
            self._caller.put(piece)

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
        async for pcm in self._caller:
            yield pcm

    async def agent_audio(self) -> AsyncIterator[bytes]:
        """Yield what the agent says, at most 200 ms ahead of real time, until the session ends.

        When the caller interrupts, what was not yet taken is dropped.
        """
        async for _, pcm in self._audio:
            yield pcm

    async def events(self) -> AsyncIterator[ServerMessage]:
        """Yield ``voicebackend.events`` messages, until the session ends."""
        async for message in self._events:
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
            self._service.forget_agent(self._agent)
            self._agent = name

    def _active(self, op: str) -> MediaSocket:
        if self._socket is None or self._over:
            raise SessionNotActive(op, "the session is over" if self._over else None)
        return self._socket

    def on_event(self, message: ServerMessage) -> None:
        """Take a message from the socket."""
        if isinstance(message, events.State):
            self._pipeline_state = message.state
        if isinstance(message, events.AudioStart):
            self._turn = message.turn
        if isinstance(message, events.Clear):
            self._audio.drop(lambda waiting: waiting[0] <= message.turn)
        self._events.put(message)

    def on_audio(self, pcm: bytes) -> None:
        """Take agent audio from the socket."""
        self._audio.put((self._turn, pcm))

    def on_connection(self, state: ConnectionState) -> None:
        """Hear that the socket was lost or found again."""
        self._connection_state = state

    def on_end(self, error: VoiceBackendError | None) -> None:
        """Hear that the session is over."""
        self.error = error
        self._service.forget_agent(self._agent)
        self._over, self._connection_state = True, ConnectionState.ERROR if error else ConnectionState.DISCONNECTED
        self._pipeline_state = PipelineState.ERROR if error else PipelineState.IDLE
        for feed in (self._audio, self._events, self._caller):
            feed.close()
