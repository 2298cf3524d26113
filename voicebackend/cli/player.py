"""A loudspeaker that only keeps the time: what would be heard when, and what came too late for that.

Pure: seconds go in with every call; no clock is read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from voicebackend.audio import SAMPLE_BYTES, AudioFormat

LATE_S = 0.02
"""Seconds after playback ran dry from which a frame counts as late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """Audio and when it is played."""

    start: float
    """Seconds."""
    turn: int
    pcm: bytes


class Player:
    """Plays the agent's audio as it comes, back to back."""

    def __init__(self, sample_rate: int) -> None:
        self._format = AudioFormat(sample_rate=sample_rate)
        self._played: list[Played] = []
        self._free_at = 0.0
        self._paused_at: float | None = None
        self._turn: int | None = None
        self.late = 0
        """Frames that came more than 20 ms after playback had run dry within their turn."""

    @property
    def seconds(self) -> float:
        """Seconds of audio that were, or are to be, heard."""
        return sum(self._format.duration_s(piece.pcm) for piece in self._played)

    def push(self, now: float, turn: int, pcm: bytes) -> None:
        """Take a piece of a turn."""
        start = max(self._free_at, now if self._paused_at is None else self._paused_at)
        if turn == self._turn and start - self._free_at > LATE_S:
            self.late += 1
        self._turn = turn
        self._played.append(Played(start=start, turn=turn, pcm=pcm))
        self._free_at = start + self._format.duration_s(pcm)

    def end_turn(self, turn: int) -> None:
        """Hear that a turn is complete: what comes next begins anew."""
        if turn == self._turn:
            self._turn = None

    def clear(self, now: float) -> None:
        """Drop what is not yet played."""
        at = now if self._paused_at is None else self._paused_at
        self._played = [cut for piece in self._played if (cut := self._until(piece, at)).pcm]
        self._free_at, self._paused_at, self._turn = min(self._free_at, at), None, None

    def pause(self, now: float) -> None:
        """Hold playback where it is."""
        if self._paused_at is None:
            self._paused_at = now

    def resume(self, now: float) -> None:
        """Play on."""
        if self._paused_at is None:
            return
        at, shift = self._paused_at, now - self._paused_at
        moved = [part for piece in self._played for part in self._split(piece, at, shift)]
        self._played, self._paused_at = moved, None
        if self._free_at > at:
            self._free_at += shift

    def dry_s(self, now: float) -> float:
        """Return for how many seconds nothing has been heard; 0 while something is, or is held."""
        return 0.0 if self._paused_at is not None else max(0.0, now - self._free_at)

    def turn_pcm(self, turn: int) -> bytes:
        """Return what was heard of a turn."""
        return b"".join(piece.pcm for piece in self._played if piece.turn == turn)

    def render(self, start: float, end: float) -> bytes:
        """Return what was heard between two times, silence included."""
        track = bytearray(self._format.silence(end - start))
        for piece in self._played:
            at = round((piece.start - start) * self._format.sample_rate) * SAMPLE_BYTES
            if at >= 0:
                track[at : at + len(piece.pcm)] = piece.pcm[: max(0, len(track) - at)]
        return bytes(track)

    def _until(self, piece: Played, at: float) -> Played:
        return replace(piece, pcm=piece.pcm[: self._bytes(at - piece.start)])

    def _split(self, piece: Played, at: float, shift: float) -> list[Played]:
        cut = self._bytes(at - piece.start)
        before = replace(piece, pcm=piece.pcm[:cut])
        after = replace(piece, pcm=piece.pcm[cut:], start=max(piece.start, at) + shift)
        return [part for part in (before, after) if part.pcm]

    def _bytes(self, seconds: float) -> int:
        return max(0, round(seconds * self._format.sample_rate)) * SAMPLE_BYTES
