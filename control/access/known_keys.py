"""Keys that have opened before: they are looked at again each time, but who comes with one is not guessing."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

MAX_KNOWN = 10_000
"""Keys that a process remembers; the longest unused is forgotten."""


class KnownKeys:
    """Remembers Authorization headers by their digests, in this process alone."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def has(self, header: str) -> bool:
        """Tell whether this header opened before."""
        digest = _digest(header)
        if digest not in self._known:
            return False
        self._known.move_to_end(digest)
        return True

    def add(self, header: str) -> None:
        """Remember one that opened."""
        self._known[_digest(header)] = None
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)

    def forget(self, header: str) -> None:
        """Forget one that opens no more."""
        self._known.pop(_digest(header), None)


def _digest(header: str) -> bytes:
    return hashlib.sha256(header.encode("utf-8", "replace")).digest()
