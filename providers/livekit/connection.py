"""Our stay in a room, by LiveKit's own SDK: from join to leave."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, ClassVar

from providers.livekit.caller_track import CallerTrack
from providers.livekit.config import Access
from providers.livekit.guest import Guest, Loss, loss_by
from providers.livekit.tokens import agent_token, epoch_of
from providers.livekit.watch import LOOK_S, Watch
from voicebackend.audio import SAMPLE_BYTES
from voicebackend.errors import AuthenticationFailed, ConnectionFailed, ConnectionTimeout, VoiceBackendError
from voicebackend.telemetry import frames_dropped

if TYPE_CHECKING:
    from livekit import rtc

logger = logging.getLogger(__name__)

SAMPLE_RATE = 24_000
"""Hz of what we play: what voices are made at."""
QUEUE_MS = 400
"""Of audio that the SDK may queue; the playout clock gives it 200 ms at most."""
JOIN_S = 10.0
"""Seconds that each step of joining may take."""
SEND_S = 2.0
"""Seconds that a message or a piece of audio may take on its way into the SDK."""
LEAVE_S = 1.0
"""Seconds that each step of leaving may take."""
TOPIC = "voicebackend"
"""Of our messages among the room's data packets."""
MAX_MESSAGE = 15_000
"""Bytes of a message: LiveKit's limit."""


