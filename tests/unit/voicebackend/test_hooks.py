"""Hooks are asked with a deadline and a type; whatever else happens is a failure."""

from __future__ import annotations

import asyncio

import pytest

from voicebackend.hooks import HookFailed, ask


async def answers(value: object) -> object:
    """Answer at once."""
    return value


async def raises() -> None:
    """Fail."""
    raise ValueError


async def test_an_answer_of_the_right_type_is_passed_on() -> None:
    """As it is."""
    assert await ask(answers(True), hook="h", expected=bool) is True


@pytest.mark.parametrize(
    "call",
    [lambda: answers("yes"), lambda: answers(None), raises, lambda: asyncio.sleep(60)],
    ids=["wrong type", "None", "raises", "hangs"],
)
async def test_anything_else_is_a_failure(call: object) -> None:
    """The caller decides what follows."""
    with pytest.raises(HookFailed, match="limiter"):
        await ask(call(), hook="limiter", expected=bool, timeout_s=0.05)  # type: ignore[operator]


async def test_cancelling_is_no_failure_of_the_hook() -> None:
    """It goes through."""
    task = asyncio.create_task(ask(asyncio.sleep(60), hook="h", expected=bool))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
