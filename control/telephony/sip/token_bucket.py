"""How often something may happen: at a rate on average, and a few at once."""

from __future__ import annotations

from collections import OrderedDict


class TokenBucket:
    """One for every name, of which only the latest are remembered."""

    def __init__(self, rate: float, burst: float, *, most: int = 4096) -> None:
        """``rate`` is in a second; ``most`` bounds how many names are known."""
        self._rate, self._burst, self._most = rate, max(burst, 1.0), most
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str, now: float) -> bool:
        """Tell whether it may happen once more, and count it if so."""
        left, at = self._left.pop(name, (self._burst, now))
        left = min(self._burst, left + max(0.0, now - at) * self._rate)
        taken = left >= 1.0
        self._left[name] = (left - 1.0 if taken else left, now)
        if len(self._left) > self._most:
            self._left.popitem(last=False)
        return taken
