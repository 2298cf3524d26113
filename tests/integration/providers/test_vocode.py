"""Whole conversations with a real Vocode server and with one that behaves as it does, with the suite of all."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from conversation_suite import ConversationSuite
from cut_suite import CutSuite
from relay import Relay
from vocode_double import VocodeDouble
from vocode_peer import vocode

from providers.conformance.double import KEY
from voicebackend import BackendConfig

pytestmark = [pytest.mark.integration, pytest.mark.own_redis("the embedded library starts its own")]


@pytest.fixture
async def double() -> AsyncIterator[VocodeDouble]:
    """Give the double, in real time; every call has ended, and was spoken to as the protocol has it."""
    async with VocodeDouble() as double:
        yield double
        assert double.seen
        assert await double.released()
        assert not double.garbled


class TestVocode(ConversationSuite, CutSuite):
    """The server's own agent answers."""

    agent = None

    @pytest.fixture
    def config(self, double: VocodeDouble) -> BackendConfig:
        """Give the provider."""
        settings = {"url": f"{double.ws_url}/conversation", "api_key": KEY}
        return BackendConfig(provider="vocode", provider_config=settings)


@pytest.mark.peers
class TestVocodeServer(ConversationSuite):
    """The same conversations with the real server."""

    agent = None

    @pytest.fixture(params=[(), ("partials",)], ids=["finals", "partials"])
    async def config(self, request: pytest.FixtureRequest) -> AsyncIterator[BackendConfig]:
        """Give the provider; callers interrupt when they are understood, or as soon as they speak."""
        async with vocode(*request.param) as url:
            yield BackendConfig(provider="vocode", provider_config={"url": url})


@pytest.mark.peers
class TestVocodeServerCutOff(CutSuite):
    """The real server behind a network that breaks."""

    @pytest.fixture
    async def double(self) -> AsyncIterator[Relay]:
        """Give the network."""
        async with vocode() as url, Relay(url) as relay:
            yield relay

    @pytest.fixture
    def config(self, double: Relay) -> BackendConfig:
        """Give the provider."""
        return BackendConfig(provider="vocode", provider_config={"url": f"{double.ws_url}/conversation"})
