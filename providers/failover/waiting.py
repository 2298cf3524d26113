"""How long a model has left a caller without an answer. Pure; moments are seconds of any clock."""

from __future__ import annotations

from providers.engines.vad.energy import EnergyVad

SPEECH_S = 0.3
"""Seconds of sound after which the caller has said something, as far as loudness tells."""
SILENCE_S = 1.0
"""Seconds of silence after which the caller has finished."""
LIKELY = 0.5


class Waiting:
    """One session's. Where the model notices nothing at all, the loudness of the caller's audio counts.

    Loudness may be a television: once another model has noticed nothing of it either, it counts no more in this call.
    """

    def __init__(self, timeout_s: float | None) -> None:
        """``timeout_s`` None: it may take for ever."""
        self._timeout_s = timeout_s
        self._vad = EnergyVad()
        self._listening = self._vad.stream()
        self._speech_s = self._silence_s = 0.0
        self._since: float | None = None
        self._loud = False
        """What is expected, is so because of loudness."""
        self._trial_until: float | None = None
        self._trusts_loudness = timeout_s is not None

    @property
    def due(self) -> float | None:
        """When the model counts as hung; None while nothing is expected of it."""
        return None if self._since is None or self._timeout_s is None else self._since + self._timeout_s

    @property
    def loud(self) -> bool:
        """Whether the caller seems to speak, or to have spoken, and the model has not noticed."""
        return self._speech_s >= SPEECH_S

    def expect(self, now: float) -> None:
        """Something is to come from the model."""
        self._since, self._loud = now if self._since is None else self._since, False

    def came(self, now: float) -> None:
        """Something came from the model."""
        if self._trial_until is not None:
            self._trusts_loudness = now <= self._trial_until
            self._trial_until = None
        self.forget()

    def speaks(self) -> None:
        """The model has noticed that the caller speaks; it is to notice the end of that as well."""
        self._speech_s = SPEECH_S

    def forget(self) -> None:
        """Nothing is expected any more."""
        self._since = None
        self._speech_s = self._silence_s = 0.0

    def gave_up(self, now: float) -> None:
        """The model was left; if that was because of loudness, the next one is to notice it as well."""
        if self._loud and self._since is not None and self._timeout_s is not None:
            self._trial_until, self._trusts_loudness = now + self._timeout_s, False
        self.forget()

    def hears(self, pcm: bytes, now: float) -> bool:
        """Take caller audio, 16 kHz; tell whether with it something is expected that was not before."""
        if not self._trusts_loudness or self._since is not None:
            return False
        for likely in self._listening.process(pcm):
            if likely >= LIKELY:
                self._speech_s, self._silence_s = self._speech_s + self._vad.frame_s, 0.0
            else:
                self._silence_s += self._vad.frame_s
        if not self.loud or self._silence_s < SILENCE_S:
            return False
        self._since, self._loud = now, True
        return True
