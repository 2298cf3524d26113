"""A backend, and a session that is not started, on a double of control."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from control_double import CONFIG, KEY, WANTED, ControlDouble, control_double

from voicebackend import (
    VoiceBackend,
    VoiceSession,
)


@pytest.fixture
async def double() -> AsyncIterator[ControlDouble]:
    """Give a double of control."""
    async with control_double() as running:
        yield running


@pytest.fixture
async def backend(double: ControlDouble) -> AsyncIterator[VoiceBackend]:
    """Give a backend that uses the double."""
    async with VoiceBackend(CONFIG, control_url=double.url, api_key=KEY) as backend:
        yield backend


@pytest.fixture
async def session(backend: VoiceBackend) -> VoiceSession:
    """Give a session that is not started."""
    return await backend.create_session(WANTED)
