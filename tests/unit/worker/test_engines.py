"""The engines of a process: each is closed, whatever becomes of the others."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from voicebackend.errors import ConnectionFailed
from voicebackend.interfaces import TextToSpeech
from worker import engines
from worker.engines import EnginePool


class Flawed(TextToSpeech):
    """Fails to open, or to close."""

    name = "flawed"
    sample_rate = 16_000

    def __init__(self, *, opens: bool = True, closes: bool = True) -> None:
        super().__init__()
        self._opens, self._closes = opens, closes
        self.closed = False

    async def open(self) -> None:
        """Open, or fail."""
        if not self._opens:
            raise ConnectionFailed("flawed")

    async def aclose(self) -> None:
        """Close, or fail."""
        self.closed = True
        if not self._closes:
            raise RuntimeError("it is stuck")

    def synthesize(self, text: str) -> Any:
        """Say nothing."""
        raise NotImplementedError(text)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Flawed]:
    """Give the engines that were made, in this order."""
    found: list[Flawed] = []

    def create(name: str, settings: Mapping[str, Any]) -> Flawed:
        del name
        found.append(Flawed(**settings))
        return found[-1]

    monkeypatch.setattr(engines, "ENGINES", {"tts": SimpleNamespace(create=create)})
    return found


async def test_one_that_does_not_open_is_closed(made: list[Flawed]) -> None:
    """Half of it may be there; and the next session tries it anew."""
    async with EnginePool() as pool:
        for _ in range(2):
            with pytest.raises(ConnectionFailed):
                await pool._get("tts", "flawed", {"opens": False})
    assert [engine.closed for engine in made] == [True, True]


async def test_one_that_does_not_close_leaves_the_others_to_be_closed(made: list[Flawed]) -> None:
    """They are closed from the last to the first."""
    async with EnginePool() as pool:
        await pool._get("tts", "first", {})
        await pool._get("tts", "second", {"closes": False})
    assert [engine.closed for engine in made] == [True, True]
