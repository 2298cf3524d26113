"""Whole conversations by the mock provider, with the suite of all."""

from __future__ import annotations

import pytest
from conversation_suite import ConversationSuite

from voicebackend import BackendConfig

pytestmark = [pytest.mark.integration, pytest.mark.own_redis("the embedded library starts its own")]


class TestMock(ConversationSuite):
    """Ears that read tones back, and a voice that speaks them."""

    @pytest.fixture
    def config(self) -> BackendConfig:
        """Give the mock, which listens to what is said."""
        settings = {"decode": True, "seconds_per_character": 0.05}
        return BackendConfig(provider="mock", provider_config=settings)
