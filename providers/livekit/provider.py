"""Provider ``livekit``: callers by WebRTC, and engines of this machine, or remote ones, that hear and speak."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar

from providers.livekit.config import Access, LiveKitConfig
from providers.livekit.room import LiveKitRoom
from providers.livekit.server import Server
from providers.local.provider import DEFAULT_ENGINES
from voicebackend.config import BackendConfig, PipelineType
from voicebackend.errors import InvalidConfig
from voicebackend.interfaces import CallerRoom, Capabilities, Place, VoiceProvider
from voicebackend.session import Transport


class LiveKitProvider(VoiceProvider):
    """Brings the transport; the pipeline is made of the engines that the config names."""

    name = "livekit"
    remote = True
    Config = LiveKitConfig
    capabilities: ClassVar[Capabilities] = Capabilities(
        transports=frozenset({Transport.WEBRTC}), pipelines=frozenset(PipelineType), dtmf=True
    )

    def __init__(self, config: LiveKitConfig | None = None) -> None:
        self.settings = config or LiveKitConfig()
        super().__init__(self.settings)
        self._opened: tuple[Access, Server] | None = None

    async def open(self) -> None:
        """Find the credentials, and load the SDK, which takes a second; raises InvalidConfig."""
        if self._opened is None:
            access = Access.of(self.settings)
            await asyncio.to_thread(import_module, "livekit.rtc")
            server = Server(access, self.settings)
            await server.open()
            self._opened = access, server

    async def check(self) -> None:
        """Try the credentials."""
        await self._open_server[1].check()

    async def aclose(self) -> None:
        """Close the connections to the server API."""
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened[1].aclose()

    def engines(self, config: BackendConfig) -> Mapping[str, tuple[str, Mapping[str, Any]]]:
        """Name the config's engines, and local ones where it names none for listening."""
        named = {role: name for role, (name, _) in super().engines(config).items()}
        return {role: (name, getattr(self.settings, role)) for role, name in {**DEFAULT_ENGINES, **named}.items()}

    def room(self, place: Place) -> CallerRoom:
        """Return a session's room, not joined."""
        access, server = self._open_server
        return LiveKitRoom(place, access, server, self.settings)

    @property
    def _open_server(self) -> tuple[Access, Server]:
        if self._opened is None:
            raise InvalidConfig("provider livekit", "not open")
        return self._opened
