"""The caller's phone: a microphone that sends 20 ms after 20 ms, and a loudspeaker that plays what has come."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from voicebackend.audio import FRAME_MS, PIPELINE_RATE, SAMPLE_BYTES, resample, to_pcm, to_samples
from worker.scenarios.sightings import Kind
from worker.scenarios.tape import Tape
from worker.scenarios.timeline import Event, Timeline

FRAME_S = FRAME_MS / 1000
REPORT_S = 0.2
"""Seconds between two reports of a phone that makes them."""
DRY_S = 0.06
"""Seconds without audio after which the agent counts as silent."""


@dataclass(slots=True)
class Sound:
    """Something at the caller's; ``done`` is set when all of it has been sent."""

    pcm: bytes
    """At the phone's rate."""
    on_start: Callable[[], object] = lambda: None
    at: int = 0
    done: asyncio.Event = field(default_factory=asyncio.Event)


class Microphone:
    """Adds up what sounds at the same time."""

    def __init__(self, rate: int, send: Callable[[bytes], None]) -> None:
        self._rate, self._send = rate, send
        self._bytes = round(rate * FRAME_S) * SAMPLE_BYTES
        self._sounds: list[Sound] = []
        self.lost_until = 0.0
        """Until then the network loses everything."""

    def sound(self, pcm: bytes, on_start: Callable[[], object]) -> Sound:
        """Let 16 kHz audio be heard, from the next frame on."""
        sound = Sound(pcm=resample(pcm, PIPELINE_RATE, self._rate), on_start=on_start)
        self._sounds.append(sound)
        return sound

    async def run(self) -> None:
        """Send frame after frame."""
        clock, ticks = asyncio.get_running_loop().time, 0
        start = clock()
        while True:
            taken = [(sound, self._next(sound)) for sound in self._sounds]
            ticks += 1
            await asyncio.sleep(start + ticks * FRAME_S - clock())
            if clock() >= self.lost_until:
                self._send(self._mixed([pcm for _, pcm in taken]))
            for sound, _ in taken:
                if sound.at >= len(sound.pcm):
                    self._sounds.remove(sound)
                    sound.done.set()

    def _next(self, sound: Sound) -> bytes:
        if sound.at == 0:
            sound.on_start()
        piece = sound.pcm[sound.at : sound.at + self._bytes]
        sound.at += self._bytes
        return piece

    def _mixed(self, pieces: list[bytes]) -> bytes:
        if len(pieces) == 1 and len(pieces[0]) == self._bytes:
            return pieces[0]
        whole = [piece.ljust(self._bytes, b"\0") for piece in pieces]
        return (
            to_pcm(np.sum([to_samples(piece).astype(np.float64) for piece in whole], axis=0))
            if whole
            else bytes(self._bytes)
        )


@dataclass(slots=True)
class Turn:
    """What was heard of one turn of the agent."""

    tape: Tape
    pcm: bytearray = field(default_factory=bytearray)
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
        return sum(len(turn.pcm) for turn in self.turns.values()) / SAMPLE_BYTES / self._rate

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
        place = len(turn.pcm) // SAMPLE_BYTES
        if not turn.starts or abs(turn.when(place, self._rate) - self._now) > 1e-6:  # noqa: PLR2004 - a rounding error
            turn.starts.append((place, self._now))
        turn.pcm += pcm
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
            self._report(number, round(len(self.turns[number].pcm) / SAMPLE_BYTES / self._rate * 1000, 1))
