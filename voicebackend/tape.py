"""A call as it was heard: the caller on one channel, the agent on the other, each sample at its time. Pure.

Times are seconds of any clock that does not run backwards; what the agent's are is ``playout``'s affair.
"""

from __future__ import annotations

import numpy as np

from voicebackend.audio import PIPELINE_RATE, SAMPLE_BYTES, Resampler

RATE = PIPELINE_RATE
"""Hertz of both channels."""
GRACE_S = 0.5
"""Seconds that audio may come late and still be put in its place."""
SLACK_S = 0.06
"""Seconds by which a piece may be off its clock: packets come a little early and late."""
BURST_S = 0.01
"""Seconds within which pieces have come at once, so were said one after the other before that."""
DRIFT_S = 0.01
"""Seconds by which a stream may be off its clock on average before it is put right: no two clocks run alike."""
_SMOOTHING = 0.02


class Track:
    """One channel: what is put at a time, in order, and silence between."""

    def __init__(self) -> None:
        self._pcm = bytearray()
        self._drift = 0.0
        """Samples by which the stream is off its clock, on average of the last second."""
        self._at = 0
        """Samples that were cut off already."""
        self.dropped = 0
        """Samples that came when their time was cut off, or faster than time."""

    @property
    def end(self) -> int:
        """The sample behind the last."""
        return self._at + len(self._pcm) // SAMPLE_BYTES

    def put(self, pcm: bytes, at: int) -> None:
        """Put audio whose first sample belongs at ``at``: behind what is there, unless that is far from it."""
        off = self._off(at - self.end)
        if off > 0:
            self._pcm += bytes(off * SAMPLE_BYTES)
        elif off < 0:  # faster than time, or its time was cut off: kept, it would put off all that follows
            off = min(len(pcm) // SAMPLE_BYTES, -off)
            self.dropped += off
            pcm = pcm[off * SAMPLE_BYTES :]
        self._pcm += pcm

    def _off(self, samples: int) -> int:
        """Return the samples of silence to put before a piece that comes so far off; negative: samples to leave out."""
        slack = round(SLACK_S * RATE)
        if abs(samples) > slack:
            self._drift = 0.0
            return samples if samples > 0 else samples + slack
        self._drift += (samples - self._drift) * _SMOOTHING
        if abs(self._drift) <= DRIFT_S * RATE:
            return 0
        off, self._drift = round(self._drift), 0.0
        return off

    def cut(self, end: int) -> np.ndarray:
        """Take off everything before ``end``, with silence where nothing was said."""
        count = max(0, end - self._at)
        taken = self._pcm[: count * SAMPLE_BYTES]
        del self._pcm[: count * SAMPLE_BYTES]
        self._at += count
        taken += bytes(count * SAMPLE_BYTES - len(taken))
        return np.frombuffer(bytes(taken), "<i2")


class Tape:
    """Both channels of a call from ``began`` on."""

    def __init__(self, began: float, agent_rate: int) -> None:
        self._began = began
        self._caller, self._agent = Track(), Track()
        self._resampler = Resampler(agent_rate, RATE)
        self._agent_rate, self._agent_end = agent_rate, -1.0
        self._masked_until = 0.0
        self._burst, self._burst_at = bytearray(), began

    @property
    def dropped_s(self) -> float:
        """Seconds of audio that could not be put in their place."""
        return (self._caller.dropped + self._agent.dropped) / RATE

    def caller(self, pcm: bytes, now: float) -> None:
        """Take caller audio at 16 kHz that has just come, so was said before ``now``."""
        if now - self._burst_at > BURST_S:
            self._place()
        self._burst += pcm
        self._burst_at = now

    def agent(self, pcm: bytes, at: float) -> None:
        """Take agent audio, at the agent's rate, that was heard from ``at`` on."""
        if at > self._agent_end + SLACK_S:
            self._resampler.flush()
        self._agent_end = at + len(pcm) / SAMPLE_BYTES / self._agent_rate
        self._agent.put(self._resampler.process(pcm), max(0, self._sample(at)))

    def _place(self) -> None:
        """Put what came at once where it was said: before it came."""
        pcm, self._burst = bytes(self._burst), bytearray()
        began = self._burst_at - len(pcm) / SAMPLE_BYTES / RATE
        self._caller.put(bytes(len(pcm)) if began < self._masked_until else pcm, max(0, self._sample(began)))

    def mask(self, until: float) -> None:
        """Have the caller's channel silent until then: what is typed can be heard."""
        self._masked_until = until

    def cut(self, now: float, *, last: bool = False) -> bytes:
        """Return what is certain by now and was not returned before: 16-bit stereo, caller left, agent right."""
        self._place()
        end = self._sample(now if last else now - GRACE_S)
        if last:
            end = max(end, self._caller.end, self._agent.end)
        left, right = self._caller.cut(end), self._agent.cut(end)
        return np.column_stack((left, right)).tobytes()

    def _sample(self, at: float) -> int:
        return round((at - self._began) * RATE)
