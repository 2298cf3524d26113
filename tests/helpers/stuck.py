"""An audio processor that blocks the event loop of its worker: once, while the file that ``STUCK`` names is there."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

STUCK = "STUCK"
BLOCK_S = 60.0


class Stuck:
    """Blocks as badly written code does: with a call that does not let the event loop go."""

    name, order = "stuck", 0

    async def process(self, audio: bytes, metadata: Mapping[str, Any]) -> bytes:
        """Return the audio, after a minute if the file is there."""
        del metadata
        block_the_event_loop()
        return audio


def block_the_event_loop() -> None:
    """Do what no hook should."""
    file = Path(os.environ[STUCK])
    if file.exists():
        file.unlink()
        time.sleep(BLOCK_S)


stuck = Stuck()
