"""What the ear tells, to utterances: each ends with an acknowledged flush, and no text strays into the next."""

from __future__ import annotations

from typing import Any

import pytest

from providers.cartesia.config import CartesiaSttConfig
from providers.cartesia.stt_codec import Utterances, path
from voicebackend.errors import AuthenticationFailed, ConnectionFailed, InvalidConfig, RateLimitExceeded
from voicebackend.interfaces import Recognition

DONE = {"type": "flush_done", "request_id": "r"}


def text(said: str, *, final: bool = True) -> dict[str, Any]:
    """Return a piece of a transcript."""
    return {"type": "transcript", "is_final": final, "text": said, "request_id": "r"}


def partial(said: str) -> Recognition:
    """Return what is told meanwhile."""
    return Recognition(text=said, final=False)


def flushed(said: str) -> Recognition:
    """Return what is told at a pause."""
    return Recognition(text=said, final=False, flushed=True)


def test_pieces_are_put_together_with_their_own_spaces() -> None:
    """Text that is not final takes the place of what was not final before; nothing is added between."""
    said = Utterances()
    said.heard()
    assert said.take(text("how a", final=False)) == partial("how a")
    assert said.take(text("how are", final=False)) == partial("how are")
    assert said.take(text("how are")) is None
    assert said.take(text(" you?")) == partial("how are you?")
    assert said.pause()
    assert said.take(DONE) == flushed("how are you?")
    assert said.text == "how are you?"


def test_only_the_last_of_several_pauses_is_told() -> None:
    """The caller went on after the others."""
    said = Utterances()
    for _ in range(2):
        said.heard()
        assert said.pause()
    assert said.take(DONE) is None
    assert not said.is_known
    said.take(text("all of it"))
    assert said.take(DONE) == flushed("all of it")
    assert said.is_known


def test_a_pause_without_new_audio_asks_for_nothing() -> None:
    """It is known already; also at the very beginning."""
    said = Utterances()
    assert not said.pause()
    assert said.is_known
    said.heard()
    assert said.pause()
    assert not said.pause()
    assert not said.is_known


def test_what_a_pause_had_told_is_what_is_finished_with() -> None:
    """The silence after it is not recognised again, but kept out of the next utterance."""
    said = Utterances()
    said.heard()
    said.pause()
    said.take(text("good day"))
    said.take(DONE)
    said.heard()
    assert not said.finish()
    assert said.text == "good day"
    assert said.end()
    said.heard()
    assert said.take(text("a breath")) is None
    assert said.take(DONE) is None
    assert said.take(text("hello")) == partial("hello")


def test_text_of_an_utterance_that_was_forgotten_is_dropped() -> None:
    """However late it comes."""
    said = Utterances()
    said.heard()
    said.pause()
    assert not said.end()
    assert said.text == ""
    assert said.take(text("forgotten")) is None
    assert said.take(DONE) is None
    assert said.text == ""


def test_an_utterance_of_nothing_is_known_although_the_last_is_still_flushed() -> None:
    """Nobody waits for what is of no use."""
    said = Utterances()
    said.heard()
    assert said.end()
    assert said.is_known
    assert not said.finish()


def test_acknowledgements_of_nothing_and_strangers_are_passed_over() -> None:
    """The vendor may add messages."""
    said = Utterances()
    for message in (DONE, {"type": "done"}, {"type": "news"}, {}, text("x") | {"text": None}):
        assert said.take(message) is None
    said.heard()
    said.pause()
    assert not said.is_known


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"status_code": 401, "message": "bad key"}, AuthenticationFailed),
        ({"status_code": 429, "error_code": "concurrency_limited"}, RateLimitExceeded),
        ({"status_code": 400, "error_code": "model_not_found"}, InvalidConfig),
        ({"status_code": 503}, ConnectionFailed),
        ({"code": "invalid_event"}, InvalidConfig),
        ({"message": "what the caller said"}, ConnectionFailed),
    ],
)
def test_an_error_has_our_code_and_none_of_the_vendors_words(error: dict[str, Any], kind: type[Exception]) -> None:
    """They may carry a key, or what a caller said."""
    with pytest.raises(kind) as caught:
        Utterances().take({"type": "error", "title": "Oh dear", **error})
    assert "caller" not in f"{caught.value}"
    assert "bad key" not in f"{caught.value} {vars(caught.value)}"


def test_an_ear_is_asked_for_by_model_format_language_and_terms() -> None:
    """Terms repeat."""
    config = CartesiaSttConfig(stt_model_id="ink", stt_language="en", keyterms=("yellow bird", "canary"))
    assert path(config) == (
        "/stt/websocket?model=ink&encoding=pcm_s16le&sample_rate=16000&language=en&keyterm=yellow+bird&keyterm=canary"
    )
