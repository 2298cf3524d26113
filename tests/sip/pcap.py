"""Capture files of RTP, which sipp plays: speech in µ-law and keys (RFC 4733), of one source that never starts over."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from voicebackend.codecs import Encoding, open_codec

RATE, FRAME, TICK_S = 8000, 160, 0.02
KEYS = "0123456789*#ABCD"
EVENT_TYPE = 101
_PORT = 6000
_SILENCE = b"\xff" * FRAME
_KEY_TICKS, _KEY_ENDS = 5, 3
"""A key is held for 100 ms; its end is said three times, as lines lose packets."""


@dataclass(slots=True)
class RtpScript:
    """What a caller's telephone sends, 20 ms by 20 ms. Parts follow one another without a gap in their numbers."""

    ssrc: int = 0x53495050
    _sequence: int = 100
    _timestamp: int = 8000
    _packets: list[tuple[float, bytes]] = field(default_factory=list)
    _clock: float = 0.0

    def silence(self, s: float) -> Self:
        """Send silence."""
        for _ in range(round(s / TICK_S)):
            self._voice(_SILENCE)
        return self

    def say(self, pcm: bytes) -> Self:
        """Send 8 kHz PCM."""
        codec = open_codec(Encoding.MULAW, RATE)
        sound = b"".join(codec.encode(pcm))
        for start in range(0, len(sound), FRAME):
            self._voice(sound[start : start + FRAME].ljust(FRAME, b"\xff"))
        return self

    def press(self, digits: str) -> Self:
        """Press keys, with 100 ms between them."""
        for digit in digits:
            begins = self._timestamp
            for tick in range(_KEY_TICKS + _KEY_ENDS):
                end = tick >= _KEY_TICKS
                held = FRAME * min(tick + 1, _KEY_TICKS)
                event = struct.pack("!BBH", KEYS.index(digit), (0x80 if end else 0) | 10, held)
                self._packet(EVENT_TYPE, event, begins, marked=tick == 0)
                if not end:
                    self._tick()
            self.silence(0.1)
        return self

    def write(self, path: Path) -> float:
        """Write what has been said since the last file; return its seconds."""
        header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1)
        path.write_bytes(header + b"".join(_record(at, packet) for at, packet in self._packets))
        lasts, self._clock = self._clock, 0.0
        self._packets.clear()
        return lasts

    def _voice(self, payload: bytes) -> None:
        self._packet(0, payload, self._timestamp)
        self._tick()

    def _packet(self, payload_type: int, payload: bytes, timestamp: int, *, marked: bool = False) -> None:
        mark = 0x80 if marked else 0
        header = struct.pack("!BBHII", 0x80, mark | payload_type, self._sequence & 0xFFFF, timestamp, self.ssrc)
        self._packets.append((self._clock, header + payload))
        self._sequence += 1

    def _tick(self) -> None:
        self._timestamp += FRAME
        self._clock += TICK_S


def _record(at: float, rtp: bytes) -> bytes:
    udp = struct.pack("!HHHH", _PORT, _PORT, 8 + len(rtp), 0) + rtp
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, b"\x7f\0\0\1", b"\x7f\0\0\1") + udp
    frame = b"\2\0\0\0\0\1\2\0\0\0\0\2\x08\0" + ip
    return struct.pack("<IIII", int(at), round(at % 1 * 1e6), len(frame), len(frame)) + frame
