"""Keys that the agent asked for, and sensitive mode, in which nobody but the agent's code is to know them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from voicebackend.digits import CollectDigits, Collected, KeysEnd, Sealing
from voicebackend.errors import InvalidFormat
from worker.pipelines.snapshot import KeypadSnapshot
from worker.turns.key_collection import KeyCollection, Phase

logger = logging.getLogger(__name__)

ANSWER_S = 60.0
"""Seconds after a collection's longest time by which sensitive mode is over: the agent has answered by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeypadEvents:
    """Who hears of what happens; none of them waits."""

    on_collected: Callable[[Collected], None]
    on_again: Callable[[str], None]
    """No key came: this is to be said."""
    on_masked: Callable[[float], None]
    """Sensitive mode begins, and lasts so many seconds at most; 0: it is over."""


class Keypad:
    """One session's; ``seal`` is None where no agent is asked. Nothing here waits."""

    def __init__(self, seal: Sealing | None, events: KeypadEvents) -> None:
        self._seal, self._events = seal, events
        self._loop = asyncio.get_running_loop()
        self._collection: KeyCollection | None = None
        self._sealed = ("", "")
        """Keys, and the same sealed: a checkpoint changes only when they do."""
        self._masked_until = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._rests_since: float | None = None
        self.turn = 0
        """In which the agent asked last."""

    def __repr__(self) -> str:
        return f"<Keypad [{self._collection or 'closed'}, {'masked' if self.masked else 'open'}]>"

    @property
    def collects(self) -> bool:
        """Whether keys are collected now."""
        return self._collection is not None

    @property
    def masked(self) -> bool:
        """Whether it is in sensitive mode: what is pressed or said is to leave no trace."""
        return self._loop.time() < self._masked_until or self._is_sensitive

    @property
    def _is_sensitive(self) -> bool:
        return self._collection is not None and self._collection.request.sensitive

    @property
    def deafens(self) -> bool:
        """Whether the caller is not to be heard."""
        return self.masked or (self._collection is not None and not self._collection.request.speech)

    def open(self, request: CollectDigits, turn: int) -> None:
        """Collect keys, as the agent asked for in this turn."""
        now = self._loop.time()
        self.turn, self._collection = turn, KeyCollection(request=request, opened=now)
        logger.info("keys asked for", extra={"turn": turn, "sensitive": request.sensitive})
        if request.sensitive:
            self.mask(request.longest_s + ANSWER_S)
        else:
            self.unmask()
        self._wind()

    def press(self, key: str) -> None:
        """Take a key; without a collection it leaves no trace."""
        if self._collection is not None:
            self._follow(self._collection.pressed(key, self._loop.time()))

    def prompted(self) -> None:
        """Nobody speaks any more."""
        if self._collection is not None and self._collection.phase is Phase.PROMPT:
            self._follow(self._collection.prompted(self._loop.time()))

    def interrupted(self) -> Collected | None:
        """End it because the caller spoke, or typed; return what was pressed, None if nothing was collected."""
        collection, self._collection = self._collection, None
        return None if collection is None else self._collected(collection.over(KeysEnd.SPEECH))

    def rest(self, on: bool) -> None:
        """Let no time pass while the caller cannot press anything: on hold, or gone for a moment."""
        now, since = self._loop.time(), self._rests_since
        if self._collection is not None and since is not None:
            self._collection = self._collection.rested(now, now - since)
        self._rests_since = now if on else None
        self._wind()

    def mask(self, seconds: float) -> None:
        """Be in sensitive mode, for so long at most."""
        self._masked_until = self._loop.time() + seconds
        self._events.on_masked(seconds)
        self._wind()

    def unmask(self) -> None:
        """End sensitive mode."""
        if self._masked_until:
            self._masked_until = 0.0
            self._events.on_masked(0.0)

    def close(self) -> None:
        """Look at the clock no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # Another worker, or another pipeline

    def snapshot(self) -> KeypadSnapshot | None:
        """Return it as another has to know it, None if there is nothing to know."""
        collection = self._collection
        if collection is None and not self.masked:
            return None
        return KeypadSnapshot(
            turn=self.turn,
            masked_until=round(self._masked_until, 2),
            request=None if collection is None else collection.request,
            phase="" if collection is None else str(collection.phase),
            opened=0.0 if collection is None else round(collection.opened, 2),
            since=0.0 if collection is None else round(collection.since, 2),
            keys=self._keys(collection),
            said_again=0 if collection is None else collection.said_again,
        )

    def restore(self, snapshot: KeypadSnapshot | None) -> None:
        """Go on where another was; of keys that cannot be read the collection begins anew."""
        if snapshot is None:
            return
        self.turn, self._masked_until = snapshot.turn, snapshot.masked_until
        if snapshot.request is not None and self._seal is not None:
            self._collection = KeyCollection(
                request=snapshot.request,
                opened=snapshot.opened,
                phase=Phase(snapshot.phase),
                since=snapshot.since,
                keys=self._read(snapshot),
                said_again=snapshot.said_again,
            )
        self._wind()

    def _keys(self, collection: KeyCollection | None) -> str:
        if collection is None or not collection.request.sensitive or self._seal is None:
            return "" if collection is None else collection.keys
        if self._sealed[0] != collection.keys or not self._sealed[1]:
            self._sealed = collection.keys, self._seal.seal(collection.keys)
        return self._sealed[1]

    def _read(self, snapshot: KeypadSnapshot) -> str:
        if snapshot.request is None or not snapshot.request.sensitive or self._seal is None:
            return snapshot.keys
        try:
            return self._seal.open(snapshot.keys)
        except InvalidFormat:
            logger.exception("keys of a checkpoint not readable")
            return ""

    # Time

    def _follow(self, collection: KeyCollection) -> None:
        """Be at the next moment of the collection."""
        before, self._collection = self._collection, collection
        if collection.ended is not None:
            self._collection = None
            self._events.on_collected(self._collected(collection))
        elif before is not None and collection.said_again > before.said_again:
            self._events.on_again(collection.request.again[before.said_again])
        self._wind()

    def _collected(self, collection: KeyCollection) -> Collected:
        assert collection.ended is not None and self._seal is not None  # noqa: S101, PT018 - it is over; it was opened
        self._sealed = ("", "")
        extra = {"turn": self.turn, "ended": str(collection.ended)}
        logger.info("keys collected", extra=extra)
        sensitive = collection.request.sensitive
        return Collected.of(collection.keys, collection.ended, self._seal, sensitive=sensitive)

    def _wind(self) -> None:
        """Have the clock ring when something is due."""
        self.close()
        due = None if self._collection is None or self._rests_since is not None else self._collection.due
        moments = [at for at in (due, self._masked_until or None) if at is not None]
        if moments:
            self._timer = self._loop.call_at(min(moments), self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = self._loop.time()
        if self._masked_until and now >= self._masked_until and self._is_sensitive:
            self.mask(ANSWER_S)  # the caller is on hold: no time passes for the collection
        elif self._masked_until and now >= self._masked_until:
            logger.warning("sensitive mode ends because its time is over", extra={"turn": self.turn})
            self.unmask()
        if self._collection is not None and self._rests_since is None:
            self._follow(self._collection.waited(now))
        else:
            self._wind()
