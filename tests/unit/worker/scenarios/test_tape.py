"""Mock speech is read back from its audio as it comes, with the place of each word."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.mock.tones import speak
from voicebackend.audio import PIPELINE_RATE, from_floats
from worker.scenarios.sounds import likeness, scripted_noise
from worker.scenarios.steps import NoiseKind
from worker.scenarios.tape import Tape

CHARACTER = round(0.06 * PIPELINE_RATE)


def _said(*texts: str, gap_s: float = 0.3) -> bytes:
    return bytes(round(gap_s * PIPELINE_RATE) * 2).join(speak(text, PIPELINE_RATE) for text in texts)


@given(sizes=st.lists(st.integers(1, 4000), min_size=1, max_size=40))
def test_the_text_is_the_same_however_the_audio_is_cut(sizes: list[int]) -> None:
    """Pieces of any length, in the middle of characters."""
    pcm, at, tape = _said("Yes, two please."), 0, Tape(PIPELINE_RATE)
    for size in sizes:
        tape.push(pcm[at : at + 2 * size])
        at += 2 * size
    tape.push(pcm[at:])
    tape.flush()
    assert tape.text == "Yes, two please."


def test_each_word_has_the_sample_at_which_it_begins() -> None:
    """By the characters before it."""
    tape = Tape(PIPELINE_RATE)
    tape.push(_said("one two three"))
    tape.flush()
    assert [word.text for word in tape.words()] == ["one", "two", "three"]
    assert [round(word.sample / CHARACTER) for word in tape.words()] == [0, 4, 8]


def test_what_is_said_after_silence_is_another_word() -> None:
    """Also where no space was spoken."""
    tape = Tape(PIPELINE_RATE)
    tape.push(_said("one", "two"))
    tape.flush()
    assert tape.text == "one two"


def test_a_character_counts_once_the_gap_after_it_was_heard() -> None:
    """Before, it might still become another."""
    tape, pcm = Tape(PIPELINE_RATE), _said("ab")
    tape.push(pcm[: CHARACTER * 2 + 600])
    assert tape.text == "a"
    tape.flush()
    assert tape.text == "ab"


@pytest.mark.parametrize("kind", NoiseKind)
@pytest.mark.parametrize("like_speech", [0.0, 0.3, 0.9])
def test_a_noise_is_no_text_and_as_much_like_speech_as_it_is_told(kind: NoiseKind, like_speech: float) -> None:
    """In every window that the scripted voice detector looks at."""
    pcm, tape = scripted_noise(kind, 1.5, like_speech), Tape(PIPELINE_RATE)
    tape.push(pcm)
    tape.flush()
    assert tape.text.strip() == ""
    windows = [pcm[at : at + 1024] for at in range(0, len(pcm) - 1024, 1024)]
    assert [likeness(window) for window in windows] == pytest.approx([like_speech] * len(windows), abs=0.02)


def test_speech_is_like_speech_and_silence_is_not() -> None:
    """In every window of 32 ms."""
    pcm = _said("hello there")
    windows = [pcm[at : at + 1024] for at in range(0, len(pcm) - 1024, 1024)]
    assert min(map(likeness, windows)) > 0.9
    assert likeness(bytes(1024)) == 0.0
    assert likeness(from_floats(np.full(512, 0.005))) == 0.0
