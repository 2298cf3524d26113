"""Where a session meets its caller, if the worker itself holds the caller's media."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from voicebackend.lane_link import LaneLink
from voicebackend.streams import Frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a room must know of its session."""

    session: str
    epoch: int
    """Of the lane's lease under which the worker speaks: a higher one takes the room over."""
    traceparent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """What lets the session's caller in, and nobody else."""

    url: str
    token: str = field(repr=False)
    expires_in: float
    """Seconds."""


class CallerRoom:
    """A gateway for one caller, in the worker's own process: as a gateway does, it writes what comes into the lane.

    The session is told by ``ATTACH`` and ``DETACH`` of each stay of its caller, a line of its own for each.
    """

    sample_rate: int
    """Hz of the audio that it plays."""

    async def open(self, line: Callable[[], LaneLink]) -> None:
        """Be there for the caller; ``line`` gives each stay its way into the lane.

        Raises:
            VoiceBackendError: it cannot be had.

        """
        raise NotImplementedError

    def invitation(self) -> Invitation:
        """Return a fresh one."""
        raise NotImplementedError

    def take(self, frame: Frame) -> None:
        """Take a frame of kind ``AUDIO_OUT`` or ``EVENT`` for the caller; never waits."""
        raise NotImplementedError

    async def wait(self) -> None:
        """Return never; raises ConnectionFailed once the room cannot be reached any more."""
        raise NotImplementedError

    async def aclose(self, *, over: bool) -> None:
        """Leave, once what was taken is on its way; with ``over`` nobody may stay behind, else another worker comes."""
        raise NotImplementedError
