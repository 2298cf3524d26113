"""A pipeline of a provider's own, in the place of one that can be taken over: another worker opens it anew."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from voicebackend.interfaces import Pipeline
from voicebackend.session import PipelineState
from voicebackend.streams import Frame
from worker.pipelines.resumable_dialogue import ResumableDialogue
from worker.pipelines.snapshot import DialogueSnapshot, EarSnapshot, KeypadSnapshot, PresenceSnapshot, Standing

_NEVER = 2**32
"""Number of a frame that does not come."""


class OwnPipeline(Pipeline):
    """Hands everything on; of the conversation nothing is known, so nothing of it is carried over."""

    is_quiet = True
    """Whether nobody speaks: nobody knows."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._held = self._away = self._opened = False
        self.greeted = False
        self._masked_until = 0.0
        self._keypad: KeypadSnapshot | None = None
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[str] = self._loop.create_future()
        self.on_progress: Callable[[], None] = lambda: None
        self.place_of: Callable[[int], Mapping[str, int]] = lambda number: {}
        self.moment_of: Callable[[float], int] = lambda moment: round(moment * 1000)
        self.arrival_of: Callable[[int], float | None] = lambda number: None

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
            keypad=self._keypad if self.masked else None,
        )

    def restore(self, snapshot: DialogueSnapshot) -> None:
        """Before ``open``: know that a caller is there."""
        self.greeted = snapshot.greeted
        self._held, self._away = snapshot.on_hold, snapshot.away
        if snapshot.keypad is not None:
            self._keypad, self._masked_until = snapshot.keypad.over(), snapshot.keypad.masked_until

    @property
    def masked(self) -> bool:
        """Whether the session is in sensitive mode, which another pipeline had opened: here it ends by time."""
        return self._masked_until > 0.0 and self._loop.time() < self._masked_until

    def mask(self, seconds: float) -> None:
        """Be in sensitive mode for so long at most."""
        self._masked_until = max(self._masked_until, self._loop.time() + seconds)
        self._keypad = KeypadSnapshot(masked_until=self._masked_until)

    def resume(self, snapshot: DialogueSnapshot, standing: Standing | None) -> None:
        """Begin as with a caller who has come back."""
        del standing
        if snapshot.greeted and not snapshot.away:
            self._pipeline.greet()
        if snapshot.on_hold:
            self._pipeline.hold(True)

    def heard_again(self) -> None:
        """Nothing is heard again."""

    needs_from = _NEVER
    """Number of the first frame that another would have to hear again: none."""
    forgets = True
    """Whether what was said before it took over is lost to it."""

    async def connect(self) -> None:
        """Open it: whether it can be had shows only then."""
        await self._pipeline.open()
        self._opened = True

    async def release(self) -> None:
        """Let go of it; again after ``stop`` is harmless."""
        await self._pipeline.aclose()

    async def abandon(self) -> None:
        """Stop: another worker goes on."""
        await self.stop()

    async def stop(self) -> None:
        """Do and say nothing more."""
        await self._pipeline.aclose()

    def note(self, entry: Mapping[str, Any]) -> None:
        """Nothing of ours runs in it that would have something to say."""

    async def open(self) -> None:
        """Hand it on, unless that was done."""
        if not self._opened:
            await self.connect()

    async def wait(self) -> str:
        """Hand it on, or return the reason for an end before which nothing could be said."""
        waiting = asyncio.create_task(self._pipeline.wait(), name="own pipeline")
        try:
            done, _ = await asyncio.wait({waiting, self._ended}, return_when=asyncio.FIRST_COMPLETED)
            return next(iter(done)).result()
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    def greet(self) -> None:
        """Hand it on."""
        self.greeted, self._away = True, False
        self._pipeline.greet()

    def left(self) -> None:
        """Hand it on."""
        self._away = True
        self._pipeline.left()

    def push(self, pcm: bytes, *, again: bool = False) -> None:
        """Hand it on, but nothing that another worker had heard, and silence in sensitive mode."""
        if not again:
            self._pipeline.push(bytes(len(pcm)) if self.masked else pcm)

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
        """Hand it on, but not in sensitive mode."""
        if not self.masked:
            self._pipeline.dtmf(digit)

    def typed(self, text: str) -> None:
        """Hand it on."""
        self._pipeline.typed(text)

    def say(self, pcm: bytes) -> None:
        """Hand it on."""
        self._pipeline.say(pcm)

    def announce(self, text: str, *, end: str = "") -> bool:
        """Hand it on; where it is not said, the end comes at once."""
        said = self._pipeline.announce(text, end=end)
        if end and not said and not self._ended.done():
            self._ended.set_result(end)
        return said

    async def aclose(self) -> None:
        """Hand it on."""
        await self._pipeline.aclose()


Resumable = ResumableDialogue | OwnPipeline
"""What a session runs."""
