"""The sessions that run on this worker: started, given their frames, handed over, ended."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from voicebackend.config import BackendConfig
from voicebackend.record import SessionRecord
from voicebackend.streams import EntryId, Frame
from worker.lane import Lane
from worker.services import Services
from worker.session import SessionRunner

logger = logging.getLogger(__name__)

MAX_WAITING = 2000
"""Frames kept for a session that is about to be restored; beyond, the oldest go."""
HAND_OVER_S = 3.0
"""Seconds that a session has to stop for a hand-over."""


class Roster:
    """Sessions by id; each belongs to one lane. One that is expected is not running yet, but its frames are kept."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._runners: dict[str, SessionRunner] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._expected: dict[str, tuple[Lane, deque[tuple[Frame, EntryId]]]] = {}
        self.started = 0
        """Sessions that it has run so far."""

    def __len__(self) -> int:
        return len(self._runners) + len(self._expected)

    def __contains__(self, session: str) -> bool:
        return session in self._runners or session in self._expected

    @property
    def ids(self) -> frozenset[str]:
        """Return the ids of the sessions that run."""
        return frozenset(self._runners)

    def runners(self) -> list[SessionRunner]:
        """Return what runs the sessions."""
        return list(self._runners.values())

    def of(self, lane: Lane) -> dict[str, SessionRunner]:
        """Return the sessions that run in a lane, by id."""
        return {session: runner for session, runner in self._runners.items() if runner.lane is lane}

    def ids_of(self, lane: Lane) -> set[str]:
        """Return the ids of a lane's sessions, expected ones too."""
        expected = {session for session, (where, _) in self._expected.items() if where is lane}
        return expected | self.of(lane).keys()

    def expect(self, session: str, lane: Lane) -> None:
        """Keep a session's frames until it runs."""
        self._expected[session] = lane, deque(maxlen=MAX_WAITING)

    def is_expected(self, session: str) -> bool:
        """Tell whether a session is about to be restored."""
        return session in self._expected

    def run(
        self, record: SessionRecord, config: BackendConfig, lane: Lane, *, restored: bytes | None = None
    ) -> SessionRunner:
        """Run a session, from its checkpoint if there is one; frames that were kept for it come first."""
        runner = SessionRunner(record, config, lane, self._services, restored=restored)
        self.started += 1
        self._runners[record.id] = runner
        task = self._tasks[record.id] = asyncio.create_task(runner.run(), name=f"session-{record.id}")
        task.add_done_callback(lambda _: self._forget(record.id, task))
        _, waiting = self._expected.pop(record.id, (lane, ()))
        for frame, entry in waiting:
            runner.deliver(frame, entry)
        return runner

    def deliver(self, frame: Frame, entry: EntryId) -> bool:
        """Hand a frame to its session; False if it is of none that runs here or will."""
        runner = self._runners.get(frame.session)
        if runner is not None:
            runner.deliver(frame, entry)
        elif frame.session in self._expected:
            self._expected[frame.session][1].append((frame, entry))
        else:
            return False
        return True

    def abandon(self, lane: Lane) -> None:
        """Let go of a lane's sessions without another word: they are another worker's."""
        for session in self.ids_of(lane):
            self.let_go(session)

    def let_go(self, session: str) -> None:
        """Let go of one session without another word: it is another worker's."""
        self._expected.pop(session, None)
        if session in self._runners:
            self._runners[session].abandon()
            self._tasks[session].cancel()

    async def hand_over(self, lane: Lane) -> dict[str, bytes]:
        """Stop a lane's sessions without ending them, and return the checkpoint of each that could."""
        runners = self.of(lane)
        found = await asyncio.gather(*(self._stop(session, runner) for session, runner in runners.items()))
        tasks = [self._tasks[session] for session in runners if session in self._tasks]
        self.abandon(lane)
        await asyncio.gather(*tasks, return_exceptions=True)
        return {session: snapshot for session, snapshot in zip(runners, found, strict=True) if snapshot}

    async def _stop(self, session: str, runner: SessionRunner) -> bytes:
        try:
            async with asyncio.timeout(HAND_OVER_S):
                return await runner.hand_over()
        except Exception:  # one session's trouble must not hold up its neighbours
            logger.exception("session not handed over in order", extra={"session_id": session})
            return b""

    async def end(self, reason: str, *, within_s: float) -> None:
        """End every session; those that take longer are cancelled."""
        for runner in self._runners.values():
            runner.stop(reason)
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=within_s)
        late = list(self._tasks.values())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _forget(self, session: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(session) is task:
            del self._runners[session], self._tasks[session]
