"""Random calls, and what must be true of each of them whatever happened."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from conversation_harness import Call, Log, Piece, calling
from scripted_engines import COUGH, Judge, Reader, Script, Voice

from voicebackend.agents import uninterruptible
from voicebackend.conversation import Conversation
from voicebackend.errors import AgentError, ConnectionFailed, OperationTimeout, PipelineError
from voicebackend.marks import without_marks
from voicebackend.session import PIPELINE_TRANSITIONS, PipelineState
from worker.turns.speculation import close_enough

GREETING = "Welcome to this call."
APOLOGY = "Sorry about that."
FILLER = "One moment."
FREE_S = 90.0
"""Virtual seconds after the caller's last word in which everything must have come to rest."""
_SAYINGS = (
    *("what about the weather", "stop it now", "no wait", "mhm", "yeah", "okay", "and then", "hello there"),
    *(chr(COUGH) * 6, chr(COUGH) * 20, "one two three four five six seven"),
)
_TEXTS = (
    "This is my answer.",
    uninterruptible("This call is recorded, all of it.") + " And now to you.",
    "First of all, there is something to say. Then there is more of it, and more.",
    "Yes.",
    "A long sentence that goes on for quite a while because nobody stops it. And another one. And the last one.",
)
_FAILURES = (AgentError("agent", "scripted"), OperationTimeout("agent", "scripted"))


@dataclass(frozen=True)
class Plan:
    """What will happen."""

    seed: int
    settings: dict[str, Any]
    answers: Sequence[Sequence[Piece]]
    caller: Sequence[tuple[float, str]]
    """Seconds to wait, and what to do then: words, or ``/hold``, ``/off``, ``/left``, ``/back``."""
    voice_errors: dict[int, Exception]
    voice_after: int
    reader_fails: frozenset[int]
    judge: float | None
    """Probability; None fails."""
    stt_s: float
    tts_s: float
    log_s: float
    lane_s: float
    air_s: float
    ends_at: float | None
    """When the session is closed in the middle of everything; None lets it come to rest."""


def plan(seed: int, *, sockets: bool = False) -> Plan:
    """Return a random plan, the same for the same seed; with ``sockets`` the caller's may be lost."""
    rng = random.Random(seed)  # noqa: S311 - a test
    reports = rng.random() < 0.5
    return Plan(
        seed=seed,
        settings=_settings(rng),
        answers=[_answer(rng) for _ in range(rng.randint(1, 4))],
        caller=[(rng.choice((0.0, 0.1, 0.3, 0.7, 1.5, 4.0)) * rng.random() * 2, _act(rng, sockets)) for _ in range(6)],
        voice_errors={rng.randint(1, 8): _voice_error(rng)} if rng.random() < 0.2 else {},
        voice_after=rng.randint(0, 2),
        reader_fails=frozenset({rng.randint(1, 4)}) if rng.random() < 0.15 else frozenset(),
        judge=rng.choice((0.05, 0.4, 0.7, 0.95, 1.0, None)),
        stt_s=rng.choice((0.0, 0.05, 0.2, 0.5)),
        tts_s=rng.choice((0.0, 0.08, 0.4)),
        log_s=rng.choice((0.0, 0.001, 0.05, 0.3)),
        lane_s=0.0 if sockets else rng.choice((0.0, 0.005, 0.03)),
        air_s=rng.choice((0.01, 0.04)) if reports and not sockets else 0.0,
        ends_at=rng.random() * 15 if rng.random() < 0.4 else None,
    )


def _settings(rng: random.Random) -> dict[str, Any]:
    return {
        "normalise": False,
        "greeting": GREETING if rng.random() < 0.3 else None,
        "apology": rng.choice((APOLOGY, None)),
        "speculate": rng.random() < 0.7,
        "barge_in": {"enabled": rng.random() < 0.9, "echo_guard": rng.choice((0, 0.4)), "max_hold": 1.0},
        "filler": {"after": rng.choice((None, 0.3)), "texts": (FILLER,)},
        "endpointing": {"max_wait": rng.choice((0.6, 1.5))},
    }


def _act(rng: random.Random, sockets: bool) -> str:
    acts = ("/hold", "/off") + (("/left", "/back") if sockets else ())
    return rng.choice(acts) if rng.random() < 0.15 else rng.choice(_SAYINGS)


def _answer(rng: random.Random) -> list[Piece]:
    pieces: list[Piece] = [rng.choice((0.0, 0.1, 0.5, 2.0))]
    text = rng.choice(_TEXTS)
    cut = rng.randrange(len(text))
    pieces += [text[:cut], rng.choice((0.0, 0.05, 0.6)), text[cut:]]
    if rng.random() < 0.15:
        pieces.insert(rng.randrange(len(pieces) + 1), rng.choice(_FAILURES))
    if rng.random() < 0.1:
        pieces = [pieces[0]]
    return [piece for piece in pieces if piece != ""]


def _voice_error(rng: random.Random) -> Exception:
    return rng.choice((PipelineError("voice", "scripted"), ConnectionFailed("voice", "scripted"), ValueError("bug")))


