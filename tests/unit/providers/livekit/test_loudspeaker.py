"""What is on its way can be held, dropped and played on, to the sample."""

from __future__ import annotations

from providers.livekit.loudspeaker import Loudspeaker

RATE = 1000
"""Samples a second: two bytes a millisecond."""


class Source:
    """Notes what it is given, and how often it is cleared."""

    def __init__(self) -> None:
        self.played: list[bytes] = []
        self.cleared = 0

    async def play(self, pcm: bytes) -> None:
        """Note it."""
        self.played.append(pcm)

    def clear(self) -> None:
        """Count it."""
        self.cleared += 1


def ms(first: int, last: int) -> bytes:
    """Return audio in which each millisecond has its number."""
    return b"".join(number.to_bytes(2, "little") for number in range(first, last))


async def test_what_was_not_heard_is_played_on() -> None:
    """A pause clears the source; its rest is the first thing to come when it goes on."""
    source = Source()
    speaker = Loudspeaker(source, RATE)
    await speaker.play(ms(0, 200))
    await speaker.play(ms(200, 260))
    speaker.hold(0.15)
    assert source.cleared == 1
    await speaker.go_on()
    assert source.played[-1] == ms(110, 260)
    await speaker.go_on()
    assert len(source.played) == 3


async def test_it_can_be_held_twice() -> None:
    """What waited and was played on for a moment waits again, in order."""
    source = Source()
    speaker = Loudspeaker(source, RATE)
    await speaker.play(ms(0, 200))
    speaker.hold(0.2)
    await speaker.go_on()
    speaker.hold(0.12)
    await speaker.go_on()
    assert source.played[-1] == ms(80, 200)


async def test_a_pause_in_a_pause_loses_nothing() -> None:
    """The second finds nothing that is new."""
    source = Source()
    speaker = Loudspeaker(source, RATE)
    await speaker.play(ms(0, 200))
    speaker.hold(0.1)
    speaker.hold(0.1)
    await speaker.go_on()
    assert source.played[-1] == ms(100, 200)


async def test_what_is_dropped_does_not_come_again() -> None:
    """Of what waits, only what belongs to another turn is kept."""
    source = Source()
    speaker = Loudspeaker(source, RATE)
    await speaker.play(ms(0, 200))
    speaker.hold(0.15)
    speaker.keep(0.03)
    await speaker.go_on()
    assert source.played[-1] == ms(50, 80)
    speaker.hold(0.0)
    speaker.keep(0.0)
    await speaker.go_on()
    assert len(source.played) == 2
