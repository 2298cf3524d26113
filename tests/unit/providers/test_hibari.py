"""Hibari: what is spoken, and when its work stops."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import numpy as np
import pytest

from providers.engines.tts.hibari import MAX_CHARACTERS, Hibari
from voicebackend.errors import InvalidFormat, PipelineError


class Voice:
    """Stands in for the model, and notes what it is asked to speak."""

    def __init__(self) -> None:
        self.spoken: list[str] = []

    @staticmethod
    def split_sentences(text: str) -> list[str]:
        """Cut at full stops."""
        return [part.strip() for part in text.split(".") if part.strip()]

    def stream(self, sentence: str, seed: int) -> Iterator[np.ndarray[Any, np.dtype[np.float32]]]:
        """Yield a tenth of a second, nothing for a sentence it cannot speak."""
        del seed
        self.spoken.append(sentence)
        if sentence == "fail":
            raise RuntimeError("onnx")
        yield np.zeros(0 if sentence == "你好" else 2400, np.float32)


@pytest.fixture
async def hibari(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Hibari, Voice]]:
    """Give the engine over a voice of ours."""
    engine, voice = Hibari(), Voice()
    monkeypatch.setattr("providers.engines.tts.hibari._load", lambda: voice)
    await engine.open()
    yield engine, voice
    await engine.aclose()


async def test_a_sentence_is_spoken_when_it_is_asked_for(hibari: tuple[Hibari, Voice]) -> None:
    """Closing after the first leaves the others alone."""
    engine, voice = hibari
    async with aclosing(engine.synthesize("one. two. three.")) as chunks:  # type: ignore[type-var]
        first = await anext(chunks)
    assert isinstance(first, bytes)
    assert len(first) == 4800
    assert voice.spoken == ["one"]


async def test_a_sentence_without_end_is_spoken_in_parts(hibari: tuple[Hibari, Voice]) -> None:
    """Each short enough to be stopped after, cut between words."""
    engine, voice = hibari
    assert [chunk async for chunk in engine.synthesize("word " * 200)]
    assert " ".join(voice.spoken).split() == ["word"] * 200
    assert max(len(part) for part in voice.spoken) <= 250


async def test_what_cannot_be_spoken_yields_nothing(hibari: tuple[Hibari, Voice]) -> None:
    """And does not end the text."""
    engine, _ = hibari
    assert [chunk async for chunk in engine.synthesize("你好. one.")] == [bytes(4800)]
    assert [chunk async for chunk in engine.synthesize("😀 ...")] == []


async def test_a_failing_model_is_a_pipeline_error(hibari: tuple[Hibari, Voice]) -> None:
    """Its own words are not repeated."""
    engine, _ = hibari
    with pytest.raises(PipelineError) as caught:
        [chunk async for chunk in engine.synthesize("fail")]
    assert caught.value.details == {"cause": "RuntimeError"}


async def test_a_text_without_end_is_refused(hibari: tuple[Hibari, Voice]) -> None:
    """Before any work."""
    engine, voice = hibari
    with pytest.raises(InvalidFormat):
        [chunk async for chunk in engine.synthesize("a" * (MAX_CHARACTERS + 1))]
    assert voice.spoken == []


async def test_an_engine_that_is_not_open_says_so() -> None:
    """Instead of failing somewhere inside."""
    with pytest.raises(PipelineError, match="not open"):
        [chunk async for chunk in Hibari().synthesize("hello")]
