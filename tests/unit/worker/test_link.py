"""What goes to a caller's gateway while nobody knows whether the lane is still ours."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from voicebackend.keys import Keys
from voicebackend.streams import Frame
from worker import link as links
from worker.link import Attachment, GatewayLink

AT = Attachment(id=7, inbox="g", sample_rate=16_000)


class Lane:
    """A lane whose lease is sure or not."""

    number, epoch = 1, 4
    sure = True

    def may_speak(self, now: float) -> bool:
        """Tell so."""
        del now
        return self.sure


class Sender:
    """Notes what is sent."""

    def __init__(self) -> None:
        self.sent: list[Frame] = []

    def send(self, key: str, frame: Frame) -> None:
        """Note it."""
        assert key == Keys().inbox("g")
        self.sent.append(frame)

    @property
    def payloads(self) -> list[bytes]:
        """What was sent."""
        return [frame.payload for frame in self.sent]


def attached() -> tuple[GatewayLink, Any, Sender]:
    """Return a link with a caller."""
    lane, sender = Lane(), Sender()
    link = GatewayLink("s", lane, sender, Keys())  # type: ignore[arg-type]  # as much of them as is needed
    link.attach(AT)
    return link, lane, sender


async def test_what_is_said_while_the_lease_is_in_doubt_waits() -> None:
    """Who slept a moment still has the lane, mostly: every word comes, once and in order, under its epoch of then."""
    link, lane, sender = attached()
    link.play(1, b"a")
    lane.sure = False
    link.play(1, b"b")
    await asyncio.sleep(3 * links.AGAIN_S)
    assert sender.payloads == [b"a"]
    lane.sure, lane.epoch = True, 5
    link.play(1, b"c")
    await asyncio.sleep(3 * links.AGAIN_S)
    link.play(1, b"d")
    assert sender.payloads == [b"a", b"b", b"c", b"d"]
    assert [frame.seq for frame in sender.sent] == [1, 2, 3, 4]
    assert [frame.epoch for frame in sender.sent] == [4, 5, 5, 5]


async def test_who_has_lost_the_lane_says_nothing_more() -> None:
    """What waited is dropped with the session."""
    link, lane, sender = attached()
    lane.sure = False
    link.play(1, b"a")
    link.attachment = None
    lane.sure = True
    await asyncio.sleep(3 * links.AGAIN_S)
    link.attach(AT)
    link.play(1, b"b")
    assert sender.payloads == [b"b"]


async def test_no_more_waits_than_a_moments_worth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither more nor longer."""
    monkeypatch.setattr(links, "HOLD_S", 0.05)
    monkeypatch.setattr(links, "MAX_HELD", 2)
    link, lane, sender = attached()
    lane.sure = False
    for payload in (b"a", b"b", b"c"):
        link.play(1, payload)
    await asyncio.sleep(0.05 + 5 * links.AGAIN_S)
    lane.sure = True
    link.play(1, b"d")
    assert sender.payloads == [b"d"]
