"""LiveKit's server API (Twirp with JSON bodies): rooms made, cleared of others, and ended."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from providers.livekit.config import Access, LiveKitConfig
from providers.livekit.tokens import admin_token
from providers.remote.api import RemoteApi
from voicebackend.errors import InvalidConfig

EMPTY_S = 120
"""Seconds that a room waits for anybody: longer than a session waits for its caller."""
DEPARTURE_S = 30
"""Seconds that it waits for somebody to come back: longer than a session does."""
MAX_PARTICIPANTS = 4
"""The caller and two workers, at a takeover; one more, for a caller that comes back before the server saw it go."""


class Server:
    """One server's rooms, for all sessions of a process."""

    def __init__(self, access: Access, config: LiveKitConfig) -> None:
        self._access, self._api = (
            access,
            RemoteApi("livekit", config, url=f"{access.http_url}/twirp/livekit.RoomService"),
        )

    async def open(self) -> None:
        """Make ready; safe to call again."""
        await self._api.open()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._api.aclose()

    async def check(self) -> None:
        """Return if the server knows our key; raises AuthenticationFailed, ConnectionFailed."""
        await self._call("ListRooms", {"names": ["none"]}, roomList=True)

    async def create(self, room: str) -> None:
        """Make a room; one that is there stays."""
        wanted = {
            "name": room,
            "empty_timeout": EMPTY_S,
            "departure_timeout": DEPARTURE_S,
            "max_participants": MAX_PARTICIPANTS,
        }
        await self._call("CreateRoom", wanted, roomCreate=True)

    async def remove(self, room: str, identity: str) -> None:
        """Have a participant leave; one that is gone is fine."""
        with suppress(InvalidConfig):  # 404
            await self._call("RemoveParticipant", {"room": room, "identity": identity}, roomAdmin=True, room=room)

    async def delete(self, room: str) -> None:
        """End a room for everybody; one that is gone is fine."""
        with suppress(InvalidConfig):  # 404
            await self._call("DeleteRoom", {"room": room}, roomCreate=True)

    async def _call(self, method: str, body: dict[str, Any], **grants: Any) -> Any:
        headers = {"Authorization": f"Bearer {admin_token(self._access, **grants)}"}
        return await self._api.json(method, "POST", f"/{method}", body=body, headers=headers)
