"""Who may handle a session, as a configuration names them; and receipts from before they were named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from control.records.handlers import Handler, decoded, encoded, handlers_of, named, snapshot
from control.records.receipt import Receipt
from voicebackend.config import BackendConfig, PipelineType
from voicebackend.failover import Failover
from voicebackend.record import SessionRecord
from voicebackend.session import Transport

CONFIG = BackendConfig(
    provider="local",
    stt_provider="ear",
    tts_provider="voice",
    s2s_provider="model",
    failover=Failover(tts=("other",), s2s=("spare",), provider=("remote",)),
)
RECORD = SessionRecord(
    id="0" * 32,
    tenant="t",
    user_id="u",
    provider="local",
    transport=Transport.WEBSOCKET,
    pipeline_type=PipelineType.STT_TTS,
)
OLD = (
    '{"at":1.0,"before":"' + "0" * 64 + '","data_class":"audio","id":"a","number":1,"path_sha256":"p","policy":"",'
    '"reason":"ttl","sha256":"","size":0,"tenant":"t"}'
)


@pytest.mark.parametrize(
    ("pipeline", "own", "found"),
    [
        ("stt_tts", False, {"provider": ["local"], "stt": ["ear"], "tts": ["voice", "other"]}),
        ("s2s", False, {"provider": ["local", "remote"], "s2s": ["model", "spare"]}),
        ("s2s", True, {"provider": ["local"]}),
    ],
)
def test_who_may_handle_a_session_is_noted_as_it_begins(pipeline: str, own: bool, found: dict[str, Any]) -> None:
    """With those that take over from who fails; a provider that hears and speaks by itself needs no engines."""
    record = replace(RECORD, pipeline_type=PipelineType(pipeline))
    assert snapshot(CONFIG, record, own_pipeline=own) == found


def test_the_carrier_of_a_call_is_named_with_its_id() -> None:
    """What users say of a carrier in a session that is no call does not count."""
    about = {"carrier": "twilio", "call_id": "CA1"}
    call = replace(RECORD, transport=Transport.TELEPHONY, metadata=about, agent="support", tts_provider="new")
    assert handlers_of(call) == (
        Handler("carrier", "twilio", "CA1"),
        Handler("provider", "local"),
        Handler("tts", "new"),
        Handler("agent", "support"),
    )
    assert handlers_of(replace(RECORD, metadata=about)) == (Handler("provider", "local"),)


def test_whoever_carries_a_room_is_named_for_that() -> None:
    """Once, though the configuration names it as the provider."""
    room = replace(RECORD, transport=Transport.WEBRTC, provider="livekit", handlers={"provider": ["livekit"]})
    assert handlers_of(room) == (Handler("media", "livekit"),)


def test_handlers_are_read_back_as_they_were_written() -> None:
    """Whatever a carrier's id has in it; an older entry has none."""
    handlers = (Handler("carrier", "sip", 'a,"b":c'), Handler("agent", "remote:x"))
    assert decoded(encoded(handlers)) == handlers
    assert decoded("") == ()
    assert named(handlers) == ("carrier:sip",)


def test_a_receipt_from_before_there_were_handlers_keeps_its_hash() -> None:
    """Else the chain of a deployment would break with its update."""
    assert Receipt.parse(OLD).line == OLD
    told = replace(Receipt.parse(OLD), handled_by=("stt:ear",))
    assert Receipt.parse(told.line) == told
