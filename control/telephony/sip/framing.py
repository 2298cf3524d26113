"""Messages in a stream of bytes, parted by their Content-Length (RFC 3261, 18.3)."""

from __future__ import annotations

import re

from control.telephony.sip.message import MAX_HEAD, MAX_MESSAGE

_LENGTH = re.compile(rb"\r\n(?:content-length|l)[ \t]*:[ \t]*([0-9]{1,8})[ \t]*(?=\r\n)", re.IGNORECASE)


class Unframeable(Exception):
    """Where the next message would begin cannot be told: the connection is of no more use."""


class Framer:
    """Of one connection."""

    def __init__(self) -> None:
        self._rest = bytearray()

    @property
    def is_partial(self) -> bool:
        """Tell whether a message has begun and not ended."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[bytes]:
        """Return the messages that are whole now.

        Raises:
            Unframeable: one is too long, or does not say how long it is.

        """
        self._rest += data
        messages = []
        while (message := self._next()) is not None:
            messages.append(message)
        return messages

    def _next(self) -> bytes | None:
        begin = next((at for at, byte in enumerate(self._rest) if byte not in b"\r\n"), len(self._rest))
        del self._rest[:begin]
        end = self._rest.find(b"\r\n\r\n", 0, MAX_HEAD + 4)
        if end < 0:
            if len(self._rest) > MAX_HEAD:
                raise Unframeable
            return None
        lengths = _LENGTH.findall(self._rest, 0, end + 2)
        if len(lengths) != 1:
            raise Unframeable
        whole = end + 4 + int(lengths[0])
        if whole > MAX_MESSAGE:
            raise Unframeable
        if len(self._rest) < whole:
            return None
        message = bytes(self._rest[:whole])
        del self._rest[:whole]
        return message
