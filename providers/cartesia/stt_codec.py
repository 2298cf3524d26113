"""What the vendor's ear is asked and tells (its protocol with manual finalize), to utterances of ours; no I/O.

``finalize`` has all audio so far recognised, and is acknowledged by ``flush_done``: so each utterance ends with an
acknowledged flush, and whatever text comes before it belongs to no later one.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from providers.cartesia.config import CartesiaSttConfig
from providers.cartesia.vendor import told
from voicebackend.audio import PIPELINE_RATE
from voicebackend.interfaces import Recognition

PATH = "/stt/websocket"
FINALIZE = "finalize"
MAX_TEXT = 20_000
"""Characters of an utterance that are kept."""


def path(config: CartesiaSttConfig) -> str:
    """Return where an ear with these settings is."""
    query = [("model", config.stt_model_id), ("encoding", "pcm_s16le"), ("sample_rate", str(PIPELINE_RATE))]
    if config.stt_language:
        query.append(("language", config.stt_language))
    query += [("keyterm", term) for term in config.keyterms]
    return f"{PATH}?{urlencode(query)}"


class Utterances:
    """One session's: counts flushes, and keeps the text of the utterance under way."""

    def __init__(self) -> None:
        self._asked = self._done = 0
        self._past = 0
        """Text that comes before this flush is done is an earlier utterance's."""
        self._fresh = False
        """Audio has come since the last flush was asked for."""
        self._paused = False
        """A flush was asked for within this utterance."""
        self._final = self._interim = ""

    def __repr__(self) -> str:
        return f"<Utterances [{self._done} of {self._asked} flushes done, {len(self.text)} characters]>"

    @property
    def text(self) -> str:
        """All that is known of the utterance under way; pieces carry their own spaces."""
        return (self._final + self._interim).strip()

    @property
    def is_known(self) -> bool:
        """Whether the text is all that was said up to the last flush: it is done, or there was none to ask for."""
        return self._asked in (self._done, self._past)

    def heard(self) -> None:
        """More audio has gone out."""
        self._fresh = True

    def pause(self) -> bool:
        """The caller may have finished; tell whether to ask for a flush, which else is no news."""
        self._paused = True
        return self._flush()

    def finish(self) -> bool:
        """The caller has finished; tell whether to ask for a flush: after a pause, that has said all."""
        return not self._paused and self._flush()

    def end(self) -> bool:
        """Forget the utterance; tell whether to ask for a flush, which keeps the rest of it out of the next."""
        asked = self._flush()
        self._past, self._paused = self._asked, False
        self._final = self._interim = ""
        return asked

    def take(self, message: dict[str, Any]) -> Recognition | None:
        """Take a message; return what is to be reported.

        Raises:
            VoiceBackendError: it tells of an error.

        """
        match message.get("type"):
            case "transcript" if self._done >= self._past:
                return self._understand(message)
            case "flush_done" if self._done < self._asked:
                self._done += 1
                return self._flushed()
            case "error":
                raise told(message, "stt")
            case _:
                return None

    def _flush(self) -> bool:
        fresh, self._fresh = self._fresh, False
        self._asked += fresh
        return fresh

    def _flushed(self) -> Recognition | None:
        if self._past < self._done == self._asked:
            return Recognition(text=self.text, final=False, flushed=True)
        return None

    def _understand(self, message: dict[str, Any]) -> Recognition | None:
        text, before = message.get("text"), self.text
        if not isinstance(text, str):
            return None
        if message.get("is_final") is True:
            self._final, self._interim = (self._final + text)[:MAX_TEXT], ""
        else:
            self._interim = text[:MAX_TEXT]
        return Recognition(text=self.text, final=False) if self.text != before else None
