"""OpenAI's side of a Realtime conversation, played event by event, and what a dialogue makes of it."""

from __future__ import annotations

import base64
from typing import Any

from providers.openai.answers import Answer
from providers.openai.dialogue import Dialogue, Outcome

SECOND = bytes(48_000)
"""Of audio at 24 kHz."""


class Vendor:
    """Plays the vendor to a dialogue."""

    def __init__(self, *, answers: bool = True) -> None:
        self.dialogue = Dialogue(answers=answers, silence_s=0.5)
        self.messages: list[dict[str, Any]] = []
        self.told: list[str] = []

    def note(self, outcome: Outcome) -> None:
        """Keep what came of something."""
        self.messages += outcome.messages
        self.told += [
            f"{told.event.kind} {told.event.text}{len(told.event.pcm) or ''}".strip() for told in outcome.told
        ]

    def sends(self, kind: str, **fields: Any) -> None:
        """Send an event."""
        self.note(self.dialogue.take({"type": kind, **fields}))

    def begins(self, name: str) -> None:
        """Begin an answer."""
        self.sends("response.created", response={"id": name})

    def speaks(self, name: str, text: str, pcm: bytes = SECOND, *, item: str = "") -> None:
        """Send more of an answer."""
        common = {"response_id": name, "item_id": item or f"item-{name}"}
        self.sends("response.output_audio_transcript.delta", delta=text, **common)
        self.sends("response.output_audio.delta", delta=base64.b64encode(pcm).decode(), **common)

    def ends(self, name: str, status: str = "completed") -> None:
        """End it."""
        self.sends("response.done", response={"id": name, "status": status})

    def hears_speech(self) -> None:
        """Notice that the caller says something."""
        self.sends("input_audio_buffer.speech_started")
        self.sends("input_audio_buffer.speech_stopped")
        self.sends("input_audio_buffer.committed")

    def interrupt(self, played_ms: float) -> Answer | None:
        """Interrupt it."""
        answer, outcome = self.dialogue.interrupt(played_ms)
        self.note(outcome)
        return answer

    @property
    def kinds(self) -> list[str]:
        """The kinds of messages that were sent."""
        return [message["type"] for message in self.messages]
