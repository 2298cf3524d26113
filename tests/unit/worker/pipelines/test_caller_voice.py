"""The caller's voice of a turn: kept where a model hears, bounded, and of one turn only."""

from __future__ import annotations

import pytest

from voicebackend.codecs.wav import wav_bytes
from voicebackend.turn_audio import MAX_BYTES, packed, unpacked
from worker.pipelines.caller_voice import CallerVoice
from worker.pipelines.hearing import Utterance


def utterance(text: str, voice: bytes) -> Utterance:
    """Return what was said in a second."""
    return Utterance(text=text, speech_s=1.0, speech_end=2.0, decided=2.2, voice=voice)


def test_a_turn_is_kept_from_its_beginning() -> None:
    """And the one before is forgotten."""
    voice = CallerVoice(wanted=True)
    voice.begin(b"ab")
    voice.keep(b"cd")
    assert voice.pcm == b"abcd"
    voice.begin(b"ef")
    assert voice.pcm == b"ef"
    voice.end()
    assert voice.pcm == b""


def test_where_no_model_hears_nothing_is_kept() -> None:
    """It would be a megabyte a caller, for nobody."""
    voice = CallerVoice(wanted=False)
    voice.begin(b"ab")
    voice.keep(b"cd")
    assert voice.pcm == b""


def test_of_a_long_turn_the_latest_is_kept() -> None:
    """Half a minute of it, whatever the size of its pieces."""
    voice = CallerVoice(wanted=True)
    voice.begin(b"\1" * 3000)
    for _ in range(MAX_BYTES // 640 + 10):
        voice.keep(b"\2" * 640)
    assert voice.pcm == b"\2" * MAX_BYTES
    assert sum(map(len, voice._pieces)) < MAX_BYTES + 640


@pytest.mark.parametrize(("second", "whole"), [(b"cd", b"abcd"), (b"", b"")])
def test_what_was_said_in_two_goes_together_or_not_at_all(second: bytes, whole: bytes) -> None:
    """The half of it would mislead who has all the words."""
    assert utterance("a table", b"ab").with_more(utterance("for two", second)).voice == whole


def test_in_redis_it_is_one_turn_s() -> None:
    """Nobody takes another turn's audio, or what is none, for this one's."""
    assert unpacked(7, packed(7, b"ab")) == b"ab"
    assert unpacked(8, packed(7, b"ab")) == b""
    assert unpacked(7, packed(7, b"")) == unpacked(7, b"\7") == unpacked(7, None) == b""
    assert len(packed(7, bytes(MAX_BYTES + 100))) == MAX_BYTES + 4
    assert wav_bytes(b"abcd", sample_rate=16_000).startswith(b"RIFF")
