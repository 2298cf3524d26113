"""What the voice is asked and tells."""

from __future__ import annotations

from typing import Any

import pytest

from providers.cartesia.config import CartesiaTtsConfig
from providers.cartesia.tts_codec import Told, WordClock, parsed, speech_request
from voicebackend.errors import InvalidFormat, RateLimitExceeded
from voicebackend.interfaces import WordTime


def test_a_text_is_asked_for_whole_in_a_context_of_its_own() -> None:
    """With the words' times, and the language only where it is set."""
    config = CartesiaTtsConfig(model_id="sonic", voice_id="v", sample_rate=16_000)
    assert speech_request(config, "c1", "Hello.") == {
        "context_id": "c1",
        "model_id": "sonic",
        "transcript": "Hello.",
        "voice": {"mode": "id", "id": "v"},
        "output_format": {"container": "raw", "encoding": "pcm_s16le", "sample_rate": 16_000},
        "continue": False,
        "add_timestamps": True,
    }
    assert speech_request(config.model_copy(update={"language": "de"}), "c1", "Ja.")["language"] == "de"


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ({"type": "chunk", "context_id": "c", "data": "AAEC"}, Told("c", pcm=b"\x00\x01\x02")),
        ({"type": "chunk", "context_id": "c"}, Told("c")),
        ({"type": "done", "context_id": "c", "done": True}, Told("c", done=True)),
        ({"type": "flush_done", "context_id": "c"}, None),
        ({"type": "phoneme_timestamps", "context_id": "c"}, None),
        ({}, None),
    ],
)
def test_messages_become_what_they_tell(message: dict[str, Any], found: Told | None) -> None:
    """Others are nothing to us."""
    assert parsed(message) == found


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ({"words": ["a", "b"], "start": [0, 0.5], "end": [0.4, 0.9]}, (WordTime("a", 0, 0.4), WordTime("b", 0.5, 0.9))),
        ({"words": ["a", "b"], "start": [0], "end": [0.4, 0.9]}, (WordTime("a", 0, 0.4),)),
        ({"words": ["a", 2], "start": ["x", 1], "end": [1, 2]}, ()),
        ({"words": "ab", "start": [0, 1], "end": [1, 2]}, ()),
        (None, ()),
    ],
)
def test_words_come_with_their_times_as_far_as_they_can_be_read(times: Any, words: tuple[WordTime, ...]) -> None:
    """Columns that do not fit cost words, not the call."""
    found = parsed({"type": "timestamps", "context_id": "c", "word_timestamps": times})
    assert found == Told("c", words=words)


def test_audio_that_is_no_base64_is_nonsense() -> None:
    """It would be noise."""
    with pytest.raises(InvalidFormat):
        parsed({"type": "chunk", "context_id": "c", "data": "!"})


def test_a_refusal_belongs_to_its_context() -> None:
    """Others on the same connection are spoken on."""
    found = parsed({"type": "error", "context_id": "c", "status_code": 429, "done": True})
    assert found is not None
    assert (found.context, type(found.error)) == ("c", RateLimitExceeded)


def test_words_follow_one_another() -> None:
    """None begins before the last has ended, and each sounds."""
    clock = WordClock()
    given = [WordTime("a", 0.0, 0.5), WordTime("b", 0.4, 0.4), WordTime("c", 0.2, 1.0)]
    assert [clock.after_last(word) for word in given] == [
        WordTime("a", 0.0, 0.5),
        WordTime("b", 0.5, 0.501),
        WordTime("c", 0.501, 1.0),
    ]
