"""What outlives a worker that is killed, in virtual time: the state in Redis, the lane, and the caller's gateway."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

from scripted_phone import Line

from voicebackend._wire import Wire
from voicebackend.streams import EntryId, Frame, Kind, json_payload

SESSION = "a" * 32


class Store(Wire):
    """The state that is in Redis: one log, and hashes."""

    def __init__(self) -> None:
        self.delay_s = 0.001
        """Seconds to Redis, and as many back."""
        self.entries: list[tuple[EntryId, dict[str, Any]]] = []
        self.hashes: dict[str, dict[str, str]] = {}
        self.alive: dict[str, str] = {}
        """Attempts that a task is at work on, by their turn's key."""
        self.sealed: dict[str, str] = {}
        """What was sealed for an agent, by its key."""
        self.masked_until = 0.0

    async def execute(self, *commands: Sequence[Any]) -> list[Any]:
        """Do what the worker asks for, a moment later."""
        await asyncio.sleep(self.delay_s)
        replies = [self._one(*map(_text, command)) for command in commands]
        await asyncio.sleep(self.delay_s)
        return replies

    def _one(self, name: str, key: str, *rest: str) -> Any:
        match name:
            case "GET":
                return self.alive.get(key, "").encode()
            case "PTTL":
                return round((self.masked_until - asyncio.get_running_loop().time()) * 1000)
            case "SET":
                self.sealed[key] = rest[0]
            case "EVAL" if "XADD" in key:  # what it checks first, who holds the lane, never changes here
                entry = json.loads(rest[-2])
                if entry["type"] == "masked":
                    self.masked_until = asyncio.get_running_loop().time() + int(rest[-4]) / 1000
                self.entries.append((EntryId(len(self.entries) + 1, 0), entry))
                return str(self.entries[-1][0]).encode()
            case "XRANGE":
                after = EntryId.parse(rest[0].removeprefix("("))
                return [
                    (str(at).encode(), [b"e", json.dumps(entry).encode()]) for at, entry in self.entries if at > after
                ]
            case "HSET":
                self.hashes.setdefault(key, {}).update(zip(rest[::2], rest[1::2], strict=True))
            case "HMGET":
                return [value.encode() if (value := self.hashes.get(key, {}).get(name)) else None for name in rest]
        return 1

    def said(self, role: str) -> list[tuple[int, str, bool]]:
        """Return turn, text, and whether it was cut off, of what one side said."""
        return [
            (entry["turn"], entry["text"], bool(entry.get("interrupted")))
            for _, entry in self.entries
            if entry["type"] == "transcript" and entry["role"] == role
        ]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


class LaneStream:
    """The lane: keeps what was written, and gives it to whoever holds it."""

    def __init__(self) -> None:
        self.entries: list[tuple[EntryId, Frame]] = []
        self.reader: Callable[[Frame, EntryId], None] | None = None
        self._audio_seq = 0

    def add(self, kind: Kind, payload: bytes = b"", **fields: int) -> None:
        """Append a frame."""
        if kind is Kind.AUDIO_IN:
            self._audio_seq += 1
            fields["seq"] = self._audio_seq
        fields.setdefault("attachment", 1 if kind < Kind.AGENT_STARTED else 0)
        now = round(asyncio.get_running_loop().time() * 1000) + 1
        entry = EntryId(now, len(self.entries))
        frame = Frame(SESSION, kind, payload, **fields)
        self.entries.append((entry, frame))
        if self.reader is not None:
            self.reader(frame, entry)


class Gateway:
    """Plays what the worker of the latest epoch sends, and tells the lane."""

    def __init__(self, lane: LaneStream) -> None:
        self._lane, self.line = lane, Line()
        self.answers_s = 0.0
        """Seconds until an heir is answered."""
        self._epoch, self._seq = 0, 0
        self.fenced = 0
        self.line.on_played = self._played

    def take(self, frame: Frame) -> None:
        """Take what comes to the inbox; what an older worker sends is dropped."""
        if (frame.epoch, frame.seq) <= (self._epoch, self._seq):
            self.fenced += 1
            return
        self._epoch, self._seq = frame.epoch, frame.seq
        match frame.kind:
            case Kind.AUDIO_OUT:
                self.line.play(frame.turn, frame.payload)
            case Kind.EVENT:
                told = frame.json()
                self.line.event(SimpleNamespace(**{"turn": 0, **told}, to_json=frame.payload.decode))
            case Kind.ADOPT:
                standing = self.line._playout.adopt(asyncio.get_running_loop().time())
                data = {name: getattr(standing, name) for name in ("turn", "received_ms", "played_ms", "paused")}
                answer = partial(self._lane.add, Kind.PLAYOUT, json_payload(data), epoch=frame.epoch)
                asyncio.get_running_loop().call_later(self.answers_s, answer)

    def _played(self, turn: int, ms: float, *, final: bool) -> None:
        self._lane.add(Kind.PLAYED, json_payload({"ms": ms, "final": final}), turn=turn)


class Holder:
    """A lane as a worker knows it."""

    number = 0

    def __init__(self, epoch: int) -> None:
        self.epoch, self.wanted, self.written = epoch, asyncio.Event(), asyncio.Event()

    def due(self, session: str) -> None:
        """Ask for a checkpoint."""
        del session
        self.wanted.set()

    async def secure(self, session: str) -> None:
        """Wait for a checkpoint as of now."""
        written = self.written
        self.due(session)
        await written.wait()

    def may_speak(self, now: float) -> bool:
        """Never in doubt here: the gateway drops what a dead worker sends."""
        del now
        return True
