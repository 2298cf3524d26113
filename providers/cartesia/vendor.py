"""What every engine of Cartesia's has: the connection pool, the key, and a way to try it."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar, Generic, TypeVar

from providers.cartesia.config import CartesiaConfig
from providers.engines.pool import opened
from providers.remote.api import RemoteApi
from providers.remote.config import key_of
from providers.remote.socket import RemoteSocket
from voicebackend.errors import ConnectionFailed, InvalidConfig, InvalidFormat, VoiceBackendError
from voicebackend.interfaces import Engine
from voicebackend.statuses import code_word, from_status

C = TypeVar("C", bound=CartesiaConfig)

NAME = "cartesia"
_LOWEST_STATUS = 400
_OURS = ("invalid_", "missing_", "dynamic_variables_")
"""Begin the codes of what another try would not mend."""


class CartesiaEngine(Engine, Generic[C]):
    """Opens the pool with the account's key."""

    name = NAME
    remote: ClassVar[bool] = True

    def __init__(self, config: C) -> None:
        super().__init__(config)
        self.settings = config
        self._api: RemoteApi | None = None

    @property
    def api(self) -> RemoteApi:
        """The vendor, once open; raises PipelineError before."""
        return opened(self._api, NAME)

    async def open(self) -> None:
        """Make ready; connects to nobody.

        Raises:
            InvalidConfig: there is no key.

        """
        if self._api is None:
            config = self.settings
            key = key_of(config.api_key, "CARTESIA_API_KEY", field="api_key", op=NAME)
            headers = {"X-API-Key": key, "Cartesia-Version": config.api_version}
            self._api = RemoteApi(NAME, config, url=config.api_url, headers=headers)
        await self._api.open()

    async def check(self) -> None:
        """Ask for one voice's name: any key of the account may."""
        await self.api.json("check", "GET", "/voices", params={"limit": "1"})

    async def aclose(self) -> None:
        """Close every connection."""
        api, self._api = self._api, None
        if api is not None:
            await api.aclose()


async def messages(socket: RemoteSocket) -> AsyncIterator[dict[str, Any]]:
    """Yield what the vendor tells until it hangs up in good order: JSON objects, on every websocket of its.

    Raises:
        VoiceBackendError: the connection broke, or something else came.

    """
    async for message in socket.objects():
        if isinstance(message, bytes):
            raise InvalidFormat(NAME, "a message is no text")
        yield message


def word_of(message: Mapping[str, Any], field: str) -> str:
    """Return a field's text; empty if it has none."""
    found = message.get(field)
    return found if isinstance(found, str) else ""


def audio_of(data: object, op: str) -> bytes:
    """Return the audio in a message, none if there is none; raises InvalidFormat."""
    try:
        return base64.b64decode(data, validate=True) if isinstance(data, str) else b""
    except ValueError:  # binascii.Error, or letters that are not ASCII
        raise InvalidFormat(f"{NAME}.{op}", "audio is no base64") from None


def told(message: dict[str, Any], op: str) -> VoiceBackendError:
    """Return the error that an ``error`` message tells of; the vendor's words are left out."""
    status, code = message.get("status_code"), code_word(message.get("error_code") or message.get("code"))
    details = {"error_code": code} if code else {}
    if isinstance(status, int) and status >= _LOWEST_STATUS:
        return from_status(status, f"{NAME}.{op}", details=details)
    if code and code.startswith(_OURS):
        return InvalidConfig(f"{NAME}.{op}", f"the vendor does not accept a setting: {code}", details=details)
    return ConnectionFailed(f"{NAME}.{op}", "the vendor reported an error", details=details)
