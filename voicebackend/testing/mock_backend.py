"""A backend in memory, for tests of applications: no server, no audio engine, every answer from a script."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Self

from voicebackend.audio import PIPELINE_RATE, AudioFormat
from voicebackend.config import BackendConfig
from voicebackend.errors import SessionLimitExceeded, SessionNotActive, SessionNotFound
from voicebackend.events import Swapped
from voicebackend.session import ConnectionState, Health, SessionConfig
from voicebackend.testing.mock_session import MockVoiceSession

DEGRADED_FROM = 0.9
"""Share of ``max_sessions`` from which health is degraded."""


class MockVoiceBackend:
    """Has the interface of ``VoiceBackend``.

    ``error`` is raised by every operation; ``delay`` (s) comes before each. ``audio`` is what the agent says, or
    ``audio_responses`` one turn after another; ``processing_delay`` (s) before it does. ``max_sessions`` 0 is
    unlimited. With ``auto_start_sessions`` sessions are started when created.
    """

    def __init__(
        self,
        config: BackendConfig | None = None,
        *,
        error: Exception | None = None,
        delay: float = 0.0,
        audio: bytes | None = None,
        audio_responses: Sequence[bytes] = (),
        processing_delay: float = 0.0,
        max_sessions: int = 0,
        auto_start_sessions: bool = False,
    ) -> None:
        self._config = config or BackendConfig(provider="mock", stt_provider="mock", tts_provider="mock")
        self._error, self._delay = error, delay
        silence = AudioFormat(sample_rate=PIPELINE_RATE).silence(0.1)
        self._responses = list(audio_responses) or [silence if audio is None else audio]
        self._processing_delay, self._max_sessions = processing_delay, max_sessions
        self._auto_start = auto_start_sessions
        self._state = ConnectionState.DISCONNECTED
        self._sessions: dict[str, MockVoiceSession] = {}

    def __repr__(self) -> str:
        return f"<MockVoiceBackend [{self._state}, {len(self._sessions)} sessions]>"

    @property
    def config(self) -> BackendConfig:
        """The configuration."""
        return self._config

    def connection_state(self) -> ConnectionState:
        """Return ``connected`` between start and stop."""
        return self._state

    def active_session_count(self) -> int:
        """Return how many sessions are not over."""
        return len(self._sessions)

    async def start(self) -> None:
        """Start."""
        await self._operate()
        self._state = ConnectionState.CONNECTED

    async def stop(self) -> None:
        """End every session."""
        for session in list(self._sessions.values()):
            await session.stop()
        self._state = ConnectionState.DISCONNECTED

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def create_session(
        self,
        config: SessionConfig,
        *,
        sample_rate: int = PIPELINE_RATE,
        wait_for_rate_limit: bool = False,
    ) -> MockVoiceSession:
        """Create a session; raises SessionNotActive before ``start``, SessionLimitExceeded beyond ``max_sessions``."""
        await self._operate("create_session")
        if self._max_sessions and len(self._sessions) >= self._max_sessions:
            raise SessionLimitExceeded("create_session")
        session = MockVoiceSession(
            config,
            responses=self._responses,
            processing_delay=self._processing_delay,
            on_end=lambda ended: self._sessions.pop(ended, None),
        )
        session.sample_rate = sample_rate
        self._sessions[session.id] = session
        if self._auto_start:
            await session.start()
        return session

    async def get_session(self, session_id: str) -> MockVoiceSession:
        """Return a session that is not over; raises SessionNotFound."""
        await self._operate("get_session")
        try:
            return self._sessions[session_id]
        except KeyError:
            raise SessionNotFound("get_session", details={"session": session_id}) from None

    async def list_sessions(self) -> list[MockVoiceSession]:
        """Return every session that is not over, newest first."""
        await self._operate("list_sessions")
        return list(reversed(self._sessions.values()))

    async def close_session(self, session_id: str) -> None:
        """End a session; raises SessionNotFound."""
        await (await self.get_session(session_id)).stop()

    async def list_providers(self) -> list[dict[str, Any]]:
        """Return this one, in the few words that a test needs."""
        await self._operate("list_providers")
        capabilities = {"uses_agent": True, "transports": ["websocket"], "pipelines": ["s2s", "stt_tts"]}
        return [{"name": self._config.provider or "mock", "capabilities": capabilities, "health": Health.HEALTHY}]

    async def swap_session(self, session_id: str, **names: str | None) -> Swapped:
        """Swap nothing but the names; raises SessionNotFound."""
        return await (await self.get_session(session_id)).swap(**names)

    async def health_check(self) -> Health:
        """Return ``degraded`` from 90 % of ``max_sessions``, ``unhealthy`` with a scripted error."""
        if self._state is not ConnectionState.CONNECTED:
            return Health.UNKNOWN
        if self._error:
            return Health.UNHEALTHY
        full = self._max_sessions and len(self._sessions) >= DEGRADED_FROM * self._max_sessions
        return Health.DEGRADED if full else Health.HEALTHY

    async def update_config(self, config: BackendConfig) -> None:
        """Take another configuration."""
        await self._operate("update_config")
        self._config = config.checked(own_pipeline=True)

    async def _operate(self, op: str = "") -> None:
        """Do what every operation does first; only ``start`` may be done before the start."""
        await asyncio.sleep(self._delay)
        if self._error:
            raise self._error
        if op and self._state is not ConnectionState.CONNECTED:
            raise SessionNotActive(op, "the backend is not started")
