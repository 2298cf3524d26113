"""Keys of a telephone as RTP carries them (RFC 4733). Pure."""

from __future__ import annotations

import struct

KEYS = "0123456789*#ABCD"
"""By their number."""
_EVENT = struct.Struct("!BBH")
_END = 0x80


class KeyReader:
    """Reads the keys of one stream: each press once, whatever of it is lost, repeated or late."""

    def __init__(self) -> None:
        self._event = -1
        self._begun = self._end = 0
        """Timestamps: of the press, and behind what came of it."""
        self._is_up = False

    def read(self, payload: bytes, timestamp: int) -> str | None:
        """Return the key that a packet tells first; None if it tells nothing new."""
        if len(payload) < _EVENT.size:
            return None
        event, flags, duration = _EVENT.unpack_from(payload)
        if event >= len(KEYS):
            return None
        key = KEYS[event] if self._is_new(event, timestamp) else None
        if key is not None or timestamp in (self._begun, self._end):
            self._event, self._begun, self._end = event, timestamp, timestamp + duration & 0xFFFFFFFF
            self._is_up = bool(flags & _END)
        return key

    def _is_new(self, event: int, timestamp: int) -> bool:
        """Tell whether a packet is of a later press; one longer than 8 s is told in parts without a gap."""
        if self._event < 0:
            return True
        is_later = 0 < (timestamp - self._begun & 0xFFFFFFFF) < 0x80000000  # noqa: PLR2004 - half of all timestamps
        return is_later and not (event == self._event and timestamp == self._end and not self._is_up)
