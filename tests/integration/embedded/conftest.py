"""An embedded backend for a test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from embedded_harness import (
    CONFIG,
)

from voicebackend import (
    VoiceBackend,
)


@pytest.fixture
async def backend() -> AsyncIterator[VoiceBackend]:
    """Give an embedded backend of mock engines."""
    async with VoiceBackend(CONFIG) as backend:
        yield backend
