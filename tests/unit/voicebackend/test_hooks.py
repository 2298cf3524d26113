"""Hooks are asked with a deadline and a type; whatever else happens is a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from voicebackend.hooks import HookFailed, ask


async def answers(value: object) -> object:
    """Answer at once."""
    return value


async def raises() -> None:
    """Fail."""
    raise ValueError


def raises_at_once() -> None:
    """Fail before there is anything to await."""
    raise ValueError


async def test_an_answer_of_the_right_type_is_passed_on() -> None:
    """As it is."""
    assert await ask(lambda: answers(True), hook="h", expected=bool) is True


async def test_a_plain_method_may_answer_too() -> None:
    """Nothing need be awaited."""
    assert await ask(lambda: True, hook="h", expected=bool) is True


@pytest.mark.parametrize(
    "call",
    [
        lambda: answers("yes"),
        lambda: answers(None),
        lambda: "yes",
        raises,
        raises_at_once,
        lambda: asyncio.sleep(60),
        lambda: object().nothing,  # type: ignore[attr-defined]
    ],
    ids=["wrong type", "None", "wrong plain type", "raises", "raises at once", "hangs", "no such method"],
)
async def test_anything_else_is_a_failure(call: Callable[[], object]) -> None:
    """The caller decides what follows."""
    with pytest.raises(HookFailed, match="limiter"):
        await ask(call, hook="limiter", expected=bool, timeout_s=0.05)


async def test_cancelling_is_no_failure_of_the_hook() -> None:
    """It goes through."""
    task = asyncio.create_task(ask(lambda: asyncio.sleep(60), hook="h", expected=bool))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
