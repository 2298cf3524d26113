"""A real Chromium, a voice for its microphone, and a real stack to talk to."""

from __future__ import annotations

import wave
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import debian
import pytest
from dev_stack import running_stack
from playwright.async_api import Browser, async_playwright
from redis_roles import RedisRoles
from stack_harness import StackAddress
from voices import VOICES, read_wav
from watched import Watched

RATE = 16_000
QUESTION, INTERRUPTION = "caller_balance.wav", "caller_human_agent.wav"
ROUND_S = {"before": 1.5, "answer": 9.0, "after": 7.0}
"""Silence before the question, until it is interrupted, and after that. The microphone plays it over and over."""
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
]


@pytest.fixture(scope="session")
def stack(stack_redis: RedisRoles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackAddress]:
    """Run the development stack with the engines of this machine."""
    with running_stack(stack_redis, tmp_path_factory.mktemp("stack"), agents="browser_agents") as address:
        yield address


@pytest.fixture(scope="session")
def microphone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write what the browser's microphone hears: a question, and what interrupts its answer."""
    silence = {name: bytes(2 * round(RATE * seconds)) for name, seconds in ROUND_S.items()}
    parts = [
        *(silence["before"], read_wav(VOICES / QUESTION)),
        *(silence["answer"], read_wav(VOICES / INTERRUPTION), silence["after"]),
    ]
    path = tmp_path_factory.mktemp("microphone") / "microphone.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(b"".join(parts))
    return path


@pytest.fixture
async def browser(microphone: Path) -> AsyncIterator[Browser]:
    """Start Chromium without a window."""
    chromium = debian.program("chromium", "chromium")
    async with async_playwright() as playwright:
        flags = [*FLAGS, f"--use-file-for-fake-audio-capture={microphone}"]
        browser = await playwright.chromium.launch(executable_path=chromium, args=flags)
        try:
            yield browser
        finally:
            await browser.close()


@pytest.fixture
async def watched(browser: Browser) -> Watched:
    """Open an empty page."""
    return Watched(await browser.new_page(viewport={"width": 1280, "height": 900}))
