"""When the caller speaks, by a detector of ours that listens to what a far side is sent: for those that do not tell."""

from __future__ import annotations

from voicebackend.interfaces import S2sEvent, VoiceActivityDetector


class Hearing:
    """One session's. Time is that of the audio: a frame is as long as the detector's."""

    def __init__(self, detector: VoiceActivityDetector) -> None:
        self._stream, self._frame_s = detector.stream(), detector.frame_s
        self._profile = detector.profile
        self._speaking = False
        self._above_s = self._below_s = 0.0

    def __repr__(self) -> str:
        return f"<Hearing [{'speech' if self._speaking else 'silence'}, {self._below_s:.2f} s]>"

    @property
    def silence_s(self) -> float:
        """Seconds of audio since the caller's last sound."""
        return self._below_s

    async def push(self, pcm: bytes) -> list[S2sEvent]:
        """Take caller audio, 16 kHz; return what is noticed of it."""
        found = []
        for probability in await self._stream.judge(pcm):
            event = self._judge(probability)
            if event is not None:
                found.append(event)
        return found

    def understood(self) -> list[S2sEvent]:
        """Return what has to come before the words of what was said: whoever goes on speaking begins anew."""
        began, self._speaking, self._above_s = self._speaking, False, 0.0
        return [self._stopped()] if began else []

    def _judge(self, probability: float) -> S2sEvent | None:
        profile, threshold = self._profile, self._profile.start_threshold
        if self._speaking:
            threshold = profile.stop_threshold
        if probability >= threshold:
            self._above_s, self._below_s = self._above_s + self._frame_s, 0.0
        else:
            self._above_s, self._below_s = 0.0, self._below_s + self._frame_s
        if not self._speaking and self._above_s >= profile.start_s:
            self._speaking = True
            return S2sEvent(kind="speech_started")
        if self._speaking and self._below_s >= profile.stop_s:
            self._speaking = False
            return self._stopped()
        return None

    def _stopped(self) -> S2sEvent:
        return S2sEvent(kind="speech_stopped", silence_s=self._below_s)
