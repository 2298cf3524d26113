"""A call at Vapi, from its creation to its certain end, by HTTP."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any

from providers.remote.api import RemoteApi
from providers.remote.socket import RemoteSocket
from providers.vapi import codec
from providers.vapi.config import VapiConfig
from voicebackend.errors import InvalidFormat, VoiceBackendError

logger = logging.getLogger(__name__)

END_S = (0.3, 0.7, 1.5)
"""Seconds after which it is looked at whether a call has ended by itself, each from the look before."""
LOOK_S = 0.5
"""Seconds that a look may take: all of them, and what ends the call, are to be done while an engine closes."""


@dataclass(frozen=True, slots=True)
class Call:
    """Where a call is to be had. Whoever knows any of this can join it or end it: it belongs in no log."""

    id: str = field(repr=False)
    socket_url: str = field(repr=False)
    control_url: str = field(repr=False)


class Calls:
    """Creates calls of an account, and sees to it that they end."""

    def __init__(self, config: VapiConfig, key: str) -> None:
        self._config = config
        self._api = RemoteApi("vapi", config, url=config.api_url, headers={"Authorization": f"Bearer {key}"})
        self._open_api = RemoteApi("vapi", config, url="")  # a call's own URLs need no key, and get none

    async def open(self) -> None:
        """Make ready."""
        await self._api.open()
        await self._open_api.open()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._api.aclose()
        await self._open_api.aclose()

    async def check(self) -> None:
        """Try the key.

        Raises:
            VoiceBackendError: it is refused, or nobody answers.

        """
        await self._api.json("check", "GET", "/call", params={"limit": "1"})

    async def create(self, *, greets: bool) -> Call:
        """Create a call, which waits some 20 s for somebody to join it; asked twice, there would be two.

        Raises:
            VoiceBackendError: it is refused, or the answer is of no use.

        """
        body = codec.call_body(self._config, greets=greets)
        return self.read(await self._api.json("create_call", "POST", "/call", body=body, once=True))

    async def join(self, call: Call) -> RemoteSocket:
        """Return the call's websocket.

        Raises:
            VoiceBackendError: it cannot be reached.

        """
        return await self._open_api.connect("join_call", call.socket_url)

    async def see_off(self, call: Call) -> None:
        """Return once the call has ended; one that does not end by itself is told to."""
        for seconds in END_S:
            await asyncio.sleep(seconds)
            if await self._has_ended(call):
                return
        if not call.control_url:
            logger.warning("a call at vapi may not have ended")
            return
        try:
            await self._open_api.json("end_call", "POST", call.control_url, body=codec.END_CALL)
        except VoiceBackendError as error:
            logger.warning("a call at vapi may not have ended", extra={"error_code": str(error.code)})

    async def _has_ended(self, call: Call) -> bool:
        """Tell whether a call is known to have ended; a look that fails, or takes long, says nothing."""
        try:
            async with asyncio.timeout(LOOK_S):
                found = await self._api.json("read_call", "GET", f"/call/{call.id}")
        except (TimeoutError, VoiceBackendError):
            return False
        return isinstance(found, dict) and found.get("status") == codec.ENDED

    def read(self, found: Any) -> Call:
        """Return the call that an answer tells of.

        Raises:
            InvalidFormat: it tells of none, or of one that others could listen to on its way.

        """
        fields = found if isinstance(found, dict) else {}
        transport, monitor = fields.get("transport"), fields.get("monitor")
        url = transport.get("websocketCallUrl") if isinstance(transport, dict) else None
        control = monitor.get("controlUrl") if isinstance(monitor, dict) else None
        id_ = fields.get("id")
        secure = self._config.api_url.startswith("https:")
        if not isinstance(id_, str) or not isinstance(url, str) or not url.startswith("wss:" if secure else "ws"):
            raise InvalidFormat("vapi.create_call", "the answer tells no websocket of the call")
        if not isinstance(control, str) or not control.startswith("https:" if secure else "http"):
            control = ""
        return Call(id_, url, control)
