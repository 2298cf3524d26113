"""When the caller speaks and when a turn is over: speech probabilities in, decisions out, no clock inside.

Time is counted in the audio itself, so the same recording always gives the same decisions.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from voicebackend import conversation
from voicebackend.interfaces import VadProfile

DEFAULTS = conversation.Endpointing()
JUDGED_S = 0.5
"""Silence in which somebody should have said how long to wait: recogniser and turn detector need a part of it."""


class Hearing(StrEnum):
    """What the caller is doing."""

    QUIET = "quiet"
    SPEECH = "speech"
    PAUSE = "pause"
    """Silent for a moment, within a turn."""


class Decision(StrEnum):
    """What a piece of audio changed."""

    STARTED = "started"
    """Speech began; it includes the audio kept from before."""
    PAUSED = "paused"
    """The caller may have finished: recognition can start on what was said."""
    RESUMED = "resumed"
    """The caller goes on."""
    MAY_END = "may_end"
    """Silent for long enough, and nobody has said yet how long to wait: ``wait_until``."""
    ENDED = "ended"
    """The turn is over: the caller has finished."""
    CUT = "cut"
    """The turn is over: the caller speaks too long."""


HEARING: Mapping[Decision, tuple[frozenset[Hearing], Hearing]] = {
    Decision.STARTED: (frozenset({Hearing.QUIET}), Hearing.SPEECH),
    Decision.PAUSED: (frozenset({Hearing.SPEECH}), Hearing.PAUSE),
    Decision.RESUMED: (frozenset({Hearing.PAUSE}), Hearing.SPEECH),
    Decision.MAY_END: (frozenset({Hearing.PAUSE}), Hearing.PAUSE),
    Decision.ENDED: (frozenset({Hearing.PAUSE}), Hearing.QUIET),
    Decision.CUT: (frozenset({Hearing.SPEECH, Hearing.PAUSE}), Hearing.QUIET),
}
"""For each decision: where it may be made, and where it leads."""


class Endpointing:
    """Counts speech and silence by the detector's profile."""

    def __init__(self, profile: VadProfile, settings: conversation.Endpointing = DEFAULTS) -> None:
        self._profile = profile
        self._max_wait_s = settings.max_wait.total_seconds()
        self._max_turn_s = settings.max_turn.total_seconds()
        self.reset()

    def __repr__(self) -> str:
        return f"<Endpointing [{self.hearing}, silent for {self.silence_s:.3f} s]>"

    def reset(self) -> None:
        """Begin a new turn."""
        self.hearing = Hearing.QUIET
        self.silence_s = 0.0
        """Seconds since the last frame of speech, within a turn."""
        self.speech_s = 0.0
        """Seconds since speech began, pauses included."""
        self._onset_s = 0.0
        self._end_at_s: float | None = None

    def resume(self, speech_s: float) -> None:
        """Be within a turn that has lasted so long."""
        self.reset()
        self.hearing, self.speech_s = Hearing.SPEECH, speech_s

    def step(self, probability: float, seconds: float) -> Decision | None:
        """Take one analysis frame; return what it changed, if anything."""
        if self.hearing is Hearing.QUIET:
            return self._apply(self._quiet(probability, seconds))
        return self._apply(self._turn(probability, seconds))

    def wait_until(self, silence_s: float) -> Decision | None:
        """In a pause: end the turn at this much silence, unless the caller goes on. ENDED if that is now."""
        self._end_at_s = min(silence_s, self._max_wait_s)
        return self._apply(self._silent())

    def _apply(self, decision: Decision | None) -> Decision | None:
        if decision is not None:
            allowed, following = HEARING[decision]
            assert self.hearing in allowed, (self.hearing, decision)  # noqa: S101 - the table is the specification
            self.hearing = following
        return decision

    def _quiet(self, probability: float, seconds: float) -> Decision | None:
        voiced = probability >= self._profile.start_threshold
        self._onset_s = self._onset_s + seconds if voiced else 0.0
        if not voiced or self._onset_s + 1e-9 < self._profile.start_s:
            return None
        self.speech_s, self.silence_s, self._end_at_s = self._onset_s, 0.0, None
        self._onset_s = 0.0
        return Decision.STARTED

    def _turn(self, probability: float, seconds: float) -> Decision | None:
        self.speech_s += seconds
        threshold = self._profile.start_threshold if self.hearing is Hearing.PAUSE else self._profile.stop_threshold
        if probability >= threshold:
            self.silence_s, self._end_at_s = 0.0, None
            if self.speech_s >= self._max_turn_s:
                return Decision.CUT
            return Decision.RESUMED if self.hearing is Hearing.PAUSE else None
        self.silence_s += seconds
        return self._silent()

    def _silent(self) -> Decision | None:
        silent = self.silence_s + 1e-9
        if self._end_at_s is not None:
            return Decision.ENDED if silent >= self._end_at_s else None
        if self.hearing is Hearing.SPEECH:
            return Decision.PAUSED if silent >= self._profile.pause_s else None
        if silent >= max(self._profile.stop_s, JUDGED_S):
            self._end_at_s = self._max_wait_s
            return Decision.MAY_END
        return None
