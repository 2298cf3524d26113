"""The Realtime API of the OpenAI double: one conversation, of callers who speak in tones."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import openai_wire as wire
from listening import QUIET_S, Listening, answer_to
from openai_answer import Answering

RATE = 24_000
_BYTES_PER_MS = RATE * 2 // 1000


@dataclass(slots=True)
class Item:
    """Something that the model remembers."""

    id: str
    role: str
    text: str
    audio_ms: int | None = None
    """Of an answer; ``text`` is gone once it was truncated, as with the vendor."""


class RealtimeSession:
    """One websocket's; ``record`` is all that was said over it, by either side."""

    def __init__(
        self, send: Callable[[Any], Awaitable[None]], garbled: list[str], *, model: str, pace: float = 10.0
    ) -> None:
        """``pace``: how many times faster than it plays an answer is made."""
        self.model, self.pace, self.garbled = model, pace, garbled
        self.items: list[Item] = []
        self.told: dict[str, Any] = {}
        """What the client has set."""
        self.record: list[dict[str, Any]] = []
        self.late_words = False
        """What the caller said is written down only once it was answered."""
        self._took = asyncio.Event()
        self._send = send
        self._listening = Listening(RATE)
        self._heard_bytes = self._count = 0
        self._speech = ""
        self._answering: Answering | None = None
        self._handlers: dict[str, Callable[[dict[str, Any]], Awaitable[None]]] = {
            "session.update": self._update,
            "input_audio_buffer.append": self._append,
            "conversation.item.create": self._create,
            "conversation.item.delete": self._delete,
            "conversation.item.truncate": self._truncate,
            "response.create": self._asked,
            "response.cancel": self._cancel,
        }

    async def begin(self) -> None:
        """Greet the client."""
        await self.tell("session.created", session=wire.session(self.model, {}))

    async def hear(self, text: str) -> None:
        """Take what the client sends."""
        event = json.loads(text)
        self.record.append({"by": "client", "event": event})
        wrong = wire.wrong(event)
        if wrong is None:
            await self._handlers[event["type"]](event)
        else:
            self.garbled.append(wrong)
            await self.complain(event, "invalid_value", param=wrong)
        self._took.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return once something holds; it is looked at whenever the client has sent something."""
        async with asyncio.timeout(5):
            while not holds():
                self._took.clear()
                await self._took.wait()

    def end(self) -> None:
        """Stop what is under way."""
        if self._answering is not None:
            self._answering.end()

    async def tell(self, kind: str, **fields: Any) -> None:
        """Send an event; nothing if the client has gone."""
        event = {"type": kind, "event_id": self.new_id("event"), **fields}
        self.record.append({"by": "server", "event": event})
        with suppress(ConnectionError):
            await self._send(event)

    async def complain(self, event: dict[str, Any], code: str, *, param: str | None = None) -> None:
        """Send an error about what the client sent."""
        about = {"type": "invalid_request_error", "code": code, "message": "not so", "param": param}
        await self.tell("error", error={**about, "event_id": event.get("event_id")})

    def new_id(self, what: str) -> str:
        """Return an id."""
        self._count += 1
        return f"{what}_{self._count}"

    @property
    def _detection(self) -> dict[str, Any]:
        found: dict[str, Any] = wire.session(self.model, self.told)["audio"]["input"]["turn_detection"]
        return found

    # What the client sends

    async def _update(self, event: dict[str, Any]) -> None:
        self.told = event["session"]
        await self.tell("session.updated", session=wire.session(self.model, self.told))

    async def _append(self, event: dict[str, Any]) -> None:
        pcm = wire.pcm_of(event["audio"])
        if pcm is None:
            self.garbled.append("audio")
            return
        self._heard_bytes += len(pcm)
        for noticed in self._listening.push(pcm):
            if noticed.kind == "started":
                await self._speech_started()
            else:
                await self._speech_stopped(noticed.text.strip())

    async def _create(self, event: dict[str, Any]) -> None:
        told = event["item"]
        item_id, before = told.get("id") or self.new_id("item"), self.items[-1].id if self.items else None
        self.items.append(Item(item_id, told["role"], told["content"][0]["text"]))
        await self.note(wire.message(item_id, told["role"], told["content"]), before)

    async def _delete(self, event: dict[str, Any]) -> None:
        known = [item for item in self.items if item.id != event["item_id"]]
        if len(known) == len(self.items):
            await self.complain(event, "item_delete_invalid_item_id", param="item_id")
            return
        self.items = known
        await self.tell("conversation.item.deleted", item_id=event["item_id"])

    async def _truncate(self, event: dict[str, Any]) -> None:
        found = next((item for item in self.items if item.id == event["item_id"]), None)
        if found is None or found.audio_ms is None or event["audio_end_ms"] > found.audio_ms:
            self.garbled.append("conversation.item.truncate: more than there is")
            await self.complain(event, "invalid_value", param="audio_end_ms")
            return
        found.audio_ms, found.text = event["audio_end_ms"], ""
        fields = {name: event[name] for name in ("item_id", "content_index", "audio_end_ms")}
        await self.tell("conversation.item.truncated", **fields)

    async def _asked(self, event: dict[str, Any]) -> None:
        if self._answering is not None:
            await self.complain(event, "conversation_already_has_active_response")
            return
        last = next((item.text for item in reversed(self.items) if item.role == "user"), "")
        await self._answer(last)

    async def _cancel(self, event: dict[str, Any]) -> None:
        answering = self._answering
        if answering is None or event.get("response_id", answering.id) != answering.id:
            await self.complain(event, "response_cancel_not_active")
            return
        await answering.cancel("client_cancelled")

    # What the caller says

    async def _speech_started(self) -> None:
        self._speech = self.new_id("item")
        start_ms = max(0, self._heard_bytes // _BYTES_PER_MS - 300)
        await self.tell("input_audio_buffer.speech_started", audio_start_ms=start_ms, item_id=self._speech)
        if self._answering is not None and self._detection["interrupt_response"]:
            await self._answering.cancel("turn_detected")

    async def _speech_stopped(self, text: str) -> None:
        end_ms, before = self._heard_bytes // _BYTES_PER_MS, self.items[-1].id if self.items else None
        await self.tell("input_audio_buffer.speech_stopped", audio_end_ms=end_ms, item_id=self._speech)
        await self.tell("input_audio_buffer.committed", previous_item_id=before, item_id=self._speech)
        self.items.append(Item(self._speech, "user", text))
        content = [{"type": "input_audio", "transcript": None}]
        await self.note(wire.message(self._speech, "user", content), before)
        answered = self._detection["create_response"] and self._answering is None
        if not (answered and self.late_words):
            await self.write_down(self._speech, text)
        if answered:
            await self._answer(text)

    async def write_down(self, item_id: str, text: str) -> None:
        """Tell what the caller said, word by word, if that is wanted."""
        if not self.told.get("audio", {}).get("input", {}).get("transcription"):
            return
        kind, common = "conversation.item.input_audio_transcription", {"item_id": item_id, "content_index": 0}
        for index, word in enumerate(text.split()):
            await self.tell(f"{kind}.delta", delta=f" {word}" if index else word, **common)
        usage = {"type": "duration", "seconds": len(text) * QUIET_S}
        await self.tell(f"{kind}.completed", transcript=text, usage=usage, **common)

    async def note(self, item: dict[str, Any], before: str | None) -> None:
        """Tell of an item that is whole."""
        await self.tell("conversation.item.added", item={**item, "status": "completed"}, previous_item_id=before)
        await self.tell("conversation.item.done", item={**item, "status": "completed"}, previous_item_id=before)

    async def _answer(self, heard: str) -> None:
        item = Item(self.new_id("item"), "assistant", "", 0)
        after = self._speech if self.late_words else ""
        self._answering = Answering(self, item, answer_to(heard) or "pardon", on_done=lambda: self._done(after, heard))
        await self._answering.begin()

    async def _done(self, after: str, heard: str) -> None:
        self._answering = None
        if after:
            await self.write_down(after, heard)
