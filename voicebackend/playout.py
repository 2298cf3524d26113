"""The playout clock of one caller: what may be sent when, and how much of it must have been heard.

Pure: frames and seconds go in, decisions come out; no clock is read. It models the caller's own buffer: what was
sent and is not yet played. Sending stops when that holds ``AHEAD_S``, or as much as its caller needs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from voicebackend.audio import FRAME_MS, SAMPLE_BYTES, AudioFormat
from voicebackend.events import Resume
from voicebackend.turn_progress import EPSILON_S, REPORT_S, Heard, Standing, TurnProgress

AHEAD_S = 0.2
"""Seconds of audio that the caller's buffer holds at most."""
MESSAGE_S = 0.06
"""Seconds of audio that are sent together when the caller's buffer is well filled: each message costs both ends."""
MAX_QUEUED_S = 30.0
"""Seconds of audio that wait to be sent at most; what comes beyond is dropped."""
MAX_QUEUED_TEXTS = 1000
"""Messages that wait to be sent at most."""
MAX_QUEUED_CHARS = 1_000_000
"""Characters in these messages at most."""
ORPHAN_S = 3.0
"""Seconds that a new speaker has to say what becomes of a pause that the one before had ordered."""
_MAX_WAITING = MAX_QUEUED_S * 1000 / FRAME_MS + MAX_QUEUED_TEXTS


OnPlayed = Callable[[bytes, float], None]
"""Takes PCM that was played, and since when."""


class _Audio(NamedTuple):
    turn: int
    pcm: bytes
    seconds: float


@dataclass(slots=True)
class _Sent:
    """Audio in the caller's buffer."""

    turn: int
    seconds: float
    pcm: bytearray
    """The same, where somebody wants to know what was played; else empty."""


