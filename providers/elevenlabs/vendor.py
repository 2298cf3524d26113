"""What both engines of ElevenLabs' have: the connection pool and the key."""

from __future__ import annotations

from typing import ClassVar

from providers.elevenlabs.config import ElevenLabsConfig
from providers.engines.pool import opened
from providers.remote.api import RemoteApi
from providers.remote.config import key_of
from voicebackend.interfaces import Engine

NAME = "elevenlabs"


class ElevenLabsEngine(Engine):
    """Opens the pool with the account's key."""

    name = NAME
    remote: ClassVar[bool] = True
    needs_key = True

    def __init__(self, config: ElevenLabsConfig) -> None:
        super().__init__(config)
        self._reached_by = config
        self._api: RemoteApi | None = None

    @property
    def api(self) -> RemoteApi:
        """The vendor, once open; raises PipelineError before."""
        return opened(self._api, NAME)

    async def open(self) -> None:
        """Make ready; connects to nobody.

        Raises:
            InvalidConfig: there is no key, and one is needed.

        """
        if self._api is None:
            config, headers = self._reached_by, {}
            if self.needs_key:
                headers["xi-api-key"] = key_of(config.api_key, "ELEVENLABS_API_KEY", field="api_key", op=NAME)
            self._api = RemoteApi(NAME, config, url=config.api_url, headers=headers)
        await self._api.open()

    async def aclose(self) -> None:
        """Close every connection."""
        api, self._api = self._api, None
        if api is not None:
            await api.aclose()
