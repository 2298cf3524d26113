"""Whole conversations by Vapi, with the suite of all."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from conversation_suite import ConversationSuite
from cut_suite import CutSuite
from vapi_double import VapiDouble

from providers.conformance.double import KEY
from voicebackend import BackendConfig

pytestmark = [pytest.mark.integration, pytest.mark.own_redis("the embedded library starts its own")]


@pytest.fixture
async def double() -> AsyncIterator[VapiDouble]:
    """Give the double; every call has ended, and was spoken to as Vapi's API has it."""
    async with VapiDouble() as double:
        yield double
        assert double.calls
        assert not double.live
        assert not double.garbled


@pytest.fixture
def config(double: VapiDouble) -> BackendConfig:
    """Give a config that reaches the double."""
    settings = {"api_key": KEY, "api_url": double.url, "assistant_id": "assistant"}
    return BackendConfig(provider="vapi", provider_config=settings)


class TestVapi(ConversationSuite, CutSuite):
    """An assistant of the double answers; a call that is cut is followed by another, which knows what was said."""

    agent = None


class TestVapiAsAVoice(ConversationSuite):
    """An agent of ours answers, and the assistant says it; what that thinks of by itself is heard by nobody."""

    @pytest.fixture
    def config(self, double: VapiDouble) -> BackendConfig:
        """Give a config of calls that ours carry."""
        settings = {"api_key": KEY, "api_url": double.url, "assistant_id": "assistant"}
        config = BackendConfig(provider="local", pipeline_type="s2s", provider_config={"s2s": settings})
        return config.with_s2s_provider("vapi")