class Playout:
    """Orders audio and text for one caller. Times are seconds of any clock that does not run backwards."""

    def __init__(
        self, sample_rate: int, *, stands_still: bool = True, ahead_s: float = AHEAD_S, tape: OnPlayed | None = None
    ) -> None:
        """``stands_still``: the caller's buffer waits while its turn is paused; a telephone's plays on."""
        form = AudioFormat(sample_rate=sample_rate)
        self._frame_bytes, self._byte_s = form.frame_bytes, FRAME_MS / 1000 / form.frame_bytes
        self._queue: deque[_Audio | str] = deque()
        self._urgent: deque[str] = deque()
        self._buffer: deque[_Sent] = deque()
        self._turns = TurnProgress()
        self._stands_still, self._most_s = stands_still, ahead_s
        self._tape = tape
        self._paused: int | None = None
        self._drained: int | None = None
        """A turn that was paused until nothing of it was left in the caller's buffer."""
        self._orphan_until: float | None = None
        self._now = 0.0
        self._queued_s = self._ahead_s = 0.0
        self._queued_chars = 0
        self.dropped = 0
        """Frames dropped because too much waited."""
        self.late = 0
        """Frames that came after the caller's buffer had run dry within their turn."""

    def __repr__(self) -> str:
        held = f", turn {self._paused} paused" if self._paused is not None else ""
        return f"<Playout [{self._queued_s:.2f} s queued, {self._ahead_s:.2f} s ahead{held}]>"

    @property
    def ahead_s(self) -> float:
        """Seconds of audio in the caller's buffer when last looked at."""
        return self._ahead_s

    @property
    def _frozen(self) -> int | None:
        """The turn whose audio stands still in the caller's buffer."""
        return self._paused if self._stands_still else None

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing waits to be sent."""
        return not self._queue and not self._urgent

    @property
    def is_crowded(self) -> bool:
        """Tell whether more messages wait than a caller that reads would let gather."""
        return len(self._queue) + len(self._urgent) > _MAX_WAITING or self._queued_chars > MAX_QUEUED_CHARS

    def push_audio(self, turn: int, pcm: bytes) -> None:
        """Queue audio of a turn behind everything before it: an even number of bytes."""
        pcm = pcm[: len(pcm) - len(pcm) % SAMPLE_BYTES]
        for at in range(0, len(pcm), self._frame_bytes):
            piece = pcm[at : at + self._frame_bytes]
            seconds = len(piece) * self._byte_s
            if self._queued_s + seconds > MAX_QUEUED_S:
                self.dropped += 1
                continue
            self._queue.append(_Audio(turn, piece, seconds))
            self._queued_s += seconds
            self._turns.received(turn, seconds)

    def push_text(self, text: str) -> None:
        """Queue a message in its place among the audio."""
        self._queue.append(text)
        self._queued_chars += len(text)

    def clear(self, turn: int, text: str, now: float) -> None:
        """Drop what of a turn is not yet played, here and at the caller, and send the message next."""
        self._advance(now)
        self._queue = deque(item for item in self._queue if isinstance(item, str) or item.turn != turn)
        self._queued_s = sum(item.seconds for item in self._queue if not isinstance(item, str))
        self._buffer = deque(sent for sent in self._buffer if sent.turn != turn)
        self._ahead_s = sum(sent.seconds for sent in self._buffer)
        self._turns.cut(turn)
        self._let_go(turn)
        self._say(text)

    def pause(self, turn: int, text: str, now: float) -> None:
        """Hold a turn's audio where it is, and send the message next; what a telephone has, it plays."""
        self._advance(now)
        self._paused, self._orphan_until = turn, None
        self._say(text)

    def resume(self, turn: int, text: str, now: float) -> None:
        """Let a turn play on, and send the message next."""
        self._advance(now)
        self._let_go(turn)
        self._say(text)

    def adopt(self, now: float) -> Standing:
        """Return how far playout is, for a new speaker; a pause it does not speak of ends after ``ORPHAN_S``."""
        self._advance(now)
        if self._paused is not None:
            self._orphan_until = now + ORPHAN_S
        return self._turns.standing(self._paused)

    def played_ms(self, turn: int, now: float) -> float:
        """Return the milliseconds of a turn that have been played; 0 for one that is not known."""
        self._advance(now)
        return self._turns.played_ms(turn)

    def finish(self) -> None:
        """Drop all audio that waits; only messages are left to send."""
        self._queue = deque(item for item in self._queue if isinstance(item, str))
        self._queued_s = 0.0

    def due(self, now: float) -> bytes | str | None:
        """Return the next thing to send now, taken off; None if nothing may go yet."""
        self._advance(now)
        if self._orphan_until is not None and self._paused is not None and now >= self._orphan_until - EPSILON_S:
            self.resume(self._paused, Resume(turn=self._paused).to_json(), now)
        if self._urgent:
            return self._taken(self._urgent.popleft())
        if not self._queue or self._wait_for(self._queue[0]) != 0:
            return None
        item = self._queue.popleft()
        return self._taken(item) if isinstance(item, str) else self._with_more(item)

    def wait_s(self, now: float) -> float | None:
        """Return the seconds until there may be something to send or report; None until something is pushed."""
        self._advance(now)
        if self._urgent:
            return 0.0
        moving = bool(self._buffer) and self._buffer[0].turn != self._frozen
        if not self._queue and self._orphan_until is None:
            return REPORT_S if moving else None
        waits = [REPORT_S] if moving else []
        if self._queue and (wait := self._wait_for(self._queue[0])) is not None:
            waits.append(wait)
        if self._orphan_until is not None:
            waits.append(max(0.0, self._orphan_until - now))
        return min(waits, default=None)

    def heard(self, now: float) -> list[Heard]:
        """Return how much was heard of each turn where it has grown by ``REPORT_S``, or has stopped growing."""
        self._advance(now)
        if not self._turns.has_untold:
            return []
        moving = {sent.turn for sent in self._buffer}
        if self._paused is not None and self._stands_still:
            moving.discard(self._paused)
        return self._turns.reports(moving)

    def _say(self, text: str) -> None:
        self._urgent.append(text)
        self._queued_chars += len(text)

    def _taken(self, text: str) -> str:
        self._queued_chars -= len(text)
        return text

    def _let_go(self, turn: int) -> None:
        if self._paused == turn:
            self._paused = self._orphan_until = None
            self._drained = None if self._stands_still or self._buffer else turn

    def _wait_for(self, item: _Audio | str) -> float | None:
        """Return the seconds until this may be sent: 0 now, None not before something changes."""
        if isinstance(item, str):
            return 0.0
        if item.turn == self._paused:
            return None
        over = self._ahead_s + max(item.seconds, min(MESSAGE_S, self._queued_s)) - self._most_s
        if over <= EPSILON_S:
            return 0.0
        return None if self._buffer[0].turn == self._frozen else over

    def _with_more(self, item: _Audio) -> bytes:
        """Note audio as sent, with what of its turn follows at once and finds room too."""
        self._note_sent(item)
        if not self._queue:
            return item.pcm
        parts = [item.pcm]
        while self._queue and not isinstance(following := self._queue[0], str) and following.turn == item.turn:
            if self._ahead_s + following.seconds > self._most_s + EPSILON_S:
                break
            self._note_sent(following)
            parts.append(following.pcm)
            self._queue.popleft()
        return b"".join(parts)

    def _note_sent(self, item: _Audio) -> None:
        if self._turns.sent(item.turn, item.seconds) and not self._buffer and item.turn != self._drained:
            self.late += 1
        self._drained = None
        self._queued_s = max(0.0, self._queued_s - item.seconds)
        self._ahead_s += item.seconds
        if self._buffer and self._buffer[-1].turn == item.turn:
            self._buffer[-1].seconds += item.seconds
        else:
            self._buffer.append(_Sent(item.turn, item.seconds, bytearray()))
        if self._tape is not None:
            self._buffer[-1].pcm += item.pcm

    def _record(self, sent: _Sent, seconds: float, at: float) -> None:
        """Put on tape what is played now; what is left of a sample is played next."""
        left = round((sent.seconds - seconds) / self._byte_s / SAMPLE_BYTES) * SAMPLE_BYTES
        played = bytes(sent.pcm[: max(0, len(sent.pcm) - left)])
        if played and self._tape is not None:
            del sent.pcm[: len(played)]
            self._tape(played, at)

    def _advance(self, now: float) -> None:
        """Let the caller play what is in its buffer."""
        if now <= self._now:
            return
        passed, self._now = now - self._now, now
        buffer = self._buffer
        while passed > 0 and buffer and (first := buffer[0]).turn != self._frozen:
            played = first.seconds if first.seconds < passed else passed
            if self._tape is not None:
                self._record(first, played, now - passed)
            passed -= played
            first.seconds -= played
            self._ahead_s -= played
            self._turns.played(first.turn, played)
            if first.seconds <= EPSILON_S:
                buffer.popleft()
        if not buffer:
            self._ahead_s = 0.0  # what rounding has left goes too
