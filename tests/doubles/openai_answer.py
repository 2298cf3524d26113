"""One answer of the OpenAI double: text and audio as they are made, to the end or until it is cancelled."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import openai_wire as wire
from listening import CHARACTER_S, voice

RATE = 24_000
_CHUNK = 8
"""Characters made at once."""


class _Item(Protocol):
    id: str
    text: str
    audio_ms: int | None


class _Session(Protocol):
    pace: float
    items: list[Any]

    def new_id(self, what: str) -> str: ...
    async def tell(self, kind: str, **fields: Any) -> None: ...


class Answering:
    """Runs as a task once it has begun."""

    def __init__(self, session: _Session, item: _Item, text: str, *, on_done: Callable[[], Awaitable[None]]) -> None:
        self._session, self._item, self._text, self._on_done = session, item, text, on_done
        self.id = session.new_id("resp")
        self._where = {"response_id": self.id, "output_index": 0}
        self._part = {**self._where, "item_id": item.id, "content_index": 0}
        self._before = session.items[-1].id if session.items else None
        session.items.append(item)
        self._making: asyncio.Task[None] | None = None
        self._made = False

    def end(self) -> None:
        """Stop without a word: nobody listens any more."""
        if self._making is not None:
            self._making.cancel()

    async def cancel(self, reason: str) -> None:
        """Stop, and tell why; nothing if it is made already."""
        if self._making is None or self._made:
            return
        self._making.cancel()
        await asyncio.gather(self._making, return_exceptions=True)
        await self._finish("incomplete", "cancelled", reason=reason)

    async def begin(self) -> None:
        """Tell that it begins."""
        tell = self._session.tell
        await tell("response.created", response=wire.response(self.id, "in_progress", []))
        limits = [{"name": "tokens", "limit": 10_000, "remaining": 9_000, "reset_seconds": 0.1}]
        await tell("rate_limits.updated", rate_limits=limits)
        empty = wire.message(self._item.id, "assistant", [], "in_progress")
        await tell("response.output_item.added", item=empty, **self._where)
        await tell("conversation.item.added", item=empty, previous_item_id=self._before)
        await tell("response.content_part.added", part={"type": "audio", "transcript": ""}, **self._part)
        self._making = asyncio.create_task(self._make(), name=self.id)

    async def _make(self) -> None:
        for start in range(0, len(self._text), _CHUNK):
            await self._say(self._text[start : start + _CHUNK])
        self._made = True
        await self._finish("completed", "completed")

    async def _say(self, text: str) -> None:
        pcm = voice(text, RATE)
        self._item.text += text
        self._item.audio_ms = (self._item.audio_ms or 0) + len(pcm) * 1000 // RATE // 2
        await self._session.tell("response.output_audio_transcript.delta", delta=text, **self._part)
        audio = base64.b64encode(pcm).decode()
        await self._session.tell("response.output_audio.delta", delta=audio, **self._part)
        await asyncio.sleep(len(text) * CHARACTER_S / self._session.pace)

    async def _finish(self, item_status: str, status: str, **details: Any) -> None:
        tell, text = self._session.tell, self._item.text
        item = wire.message(self._item.id, "assistant", [{"type": "output_audio", "transcript": text}], item_status)
        await tell("response.output_audio.done", **self._part)
        await tell("response.output_audio_transcript.done", transcript=text, **self._part)
        await tell("response.content_part.done", part={"type": "audio", "transcript": text}, **self._part)
        await tell("response.output_item.done", item=item, **self._where)
        await tell("conversation.item.done", item=item, previous_item_id=self._before)
        await tell("response.done", response=wire.response(self.id, status, [item], **details))
        await self._on_done()
