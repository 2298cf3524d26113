"""What a session's record says after a swap."""

from __future__ import annotations

from dataclasses import replace

import pytest

from voicebackend.config import BackendConfig, PipelineType
from voicebackend.errors import InvalidConfig
from voicebackend.record import SessionRecord
from voicebackend.session import Transport
from voicebackend.swap import SwapRequest
from worker.engines import EnginePool
from worker.opening import by_record
from worker.swap import swapped_record

RECORD = SessionRecord(
    id="a" * 32,
    tenant="t",
    user_id="u",
    provider="local",
    transport=Transport.WEBSOCKET,
    pipeline_type=PipelineType.STT_TTS,
)
CONFIG = BackendConfig(
    provider="local",
    provider_config={"stt": {"decode": True}},
    stt_provider="mock",
    tts_provider="mock",
    engine_settings={"mock": {"replies": ["hi"]}, "provider/mock": {"decode": True}},
)


def test_engines_that_are_named_stay_with_the_provider() -> None:
    """One after the other."""
    record = swapped_record(RECORD, SwapRequest(stt_provider="moonshine"))
    record = swapped_record(record, SwapRequest(tts_provider="hibari"))
    assert record.engines == {"stt": "moonshine", "tts": "hibari"}
    assert record.swapped


def test_another_provider_begins_with_the_engines_of_the_configuration() -> None:
    """Unless they are named with it."""
    before = swapped_record(RECORD, SwapRequest(stt_provider="moonshine"))
    assert swapped_record(before, SwapRequest(provider="mock")).engines == {}
    named = swapped_record(before, SwapRequest(provider="mock", s2s_provider="openai", pipeline_type=PipelineType.S2S))
    assert (named.engines, named.pipeline_type) == ({"s2s": "openai"}, PipelineType.S2S)


def test_it_survives_redis() -> None:
    """So that whoever takes over opens the right one."""
    record = swapped_record(RECORD, SwapRequest(provider="mock", stt_provider="mock"))
    raw = {name.encode(): value.encode() for name, value in record.to_fields().items()}
    assert SessionRecord.from_fields(raw) == record


def test_the_settings_of_a_provider_that_was_swapped_in_are_its_own() -> None:
    """Those of the configured one would be refused, or reach a stranger."""
    assert by_record(CONFIG, RECORD).provider_config == {"stt": {"decode": True}}
    other = by_record(CONFIG, swapped_record(RECORD, SwapRequest(provider="mock")))
    assert (other.provider, other.provider_config) == ("mock", {"decode": True})


async def test_a_provider_that_brings_its_own_engine_takes_no_other() -> None:
    """To accept the name would be to ignore it."""
    record = replace(RECORD, provider="mock", stt_provider="moonshine", swapped=True)
    wanted = by_record(CONFIG, record)
    async with EnginePool() as pool:
        provider = await pool.provider(wanted)
        with pytest.raises(InvalidConfig) as caught:
            await pool.engines(provider, wanted, PipelineType.STT_TTS, named=record.engines)
    assert caught.value.details["field"] == "stt_provider"
