"""Opus, one packet a message: for browsers and thin lines. Needs the extra ``[opus]``, which brings libopus."""

from __future__ import annotations

from typing import Any

from voicebackend.audio import FRAME_MS, FrameCutter
from voicebackend.codecs.codec import Encoding, check_rate
from voicebackend.errors import InvalidConfig, InvalidFormat

RATES = (8_000, 16_000, 24_000, 48_000)
"""Hertz."""
MAX_PACKET = 6 * 1275
"""Bytes: six frames, each as long as Opus allows."""
MAX_PACKET_MS = 120
"""Milliseconds that a packet may last."""
BITRATE = 32_000
"""Bits a second: what clear speech takes."""
COMPLEXITY = 5
"""Of 10: speech sounds the same above, and takes longer, on the event loop of all callers."""
_LOOKAHEAD_S = 0.0065
"""Seconds by which the encoder's output is late."""


class Opus:
    """One caller's encoder and decoder. An empty message stands for a packet that was lost: it is concealed."""

    name = Encoding.OPUS
    max_message = MAX_PACKET

    def __init__(self, sample_rate: int) -> None:
        check_rate(self.name, sample_rate, RATES)
        library = _library()
        self.sample_rate = sample_rate
        self._error = library.OpusError
        self._decoder = library.Decoder(sample_rate, 1)
        self._encoder = library.Encoder(sample_rate, 1, "audio")  # "voip" follows the signal less, in thrice the time
        self._encoder.bitrate, self._encoder.complexity = BITRATE, COMPLEXITY
        self._frame = sample_rate * FRAME_MS // 1000  # samples
        self._cutter = FrameCutter(sample_rate)

    def decode(self, message: bytes) -> bytes:
        """Return a packet's PCM, 2.5 to 120 ms; 20 ms made up from what came before, if the message is empty.

        Raises:
            InvalidFormat: it is no Opus packet, or too long for one.

        """
        if len(message) > MAX_PACKET:
            raise InvalidFormat("audio", f"an Opus packet has at most {MAX_PACKET} bytes")
        room = self.sample_rate * MAX_PACKET_MS // 1000 if message else self._frame
        try:
            return bytes(self._decoder.decode(message, room))
        except self._error as error:
            raise InvalidFormat("audio", "not an Opus packet") from error

    def encode(self, pcm: bytes) -> list[bytes]:
        """Return a packet for every 20 ms; the rest waits."""
        return [bytes(self._encoder.encode(frame, self._frame)) for frame in self._cutter.push(pcm)]

    def flush(self) -> list[bytes]:
        """Return what waits, and what the encoder still holds, in one or two packets."""
        rest = self._cutter.flush()
        silence = bytes(2 * round(self.sample_rate * _LOOKAHEAD_S))
        missing = -len(rest + silence) % (2 * self._frame)
        return self.encode(rest + silence + bytes(missing))

    def drop(self) -> None:
        """Forget what waits for 20 ms."""
        self._cutter.flush()


def _library() -> Any:
    """Return the bindings; they carry libopus, so that none need be on the system."""
    try:
        import opuslib_next
    except (ImportError, OSError, RuntimeError) as error:
        line = 'pip install "voicebackend[opus]"'
        message = f"encoding opus is not installed where the gateway runs: {line}"
        raise InvalidConfig("codec", message, details={"field": "encoding", "install": line}) from error
    return opuslib_next
