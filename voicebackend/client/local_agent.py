"""An agent of this process, as the servers' tasks call it from theirs."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from typing import Any

from voicebackend.agents import Once, Turn
from voicebackend.client.replies import reply_texts
from voicebackend.digits import Digits, SealedDigits
from voicebackend.sealing import Seal

MAX_ONCE = 1000
"""Side effects remembered."""


class LocalAgent:
    """Wraps a function of a ``Turn``, or, as a callback, of what the caller said."""

    def __init__(self, function: Callable[[Any], Any], *, of_transcript: bool, secret: str = "") -> None:
        """``secret`` is the deployment's, by which sensitive digits come sealed."""
        self._function, self._of_transcript, self._secret = function, of_transcript, secret
        self._done: OrderedDict[tuple[str, int, str], Any] = OrderedDict()
        self._lock = threading.RLock()

    async def reply(self, turn: Turn) -> AsyncGenerator[str | dict[str, Any], None]:
        """Yield what the function says, and before it ``{collect_digits}`` and ``{note}``, where it asks and tells."""
        told: deque[dict[str, Any]] = deque()
        own = replace(
            turn,
            once=self._once(turn),
            keypad=lambda request: told.append({"collect_digits": request.model_dump()}),
            notes=lambda note: told.append({"note": dict(note)}),
            digits=self._digits(turn),
        )
        async for text in reply_texts(self._function, turn.transcript if self._of_transcript else own):
            while told:
                yield told.popleft()
            yield text
        while told:
            yield told.popleft()

    def _digits(self, turn: Turn) -> Digits | None:
        """Return what was pressed, readable here."""
        if turn.digits is None or not turn.digits.sensitive:
            return turn.digits
        left = [turn.digits.sealed] if turn.digits.sealed else []
        source = SealedDigits(lambda: left.pop() if left else None, Seal(self._secret, turn.session_id))
        return replace(turn.digits, sealed="", source=source)

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
