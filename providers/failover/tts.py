"""A voice made of several: when one fails, the next says what was not said of the clause."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from providers.failover.candidates import Candidates, within
from providers.failover.spoken import Spoken
from providers.failover.switch import OnSwitch, Switch, nobody, told
from voicebackend.audio import SAMPLE_BYTES, Resampler
from voicebackend.errors import VoiceBackendError
from voicebackend.interfaces import TextToSpeech, WordTime


class FailoverTts(TextToSpeech):
    """Speaks by the first of its engines that can, all at the first one's rate."""

    def __init__(
        self, engines: Candidates[TextToSpeech], *, timeout_s: float | None = None, on_switch: OnSwitch = nobody
    ) -> None:
        """``timeout_s``: seconds to the next piece of audio after which an engine counts as hung; None never."""
        super().__init__()
        self.name = engines[0].name  # type: ignore[misc]  # a class's elsewhere; this one stands for another
        self.sample_rate = engines[0].sample_rate
        self.engines, self.timeout_s, self.on_switch = engines, timeout_s, on_switch

    @property
    def at_work(self) -> str:
        """The name of the engine that is tried first now."""
        return self.engines.first.name

    def noting(self, on_switch: OnSwitch) -> FailoverTts:
        """Return the same for one session, which hears of switches."""
        return FailoverTts(self.engines, timeout_s=self.timeout_s, on_switch=on_switch)

    async def synthesize(self, text: str) -> AsyncIterator[bytes | WordTime]:
        """Yield the clause's audio. What was heard is not said twice.

        A voice that fails before its first audio is replaced for the whole text; later, from the first word that was
        not heard whole if it tells word times, and else the clause ends as it is.
        """
        spoken, rest = Spoken(text), text
        tries, again = deque(self.engines.order()), len(self.engines)
        while True:
            at = tries.popleft()
            try:
                async with aclosing(self._say(at, rest, spoken)) as pieces:
                    async for piece in pieces:
                        yield piece
                self.engines.succeeded(at)
                return
            except VoiceBackendError as error:
                self.engines.failed(at, error, again=spoken.begun)
                if spoken.begun and again:
                    tries.append(at)  # it speaks: only its connection broke
                    again -= 1
                left = spoken.rest()
                self._tell(at, tries[0] if tries else at, error, said=left is not None)
                if not left:
                    return
                if not tries:
                    raise
                rest = left

    async def _say(self, at: int, text: str, spoken: Spoken) -> AsyncGenerator[bytes | WordTime, None]:
        """Yield what one engine makes of a text, at our rate."""
        engine = self.engines[at]
        resampler = Resampler(engine.sample_rate, self.sample_rate)
        async with aclosing(engine.synthesize(text)) as audio:  # type: ignore[type-var]
            while (made := await within(anext(audio, None), self.timeout_s, "tts")) is not None:
                if isinstance(made, WordTime):
                    yield spoken.word(made)
                elif pcm := resampler.process(made):
                    spoken.made_s += len(pcm) / SAMPLE_BYTES / self.sample_rate
                    yield pcm
        if pcm := resampler.flush():
            yield pcm

    def _tell(self, before: int, at: int, error: VoiceBackendError, *, said: bool) -> None:
        if before == at and said:
            return  # nobody else goes on with it
        names = {"source": self.engines[before].name, "to": self.engines[at].name}
        told(Switch(role="tts", code=error.code, lost=() if said else ("speech",), **names), self.on_switch)
