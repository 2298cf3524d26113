"""That a call went from one engine to another: counted, logged, and told to the session."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from voicebackend.errors import ErrorCode
from voicebackend.telemetry import failovers_total

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """A call goes on with another engine, or with the same over a new connection."""

    role: str
    """``stt``, ``tts`` or ``s2s``."""
    source: str
    """The engine that failed."""
    to: str
    code: ErrorCode
    """Why."""
    lost: tuple[str, ...] = ()
    """``audio`` of the caller, ``speech`` of the agent, ``history``: what the new one does not know or say."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as an entry of a session's log."""
        entry = {"type": "failover", "role": self.role, "from": self.source, "to": self.to}
        return {**entry, "code": str(self.code), "lost": list(self.lost)}


OnSwitch = Callable[[Switch], None]
"""Hears of each; returns at once."""


def nobody(switch: Switch) -> None:
    """Hear of it, and forget it."""


def told(switch: Switch, on_switch: OnSwitch) -> None:
    """Count it, log it, and tell who is to know."""
    failovers_total.add(1, {"role": switch.role, "from": switch.source, "to": switch.to})
    logger.warning("engine failed over", extra={**switch.to_dict(), "type": "engine"})
    on_switch(switch)
