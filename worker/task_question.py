"""One turn's question to the agent: asked by a task, answered over the lane, and carried over to another worker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping

from pydantic import ValidationError

from voicebackend.agents import SPECULATION_S
from voicebackend.digits import CollectDigits
from voicebackend.errors import AgentError, OperationTimeout, VoiceBackendError, from_code
from voicebackend.retry import RetryPolicy, retrying
from voicebackend.streams import Frame, Kind
from voicebackend.telemetry import turn_seconds
from voicebackend.tracing import Stage, past
from worker.agent_tasks import AgentTasks, Attempts
from worker.pipelines.snapshot import QuestionSnapshot, TaskSnapshot
from worker.pipelines.waiting_queue import WaitingQueue

logger = logging.getLogger(__name__)

LOOK_S = 0.3
"""Seconds of silence after which it is asked whether the task's process is still there."""
MAX_MISSED = 2
"""Answers in a row, that it is not there, after which the task is lost."""
CLAIM_S = 1.0
"""Seconds after which a task that nobody has claimed is published again."""
MAX_PUBLICATIONS = 3
"""Of one question."""
MAX_ATTEMPTS = 255
"""At one turn, over all its questions: a frame has 8 bits for the number."""
MAX_WAITING = 16_000
"""Characters of an answer that wait to be spoken and are carried over to another worker."""
DONE = "done"
_NOTE = RetryPolicy(max_retries=3, delay_s=0.1)


