"""RTP packets (RFC 3550, section 5.1): read with every bound checked, and written. Pure."""

from __future__ import annotations

import struct
from typing import NamedTuple, TypeAlias

Place: TypeAlias = tuple[str, int]
"""An IP address and a port, 1 to 65535."""
MAX_DATAGRAM = 2048
"""Bytes; 60 ms of G.711 take 492."""
_HEADER = struct.Struct("!BBHII")
_VERSION = 0x80
_RTCP = range(64, 96)
"""Payload types that are RTCP's when both share a port (RFC 5761, section 4)."""


class RtpPacket(NamedTuple):
    """A packet; ``timestamp`` in samples."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False

    def to_bytes(self) -> bytes:
        """Return the packet as it is sent; numbers wrap as their fields do."""
        second = self.payload_type | (0x80 if self.marker else 0)
        numbers = (self.sequence & 0xFFFF, self.timestamp & 0xFFFFFFFF, self.ssrc)
        return _HEADER.pack(_VERSION, second, *numbers) + self.payload


def parse(datagram: bytes) -> RtpPacket | None:
    """Return what came as a packet; None for RTCP, STUN, and all else that is none."""
    if not _HEADER.size <= len(datagram) <= MAX_DATAGRAM:
        return None
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(datagram)
    payload_type = second & 0x7F
    if first & 0xC0 != _VERSION or payload_type in _RTCP:
        return None
    begin, end = _HEADER.size, len(datagram)
    if first & 0x3F:
        begin, end = _payload(datagram, first)
        if begin > end:
            return None
    return RtpPacket(payload_type, sequence, timestamp, ssrc, datagram[begin:end], bool(second & 0x80))


def _payload(datagram: bytes, first: int) -> tuple[int, int]:
    """Return where the payload lies behind sources, an extension and before padding; the end first if nowhere."""
    begin, end = _HEADER.size + 4 * (first & 0x0F), len(datagram)
    if first & 0x10:
        begin += 4 + 4 * int.from_bytes(datagram[begin + 2 : begin + 4])
    if first & 0x20:
        padding = datagram[-1]
        end = end - padding if padding else -1
    return begin, end
