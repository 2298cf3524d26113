"""A recogniser made of several: when one fails, the next hears the utterance under way from its beginning."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from providers.failover.candidates import Candidates, within
from providers.failover.closings import Closings
from providers.failover.switch import OnSwitch, Switch, nobody, told
from providers.failover.utterance import Utterance
from voicebackend.errors import ConnectionFailed, VoiceBackendError
from voicebackend.interfaces import Recognition, SpeechToText, SttStream


class FailoverStt(SpeechToText):
    """Recognises by the first of its engines that can; the engines are opened and closed by who made them."""

    def __init__(
        self, engines: Candidates[SpeechToText], *, timeout_s: float | None = None, on_switch: OnSwitch = nobody
    ) -> None:
        """``timeout_s``: seconds for anything that is asked of an engine, after which it counts as hung; None never."""
        super().__init__()
        self.name = engines[0].name  # type: ignore[misc]  # a class's elsewhere; this one stands for another
        self.engines, self.timeout_s, self.on_switch = engines, timeout_s, on_switch

    @property
    def at_work(self) -> str:
        """The name of the engine that is tried first now."""
        return self.engines.first.name

    def noting(self, on_switch: OnSwitch) -> FailoverStt:
        """Return the same for one session, which hears of switches."""
        return FailoverStt(self.engines, timeout_s=self.timeout_s, on_switch=on_switch)

    async def stream(self, on_partial: Callable[[Recognition], None]) -> SttStream:
        """Open an ear at the first engine that can."""
        stream = _Stream(self, on_partial)
        await stream.open()
        return stream


class _Stream(SttStream):
    def __init__(self, owner: FailoverStt, on_partial: Callable[[Recognition], None]) -> None:
        self._owner, self._engines, self._on_partial = owner, owner.engines, on_partial
        self._utterance, self._closings = Utterance(), Closings()
        self._at, self._tries = 0, 0
        self._ear: SttStream | None = None
        self._listening = object()
        """Stands for the stream that is heard; what others still report is not."""

    async def open(self) -> None:
        """Open the first ear."""
        at, self._ear = await self._engines.opened("stt", self._heard_again)
        if at:
            self._tell(0, at, ConnectionFailed("stt"))
        self._at = at

    async def push(self, pcm: bytes) -> None:
        """Take more audio; at the start of an utterance a better engine that is well again is gone back to."""
        if self._utterance.is_empty:
            await self._go_back()
        self._utterance.push(pcm)
        await self._do(lambda ear: ear.push(pcm))

    async def pause(self) -> None:
        """Hear that the caller may have finished."""
        self._utterance.pause()
        await self._do(lambda ear: ear.pause())

    async def finish(self) -> Recognition:
        """Return the final text, of whichever engine can tell."""
        while True:
            try:
                result = await within(self._open_ear().finish(), self._owner.timeout_s, "stt")
            except VoiceBackendError as error:
                await self._switch(error)
            else:
                self._engines.succeeded(self._at)
                self._utterance, self._tries = Utterance(), 0
                return result

    async def discard(self) -> None:
        """Forget the utterance under way."""
        self._utterance = Utterance()
        await self._do(lambda ear: ear.discard())

    async def aclose(self) -> None:
        """End every stream."""
        ear, self._ear, self._listening = self._ear, None, object()
        if ear is not None:
            await ear.aclose()
        await self._closings.wait()

    async def _do(self, call: Callable[[SttStream], Awaitable[None]]) -> None:
        try:
            await within(call(self._open_ear()), self._owner.timeout_s, "stt")
        except VoiceBackendError as error:
            await self._switch(error)  # which says it all again

    def _open_ear(self) -> SttStream:
        if self._ear is None:
            raise ConnectionFailed("stt", "no recogniser is open")
        return self._ear

    async def _switch(self, error: VoiceBackendError) -> None:
        """Have the utterance heard again by the next engine; raises if each has had its try."""
        before = self._at
        self._engines.failed(before, error)
        self._give_up()
        self._listening = object()
        self._tries += 1
        if self._tries > len(self._engines) or self._engines.hopeless(error):
            self._tries = 0
            raise error
        self._at, self._ear = await self._engines.opened("stt", self._heard_again)
        self._tell(before, self._at, error)

    async def _go_back(self) -> None:
        """Return to a better engine whose trouble seems to be over; if it is not, nothing has changed."""
        better = self._engines.order()[0]
        if better >= self._at:
            return
        try:
            at, ear = await self._engines.opened("stt", self._heard_again, among=(better,))
        except VoiceBackendError:
            return
        self._give_up()
        self._at, self._ear = at, ear

    async def _heard_again(self, at: int) -> SttStream:
        """Open one engine's stream, which hears what was said of the utterance; if it cannot, nothing has changed."""
        before, listening = self._listening, object()
        self._listening = listening
        try:
            return await self._replayed(at, listening)
        except BaseException:
            self._listening = before
            raise

    async def _replayed(self, at: int, listening: object) -> SttStream:
        ear = await self._engines[at].stream(lambda heard: self._recognised(listening, heard))
        try:
            for piece in self._utterance.replay():
                await (ear.pause() if piece is None else ear.push(piece))
        except BaseException:
            self._closings.begin(ear.aclose(), self._engines[at].name)
            raise
        return ear

    def _recognised(self, listening: object, heard: Recognition) -> None:
        if listening is self._listening:
            self._on_partial(heard)

    def _give_up(self) -> None:
        if self._ear is not None:
            self._closings.begin(self._ear.aclose(), self._engines[self._at].name)
            self._ear = None

    def _tell(self, before: int, at: int, error: VoiceBackendError) -> None:
        lost = ("audio",) if self._utterance.cut else ()
        names = {"source": self._engines[before].name, "to": self._engines[at].name}
        told(Switch(role="stt", code=error.code, lost=lost, **names), self._owner.on_switch)
