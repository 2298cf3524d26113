"""Engine ``pipecat``: a conversation with a pipeline that a Pipecat server runs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from providers import packages
from providers.pipecat.config import PipecatConfig
from providers.pipecat.schema import frame_class
from providers.pipecat.start import Started, started
from providers.pipecat.stream import PipecatStream
from providers.registry import VAD
from providers.remote.api import RemoteApi
from providers.remote.leases import Leases
from providers.remote.socket import RemoteSocket
from voicebackend.agents import HistoryEntry
from voicebackend.interfaces import SpeechToSpeech, VoiceActivityDetector


class PipecatS2s(SpeechToSpeech):
    """Speaks what the server's pipeline speaks; that cannot be given texts of others, nor what was said before."""

    name = "pipecat"
    remote = True
    can_say = False
    takes_text = True
    Config = PipecatConfig

    def __init__(self, config: PipecatConfig) -> None:
        super().__init__(config)
        self._settings, self.sample_rate = config, config.sample_rate
        bearer = {"Authorization": f"Bearer {config.bearer}"} if config.bearer else {}
        self._start_url, self._url = config.start_url, config.pipecat_server_url or ""
        self._server = RemoteApi("pipecat", config, url="", headers={} if self._start_url else bearer)
        self._starter = RemoteApi("pipecat", config, url="", headers=bearer)
        self._detector: VoiceActivityDetector = VAD.create(config.vad)
        self._leases = Leases("pipecat")

    async def open(self) -> None:
        """Make ready; no connection is made before a session needs one.

        Raises:
            InvalidConfig: protobuf is not installed.

        """
        try:
            await asyncio.to_thread(frame_class)
        except ImportError:
            raise packages.missing("protobuf", "pipecat", "pipecat.open") from None
        for part in (self._detector, self._server, self._starter):
            await part.open()

    async def check(self) -> None:
        """Open the websocket, of a session that is started for it where the server starts them, and hang up."""
        await (await self._connect({})).aclose()

    async def stream(
        self, *, metadata: Mapping[str, Any], answers: bool = True, history: Sequence[HistoryEntry] = ()
    ) -> PipecatStream:
        """Connect to the server; its own agent answers, whatever ``answers`` and ``history`` say."""
        del answers, history
        stream = PipecatStream(await self._connect(metadata), self._settings, self._detector)
        try:
            await stream.greet()
        except BaseException:
            await stream.aclose()
            raise
        return stream

    async def aclose(self) -> None:
        """Have started sessions that nobody wants end, and close every connection."""
        await self._leases.aclose()
        for part in (self._starter, self._server, self._detector):
            await part.aclose()

    async def _connect(self, metadata: Mapping[str, Any]) -> RemoteSocket:
        if self._start_url is None:
            return await self._server.connect("connect", self._url)
        where = await self._leases.make(self._start(self._start_url, metadata), self._leave)
        return await self._join(where)

    async def _join(self, where: Started) -> RemoteSocket:
        headers = {"Authorization": f"Bearer {where.token}"} if where.token else None
        return await self._server.connect("connect", where.url, headers=headers)

    async def _start(self, url: str, metadata: Mapping[str, Any]) -> Started:
        body = self._settings.start_body(metadata)
        return started(await self._starter.json("start", "POST", url, body=body, once=True), url)

    async def _leave(self, where: Started) -> None:
        """End a session that nobody waits for any more: it ends when its websocket does."""
        await (await self._join(where)).aclose()
