"""Audio in messages of the sizes that a carrier takes. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Of a message's audio, in bytes; a carrier that takes any is the default."""

    unit: int = 1
    """It has a whole number of these."""
    least: int = 1
    most: int | None = None
    """A multiple of ``unit``."""

    @property
    def kept_back(self) -> int:
        """Bytes that may wait for more at most."""
        return max(self.unit, self.least) - 1


class Pieces:
    """One stream's: what does not fill a message waits for more."""

    def __init__(self, sizes: Sizes, silence: bytes) -> None:
        """``silence`` is one byte of it, in the stream's encoding."""
        self._sizes, self._silence = sizes, silence
        self._rest = bytearray()

    def __repr__(self) -> str:
        return f"<Pieces [{len(self._rest)} bytes wait]>"

    def push(self, audio: bytes) -> list[bytes]:
        """Return the messages that are full."""
        self._rest += audio
        full = len(self._rest) - len(self._rest) % self._sizes.unit
        return self._taken(full) if full >= self._sizes.least else []

    def flush(self) -> list[bytes]:
        """Return what waits, with silence behind it that fills the message."""
        if not self._rest:
            return []
        size = max(self._sizes.least, len(self._rest))
        size += -size % self._sizes.unit
        self._rest += self._silence * (size - len(self._rest))
        return self._taken(size)

    def drop(self) -> None:
        """Forget what waits."""
        self._rest.clear()

    def _taken(self, size: int) -> list[bytes]:
        audio = bytes(self._rest[:size])
        del self._rest[:size]
        step = self._sizes.most or max(size, 1)
        return [audio[at : at + step] for at in range(0, size, step)]
