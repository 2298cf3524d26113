"""What a session used and cost, how long its turns took, and its tools: as documents, from what its log has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from control.records.data_class import DataClass
from control.records.documents import document
from control.records.policy import About, RetentionSettings
from control.records.prices import Prices
from control.records.transcript import LogEntry
from control.records.usage import usage
from voicebackend.config import PipelineType
from voicebackend.errors import InvalidConfig
from voicebackend.record import SessionRecord
from voicebackend.session import SessionState, Transport

RECORD = SessionRecord(
    id="a" * 32,
    tenant="acme",
    user_id="u",
    provider="mock",
    transport=Transport.TELEPHONY,
    pipeline_type=PipelineType.STT_TTS,
    state=SessionState.ENDED,
    created_at=1_000.0,
    ended_at=1_063.5,
)


def used(stt: float, tts: float) -> dict[str, Any]:
    """Return counts as workers log them."""
    return {"stt": {"moonshine": {"seconds": stt}}, "tts": {"hibari": {"characters": tts}}}


def model(number: int, **amounts: float) -> dict[str, Any]:
    """Return what an agent told of a model."""
    about = {"type": "model_usage", "provider": "openai", "model": "small", "turn": 1, "attempt": 1, "number": number}
    return {**about, "amounts": amounts}


def said(role: str, turn: int, totals: dict[str, Any]) -> dict[str, Any]:
    """Return what was said in a turn, and what was used by then."""
    return {"type": "transcript", "role": role, "text": "secret", "final": True, "turn": turn, "usage": totals}


CHARGE = {"name": "charge", "arguments": {"card": "secret"}, "result": "ok"}
LOG: list[LogEntry] = [
    (1_002.0, {"type": "session", "state": "active"}),
    (1_005.0, said("user", 1, used(2, 0))),
    (1_005.1, model(0, input_tokens=100, output_tokens=5)),
    (1_005.1, model(0, input_tokens=100, output_tokens=5)),
    (1_005.2, model(1, input_tokens=50)),
    (1_006.0, {"type": "turn", "turn": 1, "latency_ms": {"e2e": 480.0}, "hop": 12.5, "engines": {"stt": "moonshine"}}),
    (1_007.0, {"type": "takeover", "epoch": 4}),
    (1_008.0, {"type": "tool", "turn": 1, "attempt": 1, "number": 2, "from": 1_005_500, "to": 1_005_900, **CHARGE}),
    (1_009.0, said("agent", 1, used(2, 40))),
    (1_010.0, said("user", 2, used(1.5, 40))),
]


def test_counts_are_the_highest_that_any_worker_told_and_models_are_summed_once() -> None:
    """A worker that took over from an older checkpoint tells less; a note that was written twice counts once."""
    assert usage(RECORD, LOG) == {
        "call": {"telephony": {"seconds": 61.5}},
        **used(2, 40),
        "model": {"openai/small": {"input_tokens": 150.0, "output_tokens": 5.0}},
    }
    assert usage(RECORD, []) == {}


def test_a_trace_tells_how_long_each_turn_took_and_not_a_word() -> None:
    """Stages, hop, engines, takeovers and usage."""
    text = document(DataClass.TRACE, RECORD, LOG).decode()
    found = json.loads(text)
    assert found["turns"] == [
        {"turn": 1, "at_ms": 6_000, "latency_ms": {"e2e": 480.0, "hop": 12.5}, "engines": {"stt": "moonshine"}}
    ]
    assert found["takeovers"] == [{"at_ms": 7_000, "epoch": 4}]
    assert found["usage"]["tts"] == {"hibari": {"characters": 40}}
    assert "secret" not in text
    assert {event["type"] for event in found["events"]} == {"session", "model_usage", "turn", "takeover"}


def test_tools_have_a_document_of_their_own() -> None:
    """With milliseconds since the session's beginning."""
    found = json.loads(document(DataClass.TOOL_IO, RECORD, LOG))
    assert found["calls"] == [{"turn": 1, "attempt": 1, **CHARGE, "start_ms": 5_500, "end_ms": 5_900}]


def test_tools_are_kept_by_a_policy_of_their_own_only() -> None:
    """Like recordings and keys; another class's policy does not stand in for it."""
    policies: list[dict[str, Any]] = [{"id": "all", "class": "transcript", "ttl": 60}]
    settings: dict[str, Any] = {"store": "memory:///", "subject_key": "k" * 32, "policies": policies}
    assert RetentionSettings.of(settings).rule(DataClass.TOOL_IO, About(tenant="acme")).ttl_s == 0
    policies.append({"id": "tools", "class": "tool_io", "ttl": 30})
    assert RetentionSettings.of(settings).rule(DataClass.TOOL_IO, About(tenant="acme")).ttl_s == 30


PRICES = """
currency: EUR
prices:
  - {of: call, name: telephony, unit: seconds, price: "0.006", per: 60}
  - {of: tts, name: hibari, unit: characters, price: "15", per: 1000000}
  - {of: model, name: openai/small, unit: input_tokens, price: "0.1", per: 1000000}
"""


def test_cost_is_exact_and_says_what_has_no_price(tmp_path: Path) -> None:
    """Decimal numbers, not floating ones: a tenth is a tenth."""
    (tmp_path / "prices.yaml").write_text(PRICES)
    cost = Prices.from_file(tmp_path / "prices.yaml").cost(usage(RECORD, LOG))
    assert (cost["currency"], cost["total"]) == ("EUR", "0.006765")
    assert [item["cost"] for item in cost["items"]] == ["0.006150", "0.000600", "0.000015"]
    assert [(one["of"], one["unit"]) for one in cost["unpriced"]] == [("stt", "seconds"), ("model", "output_tokens")]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("currency: euro\nprices: []", "currency"),
        ("currency: EUR\nprices: [{of: tts, name: x, unit: y, price: -1}]", "price"),
        ("currency: EUR\nprices: [{of: tts, name: x, unit: y, price: 1, per: 0}]", "per"),
        ("currency: EUR\nprices: [{of: x, name: x, unit: y, price: 1}]", "of"),
        (PRICES + "  - {of: tts, name: hibari, unit: characters, price: 1}", "two prices for tts hibari characters"),
        ("{", "prices.yaml"),
    ],
)
def test_a_table_that_is_wrong_is_refused(tmp_path: Path, text: str, field: str) -> None:
    """At the start, naming what is."""
    path = tmp_path / "prices.yaml"
    path.write_text(text)
    with pytest.raises(InvalidConfig, match=field):
        Prices.from_file(path)
