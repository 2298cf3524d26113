"""A session's room, where its provider has callers come to the worker itself instead of a gateway."""

from __future__ import annotations

import asyncio
import json
import logging
from functools import partial

from redis.exceptions import RedisError

from voicebackend.config import BackendConfig
from voicebackend.errors import ConnectionTimeout
from voicebackend.interfaces import CallerRoom, Place
from voicebackend.lane_link import LaneLink
from voicebackend.record import SessionRecord
from voicebackend.sealing import Seal
from voicebackend.session import Transport
from worker.lane import Lane
from worker.link import GatewayLink
from worker.pipelines.own import Resumable
from worker.services import Services

logger = logging.getLogger(__name__)

OPEN_S = 20.0
"""Seconds that a room has to be had."""
CLOSE_S = 5.0
"""Seconds that it has to close."""
AGAIN_S = 5.0
"""Seconds before an invitation is written once more that could not be."""


class SessionRoom:
    """One session's; where callers come by a gateway, nothing here does anything."""

    def __init__(
        self, record: SessionRecord, config: BackendConfig, lane: Lane, services: Services, link: GatewayLink
    ) -> None:
        self._record, self._config, self._lane = record, config, lane
        self._services, self._link = services, link
        self._room: CallerRoom | None = None
        self._inviting: asyncio.Task[None] | None = None
        self._leaving = False

    async def open(self) -> None:
        """Be there for the caller, and say how to come.

        Raises:
            VoiceBackendError: the room cannot be had.

        """
        record, services = self._record, self._services
        if record.transport is not Transport.WEBRTC:
            return
        provider = await services.engines.provider(self._config.with_fields(provider=record.provider))
        place = Place(session=record.id, epoch=self._lane.epoch, traceparent=record.traceparent)
        room = self._room = provider.room(place)
        if room is None:
            return
        self._link.room = room
        line = partial(
            LaneLink,
            services.sender,
            session=record.id,
            lane=services.keys.lane(self._lane.number),
            inbox="",
            sample_rate=room.sample_rate,
            seal=Seal(services.secret, record.id),
        )
        try:
            async with asyncio.timeout(OPEN_S):
                await room.open(line)
        except TimeoutError as error:
            raise ConnectionTimeout("session", "the room was not to be had in time") from error
        again_s = await self._invite(room)
        self._inviting = asyncio.create_task(self._invite_again(room, again_s), name=f"invitation-{record.id}")

    async def ended(self, pipeline: Resumable) -> str:
        """Return why the conversation ends by itself; raises when it fails, or its room is lost."""
        tasks = [asyncio.create_task(pipeline.wait(), name=f"pipeline-{self._record.id}")]
        room = [] if self._room is None else [asyncio.create_task(self._room.wait(), name=f"room-{self._record.id}")]
        try:
            await asyncio.wait({*tasks, *room}, return_when=asyncio.FIRST_COMPLETED)
            for lost in room:
                if lost.done():
                    lost.result()
            return await tasks[0]
        finally:
            for task in (*tasks, *room):
                task.cancel()
            await asyncio.gather(*tasks, *room, return_exceptions=True)

    async def aclose(self, *, over: bool) -> None:
        """Leave; with ``over`` nobody may come any more. Whatever happens, that is all there is of it."""
        if self._room is None:
            return
        self._leaving = True
        try:
            async with asyncio.timeout(CLOSE_S):
                if self._inviting is not None:
                    self._inviting.cancel()
                    await asyncio.wait({self._inviting})
                await self._room.aclose(over=over)
                if over:
                    await self._services.state.delete(self._services.keys.session_join(self._record.id))
        except Exception:
            logger.exception("room did not close", extra={"session_id": self._record.id})

    async def _invite(self, room: CallerRoom) -> float:
        """Write an invitation where control finds it; return the seconds after which to write a fresh one."""
        invitation = room.invitation()
        told = json.dumps({"url": invitation.url, "token": invitation.token})
        key, life_s = self._services.keys.session_join(self._record.id), int(invitation.expires_in)
        try:
            await self._services.state.set(key, told, ex=max(1, life_s))
        except (RedisError, OSError) as error:
            logger.warning("invitation not written", extra={"error": type(error).__name__})
            return AGAIN_S
        return invitation.expires_in / 2

    async def _invite_again(self, room: CallerRoom, wait_s: float) -> None:
        """Keep a fresh one there: a caller may come back."""
        while not self._leaving:  # a client of Redis may swallow a cancellation
            await asyncio.sleep(wait_s)
            wait_s = await self._invite(room)
