"""Taking a session's snapshot, and bringing another worker's up to what was written after it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from worker.caller import Caller
from worker.checkpoint import SessionSnapshot
from worker.lane_frames import LaneFrames
from worker.link import GatewayLink
from worker.pipelines.own import Resumable
from worker.recovery import recovered
from worker.services import Services
from worker.session_log import SessionLog


class Snapshots:
    """One session's."""

    def __init__(
        self,
        session: str,
        services: Services,
        link: GatewayLink,
        *,
        frames: LaneFrames,
        log: SessionLog,
        caller: Caller,
        clock: Callable[[], float],
    ) -> None:
        """``clock`` gives wall-clock seconds."""
        self._session, self._services = session, services
        self._link, self._frames, self._log, self._caller = link, frames, log, caller
        self._now = asyncio.get_running_loop().time
        self._clock_ms = round((clock() - self._now()) * 1000, 1)

    def take(self, pipeline: Resumable) -> SessionSnapshot:
        """Return the session as it is."""
        dialogue = pipeline.snapshot()
        replay_from, audio_seq = self._frames.place(dialogue.ear.first)
        at = self._link.attachment
        return SessionSnapshot(
            version=1,
            position=self._frames.position,
            replay_from=replay_from,
            clock_ms=self._clock_ms,
            log_position=self._log.position,
            attachment=None if at is None else at.snapshot(self._frames.heard),
            audio_seq=audio_seq,
            heard_seq=self._frames.heard_seq,
            deadline=self._caller.deadline and round(self._caller.deadline, 2),
            usage=self._log.meter.totals,
            frames=self._frames.waiting(),
            dialogue=dialogue,
        )

    async def recovered(self, taken: SessionSnapshot) -> SessionSnapshot:
        """Return a snapshot on our clock, with what log and turn's hash know beyond it; raises ConnectionFailed."""
        snapshot = taken.shifted((taken.clock_ms - self._clock_ms) / 1000)
        turn_key = partial(self._services.keys.turn, self._session)
        self._log.meter.catch_up(snapshot.usage)
        found = await recovered(snapshot, self._log, self._services.wire, turn_key, now=self._now())
        await self._log.taken_over()
        return found

    def serve(self, pipeline: Resumable, on_progress: Callable[[], None]) -> None:
        """Have a pipeline tell of its progress, and know what the log is told of places and moments."""
        pipeline.on_progress, pipeline.place_of, pipeline.moment_of = on_progress, self.place_of, self.moment_of
        pipeline.arrival_of = self.arrival_of

    def moment_of(self, moment: float) -> int:
        """Return a moment of the loop's clock, in seconds, as milliseconds since the epoch."""
        return round(self._clock_ms + moment * 1000)

    def arrival_of(self, number: int) -> float | None:
        """Return when a numbered frame of caller audio came, by Redis's clock, in seconds of the loop's."""
        entry = self._frames.entry_of(number)
        return None if entry is None else (entry.ms - self._clock_ms) / 1000

    def place_of(self, number: int) -> dict[str, int]:
        """Return what the log is to say of how far the caller was heard."""
        at = self._link.attachment
        return {} if at is None or not number else {"attachment": at.id, "audio_seq": self._frames.place(number)[1] + 1}
