"""What the three engines have in common: one connection pool with the key, and a way to try it."""

from __future__ import annotations

from typing import ClassVar

from providers.openai.config import OpenAiConfig
from providers.remote.api import RemoteApi
from providers.remote.config import key_of
from voicebackend.errors import ConnectionFailed
from voicebackend.interfaces import Engine

KEY_VARIABLE = "OPENAI_API_KEY"


class OpenAiEngine(Engine):
    """Reaches the API; before ``open`` it raises ``ConnectionFailed``."""

    name = "openai"
    remote: ClassVar[bool] = True

    def __init__(self, settings: OpenAiConfig) -> None:
        super().__init__(settings)
        self._common = settings
        self._api: RemoteApi | None = None

    @property
    def api(self) -> RemoteApi:
        """The open API."""
        if self._api is None:
            raise ConnectionFailed("openai", "the engine is not open")
        return self._api

    async def open(self) -> None:
        """Make ready; nothing is asked yet.

        Raises:
            InvalidConfig: there is no key.

        """
        if self._api is None:
            key = key_of(self._common.api_key, KEY_VARIABLE, field="api_key", op="openai")
            headers = {"Authorization": f"Bearer {key}"}
            self._api = RemoteApi("openai", self._common, url=self._common.api_url, headers=headers)
        await self._api.open()

    async def check(self) -> None:
        """List the models that the key may use: it costs nothing."""
        await self.api.json("check", "GET", "/models")

    async def aclose(self) -> None:
        """Close every connection."""
        api, self._api = self._api, None
        if api is not None:
            await api.aclose()
