"""When a child has done enough and a fresh one should take its place. Pure."""

from __future__ import annotations

from worker.settings import SupervisorSettings
from worker.supervisor.pulse import Pulse


def worn(now: Pulse, at_ready: Pulse, settings: SupervisorSettings) -> str | None:
    """Return why a child should be replaced, None while it should not."""
    if now.relieved:
        return "relieved"
    if 0 < settings.recycle_sessions <= now.sessions:
        return "sessions"
    if 0 < settings.recycle_mb <= now.rss_mb - at_ready.rss_mb:
        return "memory"
    return None
