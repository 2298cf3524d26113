"""The caller among those in a room: found, listened to, and followed until they leave."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from providers.livekit.guest import Guest, hung_up
from providers.livekit.tokens import epoch_of
from voicebackend.audio import FRAME_MS, PIPELINE_RATE

if TYPE_CHECKING:
    from livekit import rtc

logger = logging.getLogger(__name__)

UNREAD_FRAMES = 50
"""Of the caller's audio, 20 ms each, that may wait to be read; beyond, the oldest go."""
SUBSCRIBED_S = 2.0
"""Seconds that the caller's side has to subscribe to our track; then it is spoken to all the same."""


class CallerTrack:
    """The first who speaks and is none of us; the others are left alone until that one has gone."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self._room: rtc.Room | None = None
        self.identity: str | None = None
        """The caller's; None while nobody is there."""
        self._heard = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None
        self._greeting: asyncio.Task[None] | None = None
        self._present = False

    def __repr__(self) -> str:
        return f"<CallerTrack [{self.identity or 'nobody'}{', present' if self._present else ''}]>"

    def follow(self, room: rtc.Room) -> None:
        """Hear of what happens in a room that is about to be joined."""
        self._room = room
        room.on("track_published", self._published)
        room.on("track_subscribed", self._subscribed)
        room.on("local_track_subscribed", lambda _: self._heard.set())
        room.on("participant_disconnected", self._went)

    def find(self) -> None:
        """Look for the caller among those who are there."""
        present = self._room.remote_participants if self._room is not None else {}
        for participant in present.values():
            for publication in participant.track_publications.values():
                self._published(publication, participant)

    async def aclose(self) -> None:
        """Stop listening."""
        tasks = [task for task in (self._listening, self._greeting) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _published(self, publication: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant) -> None:
        from livekit import rtc

        speaks = publication.kind == rtc.TrackKind.KIND_AUDIO and epoch_of(participant.identity) is None
        if speaks and self.identity in {None, participant.identity}:
            self.identity = participant.identity
            publication.set_subscribed(True)

    def _subscribed(self, track: rtc.Track, _: object, participant: rtc.RemoteParticipant) -> None:
        if participant.identity != self.identity:
            return
        self._listening = _instead(self._listening, self._listen(track), "livekit caller")
        if not self._present and self._greeting is None:
            self._greeting = _instead(None, self._greet(), "livekit greeting")

    async def _greet(self) -> None:
        """Tell that the caller is there once it hears us, or should."""
        try:
            async with asyncio.timeout(SUBSCRIBED_S):
                await self._heard.wait()
        except TimeoutError:
            logger.info("the caller does not subscribe to our track")
        self._greeting, self._present = None, True
        self._guest.came()

    async def _listen(self, track: rtc.Track) -> None:
        from livekit import rtc

        stream = rtc.AudioStream.from_track(
            track=track, sample_rate=PIPELINE_RATE, num_channels=1, frame_size_ms=FRAME_MS, capacity=UNREAD_FRAMES
        )
        try:
            async for event in stream:
                if self._present:
                    self._guest.audio(bytes(event.frame.data))
        finally:
            await stream.aclose()

    def _went(self, participant: rtc.RemoteParticipant) -> None:
        from livekit import rtc

        if participant.identity != self.identity:
            return
        for task in (self._listening, self._greeting):
            if task is not None:
                task.cancel()
        self._listening = self._greeting = self.identity = None
        self._heard.clear()
        if self._present:
            self._present = False
            reason = participant.disconnect_reason
            self._guest.went(stopped=hung_up("" if reason is None else rtc.DisconnectReason.Name(reason)))
        self.find()


def _instead(before: asyncio.Task[None] | None, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    if before is not None:
        before.cancel()
    return asyncio.create_task(work, name=name)
