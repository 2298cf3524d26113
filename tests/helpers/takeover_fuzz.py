"""Random calls whose workers die at random moments, and what must be true of each of them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from conversation_harness import Piece
from takeover_harness import DEAD_S, Call, calling

LONG = (
    "This is a rather long answer that goes on for quite a while because nobody stops it. There is more of it here, "
    "and more of it there. It has a third sentence too. And this is the very end of it."
)
AGAIN_WORDS = 5
"""Words that may be said again where the length of a clause was not known yet; a single one where it was."""
_ANSWERS: Sequence[Sequence[Piece]] = (
    ("This is my answer.",),
    (0.4, "First of all there is something to say.", 0.5, "Then there is more of it and more."),
    (LONG,),
    (1.5, "Let me see.", 0.3, LONG),
)
_SAYINGS = ("what about the weather", "tell me more of it now", "no wait stop that", "and then what comes next")
_MONOLOGUE = (
    "this caller speaks on and on without any pause at all so that a flush has to be forced in the middle of it"
)


@dataclass(frozen=True)
class Plan:
    """What will happen."""

    seed: int
    answers: Sequence[Sequence[Piece]]
    caller: Sequence[tuple[float, str]]
    """Seconds to wait, and what to do then: words, or ``/hold``, ``/off``."""
    kills: Sequence[float]
    """Seconds between takeovers."""
    moved: bool
    """On purpose, not killed."""
    dead_s: float
    """Seconds until somebody else has the lane of one that was killed."""
    answers_s: float
    """Seconds until the gateway tells an heir what was played."""
    speculate: bool


def plan(seed: int) -> Plan:
    """Return a random plan, the same for the same seed."""
    rng = random.Random(seed)  # noqa: S311 - a test
    acts = [
        (rng.uniform(0.0, 4.0) if rng.random() < 0.6 else 9.0, rng.choice(_SAYINGS)) for _ in range(rng.randint(1, 3))
    ]
    if rng.random() < 0.15:
        acts[0] = (0.5, _MONOLOGUE)
    if rng.random() < 0.15:
        acts += [(rng.uniform(0.5, 4), "/hold"), (rng.uniform(0.5, 4), "/off")]
    return Plan(
        seed=seed,
        answers=rng.sample(_ANSWERS, k=len(_ANSWERS)),
        caller=acts,
        kills=[rng.uniform(0.3, 14.0) for _ in range(rng.choice((1, 1, 1, 2)))],
        moved=rng.random() < 0.2,
        dead_s=DEAD_S,
        answers_s=0.0,
        speculate=rng.random() < 0.6,
    )


def hasty(seed: int) -> Plan:
    """Return a random plan in which heirs die soon after one another, again while they restore."""
    rng = random.Random(seed)  # noqa: S311 - a test
    again = [rng.choice((rng.uniform(0.05, 0.6), rng.uniform(0.05, 3.0))) for _ in range(rng.choice((1, 2)))]
    known = plan(seed)
    return replace(
        known,
        kills=[rng.uniform(0.3, 14.0), *again],
        moved=rng.random() < 0.1,
        dead_s=rng.choice((0.05, 0.3, 1.5)),
        answers_s=rng.choice((0.0, 0.02, 0.9)),
    )


async def perform(plan: Plan) -> None:
    """Hold the call of a plan; AssertionError if anything about it is wrong."""
    settings = {"speculate": plan.speculate, "apology": None, "filler": {"after": None}}
    async with calling(*plan.answers, seed=plan.seed, settings=settings) as call:
        call.gateway.answers_s = plan.answers_s
        caller = asyncio.create_task(_caller(call, plan), name="caller")
        for seconds in plan.kills:
            await asyncio.sleep(seconds)
            await (call.hand_over() if plan.moved else call.take_over(plan.dead_s))
        await caller
        await call.until_free(90.0)
        check(call, plan)


async def _caller(call: Call, plan: Plan) -> None:
    for seconds, act in plan.caller:
        await asyncio.sleep(seconds)
        if act.startswith("/"):
            call.hold(act == "/hold")
        else:
            await call.say(act)
            await asyncio.sleep(1.0)


def check(call: Call, plan: Plan) -> None:
    """Tell whether everything that must hold of any call holds of this one."""
    said = "".join(_squeezed(act) for _, act in plan.caller if not act.startswith("/"))
    logged = "".join(_squeezed(text) for _, text, _ in call.store.said("user"))
    assert logged == said, f"said {said!r}, understood {logged!r}"
    order = [
        (entry["turn"], entry["role"] == "agent") for _, entry in call.store.entries if entry["type"] == "transcript"
    ]
    assert order == sorted(set(order)), f"the log's order is {order}"
    assert len({turn for turn, _ in call.effects}) == len(call.effects), f"side effects {call.effects}"
    _claims(call)
    for turn, text, cut in call.store.said("agent"):
        _turn(call, turn, text, cut=cut, takeovers=len(plan.kills))
    assert max(call.checkpoints) < 8_000


def _claims(call: Call) -> None:
    """No attempt was made again that was at work: what was committed of a turn is one."""
    committed = {
        turn: [attempt for said, attempt in call.effects if said == turn] for turn in {turn for turn, _ in call.claims}
    }
    assert all(len(attempts) <= 1 for attempts in committed.values()), call.claims
    turns = [turn for turn, _, _ in call.store.said("user")]  # one that the caller spoke on after may go unanswered
    assert any(said == turns[-1] for said, _ in call.claims), f"turn {turns[-1]} was never answered"


def _turn(call: Call, turn: int, text: str, *, cut: bool, takeovers: int) -> None:
    """What was heard of a turn is what is remembered, but for a word at each takeover that is begun again."""
    whole, heard = _squeezed(call.written[turn]), _squeezed(call.heard(turn))
    told = f"turn {turn}: remembered {text!r} ({cut=}), heard {call.heard(turn)!r}"
    words = call.written[turn].split()
    assert words[: len(text.split())] == text.split(), told
    if not cut:
        assert _squeezed(text) == whole, told
    ends = _reached(heard, words, takeovers)
    why = "words lost" if _reached(heard, words, takeovers, lossy=True) else "too much said again"
    assert ends, f"{why}: {told}"
    if cut:
        known = len(_squeezed(text))
        following = "".join(words[len(text.split()) :][: min(2, takeovers)])
        assert any(known - 1 <= end <= known + len(following) for end in ends), f"{told}, {ends}"
    else:
        assert len(whole) in ends, told


def _reached(heard: str, words: Sequence[str], takeovers: int, *, lossy: bool = False) -> set[int]:
    """Return how far into the text the ear can have come, where each takeover may begin one word again.

    With ``lossy`` it may leave words out.
    """
    text, starts, at = "".join(words), [], 0
    for word in words:
        starts.append(at)
        at += len(word)
    states = {(0, 0, 0)}
    for letter in heard:
        following = set()
        for place, again, furthest in states:
            options = [(place, again)]
            if again < takeovers:
                options += [(start, again + 1) for start in [0, *starts] if start < place][-AGAIN_WORDS:]
                options += [(start, again + 1) for start in starts if lossy and start > place]
            following |= {
                (at + 1, used, max(furthest, at + 1)) for at, used in options if at < len(text) and text[at] == letter
            }
        states = following
    return {furthest for _, _, furthest in states}


def _squeezed(text: str) -> str:
    return "".join(text.split())
