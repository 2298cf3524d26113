"""The scripted agent: what a Celery task would do, in the conversation's own time."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable

from voicebackend.agents import uninterruptible
from voicebackend.digits import CollectDigits, Collected, Sealing
from voicebackend.errors import OperationTimeout, VoiceBackendError, from_code
from voicebackend.sealing import Seal
from voicebackend.streams import Frame
from worker.pipelines.snapshot import QuestionSnapshot
from worker.scenarios.replies import AgentScript, Piece, Reply, in_order, matching
from worker.scenarios.sightings import Kind
from worker.scenarios.timeline import Timeline


class ScriptedAgent:
    """Counts what it is asked; one turn always gets the same answer to the same words."""

    def __init__(self, script: AgentScript, timeline: Timeline, number: int = 1) -> None:
        self.script, self.timeline, self._number = script, timeline, number
        self.questions: list[ScriptedQuestion] = []
        self.seal: Sealing = Seal("of a scenario", str(number))
        self.told: Callable[[], None] = lambda: None
        self._in_order: dict[int, int] = {}
        self._effects: set[tuple[int, str]] = set()

    def ask(self, turn: int, transcript: str, *, voice: bytes = b"", speculative: bool = False) -> ScriptedQuestion:
        """Return the question; questions of the same turn before it are void."""
        for question in self.questions:
            if question.turn == turn:
                question.void = True
        question = ScriptedQuestion(self, turn, transcript, self._reply(turn, transcript), speculative)
        self.questions.append(question)
        self.timeline.note(Kind.ASKED, transcript, detail="speculative" if speculative else f"turn {turn}")
        return question

    def listen(self, on_told: Callable[[], None]) -> None:
        """Have this called when keys are asked for, or an answer is over."""
        self.told = on_told

    async def keep(self, turn: int, collected: Collected) -> None:
        """Take keys, and reveal them as an agent would."""
        value = self.seal.open(collected.sealed) if collected.sensitive else collected.value
        self.timeline.note(Kind.DIGITS, f"{value or 'none'} {collected.ended}", detail=f"turn {turn}")

    def resume(self, snapshot: QuestionSnapshot) -> ScriptedQuestion:
        """No worker dies in a scenario."""
        raise NotImplementedError

    def counted(self, turn: int, latest: int, cancelled: int = 0) -> None:
        """Attempts are not counted here."""

    @property
    def attempts(self) -> tuple[int, int, int]:
        """Return that none was made."""
        return 0, 0, 0

    def _reply(self, turn: int, transcript: str) -> Reply:
        reply = matching(self.script, transcript)
        if reply is not None:
            return reply
        return in_order(self.script, self._in_order.setdefault(turn, len(self._in_order)))

    def numbered(self, text: str) -> str:
        """Return a text for this caller."""
        return text.replace("{n}", str(self._number))

    def effect(self, turn: int, name: str) -> None:
        """Have a side effect, once a turn."""
        if (turn, name) not in self._effects:
            self._effects.add((turn, name))
            self.timeline.note(Kind.EFFECT, name, detail=f"turn {turn}")


class ScriptedQuestion:
    """One question."""

    def __init__(self, agent: ScriptedAgent, turn: int, transcript: str, reply: Reply, speculative: bool) -> None:
        self.turn, self.transcript, self.speculative = turn, transcript, speculative
        self._agent, self._reply = agent, reply
        self._certain = asyncio.Event()
        self.void = self.said_nothing = self.over = False
        self.collect: CollectDigits | None = None
        self.hop_s: float | None = None
        self.failed = False
        """As it was told to: with an error, out of time, or in marks that nobody can speak."""
        self.committed_at: float | None = None
        self.cancelled_at: float | None = None
        if not speculative:
            self._settle()

    @property
    def committed(self) -> bool:
        """Whether its turn is certain."""
        return self._certain.is_set()

    def deliver(self, frame: Frame) -> None:
        """Take nothing: no task writes into a lane here."""

    def snapshot(self, taken: int) -> QuestionSnapshot:
        """Return no more than that it was asked: no worker dies in a scenario."""
        del taken
        return QuestionSnapshot(turn=self.turn)

    async def commit(self, transcript: str) -> None:
        """Let side effects be had."""
        if not self.committed:
            self._settle()
            self._agent.timeline.note(Kind.COMMITTED, transcript, detail=f"turn {self.turn}")

    async def cancel(self) -> None:
        """Note that the answer is not wanted."""
        if self.cancelled_at is None:
            self.cancelled_at = asyncio.get_running_loop().time()
            self._agent.timeline.note(Kind.CANCELLED, self.transcript, detail=f"turn {self.turn}")

    async def deltas(self) -> AsyncIterator[str]:
        """Yield the answer word by word; raises the error of the script, or OperationTimeout."""
        said = ""
        try:
            async for piece in self._pieces():
                said += piece
                yield piece
        except VoiceBackendError:
            self.failed = True
            raise
        finally:
            self.over = True
            self._agent.told()
        self.said_nothing = not said.strip()
        self.failed = not self.said_nothing and not any(map(str.isalnum, said))

    async def _pieces(self) -> AsyncIterator[str]:
        deadline = asyncio.get_running_loop().time() + self._agent.script.timeout
        try:
            await self._sleep(self._agent.script.delay, deadline)
            for piece in self._reply.say:
                await self._act(piece, deadline)
                if piece.collect is not None:
                    continue
                for word in self._words(piece):
                    yield word
                    await self._sleep(self._agent.script.pace, deadline)
                yield " "
        except TimeoutError as error:
            raise OperationTimeout("agent", "the agent did not finish in time") from error

    async def _act(self, piece: Piece, deadline: float) -> None:
        """Do what is not said."""
        if piece.wait is not None or piece.hangs:
            await self._sleep(3600.0 if piece.hangs else piece.wait or 0.0, deadline)
        if piece.once is not None:
            await self._effect(piece.once, deadline)
        if piece.collect is not None:
            self.collect = self.collect or piece.collect
            self._agent.told()
        elif piece.error is not None:
            raise from_code(piece.error, "agent", "scripted failure")

    def _words(self, piece: Piece) -> list[str]:
        """Return what is said, word by word, each with the blanks before it."""
        text = uninterruptible(piece.notice) if piece.notice else piece.text or ""
        return re.findall(r"\s*\S+", self._agent.numbered(text))

    def _settle(self) -> None:
        self._certain.set()
        self.committed_at = asyncio.get_running_loop().time()

    async def _sleep(self, seconds: float, deadline: float) -> None:
        async with asyncio.timeout_at(deadline):
            await asyncio.sleep(seconds)

    async def _effect(self, name: str, deadline: float) -> None:
        async with asyncio.timeout_at(deadline):
            await self._certain.wait()
        self._agent.effect(self.turn, name)
