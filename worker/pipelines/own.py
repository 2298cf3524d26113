"""A pipeline of a provider's own, in the place of one that can be taken over: another worker opens it anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from voicebackend.interfaces import Pipeline
from voicebackend.session import PipelineState
from voicebackend.streams import Frame
from worker.pipelines.resumable_dialogue import ResumableDialogue
from worker.pipelines.snapshot import DialogueSnapshot, EarSnapshot, PresenceSnapshot, Standing

_NEVER = 2**32
"""Number of a frame that does not come."""


class OwnPipeline(Pipeline):
    """Hands everything on; of the conversation nothing is known, so nothing of it is carried over."""

    is_quiet = True
    """Whether nobody speaks: nobody knows."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._held = self._away = False
        self.greeted = False
        self.on_progress: Callable[[], None] = lambda: None
        self.place_of: Callable[[int], Mapping[str, int]] = lambda number: {}

    def snapshot(self) -> DialogueSnapshot:
        """Return whether a caller is there."""
        return DialogueSnapshot(
            turn=0,
            greeted=self.greeted,
            on_hold=self._held,
            away=self._away,
            state=PipelineState.LISTENING,
            presence=PresenceSnapshot(ends_at=0.0),
            ear=EarSnapshot(first=_NEVER),
        )

    def restore(self, snapshot: DialogueSnapshot) -> None:
        """Before ``open``: know that a caller is there."""
        self.greeted = snapshot.greeted
        self._held, self._away = snapshot.on_hold, snapshot.away

    def resume(self, snapshot: DialogueSnapshot, standing: Standing | None) -> None:
        """Begin as with a caller who has come back."""
        del standing
        if snapshot.greeted and not snapshot.away:
            self._pipeline.greet()
        if snapshot.on_hold:
            self._pipeline.hold(True)

    def heard_again(self) -> None:
        """Nothing is heard again."""

    async def abandon(self) -> None:
        """Stop: another worker goes on."""
        await self._pipeline.aclose()

    async def open(self) -> None:
        """Hand it on."""
        await self._pipeline.open()

    async def wait(self) -> str:
        """Hand it on."""
        return await self._pipeline.wait()

    def greet(self) -> None:
        """Hand it on."""
        self.greeted, self._away = True, False
        self._pipeline.greet()

    def left(self) -> None:
        """Hand it on."""
        self._away = True
        self._pipeline.left()

    def push(self, pcm: bytes, *, again: bool = False) -> None:
        """Hand it on, but nothing that another worker had heard."""
        if not again:
            self._pipeline.push(pcm)

    def agent_frame(self, frame: Frame) -> None:
        """Hand it on."""
        self._pipeline.agent_frame(frame)

    def played(self, turn: int, ms: float, *, final: bool = False) -> None:
        """Hand it on."""
        self._pipeline.played(turn, ms, final=final)

    def hold(self, on: bool) -> None:
        """Hand it on."""
        self._held = on
        self._pipeline.hold(on)

    def dtmf(self, digit: str) -> None:
        """Hand it on."""
        self._pipeline.dtmf(digit)

    def say(self, pcm: bytes) -> None:
        """Hand it on."""
        self._pipeline.say(pcm)

    async def aclose(self) -> None:
        """Hand it on."""
        await self._pipeline.aclose()


Resumable = ResumableDialogue | OwnPipeline
"""What a session runs."""
