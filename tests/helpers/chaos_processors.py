"""An audio processor that kills its process when it hears poison, as a crash in native code would."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

POISON = b"\x7b\x7f" * 320
"""A 20 ms frame that no voice makes."""


class Crash:
    """Ends the process at a poisoned frame."""

    name = "crash"
    order = 0

    async def process(self, audio: bytes, metadata: Mapping[str, Any]) -> bytes:
        """Return the audio, if it is any good."""
        del metadata
        if POISON in audio:
            os._exit(139)
        return audio


crash = Crash()
