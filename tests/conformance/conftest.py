"""Engines, each opened once for all suites."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from providers.registry import ENGINES
from voicebackend.interfaces import Engine, SpeechToText


@pytest.fixture(scope="session")
def open_engine() -> Iterator[Callable[[str, str], Any]]:
    """Give a function of role and name that returns the engine, opened."""
    engines: dict[tuple[str, str], Engine] = {}

    def get(role: str, name: str) -> Engine:
        if (role, name) not in engines:
            engine: Engine = ENGINES[role].create(name)
            asyncio.run(engine.open())
            engines[role, name] = engine
        return engines[role, name]

    yield get
    for engine in engines.values():
        asyncio.run(engine.aclose())


@pytest.fixture
def moonshine(open_engine: Callable[[str, str], SpeechToText]) -> SpeechToText:
    """Give the offline recogniser."""
    return open_engine("stt", "moonshine")
