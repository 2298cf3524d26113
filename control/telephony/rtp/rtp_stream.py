"""One call's RTP, both ways: packets in, audio and keys out; audio in, packets out. Pure; times in seconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from control.telephony.rtp.jitter_buffer import JitterBuffer
from control.telephony.rtp.latch import Latch
from control.telephony.rtp.media_format import FRAME_BYTES, SILENCE, MediaFormat
from control.telephony.rtp.packet import Place, RtpPacket, parse
from control.telephony.rtp.telephone_event import KeyReader


class Heard(NamedTuple):
    """What came of the caller."""

    audio: list[bytes]
    key: str | None = None


NOTHING = Heard([])


class RtpStream:
    """Hears one caller and nobody else; numbers what is sent to it."""

    def __init__(self, media: MediaFormat, latch: Latch, *, ssrc: int, sequence: int, timestamp: int) -> None:
        """The numbers are where ours begin: random (RFC 3550, section 5.1)."""
        self.media, self.latch = media, latch
        self._ssrc, self._sequence, self._timestamp = ssrc, sequence, timestamp
        self._marked = True
        self._caller: int | None = None
        self._jitter = JitterBuffer(SILENCE[media.encoding])
        self._reader = KeyReader()
        self.heard_at: float | None = None
        """When the caller's last packet came."""

    def __repr__(self) -> str:
        return f"<RtpStream [{self.media.encoding}, {self._jitter!r}]>"

    def take(self, datagram: bytes, place: Place, now: float) -> Heard:
        """Return what a datagram brings, or makes ready."""
        packet = parse(datagram)
        if packet is None or not self._is_callers(packet, place, now):
            return NOTHING
        self.heard_at = now
        if packet.ssrc != self._caller:
            self._caller, self._jitter, self._reader = packet.ssrc, self._jitter.anew(), KeyReader()
        is_audio = packet.payload_type == self.media.payload_type
        is_key = packet.payload_type == self.media.key_type
        key = self._reader.read(packet.payload, packet.timestamp) if is_key else None
        self._jitter.push(packet.sequence, packet.timestamp, packet.payload if is_audio else b"", now)
        return Heard(self._jitter.pull(now), key)

    def wait(self, now: float) -> list[bytes]:
        """Return audio in the place of what was waited for long enough."""
        return self._jitter.pull(now)

    def write(self, take: Callable[[int], bytes]) -> bytes:
        """Return the packet of this tick: 20 ms of audio from ``take``."""
        audio, kind = take(FRAME_BYTES), self.media.payload_type
        packet = RtpPacket(kind, self._sequence, self._timestamp, self._ssrc, audio, self._marked)
        self._timestamp = self._timestamp + FRAME_BYTES & 0xFFFFFFFF
        self._sequence, self._marked = self._sequence + 1 & 0xFFFF, False
        return packet.to_bytes()

    def pass_by(self) -> None:
        """Let 20 ms go by in which nothing is sent; what is sent next begins a talk spurt."""
        self._timestamp = self._timestamp + FRAME_BYTES & 0xFFFFFFFF
        self._marked = True

    def _is_callers(self, packet: RtpPacket, place: Place, now: float) -> bool:
        """Tell whether to take a packet; what was not agreed on, as comfort noise, only of who is heard already."""
        if packet.payload_type in (self.media.payload_type, self.media.key_type):
            return self.latch.admits(place, packet.ssrc, now)
        return self.latch.holds(place, packet.ssrc)
