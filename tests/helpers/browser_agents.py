"""An agent for the browser's tests: long enough to be interrupted."""

from __future__ import annotations

from collections.abc import Iterator

from voicebackend.agents import Turn, agent


@agent("guide")
def guide(turn: Turn) -> Iterator[str]:
    """Tell at length of an account, or say that somebody comes."""
    if "human" in turn.transcript.lower() or "transfer" in turn.transcript.lower():
        yield "Certainly, I will transfer you to a person now."
        return
    yield "Your checking account has a balance of two hundred and twelve dollars. "
    yield "The last payment came on Monday from your employer, the one before it was a refund from a shop in Boston. "
    yield "Two payments are still on their way, and you will see them in your account by the end of the week."
