"""A turn's audio on its way: held and resumed without loss, dropped at once, and how much of it was heard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebackend import virtual_time
from voicebackend.interfaces import TransportLink
from worker.pipelines.pacing import AHEAD_S, Pacer
from worker.pipelines.playout import REPORT_S, Playout

FRAME = bytes(640)


class Wire(TransportLink):
    """Notes what was sent when."""

    def __init__(self) -> None:
        self.sent: list[tuple[float, Any]] = []

    def play(self, turn: int, pcm: bytes) -> None:
        """Take audio."""
        del turn
        self.sent.append((asyncio.get_running_loop().time(), pcm))

    def event(self, message: Any) -> None:
        """Take an event."""
        self.sent.append((asyncio.get_running_loop().time(), message.type))

    @property
    def audio(self) -> list[bytes]:
        """The frames."""
        return [item for _, item in self.sent if isinstance(item, bytes)]

    @property
    def events(self) -> list[str]:
        """The events' types."""
        return [item for _, item in self.sent if isinstance(item, str)]


def in_virtual_time(test: Callable[[Playout, Wire], Coroutine[None, None, None]]) -> Callable[[], None]:
    """Run a test in a loop whose clock jumps, with a playout and its wire."""

    @wraps(test)
    def run() -> None:
        async def main() -> None:
            wire = Wire()
            await test(Playout(wire, 1), wire)

        virtual_time.run(main())

    del run.__wrapped__  # pytest would take its arguments for fixtures
    return run


async def speak(playout: Playout, frames: int) -> None:
    """Send numbered frames, and wait until they have been played."""
    for at in range(frames):
        await playout.write(at.to_bytes(2, "little") * 320)
    await playout.flush()
    await playout.played()


def numbers(wire: Wire) -> list[int]:
    """Return the numbers of the frames that were sent."""
    pcm = b"".join(wire.audio)
    return [int.from_bytes(pcm[at : at + 2], "little") for at in range(0, len(pcm), len(FRAME))]


@in_virtual_time
async def test_audio_goes_ahead_of_the_ear_and_ends_with_it(playout: Playout, wire: Wire) -> None:
    """Half a second at once, the rest as it is heard; two seconds take two seconds."""
    await speak(playout, 100)
    assert asyncio.get_running_loop().time() == pytest.approx(2.0, abs=0.01)
    at_once = b"".join(pcm for at, pcm in wire.sent if at == 0)
    assert len(at_once) / 32_000 <= AHEAD_S + 0.1
    assert numbers(wire) == list(range(100))


@in_virtual_time
async def test_what_is_held_goes_on_where_it_stopped(playout: Playout, wire: Wire) -> None:
    """Nothing goes out meanwhile; then every frame, once, and later by as long as it stood."""
    speaking = asyncio.create_task(speak(playout, 100))
    await asyncio.sleep(0.5)
    playout.hold()
    held = len(wire.audio)
    await asyncio.sleep(5)
    assert len(wire.audio) == held
    assert playout.played_ms() == pytest.approx(500)
    playout.resume()
    await speaking
    assert numbers(wire) == list(range(100))
    assert wire.events == ["pause", "resume"]
    assert asyncio.get_running_loop().time() == pytest.approx(7.0, abs=0.01)


@in_virtual_time
async def test_what_is_cleared_says_nothing_more(playout: Playout, wire: Wire) -> None:
    """Not even once: holding, resuming and clearing again change nothing."""
    speaking = asyncio.create_task(speak(playout, 100))
    await asyncio.sleep(0.5)
    playout.clear()
    sent = len(wire.sent)
    for act in (playout.hold, playout.resume, playout.clear):
        act()
    await speaking
    assert (len(wire.sent), wire.events) == (sent, ["clear"])


@in_virtual_time
async def test_the_gateways_word_on_what_was_heard_counts(playout: Playout, wire: Wire) -> None:
    """A report from before the hold is not it; without one, the pace of sending tells after a while."""
    speaking = asyncio.create_task(speak(playout, 100))
    await asyncio.sleep(0.5)
    playout.told(400.0, final=True)  # it does not stand still: of another pause
    playout.clear()
    asyncio.get_running_loop().call_later(0.1, lambda: playout.told(430.0, final=True))
    assert await playout.heard_ms() == 430.0
    assert asyncio.get_running_loop().time() == pytest.approx(0.6)
    await speaking
    silent = Playout(wire, 2)
    speaking = asyncio.create_task(speak(silent, 100))
    await asyncio.sleep(0.5)
    silent.clear()
    assert await silent.heard_ms() == pytest.approx(500.0)
    assert asyncio.get_running_loop().time() == pytest.approx(1.1 + REPORT_S)
    await speaking


@in_virtual_time
async def test_no_more_was_heard_than_was_sent(playout: Playout, wire: Wire) -> None:
    """Whatever is reported; and of nothing sent, nothing, without waiting."""
    playout.clear()
    assert await playout.heard_ms() == 0.0
    other = Playout(wire, 2)
    await other.write(FRAME)
    other.clear()
    other.told(5000.0, final=True)
    assert await other.heard_ms() == pytest.approx(20.0)


@in_virtual_time
async def test_another_socket_is_sent_what_the_one_before_had_not_played(playout: Playout, wire: Wire) -> None:
    """In order, from where it stood, also if it stands in the middle of sending."""
    speaking = asyncio.create_task(speak(playout, 100))
    await asyncio.sleep(0.71)
    playout.hold()
    await asyncio.sleep(3)
    before = numbers(wire)
    playout.again()
    playout.resume()
    await speaking
    after = numbers(wire)[len(before) :]
    assert after == list(range(35, 100))
    assert wire.events == ["pause", "audio_start", "resume"]


@given(st.lists(st.tuples(st.sampled_from(["send", "hold", "resume", "wait"]), st.integers(1, 100)), max_size=60))
def test_what_was_played_never_goes_back_nor_beyond_what_was_sent(acts: list[tuple[str, int]]) -> None:
    """And stands still while held."""
    pacer, now, before = Pacer(), 50.0, 0.0
    for act, amount in acts:
        match act:
            case "send" if not pacer.held:
                pacer.sent(amount / 100, now)
            case "hold":
                pacer.hold(now)
            case "resume":
                pacer.resume(now)
            case "wait":
                held = pacer.played_s(now) if pacer.held else None
                now += amount / 50
                assert held is None or pacer.played_s(now) == pytest.approx(held)
            case _:
                pass
        assert before - 1e-6 <= pacer.played_s(now) <= pacer.sent_s
        before = pacer.played_s(now)
