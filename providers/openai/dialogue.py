"""One conversation over the Realtime API: the vendor's events to ours, and what we say back; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from providers.openai import codec
from providers.openai.answers import Answer, Answers, Told
from providers.openai.codec import Message
from voicebackend.audio import whole_samples
from voicebackend.errors import ConnectionFailed
from voicebackend.interfaces import S2sEvent

_FOR_TEXT = "text"
"""Begins the ids of wishes for an answer to a text."""
_TRANSCRIPTION = "conversation.item.input_audio_transcription"


@dataclass(slots=True)
class Outcome:
    """What follows from something."""

    told: list[Told] = field(default_factory=list)
    """For the stream's reader, in order."""
    messages: list[Message] = field(default_factory=list)
    """For the vendor, in order."""


class Dialogue:
    """Keeps which answer is under way, and when another may be asked for: the vendor makes one at a time."""

    def __init__(self, *, answers: bool, silence_s: float) -> None:
        """``silence_s``: after which the vendor tells that the caller has fallen silent."""
        self._by_itself, self._silence_s = answers, silence_s
        self._answers = Answers()
        self._responses: dict[str, Answer] = {}
        self._under_way: str | None = None
        """The response that the vendor is making."""
        self._asked: str | None = None
        """The id of our wish for one that it has not begun."""
        self._owed = False
        """Something was said meanwhile that it has not begun to answer."""
        self._heard: dict[str, str] = {}
        """What was understood so far of the caller's item that is being transcribed."""
        self._count = 0
        self._handlers: Mapping[str, Callable[[Mapping[str, Any], Outcome], None]] = {
            "input_audio_buffer.speech_started": self._speech_started,
            "input_audio_buffer.speech_stopped": self._speech_stopped,
            "input_audio_buffer.committed": self._committed,
            f"{_TRANSCRIPTION}.delta": self._transcribing,
            f"{_TRANSCRIPTION}.completed": self._transcribed,
            f"{_TRANSCRIPTION}.failed": self._transcribed,
            "response.created": self._created,
            "response.output_audio.delta": self._audio,
            "response.output_audio_transcript.delta": self._words,
            "response.audio.delta": self._audio,  # the names before the API was final: other servers have them
            "response.audio_transcript.delta": self._words,
            "response.done": self._done,
            "error": self._error,
        }

    def take(self, event: Mapping[str, Any]) -> Outcome:
        """Take an event of the vendor's.

        Raises:
            VoiceBackendError: the conversation cannot go on.

        """
        outcome = Outcome()
        kind = event.get("type")
        handler = self._handlers.get(kind) if isinstance(kind, str) else None
        if handler is not None:  # else it changes nothing
            handler(event, outcome)
        return outcome

    def tell(self, text: str) -> Outcome:
        """Have a text answered as if the caller had said it."""
        outcome = Outcome(messages=[codec.said("user", text)])
        self._ask(outcome, _FOR_TEXT)
        return outcome

    def say(self, text: str) -> tuple[Answer, Outcome]:
        """Begin to say a text, whose audio comes from elsewhere; the model is to remember it as its own."""
        answer = self._answers.begin(Answer("", text=text, item_id=self._id("said")))
        outcome = Outcome(told=self._answers.add(answer, S2sEvent(kind="agent_text", text=text)))
        if self._by_itself:
            outcome.messages.append(codec.said("assistant", text, item_id=answer.item_id))
        return answer, outcome

    def spoken(self, answer: Answer, pcm: bytes) -> Outcome:
        """Take more of its audio."""
        return Outcome(told=self._sound(answer, answer.item_id, pcm))

    def said(self, answer: Answer) -> Outcome:
        """Take the end of it."""
        return Outcome(told=self._answers.end(answer))

    def interrupt(self, played_ms: float) -> tuple[Answer | None, Outcome]:
        """Cut short what the caller spoke over, or what was said last, and return it."""
        outcome = Outcome()
        answer = self._answers.cut()
        if answer is None:
            return None, outcome
        if answer.id:
            outcome.messages += self._truncated(answer, played_ms)
        elif self._by_itself and (heard := answer.heard(played_ms, codec.REALTIME_RATE)) != answer.text:
            outcome.messages.append(codec.forget(answer.item_id))
            answer.text, answer.item_id = heard, self._id("said")
            if heard:
                outcome.messages.append(codec.said("assistant", heard, item_id=answer.item_id))
        outcome.told += self._answers.end(answer)
        return answer, outcome

    def _truncated(self, answer: Answer, played_ms: float) -> list[Message]:
        """Return how the vendor is told; an answer that it still makes has more audio than has come."""
        going = answer.id == self._under_way
        found = [codec.cancel(answer.id)] if going else []
        sizes = answer.keep(float("inf"), codec.REALTIME_RATE)
        for item, ms in answer.keep(played_ms, codec.REALTIME_RATE).items():
            if going or ms < sizes[item]:
                found.append(codec.truncate(item, ms))
        return found

    def _sound(self, answer: Answer, item: str, pcm: bytes) -> list[Told]:
        pcm, odd = whole_samples(answer.odd.get(item, b"") + pcm)
        answer.odd = {item: odd}
        if answer.ended or not pcm:
            return []
        answer.items[item] = answer.items.get(item, 0) + len(pcm)
        return self._answers.add(answer, S2sEvent(kind="audio", pcm=pcm))

    def _id(self, what: str) -> str:
        self._count += 1
        return f"{what}_{self._count}"

    # When an answer may be asked for

    def _ask(self, outcome: Outcome, what: str = "answer") -> None:
        """Ask for an answer now, or when the one under way has been made."""
        if self._under_way is not None or self._asked is not None:
            self._owed = True
            return
        self._owed, self._asked = False, self._id(what)
        outcome.messages.append(codec.answer(self._asked))

    # The vendor's events

    def _speech_started(self, event: Mapping[str, Any], outcome: Outcome) -> None:
        del event
        self._answers.spoken_over()
        outcome.told.append(Told(S2sEvent(kind="speech_started")))

    def _speech_stopped(self, event: Mapping[str, Any], outcome: Outcome) -> None:
        del event
        outcome.told.append(Told(S2sEvent(kind="speech_stopped", silence_s=self._silence_s)))

    def _committed(self, event: Mapping[str, Any], outcome: Outcome) -> None:
        """The vendor answers by itself, unless it is answering already."""
        del event, outcome
        self._owed = self._owed or (self._by_itself and self._under_way is not None)

    def _transcribing(self, event: Mapping[str, Any], outcome: Outcome) -> None:
        item = _text(event, "item_id")
        self._heard = {item: self._heard.get(item, "") + _text(event, "delta")}
        outcome.told.append(Told(S2sEvent(kind="user_text", text=self._heard[item])))

    def _transcribed(self, event: Mapping[str, Any], outcome: Outcome) -> None:
        """It is all that was understood; nothing, if that failed."""
        self._heard.pop(_text(event, "item_id"), None)
        outcome.told.append(Told(S2sEvent(kind="user_text", text=_text(event, "transcript").strip(), final=True)))

    def _created(self, event: Mapping[str, Any], outcome: Outcome) -> None:
        """The vendor makes one at a time: what it made before is over."""
        found = _text(_response(event), "id")
        if not found:
            return
        for before in self._responses.values():
            outcome.told += self._answers.end(before)
        self._responses.clear()
        self._under_way, self._asked, self._owed = found, None, False
        self._responses[found] = self._answers.begin(Answer(found))

    def _audio(self, event: Mapping[str, Any], outcome: Outcome) -> None:
        answer = self._responses.get(_text(event, "response_id"))
        if answer is not None:
            outcome.told += self._sound(answer, _text(event, "item_id"), codec.decoded(event.get("delta")))

    def _words(self, event: Mapping[str, Any], outcome: Outcome) -> None:
        answer, text = self._responses.get(_text(event, "response_id")), _text(event, "delta")
        if answer is not None and text:
            outcome.told += self._answers.add(answer, S2sEvent(kind="agent_text", text=text))

    def _done(self, event: Mapping[str, Any], outcome: Outcome) -> None:
        response = _response(event)
        answer = self._responses.pop(_text(response, "id"), None)
        if answer is None:
            return
        if response.get("status") == "failed" and not answer.ended:
            raise codec.failed(response)
        outcome.told += self._answers.end(answer)
        if used := codec.used(response):
            outcome.told.append(Told(S2sEvent(kind="usage", usage=used)))
        self._under_way = None
        if self._owed:
            self._ask(outcome)

    def _error(self, event: Mapping[str, Any], outcome: Outcome) -> None:
        """Most errors change nothing; one to our wish for an answer leaves the caller without."""
        fatal = codec.fatal(event)
        if fatal is not None:
            raise fatal
        error, code = event.get("error"), codec.error_code(event)
        wish = _text(error, "event_id") if isinstance(error, dict) else ""
        if wish and wish == self._asked:
            self._asked = None
            if code != codec.BUSY:
                raise ConnectionFailed("openai.talk", details={"vendor_code": code})
        if code == codec.BUSY and wish.startswith(_FOR_TEXT):
            self._owed = True  # what it is answering began before it had the text
            if self._under_way is None:
                self._ask(outcome)


def _response(event: Mapping[str, Any]) -> Mapping[str, Any]:
    found = event.get("response")
    return found if isinstance(found, dict) else {}


def _text(event: Mapping[str, Any], field: str) -> str:
    found = event.get(field)
    return found if isinstance(found, str) else ""