class Connection:
    """One stay. Must not be made before a fork: the SDK's threads would be the parent's."""

    _begun: ClassVar[set[asyncio.Task[None]]] = set()
    """Calls that the SDK is at; it goes on with those that we gave up."""

    def __init__(self, guest: Guest) -> None:
        from livekit import rtc

        self._guest, self._room, self._caller = guest, rtc.Room(), CallerTrack(guest)
        self._source = rtc.AudioSource(SAMPLE_RATE, 1, queue_size_ms=QUEUE_MS)
        self._watch = Watch(asyncio.get_running_loop().time())
        self._loss: asyncio.Future[Loss] = asyncio.get_running_loop().create_future()
        self._looking: asyncio.Task[None] | None = None
        self._leaving = False

    def __repr__(self) -> str:
        return f"<Connection [{self._caller!r}, {self._watch!r}]>"

    def agents(self) -> list[tuple[str, int]]:
        """Return the identities of agents of ours that are in the room too, with their epochs."""
        found = [(identity, epoch_of(identity)) for identity in self._room.remote_participants]
        return [(identity, epoch) for identity, epoch in found if epoch is not None]

    async def join(self, access: Access, room: str, epoch: int, *, connect_s: float) -> None:
        """Join, speak, and listen to the caller, who may be there already.

        Raises:
            AuthenticationFailed: the server does not take our token.
            ConnectionTimeout, ConnectionFailed: it cannot be reached.

        """
        from livekit import rtc

        self._hear_events()
        options = rtc.RoomOptions(auto_subscribe=False, connect_timeout=connect_s)
        token = agent_token(access, room, epoch)
        await self._within(JOIN_S, self._connect(access.ws_url, token, options))
        track = rtc.LocalAudioTrack.create_audio_track("agent", self._source)
        # with discontinuous transmission the first 200 ms after a silence are not heard
        speaks = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE, dtx=False)
        await self._within(JOIN_S, self._room.local_participant.publish_track(track, speaks))
        self._caller.find()
        self._looking = asyncio.create_task(self._look(), name="livekit watch")

    async def lost(self) -> Loss:
        """Return once our stay has ended without us."""
        return await asyncio.shield(self._loss)

    async def leave(self) -> None:
        """Leave, and release everything."""
        self._leaving = True
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        for step in (self._caller.aclose, self._room.disconnect, self._source.aclose):
            try:
                async with asyncio.timeout(LEAVE_S):
                    await step()
            except TimeoutError:
                logger.info("room not left in order", extra={"step": step.__qualname__})

    # ------------------------------------------------------------ to the caller

    async def play(self, pcm: bytes) -> None:
        """Queue audio."""
        from livekit import rtc

        frame = rtc.AudioFrame(pcm, SAMPLE_RATE, 1, len(pcm) // SAMPLE_BYTES)
        await self._sent(self._source.capture_frame(frame), "livekit audio")

    def clear(self) -> None:
        """Drop what is queued."""
        self._source.clear_queue()

    async def send(self, text: str) -> None:
        """Send a message; one that is too long for a data packet is left out."""
        data, caller = text.encode(), self._caller.identity
        if caller is None or len(data) > MAX_MESSAGE:
            return
        speaker = self._room.local_participant
        packet = speaker.publish_data(data, reliable=True, destination_identities=[caller], topic=TOPIC)
        await self._sent(packet, "livekit data")

    async def _sent(self, sending: Awaitable[Any], where: str) -> None:
        """What cannot be sent is dropped: whether the connection is dead, the watch decides."""
        try:
            async with asyncio.timeout(SEND_S):
                await sending
        except Exception as error:  # noqa: BLE001 - the SDK raises Exception itself
            frames_dropped.add(1, {"where": where})
            logger.info("not sent", extra={"where": where, "error": type(error).__name__})

    # ------------------------------------------------------------ from the room

    def _hear_events(self) -> None:
        room = self._room
        self._caller.follow(room)
        room.on("data_received", self._data)
        room.on("sip_dtmf_received", lambda dtmf: self._guest.pressed(dtmf.digit))
        room.on("disconnected", self._disconnected)

    def _data(self, packet: rtc.DataPacket) -> None:
        sender = packet.participant
        if packet.topic == TOPIC and sender is not None and sender.identity == self._caller.identity:
            self._guest.message(packet.data.decode("utf-8", "replace"))

    def _disconnected(self, reason: rtc.DisconnectReason.ValueType) -> None:
        from livekit import rtc

        if not self._leaving:
            name = rtc.DisconnectReason.Name(reason)
            logger.info("room lost", extra={"reason": name})
            self._lose(loss_by(name))

    def _lose(self, loss: Loss) -> None:
        if not self._loss.done():
            self._loss.set_result(loss)

    async def _look(self) -> None:
        """Find out whether anything still comes; return when nothing does."""
        now = asyncio.get_running_loop().time
        while not self._watch.is_dead(now()):
            await asyncio.sleep(LOOK_S)
            try:
                async with asyncio.timeout(LOOK_S):
                    stats = await self._room.get_rtc_stats()
            except (TimeoutError, RuntimeError):
                continue
            found = [*stats.publisher_stats, *stats.subscriber_stats]
            self._watch.received(sum(int(one.transport.transport.packets_received) for one in found), now())
        logger.warning("room is silent")
        self._lose(Loss.BROKEN)

    # ------------------------------------------------------------ the SDK's calls

    async def _connect(self, url: str, token: str, options: rtc.RoomOptions) -> None:
        await self._room.connect(url, token, options)
        if self._leaving:  # nobody waited for it
            await self._room.disconnect()

    async def _within(self, seconds: float, call: Awaitable[Any]) -> None:
        """Wait for the SDK, whose words carry the URL with the token; what it has begun it does to the end."""
        task = asyncio.create_task(_run(call), name="livekit call")
        self._begun.add(task)
        task.add_done_callback(self._begun.discard)
        task.add_done_callback(_take_error)  # now: who waits here may be cancelled
        done, _ = await asyncio.wait({task}, timeout=seconds)
        if not done:
            raise ConnectionTimeout("livekit.join")
        if (error := task.exception()) is not None:
            raise _ours(error)


async def _run(call: Awaitable[Any]) -> None:
    await call


def _take_error(task: asyncio.Task[None]) -> None:
    """Take a call's error, whoever waits for it: asyncio logs the words of one that nobody takes."""
    if not task.cancelled():
        task.exception()


def _ours(error: BaseException) -> VoiceBackendError:
    """Return the error of ours for one of the SDK's."""
    words = str(getattr(error, "message", error))
    kind = AuthenticationFailed if "401" in words or "403" in words else ConnectionFailed
    return kind("livekit.join", details={"cause": type(error).__name__})
