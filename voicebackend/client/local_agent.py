"""An agent of this process, as the servers' tasks call it from theirs."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from typing import Any

from voicebackend.agents import Once, Turn
from voicebackend.client.replies import reply_texts

MAX_ONCE = 1000
"""Side effects remembered."""


class LocalAgent:
    """Wraps a function of a ``Turn``, or, as a callback, of what the caller said."""

    def __init__(self, function: Callable[[Any], Any], *, of_transcript: bool) -> None:
        self._function, self._of_transcript = function, of_transcript
        self._done: OrderedDict[tuple[str, int, str], Any] = OrderedDict()
        self._lock = threading.RLock()

    async def reply(self, turn: Turn) -> AsyncGenerator[str, None]:
        """Yield what the function says."""
        argument = turn.transcript if self._of_transcript else replace(turn, once=self._once(turn))
        async for text in reply_texts(self._function, argument):
            yield text

    def _once(self, turn: Turn) -> Once:
        def once(key: str, function: Callable[[], Any]) -> Any:
            place = (turn.session_id, turn.number, key)
            with self._lock:
                if place not in self._done:
                    self._done[place] = function()
                    while len(self._done) > MAX_ONCE:
                        self._done.popitem(last=False)
                return self._done[place]

        return once
