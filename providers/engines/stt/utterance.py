"""The ear of a recogniser that takes whole utterances: decodes ahead, so that the final text is there in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from providers.engines.stt.segments import LONGEST_BYTES, quietest
from voicebackend.audio import PIPELINE_RATE, SAMPLE_BYTES
from voicebackend.interfaces import Recognition, SttStream

_PARTIAL_BYTES = PIPELINE_RATE * SAMPLE_BYTES // 2
"""New audio after which what was said so far is decoded: half a second."""
_PARTIAL_SHARE = 4
"""And at least this part of the segment, a quarter, so that a long one is not decoded over and over."""
_TAIL_BYTES = round(2.0 * PIPELINE_RATE) * SAMPLE_BYTES
"""Silence that a pause may last before the turn ends; more than that was speech."""

Recognise = Callable[[bytes], "asyncio.Future[str]"]
"""Starts on 16 kHz audio of at most 15 s, outside the event loop."""


class UtteranceStream(SttStream):
    """Keeps at most 15 s of audio that is not being decoded; what is older becomes text at once."""

    def __init__(
        self, recognise: Recognise, on_partial: Callable[[Recognition], None], *, busy: Callable[[], bool]
    ) -> None:
        self._recognise = recognise
        self._on_partial = on_partial
        self._busy = busy
        self._begin()

    def _begin(self) -> None:
        self._audio = bytearray()
        self._fresh = 0  # bytes since the last decode began
        self._paused_at = 0  # bytes there were at the last pause
        self._closed: list[asyncio.Future[str]] = []
        self._guess: asyncio.Future[str] | None = None
        self._pause: asyncio.Future[str] | None = None
        self._reported = ""

    def __repr__(self) -> str:
        seconds = len(self._audio) / SAMPLE_BYTES / PIPELINE_RATE
        return f"<UtteranceStream {len(self._closed)} segments and {seconds:.2f} s>"

    async def push(self, pcm: bytes) -> None:
        """Take audio; waits only if recognition is a whole segment behind."""
        self._audio += pcm
        self._fresh += len(pcm)
        while len(self._audio) >= LONGEST_BYTES:
            await self._close_segment()
        enough = max(_PARTIAL_BYTES, len(self._audio) // _PARTIAL_SHARE)
        if self._fresh >= enough and (self._guess is None or self._guess.done()) and not self._busy():
            self._guess = self._decode()

    async def pause(self) -> None:
        """Start on the result; its text is reported when it is there."""
        if self._pause is not None and self._paused_at == len(self._audio):
            return
        self._drop_guesses()
        if self._audio:
            self._pause, self._paused_at = self._decode(), len(self._audio)

    async def finish(self) -> Recognition:
        """Return the text as of the last pause, or of everything if there was none or too much came after it."""
        if self._pause is None or len(self._audio) - self._paused_at > _TAIL_BYTES:
            await self.pause()
        parts = [*self._closed, *([self._pause] if self._pause else [])]
        self._drop(self._guess)
        self._begin()
        texts = await asyncio.gather(*parts)
        return Recognition(text=_joined(texts), final=True)

    async def discard(self) -> None:
        """Forget the utterance under way."""
        self._drop_guesses()
        for future in self._closed:
            future.cancel()
        self._begin()

    async def aclose(self) -> None:
        """End the stream."""
        await self.discard()

    def grew(self, job: asyncio.Future[str], text: str) -> None:
        """Hear what a job has understood so far; it is passed on if its result is still wanted."""
        if job is self._guess or job is self._pause:
            self._pass_on(text, flushed=False)

    def _decode(self) -> asyncio.Future[str]:
        self._fresh = 0
        future = self._recognise(bytes(self._audio))
        future.add_done_callback(self._report)
        return future

    async def _close_segment(self) -> None:
        self._drop_guesses()
        end = quietest(bytes(self._audio[:LONGEST_BYTES]))
        segment = bytes(self._audio[:end])
        del self._audio[:end]
        if self._closed:
            await asyncio.wait([self._closed[-1]])
        self._closed.append(self._recognise(segment))

    def _report(self, future: asyncio.Future[str]) -> None:
        """Pass a guess on if it is still wanted; if it failed, ``finish`` tells."""
        flushed = future is self._pause
        if not (flushed or future is self._guess) or future.cancelled() or future.exception():
            return
        self._pass_on(future.result(), flushed=flushed)

    def _pass_on(self, latest: str, *, flushed: bool) -> None:
        text = _joined([*(part.result() for part in self._closed if _succeeded(part)), latest])
        if flushed or (text and text != self._reported):
            self._reported = text
            self._on_partial(Recognition(text=text, final=False, flushed=flushed))

    def _drop_guesses(self) -> None:
        self._drop(self._guess)
        self._drop(self._pause)
        self._guess = self._pause = None

    def _drop(self, future: asyncio.Future[str] | None) -> None:
        if future is not None:
            future.cancel()


def _succeeded(future: asyncio.Future[str]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None


def _joined(texts: list[str]) -> str:
    return " ".join(text for text in texts if text)
