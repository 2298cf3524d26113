"""``multimodal_model``: a model that hears, in the place of ``chat_model``."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from voicebackend.agents import Turn
from voicebackend.frameworks.chat_model import ChatModelPart
from voicebackend.turn_audio import MAX_BYTES

MAX_WAITING = 64
"""Turns whose audio may have come from another process before they are asked; then the oldest goes."""
_HEADER = 64
"""Bytes of a WAV file beside its audio, with room to spare."""


class MultimodalPart(ChatModelPart):
    """Asks a model that is given the caller's audio beside the words: ``turn.audio``.

    Raises:
        InvalidConfig: it is none.

    """

    def __init__(self, model: Any) -> None:
        super().__init__(model, field="multimodal_model")
        self._came: dict[str, bytes] = {}

    async def hear(self, key: str, piece: bytes) -> None:
        """Take a piece of a turn's audio; all of it does not fit into one call from another process."""
        came = self._came.pop(key, b"")
        self._came[key] = (came + piece)[: MAX_BYTES + _HEADER]
        if len(self._came) > MAX_WAITING:
            del self._came[next(iter(self._came))]

    async def reply(self, turn: Turn, key: str = "") -> AsyncGenerator[str, None]:
        """Yield the answer as it is made; with a key, to the audio that came under it."""
        given = replace(turn, audio=self._came.pop(key, b"")) if key else turn
        async with aclosing(super().reply(given)) as texts:
            async for text in texts:
                yield text

    __call__ = reply
