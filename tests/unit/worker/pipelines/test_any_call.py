"""Hundreds of random calls in virtual time: whatever callers, agents, engines and networks do, the rules hold.

The rules: states follow their table; one answer is audible at a time, and only one that was wanted; the log's order is
the conversation's; what it says of the agent is what the phone played, to the word; the end is free of tasks.
"""

from __future__ import annotations

import pytest
from conversation_fuzz import perform, plan

from voicebackend import virtual_time

CASES = 80


@pytest.mark.parametrize("block", range(5))
def test_any_call_keeps_the_rules(block: int) -> None:
    """Interrupted, on hold, with failures of agent, voice and detector, closed in the middle of a word."""
    for seed in range(block * CASES, (block + 1) * CASES):
        _hold(seed, sockets=False)


@pytest.mark.parametrize("block", range(2))
def test_any_call_whose_socket_is_lost_goes_on_where_it_was(block: int) -> None:
    """The caller is away for a while, or for good; what was missed is played to the next socket."""
    for seed in range(10_000 + block * CASES, 10_000 + (block + 1) * CASES):
        _hold(seed, sockets=True)


def _hold(seed: int, *, sockets: bool) -> None:
    try:
        virtual_time.run(perform(plan(seed, sockets=sockets)))
    except BaseException as error:
        error.add_note(f"with plan({seed}, sockets={sockets})")
        raise
