"""Speech to text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from voicebackend.interfaces.engine import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """What an utterance says, as far as is known."""

    text: str
    """Empty when nothing was said."""
    final: bool
    confidence: float | None = None
    """0 to 1, where the engine tells."""
    flushed: bool = False
    """It is all that was said up to the last ``pause``; empty text says that nothing was."""


class SttStream:
    """One session's ear. Utterance after utterance: push its audio, then finish it."""

    async def push(self, pcm: bytes) -> None:
        """Take more audio of the utterance under way."""
        raise NotImplementedError

    async def pause(self) -> None:
        """Hear that the caller may have finished: an engine starts on the result, and reports it, ``flushed``.

        The end of the turn is decided on that report, so an engine that can makes it, also if it is not news. More
        audio may still come. If it is speech, the caller pauses again after it; then nothing is reported of the pause
        before.
        """

    async def finish(self) -> Recognition:
        """Return the utterance's final text and make ready for the next one.

        It may be the result as of the last ``pause``, so speech after that needs another ``pause`` first. Without any
        pause, everything is recognised now.
        """
        raise NotImplementedError

    async def discard(self) -> None:
        """Forget the utterance under way."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """End the stream; pending work is cancelled."""


class SpeechToText(Engine):
    """Recognises speech."""

    async def stream(self, on_partial: Callable[[Recognition], None]) -> SttStream:
        """Open an ear for one session, 16 kHz; partial texts go to ``on_partial``, which returns at once."""
        raise NotImplementedError
