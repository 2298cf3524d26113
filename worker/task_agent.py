"""The session's agent, who answers in Celery tasks; one question at a time is open."""

from __future__ import annotations

from collections.abc import Callable

from redis.asyncio import Redis

from voicebackend._wire import Wire
from voicebackend.digits import Collected, Sealing
from voicebackend.keys import Keys
from voicebackend.publisher import Publisher
from worker.agent_tasks import AgentTasks, Attempts
from worker.pipelines.snapshot import QuestionSnapshot
from worker.task_question import TaskQuestion


class TaskAgent:
    """Asks one session's agent."""

    def __init__(
        self,
        session: str,
        *,
        publisher: Publisher,
        state: Redis | Wire,
        keys: Keys,
        timeout_s: float,
        seal: Sealing,
        audio: Wire | None = None,
    ) -> None:
        """``audio``: that role, where the agent is brought the caller's voice."""
        self._tasks = AgentTasks(session, publisher=publisher, state=state, keys=keys, timeout_s=timeout_s, audio=audio)
        self.seal, self._attempts = seal, Attempts(turn=0)
        self._latest: TaskQuestion | None = None

    def ask(self, turn: int, transcript: str, *, voice: bytes = b"", speculative: bool = False) -> TaskQuestion:
        """Return the question; the one before gets no further attempt."""
        if self._latest is not None:
            self._latest.void()
        if turn != self._attempts.turn:
            self._attempts = Attempts(turn=turn)
        self._latest = TaskQuestion(self._tasks, self._attempts, transcript, voice=voice, speculative=speculative)
        return self._latest

    def listen(self, on_told: Callable[[], None]) -> None:
        """Have this called when an agent has asked for keys, or its answer is over."""
        self._tasks.on_told = on_told

    async def keep(self, turn: int, collected: Collected) -> None:
        """Have keys ready for the agent who is asked in this turn next; raises ConnectionFailed."""
        await self._tasks.keep(turn, collected)

    def resume(self, snapshot: QuestionSnapshot) -> TaskQuestion:
        """Return a question that another worker asked, to go on with it.

        Its attempt is waited for if it was claimed, or may yet be; else the next one is published.
        """
        task = snapshot.task
        assert task is not None  # noqa: S101 - only an announcement has none
        self.counted(snapshot.turn, task.latest, task.cancelled)
        self._latest = TaskQuestion(self._tasks, self._attempts, task.transcript, speculative=not task.committed)
        self._latest.resume(snapshot, task)
        return self._latest

    def counted(self, turn: int, latest: int, cancelled: int = 0) -> None:
        """Hear that so many attempts at a turn were made by another worker."""
        if turn != self._attempts.turn:
            self._attempts = Attempts(turn=turn)
        self._attempts.latest = max(self._attempts.latest, latest)
        self._attempts.cancelled = max(self._attempts.cancelled, cancelled)

    @property
    def attempts(self) -> tuple[int, int, int]:
        """Return a turn, its latest attempt, and the latest that was cancelled."""
        return self._attempts.turn, self._attempts.latest, self._attempts.cancelled
