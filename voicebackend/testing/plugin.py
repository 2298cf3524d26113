"""Fixtures for applications' tests, known to pytest as soon as this package is installed.

``voice_backend`` is an embedded backend of mock engines, ``mock_voice_backend`` one in memory, without any process.
``voice_caller`` calls an agent: ``caller = await voice_caller(agent)``. Each can be overridden, ``voice_config`` too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from voicebackend import BackendConfig, VoiceBackend
    from voicebackend.testing import Caller, MockVoiceBackend

CallAgent = Callable[..., Awaitable["Caller"]]
"""Opens a session with an agent, a function of the transcript or anything that ``SessionConfig.agent`` takes."""


def unavailable(function: Callable[..., Any]) -> Any:
    """Return a fixture's function that says what is missing, where the fixture is used."""

    def missing() -> None:
        pytest.fail(f'{function.__name__} needs pytest-asyncio: pip install "voicebackend[testing]"', pytrace=False)

    missing.__name__, missing.__doc__ = function.__name__, function.__doc__
    return missing


def async_fixture(function: Callable[..., Any]) -> Any:
    """Make a fixture of an async function; without pytest-asyncio one that says so."""
    try:
        from pytest_asyncio import fixture
    except ImportError:
        return pytest.fixture(unavailable(function))
    return fixture(function)


@pytest.fixture
def voice_config() -> BackendConfig:
    """Return the configuration of ``voice_backend``: mock engines, no key, no network."""
    from voicebackend import BackendConfig

    return BackendConfig(provider="mock", stt_provider="mock", tts_provider="mock")


@async_fixture
async def voice_backend(voice_config: BackendConfig) -> AsyncIterator[VoiceBackend]:
    """Give an embedded backend; it starts in about a second, with processes of its own, and ends with the test."""
    from voicebackend import VoiceBackend

    async with VoiceBackend(voice_config) as backend:
        yield backend


@async_fixture
async def mock_voice_backend() -> AsyncIterator[MockVoiceBackend]:
    """Give a backend in memory: whatever is said is ``mock transcript``, the agent's answers are real."""
    from voicebackend.testing import MockVoiceBackend

    async with MockVoiceBackend() as backend:
        yield backend


@async_fixture
async def voice_caller(voice_backend: Any) -> AsyncIterator[CallAgent]:
    """Give a function that calls an agent, and ends every call after the test."""
    from voicebackend import SessionConfig
    from voicebackend.testing import Caller

    async with AsyncExitStack() as calls:

        async def call(agent: Any = None, **fields: Any) -> Caller:
            asked = {
                "user_id": "test",
                "transport": "websocket",
                **({} if agent is None else {"agent": agent}),
                **fields,
            }
            session = await voice_backend.create_session(SessionConfig(**asked))
            return Caller(await calls.enter_async_context(session))

        yield call
