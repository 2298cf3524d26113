"""Hooks that are objects of this process, asked by servers in another."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from embedded_harness import (
    CONFIG,
    HEARD,
    SESAME,
    answer_of,
    wanted,
)

from voicebackend import (
    AuthResult,
    VoiceBackend,
)
from voicebackend.errors import AuthenticationFailed, RateLimitExceeded

pytestmark = [pytest.mark.integration, pytest.mark.own_redis("the embedded library starts its own")]


class Hooks:
    """Hooks of this process, counting how often they are asked."""

    name, order = "counter", 1

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.allowed = True

    async def authenticate(self, token: str, metadata: Mapping[str, Any]) -> AuthResult:
        return AuthResult(user_id="u", authorized=token == SESAME)

    async def authorize(self, user_id: str, operation: str) -> bool:
        self.asked.append(operation)
        return True

    async def allow(self, key: str) -> bool:
        self.asked.append(key)
        return self.allowed

    async def wait(self, key: str) -> None:
        return None

    async def should_retain(self, data_class: str, metadata: Mapping[str, Any]) -> bool:
        return True

    async def retention_period(self, data_class: str) -> timedelta:
        return timedelta(hours=1)

    async def process(self, audio: bytes, metadata: Mapping[str, Any]) -> bytes:
        self.asked.append(metadata["direction"])
        return audio


async def test_hooks_that_are_objects_are_asked_here() -> None:
    """Auth, rate limit and processors of this process decide for servers in another."""
    hooks = Hooks()
    config = CONFIG.with_auth_hook(hooks).with_rate_limiter(hooks).with_custom_processors([hooks])
    config = config.with_retry_delay(0.1).with_max_retries(1)
    async with VoiceBackend(config, api_key=SESAME) as backend:
        async with await backend.create_session(wanted(agent_callback=str)) as session:
            assert await answer_of(session) == HEARD
        assert {"sessions.create", "default:u:sessions.create", "in", "out"} <= set(hooks.asked)
        hooks.allowed = False
        with pytest.raises(RateLimitExceeded):
            await backend.create_session(wanted(agent_callback=str))


async def test_an_auth_hook_that_refuses_is_told_at_the_start() -> None:
    """The backend does not start with a key that its own hook does not know."""
    with pytest.raises(AuthenticationFailed):
        await VoiceBackend(CONFIG.with_auth_hook(Hooks()), api_key="wrong").start()
