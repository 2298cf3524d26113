"""What a caller sends, cut into the frames that a lane carries: decoded, checked, at 16 kHz, 20 ms each.

Pure: no clock; ``now`` is in seconds.
"""

from __future__ import annotations

from voicebackend.audio import FRAME_MS, PIPELINE_RATE, SAMPLE_BYTES, AudioFormat, FrameCutter, Resampler
from voicebackend.codecs import Codec, Encoding
from voicebackend.errors import InvalidFormat, RateLimitExceeded
from voicebackend.events import MAX_AUDIO_MS
from voicebackend.levels import Meter
from voicebackend.telemetry import caller_clipped, caller_level_db, caller_offset

FLUSH_S = 0.04
"""Seconds without more audio after which what is shorter than a frame goes too."""
BURST_S = 30.0
"""Seconds of audio that may come faster than it is spoken, as after a lost connection."""
MAX_SPEED = 1.5
"""Seconds of audio in a second, beyond the burst: room for clocks that differ."""


class TooLarge(InvalidFormat):
    """A message is longer than the protocol allows."""


class Uplink:
    """One caller's audio on its way in."""

    def __init__(self, codec: Codec) -> None:
        self._codec, self._rate = codec, codec.sample_rate
        self._resampler = Resampler(codec.sample_rate, PIPELINE_RATE)
        self._cutter = FrameCutter(PIPELINE_RATE)
        self._frame_bytes = AudioFormat(sample_rate=PIPELINE_RATE).frame_bytes
        self._is_plain = codec.name is Encoding.PCM16 and codec.sample_rate == PIPELINE_RATE
        self._meter = Meter()
        self._rest_bytes = 0
        self._allowance_s = BURST_S
        self._last: float | None = None

    @property
    def has_rest(self) -> bool:
        """Tell whether audio shorter than a frame waits."""
        return self._rest_bytes > 0

    def push(self, message: bytes, now: float) -> list[bytes]:
        """Take a binary message and return the frames that are complete: 16 kHz, 640 bytes each.

        Raises:
            TooLarge: it is longer than 200 ms, or than any message of its encoding.
            InvalidFormat: it is not of its encoding.
            RateLimitExceeded: audio comes much faster than it can be spoken.

        """
        if self._is_plain and not self._rest_bytes and len(message) == self._frame_bytes:  # what most callers send
            self._limit(FRAME_MS / 1000, now)
            self._measure(message)
            return [message]
        if len(message) > self._codec.max_message:
            raise TooLarge("audio", f"a message of {self._codec.name} has at most {self._codec.max_message} bytes")
        pcm = self._codec.decode(message)
        duration_s = len(pcm) / SAMPLE_BYTES / self._rate
        if duration_s * 1000 > MAX_AUDIO_MS:
            raise TooLarge("audio", f"a binary message has at most {MAX_AUDIO_MS} ms of audio")
        self._limit(duration_s, now)
        self._measure(pcm)
        audio = self._resampler.process(pcm)
        frames = self._cutter.push(audio)
        self._rest_bytes += len(audio) - sum(map(len, frames))
        return frames

    def flush(self) -> list[bytes]:
        """Return what waits for a whole frame."""
        self._rest_bytes = 0
        rest = self._cutter.flush()
        return [rest] if rest else []

    def _measure(self, pcm: bytes) -> None:
        reading = self._meter.push(pcm)
        if reading is not None:
            caller_level_db.record(max(0.0, -reading.level_dbfs))
            caller_offset.record(abs(reading.offset))
            if reading.clipped:
                caller_clipped.add(1)

    def _limit(self, duration_s: float, now: float) -> None:
        if self._last is not None:
            self._allowance_s = min(BURST_S, self._allowance_s + (now - self._last) * MAX_SPEED)
        self._last = now
        self._allowance_s -= duration_s
        if self._allowance_s < 0:
            raise RateLimitExceeded("audio", "audio comes much faster than it is spoken: send it in real time")
