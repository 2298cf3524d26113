"""One session's room: joined, kept, joined again when the connection is lost, and left."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from providers.livekit.config import Access, LiveKitConfig
from providers.livekit.connection import SAMPLE_RATE, Connection
from providers.livekit.guest import Loss
from providers.livekit.server import Server
from providers.livekit.stay import Stay
from providers.livekit.tokens import caller_token
from voicebackend.errors import ConnectionFailed, VoiceBackendError
from voicebackend.interfaces import CallerRoom, Invitation, Place
from voicebackend.lane_link import LaneLink
from voicebackend.retry import retrying
from voicebackend.rooms import room_of
from voicebackend.streams import Frame

logger = logging.getLogger(__name__)

REJOIN_S = 18.0
"""Seconds in which a lost room is to be had again; a session waits 20 s for its caller."""
AGAIN_S = 0.5
"""Seconds between tries, and for making the room again."""
FAREWELL_S = 1.0
"""Seconds that the last messages have to go out."""


class LiveKitRoom(CallerRoom):
    """Joined as ``agent-<epoch>``; who is there under a lower epoch had the lane before, and is removed."""

    sample_rate = SAMPLE_RATE

    def __init__(self, place: Place, access: Access, server: Server, config: LiveKitConfig) -> None:
        self._place, self._access, self._server, self._config = place, access, server, config
        self.name = room_of(config.room_name, place.session)
        self._line: Callable[[], LaneLink] | None = None
        self._connection: Connection | None = None
        self._stay: Stay | None = None
        self._speaking: asyncio.Task[None] | None = None
        self._keeping: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<LiveKitRoom {self.name} [{self._connection or 'not joined'}]>"

    async def open(self, line: Callable[[], LaneLink]) -> None:
        """Make the room, join it, and wait for the caller."""
        self._line = line
        await self._server.create(self.name)
        await retrying(self._config.retry, self._join)
        self._keeping = asyncio.create_task(self._keep(), name=f"livekit-{self.name}")

    def invitation(self) -> Invitation:
        """Return a fresh one."""
        life_s = self._config.join_within.total_seconds()
        token = caller_token(self._access, self.name, life_s)
        return Invitation(url=self._access.ws_url, token=token, expires_in=life_s)

    def take(self, frame: Frame) -> None:
        """Hand a frame to the caller who is there."""
        if self._stay is not None:
            self._stay.take(frame)

    async def wait(self) -> None:
        """Raise once the room cannot be had any more."""
        if self._keeping is None:
            raise ConnectionFailed("livekit", "the room is not open")
        await asyncio.shield(self._keeping)

    async def aclose(self, *, over: bool) -> None:
        """Leave; with ``over`` end the room for the caller too."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        if over and self._stay is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(FAREWELL_S):
                    await self._stay.done.wait()
        await self._disconnect()
        if over:
            try:
                await self._server.delete(self.name)
            except VoiceBackendError as error:
                logger.info("room not deleted", extra={"error_code": str(error.code)})

    # ------------------------------------------------------------ the caller, as the connection tells

    def came(self) -> None:
        """Begin a stay."""
        if self._connection is None or self._line is None:
            return
        self._stay = Stay(self._line(), self._connection, SAMPLE_RATE)
        self._speaking = asyncio.create_task(self._stay.run(), name=f"livekit-stay-{self.name}")
        self._stay.begin(self._place.traceparent)

    def went(self, *, stopped: bool) -> None:
        """End it."""
        stay, self._stay = self._stay, None
        if stay is not None:
            stay.leave(stopped=stopped)
        if self._speaking is not None:
            self._speaking.cancel()

    def audio(self, pcm: bytes) -> None:
        """Pass on what the caller says."""
        if self._stay is not None:
            self._stay.audio(pcm)

    def message(self, text: str) -> None:
        """Pass on what the caller's application says."""
        if self._stay is not None:
            self._stay.message(text)

    def pressed(self, digit: str) -> None:
        """Pass on a key."""
        if self._stay is not None:
            self._stay.pressed(digit)

    # ------------------------------------------------------------ the connection

    async def _join(self) -> None:
        """Be in the room, and the only worker there."""
        connection = self._connection = Connection(self)
        try:
            connect_s = self._config.connect_timeout.total_seconds()
            await connection.join(self._access, self.name, self._place.epoch, connect_s=connect_s)
            for identity, epoch in connection.agents():
                if epoch < self._place.epoch:
                    await self._server.remove(self.name, identity)
        except BaseException:
            await self._disconnect()
            raise
        logger.info("room joined", extra={"session_id": self._place.session, "epoch": self._place.epoch})

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.leave()
        if self._speaking is not None:
            self._speaking.cancel()
            await asyncio.gather(self._speaking, return_exceptions=True)
            self._speaking = None

    async def _keep(self) -> None:
        """Join again whenever the connection is lost; return never, raise ConnectionFailed when it stays lost."""
        while self._connection is not None:
            loss = await self._connection.lost()
            self.went(stopped=loss is Loss.ENDED)
            if loss is not Loss.BROKEN:
                logger.info("room left", extra={"session_id": self._place.session, "loss": str(loss)})
                await asyncio.Event().wait()  # the session hears of it as of a caller who left
            await self._rejoin()

    async def _rejoin(self) -> None:
        logger.warning("room lost", extra={"session_id": self._place.session})
        await self._disconnect()
        until = asyncio.get_running_loop().time() + REJOIN_S
        while True:
            try:
                await self._join()
                return
            except VoiceBackendError as error:
                if asyncio.get_running_loop().time() >= until:
                    raise ConnectionFailed("livekit", "the room is lost") from error
            await self._make_again()
            await asyncio.sleep(AGAIN_S)

    async def _make_again(self) -> None:
        """Make the room anew: a server that was restarted has forgotten it, and not all make it when it is joined."""
        with suppress(VoiceBackendError, TimeoutError):
            async with asyncio.timeout(AGAIN_S):
                await self._server.create(self.name)
