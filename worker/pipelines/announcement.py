"""What the agent says of its own accord, a greeting or a prompt, in the place of a question's answer."""

from __future__ import annotations

from collections.abc import AsyncIterator

from voicebackend.streams import Frame
from worker.pipelines.parts import Question
from worker.pipelines.snapshot import QuestionSnapshot


class Announcement(Question):
    """A fixed text; nobody is asked."""

    collect = hop_s = None
    over = False

    def __init__(self, turn: int, text: str) -> None:
        self.turn = turn
        self._text = text

    async def deltas(self) -> AsyncIterator[str]:
        """Yield the text, if there is any."""
        if self._text:
            yield self._text

    def deliver(self, frame: Frame) -> None:
        """Nothing comes."""

    async def commit(self, transcript: str) -> None:
        """Nothing waits for it."""

    async def cancel(self) -> None:
        """Nobody is at work on it."""

    def snapshot(self, taken: int) -> QuestionSnapshot:
        """Return the text until it was taken."""
        return QuestionSnapshot(turn=self.turn, text="" if taken else self._text)
