"""What is fuzzed: a function that takes bytes, and the errors with which it may refuse them. Any other is a find."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from voicebackend.errors import InvalidFormat

CORPUS = Path(__file__).with_name("corpus")
SLOW_S = 2.0
"""Seconds of this process's CPU that one input may take: a hundred times what the slowest takes, on a busy machine."""
MAX_BYTES = 96 * 1024
"""Of an input: more than any bound of ours, so that the bounds are tried too."""


class TooSlow(Exception):
    """One input took so long that everybody else would have waited."""


def fields(lines: Iterable[str], separator: str) -> dict[str, str]:
    """Return lines of name and value as such."""
    parts = (line.partition(separator) for line in lines)
    return {name: value for name, _, value in parts}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A parser of ours, or a few lines that use it as the product does."""

    name: str
    """Also of its folder in ``corpus``."""
    read: Callable[[bytes], object]
    """Takes any bytes; asserts what must be true of what it returns."""
    refuses: tuple[type[Exception], ...] = (InvalidFormat,)
    """What it says that it raises; empty for what refuses nothing."""
    words: tuple[bytes, ...] = ()
    """Pieces that mean something to it."""

    @property
    def seeds(self) -> list[bytes]:
        """Return its corpus: real messages, and what once was a find."""
        return [path.read_bytes() for path in sorted((CORPUS / self.name).iterdir())]

    def attempt(self, data: bytes) -> bool:
        """Read an input; tell whether it was taken.

        Raises:
            TooSlow: it took longer than ``SLOW_S``.
            Exception: whatever else the parser raises, which is a find.

        """
        begun = time.process_time()
        try:
            self.read(data)
        except self.refuses:
            taken = False
        else:
            taken = True
        spent = time.process_time() - begun
        if spent > SLOW_S:
            raise TooSlow(f"{self.name}: {spent:.1f} s for {len(data)} bytes")
        return taken
