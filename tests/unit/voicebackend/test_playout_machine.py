"""The playout clock against a listener who counts samples: whatever is paused, cleared and resumed, both agree."""

from __future__ import annotations

import json
from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from voicebackend.playout import AHEAD_S, MAX_QUEUED_S, Playout

RATE = 8_000
SAMPLE_MS = 1000 / RATE
TURNS = st.integers(1, 3)


class Listening(RuleBasedStateMachine):
    """A caller's device that plays a sample every 1/8000 s, in step with the clock under test."""

    def __init__(self) -> None:
        super().__init__()
        self.playout = Playout(RATE)
        self.now = 100.0
        self.turn = 0
        self.pushed: dict[int, int] = {}
        self.cleared: set[int] = set()
        self.paused: int | None = None
        self.buffer: deque[list[int]] = deque()
        """Turn and samples left of each piece in the device's buffer."""
        self.played: dict[int, int] = {}
        self.got: dict[int, int] = {}
        self.reported: dict[int, float] = {}

    def _drain(self) -> None:
        while (item := self.playout.due(self.now)) is not None:
            if isinstance(item, bytes):
                turn = int.from_bytes(item[:2], "little")
                assert all(item[at : at + 2] == item[:2] for at in range(0, len(item), 2)), "turns are never mixed"
                self.buffer.append([turn, len(item) // 2])
                self.got[turn] = self.got.get(turn, 0) + len(item) // 2
            elif item.startswith("pause"):
                self.paused = int(item[-1])
            elif self.paused == (json.loads(item)["turn"] if item.startswith("{") else int(item[-1])):
                self.paused = None
            if isinstance(item, str) and item.startswith("clear"):
                self.buffer = deque(piece for piece in self.buffer if piece[0] != int(item[-1]))

    @precondition(lambda self: self.turn < 6)
    @rule()
    def begin(self) -> None:
        """The agent begins another turn."""
        self.turn += 1

    @precondition(lambda self: self.turn and self.turn not in self.cleared)
    @rule(frames=st.integers(1, 60))
    def push(self, frames: int) -> None:
        """The agent speaks."""
        pcm = self.turn.to_bytes(2, "little") * (160 * frames)
        dropped = self.playout.dropped
        self.playout.push_audio(self.turn, pcm)
        kept = frames - (self.playout.dropped - dropped)
        self.pushed[self.turn] = self.pushed.get(self.turn, 0) + 160 * kept
        self._drain()

    @precondition(lambda self: self.turn)
    @rule(word=st.sampled_from(["pause", "resume", "clear"]), back=st.integers(0, 1))
    def control(self, word: str, back: int) -> None:
        """The agent holds, goes on, or is cut off; also a turn before."""
        turn = max(1, self.turn - back)
        getattr(self.playout, word)(turn, f"{word} {turn}", self.now)
        if word == "clear":
            self.cleared.add(turn)
        self._drain()

    @rule()
    def adopt(self) -> None:
        """Another worker speaks for the agent from now on; a pause that it says nothing of ends by itself."""
        standing = self.playout.adopt(self.now)
        assert standing.paused == (self.paused is not None and self.paused == standing.turn)
        assert abs(standing.played_ms - self.played.get(standing.turn, 0) * SAMPLE_MS) <= 2 * SAMPLE_MS
        if standing.turn not in self.cleared:
            assert abs(standing.received_ms - self.pushed.get(standing.turn, 0) * SAMPLE_MS) <= SAMPLE_MS

    @rule(ms=st.integers(1, 400))
    def wait(self, ms: int) -> None:
        """Time passes, and the task that sends wakes when it is told to."""
        end = self.now + ms / 1000
        while self.now < end - 1e-9:
            wait = self.playout.wait_s(self.now)
            step = min(end - self.now, max(0.001, wait) if wait is not None else 1.0)
            step = max(1, round(step * 1000)) / 1000
            self._play(round(step * RATE))
            self.now += step
            self._drain()
        for heard in self.playout.heard(self.now):
            assert heard.ms > self.reported.get(heard.turn, 0.0), "a report is news"
            self.reported[heard.turn] = heard.ms

    def _play(self, samples: int) -> None:
        while samples and self.buffer and self.buffer[0][0] != self.paused:
            turn, left = self.buffer[0]
            now = min(samples, left)
            samples, self.buffer[0][1] = samples - now, left - now
            self.played[turn] = self.played.get(turn, 0) + now
            if now == left:
                self.buffer.popleft()

    @invariant()
    def both_count_the_same(self) -> None:
        """What the clock says was played is what was, to the sample."""
        for turn in self.pushed:
            told = self.playout.played_ms(turn, self.now)
            assert abs(told - self.played.get(turn, 0) * SAMPLE_MS) <= 2 * SAMPLE_MS, (turn, told, self.played)

    @invariant()
    def nothing_is_made_up_or_overfills(self) -> None:
        """No more comes than was pushed, and no more than fits waits at the device."""
        for turn, samples in self.got.items():
            assert samples <= self.pushed[turn]
        assert sum(left for _, left in self.buffer) / RATE <= AHEAD_S + 0.001
        assert self.playout._queued_s <= MAX_QUEUED_S + 1e-6

    def teardown(self) -> None:
        """In the end all is played that was not dropped."""
        for turn in self.pushed:
            self.playout.resume(turn, f"resume {turn}", self.now)
        self._drain()
        for _ in range(200):
            self.wait(400)
        for turn in set(self.pushed) - self.cleared:
            assert self.played.get(turn, 0) == self.pushed[turn]


TestListening = Listening.TestCase
TestListening.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
