"""How many event streams may be open: fewer than logs can be followed, so that who waits for a session finds room."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from voicebackend.errors import RateLimitExceeded, SessionLimitExceeded

MAX_STREAMS = 384
"""Event streams of one process; each follows a log for as long as its session and its reader last."""
MAX_TENANT_STREAMS = 64
"""Of these, the most for one tenant."""
MAX_WATCHES = 16
"""Lanes whose audio one process reads for people who watch a session."""
RETRY_S = 5.0
"""Seconds after which to ask again."""


class StreamLimit:
    """Counts the event streams that are open, by tenant."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()
        self._watches = 0

    def __repr__(self) -> str:
        return f"<StreamLimit [{self._open.total()} open]>"

    @contextmanager
    def opened(self, tenant: str) -> Iterator[None]:
        """Count a stream of this tenant while the context is open.

        Raises:
            RateLimitExceeded: the tenant has too many open.
            SessionLimitExceeded: all tenants together have.

        """
        if self._open[tenant] >= MAX_TENANT_STREAMS:
            message = f"at most {MAX_TENANT_STREAMS} event streams may be open: close one"
            raise RateLimitExceeded("events", message, retry_after=RETRY_S)
        if self._open.total() >= MAX_STREAMS:
            raise SessionLimitExceeded("events", "too many event streams are open here", retry_after=RETRY_S)
        self._open[tenant] += 1
        try:
            yield
        finally:
            self._open[tenant] -= 1
            self._open += Counter()  # forgets tenants that have none

    @contextmanager
    def watched(self, tenant: str) -> Iterator[None]:
        """Count a stream that reads a lane's audio while the context is open; raises as ``opened``."""
        if self._watches >= MAX_WATCHES:
            raise SessionLimitExceeded("levels", "too many sessions are watched here", retry_after=RETRY_S)
        with self.opened(tenant):
            self._watches += 1
            try:
                yield
            finally:
                self._watches -= 1
