"""Engine ``vocode``: a conversation with a Vocode server, whose own agent answers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import SecretStr

from providers.engines.vad.hearing import Hearing
from providers.registry import VAD
from providers.remote.api import RemoteApi
from providers.remote.config import key_of
from providers.vocode import codec
from providers.vocode.config import VocodeConfig
from providers.vocode.handshake import begun
from providers.vocode.stream import VocodeStream
from voicebackend.agents import HistoryEntry
from voicebackend.interfaces import S2sStream, SpeechToSpeech

URL, KEY = "VOCODE_URL", "VOCODE_API_KEY"
"""The environment's names for what the settings leave out."""


class VocodeS2s(SpeechToSpeech):
    """One server; a conversation is a websocket."""

    name = "vocode"
    remote: ClassVar[bool] = True
    Config = VocodeConfig
    can_say = False

    def __init__(self, config: VocodeConfig) -> None:
        super().__init__(config)
        self.settings = config
        self.sample_rate = config.sample_rate
        given = None if config.url is None else SecretStr(config.url)
        self._url = key_of(given, URL, field="url", op="s2s vocode")
        self._vad = VAD.create(config.vad)
        key = config.api_key or SecretStr(os.environ.get(KEY, ""))
        headers, self._params = _credentials(key.get_secret_value(), config)
        self._api = RemoteApi("vocode", config, url=self._url, headers=headers)

    async def open(self) -> None:
        """Make ready; nobody is called yet."""
        await self._vad.open()
        await self._api.open()

    async def check(self) -> None:
        """Begin a conversation and hang up once the server is ready: it has no cheaper question."""
        stream = await self.stream(metadata={})
        await stream.aclose()

    async def aclose(self) -> None:
        """Release the connections and the detector."""
        await self._api.aclose()
        await self._vad.aclose()

    async def stream(
        self, *, metadata: Mapping[str, Any], answers: bool = True, history: Sequence[HistoryEntry] = ()
    ) -> S2sStream:
        """Call the server; its agent answers, whatever ``answers`` says, and knows nothing of what was before."""
        del metadata, answers, history
        socket = await self._api.connect("talk", self._url, params=self._params, max_bytes=codec.MAX_BYTES)
        early = await begun(socket, self.settings)
        return VocodeStream(socket, self.settings, Hearing(self._vad), early)


def _credentials(key: str, config: VocodeConfig) -> tuple[dict[str, str], dict[str, str]]:
    """Return the headers and the query parameters of every call."""
    headers, params = {}, {}
    if config.agent_id is not None:
        params["agent_id"] = config.agent_id
    if key and config.api_key_parameter is not None:
        params[config.api_key_parameter] = key
    elif key:
        headers["Authorization"] = f"Bearer {key}"
    return headers, params
