"""How users' code type-checks: read by mypy and pyright, never run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import timedelta
from typing import Any, assert_type

from voicebackend import BackendConfig, PipelineType, SessionConfig, VoiceBackend
from voicebackend.agents import Turn, agent
from voicebackend.config import BackendConfig as Config
from voicebackend.hooks import (
    AudioProcessor,
    AuthHook,
    AuthResult,
    DataRetentionHook,
    RateLimiter,
    TelephonyHook,
)
from voicebackend.session import Health, PersistenceStatus, PipelineState


@agent("sync")
def sync_agent(turn: Turn) -> str:
    return turn.transcript


@agent("generator")
def generator_agent(turn: Turn) -> Iterator[str]:
    yield turn.transcript


@agent("async")
async def async_agent(turn: Turn) -> str:
    return turn.transcript


@agent("async-generator")
async def async_generator_agent(turn: Turn) -> AsyncIterator[str]:
    yield turn.transcript


assert_type(sync_agent(Turn(session_id="s", number=1, transcript="t")), str)


class Everything:
    """Satisfies every hook's protocol."""

    name = "everything"
    order = 1

    async def authenticate(self, token: str, metadata: Mapping[str, Any]) -> AuthResult:
        return AuthResult(user_id="u", authorized=True)

    async def authorize(self, principal: AuthResult, action: str, tenant: str) -> bool:
        return True

    async def allow(self, key: str) -> bool:
        return True

    async def wait(self, key: str) -> None: ...

    async def should_retain(self, data_class: str, metadata: Mapping[str, Any]) -> bool:
        return True

    async def retention_period(self, data_class: str) -> timedelta:
        return timedelta(days=1)

    async def route_call(self, phone_number: str, metadata: Mapping[str, Any]) -> str:
        return "mock"

    async def handle_sip(self, message: bytes, metadata: Mapping[str, Any]) -> bytes:
        return message

    async def call_metadata(self, call_id: str) -> Mapping[str, Any]:
        return {}

    async def process(self, audio: bytes, metadata: Mapping[str, Any]) -> bytes:
        return audio


auth: AuthHook = Everything()
limiter: RateLimiter = Everything()
retention: DataRetentionHook = Everything()
telephony: TelephonyHook = Everything()
processor: AudioProcessor = Everything()

config = BackendConfig().with_provider("mock").with_pipeline_type(PipelineType.S2S).with_timeout(3)
assert_type(config, Config)


async def session() -> None:
    async with VoiceBackend(config) as backend:
        assert_type(await backend.health_check(), Health)
        opened = await backend.create_session(SessionConfig(user_id="u", transport="websocket"))
        await opened.start()
        await opened.process_audio(b"")
        assert_type(opened.state(), PipelineState)
        assert_type(opened.persistence_status(), PersistenceStatus)
        async for pcm in opened.agent_audio():
            assert_type(pcm, bytes)
