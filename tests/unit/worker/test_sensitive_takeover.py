"""A worker dies, is replaced, or has its pipeline swapped while a caller types what nobody is to know."""

from __future__ import annotations

import asyncio
import random
import re

import pytest
from conversation_harness import in_virtual_time
from residue import traces
from takeover_harness import SECRET, Call, calling
from takeover_world import SESSION

from voicebackend import virtual_time
from voicebackend.digits import CollectDigits
from voicebackend.sealing import Seal
from voicebackend.streams import Kind, json_payload

NUMBER = "6789869779869768"
EVERY_S = 0.3
CARD = CollectDigits(max_digits=19, sensitive=True)
ASKS = ((CARD, "Please type your card number now."), ("Thank you very much indeed.",))


class Keys:
    """The caller's."""

    def __init__(self, call: Call) -> None:
        self._call, self._seal, self._seq = call, Seal(SECRET, SESSION), 0

    async def press(self, keys: str) -> None:
        """Press them, one after the other."""
        for key in keys:
            self._seq += 1
            self._call.lane.add(Kind.DTMF, json_payload({"sealed": self._seal.seal(key)}), seq=self._seq)
            await asyncio.sleep(EVERY_S)

    def got(self, turn: int = 2) -> str:
        """Return what waits for the agent in this turn."""
        sealed = self._call.store.sealed[self._call.keys.turn_digits(SESSION, turn)]
        return self._seal.open(sealed)


async def asked(call: Call) -> Keys:
    """Return once the agent has asked for the number."""
    await call.say("i want to pay")
    while call.store.masked_until == 0.0:  # noqa: ASYNC110 - another task writes it
        await asyncio.sleep(0.02)
    return Keys(call)


def left_nothing(call: Call) -> None:
    """See that nothing of the number, and no single key, is in log, turn or checkpoint."""
    kept = [str(call.store.entries), str(call.store.hashes), str(call.checkpoint)]
    for haystack in kept:
        assert not re.search(r"'type': 'dtmf'", haystack), haystack
        assert traces(haystack.encode(), NUMBER) == []


@in_virtual_time
async def test_a_number_is_typed_without_a_takeover() -> None:
    """The harness itself collects keys."""
    async with calling(*ASKS) as call:
        keys = await asked(call)
        await keys.press(f"{NUMBER}#")
        await call.until_free()
        assert keys.got() == NUMBER
        assert call.store.said("user") == [(1, "i want to pay", False), (2, "[16 digits]", False)]
        assert call.store.masked_until < call.loop.time()
        left_nothing(call)


async def _moved(seed: int) -> None:
    """Move the call at some moment, in some way, while the number is typed; the caller speaks, too."""
    rng = random.Random(seed)  # noqa: S311 - a test
    async with calling(*ASKS, seed=seed) as call:
        keys = await asked(call)
        typing = asyncio.create_task(keys.press(f"{NUMBER}#"), name="typing")
        speaking = asyncio.create_task(call.say("this is my secret"), name="speaking")
        for _ in range(rng.choice((1, 1, 2))):
            await asyncio.sleep(rng.uniform(0.0, 7.0))
            match rng.choice(("die", "move", "swap", "reconnect")):
                case "die":
                    await call.take_over(rng.choice((0.05, 1.5)))
                case "move":
                    await call.hand_over()
                case "swap":
                    call.lane.add(Kind.SWAP, json_payload({"id": "1", "stt_provider": "x"}))
                case _:
                    call.lane.add(Kind.HOLD, json_payload({"on": True}))
                    call.lane.add(Kind.HOLD, json_payload({"on": False}))
        await asyncio.gather(typing, speaking)
        await call.until_free(200)
        told = f"seed {seed}: {call.store.said('user')}"
        assert [text for _, text, _ in call.store.said("user")] == ["i want to pay", "[16 digits]"], told
        assert keys.got() == NUMBER, told
        left_nothing(call)


@pytest.mark.parametrize("batch", range(5))
def test_whatever_the_moment_the_number_arrives_and_nothing_is_left_of_it(batch: int) -> None:
    """Workers die, hand over, swap; the agent's code gets all keys once, and what was said is not heard."""
    for seed in range(batch * 20, batch * 20 + 20):
        virtual_time.run(_moved(seed))


@in_virtual_time
async def test_where_the_checkpoint_is_lost_sensitive_mode_stays_until_its_time_is_over() -> None:
    """Better a caller who is not heard for a while than a number in the log."""
    async with calling(*ASKS) as call:
        keys = await asked(call)
        await keys.press(NUMBER[:8])
        await call.kill()
        call.checkpoint = None
        call.start()
        await keys.press(NUMBER[8:])
        await call.say("what is going on")
        await asyncio.sleep(5)
        assert [text for _, text, _ in call.store.said("user")] == ["i want to pay"]
        left_nothing(call)
        await asyncio.sleep(CARD.longest_s + 60)
        await call.say("what is going on")
        while len(call.store.said("user")) == 1:  # noqa: ASYNC110 - the store has no event
            await asyncio.sleep(0.1)
        assert call.store.said("user")[1][1] == "what is going on"


@in_virtual_time
async def test_a_key_that_comes_as_sensitive_mode_ends_is_judged_by_when_it_came() -> None:
    """It waits behind something slow; by the time it is looked at, the agent has answered."""
    async with calling(*ASKS) as call:
        keys = await asked(call)
        await keys.press(NUMBER)
        call.store.delay_s = 0.5
        call.lane.add(Kind.SWAP, json_payload({"id": "1", "stt_provider": "x"}))
        await keys.press("#1234")
        call.store.delay_s = 0.001
        await call.until_free()
        assert keys.got() == NUMBER
        left_nothing(call)


@in_virtual_time
async def test_sensitive_mode_is_open_before_the_caller_hears_that_it_is_wanted() -> None:
    """Also where the agent was asked on a guess, and Redis takes its time to note that the turn is certain."""
    async with calling(*ASKS, seed=1) as call:
        saying = asyncio.create_task(call.say("i want to pay"), name="saying")
        while not call.claims:  # noqa: ASYNC110 - the agent has no event
            await asyncio.sleep(0.01)
        call.store.delay_s = 0.4
        while not call.heard(1):  # noqa: ASYNC110 - nor has the phone
            await asyncio.sleep(0.01)
        keys = Keys(call)
        await keys.press(f"{NUMBER}#")
        await saying
        call.store.delay_s = 0.001
        await call.until_free()
        assert keys.got() == NUMBER
        left_nothing(call)


@in_virtual_time
async def test_a_caller_who_is_on_hold_for_long_comes_back_to_sensitive_mode() -> None:
    """For the collection no time passed; what was pressed meanwhile is part of it, and told to nobody."""
    async with calling(*ASKS) as call:
        keys = await asked(call)
        await keys.press(NUMBER[:8])
        call.hold(True)
        await asyncio.sleep(1000)
        await keys.press(NUMBER[8:12])
        assert call.store.masked_until > call.loop.time()
        call.hold(False)
        await keys.press(NUMBER[12:] + "#")
        await call.until_free()
        assert keys.got() == NUMBER
        left_nothing(call)
