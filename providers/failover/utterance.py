"""The caller's utterance under way, kept so that another recogniser can hear it from its beginning. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from voicebackend.audio import PIPELINE_RATE, SAMPLE_BYTES

MAX_S = 60.0
"""Seconds that are kept; of a longer one, the end."""
PIECE_S = 0.2
"""Seconds that are replayed at a time."""
_MAX_BYTES = round(MAX_S * PIPELINE_RATE) * SAMPLE_BYTES
_PIECE_BYTES = round(PIECE_S * PIPELINE_RATE) * SAMPLE_BYTES


class Utterance:
    """16 kHz PCM, and where the caller paused last."""

    def __init__(self) -> None:
        self._audio = bytearray()
        self._paused: int | None = None
        self.cut = False
        """Some of it is not kept."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing was said yet."""
        return not self._audio

    def push(self, pcm: bytes) -> None:
        """Take more of it."""
        self._audio += pcm
        more = len(self._audio) - _MAX_BYTES
        if more > 0:
            del self._audio[:more]
            self.cut = True
            self._paused = None if self._paused is None else max(0, self._paused - more)

    def pause(self) -> None:
        """Note that the caller may have finished."""
        self._paused = len(self._audio)

    def replay(self) -> Iterator[bytes | None]:
        """Yield its audio piece by piece, and None where the caller paused last."""
        paused = len(self._audio) if self._paused is None else self._paused
        yield from _pieces(bytes(self._audio[:paused]))
        if self._paused is not None:
            yield None
        yield from _pieces(bytes(self._audio[paused:]))


def _pieces(pcm: bytes) -> Iterator[bytes]:
    return (pcm[at : at + _PIECE_BYTES] for at in range(0, len(pcm), _PIECE_BYTES))
