"""A model that hears, asked from another process: its audio comes before the turn, in pieces."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from voicebackend.agents import Turn
from voicebackend.errors import InvalidConfig
from voicebackend.frameworks.multimodal import MAX_WAITING, MultimodalPart
from voicebackend.turn_audio import MAX_BYTES

TURN = Turn(session_id="s", number=1, transcript="hello")


class Ears:
    """Answers with how many bytes it was given."""

    async def __call__(self, turn: Turn) -> AsyncIterator[str]:
        """Answer."""
        yield str(len(turn.audio))


async def answer(part: MultimodalPart, key: str) -> str:
    """Return what the model says to the audio of this key."""
    return "".join([text async for text in part.reply(TURN, key)])


async def test_the_pieces_of_a_turn_go_together() -> None:
    """And are given once; another turn's are its own."""
    part = MultimodalPart(Ears())
    for key, piece in (("a", b"12"), ("b", b"1"), ("a", b"345")):
        await part.hear(key, piece)
    assert [await answer(part, key) for key in ("a", "b", "a", "")] == ["5", "1", "0", "0"]


async def test_what_nobody_asks_about_does_not_pile_up() -> None:
    """Neither many turns, nor much of one."""
    part = MultimodalPart(Ears())
    for number in range(MAX_WAITING + 10):
        await part.hear(str(number), b"1")
    assert [await answer(part, key) for key in ("9", "10")] == ["0", "1"]
    for _ in range(2):
        await part.hear("long", bytes(MAX_BYTES))
    assert int(await answer(part, "long")) < MAX_BYTES + 100


def test_what_is_no_model_is_refused_with_its_field() -> None:
    """A function is an agent, which a session names."""
    with pytest.raises(InvalidConfig, match="multimodal_model: function is no model") as caught:
        MultimodalPart(lambda turn: "no")
    assert caught.value.details == {"field": "multimodal_model"}
