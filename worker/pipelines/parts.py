"""What a pipeline is given beside its engines; the worker's real ones, and the scripted ones of scenarios."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Protocol

from voicebackend.digits import CollectDigits, Collected, Sealing
from voicebackend.events import Message
from voicebackend.streams import Frame
from worker.pipelines.snapshot import QuestionSnapshot


class Log(Protocol):
    """The session's log, which the agent's memory is read from."""

    async def append(self, entry: Mapping[str, Any]) -> None:
        """Append an entry; raises ConnectionFailed."""

    async def event(self, message: Message, **extra: Any) -> None:
        """Append what the caller is told too; raises ConnectionFailed."""

    async def masked(self, seconds: float, turn: int, place: Mapping[str, int]) -> None:
        """Append that sensitive mode begins and lasts so long at most, or with 0 that it is over.

        ``place`` tells where in the caller's audio. Who opens the session again learns of it. Raises ConnectionFailed.
        """


class Question(Protocol):
    """One turn's question to the agent, asked once ``deltas`` is iterated."""

    turn: int
    collect: CollectDigits | None
    """What keys it asks for, as soon as that is known."""
    hop_s: float | None
    """Seconds from the publication of the agent's task to its first sign; None where none was awaited here."""
    over: bool
    """Whether all of its answer is there, or never will be."""

    def deltas(self) -> AsyncIterator[str]:
        """Yield the agent's text as it comes; raises AgentError or OperationTimeout."""
        ...

    def deliver(self, frame: Frame) -> None:
        """Take a frame of the agent's task from the lane; others than this question's are dropped."""

    async def commit(self, transcript: str) -> None:
        """Say that the turn is over and this is what was said: side effects may be had now."""

    async def cancel(self) -> None:
        """Say that the answer is no longer wanted."""

    def snapshot(self, taken: int) -> QuestionSnapshot:
        """Return what another worker needs to go on with it; so many of its deltas were taken."""
        ...


class Agent(Protocol):
    """Asks the session's agent."""

    seal: Sealing
    """Keeps what the caller pressed from all but this session's processes."""

    def listen(self, on_told: Callable[[], None]) -> None:
        """Have this called when an agent has asked for keys, or its answer is over."""

    async def keep(self, turn: int, collected: Collected) -> None:
        """Have keys ready for the agent who is asked in this turn next; raises ConnectionFailed."""

    def ask(self, turn: int, transcript: str, *, voice: bytes = b"", speculative: bool = False) -> Question:
        """Return the question; a speculative one waits for ``commit`` before it has side effects.

        ``voice`` is the caller's audio of the turn, for an agent that hears.

        A turn can be asked several times; each time, the questions before are void.
        """
        ...

    def resume(self, snapshot: QuestionSnapshot) -> Question:
        """Return a question that another worker asked: it is not asked again if somebody is at work on it."""
        ...

    def counted(self, turn: int, latest: int, cancelled: int = 0) -> None:
        """Hear that another worker has made so many attempts at a turn, and cancelled so many."""

    @property
    def attempts(self) -> tuple[int, int, int]:
        """Return a turn, its latest attempt, and the latest that was cancelled."""
        ...