class TaskQuestion:
    """One turn's question to the agent."""

    def __init__(
        self, agent: AgentTasks, attempts: Attempts, transcript: str, *, speculative: bool, voice: bytes = b""
    ) -> None:
        self._agent, self._attempts, self._transcript, self._voice = agent, attempts, transcript, voice
        self._committed, self._void = not speculative, False
        self.turn, self.attempt = attempts.turn, 0
        self._frames: WaitingQueue[Frame | None] = WaitingQueue()
        """None wakes who waits for the answer of a question that became void."""
        self._next_delta = self._published = 0
        self._given, self._last = 0, ""
        self._claimed = self._resumed = False
        self._ended: tuple[str, str] | None = None
        self._text = ""
        """Received by another worker, and not taken yet."""
        self._deadline = 0.0
        self.collect: CollectDigits | None = None
        self.hop_s: float | None = None
        self.over = False
        self._limit: asyncio.Timeout | None = None
        """Of the wait for the next frame, while there is one."""

    def __repr__(self) -> str:
        return f"<TaskQuestion [turn {self.turn}, attempt {self.attempt}]>"

    def deliver(self, frame: Frame) -> None:
        """Take a frame of this turn from the lane; those of other attempts and repeats are dropped."""
        if frame.turn != self.turn or frame.attempt != self.attempt:
            return
        self._claimed = True
        if frame.kind is Kind.AGENT_COLLECT:
            self.collect = self.collect or _request(frame)
        else:
            self._frames.put_nowait(frame)
        self.over = self.over or frame.kind in {Kind.AGENT_DONE, Kind.AGENT_FAILED}
        if self.over or frame.kind is Kind.AGENT_COLLECT:
            self._agent.on_told()

    def resume(self, snapshot: QuestionSnapshot, task: TaskSnapshot) -> None:
        """Go on where another worker was."""
        self.attempt, self._next_delta, self._deadline = task.attempt, task.next_delta, task.deadline
        self._claimed, self._resumed = task.claimed, task.attempt > 0
        self._text, self._ended = snapshot.text, (snapshot.end, snapshot.message) if snapshot.end else None
        self.collect, self.over = snapshot.collect, bool(snapshot.end)

    def snapshot(self, taken: int) -> QuestionSnapshot:
        """Return what another worker needs to go on with it; so many of its deltas were taken."""
        text, expected = (self._last if taken < self._given else "") + self._text, self._next_delta
        end = self._ended or ("", "")
        for frame in self._frames.waiting():
            if frame is not None and frame.kind is Kind.AGENT_DELTA and frame.seq == expected:
                text, expected = text + frame.payload.decode("utf-8", "replace"), expected + 1
            elif frame is not None and frame.kind is not Kind.AGENT_DELTA:
                end = _end_of(frame)
        task = TaskSnapshot(
            attempt=self.attempt,
            transcript=self._transcript,
            committed=self._committed,
            claimed=self._claimed,
            next_delta=expected,
            latest=self._attempts.latest,
            cancelled=self._attempts.cancelled,
            deadline=round(self._deadline, 3),
        )
        kept = text[:MAX_WAITING]
        return QuestionSnapshot(turn=self.turn, text=kept, end=end[0], message=end[1], task=task, collect=self.collect)

    async def deltas(self) -> AsyncIterator[str]:
        """Yield the agent's text as it comes; ends early when the question is cancelled, or another is asked.

        Raises:
            AgentError: the agent failed, or no worker took the task.
            OperationTimeout: the agent did not finish in time; it has been told to stop.

        """
        if not self._deadline:
            self._deadline = self._from_now(0 if self._committed else SPECULATION_S)
        if not self._claimed:
            await self._start()
        if self._text:
            text, self._text = self._text, ""
            yield self._give(text)
        while self._ended is None and (frame := await self._next_frame()) is not None:
            if frame.kind is Kind.AGENT_DELTA and frame.seq == self._next_delta:
                self._next_delta += 1
                yield self._give(frame.payload.decode("utf-8", "replace"))
            elif frame.kind in {Kind.AGENT_DONE, Kind.AGENT_FAILED}:
                self._ended = _end_of(frame)
        if self._ended is not None and self._ended[0] != DONE:
            raise from_code(self._ended[0], "agent", self._ended[1])

    def _give(self, text: str) -> str:
        self._given, self._last = self._given + 1, text
        return text

    async def commit(self, transcript: str) -> None:
        """Say that the turn is over: from now the agent has its own time, and may have side effects.

        If Redis cannot be told, the answer goes on, and fails where the agent wants a side effect.
        """
        if self._committed or self._void:
            return
        self._committed, self._transcript = True, transcript
        self._deadline = self._from_now()
        if self._limit is not None:
            self._limit.reschedule(self._deadline)
        await self._tell(lambda: {"committed": self.attempt, "said": transcript})

    async def cancel(self) -> None:
        """Tell the task, wherever it runs, that its answer is no longer wanted; no further attempt is made."""
        self.void()
        self._attempts.cancelled = max(self._attempts.cancelled, self.attempt)
        await self._tell(lambda: {"cancelled": self._attempts.cancelled})

    def void(self) -> None:
        """End it here: another question took its place."""
        if not self._void:
            self._void = True
            self._frames.put_nowait(None)

    def _from_now(self, more_s: float = 0) -> float:
        return asyncio.get_running_loop().time() + self._agent.timeout_s + more_s

    async def _start(self) -> None:
        """Publish attempts until one is claimed."""
        while self._published < MAX_PUBLICATIONS:
            if self._void:
                return
            self._published += 1
            if await self._is_taken(await self._publish()):
                return
        raise AgentError("agent", "no Celery worker took the agent's turn: check that one serves the queue 'agents'")

    async def _publish(self) -> float:
        """Publish another attempt, and return when that was."""
        if self._resumed:  # another worker published it: it may be claimed yet
            self._resumed = False
            return asyncio.get_running_loop().time()
        await self._note_attempt()
        voice, self._voice = self._voice, b""  # it lies there for further attempts
        await self._agent.bring(self.turn, voice)
        published = asyncio.get_running_loop().time()
        await self._agent.publish(self.turn, self.attempt)
        return published

    async def _is_taken(self, published: float) -> bool:
        """Return once the attempt is claimed, or the question ended: True; False if that takes too long."""
        try:
            async with asyncio.timeout(CLAIM_S):
                first = await self._frames.get()
        except TimeoutError:
            extra = {"session_id": self._agent.session, "turn": self.turn, "attempt": self.attempt}
            logger.warning("agent task was not claimed", extra=extra)
            return False
        now = asyncio.get_running_loop().time()
        self.hop_s = now - published
        turn_seconds["hop"].record(self.hop_s)
        past("turn.hop", [Stage("hop", published, now)], now_s=now, turn=self.turn, attempt=self.attempt)
        if first is None or first.kind is not Kind.AGENT_STARTED:
            self._frames.put_nowait(first)
        return True

    async def _note_attempt(self) -> None:
        async with self._attempts.writing:
            if self._attempts.latest >= MAX_ATTEMPTS:
                raise AgentError("agent", f"a turn has at most {MAX_ATTEMPTS} attempts")
            self._attempts.latest += 1
            self.attempt, self._claimed = self._attempts.latest, False
            noted: dict[str, str | int] = {"current": self.attempt, "said": self._transcript}
            if self._committed:
                noted["committed"] = self.attempt
            await self._agent.note(self.turn, noted)

    async def _next_frame(self) -> Frame | None:
        """Return what the task says next. Only waiting counts against the agent, not the time its text is spoken."""
        if self._void:
            return None
        try:
            async with asyncio.timeout_at(self._deadline) as self._limit:
                return await self._frame_of_living_task()
        except TimeoutError as error:
            await self.cancel()
            raise OperationTimeout("agent", "the agent did not finish in time") from error
        finally:
            self._limit = None

    async def _frame_of_living_task(self) -> Frame | None:
        """Return the next frame; a task whose process is lost is begun anew, unless some of its answer came."""
        missed = 0
        while True:
            try:
                async with asyncio.timeout(LOOK_S):
                    return await self._frames.get()
            except TimeoutError:
                missed = 0 if await self._agent.is_alive(self.turn, self.attempt) else missed + 1
            if missed < MAX_MISSED:
                continue
            extra = {"session_id": self._agent.session, "turn": self.turn, "attempt": self.attempt}
            logger.warning("agent task was lost", extra=extra)
            if self._next_delta:
                raise AgentError("agent", "the process of the agent's task ended before its answer did")
            await self._start()
            missed = 0

    async def _tell(self, fields: Callable[[], Mapping[str, str | int]]) -> None:
        """Note what became of the current attempt, if there is one; without Redis, the log says so."""

        async def write() -> None:
            async with self._attempts.writing:
                if self.attempt:
                    await self._agent.note(self.turn, fields())

        try:
            await retrying(_NOTE, write)
        except VoiceBackendError as error:
            extra = {"session_id": self._agent.session, "turn": self.turn, "error_code": str(error.code)}
            logger.warning("agent task could not be told", extra=extra)


def _request(frame: Frame) -> CollectDigits | None:
    """Return what keys an agent asks for."""
    try:
        return CollectDigits.model_validate_json(frame.payload)
    except ValidationError:  # of a release that this worker does not know
        logger.exception("a request for keys was not understood", extra={"turn": frame.turn})
        return None


def _end_of(frame: Frame) -> tuple[str, str]:
    """Return how an answer ended: ``DONE`` or an error's code, and its message."""
    if frame.kind is not Kind.AGENT_FAILED:
        return (DONE, "") if frame.kind is Kind.AGENT_DONE else ("", "")
    told = frame.json()
    return str(told.get("code") or "agent_error"), str(told.get("message") or "the agent failed")
