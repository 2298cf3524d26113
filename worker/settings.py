"""The worker's own settings, from the environment."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from voicebackend.errors import InvalidConfig

MAX_LANES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """How this worker holds its lanes."""

    lanes: int = 4
    """Lanes to lease; 2 to 4 cost the least."""
    id: str = field(default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}")
    """Unique among workers, also over restarts."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read ``VOICEBACKEND_LANES``.

        Raises:
            InvalidConfig: it is no number from 1 to 64.

        """
        text = environ.get("VOICEBACKEND_LANES", "4")
        if not text.isdecimal() or not 1 <= int(text) <= MAX_LANES:
            variable = "VOICEBACKEND_LANES"
            raise InvalidConfig("worker", f"{variable}: a number from 1 to {MAX_LANES}", details={"field": variable})
        return cls(lanes=int(text))


def lane_caps(lanes: list[int], max_sessions: int) -> dict[int, int]:
    """Share the worker's sessions out over its lanes, exactly; 0 means unlimited, and then in every lane."""
    base, extra = divmod(max_sessions, len(lanes)) if lanes else (0, 0)
    return {lane: base + (index < extra) for index, lane in enumerate(lanes)}
