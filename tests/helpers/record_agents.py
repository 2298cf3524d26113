"""Agents that use tools and models, and tell of them."""

from __future__ import annotations

from collections.abc import Iterator

from voicebackend.agents import Turn, agent

ANSWER = "Your parcel has left our house. It will arrive on monday between nine and noon. Is there anything else."


@agent("porter")
def porter(turn: Turn) -> Iterator[str]:
    """Look a parcel up, and tell of it at length."""
    with turn.tool("parcel", {"number": 42}) as call:
        call.result = {"where": "on its way"}
    turn.usage("openai", "small", input_tokens=1000, output_tokens=20)
    yield ANSWER


@agent("teller")
def teller(turn: Turn) -> str:
    """Ask a tool for what was said, and repeat what it answers."""
    with turn.tool("echo", {"said": turn.transcript}) as call:
        call.result = turn.transcript
    return turn.transcript
