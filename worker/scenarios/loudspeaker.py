"""The loudspeaker of the caller's phone: plays what has come, obeys at once, and tells what was heard when."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from voicebackend.audio import SAMPLE_BYTES
from worker.scenarios.sightings import Kind
from worker.scenarios.tape import Tape
from worker.scenarios.timeline import Event, Timeline

REPORT_S = 0.2
"""Seconds between two reports of a phone that makes them."""
DRY_S = 0.06
"""Seconds without audio after which the agent counts as silent."""
_ROUNDING_S = 1e-6


@dataclass(slots=True)
class Turn:
    """What was heard of one turn of the agent."""

    tape: Tape
    samples: int = 0
    starts: list[tuple[int, float]] = field(default_factory=list)
    """From which sample on it was heard at which time."""
    words: list[Event] = field(default_factory=list)
    """Those that stand in the timeline."""
    cut: bool = False
    """The rest was dropped."""

    def when(self, sample: int, rate: int) -> float:
        """Return when a sample was heard."""
        first, at = next(start for start in reversed(self.starts) if start[0] <= sample)
        return at + (sample - first) / rate


class Loudspeaker:
    """Plays from a buffer, and obeys pause and clear at once."""

    def __init__(
        self,
        rate: int,
        timeline: Timeline,
        *,
        tape: Callable[[int], Tape],
        report: Callable[[int, float], None] | None,
    ) -> None:
        self._rate, self._timeline, self._tape, self._report = rate, timeline, tape, report
        self._buffer: deque[tuple[int, bytes]] = deque()
        self._clock = asyncio.get_running_loop().time
        self._now = self._clock()
        self._paused: int | None = None
        self._dry_since: float | None = None
        self._ended: set[int] = set()
        self._reported = 0.0
        self.turn = 0
        """The turn that the audio belongs to which comes now."""
        self.turns: dict[int, Turn] = {}
        self.speaking: int | None = None
        """The turn that is heard now."""
        self.finished_at = -1.0
        """When a turn of the agent was last heard to its end."""
        self.hung_up: str | None = None
        """Why the other side ended the call."""

    @property
    def heard_s(self) -> float:
        """Seconds of the agent heard so far."""
        return sum(turn.samples for turn in self.turns.values()) / self._rate

    @property
    def is_silent(self) -> bool:
        """Tell whether nothing is played, and nothing waits to be."""
        return not self._buffer and self.speaking is None

    def receive(self, item: bytes | str) -> None:
        """Take audio, or a message."""
        self.advance()
        if isinstance(item, bytes):
            self._buffer.append((self.turn, item))
            if self.turns.get(self.turn) and self.turns[self.turn].cut:
                self._timeline.problems.append(f"audio of turn {self.turn} came after it was cleared")
            return
        message = json.loads(item)
        self._obey(message)
        self._note(message)

    def _obey(self, message: dict[str, object]) -> None:
        turn = int(str(message.get("turn", 0)))
        match message["type"]:
            case "audio_start":
                self.turn = turn
            case "audio_end":
                self._ended.add(turn)
                self._settle()
            case "pause":
                self._paused = turn
                self._stop_sounding(self._now)
                self._tell(turn)
            case "resume":
                self._paused = None
            case "clear":
                self._clear(turn)
            case "ended":
                self.hung_up = str(message["reason"])

    def _clear(self, turn: int) -> None:
        self._paused = None if self._paused == turn else self._paused
        self._buffer = deque(item for item in self._buffer if item[0] != turn)
        if turn in self.turns:
            self.turns[turn].cut = True
        self._ended.add(turn)
        self._stop_sounding(self._now)
        self._tell(turn)

    def _note(self, message: dict[str, object]) -> None:
        note = self._timeline.note
        match message["type"]:
            case "pause" | "resume" | "clear" as kind:
                note(Kind(kind), message["turn"])
            case "state":
                note(Kind.STATE, message["state"])
            case "error":
                note(Kind.ERROR, message["code"], detail=str(message["message"]))
            case "ended":
                note(Kind.ENDED, message["reason"])
            case "transcript" if message["role"] == "user":
                note(Kind.UNDERSTOOD if message["final"] else Kind.PARTIAL, message["text"])
            case _:
                pass

    def advance(self) -> None:
        """Play what is due by now."""
        now = self._clock()
        while self._buffer and self._buffer[0][0] != self._paused and self._now < now:
            turn, pcm = self._buffer.popleft()
            size = min(len(pcm), round((now - self._now) * self._rate) * SAMPLE_BYTES)
            if size < len(pcm):
                self._buffer.appendleft((turn, pcm[size:]))
            if not size:
                break
            self._sound(turn, pcm[:size])
            self._now += size / SAMPLE_BYTES / self._rate
        if not self._buffer or self._buffer[0][0] == self._paused:
            self._dry(now)
            self._now = now
        if self.speaking is None and self.turn in self.turns:
            self.read(self.turn)

    def read(self, number: int) -> None:
        """Note what has been understood of a turn since it fell silent: recognisers take their time."""
        turn = self.turns[number]
        self._words(turn, whole=not turn.cut and number != self._paused)

    def _sound(self, number: int, pcm: bytes) -> None:
        if number not in self.turns:
            self.turns[number] = Turn(self._tape(self._rate))
        turn = self.turns[number]
        self._dry_since = None
        if self.speaking != number:
            self.speaking = number
            self._timeline.note(Kind.SPEAKS, number, at=self._now)
        if not turn.starts or abs(turn.when(turn.samples, self._rate) - self._now) > _ROUNDING_S:
            turn.starts.append((turn.samples, self._now))
        turn.samples += len(pcm) // SAMPLE_BYTES
        turn.tape.push(pcm)
        self._words(turn)
        if self._now - self._reported >= REPORT_S:
            self._tell(number)

    def _dry(self, now: float) -> None:
        if self.speaking is None:
            return
        if self._dry_since is None:
            self._dry_since = self._now
            self._tell(self.speaking)
        if now - self._dry_since >= DRY_S or self.speaking in self._ended:
            self._stop_sounding(self._dry_since)

    def _stop_sounding(self, at: float) -> None:
        if self.speaking is not None:
            turn = self.turns[self.speaking]
            if self.speaking != self._paused:
                turn.tape.flush()
                self._words(turn, whole=not turn.cut)
            self._timeline.note(Kind.SILENT, self.speaking, at=at)
        self.speaking = self._dry_since = None
        self._settle()

    def _settle(self) -> None:
        """Note that the agent has finished, if it has."""
        if self.is_silent and self.turn in self._ended:
            self.finished_at = self._clock()

    def _words(self, turn: Turn, *, whole: bool = False) -> None:
        """Put the words that were heard into the timeline; while more may come, and when it was cut, not the last."""
        words = turn.tape.words()
        known = words[: len(words) - (0 if whole or turn.tape.text.endswith(" ") else 1)]
        if any(event.text != word.text for event, word in zip(turn.words, known, strict=False)):
            self._timeline.forget(turn.words)  # a recogniser thought better of it
            turn.words.clear()
        for word in known[len(turn.words) :]:
            turn.words.append(self._timeline.note(Kind.HEARS, word.text, at=turn.when(word.sample, self._rate)))

    def _tell(self, number: int) -> None:
        self._reported = self._now
        if self._report is not None and number in self.turns:
            self._report(number, round(self.turns[number].samples / self._rate * 1000, 1))