async def perform(plan: Plan) -> None:
    """Hold the call of a plan; AssertionError if anything about it is wrong."""
    judge = Judge(error=PipelineError("judge", "scripted")) if plan.judge is None else Judge(plan.judge)
    script = Script(
        Reader(delay_s=plan.stt_s, fails_at=plan.reader_fails),
        Voice(delay_s=plan.tts_s, errors=plan.voice_errors, after=plan.voice_after),
        judge,
    )
    random.seed(plan.seed)  # for the jitter of retries
    problems: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(str(context)))
    log = Log(delay_s=plan.log_s)
    async with calling(
        *plan.answers,
        script=script,
        log=log,
        settings=plan.settings,
        lane_s=plan.lane_s,
        air_s=plan.air_s,
        reports=plan.air_s > 0,
    ) as call:
        caller = asyncio.create_task(_caller(call, plan), name="caller")
        if plan.ends_at is None:
            await caller
            await call.until_free(FREE_S)
            assert not call.pipeline._floor.taken
        else:
            await asyncio.wait({caller}, timeout=plan.ends_at)
            caller.cancel()
            [outcome] = await asyncio.gather(caller, return_exceptions=True)
            assert not isinstance(outcome, AssertionError), outcome
    await asyncio.sleep(1)
    assert problems == []
    check(call, plan)


async def _caller(call: Call, plan: Plan) -> None:
    hold = _Hold(call)
    for seconds, act in plan.caller:
        await asyncio.sleep(seconds)
        match act:
            case "/hold" if call.line.attached:
                hold.begin()
            case "/off" if call.line.attached:
                hold.end()
            case "/left":
                call.leave()
            case "/back":
                call.come_back()
            case _ if act.startswith("/"):
                pass
            case _:
                await call.say(act)
    call.come_back()
    hold.end()


class _Hold:
    """On hold nothing is heard, once the hold has come through."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._timer: asyncio.TimerHandle | None = None
        self._played: int | None = None

    def begin(self) -> None:
        """Put the caller on hold."""
        self._call.pipeline.hold(True)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(0.2, self._came_through)

    def _came_through(self) -> None:
        self._played = self._call.phone.bytes_played

    def end(self) -> None:
        """Take the caller off."""
        assert self._played in {None, self._call.phone.bytes_played}, "something was heard on hold"
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._played = None
        self._call.pipeline.hold(False)


def check(call: Call, plan: Plan) -> None:
    """Tell whether everything that must hold of any call holds of this one."""
    _states(call)
    _one_at_a_time(call)
    _history(call, plan)
    _heard_once(call, plan)
    assert all(close_enough(asked.asked, asked.transcript) for asked in call.agent.committed), "a wrong guess was used"
    assert call.script.reader.streams == 1 or plan.reader_fails


def _announced(call: Call) -> set[int]:
    """Return the turns in which the agent spoke of its own accord: it apologised for what was not understood."""
    turns = {turn for turn, text, _ in call.log.said("agent") if APOLOGY.startswith(text)} | set(call.phone.played)
    return turns - {asked.turn for asked in call.agent.committed} if call.script.reader.fails_at else set()


def _states(call: Call) -> None:
    states = [PipelineState(state) for state in call.states]
    for before, after in pairwise(states):
        assert after == before or after in PIPELINE_TRANSITIONS[before], (before, after)


def _one_at_a_time(call: Call) -> None:
    """No turn comes back once another was heard, and each of them was wanted."""
    turns = [turn for _, turn in call.phone.audible]
    assert turns == sorted(set(turns)), f"turns were heard in this order: {turns}"
    wanted = {0} | {asked.turn for asked in call.agent.committed} | _announced(call)
    assert set(turns) <= wanted, f"heard {turns}, wanted {wanted}"


def _history(call: Call, plan: Plan) -> None:
    """Each turn once, in order, the caller before the agent; and of the agent just what was played."""
    said = [entry for entry in call.log.entries if entry["type"] == "transcript"]
    order = [(entry["turn"], entry["role"] == "agent") for entry in said]
    assert order == sorted(set(order)), f"the log's order is {order}"
    remembered = {turn: (text, cut) for turn, text, cut in call.log.said("agent")}
    for turn in {*remembered, *call.phone.played}:
        text, cut = remembered.get(turn, ("", True))
        heard, less = call.phone.heard(turn), call.phone.heard(turn, 0.68)
        told = f"turn {turn}: remembered {text!r} ({cut=}), heard {heard!r}"
        exact = not cut and not plan.voice_errors
        wholes = _written(call, turn, plan)
        assert any(_agree(text, some, whole, exact=exact) for whole in wholes for some in (heard, less)), told


def _heard_once(call: Call, plan: Plan) -> None:
    """What the log says of the caller is what they said, in order, nothing of it twice."""
    said = iter(_squeezed("".join(act for _, act in plan.caller if not act.startswith("/"))))
    logged = _squeezed("".join(text for _, text, _ in call.log.said("user")))
    assert all(letter in said for letter in logged), f"the caller never said {logged!r}"


def _agree(text: str, heard: str, whole: str, *, exact: bool) -> bool:
    """Tell whether both are the same beginning of what was written, but for the word in which the voice was cut off."""
    words, said = whole.split(), text.split()
    if words[: len(said)] != said:
        return False
    rest = _squeezed(heard).removeprefix(_squeezed(text)) if _squeezed(heard).startswith(_squeezed(text)) else None
    following = words[len(said)] if len(said) < len(words) else ""
    if exact:
        return rest == ""
    return rest is not None and following.startswith(rest) and (rest != following or not rest)


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _written(call: Call, turn: int, plan: Plan) -> list[str]:
    """Return what the agent may have meant to say: filler, answer, apology."""
    if turn == 0:
        return [GREETING]
    if turn in _announced(call):
        return [APOLOGY]
    apology = Conversation.model_validate(plan.settings).apology or ""
    written = [asked.written for asked in call.agent.asked if asked.turn == turn and asked.committed]
    texts = map(without_marks, written)
    return [f"{filler} {text} {end}" for text in texts for filler in ("", FILLER) for end in ("", apology)]
