"""An embedded backend for a test."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator

import pytest
from embedded_harness import CONFIG, children_of

from voicebackend import VoiceBackend


@pytest.fixture
async def backend() -> AsyncIterator[VoiceBackend]:
    """Give an embedded backend of mock engines."""
    async with VoiceBackend(CONFIG) as backend:
        yield backend


@pytest.fixture(autouse=True)
def nothing_left_running() -> Iterator[None]:
    """Fail a test that leaves a process behind."""
    before = set(children_of(os.getpid()))
    yield
    assert set(children_of(os.getpid())) <= before
