"""Where telephone calls go."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.telephony.routing.decision import Call, Decision
from control.telephony.routing.snapshot import Snapshot
from control.telephony.routing.table import RoutingTable
from voicebackend.errors import InvalidConfig

MONDAY_NOON = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
"""In New York; 18:00 in Berlin."""
SUNDAY = datetime(2026, 11, 22, 17, 0, tzinfo=UTC)
TABLE: dict[str, Any] = {
    "version": 7,
    "windows": {
        "office": {"tz": "America/New_York", "days": ["mon-fri"], "from": "09:00", "until": "17:30"},
        "night": {"tz": "America/New_York", "from": "22:00", "until": "06:00", "except": ["2026-12-24"]},
    },
    "targets": {
        "us": {"provider": "livekit", "agent": "sales"},
        "spare": {"provider": "pipecat"},
        "mail": {"provider": "local", "agent": "voicemail"},
    },
    "deny": [{"caller": ["+1900*", "anonymous"], "tenant": "acme", "code": 603}, {"called": ["+882*"], "code": 604}],
    "routes": [
        {
            "id": "sales",
            "match": {"tenant": "acme", "called": ["+1415555*"], "window": "office"},
            "use": [
                {"to": [{"target": "us", "weight": 90}, {"target": "spare", "weight": 10}], "timeout": 0.8},
                {"to": [{"target": "mail"}]},
            ],
            "retention": "voice-30d",
        },
        {"id": "number", "match": {"called": ["+14155550123"]}, "use": [{"to": [{"target": "spare"}]}]},
        {
            "id": "spanish",
            "match": {"called": ["+1*"], "header": {"x-lang": "es"}},
            "use": [{"to": [{"target": "us"}]}],
        },
        {"id": "german", "match": {"called": ["+1*"], "header": {"x-lang": "de"}}, "use": [{"to": [{"target": "us"}]}]},
        {"id": "regulars", "match": {"called": ["+1*"], "caller": ["+1212*"]}, "use": [{"to": [{"target": "us"}]}]},
        {"id": "america", "match": {"called": ["+1*"]}, "use": [{"to": [{"target": "mail"}]}]},
    ],
}


def decided(*, when: datetime = MONDAY_NOON, dead: tuple[str, ...] = (), **call: Any) -> Decision:
    """Return what becomes of a call by the table."""
    call = {"id": "c1", "called": "+14155559999", "caller": "+12025550111", "tenant": "acme", **call}
    return Snapshot(RoutingTable.of(TABLE)).decide(Call(**call), when=when, dead=dead, explain=True)


@pytest.mark.parametrize(
    ("call", "route"),
    [
        ({}, "sales"),
        ({"called": "(415) 555-9999"}, "sales"),
        ({"called": "sip:+14155559999@sip.example.com;transport=udp"}, "sales"),
        ({"called": "+14155559999;npdi;rn=+14155550000"}, "sales"),
        ({"called": "SIPS:4155559999@10.0.0.1:5061"}, "sales"),
        ({"called": "+14155550123"}, "number"),
        ({"when": SUNDAY}, "america"),
        ({"tenant": "other"}, "america"),
        ({"tenant": "other", "headers": {"x-lang": "es"}}, "spanish"),
        ({"tenant": "other", "headers": {"x-lang": "es"}, "caller": "+12125550111"}, "regulars"),
        ({"tenant": "other", "caller": ""}, "america"),
    ],
)
def test_the_closest_description_takes_a_call(call: dict[str, Any], route: str) -> None:
    """Numbers first, then tenant, trunk, headers and hours."""
    assert decided(**call).route == route


@pytest.mark.parametrize(
    ("call", "code", "reason"),
    [
        ({"called": "911"}, 404, "emergency"),
        ({"called": "112"}, 404, "emergency"),
        ({"called": "sip:911@example.com"}, 404, "emergency"),
        ({"called": "911;phone-context=+1"}, 404, "emergency"),
        ({"caller": "+19005551234;isup-oli=62"}, 603, "denied"),
        ({"caller": "+19005551234"}, 603, "denied"),
        ({"caller": "anonymous"}, 603, "denied"),
        ({"called": "+882131234567"}, 604, "denied"),
        ({"called": "+493012345678"}, 404, "no_route"),
        ({"called": "sip:nobody"}, 404, "no_route"),
        ({"called": "sip:bob@14155559999"}, 404, "no_route"),
        ({"called": "sip:+14155559999;phone-context=x@example.com"}, 404, "no_route"),
        ({"called": "+14155559999;phone-context=evil.example"}, 404, "no_route"),
        ({"called": "9" * 300}, 404, "no_route"),
    ],
)
def test_what_nobody_takes_is_refused_with_a_reason(call: dict[str, Any], code: int, reason: str) -> None:
    """Emergency calls, denied callers, and what is no number."""
    found = decided(**call)
    assert (found.is_refused, found.code, found.reason) == (True, code, reason)


def test_a_decision_says_all_that_the_call_needs() -> None:
    """Targets in the order of tiers, with their time, and how long it is kept."""
    found = decided()
    assert {choice.target for choice in found.choices[:2]} == {"us", "spare"}
    assert found.choices[2].target == "mail"
    assert [choice.tier for choice in found.choices] == [0, 0, 1]
    assert [choice.timeout_s for choice in found.choices] == [0.8, 0.8, None]
    assert found.retention == "voice-30d"
    assert found.version.startswith("7-")
    assert "sales: taken" in found.steps


def test_a_dead_target_takes_no_call() -> None:
    """Its share goes on to the others, and then to the next tier; without any, the call is refused."""
    assert [choice.target for choice in decided(dead=("us",)).choices] == ["spare", "mail"]
    assert [choice.target for choice in decided(dead=("us", "spare")).choices] == ["mail"]
    found = decided(dead=("us", "spare", "mail"))
    assert (found.code, found.reason, found.route) == (503, "no_target", "sales")


def test_calls_are_shared_by_weight_and_a_call_keeps_its_target() -> None:
    """Nine in ten to one; taking one target away moves only the calls that it had."""
    snapshot = Snapshot(RoutingTable.of(TABLE))
    calls = [Call(id=str(n), called="+14155559999", tenant="acme", caller="+12025550111") for n in range(4000)]
    first = [snapshot.decide(call, when=MONDAY_NOON).choices[0].target for call in calls]
    assert first == [snapshot.decide(call, when=MONDAY_NOON).choices[0].target for call in calls]
    assert 0.87 < Counter(first)["us"] / len(calls) < 0.93
    without = [snapshot.decide(call, when=MONDAY_NOON, dead={"spare"}).choices[0].target for call in calls]
    assert all(now == then for now, then in zip(without, first, strict=True) if then != "spare")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"targets": {}}, "body"),
        ({"routes": [{**TABLE["routes"][0], "priority": "high"}]}, "routes.0.priority"),
        ({"windows": {"office": {"tz": "Mars/Olympus"}}}, "windows.office.tz"),
        ({"windows": {"office": {"tz": "UTC", "days": ["funday"]}}}, "windows.office.days.0"),
        ({"defaults": {"region": "XX"}}, "defaults.region"),
        ({"deny": [{"caller": ["1900"]}]}, "deny.0.caller.0"),
        ({"deny": [{"caller": []}]}, "deny.0.caller"),
        ({"deny": [{"called": []}]}, "deny.0.called"),
        ({"windows": {"office": {"tz": "UTC", "until": 1050}}}, "windows.office.until"),
        ({"targets": {"us": {"provider": "mock", "max_calls": 0}}}, "targets.us.max_calls"),
        ({"targets": {"us": {"provider": "mock", "probe": {"every": 1}}}}, "targets.us.probe.every"),
        ({"targets": {"us": {"provider": "mock", "probe": {"fail": 0}}}}, "targets.us.probe.fail"),
        ({"routes": [{**TABLE["routes"][1], "limits": {"cps": 0}}]}, "routes.0.limits.cps"),
        ({"routes": [{**TABLE["routes"][1], "limits": {"concurrent": -1}}]}, "routes.0.limits.concurrent"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_wrong_table_is_told_with_the_field(change: dict[str, Any], field: str) -> None:
    """Before any call meets it."""
    with pytest.raises(InvalidConfig) as caught:
        RoutingTable.of({**TABLE, **change})
    assert caught.value.details["field"] == field


def test_what_yaml_reads_as_a_number_is_told_to_be_quoted() -> None:
    """17:30 without quotes would be 1050 seconds past midnight."""
    with pytest.raises(InvalidConfig, match="quote it"):
        RoutingTable.of({**TABLE, "windows": {"office": {"tz": "UTC", "from": 61200}}})


@pytest.mark.parametrize("agent", ["a b", "x" * 129, "sales\n"])
def test_an_agent_that_no_session_may_have_is_refused(agent: str) -> None:
    """When the table is loaded, and not by every call."""
    with pytest.raises(InvalidConfig, match="agent"):
        RoutingTable.of({**TABLE, "targets": {**TABLE["targets"], "us": {"provider": "livekit", "agent": agent}}})


@pytest.mark.parametrize("more", [{}, {"window": "office"}])
def test_two_routes_for_the_same_calls_are_refused(more: dict[str, Any]) -> None:
    """Nothing is guessed; another priority decides."""
    routes = [
        {"id": name, "match": {"called": ["+49*"], **more}, "use": [{"to": [{"target": "us"}]}]} for name in ("a", "b")
    ]
    with pytest.raises(InvalidConfig) as caught:
        Snapshot(RoutingTable.of({**TABLE, "routes": routes}))
    assert caught.value.details["routes"] == ["a", "b"]
    clear = RoutingTable.of({**TABLE, "routes": [routes[0], {**routes[1], "priority": -1}]})
    call = Call(id="c", called="+493012345678")
    assert Snapshot(clear).decide(call, when=MONDAY_NOON).route == "b"


def test_hours_that_never_meet_need_no_priority() -> None:
    """Office and night are apart; in another zone nobody can tell."""
    routes = [
        {"id": name, "match": {"called": ["+49*"], "window": name}, "use": [{"to": [{"target": "us"}]}]}
        for name in ("office", "night")
    ]
    Snapshot(RoutingTable.of({**TABLE, "routes": routes}))
    elsewhere = {**TABLE["windows"], "night": {**TABLE["windows"]["night"], "tz": "Europe/Berlin"}}
    with pytest.raises(InvalidConfig):
        Snapshot(RoutingTable.of({**TABLE, "windows": elsewhere, "routes": routes}))


@pytest.mark.parametrize(
    ("when", "is_open"),
    [
        (datetime(2026, 11, 24, 4, 0, tzinfo=UTC), True),  # 23:00 on Monday
        (datetime(2026, 11, 24, 10, 59, tzinfo=UTC), True),  # 05:59 on Tuesday
        (datetime(2026, 11, 24, 11, 0, tzinfo=UTC), False),  # 06:00
        (datetime(2026, 12, 25, 4, 0, tzinfo=UTC), False),  # the night of the 24th does not open
        (datetime(2026, 12, 25, 10, 0, tzinfo=UTC), False),  # nor does its morning
        (datetime(2026, 12, 26, 4, 0, tzinfo=UTC), True),
        (datetime(2026, 3, 8, 6, 30, tzinfo=UTC), True),  # half past one, before the clocks go forward
        (datetime(2026, 3, 8, 9, 59, tzinfo=UTC), True),  # 05:59 after they have
        (datetime(2026, 3, 8, 10, 0, tzinfo=UTC), False),
    ],
)
def test_a_night_belongs_to_the_day_on_which_it_began(when: datetime, is_open: bool) -> None:
    """Over midnight, and over the hour that clocks skip."""
    assert RoutingTable.of(TABLE).windows["night"].is_open(when) is is_open


NUMBERS = st.from_regex(r"\+1(212|415|646)555[0-9]{4}", fullmatch=True)


@given(st.one_of(NUMBERS, st.text(max_size=80)), st.one_of(NUMBERS, st.text(max_size=80)), st.text(max_size=20))
def test_every_call_is_decided_and_always_the_same(called: str, caller: str, call_id: str) -> None:
    """Whatever a carrier says."""
    call: dict[str, Any] = {"called": called, "caller": caller, "id": call_id}
    found = decided(**call)
    assert found == decided(**call)
    assert found.is_refused == (found.code > 0)


@given(st.from_regex(r"\+1415555[0-9]{1,3}", fullmatch=True), NUMBERS)
def test_a_longer_prefix_changes_only_the_numbers_under_it(prefix: str, called: str) -> None:
    """A new route takes nobody else's calls."""
    route = {"id": "new", "match": {"called": [f"{prefix}*"]}, "use": [{"to": [{"target": "us"}]}]}
    call = Call(id="c", called=called)
    before = Snapshot(RoutingTable.of(TABLE)).decide(call, when=MONDAY_NOON)
    after = Snapshot(RoutingTable.of({**TABLE, "routes": [*TABLE["routes"], route]})).decide(call, when=MONDAY_NOON)
    if called == "+14155550123" or not called.startswith(prefix):
        assert (after.route, after.choices) == (before.route, before.choices)
    else:
        assert after.route == "new"


def test_a_file_is_a_table(tmp_path: Path) -> None:
    """YAML; what is none is told with its name."""
    path = tmp_path / "routes.yaml"
    path.write_text("version: 1\ntargets: {a: {provider: mock}}\nroutes: [{id: all, use: [{to: [{target: a}]}]}]\n")
    found = Snapshot(RoutingTable.from_file(path)).decide(Call(id="c", called="nobody"), when=MONDAY_NOON)
    assert found.choices[0].provider == "mock"
    path.write_text("version: [")
    with pytest.raises(InvalidConfig) as caught:
        RoutingTable.from_file(path)
    assert caught.value.details["field"] == str(path)
