"""Whole conversations by Pipecat: its double, and a real server, with the suite of all."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pipecat_peer
import pytest
from conversation_suite import ConversationSuite
from cut_suite import CutSuite
from pipecat_call import Manner
from pipecat_double import PipecatDouble
from relay import Relay

from providers.conformance.double import KEY
from voicebackend import BackendConfig

pytestmark = [pytest.mark.integration, pytest.mark.own_redis("the embedded library starts its own")]


@pytest.fixture
async def double() -> AsyncIterator[PipecatDouble]:
    """Give the double, in real time; every call has ended, and was spoken to as the protocol has it."""
    async with PipecatDouble(Manner(pace=1.0)) as double:
        yield double
        assert double.calls
        assert await double.released()
        assert not double.garbled


class TestDouble(ConversationSuite, CutSuite):
    """Its double's agent answers; sessions are started, and reached by their tokens."""

    agent = None

    @pytest.fixture
    def config(self, double: PipecatDouble) -> BackendConfig:
        """Give the provider."""
        settings = {"start_url": f"{double.url}/start", "api_key": KEY}
        return BackendConfig(provider="pipecat", provider_config=settings)


@pytest.mark.peers
class TestRoute(ConversationSuite):
    """A real server with a route of its own."""

    agent = None

    @pytest.fixture
    async def config(self) -> AsyncIterator[BackendConfig]:
        """Give a config of calls that the server takes."""
        async with pipecat_peer.route() as url:
            yield BackendConfig(provider="pipecat", provider_config={"pipecat_server_url": url})


@pytest.mark.peers
class TestRunner(ConversationSuite):
    """Pipecat's development runner, which starts sessions and wants their tokens."""

    agent = None

    @pytest.fixture
    async def config(self) -> AsyncIterator[BackendConfig]:
        """Give a config of calls that the runner starts."""
        async with pipecat_peer.runner() as url:
            yield BackendConfig(provider="pipecat", provider_config={"start_url": url})


@pytest.mark.peers
class TestServerCutOff(CutSuite):
    """A real server behind a network that breaks."""

    @pytest.fixture
    async def double(self) -> AsyncIterator[Relay]:
        """Give the network."""
        async with pipecat_peer.route() as url, Relay(url) as relay:
            yield relay

    @pytest.fixture
    def config(self, double: Relay) -> BackendConfig:
        """Give the provider."""
        return BackendConfig(provider="pipecat", provider_config={"pipecat_server_url": f"{double.ws_url}/ws"})
