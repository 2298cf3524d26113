"""Sensitive mode: what models, processors and pipelines of others get to hear of the caller."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, cast

from s2s_harness import FRAME, AgentDouble, Model, call, in_virtual_time

from voicebackend.digits import CollectDigits, KeysEnd
from voicebackend.interfaces import Pipeline
from worker.pipelines.own import OwnPipeline

LOUD = b"\x10\x20" * (len(FRAME) // 2)
CARD = CollectDigits(max_digits=4, sensitive=True)


class Overhears:
    """A processor that keeps what it is given."""

    name, order = "overhears", 0

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    async def process(self, audio: bytes, metadata: Mapping[str, Any]) -> bytes:
        """Keep it."""
        if metadata["direction"] == "in":
            self.heard.append(audio)
        return audio


def asks(agent: AgentDouble) -> None:
    """Have the latest question ask for a number."""
    agent.asked[-1].collect = CARD
    assert agent.on_told is not None
    agent.on_told()


def is_over(agent: AgentDouble) -> None:
    """Have the latest question be answered."""
    agent.asked[-1].over = True
    assert agent.on_told is not None
    agent.on_told()


@in_virtual_time
async def test_a_model_hears_silence_and_no_key_in_sensitive_mode() -> None:
    """Nor do processors hear more; before and after that, both hear the caller."""
    model, agent, processor = Model(), AgentDouble(["Type it, please."], ["Thank you."]), Overhears()
    async with call(model=model, agent=agent, processors=[processor]) as it:
        it.pipeline.push(LOUD)
        it.pipeline.dtmf("7")
        await it.until(0.1)
        model.hears("I want to pay")
        await it.until(0.2)
        asks(agent)
        assert it.pipeline.masked
        for key in "1234":
            it.pipeline.push(LOUD)
            it.pipeline.dtmf(key)
        await it.until(0.3)
        kept = agent.kept[2]
        assert (kept.count, kept.ended, kept.value, agent.seal.open(kept.sealed)) == (4, KeysEnd.MAX, "", "1234")
        it.pipeline.dtmf("5")
        it.pipeline.push(LOUD)
        await it.until(0.4)
        is_over(agent)
        assert not it.pipeline.masked
        it.pipeline.push(LOUD)
        it.pipeline.dtmf("8")
        await it.until(0.5)
        silent = bytes(len(LOUD))
        assert model.heard == [LOUD, silent, silent, silent, silent, silent, LOUD] == processor.heard
        assert model.pressed == ["7", "8"]
        assert [text for _, role, text in it.log.history() if role == "user"] == ["I want to pay", "[4 digits]"]
        masked = [entry["on"] for entry in it.log.entries if entry["type"] == "masked"]
        assert masked == [True, False]


@in_virtual_time
async def test_a_guess_that_asks_for_keys_does_so_once_it_is_certain() -> None:
    """Until then the caller may go on, and is heard."""
    model, agent = Model(), AgentDouble(["Type it, please."])
    async with call(model=model, agent=agent) as it:
        assert agent.on_told is not None
        agent.on_told()
        assert not it.pipeline.masked
        model.hears("I want to pay")
        await it.until(0.2)
        assert not it.pipeline.masked
        asks(agent)
        assert it.pipeline.masked


class Elsewhere:
    """A provider's own pipeline."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.pressed: list[str] = []

    def push(self, pcm: bytes) -> None:
        """Hear."""
        self.heard.append(pcm)

    def dtmf(self, digit: str) -> None:
        """Take a key."""
        self.pressed.append(digit)


@in_virtual_time
async def test_a_providers_own_pipeline_that_is_swapped_in_hears_nothing_until_the_time_is_over() -> None:
    """It cannot tell when the agent has its digits."""
    elsewhere = Elsewhere()
    own = OwnPipeline(cast(Pipeline, elsewhere))
    own.mask(100.0)
    another = OwnPipeline(cast(Pipeline, elsewhere))
    another.restore(own.snapshot())
    for pipeline in (own, another):
        assert pipeline.masked
        pipeline.push(LOUD)
        pipeline.dtmf("1")
    assert elsewhere.heard == [bytes(len(LOUD))] * 2
    await asyncio.sleep(100.1)
    another.push(LOUD)
    another.dtmf("2")
    assert elsewhere.heard[2:] == [LOUD]
    assert elsewhere.pressed == ["2"]
    assert another.snapshot().keypad is None
