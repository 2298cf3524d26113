"""LiveKit's server API, held to the suite of everything that is remote."""

from __future__ import annotations

from typing import Any

import pytest
from livekit_double import SECRET, LiveKitDouble

from providers.conformance.double import KEY, Double
from providers.conformance.remote import QUICK, AnswerSuite
from providers.livekit.config import Access, LiveKitConfig
from providers.livekit.server import Server
from providers.registry import PROVIDERS
from voicebackend.interfaces import Engine


class TestServerApi(AnswerSuite):
    """Credentials tried; a room made, cleared and ended."""

    def make_double(self) -> Double:
        """Return it."""
        return LiveKitDouble()

    def make_engine(self, double: Double, *, key: str = KEY, **settings: Any) -> Engine:
        """Return the provider."""
        return PROVIDERS.create("livekit", {"url": double.ws_url, "api_key": key, "api_secret": SECRET, **settings})

    async def use(self, engine: Engine) -> object:
        """Try the credentials as ``voicebackend providers check`` does."""
        await engine.check()
        return True


async def test_rooms_are_made_cleared_and_ended() -> None:
    """Every method sends what LiveKit knows, by a token for that alone; what is gone already is fine."""
    async with LiveKitDouble() as double:
        config = LiveKitConfig.model_validate(QUICK)
        server = Server(Access(url=double.ws_url, key=KEY, secret=SECRET), config)
        await server.open()
        await server.create("room-1")
        assert double.rooms == {"room-1"}
        await server.remove("room-1", "agent-1")
        await server.delete("room-1")
        await server.delete("room-1")
        await server.aclose()
        assert double.rooms == set()
        assert double.garbled == []
        assert [seen.path.rpartition("/")[2] for seen in double.seen] == [
            *("CreateRoom", "RemoveParticipant", "DeleteRoom", "DeleteRoom"),
        ]


@pytest.mark.parametrize("scheme", ["ws", "http"])
async def test_either_address_reaches_it(scheme: str) -> None:
    """Rooms' address and the API's are one."""
    async with LiveKitDouble() as double:
        settings = {"url": double.url.replace("http", scheme), "api_key": KEY, "api_secret": SECRET}
        provider = PROVIDERS.create("livekit", settings)
        await provider.open()
        await provider.check()
        await provider.aclose()
        assert len(double.seen) == 1
