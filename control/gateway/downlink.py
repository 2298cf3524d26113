"""What goes to a caller, in the encoding that it asked for. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence

from voicebackend.codecs import Codec, Encoding


class Downlink:
    """One caller's agent audio on its way out, and the messages among it."""

    def __init__(self, codec: Codec) -> None:
        self._codec, self._is_plain = codec, codec.name is Encoding.PCM16

    def messages(self, item: bytes | str) -> Sequence[bytes | str]:
        """Return what is to be sent for a piece of PCM or a text; a turn's end pushes the rest of its audio out."""
        if self._is_plain:
            return [item]
        if isinstance(item, bytes):
            return self._codec.encode(item)
        match json.loads(item).get("type"):
            case "audio_end":
                return [*self._codec.flush(), item]
            case "clear":
                self._codec.drop()
        return [item]
