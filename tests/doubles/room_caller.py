"""A caller in a LiveKit room, by LiveKit's own SDK: what a caller's websocket is elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Self

import numpy as np
from livekit import rtc

from voicebackend.audio import SAMPLE_BYTES
from voicebackend.events import ServerMessage, parse_server
from voicebackend.session import Join

RATE = 16_000
TOPIC = "voicebackend"
LOUD = 300
"""Samples above this are sound."""
TAIL_FRAMES = 5
"""Frames of silence, 20 ms each, that belong to the sound before them."""


class RoomCaller:
    """One caller's side of a session, in and out, with the methods of a ``VoiceSession``."""

    sample_rate = RATE

    def __init__(self, join: Join) -> None:
        self._join, self.room = join, rtc.Room()
        self._source = rtc.AudioSource(RATE, 1, queue_size_ms=200)
        self._heard: asyncio.Queue[bytes] = asyncio.Queue()
        self._told: asyncio.Queue[ServerMessage] = asyncio.Queue()
        self._listening: asyncio.Task[None] | None = None
        self.agents: list[str] = []
        """Identities whose voices were heard, in their order."""
        self.gone = asyncio.Event()
        """Set once the room is closed to us."""

    async def __aenter__(self) -> Self:
        self.room.on("track_subscribed", self._subscribed)
        self.room.on("data_received", self._data)
        self.room.on("disconnected", lambda _: self.gone.set())
        await self.room.connect(self._join.url, self._join.token)
        track = rtc.LocalAudioTrack.create_audio_track("microphone", self._source)
        # what is said just after a silence is not sent with discontinuous transmission
        speaks = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE, dtx=False)
        await self.room.local_participant.publish_track(track, speaks)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        await self.room.disconnect()
        await self._source.aclose()

    async def process_audio(self, pcm: bytes) -> None:
        """Say it."""
        await self._source.capture_frame(rtc.AudioFrame(pcm, RATE, 1, len(pcm) // SAMPLE_BYTES))

    async def agent_audio(self) -> AsyncIterator[bytes]:
        """Yield what sounds, and no more of the silence in between than separates words."""
        quiet = TAIL_FRAMES
        while True:
            pcm = await self._heard.get()
            quiet = 0 if np.abs(np.frombuffer(pcm, "<i2").astype(np.int32)).max(initial=0) > LOUD else quiet + 1
            if quiet < TAIL_FRAMES:
                yield pcm

    async def events(self) -> AsyncIterator[ServerMessage]:
        """Yield what is told."""
        while True:
            yield await self._told.get()

    async def tell(self, text: str) -> None:
        """Send a message, as an application does."""
        await self.room.local_participant.publish_data(text.encode(), reliable=True, topic=TOPIC)

    def _subscribed(self, track: rtc.Track, _: object, participant: rtc.RemoteParticipant) -> None:
        self.agents.append(participant.identity)
        if self._listening is not None:
            self._listening.cancel()
        self._listening = asyncio.create_task(self._listen(track), name="caller listens")

    async def _listen(self, track: rtc.Track) -> None:
        stream = rtc.AudioStream.from_track(track=track, sample_rate=RATE, num_channels=1, frame_size_ms=20)
        try:
            async for event in stream:
                self._heard.put_nowait(bytes(event.frame.data))
        finally:
            await stream.aclose()

    def _data(self, packet: rtc.DataPacket) -> None:
        if packet.topic == TOPIC:
            self._told.put_nowait(parse_server(packet.data.decode()))
