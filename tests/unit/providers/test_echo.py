"""Provider ``echo``."""

from __future__ import annotations

from typing import Any

from providers.registry import PROVIDERS
from voicebackend.interfaces import TransportLink
from voicebackend.session import PipelineState

FRAME = bytes(range(1, 129)) * 5


class Link(TransportLink):
    """Keeps what was sent."""

    def __init__(self) -> None:
        self.audio: list[bytes] = []
        self.events: list[Any] = []

    def play(self, turn: int, pcm: bytes) -> None:
        """Keep it."""
        assert turn > 0
        self.audio.append(pcm)

    def event(self, message: Any) -> None:
        """Keep it."""
        self.events.append(message)


async def test_every_frame_comes_back_at_once_and_unchanged() -> None:
    """At the pipeline's own rate not a bit differs."""
    link = Link()
    pipeline = PROVIDERS.create("echo").pipeline(link)
    assert pipeline is not None
    await pipeline.open()
    pipeline.greet()
    for _ in range(3):
        pipeline.push(FRAME)
    await pipeline.aclose()
    assert link.audio == [FRAME] * 3
    assert [message.state for message in link.events] == [PipelineState.LISTENING]


async def test_a_caller_at_another_rate_hears_itself_at_that_rate() -> None:
    """8 kHz take half the bytes, less what a filter holds back."""
    link = Link()
    pipeline = PROVIDERS.create("echo").pipeline(link)
    assert pipeline is not None
    link.sample_rate = 8000
    pipeline.greet()
    for _ in range(10):
        pipeline.push(FRAME)
    sent = sum(map(len, link.audio))
    assert 0.85 * 3200 < sent <= 3200
